"""The swap grid, the paper's Figure 4: one person's identity, another's expression, method below method."""

from collections.abc import Sequence

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
    titles_for,
)

NO_IDENTITY = "no identity code, so every column shows the expression code alone"


def plot_swap(
    models: Sequence[Model],
    identity_faces: Faces,
    expression_faces: Faces,
    *,
    titles: Sequence[str] | None = None,
    credit: str | None = None,
) -> Image.Image:
    """Return the grid: identity faces in the first row, expression faces in the left column, a block a
    method.

    Args:
        models: what `omote.load` returns; of one size or several.
        identity_faces: (n, S, S, 3) uint8 RGB; S at least the largest size of a model, smaller models see
            them reduced.
        expression_faces: (m, S, S, 3) likewise.
        titles: one a model; None for name and size, as in the paper.
        credit: whose photographs these are, as their licence may ask; the last lines of the picture.
    Raises:
        OmoteError: If there is no model or no face, or the faces are too small for a model.
    """
    titles = titles_for(models, titles)
    if not len(identity_faces) or not len(expression_faces):
        raise OmoteError("a swap needs at least one identity face and one expression face")
    side = max(CELL, *(model.size for model in models))
    columns = [MARGIN + side + GAP + c * (side + GUTTER) for c in range(len(identity_faces))]
    sheet = Sheet(columns[-1] + side + MARGIN)

    for text, y in (("identity →", side // 2), ("expression ↓", side - 6)):
        sheet.text(text, MARGIN + side - 2, sheet.y + y, height=SMALL, colour=MUTED, anchor="rs")
    for face, x in zip(identity_faces, columns, strict=True):
        sheet.face(face, x, side)
    sheet.y += side + 2 * GAP

    for model, title in zip(models, titles, strict=True):
        made = model.swap(faces_for(model, identity_faces), faces_for(model, expression_faces))
        sheet.heading(title, "" if model.has_identity else NO_IDENTITY)
        for expression_face, row in zip(expression_faces, made, strict=True):
            sheet.face(expression_face, MARGIN, side)
            for face, x in zip(row, columns, strict=True):
                sheet.face(face, x, side)
            sheet.y += side + GUTTER
        sheet.y += 2 * GAP - GUTTER
    sheet.y -= 2 * GAP
    return sheet.drawn(credit)
