"""Make the model that comes with omote, and score it on people whom it never saw.

    python benchmarks/pretrain.py FACE_MODEL LONDON --to WORK [--epochs 6] [--install]

FACE_MODEL is the ICT Face Model Light, as for `omote prepare rendered --model`; LONDON is the folder of the Face
Research Lab London Set with the photos NNN_03.jpg (neutral) and NNN_08.jpg (smiling). All faces are cut out by the
eyes.

First `omote` is trained on made faces alone, rendered and drawn people: WORK/made_run. From there it goes on with
London, of which 20 people are held out, and a few other made people: WORK/mixed_run. Last it goes on with the same
faces, of which each photograph counts eight times, so that photographs are nearly two fifths of them: WORK/shipped_run.
Scored are the 20, rendered and drawn strangers, all of London by the model that never saw it, and morphs of London
people from neutral to smiling and back: the rank correlation of the weight with the distance from the neutral photo's
code, median and least over people. WORK/scores.md has the table.

With --install, the last model replaces the one in src/omote/runs/shipped_model, in half precision, with axes fitted
to other rendered people, and the scores. A command that was stopped goes on where it was.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from scipy.stats import spearmanr

from axes import film_morph  # beside this file
from omote.boundary import read_json
from omote.data.combine import combine_face_sets
from omote.data.face_set import FaceSet, open_face_set
from omote.data.prepare import prepare
from omote.data.splits import split_subjects
from omote.evaluation.compare import score_run
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.features.fit_axes import fit_axes
from omote.files import write_json, write_text
from omote.runs.card import MARK, state_terms, write_card
from omote.runs.config import TrainConfig
from omote.runs.info import file_digest, write_tensors
from omote.runs.shipped import FOLDER
from omote.runs.trained import Trained, load
from omote.synthetic.prepare import prepare_drawn, prepare_rendered
from omote.training.loop import TrainingProgress, is_trained, train

HELD_OUT, SPLIT_SEED = 20, 0  # people of London, those of `omote train --config london`
# Copies of the photographs, as if of other people: the contrast never compares a photograph with its copy.
PHOTOS = ["london", *(f"london_{copy}" for copy in range(2, 9))]
# Made people; another seed makes others. Strangers are those of docs/results/methods.md.
RENDERED: dict[str, dict[str, Any]] = {
    "rendered_a": {"subjects": 320, "clips": 8, "mixtures": 8, "frames": 4, "wild": True, "seed": 0},
    "rendered_b": {"subjects": 320, "clips": 8, "mixtures": 8, "frames": 4, "wild": True, "seed": 2},
    "rendered_c": {"subjects": 48, "clips": 8, "mixtures": 0, "frames": 4, "wild": True, "seed": 3},
    "rendered_axes": {"subjects": 64, "clips": 4, "mixtures": 8, "frames": 4, "seed": 5},
    "rendered_strangers": {"subjects": 24, "clips": 8, "mixtures": 1, "frames": 6, "seed": 1},
}
DRAWN: dict[str, dict[str, Any]] = {
    "drawn": {"subjects": 100, "clips": 8, "mixtures": 2, "frames": 4, "seed": 2},
    "drawn_c": {"subjects": 20, "clips": 8, "mixtures": 0, "frames": 4, "seed": 3},
    "drawn_strangers": {"subjects": 24, "clips": 8, "mixtures": 1, "frames": 6, "seed": 1},
}
SETTINGS: dict[str, Any] = {
    "batch_size": 32,
    "seed": 0,
    "options.width": 16,
    "options.contrast_weight": 1000.0,
}
MADE = {
    "options.epochs": 6,
    "options.learning_rate": 1e-3,
    "learning_rate_decay": 0.68,
    "options.relative": 0,  # the next training begins with the first two stages
}
MIXED = {
    "options.epochs": 80,
    "options.learning_rate": 5e-4,
    "learning_rate_decay": 0.97,
}
SHIPPED = {
    "options.epochs": 24,
    "options.learning_rate": 5e-4,
    "learning_rate_decay": 0.92,
}
LEFT_OUT = ("eyes wide",)  # axes that pass the floor but say nothing of made videos (docs/results/shipped.md)
SHOWN = {  # score -> column
    "accuracy": "clusters",
    "expression_probe": "probe",
    ACROSS_EXPRESSIONS: "person named",
    "r2_au": "R² of action units",
}


def faces_of(name: str, work: Path, make: Callable[..., FaceSet], **options: Any) -> FaceSet:
    """Return a face set in the folder WORK, made if it is not there."""
    folder = work / name
    if not folder.is_dir():
        make(to=folder, progress=lambda done, whole: say(f"{name}: {done} of {whole}", end="\r"), **options)
    return open_face_set(folder)


def make_faces(face_model: Path, london: Path, work: Path) -> dict[str, FaceSet]:
    """Return all face sets by name."""
    found = {
        name: faces_of(name, work, prepare_rendered, model=face_model, align="eyes", **options)
        for name, options in RENDERED.items()
    }
    found |= {
        name: faces_of(name, work, prepare_drawn, align="eyes", **options) for name, options in DRAWN.items()
    }
    mapping = {"03": "neutral", "08": "smiling"}
    found["london"] = faces_of(
        "london", work, prepare, path=london, pattern="{subject}_{expression}.jpg", map_expression=mapping,
        align="eyes", dataset="london", licence="CC BY 4.0: DeBruine & Jones, Face Research Lab London Set (2017)",
    )  # fmt: skip
    parts = {
        "made": ["rendered_a", "rendered_b", "drawn"],
        "mixed": ["rendered_c", "drawn_c", "london"],
        "mixed_with_copies": ["rendered_c", "drawn_c", *PHOTOS],
    }
    for name, names in parts.items():
        face_sets = [found["london" if each in PHOTOS else each] for each in names]
        found[name] = faces_of(name, work, combine_face_sets, face_sets=face_sets, names=names)
    return found


def train_one(faces: FaceSet, run: Path, changes: dict[str, Any], start: Path | None = None) -> Trained:
    """Return the run, trained if it is not."""
    began, last = time.monotonic(), 0.0

    def report(now: TrainingProgress) -> None:
        nonlocal last
        if time.monotonic() - last > 30:
            last = time.monotonic()
            say(
                f"{run.name}: stage {now.stage}, epoch {now.epoch} of {now.num_epochs}, step {now.step} of "
                f"{now.num_steps}, {(last - began) / 60:.0f} min"
            )

    if is_trained(run):
        return load(run)
    return train(faces, run, TrainConfig.read(None, {**SETTINGS, **changes}), start=start, progress=report)


def score_all(runs: dict[str, Trained], faces: dict[str, FaceSet], held_out: list[str]) -> pd.DataFrame:
    """Return the scores of each run on people whom it did not see, one row a run and face set."""
    london = faces["london"]
    parts = {"London, held out": (london, held_out), "London, all": (london, london.subjects)}
    for kind in ("rendered", "drawn"):
        strangers = faces[f"{kind}_strangers"]
        parts[f"{kind} strangers"] = (strangers, strangers.subjects)
    rows = []
    for name, run in runs.items():
        for title, (face_set, unseen) in parts.items():
            if title == "London, all" and name != "made":
                continue
            found = score_run(run, face_set, unseen)
            for centred, scores in found[found["people"] == "test"].groupby("centred"):
                values = scores.set_index("score")["value"]
                less = ", less each person's mean" if centred else ""
                rows.append(
                    {"model": name, "people": title + less, **{SHOWN[key]: values.get(key) for key in SHOWN}}
                )
    return pd.DataFrame(rows)


def score_morphs(trained: Trained, london: Path, people: list[str]) -> tuple[float, float]:
    """Return the median and the least rank correlation of the weights of morphs with the distance from neutral."""
    found = []
    for person in people:
        faces, weights = film_morph(london, person, trained)
        codes = trained.represent(faces)[0]
        found.append(float(spearmanr(np.linalg.norm(codes - codes[0], axis=1), weights).statistic))
    return float(np.median(found)), min(found)


def to_markdown(table: pd.DataFrame) -> str:
    """Return the scores as a table; all but R² in per cent."""
    lines = [f"| {' | '.join(table.columns)} |", "|" + " --- |" * len(table.columns)]
    for row in table.to_dict("records"):
        cells = [
            value
            if isinstance(value, str)
            else "–"
            if value is None or np.isnan(value)
            else f"{value:.2f}"
            if "R²" in str(column)
            else f"{100 * value:.1f}"
            for column, value in row.items()
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def without_copies(trained: Trained, faces: FaceSet) -> Trained:
    """Return the model, described as trained on ``faces``, the same face set with each photograph once."""
    info = trained.info
    trained_on, held_out = (
        [subject for subject in subjects if subject in faces.subjects]
        for subjects in (info.train_subjects, info.test_subjects)
    )
    config = info.config.model_copy(update={"test_subjects": tuple(held_out)})
    info = info._replace(
        config=config, train_subjects=trained_on, test_subjects=held_out, face_set=faces.about
    )
    return replace(trained, info=info)


def install(trained: Trained, to_fit: FaceSet, scores: str) -> None:
    """Put the model into the package: weights in half precision, axes, and a card that names the people of London."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    trained.save_pretrained(FOLDER, names=True)
    weights = FOLDER / "model.safetensors"
    half = {
        name: tensor.half() if tensor.dtype == torch.float32 else tensor
        for name, tensor in load_file(weights).items()
    }
    write_tensors(weights, half)
    write_json(
        FOLDER / "config.json", read_json(FOLDER / "config.json") | {"weights_sha256": file_digest(weights)}
    )
    write_card(FOLDER)
    state_terms(FOLDER, "cc-by-4.0", [])
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    write_text(FOLDER / "README.md", card.replace(MARK, _describe(trained, scores)))
    axes = fit_axes(load(FOLDER), to_fit).axes
    kept = [axis for axis in axes.axes if axis.name not in LEFT_OUT]
    axes.model_copy(update={"axes": kept}).save(FOLDER / "axes.json")


def _describe(trained: Trained, scores: str) -> str:
    """Return what the card of the model in the package says beyond that of a run."""
    trained_on, held_out = (
        ", ".join(name.removeprefix("london/") for name in names if name.startswith("london/"))
        for names in (trained.info.train_subjects, trained.info.test_subjects)
    )
    return (
        "## This model\n\n"
        "It comes with omote and is used where no run is named. `benchmarks/pretrain.py` trained it, first on rendered "
        "and drawn people, then on photographs too: DeBruine, L. & Jones, B. (2017), Face Research Lab London Set, doi "
        "10.6084/m9.figshare.5047666.v5, CC BY 4.0. The rendered people were made with the ICT Face Model Light (MIT)."
        "\n\n"
        f"Each photograph counts {len(PHOTOS)} times among the frames of the last training. People of the London Set "
        f"it was trained on, by number: {trained_on}.\n\nHeld out: {held_out}.\n\n"
        f"## Scores on people it never saw\n\n`made` is the model before it saw photographs.\n\n{scores}"
    )


def say(text: str, end: str = "\n") -> None:
    print(text, file=sys.stderr, flush=True, end=end)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("face_model", type=Path)
    parser.add_argument("london", type=Path)
    parser.add_argument("--to", type=Path, required=True, metavar="WORK")
    parser.add_argument("--epochs", type=int, default=MADE["options.epochs"], help="on made faces")
    parser.add_argument("--install", action="store_true", help="replace the model in the package")
    given = parser.parse_args()
    work = given.to
    work.mkdir(parents=True, exist_ok=True)
    faces = make_faces(given.face_model, given.london, work)
    held_out = split_subjects(faces["london"].frames, HELD_OUT, SPLIT_SEED)[1]
    made = train_one(faces["made"], work / "made_run", {**MADE, "options.epochs": given.epochs})
    mixed, copied = faces["mixed"], faces["mixed_with_copies"]
    tested = [f"london/{subject}" for subject in held_out]
    train_one(mixed, work / "mixed_run", {**MIXED, "test_subjects": tested}, start=work / "made_run")
    tested = [f"{copy}/{subject}" for copy in PHOTOS for subject in held_out]
    changes = {**SHIPPED, "test_subjects": tested}
    shipped = train_one(copied, work / "shipped_run", changes, start=work / "mixed_run")
    scores = score_all({"made": made, "shipped": shipped}, faces, held_out)
    lines = [to_markdown(scores)]
    for name, run, people in (("made", made, faces["london"].subjects), ("shipped", shipped, held_out)):
        middle, least = score_morphs(run, given.london, people)
        lines.append(
            f"Morphs of {len(people)} London people, `{name}`: rank correlation {middle:.3f}, least {least:.3f}."
        )
    write_text(work / "scores.md", "\n".join(lines) + "\n")
    print("\n".join(lines))
    if given.install:
        install(without_copies(shipped, mixed), faces["rendered_axes"], "\n".join(lines))


if __name__ == "__main__":
    main()
