"""Figure 3 of the paper: accuracy after each repetition of the two stages, against a single pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from omote.errors import OmoteError
from omote.figures.picture import new_figure
from omote.figures.style import BLUE, LABEL, LEGEND, MUTED, REST, TITLE, VERMILION

COLUMNS = ["row", "seed", "repetition", "people", "value"]
PANEL = (4.6, 3.9)  # inches
LEAST_SPAN = 10  # minimum height of the y axis, per cent, so that scatter of a point or two stays small
PEOPLE_STYLES: dict[str, dict[str, Any]] = {  # the markers distinguish them in greyscale print
    "train": {"color": BLUE, "marker": "o"},
    "test": {"color": VERMILION, "marker": "s"},
}
PEOPLE_NAMES = {"train": "training people", "test": "people held out"}
MEAN: dict[str, Any] = {"linewidth": 2.4, "markersize": 7}
ONE_PASS: dict[str, Any] = {"linewidth": 1.4, "linestyle": (0, (5, 3))}


def plot_accuracy_curves(
    after: pd.DataFrame,
    one_pass: Mapping[int, Mapping[str, float]],
    titles: Mapping[int, str] | None = None,
) -> Figure:
    """Return Figure 3: one panel per method, the mean over its trainings as a thick line, each training as a thin one.

    The mean is drawn only where every training has a value.

    Args:
        after: one line per score after a repetition, with the columns row (of Table 3), seed (of the training),
            repetition (1, 2, ...), people ("train" or "test") and value (share in [0, 1] or nan).
        one_pass: row of Table 3 -> people -> share that the method reaches in one pass, drawn dashed where known.
        titles: of the panels, by row; "row 4" and so on where missing.
    Raises:
        OmoteError: If `after` is empty, lacks a column, has unknown people, or has a score twice.
    """
    if missing := [name for name in COLUMNS if name not in after.columns]:
        raise OmoteError(
            f"the accuracies after each repetition have no column {', '.join(missing)}; "
            f"expected are {', '.join(COLUMNS)}"
        )
    if after.empty:
        raise OmoteError(
            "there is no accuracy after any repetition to draw; run a row whose stages are iterated, 4 or 5"
        )
    if unknown := sorted(set(after["people"]) - set(PEOPLE_STYLES)):
        raise OmoteError(f"accuracies of {', '.join(map(str, unknown))} were given, expected train or test")
    if after.duplicated(COLUMNS[:-1]).any():
        raise OmoteError(
            "a row has two accuracies for the same training, repetition and people; give one each"
        )
    rows = sorted(after["row"].unique())
    figure = new_figure(PANEL[0] * len(rows) + 2.2, PANEL[1])
    panels = figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    for row, axes in zip(rows, panels, strict=True):
        _plot_method(axes, after[after["row"] == row], one_pass.get(row, {}))
        axes.set_title((titles or {}).get(row, f"row {row}"), fontsize=TITLE)
    low, high = panels[0].get_ylim()
    padding = max(0.0, LEAST_SPAN - (high - low)) / 2
    panels[0].set_ylim(low - padding, high + padding)
    panels[0].set_ylabel("accuracy, %", fontsize=LABEL, color=MUTED)
    handles = [
        Line2D([], [], label=PEOPLE_NAMES[people], **MEAN, **style)
        for people, style in PEOPLE_STYLES.items()
        if after["value"][after["people"] == people].notna().any()
    ]
    if after["seed"].nunique() > 1:
        handles.append(Line2D([], [], label="one training", linewidth=0.9, color=MUTED, alpha=0.7))
    if any(np.isfinite(share) for row in rows for share in one_pass.get(row, {}).values()):
        handles.append(Line2D([], [], label="in one pass", color=MUTED, **ONE_PASS))
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=LEGEND, labelspacing=0.8
    )
    return figure


def _plot_method(axes: Axes, after: pd.DataFrame, one_pass: Mapping[str, float]) -> None:
    for people, style in PEOPLE_STYLES.items():
        chosen = after[after["people"] == people]
        trainings = 100 * chosen.pivot(index="repetition", columns="seed", values="value")
        if trainings.shape[1] > 1:
            axes.plot(trainings.index, trainings, color=style["color"], linewidth=0.9, alpha=0.45)
        mean = trainings.mean(axis=1, skipna=False)
        axes.plot(mean.index, mean, markeredgecolor="white", zorder=3, **MEAN, **style)
        if np.isfinite(share := one_pass.get(people, np.nan)):
            axes.axhline(100 * share, color=style["color"], zorder=1, **ONE_PASS)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlim(after["repetition"].min() - 0.3, after["repetition"].max() + 0.3)
    axes.set_xlabel("repetitions of the two stages", fontsize=LABEL, color=MUTED)
    axes.tick_params(colors=MUTED, labelsize=LEGEND, length=0, labelleft=True)
    axes.grid(axis="y", color=REST, linewidth=0.7, alpha=0.7)
    axes.set_axisbelow(True)
    axes.spines[:].set(visible=False, color=REST)
    axes.spines["bottom"].set_visible(True)
