"""A map of the expression codes: does a method put the same expressions or the same people side by side?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.figures.picture import new_figure, remove_ticks
from omote.figures.style import (
    COLOURS,
    LABEL,
    LEGEND,
    MUTED,
    NOTE,
    PEOPLE_COLOURS,
    REST,
    TITLE,
    point_style,
    sort_expressions,
)

PANEL = 4.2  # inches


class Projection(NamedTuple):
    """N codes on their first two principal axes."""

    places: NDArray[np.float64]  # (N, 2)
    shares: NDArray[np.float64]  # (2,) share of the variance along each axis


def project_codes(codes: NDArray[Any]) -> Projection | None:
    """Return (N, Z) codes on their first two principal axes; None if all are equal or one is not finite.

    The sign of each axis is fixed, so the same codes give the same map everywhere.
    """
    x = np.asarray(codes, np.float64)
    if len(x) < 2 or not x.shape[1] or not np.isfinite(x).all():
        return None
    x = x - x.mean(axis=0)
    _, strengths, axes = np.linalg.svd(np.pad(x, ((0, 0), (0, max(0, 2 - x.shape[1])))), full_matrices=False)
    if strengths[0] <= 1e-6 * max(1e-12, float(np.abs(codes).max())) * np.sqrt(x.size):
        return None
    axes = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    return Projection(x @ axes[:, : x.shape[1]].T, (strengths**2 / (strengths**2).sum())[:2])


def plot_code_map(
    codes: Sequence[NDArray[Any]],
    expressions: Sequence[Any],
    subjects: Sequence[str],
    *,
    titles: Sequence[str],
) -> Figure:
    """Return one row per method with the same map of z_e twice: coloured by expression (left) and by person (right).

    Args:
        codes: for each method, (N, Z) expression codes of the same N frames.
        expressions: (N,) labels; None where unknown.
        subjects: (N,) ids. Eight evenly spaced people get a colour; the others are grey.
        titles: one per method.
    Raises:
        OmoteError: If there is no method or no frame, or the numbers of codes, labels, subjects or titles differ.
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
    coloured = [everyone[k] for k in evenly_spaced(len(everyone), len(PEOPLE_COLOURS))]
    named = sort_expressions(set(labels) - {""})

    figure = new_figure(2 * PANEL + 1.9, PANEL * len(codes) * 0.82 + 0.5)
    panels = figure.subplots(len(codes), 2, squeeze=False)
    for code, title, (left, right) in zip(codes, titles, panels, strict=True):
        projection = project_codes(code)
        _scatter(left, projection, labels, named, COLOURS)
        _scatter(right, projection, people, coloured, PEOPLE_COLOURS)
        left.set_ylabel(title, fontsize=TITLE, fontweight="bold", labelpad=10)
    panels[0, 0].set_title("coloured by expression", fontsize=TITLE)
    few = (
        f"{len(coloured)} of {len(everyone)} people"
        if len(coloured) < len(everyone)
        else "one colour a person"
    )
    panels[0, 1].set_title(f"coloured by person ({few})", fontsize=TITLE)
    handles, _ = panels[0, 0].get_legend_handles_labels()
    if handles:
        add_expression_legend(figure, handles, markerscale=1.4)
    return figure


def add_expression_legend(figure: Figure, handles: Sequence[Any], **options: Any) -> None:
    """Add the legend of expressions at the right of a figure."""
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, title="expression", title_fontsize=LABEL,
        alignment="left", fontsize=LEGEND, **options,
    )  # fmt: skip


def label_variance(axes: Axes, projection: Projection) -> None:
    """Give both axes one scale, and write below them how much of the variance they show."""
    axes.set_aspect("equal", adjustable="datalim")
    share = 100 * projection.shares.sum()
    axes.set_xlabel(f"two axes, {share:.0f} % of the variance", fontsize=NOTE, color=MUTED)


def _scatter(
    axes: Axes,
    projection: Projection | None,
    values: NDArray[Any],
    groups: Sequence[str],
    colours: Sequence[str],
) -> None:
    remove_ticks(axes)
    dots: dict[str, Any] = {"linewidths": 0.4, "edgecolors": "white", "s": 30}
    rest = ~np.isin(values.astype(str), list(groups))
    if projection is not None and rest.any():
        axes.scatter(*projection.places[rest].T, color=REST, **dots)
    for k, group in enumerate(groups):
        places = np.full((1, 2), np.nan) if projection is None else projection.places[values == group]
        x, y = places.T
        axes.scatter(x, y, label=group, **point_style(k, colours), **dots)
    if projection is None:
        text = "collapsed: all codes are the same"
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    else:
        label_variance(axes, projection)
