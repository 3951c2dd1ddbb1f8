"""Face sets of drawn and of rendered faces: the functions behind `omote prepare drawn` and `omote prepare rendered`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from omote.data.build import FaceBatch, Progress, build_face_set
from omote.data.face_set import About, FaceSet
from omote.synthetic.drawn import DrawnOptions, draw_subject
from omote.synthetic.rendered import RenderedOptions, read_face_model, render_subject
from omote.synthetic.rendered.model import FaceModel


def prepare_drawn(
    to: str | Path,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FaceSet:
    """Return a face set of drawn faces, written to `to`, with their true factors as further columns of `frames`.

    Args:
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
        align="none",
        margin=0.0,
        licence="Drawn by omote; no person is shown. Use the faces as you like.",
    )
    return build_face_set(
        to,
        range(chosen.subjects),
        partial(_draw_parts, options=chosen),
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
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FaceSet:
    """Return a face set of rendered faces, written to `to`, with their true factors as further columns of `frames`.

    Args:
        model: the ICT Face Model Light: its folder FaceXModel, or an .npz file; see `read_face_model`.
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
        align="none",
        margin=0.0,
        licence=(
            "Rendered by omote from the ICT Face Model Light (MIT licence, USC Institute for Creative Technologies); "
            "the people are random, no person is shown. Use the faces as you like."
        ),
    )
    return build_face_set(
        to,
        range(chosen.subjects),
        partial(_render_parts, model=Path(model), sha256=sha256, options=chosen),
        size=chosen.size,
        about=about,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _draw_parts(index: int, options: DrawnOptions) -> Iterator[FaceBatch]:
    yield FaceBatch(*draw_subject(options, index))


def _render_parts(index: int, model: Path, sha256: str, options: RenderedOptions) -> Iterator[FaceBatch]:
    yield FaceBatch(*render_subject(_cached_face_model(model, sha256), options, index))


@lru_cache(maxsize=1)
def _cached_face_model(path: Path, sha256: str) -> FaceModel:
    """Return the face model, read once per process; `sha256` is a key only, as the file may have been replaced."""
    return read_face_model(path)
