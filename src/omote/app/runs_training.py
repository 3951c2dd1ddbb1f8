"""A training that is started on the tab "Runs": faces are prepared, and the page shows how far it is."""

import io
import os
import threading
import time
from pathlib import Path

from PIL import Image

from omote.app.folders import find_folder
from omote.app.jobs import Cancelled, Job, take_turn
from omote.app.pages import render
from omote.app.state import State
from omote.data.face_set import FaceSet, open_face_set
from omote.data.prepare import prepare
from omote.errors import OmoteError
from omote.figures.page import encode_picture
from omote.figures.picture import render as render_figure
from omote.figures.training import plot_terms
from omote.runs.config import TrainConfig
from omote.training.log import read_log
from omote.training.loop import TrainingProgress, check_folder, is_trained, train

EVERY = 5.0  # s between two readings of the log, at least


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
) -> str:
    read_at = 0.0

    def report(now: TrainingProgress) -> None:
        nonlocal read_at
        try:
            job.report(now.step, now.num_steps, f"stage {now.stage_number} of {now.num_stages} ({now.stage})")
        except Cancelled:
            raise KeyboardInterrupt from None  # the training stops with a checkpoint
        begins_epoch = (now.step - 1) % (now.num_steps // now.num_epochs) == 0
        if begins_epoch and time.monotonic() - read_at > EVERY:
            job.publish(draw_training(run, face_set))
            read_at = time.monotonic()

    with take_turn(turns):
        face_set = prepare_faces(job, folder, faces, size)
        job.report(0, 1, "starting")
        try:
            trained = train(face_set, run, config, progress=report)
        except KeyboardInterrupt:
            raise Cancelled from None
    people = f"{len(trained.info.train_subjects)} people, with {len(trained.info.test_subjects)} held out"
    return draw_training(run, face_set, done=f"Trained {trained.name} on {people}: {os.path.relpath(run)}")


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
