"""Trains and scores what a plan asks for and what is not there yet, in several processes."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from joblib import Parallel, cpu_count, delayed

from omote.data.face_set import open_face_set
from omote.errors import OmoteError
from omote.evaluation.evaluate import evaluate
from omote.files import locked, write_text
from omote.reproduction.plan import Plan, Training
from omote.runs.device import choose_device
from omote.runs.trained import load
from omote.training.loop import Progress, check_trained, train_or_load

RESAMPLES = 100  # draws of other people, for the intervals
Listener = Callable[[str, int, int], None]  # name of a training, steps done, steps in all


def carry_out(plan: Plan, *, workers: int | None = None, progress: Listener | None = None) -> None:
    """Train and score what is missing; a training that was stopped goes on from its last checkpoint.

    Args:
        workers: trainings at a time, each in a process of its own with its share of the cores; None for one a core
            as long as there are as many trainings, or one on a GPU. The number of threads of a training, and so the
            last bits of its weights, depend on it.
        progress: called with (name, steps done, steps in all) of a training now and then, and at its end.
    Raises:
        OmoteError: If a run has another configuration or face set; if a training fails, once the others are done.
    """
    if workers is not None and workers < 1:
        raise OmoteError(f"workers is {workers}; give 1 or more")
    pending = [training for training in plan.trainings if not _finished(plan, training)]
    if progress:
        for training in plan.trainings:
            if training not in pending:
                progress(training.name, 1, 1)
    gpu = choose_device("auto") != "cpu"
    workers = workers or (1 if gpu else min(cpu_count(), len(plan.trainings)))
    with locked(plan.to, "is carrying out this reproduction"):
        for training in plan.trainings:
            if training not in pending:
                check_trained(open_face_set(training.faces), training.run, training.config)
        problems = []
        for name, problem in _carried_out(pending, plan.rows, workers, progress):
            if problem:
                problems.append(f"{name}: {problem}")
            elif progress:
                progress(name, 1, 1)
    if problems:
        raise OmoteError(
            f"{problems[0]} The other trainings are done; leave out the row (--rows) to see what came of them."
        )


def _carried_out(
    trainings: Sequence[Training], rows: Sequence[int], workers: int, progress: Listener | None
) -> Iterator[tuple[str, str]]:
    """Yield the name of each training as it is done, and what went wrong; one does not end the others."""
    if workers == 1:
        yield from (_attempt(training, rows, progress) for training in trainings)
        return
    threads = max(1, cpu_count() // workers)  # whatever is left to do: the last bits depend on it
    tasks = (delayed(_in_process)(training, rows, threads, os.getpid()) for training in trainings)
    with _watched([training.run for training in trainings], progress):
        yield from Parallel(n_jobs=workers, return_as="generator_unordered")(tasks)


def _attempt(training: Training, rows: Sequence[int], progress: Listener | None) -> tuple[str, str]:
    try:
        train_and_score(training, rows, progress)
    except OmoteError as error:
        return training.name, str(error)
    return training.name, ""


def train_and_score(training: Training, rows: Sequence[int], progress: Listener | None = None) -> None:
    """Train a row and write its scores, those of row 7 and those after each repetition included."""

    def show(now: Progress) -> None:
        if progress:  # all stages of a row have the same number of steps
            done = (now.stage_number - 1) * now.num_steps + now.step
            progress(training.name, done, now.num_stages * now.num_steps)

    face_set, after = open_face_set(training.faces), training.scores_after()
    trained = train_or_load(face_set, training.run, training.config, progress=show, keep_stages=bool(after))
    for row, folder in training.scores(rows).items():
        if not _scored(folder):
            evaluate(trained, face_set, resamples=RESAMPLES, centred=row != training.row).save(folder)
    for stage, folder in after:
        if not _scored(folder):
            evaluate(load(training.run, stage=stage), face_set).save(folder)


def _finished(plan: Plan, training: Training) -> bool:
    after = [folder for _, folder in training.scores_after()]
    return all(map(_scored, [*training.scores(plan.rows).values(), *after]))


def _scored(folder: Path) -> bool:
    return (folder / "scores.json").is_file()


def _in_process(training: Training, rows: Sequence[int], threads: int, parent: int) -> tuple[str, str]:
    """Do `_attempt` in a process of its own, which ends with its parent and says how far it is in a file."""
    torch.set_num_threads(threads)
    told = 0.0

    def tell(name: str, done: int, total: int) -> None:
        nonlocal told
        if os.getppid() != parent:
            os._exit(1)  # killed with the parent, so that a new call finds no second trainer
        if time.monotonic() - told > 1:
            told = time.monotonic()
            write_text(training.run / "progress", f"{done} {total}")

    result = _attempt(training, rows, tell)
    (training.run / "progress").unlink(missing_ok=True)
    return result


@contextmanager
def _watched(runs: Sequence[Path], progress: Listener | None) -> Iterator[None]:
    """Pass on what the processes write of their progress."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            for run in runs:
                try:
                    done, total = map(int, (run / "progress").read_text().split())
                except (OSError, ValueError):
                    continue
                if progress:
                    progress(run.name, done, total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
