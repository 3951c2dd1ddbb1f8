"""Layout of the face grids: the models they need, and the sheet that faces and text are placed on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from PIL import Image, ImageDraw

from omote.data.outputs import Faces, Floats
from omote.errors import OmoteError
from omote.features.reader import Reader
from omote.figures.picture import wrap_text
from omote.figures.style import MUTED, SHEET_INK, SMALL_HEIGHT, TEXT_HEIGHT
from omote.fonts import load_font

CELL = 128  # minimum side of a face in the picture, pixels
GUTTER = 4  # between faces
GAP = 12  # between given and generated faces
MARGIN = 20
ON_PHOTO = "on the photo: its pixels are moved and shaded as the decoded face changes, averaged over the people shown"


class Model(Protocol):
    """A trained method as the pictures use it: arrays in, arrays out. `omote.load` returns one."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def has_identity(self) -> bool: ...
    def swap(self, identity_faces: Faces, expression_faces: Faces) -> Faces: ...
    def interpolate(self, source: Faces, target: Faces, steps: int) -> Faces: ...
    def represent(self, faces: Faces) -> tuple[Floats, Floats]: ...
    def identify(self, faces: Faces) -> tuple[Floats, Floats]: ...
    def decode_coarse(self, z_i: Floats, z_e: Floats) -> Faces: ...


def resize_faces(model: Model | Reader, faces: Faces) -> Faces:
    """Return the faces at the model's input size, so that one picture can show models of several sizes.

    Args:
        faces: (N, S, S, 3) uint8 RGB, S no smaller than the model's size.
    Raises:
        OmoteError: If the array has another shape or type, or S is too small.
    """
    faces = np.asarray(faces)
    if faces.ndim != 4 or faces.shape[1] != faces.shape[2] or faces.shape[3] != 3 or faces.dtype != np.uint8:
        raise OmoteError(
            f"faces of shape {faces.shape} and type {faces.dtype} were given, expected (N, S, S, 3) uint8"
        )
    if faces.shape[1] < model.size:
        raise OmoteError(
            f"{model.name} reads faces of {model.size} px, but these have {faces.shape[1]} px. "
            f"Prepare them with --size {model.size}."
        )
    if faces.shape[1] == model.size or not len(faces):
        return faces
    size = (model.size, model.size)
    return np.stack([np.asarray(Image.fromarray(face).resize(size, Image.Resampling.BOX)) for face in faces])


def title_models(models: Sequence[Model], titles: Sequence[str] | None) -> list[str]:
    """Return one title per model: the given ones, or name and size as in the paper: "conventional (64)".

    Raises:
        OmoteError: If there is no model, or the number of titles differs.
    """
    if not models:
        raise OmoteError("there is no model to show; give at least one run")
    if titles is None:
        return [f"{model.name} ({model.size})" for model in models]
    if len(titles) != len(models):
        raise OmoteError(f"{len(titles)} titles were given for {len(models)} models; give one each, or none")
    return list(titles)


@dataclass
class Sheet:
    """A white sheet that grows downwards; the next item is placed at `y`."""

    width: int
    y: int = MARGIN
    images: list[tuple[Image.Image, int, int]] = field(default_factory=list)
    texts: list[tuple[str, int, int, int, bool, str, str]] = field(default_factory=list)
    lines: list[tuple[int, int, int, int]] = field(default_factory=list)

    def face(self, face: Faces, x: int, side: int) -> None:
        """Place one face (S, S, 3), enlarged to `side` pixels, with its top at `y`."""
        image = Image.fromarray(face)
        if image.width != side:
            image = image.resize((side, side), Image.Resampling.LANCZOS)
        self.images.append((image, x, self.y))

    def text(
        self,
        text: str,
        x: int,
        y: int,
        *,
        height: int = SMALL_HEIGHT,
        bold: bool = False,
        colour: str = MUTED,
        anchor: Literal["la", "ma", "ms", "rs"] = "la",
    ) -> None:
        """Place one line of text; `anchor` says which point of it lies at (x, y), as in Pillow."""
        self.texts.append((text, x, y, height, bold, colour, anchor))

    def paragraph(
        self, text: str, *, height: int = SMALL_HEIGHT, bold: bool = False, colour: str = MUTED
    ) -> None:
        """Place text at the left margin, wrapped to the width, and move `y` below it."""
        for line in wrap_text(text, self.width - 2 * MARGIN, load_font(height, bold)):
            self.text(line, MARGIN, self.y, height=height, bold=bold, colour=colour)
            self.y += round(height * 1.45)

    def heading(self, title: str, note: str = "") -> None:
        """Place a bold title with a note after it, or below it where the line is full; move `y` below both."""
        used = MARGIN + load_font(TEXT_HEIGHT, True).getlength(title) + 14
        fits = used + load_font(SMALL_HEIGHT).getlength(note) <= self.width - MARGIN
        if note and fits:
            self.text(note, round(used), self.y + TEXT_HEIGHT - SMALL_HEIGHT)
        self.paragraph(title, height=TEXT_HEIGHT, bold=True, colour=SHEET_INK)
        if note and not fits:
            self.paragraph(note)
        self.y += 4

    def render(self, credit: str | None = None) -> Image.Image:
        """Return the sheet as an RGB image, cropped below its content, with the credit as its last lines."""
        if credit:
            self.y += GAP
            self.paragraph(credit)
        image = Image.new("RGB", (self.width, self.y + MARGIN), "white")
        draw = ImageDraw.Draw(image)
        for part, x, y in self.images:
            image.paste(part, (x, y))
        for line in self.lines:
            draw.line(line, fill=MUTED, width=2)
        for text, x, y, height, bold, colour, anchor in self.texts:
            draw.text((x, y), text, fill=colour, font=load_font(height, bold), anchor=anchor)
        return image
