"""Colours and sizes shared by all pictures."""

from collections.abc import Iterable, Sequence
from typing import Any

DPI = 140

# Okabe and Ito, Color Universal Design (2008): distinguishable for the colour blind; grey replaces black.
COLOURS = ("#6e7781", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442")
SLATE, ORANGE, SKY, GREEN, PINK, BLUE, VERMILION, YELLOW = COLOURS
# Tol's muted scheme (2021), also safe: people never share a colour with an expression.
PEOPLE_COLOURS = ("#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255")
MARKERS = ("o", "s", "^", "D")  # for the second, third, ... round through the colours

INK = "#24292f"  # text
SHEET_INK = "#1f2328"  # text beside faces
MUTED = "#656d76"  # secondary text
GREY = "#afb6bf"  # thin lines
REST = "#d0d7de"  # spines, grids, and points without a colour of their own
PALE = "#eceef1"  # background of empty or untrusted times

TITLE, LABEL, LEGEND, TEXT, TICK, NOTE = 13, 12, 11, 10.5, 10, 9.5  # points
TEXT_HEIGHT, SMALL_HEIGHT = 19, 16  # pixels, beside faces


def sort_expressions(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels in the order of their colours: neutral first, the others by name."""
    return sorted(set(labels), key=lambda label: (label.casefold() != "neutral", label))


def point_style(index: int, colours: Sequence[str] = COLOURS) -> dict[str, Any]:
    """Return matplotlib's colour and marker of group `index`."""
    return {"color": colours[index % len(colours)], "marker": MARKERS[index // len(colours) % len(MARKERS)]}
