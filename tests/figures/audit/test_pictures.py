from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from omote.data.face_set import About, FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.evaluation.representation import CENTRED, represent_by_baselines
from omote.figures.audit.pictures import (
    BASELINES,
    LEAKS,
    feature_kind,
    name_unit,
    plot_action_units,
    plot_audit,
    plot_clip_paths,
    plot_leakage,
)
from omote.figures.audit.words import PICTURES
from tests.figures.audit.conftest import MLP, NAN, PROBE, make_moving_clips, row, table


def bars(axes: Axes) -> list[float]:
    """Return the lengths of the bars, in per cent."""
    return [round(patch.get_width(), 6) for patch in axes.patches if isinstance(patch, Rectangle)]


def test_leakage_has_a_panel_per_known_measure_and_a_bar_per_reading() -> None:
    scores = table(
        row("a z_e", PROBE, 0.61), row("a z_e", PROBE, 0.4, reading="sample"), row("a z_i", PROBE, 0.98),
        row("a z_e", MLP, 0.7), row("a z_i", MLP, NAN), row("a z_e", ACROSS_EXPRESSIONS, NAN),
    )  # fmt: skip
    figure = plot_leakage(scores, "test")

    assert figure is not None
    linear, mlp = figure.axes
    assert [axes.get_title() for axes in (linear, mlp)] == [LEAKS[PROBE], LEAKS[MLP]]
    assert (bars(linear), bars(mlp)) == ([61, 40, 98], [70])
    assert [label.get_text() for label in linear.get_yticklabels()] == ["a z_e", "a z_i"]
    assert linear.get_xlabel() == "per cent; chance 8.3"
    whisker, chance = (np.asarray(line.get_xdata(), float) for line in linear.lines[:2])
    np.testing.assert_allclose(whisker, [52, 70])
    np.testing.assert_allclose(chance, [100 / 12] * 2)
    assert [text.get_text() for text in mlp.texts] == ["70", "–"]


def test_there_is_no_picture_without_scores() -> None:
    assert plot_leakage(table(row("a z_e", PROBE, NAN)), "test") is None
    assert plot_leakage(table(row("a z_e", PROBE, 0.5)), "train") is None
    assert plot_action_units(table(row("a z_e", "r2_au", 0.5)), "test") is None


def test_action_units_are_rows_below_their_mean_and_features_columns() -> None:
    scores = table(
        row("a z_e", "r2:au_1", 0.5), row("a z_e", "r2:au_2", -0.1), row("a z_i", "r2:au_1", 0.25),
        row("a z_e", "r2_id", 0.9),
    )  # fmt: skip
    figure = plot_action_units(scores, "test")

    assert figure is not None
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mean", "", "AU 1", "AU 2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a z_e", "a z_i"]
    assert [text.get_text() for text in axes.texts] == ["0.20", "0.25", "0.50", "0.25", "−0.10", "–"]


@pytest.mark.parametrize(
    ("score", "name"),
    [("r2:au_12", "AU 12"), ("r2:au_browDown_L", "brow down L"), ("r2:au_side", "side"), ("r2:au_jawOpen", "jaw open")],
)  # fmt: skip
def test_action_units_have_readable_names(score: str, name: str) -> None:
    assert name_unit(score) == name


def test_the_baselines_are_called_as_the_audit_calls_them(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), np.uint8)
    frames = pd.DataFrame({"subject": list("aabbcc"), "use": "both"})

    found = represent_by_baselines(FaceSet(tmp_path, faces, frames, About()), ["a", "b"])
    assert tuple(feature.name for feature in found) == BASELINES


def test_the_kind_of_a_feature_follows_from_its_name() -> None:
    names = ["run z_e", "run z_e" + CENTRED, "run z_i", "pixels + PCA" + CENTRED, "another tool"]
    assert [feature_kind(name) for name in names] == [
        "expression code", "expression code", "identity code", "baseline", "expression code"
    ]  # fmt: skip


def ends(axes: Axes) -> np.ndarray:
    """Return (P, 2, 2) the first and last point of each thin path."""
    lines = [
        line.get_xydata()
        for line in axes.lines
        if line.get_linewidth() == 1 and len(np.asarray(line.get_xdata())) == 4
    ]
    return np.array([np.asarray(line)[[0, -1]] for line in lines])  # fmt: skip


def paths(frames: pd.DataFrame, codes: np.ndarray, rising: np.ndarray | None = None) -> Any:
    who, clip, frame, shown = (frames[name].to_numpy() for name in ("subject", "clip", "frame", "expression"))
    return plot_clip_paths([codes], who, clip, frame, shown, titles=["a z_e"], rising=rising)


def test_paths_are_drawn_where_they_lie_and_minus_their_first_frame() -> None:
    figure = paths(*make_moving_clips())
    left, right = figure.axes

    assert len(ends(left)) == len(ends(right)) == 6  # neutral clips go nowhere and are not drawn
    lengths = np.linalg.norm(ends(left)[:, 1] - ends(left)[:, 0], axis=1)
    np.testing.assert_allclose(lengths, 3)
    assert np.ptp(ends(left)[:, 0], axis=0).max() > 10
    np.testing.assert_allclose(ends(right)[:, 0], 0, atol=1e-9)
    of_fear, of_joy = ends(right)[::2, 1], ends(right)[1::2, 1]
    np.testing.assert_allclose(of_fear, of_fear[:1].repeat(3, axis=0), atol=1e-9)
    assert np.abs(of_fear[0] - of_joy[0]).max() > 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fear", "joy"]


def test_paths_are_drawn_up_to_the_apex_and_of_eight_people() -> None:
    frames, codes = make_moving_clips(people=12)
    rising = (frames["frame"] < 3).to_numpy()

    left, _ = paths(frames, codes).axes
    assert len(ends(left)) == 16
    left, _ = paths(frames, codes, rising).axes
    assert len(ends(left)) == 0  # they have three frames now
    assert paths(frames, codes, np.zeros(len(frames), bool)) is None


def test_unlabelled_clips_have_no_paths_and_codes_of_other_frames_are_refused() -> None:
    frames, codes = make_moving_clips()
    assert paths(frames.assign(expression=None), codes) is None
    with pytest.raises(OmoteError, match="same frames"):
        paths(frames, codes[:5])


def test_pictures_are_drawn_for_the_available_data() -> None:
    frames, codes = make_moving_clips()
    scores = table(row("a z_e", PROBE, 0.5, people="train"), row("a z_e", "r2:au_1", 0.5, people="train"))
    rising = np.ones(len(frames), bool)
    gone = np.full_like(codes, NAN)
    faces = np.full((8, 16, 16, 3), (200, 100, 0), np.uint8)

    everything = plot_audit(scores, {"a z_e": codes, "b z_e": gone}, frames, rising, {"a": faces})
    assert set(everything) == set(PICTURES)
    assert (np.asarray(everything["prior"]) == (200, 100, 0)).all(-1).mean() > 0.6
    nothing = plot_audit(table(row("a z_e", PROBE, NAN)), {"a z_e": gone}, frames, rising, {})
    assert nothing == {}
