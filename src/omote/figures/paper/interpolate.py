"""The interpolation strip, Figure 5 of the paper: from one expression to another with a fixed identity."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from omote.data.outputs import Faces
from omote.errors import OmoteError
from omote.figures.paper.on_photo import interpolate_on_photo
from omote.figures.paper.sheet import (
    CELL,
    GAP,
    GUTTER,
    MARGIN,
    ON_PHOTO,
    Model,
    Sheet,
    resize_faces,
    title_models,
)
from omote.figures.style import SMALL_HEIGHT
from omote.fonts import load_font

NO_IDENTITY = "no identity code, so the person changes too"
HINT = "identity of the source, expression code in equal steps"


def plot_interpolation(
    models: Sequence[Model],
    source_faces: Faces,
    target_faces: Faces,
    *,
    steps: int = 9,
    titles: Sequence[str] | None = None,
    credit: str | None = None,
    on_photo: bool = False,
) -> Image.Image:
    """Return the strip: source and target at the ends of the first row, below them one row per method.

    Args:
        models: as `omote.load` returns them; their sizes may differ.
        source_faces: (S, S, 3) uint8 RGB, or (P, S, S, 3) for P pairs below each other; S at least the largest size
            of a model.
        target_faces: the same number of faces.
        steps: faces per row, including both ends.
        titles: one per model; None for name and size, as in the paper.
        credit: the photographers, as a licence may require; shown below the strip.
        on_photo: change the source faces themselves, at their own size, instead of decoding faces; see
            `omote.figures.paper.on_photo`. The strip says so.
    Raises:
        OmoteError: If there is no model or no face, steps is below 2, or the faces are too small for a model;
            with `on_photo`, if a model has no identity code.
    """
    titles = title_models(models, titles)
    if steps < 2:
        raise OmoteError(f"steps is {steps}; an interpolation has at least 2, its ends")
    sources, targets = (faces[None] if faces.ndim == 3 else faces for faces in (source_faces, target_faces))
    if not len(sources) or len(sources) != len(targets):
        raise OmoteError(
            f"{len(sources)} source and {len(targets)} target faces were given; give pairs, at least one"
        )
    side = max(CELL, *(model.size for model in models), sources.shape[1] if on_photo else 0)
    columns = [MARGIN + c * (side + GUTTER) for c in range(steps)]
    sheet = Sheet(columns[-1] + side + MARGIN)

    for source, target in zip(sources, targets, strict=True):
        _place_ends(sheet, source, target, columns, side)
        for model, title in zip(models, titles, strict=True):
            if on_photo:
                strip, note = interpolate_on_photo(model, source, target, steps), ON_PHOTO
            else:
                first, last = resize_faces(model, np.stack([source, target]))
                strip = model.interpolate(first, last, steps)
                note = "" if model.has_identity else NO_IDENTITY
            sheet.heading(title, note)
            for face, x in zip(strip, columns, strict=True):
                sheet.face(face, x, side)
            sheet.y += side + GAP
        sheet.y += 2 * GAP
    sheet.y -= 3 * GAP
    return sheet.render(credit)


def _place_ends(sheet: Sheet, source: Faces, target: Faces, columns: list[int], side: int) -> None:
    """Place source and target with their names below, and an arrow with a hint between them."""
    sheet.face(source, columns[0], side)
    sheet.face(target, columns[-1], side)
    start, end, middle = columns[0] + side + 2 * GAP, columns[-1] - 2 * GAP, sheet.y + side // 2
    if len(columns) > 2:
        tip = (end, middle)
        sheet.lines += [(start, middle, *tip), (end - 9, middle - 6, *tip), (end - 9, middle + 6, *tip)]
        if load_font(SMALL_HEIGHT).getlength(HINT) < end - start:
            sheet.text(HINT, (start + end) // 2, middle - 14, anchor="ms")
    sheet.y += side + 6
    for name, x in (("source", columns[0]), ("target", columns[-1])):
        sheet.text(name, x + side // 2, sheet.y, anchor="ma")
    sheet.y += SMALL_HEIGHT + 2 * GAP
