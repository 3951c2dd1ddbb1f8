"""Train and score what is missing of a plan, in several processes."""

import json
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
from omote.files import locked
from omote.reproduction.plan import IN_WORK, Plan, Training
from omote.runs.device import choose_device
from omote.runs.trained import load
from omote.training.loop import TrainingProgress, check_trained, train_or_load

RESAMPLES = 100  # bootstrap samples of people, for the intervals
ReproductionProgress = Callable[[str, int, int], None]  # name of a training, steps done, steps in all


def execute(plan: Plan, *, workers: int | None = None, progress: ReproductionProgress | None = None) -> None:
    """Train and score what is missing. A training that was stopped continues from its last checkpoint.

    Args:
        workers: number of trainings at a time, each in its own process with an equal share of the cores. None for one
            per core, up to the number of trainings, or one on a GPU. It determines the number of threads per training
            and thereby the last bits of the weights.
        progress: called with (name, steps done, total steps) of a training, about once a second and at its end.
    Raises:
        OmoteError: If a run has another configuration or face set. If a training fails, after the others have finished.
    """
    if workers is not None and workers < 1:
        raise OmoteError(f"workers is {workers}; give 1 or more")
    pending = [training for training in plan.trainings if not _is_finished(plan, training)]
    if progress:
        for training in plan.trainings:
            if training not in pending:
                progress(training.name, 1, 1)
    gpu = choose_device("auto") != "cpu"
    workers = workers or (1 if gpu else min(cpu_count(), len(plan.trainings)))
    with locked(plan.to, IN_WORK):
        for training in plan.trainings:
            if training not in pending:
                check_trained(open_face_set(training.faces), training.run, training.config)
                locks = [folder / "lock" for folder in _score_folders(plan.rows, training)]
                for path in (training.run / "progress", *locks):  # of a killed process
                    path.unlink(missing_ok=True)
        problems = []
        for name, problem in _run_all(pending, plan.rows, workers, progress):
            if problem:
                problems.append(f"{name}: {problem}")
            elif progress:
                progress(name, 1, 1)
    if problems:
        raise OmoteError(
            f"{problems[0]} The other trainings are finished; leave out this row (--rows) to see their results."
        )


def _run_all(
    trainings: Sequence[Training], rows: Sequence[int], workers: int, progress: ReproductionProgress | None
) -> Iterator[tuple[str, str]]:
    """Yield the name of each finished training and its error message, "" if it succeeded."""
    if workers == 1:
        yield from (_run_one(training, rows, progress) for training in trainings)
        return
    threads = max(1, cpu_count() // workers)  # also if few trainings are left: the last bits depend on it
    tasks = (delayed(_run_in_process)(training, rows, threads, os.getpid()) for training in trainings)
    with _watch_progress([training.run for training in trainings], progress):
        yield from Parallel(n_jobs=workers, return_as="generator_unordered")(tasks)


def _run_one(
    training: Training, rows: Sequence[int], progress: ReproductionProgress | None
) -> tuple[str, str]:
    try:
        train_and_score(training, rows, progress)
    except OmoteError as error:
        return training.name, str(error)
    return training.name, ""


def train_and_score(
    training: Training, rows: Sequence[int], progress: ReproductionProgress | None = None
) -> None:
    """Train a row and write its scores, including those of row 7 and those after each repetition."""

    def show(now: TrainingProgress) -> None:
        if progress:  # all stages of a row have the same number of steps
            done = (now.stage_number - 1) * now.num_steps + now.step
            progress(training.name, done, now.num_stages * now.num_steps)

    face_set, repetitions = open_face_set(training.faces), training.repetition_scores()
    trained = train_or_load(
        face_set, training.run, training.config, progress=show, keep_stages=bool(repetitions)
    )
    for row, folder in training.scores(rows).items():
        if not _is_scored(folder):
            centred = row != training.row
            scores = evaluate(trained, face_set, resamples=RESAMPLES, groups=training.groups, centred=centred)
            scores.save(folder)
    for stage, folder in repetitions:
        if not _is_scored(folder):
            evaluate(load(training.run, stage=stage), face_set).save(folder)


def _is_finished(plan: Plan, training: Training) -> bool:
    return all(map(_is_scored, _score_folders(plan.rows, training)))


def _score_folders(rows: Sequence[int], training: Training) -> list[Path]:
    return [*training.scores(rows).values(), *(folder for _, folder in training.repetition_scores())]


def _is_scored(folder: Path) -> bool:
    return (folder / "scores.json").is_file()


def _run_in_process(training: Training, rows: Sequence[int], threads: int, parent: int) -> tuple[str, str]:
    """Call `_run_one` in a worker process, which ends with its parent and writes its progress to a file."""
    torch.set_num_threads(threads)
    last_written = 0.0

    def write_progress(name: str, done: int, total: int) -> None:
        nonlocal last_written
        if os.getppid() != parent:
            os._exit(1)  # end with a killed parent, or the next call would find another trainer
        if time.monotonic() - last_written > 1:
            last_written = time.monotonic()
            (training.run / "progress").write_text(json.dumps([done, total]))

    result = _run_one(training, rows, write_progress)
    (training.run / "progress").unlink(missing_ok=True)
    return result


@contextmanager
def _watch_progress(runs: Sequence[Path], progress: ReproductionProgress | None) -> Iterator[None]:
    """Pass on the progress that the worker processes write to files."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            for run in runs:
                try:
                    done, total = json.loads((run / "progress").read_text())  # half written: ValueError
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
