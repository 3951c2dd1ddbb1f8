"""Pictures as files: matplotlib figures, rendering, PNG files."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image, ImageFont
from PIL.PngImagePlugin import PngInfo

from omote.errors import OmoteError
from omote.figures.style import DPI, REST
from omote.files import write_beside


def new_figure(width: float, height: float, w_pad: float = 0.12, h_pad: float = 0.12) -> Figure:
    """Return an empty figure with constrained layout; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=w_pad, h_pad=h_pad)
    return figure


def remove_ticks(axes: Axes) -> None:
    """Leave nothing of the axes but a light frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color(REST)


def render(figure: Figure) -> Image.Image:
    """Return a matplotlib figure as an RGB image. Text is shown as it is: a "$" in a name begins no formula."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]


def stack_pictures(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return the pictures one below the other on white, at the left; one alone stays as it is."""
    whole = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    for picture, y in zip(pictures, accumulate((p.height for p in pictures), initial=0), strict=False):
        whole.paste(picture, (0, y))
    return whole


def save_picture(image: Image.Image, path: str | Path, *, note: str = "") -> Path:
    """Write a PNG file atomically, creating its folder if needed, and return `path`.

    Args:
        note: text for the file's metadata, under the PNG keyword Description.
    Raises:
        OmoteError: If the name does not end in .png.
    """
    path = check_picture_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = PngInfo()
    if note:
        metadata.add_text("Description", note)
    with write_beside(path) as beside:
        image.save(beside, format="PNG", optimize=True, pnginfo=metadata)
    return path


def check_picture_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if its name does not end in .png."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise OmoteError(
            f"the picture {path} ends in {path.suffix or 'nothing'!r}; use a name ending in .png"
        )
    return path


def wrap_text(text: str, width: float, font: ImageFont.FreeTypeFont) -> list[str]:
    """Return the lines of `text`, each at most `width` pixels wide unless a single word is wider."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
