import numpy as np
import pytest

from omote.figures.table.face_figure import WIDTH
from omote.figures.table.faces_map import FACE, SPACING, lay_out_map, select_map_faces
from omote.figures.table.tracks import find_directions, read_features
from tests.figures.table.conftest import all_true, make_rows


def test_faces_lie_on_their_dots_and_cover_the_map_without_overlap() -> None:
    codes = np.random.default_rng(0).normal(size=(3000, 2)) * [3, 2]
    features = read_features(make_rows("a.mp4", codes))
    layout = lay_out_map(features, find_directions(features))
    shown = select_map_faces(layout, all_true(3000))
    at = np.stack([layout.x, layout.y], axis=1)
    between = np.abs(at[shown][:, None] - at[shown][None]).max(axis=2)
    assert between[~np.eye(len(shown), dtype=bool)].min() >= FACE * SPACING
    assert np.abs(at[:, None] - at[shown][None]).max(axis=2).min(axis=1).max() < FACE * SPACING
    assert (at >= FACE / 2).all()
    assert (layout.x <= WIDTH - FACE / 2).all()
    assert (layout.y <= layout.height - FACE / 2).all()
    flat = find_directions(features).places[:, :2]
    scale = np.ptp(layout.x) / np.ptp(flat[:, 0])
    assert np.ptp(layout.y) == pytest.approx(scale * np.ptp(flat[:, 1]))  # the same both ways
    assert not len(select_map_faces(layout, ~all_true(3000)))
