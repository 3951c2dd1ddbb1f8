"""The tab "Runs": train a run from a folder of photos and videos, compare runs without labels, and audit them."""

import io
import os
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from omote.app.folders import find_folder
from omote.app.jobs import Cancelled, Job
from omote.app.pages import JobPanel, render, say_error
from omote.app.state import State
from omote.boundary import read_text, reading
from omote.data.cut import SIZES
from omote.data.face_set import FaceSet, open_face_set
from omote.data.prepare import prepare
from omote.errors import OmoteError
from omote.evaluation.audit import audit
from omote.evaluation.choose import choose
from omote.figures.audit.report import write_audit_report
from omote.figures.page import encode_picture, format_duration
from omote.figures.picture import render as render_figure
from omote.figures.training import plot_terms
from omote.files import locked
from omote.methods.registry import DEFAULT_METHOD, METHODS
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info, read_training
from omote.training.log import read_log
from omote.training.loop import TrainingProgress, check_folder, is_trained, train

EVERY = 5.0  # s between two readings of the log, at least
MOST_RUNS = 100  # listed
DEPTH = 3  # folders below the one that was named, in which runs are looked for
COLUMNS = {  # score -> heads, as `omote choose` explains them
    "choice": "choice",
    "view_agreement": "view agrees",
    "leakage": "who probe",
    "switch_expression": "swap keeps expression",
    "switch_identity": "swap keeps person",
}


@dataclass
class Shown:
    """What a job gives: HTML for the page."""

    page: str
    files: dict[str, Path] = field(default_factory=dict)  # none to download


def tab(state: State) -> None:
    """Build the tab."""
    import gradio as gr

    turns = threading.Lock()  # trainings and comparisons draw from one random state, so one at a time
    defaults = TrainConfig()

    gr.HTML(render("runs_training_introduction.html"))
    with gr.Row():
        source = gr.Textbox(
            label="Folder of photos and videos, or a face set", placeholder="photos", min_width=240
        )
        to = gr.Textbox(label="New run (folder)", placeholder="run", min_width=240)
    with gr.Row():
        method = gr.Dropdown(list(METHODS), value=DEFAULT_METHOD, label="Method", filterable=False)
        epochs = gr.Number(defaults.options.epochs, precision=0, minimum=1, label="Epochs per stage")
        held_out = gr.Number(0, precision=0, minimum=0, label="People held out for testing")
        size = gr.Radio([(f"{each} px", each) for each in SIZES], value=SIZES[0], label="Size of the faces")
    go = gr.Button("Train", variant="primary")
    bar = gr.Column()
    trained = gr.HTML()
    with bar:
        training = JobPanel(state, "training", [trained], _show)
    settings = [source, to, method, epochs, held_out, size]
    training.start_on(go.click, lambda *given: start_training(state, turns, *given), settings)

    gr.HTML(render("runs_judging_introduction.html"))
    with gr.Row():
        folder = gr.Textbox(".", label="Folder with runs", scale=4)
        look = gr.Button("List the runs", scale=1)
    problems = gr.HTML()
    runs = gr.CheckboxGroup([], label="Runs", visible=False)
    with gr.Row():
        compare = gr.Button("Compare", visible=False)
        make = gr.Button("Audit", visible=False)
        read = gr.Button("Read the audit", visible=False)
    bar = gr.Column()
    judged = gr.HTML()
    with bar:
        judging = JobPanel(state, "judging", [judged], _show)

    def list_runs(name: str) -> Sequence[Any]:
        try:
            found, damaged = find_runs(find_folder(state, name))
        except OmoteError as error:
            found, damaged = {}, [str(error)]
        update = gr.update(visible=bool(found))
        said = "".join(say_error(each) for each in damaged)
        choices = [(label, path) for path, label in found.items()]
        return said, gr.update(choices=choices, value=[], visible=bool(found)), update, update, update

    def read_audit(chosen: Sequence[str]) -> str:
        try:
            return show_audit(state, chosen)
        except OmoteError as error:
            return say_error(str(error))

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on([look.click, folder.submit], list_runs, folder, [problems, runs, compare, make, read], **quiet)
    judging.start_on(compare.click, lambda chosen: start_judging(state, turns, compare_runs, chosen), [runs])
    judging.start_on(make.click, lambda chosen: start_judging(state, turns, audit_runs, chosen), [runs])
    read.click(read_audit, runs, judged, **quiet)


def _show(job: Job | None) -> Sequence[str]:
    return [job.result.page if job else ""]


@contextmanager
def _turn(turns: threading.Lock) -> Iterator[None]:
    if not turns.acquire(blocking=False):
        raise OmoteError(
            "another training, comparison or audit is going on; start this one when it has ended"
        )
    try:
        yield
    finally:
        turns.release()


def start_training(
    state: State,
    turns: threading.Lock,
    source: str,
    to: str,
    method: str,
    epochs: int,
    held_out: int,
    size: int,
) -> str:
    """Start a training, and return the id of the job.

    Raises:
        OmoteError: If a folder lies elsewhere, there is nothing to train on, or a setting is invalid.
    """
    changes = {"method": method, "options.epochs": epochs, "test_subjects": held_out}
    config = TrainConfig.read(None, {name: value for name, value in changes.items() if value is not None})
    folder, run = find_folder(state, source), find_folder(state, to)
    if not folder.is_dir():
        raise OmoteError(
            f"there is no folder {folder}; name one with a folder for each person, or a face set"
        )
    if state.folder.resolve().is_relative_to(folder):
        raise OmoteError(f"{folder} holds what was uploaded to this app; name a folder in it")
    check_folder(run)
    if is_trained(run):
        raise OmoteError(f"{run} is already trained; name another folder")
    faces = find_folder(state, f"{run}_faces")
    return state.jobs.start(run.name, _train, turns, folder, faces, run, config, size)


def _train(
    job: Job, turns: threading.Lock, folder: Path, faces: Path, run: Path, config: TrainConfig, size: int
) -> Shown:
    read_at = 0.0

    def report(now: TrainingProgress) -> None:
        nonlocal read_at
        try:
            job.report(now.step, now.num_steps, f"stage {now.stage_number} of {now.num_stages} ({now.stage})")
        except Cancelled:
            raise KeyboardInterrupt from None  # the training stops with a checkpoint
        begins_epoch = (now.step - 1) % (now.num_steps // now.num_epochs) == 0
        if begins_epoch and time.monotonic() - read_at > EVERY:
            job.publish(Shown(draw_training(run, face_set)))
            read_at = time.monotonic()

    with _turn(turns):
        face_set = prepare_faces(job, folder, faces, size)
        job.report(0, 1, "starting")
        try:
            trained = train(face_set, run, config, progress=report)
        except KeyboardInterrupt:
            raise Cancelled from None
    people = f"{len(trained.info.train_subjects)} people, with {len(trained.info.test_subjects)} held out"
    return Shown(
        draw_training(run, face_set, done=f"Trained {trained.name} on {people}: {os.path.relpath(run)}")
    )


def prepare_faces(job: Job, folder: Path, to: Path, size: int) -> FaceSet:
    """Return the face set in a folder, or one that is prepared of its photos and videos, or was before.

    Raises:
        OmoteError: As `omote.prepare`; or if `to` holds faces of another folder, or of another size.
    """
    if (folder / "about.json").is_file():
        return open_face_set(folder)
    if not to.exists():
        return prepare(
            folder, to, size=size, progress=lambda done, total: job.report(done, total, "finding faces")
        )
    face_set = open_face_set(to)
    known = all((folder / source).is_file() for source in face_set.frames["source"].dropna().unique())
    if (face_set.about.dataset, face_set.size) != (folder.name, size) or not known:
        raise OmoteError(
            f"{to} holds faces of {face_set.size} px of {face_set.about.dataset}, and not those "
            f"of {folder} at {size} px; name another run, or remove that folder"
        )
    return face_set


def draw_training(run: Path, face_set: FaceSet, done: str = "") -> str:
    """Return the HTML of a training: its faces, the swaps after each stage, and the terms of its objective.

    Args:
        done: a sentence, once it has ended.
    """
    log, counts = read_log(run), face_set.about.counts
    swaps = []
    for number, content in sorted(log.pictures.items()):
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            swaps.append((number, encode_picture(picture)))
    terms = encode_picture(render_figure(plot_terms(log.terms))) if log.terms else ""
    return render(
        "runs_training.html", done=done, swaps=swaps, terms=terms, faces=len(face_set), people=len(face_set.subjects),
        face_set=os.path.relpath(face_set.path), skipped=counts.skipped if counts else {},
    )  # fmt: skip


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


def start_judging(state: State, turns: threading.Lock, judge: Any, chosen: Sequence[str]) -> str:
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


def compare_runs(job: Job, turns: threading.Lock, runs: list[Path]) -> Shown:
    """Return the comparison of runs, as a job."""
    with _turn(turns):
        table = choose(runs, progress=lambda done, total: job.report(done, total, "comparing"))
    return Shown(draw_comparison(table))


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


def audit_runs(job: Job, turns: threading.Lock, runs: list[Path]) -> Shown:
    """Return the audit of runs, written into the folder of the first, as a job."""
    folder = runs[0] / "audit"  # as `omote audit` does
    with _turn(turns):
        # in this process, so that cancelling, or ending the app, ends it
        found = audit(runs, workers=1, progress=lambda done, total: job.report(done, total, "auditing"))
        found.about["commands"] = [shlex.join(["omote", "audit", *map(str, runs)])]
        folder.mkdir(exist_ok=True)
        with locked(folder, "is writing an audit"):
            found.save(folder)
            write_audit_report(found, folder)
    return Shown(_frame_audit(runs[0]))


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
