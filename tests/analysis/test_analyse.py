"""`omote analyse`: drawn people in videos and photos, from a folder to a report."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image

import omote.analysis.analyse as module
from omote.analysis.analyse import (
    COMPARISON,
    EVENTS,
    FEATURES,
    PEOPLE,
    REPORT,
    WORKBOOK,
    Analysis,
    analyse,
    analyse_share,
    join_analysis,
)
from omote.data.face_set import FaceSet
from omote.data.outputs import code_names
from omote.data.shards import read_shares
from omote.errors import OmoteError
from omote.features import stream
from omote.features.axes import Axes, to_axis
from omote.features.comparison import compare_people
from omote.features.embed import embed
from omote.features.events import find_events
from omote.features.profile import DISTANCE, Profile, make_profiles
from omote.formulas import restore_formulas
from omote.runs.trained import Trained
from tests.features.conftest import cast, reader, scene, write_film

__all__ = ["cast", "reader"]

REST, MOVED = 0, 3  # two pictures of each person
FILM = [REST] * 8 + [MOVED] * 4 + [REST] * 4 + [1, 4, 5, 8, 9] * 2  # at 10 frames a second


def faces_of(cast: FaceSet, person: int) -> np.ndarray:
    """Return (n, S, S, 3) faces of a drawn person."""
    return np.asarray(cast.faces[np.flatnonzero(cast.frames["subject"] == cast.subjects[person])])


def show(cast: FaceSet, person: int, number: int, *others: tuple[np.ndarray, int, int]) -> np.ndarray:
    """Return a picture of a drawn person."""
    return scene((faces_of(cast, person)[number], 40, 60), *others)


@pytest.fixture(scope="session")
def people(cast: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """=Ann with a video and a photo; bob with two videos, the second with somebody else; a photo of cem; and a text."""
    root = tmp_path_factory.mktemp("footage") / "people"
    for name in ("=Ann", "bob", "cem"):
        (root / name).mkdir(parents=True)
    write_film(root / "=Ann" / "smile.mov", [show(cast, 0, number) for number in FILM])
    Image.fromarray(show(cast, 0, MOVED)).save(root / "=Ann" / "1.png")
    write_film(root / "bob" / "rest.mov", [show(cast, 1, number) for number in (REST, 2) * 6])
    other = (faces_of(cast, 2)[0], 200, 20)
    both = [show(cast, 1, number, *([other] if place > 4 else [])) for place, number in enumerate(FILM)]
    write_film(root / "bob" / "smile.mov", both)
    Image.fromarray(show(cast, 2, REST)).save(root / "cem" / "1.png")
    (root / "bob" / "notes.txt").write_text("not a picture")
    return root


@pytest.fixture(scope="session")
def axes(reader: Trained, people: Path) -> Axes:
    """An axis that is 0 in Ann's first frames and 1 in those in which she moves."""
    table, _ = embed(reader, [people / "=Ann" / "smile.mov"])
    codes = table[code_names(list(table.columns))].to_numpy(float)
    rest, moved = codes[:6].mean(axis=0), codes[8:12].mean(axis=0)
    weights = (moved - rest) / ((moved - rest) ** 2).sum()
    return Axes(model=reader.model, axes=[to_axis("jaw open", weights, -float(weights @ rest))])


@pytest.fixture(scope="session")
def said() -> list[str]:
    """What the analysis said beforehand."""
    return []


@pytest.fixture(scope="session")
def done(
    people: Path, reader: Trained, axes: Axes, said: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Analysis:
    """The analysis of everybody."""
    to = tmp_path_factory.mktemp("analysis") / "results"
    return analyse(people, to, run=reader, axes=[axes], xlsx=True, tell=said.append)


def test_it_says_first_how_much_there_is_and_how_long_it_will_take(done: Analysis, said: list[str]) -> None:
    assert said[0] == "3 people: 3 videos (0.1 min) and 2 photos."
    assert re.fullmatch(r"About \d+ s for all of it on this machine\.", said[1])
    assert len(said) == 2


def test_the_folder_holds_every_result_and_nothing_else(done: Analysis) -> None:
    assert {path.name for path in done.folder.iterdir()} == {
        FEATURES, EVENTS, PEOPLE, COMPARISON, WORKBOOK, REPORT, "profiles", "skipped.csv", "searched.csv",
    }  # fmt: skip
    assert [path.name for path in done.folder.parent.iterdir()] == ["results"]


def test_every_row_has_its_person_axis_and_distance_from_the_usual_look(done: Analysis) -> None:
    table = pd.read_parquet(done.folder / FEATURES)
    assert list(table.columns[:2]) == ["person", "source"]
    counts = table["person"].value_counts()
    assert counts.to_dict() == {"=Ann": len(FILM) + 1, "bob": len(FILM) + 12, "cem": 1}
    others = table["person"].isna()
    assert set(table["face"][others]) == {1}
    assert {Path(source).name for source in table["source"][others]} == {"smile.mov"}
    assert table["axis_jaw_open"].between(0, 1).all()
    profile = Profile.load(done.folder / "profiles" / "_Ann.json")
    own = table[table["person"] == "=Ann"]
    codes = own[code_names(list(table.columns))].to_numpy(np.float32)
    np.testing.assert_allclose(own[DISTANCE], np.linalg.norm(codes - profile.neutral, axis=1), rtol=1e-5)
    assert table[DISTANCE][(table["person"] == "cem") | others].isna().all()


def test_the_same_comes_out_step_by_step(done: Analysis) -> None:
    table = pd.read_parquet(done.folder / FEATURES)
    profiles = make_profiles(table)
    for name, path in {"=Ann": "_Ann", "bob": "bob"}.items():
        saved = Profile.load(done.folder / "profiles" / f"{path}.json")
        np.testing.assert_allclose(saved.neutral, profiles.profiles[name].neutral, rtol=1e-6)
    assert done.events is not None
    assert done.comparison is not None
    pd.testing.assert_frame_equal(
        done.events.fillna({"note": ""}),
        find_events(table).round(6),
        check_dtype=False,
        rtol=1e-4,
        check_exact=False,
    )
    compared = compare_people(table).table
    np.testing.assert_allclose(done.comparison["value"], compared["value"], rtol=1e-4)
    assert [command.split()[1] for command in done.commands] == [
        "embed", "profile", "embed", "events", "compare", "plot",
    ]  # fmt: skip


def test_people_are_summed_up_with_the_events_of_each_axis(done: Analysis) -> None:
    rows = done.people.set_index("person")
    assert list(rows.index) == ["=Ann", "bob", "cem"]
    assert list(rows["videos"]) == [1, 2, 0]
    assert list(rows["photos"]) == [1, 0, 1]
    assert list(rows["frames"]) == list(rows["faces"]) == [len(FILM) + 1, len(FILM) + 12, 1]
    np.testing.assert_allclose(rows["minutes"], np.array([len(FILM), len(FILM) + 12, 0]) / 600, rtol=1e-4)
    table, events = pd.read_parquet(done.folder / FEATURES), done.events
    assert events is not None
    own = table[table["person"] == "=Ann"]
    assert rows.loc["=Ann", "trusted"] == 1
    assert rows.loc["=Ann", "jaw_open_mean"] == pytest.approx(own["axis_jaw_open"].mean(), rel=1e-5)
    moved = events[(events["person"] == "=Ann") & (events["measure"] == "jaw open")]
    assert 0.7 <= moved["onset"].iloc[0] <= 0.8  # between the last picture at rest and the first that is not
    assert rows.loc["=Ann", "jaw_open_events"] == len(moved)
    assert rows.loc["=Ann", "jaw_open_events_per_minute"] == pytest.approx(
        len(moved) * 600 / len(FILM), rel=1e-4
    )
    assert rows.loc["=Ann", "jaw_open_time_in_events"] == pytest.approx(
        moved["frames"].sum() / len(FILM), rel=1e-4
    )
    assert rows.loc["cem", ["jaw_open_events", "usual_look_expressions"]].isna().all()


def test_nothing_is_left_out_without_a_word(done: Analysis) -> None:
    said = "\n".join(done.left_out)
    assert "bob/notes.txt: neither a photo nor a video that omote reads." in said
    assert f"{len(FILM) - 5} faces of others in bob/smile.mov" in said
    assert "No usual look of cem: only 1 frame; a profile takes at least 5." in said
    assert "notes.txt" in (done.folder / "skipped.csv").read_text()
    page = done.report.read_text()
    assert all(sentence.split(":")[0] in page for sentence in done.left_out)
    assert "face 0 counts" in page
    assert "omote compare features.parquet" in page


def test_the_workbook_holds_the_tables_and_no_formula(done: Analysis) -> None:
    book = load_workbook(done.folder / WORKBOOK)
    assert book.sheetnames == ["people", "events", "comparison"]
    cell = book["people"]["A2"]
    assert (cell.value, cell.data_type) == ("=Ann", "s")
    assert done.events is not None
    assert book["events"].max_row == len(done.events) + 1


def test_it_goes_on_where_it_was_stopped(
    people: Path, reader: Trained, axes: Axes, done: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while it embeds, and again while it writes the report."""
    to, frames, said = tmp_path / "results", [0], list[str]()

    def stop(step: str, frame: int, total: int) -> None:
        frames[0] = frame
        if frame == 40:
            raise KeyboardInterrupt

    monkeypatch.setattr(stream, "PIECE_FACES", 8)
    with pytest.raises(KeyboardInterrupt):
        analyse(people, to, run=reader, axes=[axes], progress=stop)
    assert not to.exists()
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_report", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        seen: list[int] = []
        with pytest.raises(KeyboardInterrupt):
            analyse(
                people,
                to,
                run=reader,
                axes=[axes],
                tell=said.append,
                progress=lambda _, at, __: seen.append(at),
            )
        assert min(seen) > 16  # the first pieces were kept
    assert said[1].startswith("An interrupted analysis goes on. About")
    monkeypatch.setattr(module, "embed_to", None)  # nothing is embedded again
    again = analyse(people, to, run=reader, axes=[axes])
    assert (to / PEOPLE).read_text() == (done.folder / PEOPLE).read_text()
    assert again.left_out == done.left_out
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_an_analysis_of_joined_parts_is_that_of_one_command(
    done: Analysis, people: Path, reader: Trained, axes: Axes, tmp_path: Path
) -> None:
    for number in (2, 1):
        analyse_share(people, tmp_path / "parts", (number, 2), run=reader, axes=[axes], xlsx=True)
    joined = join_analysis(read_shares(tmp_path / "parts"), tmp_path / "results")
    sentences = [(one.summary, one.left_out, one.commands) for one in (joined, done)]
    assert sentences[0] == sentences[1]
    assert {path.name for path in joined.folder.iterdir()} == {path.name for path in done.folder.iterdir()}
    pd.testing.assert_frame_equal(
        pd.read_parquet(joined.folder / FEATURES),
        pd.read_parquet(done.folder / FEATURES),
        rtol=1e-4,
        atol=1e-5,
    )
    for name in (PEOPLE, EVENTS, COMPARISON, "skipped.csv", "searched.csv"):
        one, other = (pd.read_csv(folder / name) for folder in (joined.folder, done.folder))
        pd.testing.assert_frame_equal(one, other, rtol=1e-3, atol=1e-4)


def test_parts_of_files_that_changed_since_make_no_analysis(
    people: Path, reader: Trained, tmp_path: Path
) -> None:
    own = tmp_path / "people"
    shutil.copytree(people / "cem", own / "cem")
    analyse_share(own, tmp_path / "parts", (1, 1), run=reader)
    shutil.copy(own / "cem" / "1.png", own / "cem" / "2.png")
    with pytest.raises(OmoteError, match="have changed since the parts were made"):
        join_analysis(read_shares(tmp_path / "parts"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_manifest_names_people_and_adds_its_columns(people: Path, reader: Trained, tmp_path: Path) -> None:
    manifest = tmp_path / "who.csv"
    manifest.write_text(
        "path;subject;condition\n=Ann/smile.mov;01;before\nbob/rest.mov;02;before\nbob/smile.mov;02;after\n"
        "gone.mov;03;after\n"
    )
    done = analyse(
        people, tmp_path / "results", run=reader, manifest=manifest, conditions=("before", "after")
    )
    table = pd.read_parquet(done.folder / FEATURES)
    assert set(table["person"].dropna()) == {"01", "02"}
    assert list(done.people["person"]) == ["01", "02"]
    assert table.groupby("person")["condition"].unique().map(set).to_dict() == {
        "01": {"before"}, "02": {"before", "after"},
    }  # fmt: skip
    said = "\n".join(done.left_out)
    assert "gone.mov: file is missing." in said
    assert "No comparison of people: a comparison takes two people" in said


def test_another_face_can_be_the_person(people: Path, reader: Trained, tmp_path: Path) -> None:
    (tmp_path / "people" / "dan").mkdir(parents=True)
    shutil.copy(people / "bob" / "smile.mov", tmp_path / "people" / "dan" / "1.mov")
    done = analyse(tmp_path / "people", tmp_path / "results", run=reader, face=1)
    table = pd.read_parquet(done.folder / FEATURES)
    assert set(table["face"][table["person"] == "dan"]) == {1}
    assert done.comparison is None
    assert "face 1 counts" in done.report.read_text()
    assert "dan/1.mov: another face is in more frames than the one that counts" in "\n".join(done.left_out)
    with pytest.raises(OmoteError, match="give one of them"):
        analyse(tmp_path / "people", tmp_path / "more", run=reader, face=1, photo=people / "cem" / "1.png")


def test_a_photo_for_each_person_tells_their_face(people: Path, reader: Trained, tmp_path: Path) -> None:
    (tmp_path / "people" / "cem").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    shutil.copy(people / "bob" / "smile.mov", tmp_path / "people" / "cem" / "1.mov")
    with pytest.raises(OmoteError, match=r"no photo of cem"):
        analyse(tmp_path / "people", tmp_path / "results", run=reader, photo=tmp_path / "photos")
    shutil.copy(people / "cem" / "1.png", tmp_path / "photos" / "cem.png")
    done = analyse(tmp_path / "people", tmp_path / "results", run=reader, photo=tmp_path / "photos")
    table = pd.read_parquet(done.folder / FEATURES)
    assert set(table["face"][table["person"] == "cem"]) == {1}


def test_photos_alone_have_no_events_and_no_timeline_of_one(
    people: Path, reader: Trained, tmp_path: Path
) -> None:
    (tmp_path / "people" / "cem").mkdir(parents=True)
    shutil.copy(people / "cem" / "1.png", tmp_path / "people" / "cem")
    done = analyse(tmp_path / "people", tmp_path / "results", run=reader)
    said = "\n".join(done.left_out)
    assert (done.events, done.comparison) == (None, None)
    for sentence in ("No usual look of anybody", "No events", "No comparison of people", "No timelines"):
        assert sentence in said
    assert not any(sentence.endswith("..") for sentence in done.left_out)


def test_a_finished_analysis_is_kept_unless_asked(
    people: Path, reader: Trained, axes: Axes, tmp_path: Path
) -> None:
    (tmp_path / "people" / "cem").mkdir(parents=True)
    shutil.copy(people / "cem" / "1.png", tmp_path / "people" / "cem")
    done = analyse(tmp_path / "people", tmp_path / "results", run=reader)
    with pytest.raises(OmoteError, match="exists already"):
        analyse(tmp_path / "people", done.folder, run=reader)
    analyse(tmp_path / "people", done.folder, run=reader, overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(OmoteError, match="is no analysis, so it is not overwritten"):
        analyse(tmp_path / "people", tmp_path / "mine", run=reader, overwrite=True)
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "There is no folder"),
        (["a.txt"], "has no photos or videos"),
        (["1.png"], "in no subfolders, so their subjects are unknown"),
    ],
)
def test_a_bad_folder_is_one_sentence(made: list[str], message: str, reader: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    for name in made:
        folder.mkdir(exist_ok=True)
        if name.endswith(".png"):
            Image.new("RGB", (8, 8)).save(folder / name)
        else:
            (folder / name).write_text("x")
    with pytest.raises(OmoteError, match=message):
        analyse(folder, tmp_path / "results", run=reader)
    assert not (tmp_path / "results").exists()


def test_tables_are_read_as_they_were_written(done: Analysis) -> None:
    assert restore_formulas(pd.read_csv(done.folder / PEOPLE))["person"].iloc[0] == "=Ann"
    assert (done.folder / PEOPLE).read_text().splitlines()[1].startswith("'=Ann")
