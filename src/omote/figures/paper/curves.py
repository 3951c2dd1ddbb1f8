"""The curve of the iterated stages, the paper's Figure 3: accuracy after each repetition, against one pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from omote.errors import OmoteError
from omote.figures.space import COLOURS, DPI, REST

COLUMNS = ["row", "seed", "repetition", "people", "value"]
MUTED = "#656d76"
PANEL = (4.6, 3.9)  # inches
LEAST_SPAN = 10  # per cent, so that scatter of a point or two does not fill the picture
# What tells the two apart: a colour, and a marker for print in grey.
PEOPLE: dict[str, dict[str, Any]] = {
    "train": {"color": COLOURS[5], "marker": "o"},
    "test": {"color": COLOURS[6], "marker": "s"},
}
NAMES = {"train": "training people", "test": "people held out"}


def accuracy_curve(
    after: pd.DataFrame,
    one_pass: Mapping[int, Mapping[str, float]],
    *,
    titles: Mapping[int, str] | None = None,
) -> Image.Image:
    """Return the paper's Figure 3: one panel a method, the mean over its trainings as a thick line and each training as
    a thin one.

    The mean stands only where every training has a value.

    Args:
        after: one row a score after a repetition, with the columns row (of Table 3), seed (of the training), repetition
            (1, 2, ...), people ("train" or "test") and value (share in [0, 1] or nan).
        one_pass: for each row of Table 3, people -> share that the method reaches in one pass, a dashed line; it may
            have some only, or none.
        titles: of the panels, by row; None for "row 4" and so on.
    Raises:
        OmoteError: If `after` is empty, lacks a column, has other people than these, or has a score twice.
    """
    figure = curve_figure(after, one_pass, titles or {})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]


def curve_figure(
    after: pd.DataFrame, one_pass: Mapping[int, Mapping[str, float]], titles: Mapping[int, str]
) -> Figure:
    """Return what `accuracy_curve` draws, one axes a method."""
    if missing := [name for name in COLUMNS if name not in after.columns]:
        raise OmoteError(
            f"the accuracies after each repetition have no column {', '.join(missing)}; "
            f"expected are {', '.join(COLUMNS)}"
        )
    if after.empty:
        raise OmoteError(
            "there is no accuracy after any repetition to draw; run a row whose stages are iterated, 4 or 5"
        )
    if others := sorted(set(after["people"]) - set(PEOPLE)):
        raise OmoteError(f"accuracies of {', '.join(map(str, others))} were given, expected train or test")
    if after.duplicated(COLUMNS[:-1]).any():
        raise OmoteError(
            "a row has two accuracies of the same training, repetition and people; give one each"
        )
    rows = sorted(after["row"].unique())
    figure = Figure(figsize=(PANEL[0] * len(rows) + 2.2, PANEL[1]), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    panels = figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    dashed = False
    for row, axes in zip(rows, panels, strict=True):
        dashed |= _panel(axes, after[after["row"] == row], one_pass.get(row, {}))
        axes.set_title(titles.get(row, f"row {row}"), fontsize=13)
    low, high = panels[0].get_ylim()
    least = max(0.0, LEAST_SPAN - (high - low)) / 2
    panels[0].set_ylim(low - least, high + least)
    panels[0].set_ylabel("accuracy, %", fontsize=12, color=MUTED)
    shown = [people for people in PEOPLE if after["value"][after["people"] == people].notna().any()]
    handles = [
        Line2D([], [], label=NAMES[people], linewidth=2.4, markersize=7, **PEOPLE[people]) for people in shown
    ]
    if after["seed"].nunique() > 1:
        handles.append(Line2D([], [], label="one training", linewidth=0.9, color=MUTED, alpha=0.7))
    if dashed:
        handles.append(Line2D([], [], label="in one pass", linewidth=1.4, color=MUTED, linestyle=(0, (5, 3))))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=11, labelspacing=0.8)
    return figure


def _panel(axes: Axes, after: pd.DataFrame, one_pass: Mapping[str, float]) -> bool:
    """Draw one method; return whether there is a line of one pass."""
    dashed = False
    for people, look in PEOPLE.items():
        chosen = after[after["people"] == people]
        trainings = 100 * chosen.pivot(index="repetition", columns="seed", values="value")
        if trainings.shape[1] > 1:
            axes.plot(trainings.index, trainings, color=look["color"], linewidth=0.9, alpha=0.45)
        mean = trainings.mean(axis=1, skipna=False)
        axes.plot(mean.index, mean, linewidth=2.4, markersize=7, markeredgecolor="white", zorder=3, **look)
        if np.isfinite(share := one_pass.get(people, np.nan)):
            axes.axhline(100 * share, color=look["color"], linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
            dashed = True
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlim(after["repetition"].min() - 0.3, after["repetition"].max() + 0.3)
    axes.set_xlabel("repetitions of the two stages", fontsize=12, color=MUTED)
    axes.tick_params(colors=MUTED, labelsize=11, length=0, labelleft=True)
    axes.grid(axis="y", color=REST, linewidth=0.7, alpha=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(REST)
    return dashed
