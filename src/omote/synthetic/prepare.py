"""Face sets of drawn and of rendered faces: the public functions behind `omote prepare drawn` and `rendered`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from omote.data.build import Part, Progress, build_face_set
from omote.data.face_set import About, FaceSet


def prepare_drawn(
    to: str | Path,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FaceSet:
    """Return a face set of drawn faces, written to `to`; its true factors are further columns of `frames`.

    Args:
        workers: number of processes; None for one a core. The faces do not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (subjects done, subjects in all).
        options: fields of `omote.synthetic.drawn.DrawnOptions`: subjects, clips, frames, size, seed and others.
    Raises:
        OmoteError: If an option is out of range, or as `build_face_set`.
    """
    from omote.synthetic.drawn import DrawnOptions

    chosen = DrawnOptions(**options)
    about: dict[str, Any] = {
        "importer": "drawn",
        "options": asdict(chosen),
        "align": "none",
        "margin": 0.0,
        "licence": "Drawn by omote; no person is shown. Use the faces as you like.",
    }
    make = partial(_draw, options=chosen)
    return build_face_set(
        to,
        range(chosen.subjects),
        make,
        size=chosen.size,
        about=About.model_validate(about),
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _draw(index: int, options: Any) -> Iterator[Part]:
    from omote.synthetic.drawn import draw_subject

    yield Part(*draw_subject(options, index))


def prepare_rendered(
    model: str | Path,
    to: str | Path,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FaceSet:
    """Return a face set of rendered faces, written to `to`; its true factors are further columns of `frames`.

    Args:
        model: the ICT Face Model Light: its folder FaceXModel, or an .npz file; see `read_face_model`.
        workers: number of processes; None for one a core. The faces do not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (subjects done, subjects in all).
        options: fields of `omote.synthetic.rendered.RenderedOptions`: subjects, clips, frames or total, size, seed ...
    Raises:
        OmoteError: If an option is out of range, the model cannot be read, or as `build_face_set`.
    """
    from omote.synthetic.rendered import RenderedOptions, read_face_model

    chosen = RenderedOptions(**options)
    sha256 = read_face_model(model).sha256()
    about: dict[str, Any] = {
        "importer": "rendered",
        "options": {**asdict(chosen), "model_sha256": sha256},
        "align": "none",
        "margin": 0.0,
        "licence": (
            "Rendered by omote from the ICT Face Model Light (MIT licence, USC Institute for Creative Technologies); "
            "the people are random, no person is shown. Use the faces as you like."
        ),
    }
    return build_face_set(
        to,
        range(chosen.subjects),
        partial(_render, model=Path(model), sha256=sha256, options=chosen),
        size=chosen.size,
        about=About.model_validate(about),
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


@lru_cache(maxsize=1)
def _face_model(path: Path, sha256: str) -> Any:
    """Return the face model, read once a process; the digest tells another model in the same place."""
    from omote.synthetic.rendered import read_face_model

    return read_face_model(path)


def _render(index: int, model: Path, sha256: str, options: Any) -> Iterator[Part]:
    from omote.synthetic.rendered import render_subject

    yield Part(*render_subject(_face_model(model, sha256), options, index))
