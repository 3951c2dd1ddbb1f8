from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omote.figures.style import DPI
from omote.figures.table.path import FACE as PATH_FACE
from omote.figures.table.path import MOMENTS, plot_path, select_ends, select_moments, summarise_curve
from omote.figures.table.tracks import find_directions, read_features
from tests.figures.table.conftest import (
    all_true,
    make_rows,
    wave,
)


def bumps(frames: int, at: Sequence[int]) -> NDArray[np.float64]:
    codes = np.zeros((frames, 2))
    for place in at:
        codes[:, 0] += np.exp(-(((np.arange(frames) - place) / 5) ** 2))
    return codes


def test_the_moments_of_a_track_are_its_extremes_and_keep_their_distance() -> None:
    extremes = [12, 40, 130, 171]
    features = read_features(make_rows("a.mp4", bumps(200, extremes)))
    track = features.tracks[0]
    chosen = select_moments(features, find_directions(features), track, all_true(200))
    assert set(extremes) <= set(chosen.tolist())
    assert len(chosen) <= MOMENTS
    assert np.diff(chosen).min() >= 200 / (3 * MOMENTS)
    assert len({int(row) * MOMENTS // 200 for row in chosen}) == len(chosen)


def test_untrusted_unavailable_and_single_odd_frames_are_never_chosen_as_moments() -> None:
    codes = bumps(4000, [1000])
    codes[2222, 0] = 5  # one frame
    doubted = (np.arange(4000) > 900) & (np.arange(4000) < 1100)
    features = read_features(make_rows("a.mp4", codes, trusted=~doubted))
    can = np.arange(4000) < 3000
    chosen = select_moments(features, find_directions(features), features.tracks[0], can)
    assert len(chosen) > 5
    assert not doubted[chosen].any()
    assert can[chosen].all()
    assert 2222 not in chosen
    few = select_moments(features, find_directions(features), features.tracks[0], np.arange(4000) < 3)
    assert few.tolist() == [0, 1, 2]


def test_the_ends_of_a_direction_are_its_lowest_and_highest_rows() -> None:
    features = read_features(make_rows("a.mp4", np.arange(100.0)[:, None] * [[2.0, 0.0]]))
    first, *_ = select_ends(features, find_directions(features), all_true(100))
    assert first.low[0] == 0
    assert first.high[-1] == 99
    assert (first.low < 50).all()
    assert (first.high >= 50).all()


def test_a_long_curve_is_reduced_to_medians_and_keeps_its_extremes() -> None:
    times = np.arange(54_000) / 30
    values = np.zeros((54_000, 2))
    values[100, 0], values[53_000, 1] = 7, -5
    points = summarise_curve(times, values, all_true(54_000), 800)
    assert len(points.times) == 800
    assert np.abs(points.median).max() == 0
    assert points.high[:, 0].max() == 7
    assert points.low[:, 1].min() == -5
    assert points.trusted.all()


def test_a_curve_has_a_gap_where_no_face_was_found_and_short_curves_stay_unchanged() -> None:
    times = np.concatenate([np.arange(10), np.arange(30, 40)]) / 10
    values = np.arange(20.0)[:, None]
    trusted = np.arange(20) % 7 > 0
    points = summarise_curve(times, values, trusted)
    assert len(points.times) == 21
    assert np.isnan(points.median[10, 0])
    assert 0.9 < points.times[10] < 3.0
    np.testing.assert_array_equal(np.delete(points.median[:, 0], 10), values[:, 0])
    np.testing.assert_array_equal(np.delete(points.trusted, 10), trusted)


def test_a_point_of_a_reduced_curve_summarises_its_trusted_rows() -> None:
    times = np.arange(4000.0)
    doubted = np.arange(4000) % 4 == 0
    points = summarise_curve(times, np.where(doubted, 100.0, 1.0)[:, None], ~doubted, 100)
    assert points.trusted.all()
    assert points.high.max() == 1


def test_faces_of_a_track_do_not_overlap_and_stay_inside_the_figure(tmp_path: Path) -> None:
    features = read_features(make_rows("a.mp4", wave(100)))
    directions, rows = find_directions(features), np.arange(90, 100)  # all of them at the end
    black = np.zeros((8, 8, 3), np.uint8)
    nothing = select_ends(features, directions, ~all_true(100))
    image = np.asarray(plot_path(features, directions, [rows], nothing, {int(row): black for row in rows}))
    side = round(PATH_FACE * DPI)
    y = next(y for y in range(len(image)) if (image[y] == 0).all(axis=1).sum() == side * len(rows))
    assert (image[y : y + side] == 0).all(axis=2).sum() == side * side * len(rows)
