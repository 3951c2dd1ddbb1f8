"""`omote demo`: draw faces, train two methods on them, and write a web page with scores and pictures.

Networks and epochs are small, so that it takes minutes on two cores; `omote train` has the paper's as defaults.
"""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from omote.cli.display import progress_bar, status, training_progress
from omote.data.face_set import FaceSet, open_face_set
from omote.data.parts import is_pending
from omote.errors import OmoteError
from omote.evaluation.evaluate import evaluate
from omote.evaluation.protocol import Scores
from omote.figures.code_map import plot_code_map
from omote.figures.page import Section, commands_section, picture_section, timings_section, write_page
from omote.figures.paper.examples import choose_examples, choose_pairs
from omote.figures.paper.interpolate import plot_interpolation
from omote.figures.paper.swap import plot_swap
from omote.figures.picture import render, save_picture
from omote.figures.scores import compare_methods, scores_section
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info
from omote.runs.trained import Trained, load
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import is_trained, train

FACES: dict[str, Any] = {"subjects": 40, "mixtures": 0, "frames": 6}
EPOCHS = {"proposed": 8, "omote": 8}  # of each of the first two stages
SETTINGS: dict[str, Any] = {
    "test_subjects": 8,
    "batch_size": 16,
    "options.width": 16,
    "options.learning_rate": 2e-3,
}
SWAP_ROWS = 5
INTRODUCTION = (
    "Both methods below were trained on the same drawn faces. They were told which faces show the same person, but "
    "nothing about expressions: they had to find out what changes in a face while the person stays the same.",
    "proposed is the paper's method (Kanou & Nagao). It learns an identity code first, then an expression code of "
    "what else a face needs. A discriminator judges the decoded faces, and an expression transferred to another "
    "person's face has to be read back as the same expression. omote, the default, leaves the discriminator out. "
    "Its expression code also has to recognise an altered picture among pictures of the same person, so it holds "
    "less of what they all share: the person.",
    "This demonstration takes minutes, with small networks and few faces. Its scores are not a result.",
)


def run_demo(to: Path) -> Path:
    """Draw faces, train and score the methods, write ``index.html`` and return its path.

    Face set and runs that an earlier demo completed in the same folder are reused.

    Raises:
        OmoteError: If ``to`` contains other files.
    """
    started = any((to / name).exists() for name in ("faces", "faces.partial"))
    if to.exists() and any(to.iterdir()) and not started:
        raise OmoteError(f"{to} has other files in it; name a new folder with --to")
    timings: dict[str, float] = {}
    face_set = _prepare(to / "faces", timings)
    runs = {method: _train(to / method, method, face_set, timings) for method in EPOCHS}
    scores: dict[str, Scores] = {}
    with _timer("scoring", timings), status("scoring"):
        for method, trained in runs.items():
            scores[method] = evaluate(trained, face_set)
            scores[method].save(to / method)
    with _timer("pictures", timings), status("drawing pictures"):
        pictures = _plot(to, face_set, list(runs.values()))
    return write_page(
        to / "index.html",
        title="omote: expression apart from identity, without emotion labels",
        introduction=INTRODUCTION,
        sections=[
            scores_section("Scores", compare_methods(scores)),
            *pictures,
            commands_section(_commands(to)),
            timings_section(timings),
        ],
    )


def _prepare(path: Path, timings: dict[str, float]) -> FaceSet:
    if path.exists() and not is_pending(path):
        face_set = open_face_set(path)
        if FACES.items() <= face_set.about.options.items():
            return face_set
    with _timer("drawing faces", timings), progress_bar("drawing faces") as progress:
        return prepare_drawn(path, progress=progress, overwrite=path.exists(), **FACES)


def _train(run: Path, method: str, face_set: FaceSet, timings: dict[str, float]) -> Trained:
    config = TrainConfig.read(None, {"method": method, "options.epochs": EPOCHS[method], **SETTINGS})
    outdated = False  # whether an earlier demo made the run with other settings
    if (run / "run.json").is_file():
        info = read_run_info(run)
        found = info.config.model_copy(update={"device": config.device, "precision": config.precision})
        outdated = found != config or info.face_set != face_set.about
        if not outdated and is_trained(run):
            return load(run)
    with _timer(f"training {method}", timings), training_progress(method) as progress:
        return train(face_set, run, config, progress=progress, overwrite=outdated)


def _plot(to: Path, face_set: FaceSet, runs: list[Trained]) -> list[Section]:
    held_out = runs[0].info.test_subjects
    examples = choose_examples(face_set, held_out, expressions=SWAP_ROWS)
    sources, targets = choose_pairs(face_set, held_out)
    faces = face_set.faces
    swap = plot_swap(runs, faces[examples.identity], faces[examples.expression])
    on_picture = plot_swap(runs, faces[examples.identity], faces[examples.expression], on_photo=True)
    strip = plot_interpolation(runs, faces[sources], faces[targets])
    frames = face_set.frames
    scored = frames["subject"].isin(held_out) & (frames["use"] != "train") & frames["expression"].notna()
    rows = np.flatnonzero(scored.to_numpy())
    code_map = render(
        plot_code_map(
            [run.represent(faces[rows])[0] for run in runs],
            frames["expression"].iloc[rows].tolist(),
            frames["subject"].iloc[rows].tolist(),
            titles=[run.name for run in runs],
        )
    )
    named = {"swap": swap, "swap_on_photo": on_picture, "interpolation": strip, "space": code_map}
    for name, image in named.items():
        save_picture(image, to / f"{name}.png")
    return [
        picture_section(
            "Swap on the picture itself", on_picture, "Each column is a person, each row an expression: a cell shows "
            "the expression on the left on the picture of the person above, which is moved and shaded as the decoded "
            "face would change. No method was trained on these people. (Not in the paper.)",
        ),
        picture_section(
            "Swap", swap, "The same swaps as the decoder draws them from the two codes, which blurs them. (The paper's "
            "Figure 4.)",
        ),
        picture_section(
            "Interpolation", strip, "The expression code changes in equal steps from that of the first face to that of "
            "the last; the person stays that of the first face. (The paper's Figure 5.)",
        ),
        picture_section(
            "Map of the expression codes", code_map, "The same codes twice, coloured by expression (left) and by "
            "person (right). Groups of one colour on the left show that the code separates expressions; on the right, "
            "that it separates people.",
        ),
    ]  # fmt: skip


def _commands(to: Path) -> list[str]:
    """Return the commands that give the same result step by step."""

    def quoted(*names: str) -> str:
        return " ".join(shlex.quote(str(to / name)) for name in names)

    drawn = " ".join(f"--{name} {value}" for name, value in FACES.items())
    settings = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    lines = [f"omote prepare drawn --to {quoted('faces')} {drawn}"]
    for method, epochs in EPOCHS.items():
        lines += [
            f"omote train {quoted('faces')} --to {quoted(method)} --method {method} --epochs {epochs} {settings}",
            f"omote evaluate {quoted(method, 'faces')}",
        ]
    chosen = f"{quoted(*EPOCHS)} --faces {quoted('faces')} --people test"
    return [
        *lines,
        f"omote swap {chosen} --expressions {SWAP_ROWS} --to {quoted('swap.png')}",
        f"omote swap {chosen} --expressions {SWAP_ROWS} --on-photo --to {quoted('swap_on_photo.png')}",
        f"omote interpolate {chosen} --to {quoted('interpolation.png')}",
    ]


@contextmanager
def _timer(what: str, timings: dict[str, float]) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    timings[what] = time.perf_counter() - begin
