from pathlib import Path

import pytest

from omote.data.clips import Listing
from omote.data.importers.mug import list_mug
from omote.data.prepare import prepare_dataset
from omote.errors import OmoteError
from tests.data.test_prepare import photo


def write_take(folder: Path, frames: int, first: int = 0) -> None:
    for number in range(first, first + frames):
        photo(folder / f"img_{number:04d}.jpg", number, (64, 64))


@pytest.fixture
def mug(tmp_path: Path) -> Path:
    """Two people, one in a folder within a folder; takes of 13 frames."""
    root = tmp_path / "subjects3"
    write_take(root / "001" / "anger" / "take000", 13)
    write_take(root / "001" / "mixed" / "take000", 13)
    write_take(root / "001" / "neutral" / "take000", 3)
    write_take(root / "010" / "010" / "happiness" / "take002", 13, first=20)
    return root


def describe(listing: Listing) -> dict[tuple[str, str], list[tuple[int | None, str | None, str]]]:
    return {
        (clip.subject, clip.name): [(file.frame, file.expression, file.use) for file in clip.files]
        for clip in listing.clips
    }


def test_sequences_are_trained_at_intervals_and_evaluated_in_their_middle(mug: Path) -> None:
    listing = list_mug(mug)
    train = [(i, None, "train") for i in (0, 2, 4)]
    after = [(i, None, "train") for i in (8, 10, 12)]
    middle = [(5, "evaluate"), (6, "both"), (7, "evaluate")]
    assert describe(listing) == {
        ("001", "anger/take000"): [*train, *[(i, "anger", use) for i, use in middle], *after],
        ("001", "mixed/take000"): [*train, (6, None, "train"), *after],
        ("001", "neutral/take000"): [(i, "neutral", "both") for i in (0, 1, 2)],
        ("010", "happiness/take002"): [*train, *[(i, "happiness", use) for i, use in middle], *after],
    }
    assert listing.clips[3].files[0].path == "010/010/happiness/take002/img_0020.jpg"
    assert listing.skipped == []


def test_the_numbers_of_frames_are_options(mug: Path) -> None:
    clips = describe(list_mug(mug, train_frames=2, evaluate_frames=1))
    assert clips["001", "anger/take000"] == [
        (0, None, "train"),
        (6, "anger", "evaluate"),
        (12, None, "train"),
    ]


@pytest.fixture
def takes(mug: Path) -> Path:
    """Four takes of one expression: the first has a gap, the second is cut short, the others are whole."""
    folder = mug / "001" / "disgust"
    write_take(folder / "take000", 5)
    write_take(folder / "take000", 7, first=6)
    write_take(folder / "take001", 3)
    write_take(folder / "take002", 9)
    write_take(folder / "take003", 13)
    return mug


def evaluated(listing: Listing, folder: str) -> list[str]:
    return [
        clip.name
        for clip in listing.clips
        if clip.name.startswith(folder) and any(file.use != "train" for file in clip.files)
    ]


def test_one_take_of_a_person_and_expression_is_scored_the_first_that_is_whole(takes: Path) -> None:
    listing = list_mug(takes)
    assert evaluated(listing, "disgust") == ["disgust/take002"]
    assert evaluated(listing, "anger") == ["anger/take000"]
    assert evaluated(listing, "neutral") == ["neutral/take000"]  # of three frames, but there is no other
    assert evaluated(list_mug(takes, takes=2), "disgust") == ["disgust/take002", "disgust/take003"]
    longest = ["disgust/take000", "disgust/take002", "disgust/take003"]
    assert evaluated(list_mug(takes, takes=3), "disgust") == longest
    assert len(evaluated(list_mug(takes, takes=0), "disgust")) == 4
    with pytest.raises(OmoteError, match="takes is -1"):
        list_mug(takes, takes=-1)


def test_takes_that_are_not_scored_are_trained_on_without_their_expression(takes: Path) -> None:
    frames = describe(list_mug(takes))["001", "disgust/take003"]
    assert len(frames) == 7
    assert {(label, use) for _, label, use in frames} == {(None, "train")}
    assert list_mug(takes).counts()["labelled clips"] == 4  # of 8


def test_the_folder_above_is_accepted_and_the_one_below_refused_with_a_hint(mug: Path) -> None:
    assert describe(list_mug(mug.parent)) == describe(list_mug(mug))
    with pytest.raises(OmoteError, match=f"It is a part of {mug}: give that folder"):
        list_mug(mug / "001")
    with pytest.raises(OmoteError, match=f"It is a part of {mug}: give that folder"):
        list_mug(mug / "001" / "anger")


def test_a_wrong_folder_is_refused_with_what_is_there(tmp_path: Path) -> None:
    photo(tmp_path / "ann" / "smile.jpg")
    with pytest.raises(OmoteError, match=r"for 001/anger/take000/img_0000.jpg.*; found ann\."):
        list_mug(tmp_path)


def test_images_outside_a_take_are_listed(mug: Path) -> None:
    photo(mug / "001" / "anger" / "take000end" / "img_0000.jpg")
    photo(mug / "001" / "manual" / "img_0000.jpg")
    listing = list_mug(mug)
    assert [item["source"] for item in listing.skipped] == [
        "001/anger/take000end/img_0000.jpg",
        "001/manual/img_0000.jpg",
    ]
    assert len(listing.clips) == 4


def test_mug_becomes_a_face_set(mug: Path, tmp_path: Path) -> None:
    faces = prepare_dataset("mug", mug, tmp_path / "set", cropped=True, workers=1)
    frames = faces.frames.query("subject == '010'")
    assert frames["frame"].tolist() == [0, 2, 4, 5, 6, 7, 8, 10, 12]
    assert frames["clip"].unique().tolist() == ["happiness/take002"]
    assert frames["expression"].dropna().tolist() == ["happiness"] * 3
    assert (frames["use"] != "train").tolist() == [False] * 3 + [True] * 3 + [False] * 3
    red = faces.faces[frames.index, 0, 0, 0].astype(int)
    assert abs(red - frames["frame"] - 20).max() <= 2  # JPEG
    assert faces.about.found == {"subjects": 2, "clips": 4}
    assert faces.about.published == {"subjects": 52, "clips": 1462}
