"""`omote demo`: the main job on drawn faces, from nothing to a page of scores and pictures.

Its settings are small, so that it ends in minutes on two cores; the paper's are the defaults of `omote train`.
"""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from omote.cli.display import console, counting, training
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.evaluation.evaluate import evaluate
from omote.evaluation.protocol import Scores
from omote.figures.page import Picture
from omote.figures.paper.examples import choose_examples, choose_pairs
from omote.figures.paper.interpolate import plot_interpolation
from omote.figures.paper.swap import plot_swap
from omote.figures.picture import save_picture
from omote.figures.report import comparison, write_report
from omote.figures.space import expression_map
from omote.runs.config import TrainConfig
from omote.runs.trained import Trained, load, read_run_info
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train

FACES: dict[str, Any] = {"subjects": 40, "mixtures": 0, "frames": 6}
# of each stage: vae has one, conventional and proposed two, omote three
EPOCHS = {"vae": 12, "conventional": 6, "proposed": 6, "omote": 6}
SETTINGS: dict[str, Any] = {
    "test_subjects": 8,
    "batch_size": 16,
    "options.width": 16,
    "options.learning_rate": 2e-3,
}

SWAP_ROWS = 5

INTRODUCTION = (
    "Each method below saw the same drawn faces, with nothing but a number for who each face is, and no word about "
    "expressions. It had to find by itself what changes in a face while the person stays the same.",
    "vae compresses every face into one code, and knows of nobody: its code is full of who the face is. conventional "
    "and proposed learn two codes, one of who it is and one of its expression; proposed adds a discriminator, and asks "
    "that an expression put on another person's face reads back as the same expression (Kanou & Nagao). omote, the "
    "default, asks something else of its expression code: to know an altered picture again among pictures of the same "
    "person; then it learns whose face it is, and to draw it with that expression.",
    "This is a demonstration in minutes, on a small network and few faces, not a result.",
)


def run_demo(to: Path) -> Path:
    """Draw faces, train the methods, score them and write ``index.html``; return its path.

    What an earlier, stopped demo has finished in the same folder is used again.

    Raises:
        OmoteError: If ``to`` has something else in it.
    """
    if (
        to.exists()
        and any(to.iterdir())
        and not (to / "faces").exists()
        and not (to / "faces.partial").exists()
    ):
        raise OmoteError(f"{to} has other files in it; name a new folder with --to")
    timings: dict[str, float] = {}
    face_set = _faces(to / "faces", timings)
    runs = {method: _trained(to / method, method, face_set, timings) for method in EPOCHS}
    scores: dict[str, Scores] = {}
    with _timed("scoring", timings), console.status("scoring"):
        for method, trained in runs.items():
            scores[method] = evaluate(trained, face_set)
            scores[method].save(to / method)
    with _timed("pictures", timings), console.status("drawing pictures"):
        pictures = _pictures(to, face_set, list(runs.values()))
    return write_report(
        to / "index.html",
        title="omote: expression apart from identity, without emotion labels",
        introduction=INTRODUCTION,
        table=comparison(scores),
        pictures=pictures,
        commands=_commands(to),
        timings=timings,
    )


def _faces(path: Path, timings: dict[str, float]) -> FaceSet:
    if path.exists():
        face_set = open_face_set(path)
        if FACES.items() <= face_set.about.options.items():
            return face_set
    with _timed("drawing faces", timings), counting("drawing faces") as progress:
        return prepare_drawn(path, progress=progress, overwrite=path.exists(), **FACES)


def _trained(run: Path, method: str, face_set: FaceSet, timings: dict[str, float]) -> Trained:
    config = TrainConfig.read(None, {"method": method, "options.epochs": EPOCHS[method], **SETTINGS})
    other = False  # whether an earlier demo with other settings left the run
    if run.exists():
        before = read_run_info(run)
        as_asked = before.config.model_copy(update={"device": config.device, "precision": config.precision})
        other = as_asked != config or before.face_set != face_set.about
        if not other and (run / "weights.safetensors").is_file():
            return load(run)
    with _timed(f"training {method}", timings), training(method) as progress:
        return train(face_set, run, config, progress=progress, overwrite=other)


def _pictures(to: Path, face_set: FaceSet, runs: list[Trained]) -> list[Picture]:
    held_out = runs[0].info.test_subjects
    examples = choose_examples(face_set, held_out, expressions=SWAP_ROWS)
    sources, targets = choose_pairs(face_set, held_out)
    faces = face_set.faces
    swap = plot_swap(runs, faces[examples.identity], faces[examples.expression])
    strip = plot_interpolation(runs, faces[sources], faces[targets])
    frames = face_set.frames
    scored = frames["subject"].isin(held_out) & (frames["use"] != "train") & frames["expression"].notna()
    rows = np.flatnonzero(scored.to_numpy())
    space = expression_map(
        [run.represent(faces[rows])[0] for run in runs],
        frames["expression"].iloc[rows].tolist(),
        frames["subject"].iloc[rows].tolist(),
        titles=[run.name for run in runs],
    )
    for name, image in (("swap", swap), ("interpolation", strip), ("space", space)):
        save_picture(image, to / f"{name}.png")
    return [
        Picture(
            "Swap", swap, "Columns are who, rows are which expression: each cell puts the expression at the left on "
            "the person above. All are people whom no method has seen. (The paper's Figure 4.)",
        ),
        Picture(
            "Interpolation", strip, "From the expression of the first face to that of the last in equal steps of the "
            "expression code; the person stays the first one. (The paper's Figure 5.)",
        ),
        Picture(
            "Map of the expression codes", space, "The same codes twice: coloured by expression, and by person. Where "
            "colours gather at the left, the code tells expressions; where they gather at the right, it tells people.",
        ),
    ]  # fmt: skip


def _commands(to: Path) -> list[str]:
    """Return what gives the same by hand."""

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
        f"omote interpolate {chosen} --to {quoted('interpolation.png')}",
    ]


@contextmanager
def _timed(what: str, timings: dict[str, float]) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    timings[what] = time.perf_counter() - begin
