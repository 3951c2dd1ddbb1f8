"""The picture of a training's terms."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from omote.errors import OmoteError
from omote.figures.training import plot_terms
from omote.training.log import Terms


def shown(terms: list[Terms]) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in plot_terms(terms).axes if axes.get_visible()}


def test_each_term_has_a_panel_and_a_repeated_stage_goes_on_in_it() -> None:
    first, again = pd.Series({1: 4.0, 2: 2.0, 3: 1.0}), pd.Series({1: 0.5, 2: 0.25, 3: 0.125})
    panels = shown(
        [
            Terms(1, "identity", "generator/kl", first),
            Terms(2, "expression", "discriminator/real", first),
            Terms(3, "identity", "generator/kl", again),
        ]
    )
    assert list(panels) == ["kl", "discriminator, real"]
    before, after = panels["kl"].get_lines()
    assert np.asarray(before.get_xydata()).tolist() == [[1, 4], [2, 2], [3, 1]]
    assert np.asarray(after.get_xydata()).tolist() == [[4, 0.5], [5, 0.25], [6, 0.125]]
    assert panels["kl"].get_xlabel() == "epoch, stage “identity”"


def test_without_a_term_there_is_no_picture() -> None:
    with pytest.raises(OmoteError, match="wait for the first epoch"):
        plot_terms([])
