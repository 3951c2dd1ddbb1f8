"""What the pictures of faces share: the model they ask, the sheet they are laid out on, the file they become.

The letters are DejaVu Sans, which comes with matplotlib: nothing has to be installed, and nothing else of
matplotlib is used here.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from omote.errors import OmoteError

Faces = NDArray[np.uint8]  # (N, S, S, 3) RGB

PAPER = (255, 255, 255)
INK = (31, 35, 40)
MUTED = (101, 109, 118)
CELL = 128  # least side of a face in the picture, pixels
GUTTER = 4  # between faces
GAP = 12  # between what was given and what was made
MARGIN = 20
TEXT = 19  # letter heights, pixels
SMALL = 16


class Model(Protocol):
    """What a picture asks of a trained method: arrays in, arrays out. `omote.load` returns one."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def has_identity(self) -> bool: ...
    def swap(self, identity_faces: Faces, expression_faces: Faces) -> Faces: ...
    def interpolate(self, source: Faces, target: Faces, steps: int) -> Faces: ...


def save_picture(image: Image.Image, path: str | Path) -> Path:
    """Write a PNG file beside `path`, rename it into place and return `path`; its folder is made if missing.

    Raises:
        OmoteError: If the name does not end in .png.
    """
    path = check_picture_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    image.save(beside, format="PNG", optimize=True)
    os.replace(beside, path)
    return path


def check_picture_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if its name does not end in .png."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise OmoteError(
            f"the picture {path} ends in {path.suffix or 'nothing'!r}; give a name that ends in .png"
        )
    return path


def faces_for(model: Model, faces: Faces) -> Faces:
    """Return the faces in the size that the model reads, so that one picture can show models of several
    sizes.

    Args:
        faces: (N, S, S, 3) uint8 RGB, S no smaller than the model's size.
    Raises:
        OmoteError: If they are no faces, or too small for the model.
    """
    faces = np.asarray(faces)
    if faces.ndim != 4 or faces.shape[1] != faces.shape[2] or faces.shape[3] != 3 or faces.dtype != np.uint8:
        raise OmoteError(
            f"faces of shape {faces.shape} and type {faces.dtype} were given, expected (N, S, S, 3) uint8"
        )
    if faces.shape[1] < model.size:
        raise OmoteError(
            f"{model.name} reads faces of {model.size} px and these have {faces.shape[1]}. "
            f"Prepare them with --size {model.size}."
        )
    if faces.shape[1] == model.size or not len(faces):
        return faces
    size = (model.size, model.size)
    return np.stack([np.asarray(Image.fromarray(face).resize(size, Image.Resampling.BOX)) for face in faces])


def titles_for(models: Sequence[Model], titles: Sequence[str] | None) -> list[str]:
    """Return a title a model: those given, or name and size as in the paper: "conventional (64)".

    Raises:
        OmoteError: If there is no model, or another number of titles.
    """
    if not models:
        raise OmoteError("there is no model to show; give at least one run")
    if titles is None:
        return [f"{model.name} ({model.size})" for model in models]
    if len(titles) != len(models):
        raise OmoteError(
            f"{len(titles)} titles were given for {len(models)} models; give one a model, or none"
        )
    return list(titles)


@lru_cache(maxsize=8)
def letters(height: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans with letters of `height` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), height)


@dataclass
class Sheet:
    """A white sheet that grows downwards; `y` is where the next thing goes."""

    width: int
    y: int = MARGIN
    images: list[tuple[Image.Image, int, int]] = field(default_factory=list)
    texts: list[tuple[str, int, int, int, bool, tuple[int, int, int], str]] = field(default_factory=list)
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
        height: int = TEXT,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
        anchor: Literal["la", "ma", "ms", "rs"] = "la",
    ) -> None:
        """Place one line of text; `anchor` as in Pillow: which point of the text (x, y) is."""
        self.texts.append((text, x, y, height, bold, colour, anchor))

    def paragraph(
        self, text: str, *, height: int = SMALL, bold: bool = False, colour: tuple[int, int, int]
    ) -> None:
        """Place text at the left margin, broken into lines that fit, and move `y` below it."""
        for line in broken(text, self.width - 2 * MARGIN, letters(height, bold)):
            self.text(line, MARGIN, self.y, height=height, bold=bold, colour=colour)
            self.y += round(height * 1.45)

    def heading(self, title: str, note: str = "") -> None:
        """Place a title in bold and a note behind it, below where it does not fit; move `y` below them."""
        used = MARGIN + letters(TEXT, True).getlength(title) + 14
        fits = used + letters(SMALL).getlength(note) <= self.width - MARGIN
        if note and fits:
            self.text(note, round(used), self.y + TEXT - SMALL, height=SMALL, colour=MUTED)
        self.paragraph(title, height=TEXT, bold=True, colour=INK)
        if note and not fits:
            self.paragraph(note, colour=MUTED)
        self.y += 4

    def drawn(self, credit: str | None = None) -> Image.Image:
        """Return the sheet as an RGB image, cut off below its content, with the credit as its last lines."""
        if credit:
            self.y += GAP
            self.paragraph(credit, colour=MUTED)
        image = Image.new("RGB", (self.width, self.y + MARGIN), PAPER)
        draw = ImageDraw.Draw(image)
        for part, x, y in self.images:
            image.paste(part, (x, y))
        for line in self.lines:
            draw.line(line, fill=MUTED, width=2)
        for text, x, y, height, bold, colour, anchor in self.texts:
            draw.text((x, y), text, fill=colour, font=letters(height, bold), anchor=anchor)
        return image


def broken(text: str, width: float, font: ImageFont.FreeTypeFont) -> list[str]:
    """Return the lines of `text`, each at most `width` pixels wide unless one word is wider."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
