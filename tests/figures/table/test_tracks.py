from pathlib import Path

import numpy as np
import pytest

from omote.figures.code_map import project_codes
from omote.figures.table.tracks import PHOTOS, find_directions, read_features, select_diverse
from tests.figures.table.conftest import concatenate, make_rows, wave


def test_every_face_of_every_video_is_a_track_and_photos_are_one_group() -> None:
    table = concatenate(
        make_rows("a/talk.mp4", wave(5), face=0),
        make_rows("a/talk.mp4", wave(8), face=1),
        make_rows("b/alone.mp4", wave(3), time=np.nan),
        *(make_rows(f"photos/{name}.jpg", wave(1, seed=name), time=np.nan) for name in range(6)),
    )
    shuffled = table.sample(frac=1, random_state=0)
    features = read_features(shuffled)

    assert [track.name for track in features.tracks] == ["talk.mp4, face 1", "talk.mp4, face 0", "alone.mp4"]
    assert features.groups == ["talk.mp4, face 1", PHOTOS, "talk.mp4, face 0", "alone.mp4"]
    for track in features.tracks:
        np.testing.assert_array_equal(features.frames["frame"].iloc[track.rows], np.arange(len(track.rows)))
    assert features.tracks[0].times.tolist() == pytest.approx([k / 10 for k in range(8)])
    assert features.tracks[2].times.tolist() == [0, 1, 2]  # it tells no time: frames are counted
    assert not features.tracks[2].in_seconds
    np.testing.assert_array_equal(
        features.codes, shuffled[[f"z_e_{i:02d}" for i in range(4)]].astype(np.float32)
    )


def test_a_face_that_is_never_trusted_is_no_track_and_has_no_colour() -> None:
    table = concatenate(
        make_rows("a.mp4", wave(5), face=0), make_rows("a.mp4", wave(9), face=1, trusted=False)
    )
    features = read_features(table)
    assert features.groups == ["a.mp4, face 0"] == [track.name for track in features.tracks]
    assert features.group.tolist() == [0] * 5 + [-1] * 9
    assert len(features.codes) == 14


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    features = read_features(
        concatenate(make_rows("x/a/clip.mp4", wave(3)), make_rows("x/b/clip.mp4", wave(2)))
    )
    assert [Path(track.name) for track in features.tracks] == [Path("a/clip.mp4"), Path("b/clip.mp4")]


def test_rows_without_a_feature_are_left_out_and_doubts_are_counted() -> None:
    codes = wave(6)
    codes[2] = np.nan
    doubts = ["", "blurred; turned away", "", "blurred", "", ""]
    features = read_features(make_rows("a.mp4", codes, doubt=doubts, trusted=[not doubt for doubt in doubts]))
    assert features.left_out == 1
    assert len(features.codes) == len(features.frames) == 5
    assert features.doubts == {"blurred": 2, "turned away": 1}


def test_directions_are_the_principal_axes_of_trusted_codes() -> None:
    features = read_features(make_rows("a.mp4", wave(50)))
    flat, directions = project_codes(features.codes), find_directions(features)
    assert flat is not None
    np.testing.assert_allclose(directions.places[:, :2], flat.places, atol=1e-5)
    np.testing.assert_allclose(directions.shares[:2], flat.shares, atol=1e-6)
    assert directions.places.shape == (50, 3)


def test_untrusted_codes_are_projected_but_do_not_affect_the_directions() -> None:
    codes = np.zeros((20, 3))
    codes[:10, 0] = np.arange(10)
    codes[10:, 1] = 1000
    directions = find_directions(read_features(make_rows("a.mp4", codes, trusted=np.arange(20) < 10)))
    assert directions.shares[0] == pytest.approx(1)
    np.testing.assert_allclose(directions.places[:10, 0], np.arange(10) - 4.5, atol=1e-6)
    np.testing.assert_allclose(directions.places[10:, 0], -4.5, atol=1e-6)


def test_codes_of_one_dimension_have_an_empty_second_direction() -> None:
    directions = find_directions(read_features(make_rows("a.mp4", wave(5)[:, :1])))
    assert directions.places.shape == (5, 2)
    assert directions.shares.tolist() == [1, 0]


def test_diverse_rows_show_different_moments_and_are_shared_between_people() -> None:
    first, second = make_rows("a.mp4", wave(100)), make_rows("b.mp4", wave(100))  # 10 s each
    features = read_features(concatenate(first, second))
    nearest = np.arange(200)  # all of the first video before the second
    chosen = select_diverse(features, nearest, 6)
    assert (chosen < 100).sum() == (chosen >= 100).sum() == 3
    for rows in (chosen[chosen < 100], chosen[chosen >= 100]):
        assert np.diff(features.seconds[rows]).min() >= 0.5
    alone = select_diverse(features, nearest[:100], 6)
    assert alone.tolist() == [0, 5, 10, 15, 20, 25]  # half a second apart, as the video is short
    assert select_diverse(features, nearest[:7], 6).tolist() == [0, 5]  # rather fewer than neighbours
    assert select_diverse(features, nearest[:0], 6).tolist() == []


def test_photos_all_count_as_different_moments() -> None:
    features = read_features(
        concatenate(*(make_rows(f"{k}.jpg", wave(1, seed=k), time=np.nan) for k in range(5)))
    )
    assert select_diverse(features, np.array([3, 1, 4, 0, 2]), 4).tolist() == [3, 1, 4, 0]


def test_a_table_is_the_same_as_parquet_and_as_csv(tmp_path: Path) -> None:
    table = concatenate(
        make_rows("a.mp4", wave(9), trusted=np.arange(9) > 2), make_rows("b.png", wave(1), time=np.nan)
    )
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv", index=False)
    one, other = read_features(tmp_path / "a.parquet"), read_features(tmp_path / "a.csv")
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.trusted, other.trusted)
    np.testing.assert_array_equal(one.group, other.group)
    assert one.groups == other.groups
    assert one.frames["source"].tolist() == other.frames["source"].tolist()
