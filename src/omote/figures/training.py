"""The terms of an objective by epoch, one panel a term."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from omote.errors import OmoteError
from omote.figures.picture import new_figure
from omote.figures.style import BLUE, LABEL, MUTED, NOTE, REST, TICK
from omote.training.log import Terms

COLUMNS = 4
PANEL = (2.5, 1.8)  # inches


def plot_terms(terms: Sequence[Terms]) -> Figure:
    """Return a panel for each term of each stage; a stage that is repeated goes on in its panel.

    Args:
        terms: as `omote.training.log.read_log` returns them.
    Raises:
        OmoteError: If there is no term.
    """
    if not terms:
        raise OmoteError("there is no term to draw; wait for the first epoch of the training")
    panels: dict[tuple[str, str], list[Terms]] = {}
    for each in terms:
        panels.setdefault((each.stage, each.name), []).append(each)
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(PANEL[0] * columns, PANEL[1] * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, ((stage, name), parts) in zip(axes, panels.items(), strict=False):
        epoch = 0  # of this stage, before the part
        for part in parts:
            x = epoch + part.values.index.to_numpy(np.float64)
            panel.plot(
                x,
                part.values.to_numpy(),
                color=BLUE,
                linewidth=1.6,
                marker="o" if len(x) < 3 else "",
                markersize=4,
            )
            epoch = int(x.max())
        panel.set_xlim(0.9, max(epoch, 2) + 0.1)  # of one epoch too, the ticks are whole numbers
        panel.set_title(
            name.replace("generator/", "").replace("_", " ").replace("/", ", "), fontsize=LABEL, loc="left"
        )
        panel.set_xlabel(f"epoch, stage “{stage}”", fontsize=NOTE, color=MUTED)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.yaxis.set_major_locator(MaxNLocator(4))
        panel.tick_params(labelsize=TICK - 1, colors=MUTED)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(REST)
    for panel in axes[len(panels) :]:
        panel.set_visible(False)
    return figure
