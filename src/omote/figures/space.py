"""A map of the expression codes: does a method put the same expressions side by side, or the same people?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from omote.errors import OmoteError

# Okabe and Ito, Color Universal Design (2008), told apart by the colour blind; grey in place of black.
COLOURS = ("#6e7781", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442")
MARKERS = ("o", "s", "^", "D")
# Tol's muted scheme (2021), likewise, so that a person is not taken for an expression.
PEOPLE_COLOURS = ("#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255")
REST = "#d0d7de"  # people, or frames without a label, that get no colour of their own
PANEL = 4.2  # inches
DPI = 140


class Map(NamedTuple):
    """A flat view of N codes: (N, 2) places, and the share of the variance that each axis shows."""

    places: NDArray[np.float64]
    shares: NDArray[np.float64]


def flattened(codes: NDArray[Any]) -> Map | None:
    """Return the codes (N, Z) on their first two principal axes; None where no two of them differ.

    The sign of an axis is fixed, so that the same codes give the same map everywhere.
    """
    x = np.asarray(codes, np.float64)
    if len(x) < 2 or not x.shape[1] or not np.isfinite(x).all():
        return None
    x = x - x.mean(axis=0)
    _, strengths, axes = np.linalg.svd(np.pad(x, ((0, 0), (0, max(0, 2 - x.shape[1])))), full_matrices=False)
    if strengths[0] <= 1e-6 * max(1e-12, float(np.abs(codes).max())) * np.sqrt(x.size):
        return None
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    return Map(x @ axes[:, : x.shape[1]].T, (strengths**2 / (strengths**2).sum())[:2])


def expression_map(
    codes: Sequence[NDArray[Any]],
    expressions: Sequence[Any],
    subjects: Sequence[str],
    *,
    titles: Sequence[str],
) -> Image.Image:
    """Return a picture with one row a method and two panels in it: the same map of z_e, coloured by
    expression at the left and by person at the right.

    Args:
        codes: for each method, (N, Z) expression codes of the same N frames.
        expressions: (N,) labels; None where not known.
        subjects: (N,) ids. Eight people, evenly spread, get a colour; the others are grey.
        titles: one a method.
    Raises:
        OmoteError: If there is no method or no frame, or codes, labels, subjects or titles differ in number.
    """
    counts = {len(expressions), len(subjects), *(len(code) for code in codes)}
    if not codes or len(titles) != len(codes) or counts != {len(subjects)} or not len(subjects):
        raise OmoteError(
            f"a map needs codes of the same frames for each method: given are {len(codes)} methods with "
            f"{', '.join(str(len(code)) for code in codes)} codes, {len(titles)} titles, {len(expressions)} "
            f"expressions and {len(subjects)} subjects"
        )
    labels = np.array(["" if pd.isna(label) else str(label) for label in expressions], dtype=object)
    people = np.array([str(subject) for subject in subjects], dtype=object)
    everyone = sorted(set(people))
    shown = [
        everyone[k]
        for k in np.unique(np.linspace(0, len(everyone) - 1, len(PEOPLE_COLOURS)).round().astype(int))
    ]
    named = sorted(set(labels) - {""}, key=lambda label: (label.casefold() != "neutral", label))

    figure = Figure(figsize=(2 * PANEL + 1.9, PANEL * len(codes) * 0.82 + 0.5), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    panels = figure.subplots(len(codes), 2, squeeze=False)
    for code, title, (left, right) in zip(codes, titles, panels, strict=True):
        flat = flattened(code)
        _panel(left, flat, labels, named, COLOURS)
        _panel(right, flat, people, shown, PEOPLE_COLOURS)
        left.set_ylabel(title, fontsize=13, fontweight="bold", labelpad=10)
    panels[0, 0].set_title("coloured by expression", fontsize=13)
    few = f"{len(shown)} of {len(everyone)} people" if len(shown) < len(everyone) else "one colour a person"
    panels[0, 1].set_title(f"coloured by person ({few})", fontsize=13)
    handles, names = panels[0, 0].get_legend_handles_labels()
    if names:
        figure.legend(
            handles,
            names,
            loc="outside right upper",
            frameon=False,
            title="expression",
            title_fontsize=12,
            alignment="left",
            fontsize=11,
            markerscale=1.4,
        )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]


def _panel(
    axes: Axes, flat: Map | None, values: NDArray[Any], groups: Sequence[str], colours: Sequence[str]
) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(REST)
    look: dict[str, Any] = {"linewidths": 0.4, "edgecolors": "white", "s": 30}
    flat_places = np.zeros((len(values), 2)) if flat is None else flat.places
    rest = ~np.isin(values.astype(str), list(groups))
    if flat is not None and rest.any():
        axes.scatter(*flat_places[rest].T, color=REST, **look)
    for k, group in enumerate(groups):
        chosen = values == group
        marker = MARKERS[k // len(colours) % len(MARKERS)]
        places = flat_places[chosen] if flat is not None else np.full((1, 2), np.nan)
        axes.scatter(*places.T, color=colours[k % len(colours)], marker=marker, label=group, **look)
    if flat is None:
        axes.text(
            0.5, 0.5, "collapsed: all codes are the same", ha="center", va="center", transform=axes.transAxes
        )
        return
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(
        f"two axes, {100 * flat.shares.sum():.0f} % of the variance", fontsize=9.5, color="#656d76"
    )
