"""Pictures of a table of features: what is chosen, where it lies, and what is said where something is missing."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from omote.data.face_set import BOX, FaceSet
from omote.errors import OmoteError
from omote.figures.code_map import project_codes
from omote.figures.style import DPI
from omote.figures.table.clusters import bin_membership, cluster_rows, select_timeline_tracks, select_typical
from omote.figures.table.crops import SIDE, locate_faces, recut_faces
from omote.figures.table.face_figure import WIDTH, FaceFigure, format_time, shorten_text
from omote.figures.table.faces_map import FACE, SPACING, lay_out_map, select_map_faces
from omote.figures.table.path import FACE as PATH_FACE
from omote.figures.table.path import MOMENTS, plot_path, select_ends, select_moments, summarise_curve
from omote.figures.table.plot import plot_features
from omote.figures.table.tracks import PHOTOS, find_directions, read_features, select_diverse
from tests.figures.conftest import Page

STEP = 8  # grey levels from frame to frame


def rows_of(
    source: object, codes: NDArray[Any], *, face: int = 0, fps: float = 10, first: int = 0, **other: object
) -> pd.DataFrame:
    """One row a frame, as `omote embed` writes them; the face in the left or the right half of 64 x 32 pixels."""
    number = np.arange(first, first + len(codes))
    box = dict(zip(BOX, (8 + 32 * face, 8, 16, 16), strict=True))
    given = {"source": str(source), "frame": number, "time": number / fps, "face": face, "trusted": True, "doubt": "",
             "model": "omote-1", **box, **other}  # fmt: skip
    return pd.DataFrame(given).join(
        pd.DataFrame(codes, columns=[f"z_e_{i:02d}" for i in range(codes.shape[1])])
    )


def write_video(file: Path, frames: int, fps: int = 10) -> Path:
    """A video whose left half grows lighter by `STEP` a frame, and whose right half grows darker."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps, options={"qmin": "2", "qmax": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 32, "yuv420p", 1
        for number in range(frames):
            image = np.full((32, 64, 3), 20 + STEP * number, np.uint8)
            image[:, 32:] = 235 - STEP * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return file


def wave(frames: int, size: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """Codes that swing slowly on the first axis, less on the second, and hardly on the others."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(0, 0.01, (frames, size))
    codes[:, 0] += 3 * np.sin(np.arange(frames) / 7)
    codes[:, 1] += np.cos(np.arange(frames) / 11)
    return codes


def joined(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def everywhere(count: int) -> NDArray[np.bool_]:
    return np.ones(count, bool)


def test_every_face_of_every_video_is_a_track_and_photos_are_one_group() -> None:
    table = joined(
        rows_of("a/talk.mp4", wave(5), face=0),
        rows_of("a/talk.mp4", wave(8), face=1),
        rows_of("b/alone.mp4", wave(3), time=np.nan),
        *(rows_of(f"photos/{name}.jpg", wave(1, seed=name), time=np.nan) for name in range(6)),
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


def test_a_face_that_is_never_to_be_trusted_is_no_track_and_has_no_colour() -> None:
    table = joined(rows_of("a.mp4", wave(5), face=0), rows_of("a.mp4", wave(9), face=1, trusted=False))
    features = read_features(table)
    assert features.groups == ["a.mp4, face 0"] == [track.name for track in features.tracks]
    assert features.group.tolist() == [0] * 5 + [-1] * 9
    assert len(features.codes) == 14


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    features = read_features(joined(rows_of("x/a/clip.mp4", wave(3)), rows_of("x/b/clip.mp4", wave(2))))
    assert [Path(track.name) for track in features.tracks] == [Path("a/clip.mp4"), Path("b/clip.mp4")]


def test_rows_without_a_feature_are_left_out_and_doubts_are_counted() -> None:
    codes = wave(6)
    codes[2] = np.nan
    doubts = ["", "blurred; turned away", "", "blurred", "", ""]
    features = read_features(rows_of("a.mp4", codes, doubt=doubts, trusted=[not doubt for doubt in doubts]))
    assert features.left_out == 1
    assert len(features.codes) == len(features.frames) == 5
    assert features.doubts == {"blurred": 2, "turned away": 1}


def test_the_directions_of_codes_to_trust_are_their_principal_axes() -> None:
    features = read_features(rows_of("a.mp4", wave(50)))
    flat, directions = project_codes(features.codes), find_directions(features)
    assert flat is not None
    np.testing.assert_allclose(directions.places[:, :2], flat.places, atol=1e-5)
    np.testing.assert_allclose(directions.shares[:2], flat.shares, atol=1e-6)
    assert directions.places.shape == (50, 3)


def test_what_is_not_to_be_trusted_turns_no_direction_and_has_its_place_all_the_same() -> None:
    codes = np.zeros((20, 3))
    codes[:10, 0] = np.arange(10)
    codes[10:, 1] = 1000
    directions = find_directions(read_features(rows_of("a.mp4", codes, trusted=np.arange(20) < 10)))
    assert directions.shares[0] == pytest.approx(1)
    np.testing.assert_allclose(directions.places[:10, 0], np.arange(10) - 4.5, atol=1e-6)
    np.testing.assert_allclose(directions.places[10:, 0], -4.5, atol=1e-6)


def test_codes_of_one_number_have_two_directions_the_second_of_them_empty() -> None:
    directions = find_directions(read_features(rows_of("a.mp4", wave(5)[:, :1])))
    assert directions.places.shape == (5, 2)
    assert directions.shares.tolist() == [1, 0]


def test_varied_rows_are_of_different_moments_and_shared_between_people() -> None:
    first, second = rows_of("a.mp4", wave(100)), rows_of("b.mp4", wave(100))  # 10 s each
    features = read_features(joined(first, second))
    nearest = np.arange(200)  # all of the first video before the second
    chosen = select_diverse(features, nearest, 6)
    assert (chosen < 100).sum() == (chosen >= 100).sum() == 3
    for rows in (chosen[chosen < 100], chosen[chosen >= 100]):
        assert np.diff(features.seconds[rows]).min() >= 0.5
    alone = select_diverse(features, nearest[:100], 6)
    assert alone.tolist() == [0, 5, 10, 15, 20, 25]  # half a second apart, as the video is short
    assert select_diverse(features, nearest[:7], 6).tolist() == [0, 5]  # rather fewer than neighbours
    assert select_diverse(features, nearest[:0], 6).tolist() == []


def test_photos_are_all_of_different_moments() -> None:
    features = read_features(joined(*(rows_of(f"{k}.jpg", wave(1, seed=k), time=np.nan) for k in range(5))))
    assert select_diverse(features, np.array([3, 1, 4, 0, 2]), 4).tolist() == [3, 1, 4, 0]


def bumps(frames: int, at: Sequence[int]) -> NDArray[np.float64]:
    codes = np.zeros((frames, 2))
    for place in at:
        codes[:, 0] += np.exp(-(((np.arange(frames) - place) / 5) ** 2))
    return codes


def test_the_moments_of_a_track_are_its_extremes_and_keep_their_distance() -> None:
    extremes = [12, 40, 130, 171]
    features = read_features(rows_of("a.mp4", bumps(200, extremes)))
    track = features.tracks[0]
    chosen = select_moments(features, find_directions(features), track, everywhere(200))
    assert set(extremes) <= set(chosen.tolist())
    assert len(chosen) <= MOMENTS
    assert np.diff(chosen).min() >= 200 / (3 * MOMENTS)
    assert len({int(row) * MOMENTS // 200 for row in chosen}) == len(chosen)


def test_no_moment_is_one_that_is_not_to_be_trusted_or_cannot_be_shown_or_a_single_odd_frame() -> None:
    codes = bumps(4000, [1000])
    codes[2222, 0] = 5  # one frame
    doubted = (np.arange(4000) > 900) & (np.arange(4000) < 1100)
    features = read_features(rows_of("a.mp4", codes, trusted=~doubted))
    can = np.arange(4000) < 3000
    chosen = select_moments(features, find_directions(features), features.tracks[0], can)
    assert len(chosen) > 5
    assert not doubted[chosen].any()
    assert can[chosen].all()
    assert 2222 not in chosen
    few = select_moments(features, find_directions(features), features.tracks[0], np.arange(4000) < 3)
    assert few.tolist() == [0, 1, 2]


def test_the_ends_of_a_direction_are_where_it_is_least_and_greatest() -> None:
    features = read_features(rows_of("a.mp4", np.arange(100.0)[:, None] * [[2.0, 0.0]]))
    first, *_ = select_ends(features, find_directions(features), everywhere(100))
    assert first.low[0] == 0
    assert first.high[-1] == 99
    assert (first.low < 50).all()
    assert (first.high >= 50).all()


def test_a_long_curve_is_thinned_to_medians_and_its_extremes_are_kept() -> None:
    times = np.arange(54_000) / 30
    values = np.zeros((54_000, 2))
    values[100, 0], values[53_000, 1] = 7, -5
    points = summarise_curve(times, values, everywhere(54_000), 800)
    assert len(points.times) == 800
    assert np.abs(points.median).max() == 0
    assert points.high[:, 0].max() == 7
    assert points.low[:, 1].min() == -5
    assert points.trusted.all()


def test_a_curve_is_parted_where_the_face_is_not_found_and_short_ones_are_left_as_they_are() -> None:
    times = np.concatenate([np.arange(10), np.arange(30, 40)]) / 10
    values = np.arange(20.0)[:, None]
    trusted = np.arange(20) % 7 > 0
    points = summarise_curve(times, values, trusted)
    assert len(points.times) == 21
    assert np.isnan(points.median[10, 0])
    assert 0.9 < points.times[10] < 3.0
    np.testing.assert_array_equal(np.delete(points.median[:, 0], 10), values[:, 0])
    np.testing.assert_array_equal(np.delete(points.trusted, 10), trusted)


def test_a_point_of_a_thinned_curve_is_of_its_rows_to_trust() -> None:
    times = np.arange(4000.0)
    doubted = np.arange(4000) % 4 == 0
    points = summarise_curve(times, np.where(doubted, 100.0, 1.0)[:, None], ~doubted, 100)
    assert points.trusted.all()
    assert points.high.max() == 1


def test_faces_of_a_track_do_not_cover_each_other_and_stay_on_the_board(tmp_path: Path) -> None:
    features = read_features(rows_of("a.mp4", wave(100)))
    directions, rows = find_directions(features), np.arange(90, 100)  # all of them at the end
    black = np.zeros((8, 8, 3), np.uint8)
    nothing = select_ends(features, directions, ~everywhere(100))
    image = np.asarray(plot_path(features, directions, [rows], nothing, {int(row): black for row in rows}))
    side = round(PATH_FACE * DPI)
    y = next(y for y in range(len(image)) if (image[y] == 0).all(axis=1).sum() == side * len(rows))
    assert (image[y : y + side] == 0).all(axis=2).sum() == side * side * len(rows)


def test_faces_on_the_map_lie_at_their_dots_cover_it_and_not_each_other() -> None:
    codes = np.random.default_rng(0).normal(size=(3000, 2)) * [3, 2]
    features = read_features(rows_of("a.mp4", codes))
    layout = lay_out_map(features, find_directions(features))
    shown = select_map_faces(layout, everywhere(3000))
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
    assert not len(select_map_faces(layout, ~everywhere(3000)))


def blobs() -> pd.DataFrame:
    middles = np.repeat([[0, 0, 0], [9, 0, 0], [0, 9, 0]], [60, 30, 10], axis=0)
    return rows_of("a.mp4", middles + np.random.default_rng(0).normal(size=(100, 3)))


def test_clusters_are_found_the_largest_first_each_from_its_middle_outwards() -> None:
    features = read_features(blobs())
    found = cluster_rows(features, 3)
    assert [sorted(rows.tolist()) for rows in found] == [[*range(60)], [*range(60, 90)], [*range(90, 100)]]
    for rows in found:
        distances = np.linalg.norm(features.codes[rows] - features.codes[rows].mean(axis=0), axis=1)
        assert (np.diff(distances) >= -1e-5).all()
    assert select_typical(features, found[0], everywhere(100))[0] == found[0][0]


def test_of_few_or_equal_codes_there_are_fewer_clusters_and_none_of_what_is_not_to_be_trusted() -> None:
    assert len(cluster_rows(read_features(rows_of("a.mp4", wave(6))), 9)) == 2
    assert len(cluster_rows(read_features(rows_of("a.mp4", np.repeat(np.eye(4), 20, axis=0))), 9)) == 4
    found = cluster_rows(read_features(rows_of("a.mp4", wave(40), trusted=np.arange(40) < 30)), 5)
    assert sorted(np.concatenate(found).tolist()) == list(range(30))


def test_the_strip_of_a_cluster_tells_when_it_is_seen() -> None:
    features = read_features(rows_of("a.mp4", wave(40), trusted=np.arange(40) < 30))
    (track,) = select_timeline_tracks(features)
    share = bin_membership(features, track, np.arange(10, 20), 0.0, 3.9, 4)
    np.testing.assert_allclose(share[:3], [0, 1, 0])
    assert np.isnan(share[3])


def test_short_clips_of_many_people_have_no_strips(faces: FaceSet) -> None:
    features = read_features(rows_of_face_set(faces))
    assert features.of_face_set
    assert features.groups == faces.subjects
    assert (
        len(features.tracks)
        == len(faces.frames.groupby(["subject", "clip"]))
        == len(select_timeline_tracks(features))
    )
    many = [rows_of("x", wave(4)).assign(subject=f"{k:02d}", clip="joy") for k in range(30)]
    assert select_timeline_tracks(read_features(joined(*many))) == []


def test_every_face_is_cut_out_of_its_own_frame_and_box(tmp_path: Path) -> None:
    file = write_video(tmp_path / "two.mp4", 20)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 20), (200, 30, 60)).save(photo)
    table = joined(
        rows_of(file, wave(20), face=0),
        rows_of(file, wave(20), face=1),
        rows_of(photo, wave(1), time=np.nan).assign(**dict.fromkeys(BOX, np.nan)),
    )
    features = read_features(table)
    place = locate_faces(features, None)
    asked = np.array([3, 7, 12, 23, 27, 39, 40])
    seen: list[tuple[int, int]] = []
    cut, troubles = recut_faces(
        features, asked, place, progress=lambda done, total: seen.append((done, total))
    )
    assert not troubles
    assert seen[-1] == (7, 7)
    assert sorted(cut) == asked.tolist()
    for row, face in cut.items():
        assert face.shape == (SIDE, SIDE, 3)
        if row < 40:
            expected = 20 + STEP * row if row < 20 else 235 - STEP * (row - 20)
            middle = face[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4]
            assert np.abs(middle.astype(int) - expected).max() < STEP / 2
    assert (cut[40] == (200, 30, 60)).all()


def test_a_video_that_became_shorter_gives_the_faces_it_has_and_a_reason(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", 10)
    features = read_features(joined(rows_of(file, wave(20)), rows_of(tmp_path / "gone.mp4", wave(5))))
    place = locate_faces(features, None)
    cut, troubles = recut_faces(features, np.array([2, 9, 12, 15, 22]), place)
    assert sorted(cut) == [2, 9]
    assert troubles == {str(file): "it no longer has frame 12"}


def rows_of_face_set(faces: FaceSet) -> pd.DataFrame:
    codes = pd.DataFrame(wave(len(faces)), columns=[f"z_e_{i:02d}" for i in range(4)])
    return pd.concat([faces.frames, codes], axis=1)


def test_the_pictures_of_a_video_stand_in_one_page_that_loads_nothing(tmp_path: Path) -> None:
    file = write_video(tmp_path / "two.mp4", 26)
    doubt = ["blurred" if 5 < k < 9 else "" for k in range(26)]
    table = joined(
        rows_of(file, wave(26), face=0, doubt=doubt, trusted=[not why for why in doubt]),
        rows_of(file, wave(12, seed=1), face=1, first=14),
    )
    table.to_parquet(tmp_path / "features.parquet")
    table.to_csv(tmp_path / "features.csv", index=False)
    plots = plot_features(tmp_path / "features.parquet")

    assert plots.page == tmp_path / "features-plots" / "index.html"
    assert not plots.notes
    page = Page(plots.page)
    assert re.findall("<h2>(.*?)</h2>", page.text) == [
        "The path of the expression", "A map of the expressions", "Clusters and their most typical faces",
        "What these pictures do not show",
    ]  # fmt: skip
    assert "3 rows are not trusted (blurred: 3)" in page.text
    assert "2 tracked faces" in page.text
    sources = [given["src"] or "" for tag, given in page.tags if tag == "img"]
    assert len(sources) == 3
    assert all(source.startswith("data:image/") for source in sources)
    for name in ("path.png", "map.png", "clusters.png"):
        with Image.open(plots.page.parent / name) as image:
            assert image.width == round(WIDTH * DPI)


def test_a_table_is_the_same_as_parquet_and_as_csv(tmp_path: Path) -> None:
    table = joined(
        rows_of("a.mp4", wave(9), trusted=np.arange(9) > 2), rows_of("b.png", wave(1), time=np.nan)
    )
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv", index=False)
    one, other = read_features(tmp_path / "a.parquet"), read_features(tmp_path / "a.csv")
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.trusted, other.trusted)
    np.testing.assert_array_equal(one.group, other.group)
    assert one.groups == other.groups
    assert one.frames["source"].tolist() == other.frames["source"].tolist()


def test_videos_that_are_gone_or_unreadable_leave_dots_and_a_note(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    table = joined(rows_of(tmp_path / "gone.mp4", wave(30)), rows_of(tmp_path / "text.mp4", wave(20)))
    page, notes = plot_features(table, tmp_path / "plots")
    assert notes == [
        f"faces that cannot be cut again are not shown: {tmp_path / 'gone.mp4'}: the file no longer exists, "
        "and 1 more"
    ]
    assert notes[0][1:] in page.read_text()
    with Image.open(page.parent / "map.png") as image:
        dots = (np.asarray(image) != 255).any(axis=2)
    assert dots.sum() > 500
    features = read_features(table)
    _, troubles = recut_faces(features, np.array([30]), locate_faces(features, None))
    assert "unreadable" in troubles[str(tmp_path / "text.mp4")]


def test_a_credit_stands_below_a_picture_in_as_many_lines_as_it_takes() -> None:
    heights = [
        FaceFigure(1).render(credit).height
        for credit in (None, "Photographs: nobody", "Photographs: nobody " * 20)
    ]
    assert DPI == heights[0] < heights[1] < heights[2]


def test_photos_have_a_map_and_clusters_but_no_path(tmp_path: Path) -> None:
    for k in range(8):
        Image.new("RGB", (32, 32), (30 * k, 200, 90)).save(tmp_path / f"{k}.png")
    tables = [rows_of(tmp_path / f"{k}.png", wave(1, seed=k), time=np.nan) for k in range(8)]
    page, notes = plot_features(joined(*tables), tmp_path / "plots")
    assert not notes
    assert sorted(path.name for path in page.parent.iterdir()) == ["clusters.png", "index.html", "map.png"]


def test_the_faces_of_a_face_set_are_found_where_it_is_named(faces: FaceSet, tmp_path: Path) -> None:
    table = rows_of_face_set(faces)
    _, notes = plot_features(table, tmp_path / "without")
    assert "--faces" in notes[0]
    features = read_features(table.sample(frac=1, random_state=0))
    place = locate_faces(features, faces)
    cut, _ = recut_faces(features, np.arange(5), place, faces)
    for row, face in cut.items():
        assert features.frames["subject"][row] == faces.frames["subject"][place[row]]
        np.testing.assert_array_equal(face, faces.faces[place[row]])
    with pytest.raises(OmoteError, match="not from a face set; leave --faces out"):
        plot_features(rows_of("a.mp4", wave(5)), tmp_path / "no", faces=faces.path)
    with pytest.raises(OmoteError, match="give the one it was made from"):
        plot_features(table.assign(clip="another"), tmp_path / "no", faces=faces.path)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=[f"z_e_{i:02d}" for i in range(4)]), "lacks the columns z_e_00"),
        (lambda t: t.drop(columns="source"), "lacks the columns source"),
        (lambda t: t.rename(columns={"source": "subject"}), "lacks the columns source"),
        (lambda t: t.iloc[:0], "has no rows"),
        (lambda t: t.assign(trusted=np.arange(10) == 3, doubt="dark"), r"1 trusted features in 10 rows \(dark"),
        (lambda t: t.assign(z_e_00=np.nan), "has 0 trusted features in 10 rows"),
        (lambda t: t.assign(z_e_00="much"), "z_e_00 is not numeric"),
        (lambda t: t.assign(trusted="maybe"), "trusted has values other than True and False"),
        (lambda t: t.assign(frame=[0, np.nan] * 5), "frame has gaps"),
        (lambda t: t.assign(model=["omote-1", "omote-2"] * 5), r"several models \(omote-1, omote-2\)"),
        (lambda t: t.assign(**{f"z_e_{i:02d}": 0.5 for i in range(4)}), "are the same"),
    ],
)  # fmt: skip
def test_a_table_without_enough_features_is_refused_in_a_sentence(
    change: Any, message: str, tmp_path: Path
) -> None:
    for suffix in ("parquet", "csv"):
        table = change(rows_of("a.mp4", wave(10)))
        file = tmp_path / f"table.{suffix}"
        table.to_parquet(file) if suffix == "parquet" else table.to_csv(file, index=False)
        with pytest.raises(OmoteError, match=message):
            plot_features(file, tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_what_is_no_table_or_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no table")
    (tmp_path / "empty.csv").touch()
    for name, message in (
        ("none.parquet", "there is no table"),
        ("talk.mp4", "is not a table of features"),
        ("text.parquet", "cannot be read as a table"),
        ("empty.csv", "cannot be read as a table"),
    ):
        with pytest.raises(OmoteError, match=message):
            plot_features(tmp_path / name)
    table = rows_of("a.mp4", wave(5))
    with pytest.raises(OmoteError, match="is a file"):
        plot_features(table, tmp_path / "empty.csv")
    with pytest.raises(OmoteError, match="name a folder"):
        plot_features(table)
    with pytest.raises(OmoteError, match="clusters is 0"):
        plot_features(table, tmp_path / "plots", clusters=0)


def test_times_are_those_of_a_clock() -> None:
    assert [format_time(s) for s in (0, 7, 7.5, 59.96, 750, 3723)] == [
        "0:00",
        "0:07",
        "0:07.5",
        "1:00",
        "12:30",
        "1:02:03",
    ]


def test_a_name_that_is_too_long_loses_its_middle() -> None:
    name = "a very long name of a video, " * 5
    short = shorten_text(name, 10, 2)
    assert short.startswith("a very")
    assert "…" in short
    assert short.endswith(name[-4:])
    assert shorten_text("short.mp4", 10, 2) == "short.mp4"


def test_a_name_with_signs_of_formulas_or_unknown_letters_is_drawn_as_it_is() -> None:
    figure = FaceFigure(1)
    figure.text(1, 0.5, "$\\frac{a}$ 动画 \U000fffff")
    assert figure.render().size == (round(WIDTH * DPI), DPI)


def test_two_rows_are_enough(tmp_path: Path) -> None:
    page, _ = plot_features(rows_of("a.mp4", wave(2)), tmp_path / "plots")
    assert (page.parent / "path.png").is_file()
