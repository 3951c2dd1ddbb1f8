"""Outside judges of swapped images: pictures for any tool to look at, and a table of what it saw in them.

A run that reads the swaps of another is of the same family, and may be wrong in the same way. `write_swaps` writes the
swapped images and the real ones, any judge answers in a table with one row an image, and `score_swaps_by_table` scores
the swaps by these answers as `omote.evaluation.swaps` does by the codes of a run.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes
from omote.evaluation.swaps import (
    EXPRESSION_SCORES,
    IDENTITY_SCORES,
    Numbers,
    choose_swaps,
    decode_swaps,
    swap_scores,
    why_no_swaps,
)
from omote.features.table import read_table
from omote.files import move, remove, staged
from omote.formulas import write_csv
from omote.metrics.score import Array, PerRowResults, join_reasons, no_results
from omote.runs.trained import Trained

INDEX = "images.csv"


class JudgeTable(NamedTuple):
    """What a judge saw in images, in the order of the table's rows."""

    path: Path
    images: pd.Index  # (N,) their names
    answers: Codes  # (N, D) each, nan where there is no answer; of width 0 without a column


def write_swaps(
    runs: Sequence[Trained],
    faces: FaceSet,
    groups: Sequence[Array],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the swaps of each run and the real images as PNG files, with `images.csv`, and return their number.

    `images.csv` has one row an image: image (the name in the folder), subject and expression, those of the person for a
    real image, and those the image should show for a swap. A judge copies the column image and adds its answers
    (`read_judge_table`).

    Args:
        groups: row numbers of the frames of people held out, and of people of the training; swaps stay within each.
        folder: new, or empty.
        progress: called with (groups done, groups in all).
    Raises:
        OmoteError: If the folder holds anything, cannot be written, or no run can swap.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OmoteError(f"{folder} is not empty; name a new folder for the images")
    if all(reasons := [why_no_swaps(run) for run in runs]):
        raise OmoteError(f"{runs[0].path} makes no swapped images: {reasons[0]}")
    rows_written: list[tuple[str, str, str | None]] = []
    with staged(folder, "is writing swapped images") as stage:

        def add(name: str, face: Array, who: int, what: int) -> None:
            path = stage / name
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(face).save(path)
            rows_written.append((name, frames["subject"].iloc[who], frames["expression"].iloc[what]))

        frames = faces.frames
        able = {
            run.model: run for run in runs if not why_no_swaps(run)
        }.values()  # a copy has the same images
        for number, rows in enumerate(groups):
            for name, row in zip(_real_names(faces, rows), rows, strict=True):
                add(name, faces.faces[row], row, row)
            sources, targets = (rows[chosen] for chosen in choose_swaps(frames.iloc[rows]))
            for run in able:
                images = decode_swaps(run, faces, sources, targets)
                for name, face, source, target in zip(
                    _swap_names(run, sources, targets), images, sources, targets, strict=True
                ):
                    add(name, face, target, source)
            if progress:
                progress(number + 1, len(groups))
        index = pd.DataFrame(rows_written, columns=["image", "subject", "expression"])
        (stage / INDEX).write_text(write_csv(index), encoding="utf-8")
        remove(folder)
        move(stage, folder)
    return len(index)


def read_judge_table(path: str | Path) -> JudgeTable:
    """Return a judge's answers.

    The table (.csv or .parquet) has one row an image: `image`, as in `images.csv`, and one or both of

    - who it is: a name in the column `identity`, or numbers in the columns `identity_0`, `identity_1` ...;
    - what the face shows: a name in the column `expression`, or numbers in the columns `expression_0` ....

    Numbers are a vector of any length and scale. Names need not be those of the face set: they count as a vector with a
    1 for the name that was given. Cells are empty where the judge gives no answer.

    Raises:
        OmoteError: If the table cannot be read, has no column image or neither of the others, names an image twice, or
            gives names where numbers are expected, or both.
    """
    path = Path(path)
    table = read_table(path, types=dict.fromkeys(("image", *Codes._fields), str))
    if "image" not in table or table["image"].isna().any():
        raise OmoteError(f"{path} needs a column image without gaps, with the names in {INDEX}")
    if (twice := table["image"][table["image"].duplicated()]).size:
        raise OmoteError(f"{path} has the image {twice.iloc[0]} twice; give one answer an image")
    answers = Codes(*(_read_answers(path, table, code) for code in Codes._fields))
    if not sum(code.shape[1] for code in answers):
        raise OmoteError(
            f"{path} has no answers: it needs a column identity or expression, or columns such as identity_0. It has "
            f"{', '.join(map(str, table.columns[:8]))}"
        )
    return JudgeTable(path, pd.Index(table["image"]), answers)


def score_swaps_by_table(
    trained: Trained, table: JudgeTable, faces: FaceSet, rows: Array, *, count: int = 600
) -> tuple[dict[str, PerRowResults], Array]:
    """Return `omote.evaluation.swaps.SWAP_SCORES` by a judge's table, and the subjects of source and target, (P, 2).

    Where the judge has no answer to a swapped image, nothing was read back: this counts as 0. Swaps without an answer
    to the real image of source or target are left out. The reasons say how many there are.

    Args:
        rows: (N,) row numbers of the frames to choose swaps among, as for `write_swaps`.
    Raises:
        OmoteError: If the table lacks an image: it was made of another run, other faces or other people.
    """
    frames = faces.frames.iloc[rows]
    sources, targets = choose_swaps(frames, count=count)
    people = frames["subject"].to_numpy(dtype=object).astype(str)[np.stack([sources, targets], axis=1)]
    if reason := why_no_swaps(trained):
        return dict.fromkeys(EXPRESSION_SCORES + IDENTITY_SCORES, no_results(len(sources), reason)), people
    real = _look_up(table, _real_names(faces, rows))
    swapped = _look_up(table, _swap_names(trained, rows[sources], rows[targets]))
    scores: dict[str, PerRowResults] = {}
    for code, names in (("expression", EXPRESSION_SCORES), ("identity", IDENTITY_SCORES)):
        given, made = getattr(real, code), getattr(swapped, code)
        if given.shape[1]:
            scores |= _score_answered(code, given, made, frames, sources, targets, names)
        else:
            reason = f"{table.path.name} has no answers of {code}"
            scores |= dict.fromkeys(names, no_results(len(sources), reason))
    return scores, people


def _score_answered(
    code: str,
    real: Array,
    swapped: Array,
    frames: pd.DataFrame,
    sources: Numbers,
    targets: Numbers,
    names: Sequence[str],
) -> dict[str, PerRowResults]:
    """Return the scores of one code, where some answers are missing."""
    answered, seen = (np.atleast_1d(np.isfinite(each).all(axis=1)) for each in (real, swapped))
    asked = answered[sources] & answered[targets]
    known, number = real[answered], np.cumsum(answered) - 1
    # any vector stands for an image without an answer, as its results are replaced below
    filled = np.where(seen[asked, None], swapped[asked], 0.0)
    nothing = np.zeros((len(known), 0)), np.zeros((len(filled), 0))
    given, made = (
        Codes(each, none) if code == "expression" else Codes(none, each)
        for each, none in zip((known, filled), nothing, strict=True)
    )
    found = swap_scores(given, made, frames.loc[answered], number[sources[asked]], number[targets[asked]])
    unseen, left_out = int((asked & ~seen).sum()), int((~asked).sum())
    note = join_reasons(
        f"the judge has no answer to {unseen} of {int(asked.sum())} swapped images, which count as not read back"
        if unseen
        else "",
        f"{left_out} swaps are left out, as the judge has no answer to their real images" if left_out else "",
    )
    scores = {}
    for name in names:
        values = np.full(len(sources), np.nan)
        values[asked] = found[name].values
        if not name.endswith("ceiling"):
            values[asked & ~seen & np.isfinite(values)] = 0.0
        scores[name] = PerRowResults(values, found[name].chance, join_reasons(found[name].reason, note))
    return scores


def _read_answers(path: Path, table: pd.DataFrame, code: str) -> Array:
    """Return (N, D) float64, nan in all columns of rows without an answer."""
    vector = [name for name in map(str, table.columns) if name.startswith(f"{code}_")]
    if code in table and vector:
        raise OmoteError(f"{path} has the columns {code} and {vector[0]}; give names or numbers, not both")
    if code in table:
        names = table[code].astype("string")
        values = np.array(pd.get_dummies(names), dtype=np.float64)
        values[names.isna()] = np.nan
        return values
    for name in vector:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise OmoteError(f"{path}: column {name} is not of numbers; names go into one column, {code}")
    values = np.array(table[vector].to_numpy(np.float64, na_value=np.nan))  # a copy, as pandas' is read-only
    values[~np.isfinite(values).all(axis=1)] = np.nan
    return values


def _look_up(table: JudgeTable, names: Sequence[str]) -> Codes:
    """Return the answers to images, in their order."""
    at = table.images.get_indexer(pd.Index(names, dtype=object))
    if missing := int((at < 0).sum()):
        raise OmoteError(
            f"{table.path} lacks {missing} of {len(names)} images, such as {names[int(np.argmin(at))]}. It needs a row "
            "for every image that `omote audit --write-swaps` writes of the same runs, faces and people, with empty "
            "cells where the judge sees no face"
        )
    return Codes(*(code[at] for code in table.answers))


def _real_names(faces: FaceSet, rows: Array) -> list[str]:
    about = json.dumps(faces.about.to_json(), sort_keys=True).encode()
    folder = f"real-{hashlib.sha256(about).hexdigest()[:8]}"
    return [f"{folder}/{row:06d}.png" for row in rows]


def _swap_names(trained: Trained, sources: Array, targets: Array) -> list[str]:
    """Return names that hold the model's id, so that answers to other images are not taken for these."""
    pairs = zip(sources, targets, strict=True)
    return [f"{trained.model}/{source:06d}_on_{target:06d}.png" for source, target in pairs]
