"""A white board in inches that faces, words and charts are put on."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from omote.figures.picture import broken, letters
from omote.figures.space import DPI, PEOPLE_COLOURS, REST

INK, MUTED, GREY = "#24292f", "#656d76", "#afb6bf"
WIDTH = 12.0  # inches, of every board
EDGE = 0.35  # inches, left and right
LINE = 0.2  # inches, of small words
FRAME = 3  # pixels of a colour round a face


class Board:
    """A figure of `WIDTH` by `height` inches; x to the right and y down, from the upper left corner."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height), dpi=DPI)
        self.sheet = self.figure.add_axes((0, 0, 1, 1))
        self.sheet.set(xlim=(0, WIDTH), ylim=(height, 0))
        self.sheet.axis("off")
        self.faces: list[tuple[Image.Image, int, int]] = []

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes of this place and size, with no frame but what marks its values."""
        axes = self.figure.add_axes(
            (x / WIDTH, 1 - (y + height) / self.height, width / WIDTH, height / self.height)
        )
        axes.tick_params(colors=MUTED, labelsize=10, length=3)
        for spine in axes.spines.values():
            spine.set_color(REST)
        axes.spines[["top", "right"]].set_visible(False)
        axes.patch.set_alpha(0)
        return axes

    def text(self, x: float, y: float, text: str, size: float = 10.5, **look: Any) -> None:
        """Place words; (x, y) is their middle in height, and where they begin unless ``ha`` says otherwise."""
        look = {"color": INK, "va": "center", "parse_math": False, **look}
        self.sheet.text(x, y, text, fontsize=size, **look)

    def line(self, x: Sequence[float], y: Sequence[float], **look: Any) -> None:
        """Draw a thin line through points."""
        self.sheet.plot(x, y, **{"color": GREY, "linewidth": 0.8, **look})

    def face(
        self, face: NDArray[np.uint8], x: float, y: float, side: float, colour: str | None = None
    ) -> None:
        """Place a face with its upper left corner at (x, y), in a frame of a colour or none."""
        frame = 0 if colour is None else FRAME
        inside = round(side * DPI) - 2 * frame
        image = Image.fromarray(face).resize((inside, inside), Image.Resampling.LANCZOS)
        if colour is not None:
            image = ImageOps.expand(image, frame, colour)
        self.faces.append((image, round(x * DPI), round(y * DPI)))

    def drawn(self, credit: str | None = None) -> Image.Image:
        """Return the board as an RGB image, with the credit below it."""
        lines = broken(credit, (WIDTH - 2 * EDGE) * DPI, letters(16)) if credit else []
        canvas = FigureCanvasAgg(self.figure)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Glyph"
            )  # a letter of a file's name that the font lacks is a box
            canvas.draw()  # type: ignore[no-untyped-call]
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]
        for face, x, y in self.faces:
            image.paste(face, (x, y))
        return _below(image, lines)


def _below(image: Image.Image, lines: Sequence[str]) -> Image.Image:
    if not lines:
        return image
    taller = Image.new("RGB", (image.width, image.height + 24 * len(lines) + 18), "white")
    taller.paste(image)
    draw = ImageDraw.Draw(taller)
    for place, line in enumerate(lines):
        draw.text((EDGE * DPI, image.height + 24 * place), line, fill=MUTED, font=letters(16))
    return taller


def colour_of(group: int) -> str:
    """Return the colour of a group, grey from the ninth on."""
    return PEOPLE_COLOURS[group] if group < len(PEOPLE_COLOURS) else REST


def fitting(text: str, size: float, width: float) -> str:
    """Return the text, its middle left out where it is wider than `width` inches in letters of `size` points."""
    font = letters(round(size * DPI / 72))
    kept = len(text)
    while kept > 4 and font.getlength(_shortened(text, kept)) > width * DPI:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    return text if kept >= len(text) else f"{text[: kept // 3]}…{text[-(kept - kept // 3) :]}"


def clock(seconds: float) -> str:
    """Return a time: "0:07", "12:30", "1:02:03"; "0:07.5" where it is not whole."""
    whole = round(seconds * 10) / 10
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(int(minutes), 60)
    small = f"{rest:04.1f}" if rest % 1 else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{small}" if hours else f"{minutes}:{small}"


STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)


def mark_times(axes: Axes, low: float, high: float, in_seconds: bool = True, most: int = 12) -> None:
    """Let the x axis go from `low` to `high`, and mark times at whole steps of a clock; or numbers of frames."""
    high = high if high > low else low + 1
    axes.set_xlim(low, high)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if in_seconds:
        axes.xaxis.set_major_locator(
            MultipleLocator(next((s for s in STEPS if (high - low) / s <= most), 86400))
        )
        axes.xaxis.set_major_formatter(lambda seconds, _: clock(seconds))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(most, integer=True))
