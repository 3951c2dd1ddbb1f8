"""A white figure, measured in inches, on which faces, text and charts are placed."""

import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from omote.figures.picture import render, wrap_text
from omote.figures.style import (
    DPI,
    GREY,
    INK,
    MUTED,
    PEOPLE_COLOURS,
    REST,
    SMALL_HEIGHT,
    TEXT,
    TICK,
)
from omote.fonts import load_font

WIDTH = 12.0  # of every figure
EDGE = 0.35  # left and right
LINE = 0.2  # of small text
FRAME = 3  # coloured frame around a face, pixels
CREDIT_LINE, CREDIT_MARGIN = 24, 18  # pixels
TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)  # s
DAY = 86400  # s


class FaceFigure:
    """A figure of `WIDTH` by `height` inches; x runs right and y down from the upper left corner."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height), dpi=DPI)
        self.background = self.figure.add_axes((0, 0, 1, 1))
        self.background.set(xlim=(0, WIDTH), ylim=(height, 0))
        self.background.axis("off")
        self.faces: list[tuple[Image.Image, int, int]] = []

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return transparent axes at this place, with left and bottom spines only."""
        axes = self.figure.add_axes(
            (x / WIDTH, 1 - (y + height) / self.height, width / WIDTH, height / self.height)
        )
        axes.tick_params(colors=MUTED, labelsize=TICK, length=3)
        axes.spines[:].set_color(REST)
        axes.spines[["top", "right"]].set_visible(False)
        axes.patch.set_alpha(0)
        return axes

    def text(self, x: float, y: float, text: str, size: float = TEXT, **style: Any) -> None:
        """Place one line of text, centred vertically on y; it begins at x unless ``ha`` says otherwise."""
        style = {"color": INK, "va": "center", **style}
        self.background.text(x, y, text, fontsize=size, **style)

    def line(self, x: Sequence[float], y: Sequence[float], **style: Any) -> None:
        """Draw a thin line through points."""
        self.background.plot(x, y, **{"color": GREY, "linewidth": 0.8, **style})

    def swatch(self, x: float, y: float, colour: str, linewidth: float) -> None:
        """Draw the short thick line of a legend entry."""
        self.line([x, x + 0.16], [y, y], color=colour, linewidth=linewidth, solid_capstyle="butt")

    def face(self, face: NDArray[Any], x: float, y: float, side: float, colour: str | None = None) -> None:
        """Place a face (S, S, 3) with its upper left corner at (x, y), framed if a colour is given."""
        frame = 0 if colour is None else FRAME
        inside = round(side * DPI) - 2 * frame
        image = Image.fromarray(face).resize((inside, inside), Image.Resampling.LANCZOS)
        if colour is not None:
            image = ImageOps.expand(image, frame, colour)
        self.faces.append((image, round(x * DPI), round(y * DPI)))

    def render(self, credit: str | None = None) -> Image.Image:
        """Return the figure as an RGB image, with the credit below it."""
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Glyph"
            )  # letters of a file name that the font lacks become boxes
            image = render(self.figure)
        for face, x, y in self.faces:
            image.paste(face, (x, y))
        if not credit:
            return image
        font = load_font(SMALL_HEIGHT)
        lines = wrap_text(credit, (WIDTH - 2 * EDGE) * DPI, font)
        taller = Image.new(
            "RGB", (image.width, image.height + CREDIT_LINE * len(lines) + CREDIT_MARGIN), "white"
        )
        taller.paste(image)
        draw = ImageDraw.Draw(taller)
        for place, line in enumerate(lines):
            draw.text((EDGE * DPI, image.height + CREDIT_LINE * place), line, fill=MUTED, font=font)
        return taller


def group_colour(group: int) -> str:
    """Return the colour of a group, grey from the ninth on."""
    return PEOPLE_COLOURS[group] if group < len(PEOPLE_COLOURS) else REST


def shorten_text(text: str, size: float, width: float) -> str:
    """Return the text with its middle replaced by "…" as needed to fit `width` inches at `size` points."""
    font = load_font(round(size * DPI / 72))

    def cut(kept: int) -> str:
        return text if kept >= len(text) else f"{text[: kept // 3]}…{text[-(kept - kept // 3) :]}"

    kept = len(text)
    while kept > 4 and font.getlength(cut(kept)) > width * DPI:
        kept -= 1
    return cut(kept)


def format_time(seconds: float) -> str:
    """Return "0:07", "12:30", "1:02:03", or "0:07.5" for a fraction of a second."""
    rounded = round(seconds * 10) / 10
    minutes, rest = divmod(rounded, 60)
    hours, minutes = divmod(int(minutes), 60)
    small = f"{rest:04.1f}" if rest % 1 else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{small}" if hours else f"{minutes}:{small}"


def mark_times(axes: Axes, low: float, high: float, in_seconds: bool = True, most: int = 12) -> None:
    """Set the x axis to `low` .. `high`, with ticks at round times or, if not in seconds, at whole frame numbers."""
    high = high if high > low else low + 1
    axes.set_xlim(low, high)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if in_seconds:
        step = next((step for step in TIME_STEPS if (high - low) / step <= most), DAY)
        axes.xaxis.set_major_locator(MultipleLocator(step))
        axes.xaxis.set_major_formatter(lambda seconds, _: format_time(seconds))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(most, integer=True))
