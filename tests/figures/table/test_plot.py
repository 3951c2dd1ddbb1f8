"""The pictures of a feature table, their page, and the notes on missing faces."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.figures.style import DPI
from omote.figures.table.crops import locate_faces, recut_faces
from omote.figures.table.face_figure import WIDTH
from omote.figures.table.plot import plot_features
from omote.figures.table.tracks import read_features
from omote.files import locked
from tests.figures.conftest import Page
from tests.figures.table.conftest import (
    concatenate,
    make_face_set_rows,
    make_rows,
    wave,
    write_video,
)


def test_the_pictures_of_a_video_are_in_one_self_contained_page(tmp_path: Path) -> None:
    file = write_video(tmp_path / "two.mp4", 26)
    doubt = ["blurred" if 5 < k < 9 else "" for k in range(26)]
    table = concatenate(
        make_rows(file, wave(26), face=0, doubt=doubt, trusted=[not why for why in doubt]),
        make_rows(file, wave(12, seed=1), face=1, first=14),
    )
    table.to_parquet(tmp_path / "features.parquet")
    table.to_csv(tmp_path / "features.csv", index=False)
    plots = plot_features(tmp_path / "features.parquet")

    assert plots.page == tmp_path / "features-plots" / "index.html"
    assert not plots.notes
    page = Page(plots.page)
    assert re.findall("<h2>(.*?)</h2>", page.text) == [
        "Timelines", "The path of the expression", "A map of the expressions", "Clusters and their most typical faces",
        "What these pictures do not show",
    ]  # fmt: skip
    assert "3 rows are not trusted (blurred: 3)" in page.text
    assert "2 tracked faces" in page.text
    assert "two.mp4, face 0" in page.text
    sources = [given["src"] or "" for tag, given in page.tags if tag == "img"]
    pictures = [given for tag, given in page.tags if tag == "img" and int(given["width"] or 0) > 100]
    assert len(pictures) == 3
    assert all(source.startswith("data:image/") for source in sources)
    for name in ("path.png", "map.png", "clusters.png"):
        with Image.open(plots.page.parent / name) as image:
            assert image.width == round(WIDTH * DPI)


def test_doubts_never_end_in_an_error_but_in_a_note(tmp_path: Path) -> None:
    codes = wave(40)
    table = make_rows("a.mp4", codes, doubt="dark", trusted=np.arange(40) == 3)
    notes = plot_features(table, tmp_path / "a").notes
    assert notes[0] == (
        "39 rows are not trusted (dark: 40). They are drawn like the others, because of the trusted rows, 1, no "
        "picture can be made"
    )
    half = make_rows("a.mp4", codes, trusted=np.arange(40) < 20)
    as_asked = plot_features(half, tmp_path / "b", use_doubted=True).notes
    assert as_asked[0] == "20 rows are not trusted. They are drawn like the others, as you asked"
    assert read_features(half, use_doubted=True).trusted.all()
    plain = plot_features(half, tmp_path / "c")
    assert not any("trusted" in note for note in plain.notes)
    assert "20 rows are not trusted. They affect no direction" in Page(plain.page).text


def test_missing_and_unreadable_videos_leave_dots_and_a_note(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    table = concatenate(
        make_rows(tmp_path / "gone.mp4", wave(30)), make_rows(tmp_path / "text.mp4", wave(20))
    )
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
    _, troubles = recut_faces(features.frames, np.array([30]), locate_faces(features, None))
    assert "unreadable" in troubles[str(tmp_path / "text.mp4")]


def test_photos_have_a_map_and_clusters_but_no_path(tmp_path: Path) -> None:
    for k in range(8):
        Image.new("RGB", (32, 32), (30 * k, 200, 90)).save(tmp_path / f"{k}.png")
    tables = [make_rows(tmp_path / f"{k}.png", wave(1, seed=k), time=np.nan) for k in range(8)]
    page, notes = plot_features(concatenate(*tables), tmp_path / "plots")
    assert not notes
    assert sorted(path.name for path in page.parent.iterdir()) == ["clusters.png", "index.html", "map.png"]


def test_the_faces_of_a_face_set_are_shown_if_it_is_given(faces: FaceSet, tmp_path: Path) -> None:
    table = make_face_set_rows(faces)
    _, notes = plot_features(table, tmp_path / "without")
    assert "--faces" in notes[0]
    features = read_features(table.sample(frac=1, random_state=0))
    place = locate_faces(features, faces)
    cut, _ = recut_faces(features.frames, np.arange(5), place, faces)
    for row, face in cut.items():
        assert features.frames["subject"][row] == faces.frames["subject"][place[row]]
        np.testing.assert_array_equal(face, faces.faces[place[row]])
    with pytest.raises(OmoteError, match="not from a face set; leave --faces out"):
        plot_features(make_rows("a.mp4", wave(5)), tmp_path / "no", faces=faces.path)
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
        (lambda t: t.assign(z_e_00=np.nan), "has 0 features in 10 rows"),
        (lambda t: t.assign(z_e_00="much"), "z_e_00 is not numeric"),
        (lambda t: t.assign(trusted="maybe"), "trusted has values other than True and False"),
        (lambda t: t.assign(frame=[0, np.nan] * 5), "frame has gaps"),
        (lambda t: t.assign(model=["omote-1", "omote-2"] * 5), r"several models \(omote-1, omote-2\)"),
        (lambda t: t.assign(**{f"z_e_{i:02d}": 0.5 for i in range(4)}), "10 rows and all are the same"),
    ],
)  # fmt: skip
def test_a_table_without_enough_features_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    for suffix in ("parquet", "csv"):
        table = change(make_rows("a.mp4", wave(10)))
        file = tmp_path / f"table.{suffix}"
        table.to_parquet(file) if suffix == "parquet" else table.to_csv(file, index=False)
        with pytest.raises(OmoteError, match=message):
            plot_features(file, tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_files_that_are_no_table_and_paths_that_are_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no table")
    (tmp_path / "empty.csv").touch()
    for name, message in (
        ("none.parquet", "there is no table"),
        ("talk.mp4", "is not a table of features"),
        ("text.parquet", "damaged or not a table"),
        ("empty.csv", "damaged or not a table"),
    ):
        with pytest.raises(OmoteError, match=message):
            plot_features(tmp_path / name)
    table = make_rows("a.mp4", wave(5))
    with pytest.raises(OmoteError, match="is a file"):
        plot_features(table, tmp_path / "empty.csv")
    with pytest.raises(OmoteError, match="name a folder"):
        plot_features(table)
    with pytest.raises(OmoteError, match="clusters is 0"):
        plot_features(table, tmp_path / "plots", clusters=0)


def test_a_second_plot_into_a_folder_waits_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.2)
    table, folder = make_rows("a.mp4", wave(2)), tmp_path / "plots"
    folder.mkdir()
    with locked(folder, "is drawing"), pytest.raises(OmoteError, match="Another process is drawing pictures"):
        plot_features(table, folder)
    plot_features(table, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "clusters.png",
        "index.html",
        "map.png",
        "path.png",
    ]


def test_two_rows_are_enough(tmp_path: Path) -> None:
    page, _ = plot_features(make_rows("a.mp4", wave(2)), tmp_path / "plots")
    assert (page.parent / "path.png").is_file()
