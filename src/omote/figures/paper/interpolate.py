"""The interpolation strip, the paper's Figure 5: from one expression to another, the person staying."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from omote.errors import OmoteError
from omote.figures.picture import (
    CELL,
    GAP,
    GUTTER,
    MARGIN,
    MUTED,
    SMALL,
    Faces,
    Model,
    Sheet,
    faces_for,
    letters,
    titles_for,
)

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
) -> Image.Image:
    """Return the strip: source and target at the ends of the first row, below them one row a method.

    Args:
        models: what `omote.load` returns; of one size or several.
        source_faces: (S, S, 3) uint8 RGB, or (P, S, S, 3) for P pairs one below the other; S at least the
            largest size of a model.
        target_faces: as many.
        steps: faces in a row, the two ends included.
        titles: one a model; None for name and size, as in the paper.
        credit: whose photographs these are; the last lines of the picture.
    Raises:
        OmoteError: If there is no model or no face, fewer than 2 steps, or the faces are too small for a
            model.
    """
    titles = titles_for(models, titles)
    if steps < 2:
        raise OmoteError(f"steps is {steps}; an interpolation has at least 2, its ends")
    sources, targets = (faces[None] if faces.ndim == 3 else faces for faces in (source_faces, target_faces))
    if not len(sources) or len(sources) != len(targets):
        raise OmoteError(
            f"{len(sources)} source and {len(targets)} target faces were given; give pairs, at least one"
        )
    side = max(CELL, *(model.size for model in models))
    columns = [MARGIN + c * (side + GUTTER) for c in range(steps)]
    sheet = Sheet(columns[-1] + side + MARGIN)

    for source, target in zip(sources, targets, strict=True):
        _ends(sheet, source, target, columns, side)
        for model, title in zip(models, titles, strict=True):
            first, last = faces_for(model, np.stack([source, target]))
            made = model.interpolate(first, last, steps)
            sheet.heading(title, "" if model.has_identity else NO_IDENTITY)
            for face, x in zip(made, columns, strict=True):
                sheet.face(face, x, side)
            sheet.y += side + GAP
        sheet.y += 2 * GAP
    sheet.y -= 3 * GAP
    return sheet.drawn(credit)


def _ends(sheet: Sheet, source: Faces, target: Faces, columns: list[int], side: int) -> None:
    """Place source and target, their names below, and between them an arrow and what happens along it."""
    sheet.face(source, columns[0], side)
    sheet.face(target, columns[-1], side)
    start, end, middle = columns[0] + side + 2 * GAP, columns[-1] - 2 * GAP, sheet.y + side // 2
    if len(columns) > 2:
        tip = (end, middle)
        sheet.lines += [(start, middle, *tip), (end - 9, middle - 6, *tip), (end - 9, middle + 6, *tip)]
        if letters(SMALL).getlength(HINT) < end - start:
            sheet.text(HINT, (start + end) // 2, middle - 14, height=SMALL, colour=MUTED, anchor="ms")
    sheet.y += side + 6
    for name, x in (("source", columns[0]), ("target", columns[-1])):
        sheet.text(name, x + side // 2, sheet.y, height=SMALL, colour=MUTED, anchor="ma")
    sheet.y += SMALL + 2 * GAP
