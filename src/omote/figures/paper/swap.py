"""The swap grid, Figure 4 of the paper: one person's identity with another's expression, one block per method."""

from collections.abc import Sequence

from PIL import Image

from omote.data.outputs import Faces
from omote.errors import OmoteError
from omote.figures.paper.on_photo import swap_on_photos
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

NO_IDENTITY = "no identity code, so every column shows the expression code alone"


def plot_swap(
    models: Sequence[Model],
    identity_faces: Faces,
    expression_faces: Faces,
    *,
    titles: Sequence[str] | None = None,
    credit: str | None = None,
    on_photo: bool = False,
) -> Image.Image:
    """Return the grid: identity faces in the first row, expression faces in the left column, one block per method.

    Args:
        models: as `omote.load` returns them; their sizes may differ.
        identity_faces: (n, S, S, 3) uint8 RGB; S at least the largest size of a model. Smaller models get them reduced.
        expression_faces: (m, S, S, 3) likewise.
        titles: one per model; None for name and size, as in the paper.
        credit: the photographers, as a licence may require; shown below the grid.
        on_photo: change the identity faces themselves, at their own size, instead of decoding faces; see
            `omote.figures.paper.on_photo`. The grid says so.
    Raises:
        OmoteError: If there is no model or no face, or the faces are too small for a model; with `on_photo`, if a
            model has no identity code.
    """
    titles = title_models(models, titles)
    if not len(identity_faces) or not len(expression_faces):
        raise OmoteError("a swap needs at least one identity face and one expression face")
    side = max(CELL, *(model.size for model in models), identity_faces.shape[1] if on_photo else 0)
    columns = [MARGIN + side + GAP + c * (side + GUTTER) for c in range(len(identity_faces))]
    sheet = Sheet(columns[-1] + side + MARGIN)

    for text, y in (("identity →", side // 2), ("expression ↓", side - 6)):
        sheet.text(text, MARGIN + side - 2, sheet.y + y, anchor="rs")
    for face, x in zip(identity_faces, columns, strict=True):
        sheet.face(face, x, side)
    sheet.y += side + 2 * GAP

    for model, title in zip(models, titles, strict=True):
        if on_photo:
            swapped, note = swap_on_photos(model, identity_faces, expression_faces), ON_PHOTO
        else:
            swapped = model.swap(resize_faces(model, identity_faces), resize_faces(model, expression_faces))
            note = "" if model.has_identity else NO_IDENTITY
        sheet.heading(title, note)
        for expression_face, row in zip(expression_faces, swapped, strict=True):
            sheet.face(expression_face, MARGIN, side)
            for face, x in zip(row, columns, strict=True):
                sheet.face(face, x, side)
            sheet.y += side + GUTTER
        sheet.y += 2 * GAP - GUTTER
    sheet.y -= 2 * GAP
    return sheet.render(credit)
