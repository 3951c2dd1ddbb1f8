"""Face sets of drawn and of rendered faces: the functions behind `omote prepare drawn` and `omote prepare rendered`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.data.build import FaceBatch, Progress, build_face_set
from omote.data.cut import DEFAULT_MARGIN, Align, cut_out
from omote.data.detect import Face
from omote.data.face_set import BOX, LANDMARKS, About, FaceSet
from omote.synthetic.drawn import DrawnOptions, draw_subject
from omote.synthetic.rendered import RenderedOptions, read_face_model, render_subject
from omote.synthetic.rendered.model import FaceModel


def prepare_drawn(
    to: str | Path,
    *,
    align: Align = "none",
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FaceSet:
    """Return a face set of drawn faces, written to `to`, with their true factors as further columns of `frames`.

    Args:
        align: "none", or "eyes" to cut the faces out again by their true eyes, as photos are by detected ones. Boxes
            and landmarks are then, as for photos, positions in the picture before the cut.
        workers: number of processes; None for one per core. The faces do not depend on it.
        overwrite: replace a face set at `to`, once the new one is complete.
        progress: called with (subjects done, subjects in all).
        options: fields of `omote.synthetic.drawn.DrawnOptions`: subjects, clips, frames, size, seed and others.
    Raises:
        OmoteError: If an option is out of range, or as `build_face_set`.
    """
    chosen = DrawnOptions(**options)
    about = About(
        importer="drawn",
        options=asdict(chosen),
        align=align,
        margin=DEFAULT_MARGIN if align == "eyes" else 0.0,
        licence="Drawn by omote; no person is shown. Use the faces as you like.",
    )
    return build_face_set(
        to,
        range(chosen.subjects),
        partial(_draw_parts, options=chosen, align=align),
        size=chosen.size,
        about=about,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def prepare_rendered(
    model: str | Path,
    to: str | Path,
    *,
    align: Align = "none",
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FaceSet:
    """Return a face set of rendered faces, written to `to`, with their true factors as further columns of `frames`.

    Args:
        model: the ICT Face Model Light: its folder FaceXModel, or an .npz file; see `read_face_model`.
        align: as for `prepare_drawn`.
        workers: as for `prepare_drawn`.
        overwrite: as for `prepare_drawn`.
        progress: as for `prepare_drawn`.
        options: fields of `omote.synthetic.rendered.RenderedOptions`: subjects, clips, frames or total, size, seed ...
    Raises:
        OmoteError: If an option is out of range, the model cannot be read, or as `build_face_set`.
    """
    chosen = RenderedOptions(**options)
    sha256 = read_face_model(model).sha256()
    about = About(
        importer="rendered",
        options={**asdict(chosen), "model_sha256": sha256},
        align=align,
        margin=DEFAULT_MARGIN if align == "eyes" else 0.0,
        licence=(
            "Rendered by omote from the ICT Face Model Light (MIT licence, USC Institute for Creative Technologies); "
            "the people are random, no person is shown. Use the faces as you like."
        ),
    )
    return build_face_set(
        to,
        range(chosen.subjects),
        partial(_render_parts, model=Path(model), sha256=sha256, options=chosen, align=align),
        size=chosen.size,
        about=about,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _draw_parts(index: int, options: DrawnOptions, align: Align) -> Iterator[FaceBatch]:
    yield _cut_again(*draw_subject(options, index), align)


def _render_parts(
    index: int, model: Path, sha256: str, options: RenderedOptions, align: Align
) -> Iterator[FaceBatch]:
    yield _cut_again(*render_subject(_cached_face_model(model, sha256), options, index), align)


def _cut_again(faces: np.ndarray, frames: pd.DataFrame, align: Align) -> FaceBatch:
    """Return synthetic faces (n, S, S, 3) and their table, cut out by their true eyes if `align` is "eyes"."""
    if align == "eyes":
        boxes, landmarks = frames[list(BOX)].to_numpy(), frames[list(LANDMARKS)].to_numpy().reshape(-1, 5, 2)
        found = [Face(1.0, box, points) for box, points in zip(boxes, landmarks, strict=True)]
        cut = [
            cut_out(face, true, len(face), align, DEFAULT_MARGIN)
            for face, true in zip(faces, found, strict=True)
        ]
        faces = np.stack(cut)
    return FaceBatch(faces, frames)


@lru_cache(maxsize=1)
def _cached_face_model(path: Path, sha256: str) -> FaceModel:
    """Return the face model, read once per process; `sha256` is a key only, as the file may have been replaced."""
    return read_face_model(path)
