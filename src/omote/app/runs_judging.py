"""Runs that are listed, compared without labels, and audited on the tab "Runs"."""

import os
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from omote.app.folders import find_folder
from omote.app.jobs import Job, take_turn
from omote.app.pages import render
from omote.app.state import State
from omote.boundary import read_text, reading
from omote.errors import OmoteError
from omote.evaluation.audit import audit
from omote.evaluation.choose import choose
from omote.figures.audit.report import write_audit_report
from omote.figures.page import format_duration
from omote.files import locked
from omote.runs.info import read_run_info, read_training
from omote.training.loop import is_trained

MOST_RUNS = 100  # listed
DEPTH = 3  # folders below the one that was named, in which runs are looked for
COLUMNS = {  # score -> heads, as `omote choose` explains them
    "choice": "choice",
    "view_agreement": "view agrees",
    "leakage": "who probe",
    "switch_expression": "swap keeps expression",
    "switch_identity": "swap keeps person",
}


def find_runs(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the runs in a folder and up to `DEPTH` folders below it, and sentences about what could not be read.

    Returns:
        Path -> description in one line; and the sentences.
    Raises:
        OmoteError: If there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise OmoteError(f"there is no folder {folder}; name one with runs, as made by training")
    patterns = ["*/" * depth + "run.json" for depth in range(DEPTH + 1)]
    files = sorted(file for pattern in patterns for file in folder.glob(pattern))
    found: dict[str, str] = {}
    problems = []
    for file in files[:MOST_RUNS]:
        try:
            found[str(file.parent)] = describe_run(file.parent, folder)
        except OmoteError as error:
            problems.append(str(error))
    if len(files) > MOST_RUNS:
        problems.append(
            f"{len(files)} runs are here, and the first {MOST_RUNS} are listed; name a folder with fewer"
        )
    if not files:
        raise OmoteError(f"there is no run in {folder}, nor up to {DEPTH} folders below it; train one above")
    return found, problems


def describe_run(run: Path, folder: Path) -> str:
    """Return name, method, people and state of a run in one line.

    Raises:
        OmoteError: If it cannot be read.
    """
    info, seconds = read_run_info(run), read_training(run).seconds
    parts = [info.config.method, f"{info.image_size} px", f"{len(info.train_subjects)} people"]
    if info.test_subjects:
        parts[-1] += f" and {len(info.test_subjects)} held out"
    if not is_trained(run):
        parts.append("training not finished")
    elif seconds is not None:
        parts.append(f"trained in {format_duration(seconds)}")
    if (run / "audit" / "report.html").is_file():
        parts.append("audited")
    name = run.relative_to(folder).as_posix() if run != folder else run.name
    return f"{name}: {', '.join(parts)}"


def start_judging(
    state: State,
    turns: threading.Lock,
    judge: Callable[[Job, threading.Lock, list[Path]], str],
    chosen: Sequence[str],
) -> str:
    """Start to compare or to audit runs, and return the id of the job.

    Raises:
        OmoteError: If no run was chosen, or one lies elsewhere.
    """
    runs = _check_chosen(state, chosen)
    return state.jobs.start(", ".join(run.name for run in runs), judge, turns, runs)


def _check_chosen(state: State, chosen: Sequence[str]) -> list[Path]:
    if not chosen:
        raise OmoteError("no run was chosen; tick one or more in the list")
    return [find_folder(state, run) for run in chosen]


def compare_runs(job: Job, turns: threading.Lock, runs: list[Path]) -> str:
    """Return the HTML of the comparison of runs, as a job."""
    with take_turn(turns):
        table = choose(runs, progress=lambda done, total: job.report(done, total, "comparing"))
    return draw_comparison(table)


def draw_comparison(table: pd.DataFrame) -> str:
    """Return the HTML of the ranking that `omote.choose` gives."""
    names = table["run"].map(lambda run: Path(run).name)
    names = names if names.is_unique else table["run"]
    rows = [
        {
            "name": name,
            "as_good": row["as_good"],
            "cells": [
                (_two_digits(row[score]), _interval(row[f"{score}_low"], row[f"{score}_high"]))
                for score in COLUMNS
            ],
        }
        for name, row in zip(names, table.to_dict("records"), strict=True)
    ]
    chances = [_two_digits(table[f"{score}_chance"].median()) for score in COLUMNS]
    return render(
        "runs_comparison.html", heads=list(COLUMNS.values()), rows=rows, chances=chances,
        people="held out" if table["people"].iloc[0] == "test" else "of the training", tie=table["as_good"].sum() > 1,
        reasons=[(name, reason) for name, reason in zip(names, table["reason"], strict=True) if reason],
    )  # fmt: skip


def _two_digits(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"


def _interval(low: float, high: float) -> str:
    return "" if low != low or high != high else f"{low:.2f} to {high:.2f}"


def audit_runs(job: Job, turns: threading.Lock, runs: list[Path]) -> str:
    """Return the HTML of the audit of runs, written into the folder of the first, as a job."""
    folder = runs[0] / "audit"  # as `omote audit` does
    with take_turn(turns):
        # in this process, so that cancelling, or ending the app, ends it
        found = audit(runs, workers=1, progress=lambda done, total: job.report(done, total, "auditing"))
        found.about["commands"] = [shlex.join(["omote", "audit", *map(str, runs)])]
        folder.mkdir(exist_ok=True)
        with locked(folder, "is writing an audit"):
            found.save(folder)
            write_audit_report(found, folder)
    return _frame_audit(runs[0])


def show_audit(state: State, chosen: Sequence[str]) -> str:
    """Return the HTML of the audit of the chosen run.

    Raises:
        OmoteError: If not one run was chosen, or it has no audit.
    """
    run, *others = _check_chosen(state, chosen)
    if others:
        raise OmoteError(f"{len(others) + 1} runs were chosen; tick the one whose audit you want to read")
    return _frame_audit(run)


def _frame_audit(run: Path) -> str:
    file = run / "audit" / "report.html"
    if not file.is_file():
        raise OmoteError(f"{run.name} has no audit yet; press “Audit” to make one")
    with reading(file, "the report of an audit", "Press “Audit” to make it again"):
        page = read_text(file)
    return render("runs_audit.html", name=run.name, folder=os.path.relpath(file.parent), page=page)
