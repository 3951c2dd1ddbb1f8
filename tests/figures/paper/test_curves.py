import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from omote.errors import OmoteError
from omote.figures.paper.curves import COLUMNS, plot_accuracy_curves
from omote.figures.picture import render


def after(
    seeds: int = 2, rows: tuple[int, ...] = (4,), people: tuple[str, ...] = ("train", "test")
) -> pd.DataFrame:
    """Return scores of 0.5 after the first repetition, plus 0.1 per further one and 0.02 per seed."""
    lines = [
        (row, seed, repetition, side, 0.4 + 0.1 * repetition + 0.02 * seed)
        for row in rows
        for seed in range(seeds)
        for repetition in (1, 2, 3)
        for side in people
    ]
    return pd.DataFrame(lines, columns=COLUMNS)


def curves(axes: Axes, marker: str) -> list[list[float]]:
    """Return the rounded y values of the lines with this marker."""
    return [
        np.asarray(line.get_ydata(), float).round(6).tolist()
        for line in axes.lines
        if line.get_marker() == marker
    ]


def test_the_mean_over_the_trainings_and_each_of_them_are_drawn_in_per_cent() -> None:
    (axes,) = plot_accuracy_curves(after(people=("train",)), {}).axes

    assert curves(axes, "o") == [[51, 61, 71]]
    assert curves(axes, "None") == [[50, 60, 70], [52, 62, 72]]


def test_one_training_is_its_own_mean_and_is_drawn_once() -> None:
    (axes,) = plot_accuracy_curves(after(seeds=1, people=("test",)), {}).axes

    assert curves(axes, "s") == [[50, 60, 70]]
    assert curves(axes, "None") == []


def test_there_is_no_mean_where_a_training_has_no_value() -> None:
    table = after(people=("train",))
    table.loc[(table["seed"] == 1) & (table["repetition"] == 2), "value"] = np.nan
    (axes,) = plot_accuracy_curves(table, {}).axes

    np.testing.assert_allclose(curves(axes, "o")[0], [51, np.nan, 71])


def test_one_pass_is_a_level_line_in_the_panel_of_its_method_only() -> None:
    one_pass = {4: {"train": 0.55, "test": float("nan")}}
    left, right = plot_accuracy_curves(after(rows=(4, 5)), one_pass, {4: "64 px"}).axes

    assert [55, 55] in curves(left, "None")
    assert len(curves(left, "None")) == len(curves(right, "None")) + 1
    assert (left.get_title(), right.get_title()) == ("64 px", "row 5")


def test_repetitions_are_whole_numbers_and_scatter_does_not_fill_the_picture() -> None:
    table = after()
    table["value"] = 0.5 + 0.001 * table["repetition"]
    (axes,) = plot_accuracy_curves(table, {}).axes
    low, high = axes.get_ylim()

    assert all(tick == round(tick) for tick in axes.get_xticks())
    assert high - low == pytest.approx(10)


def test_the_legend_names_what_is_drawn_and_nothing_else() -> None:
    def legend(table: pd.DataFrame, one_pass: dict[int, dict[str, float]]) -> list[str]:
        return [text.get_text() for text in plot_accuracy_curves(table, one_pass).legends[0].get_texts()]

    assert legend(after(seeds=1, people=("train",)), {}) == ["training people"]
    everything = ["training people", "people held out", "one training", "in one pass"]
    assert legend(after(), {4: {"test": 0.3}}) == everything
    nobody_held_out = after()
    nobody_held_out.loc[nobody_held_out["people"] == "test", "value"] = np.nan
    assert "people held out" not in legend(nobody_held_out, {})


def test_a_picture_is_the_same_each_time_and_wider_with_two_methods() -> None:
    first, second = (render(plot_accuracy_curves(after(), {4: {"train": 0.5}})) for _ in range(2))

    assert first == second
    assert render(plot_accuracy_curves(after(rows=(4, 5)), {})).width > first.width


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(OmoteError, match="no column repetition, value"):
        plot_accuracy_curves(after().drop(columns=["repetition", "value"]), {})
    with pytest.raises(OmoteError, match="no accuracy after any repetition"):
        plot_accuracy_curves(after().iloc[:0], {})
    with pytest.raises(OmoteError, match="validation"):
        plot_accuracy_curves(after(people=("validation",)), {})
    with pytest.raises(OmoteError, match="two accuracies"):
        plot_accuracy_curves(pd.concat([after(), after()]), {})
