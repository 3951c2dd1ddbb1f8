from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from omote.data.clips import Listing
from omote.data.importers.ckplus import list_ckplus
from omote.data.prepare import prepare_dataset
from omote.errors import OmoteError
from tests.data.test_prepare import photo

IMAGES, EMOTION = "cohn-kanade-images", "Emotion"


def write_sequence(images: Path, subject: str, name: str, frames: int) -> None:
    for number in range(1, frames + 1):
        photo(images / subject / name / f"{subject}_{name}_{number:08d}.png", 10 * number, (64, 64))


def write_label(emotion: Path, subject: str, name: str, frame: int, text: str) -> None:
    file = emotion / subject / name / f"{subject}_{name}_{frame:08d}_emotion.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def write_published(root: Path, images: str = IMAGES, emotion: str = EMOTION) -> Path:
    """Write S005 with 11 frames of disgust, S010 with 5 of anger and 9 without a label."""
    write_sequence(root / images, "S005", "001", 11)
    write_sequence(root / images, "S010", "002", 5)
    write_sequence(root / images, "S010", "010", 9)
    (root / images / "S010" / ".DS_Store").write_text("")
    write_label(root / emotion, "S005", "001", 11, "   3.0000000e+00\n")
    write_label(root / emotion, "S010", "002", 5, "   1.0000000e+00\n")
    (root / emotion / "S010" / "010").mkdir(exist_ok=True)
    return root


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """The last three frames of a sequence of anger and of one of happiness, of the same person."""
    for number in (15, 16, 17):
        photo(tmp_path / "CK+48" / "anger" / f"S010_004_000000{number}.png", number, (48, 48))
        photo(tmp_path / "CK+48" / "happy" / f"S010_006_000000{number}.png", 100 + number, (48, 48))
    return tmp_path / "CK+48"


def describe(listing: Listing) -> list[tuple[str, str, list[tuple[int | None, str | None, str]]]]:
    return [
        (clip.subject, clip.name, [(file.frame, file.expression, file.use) for file in clip.files])
        for clip in listing.clips
    ]


def test_sequences_are_trained_at_intervals_and_evaluated_at_their_end(tmp_path: Path) -> None:
    listing = list_ckplus(write_published(tmp_path))
    d = "disgust"
    assert describe(listing) == [
        ("S005", "001", [(0, None, "train"), (2, None, "train"), (3, None, "train"), (5, None, "train"),
                         (7, None, "train"), (8, d, "both"), (9, d, "evaluate"), (10, d, "both")]),
        ("S010", "002", [(0, None, "train"), (1, None, "train"), *[(i, "anger", "both") for i in (2, 3, 4)]]),
        ("S010", "010", [(i, None, "train") for i in (0, 1, 3, 4, 5, 7, 8)]),
    ]  # fmt: skip
    assert listing.clips[0].files[1].path == "S005/001/S005_001_00000003.png"
    assert listing.skipped == []
    assert not listing.cropped


def test_the_numbers_of_frames_are_options(tmp_path: Path) -> None:
    listing = list_ckplus(write_published(tmp_path), train_frames=2, evaluate_frames=1)
    assert describe(listing)[0] == ("S005", "001", [(0, None, "train"), (10, "disgust", "both")])


@pytest.mark.parametrize(
    ("images", "emotion"),
    [
        (IMAGES, EMOTION),
        (f"extended-cohn-kanade-images/{IMAGES}", f"Emotion_labels/{EMOTION}"),
        (IMAGES, f"Emotion_labels/{EMOTION}"),
    ],
)
def test_the_folders_are_found_as_the_archives_unpack(tmp_path: Path, images: str, emotion: str) -> None:
    root = write_published(tmp_path / "all" / "ck", images, emotion)
    expected = describe(list_ckplus(root))
    assert len(expected) == 3
    for path in (root.parent, root / images, (root / images).parent):
        assert describe(list_ckplus(path)) == expected


def test_a_damaged_or_foreign_emotion_file_is_listed_and_its_sequence_is_only_trained_on(
    tmp_path: Path,
) -> None:
    root = write_published(tmp_path)
    write_label(root / EMOTION, "S005", "001", 11, "3.0 oops")
    write_label(root / EMOTION, "S010", "010", 12, "   5.0000000e+00\n")
    write_label(root / EMOTION, "S099", "001", 7, "   5.0000000e+00\n")
    write_label(root / EMOTION, "S010", "002", 0, "   2.0000000e+00\n")
    (root / EMOTION / "notes.txt").write_text("1")
    listing = list_ckplus(root)
    assert {item["source"]: item["reason"] for item in listing.skipped} == {
        "Emotion/S005/001/S005_001_00000011_emotion.txt":
            "label not used: '3.0 oops' is none of the numbers 1 to 7",
        "Emotion/S010/002/S010_002_00000005_emotion.txt":
            "label not used: as Emotion/S010/002/S010_002_00000000_emotion.txt is there",
        "Emotion/S010/002/S010_002_00000000_emotion.txt":
            "label not used: its frame is not there, the last one is 5",
        "Emotion/S010/010/S010_010_00000012_emotion.txt":
            "label not used: its frame is not there, the last one is 9",
        "Emotion/S099/001/S099_001_00000007_emotion.txt": "label not used: no images of it",
        "Emotion/notes.txt": "name does not fit: expected such as S005/001/S005_001_00000011_emotion.txt",
    }  # fmt: skip
    assert listing.counts() == {"subjects": 2, "clips": 3, "labelled clips": 0, "files": 7 + 5 + 7}


def test_frames_after_the_labelled_one_are_not_evaluated(tmp_path: Path) -> None:
    root = write_published(tmp_path)
    write_label(root / EMOTION, "S010", "010", 7, "   6.0000000e+00\n")
    _, _, frames = describe(list_ckplus(root))[2]
    assert [frame for frame in frames if frame[1]] == [
        (4, "sadness", "both"),
        (5, "sadness", "both"),
        (6, "sadness", "evaluate"),
    ]


@pytest.mark.parametrize("text", ["", "0.0", "8", "2.5", "nan", "x"])
def test_text_that_is_not_the_number_of_an_emotion_is_not_a_label(tmp_path: Path, text: str) -> None:
    root = write_published(tmp_path)
    write_label(root / EMOTION, "S005", "001", 11, text)
    listing = list_ckplus(root)
    assert listing.counts()["labelled clips"] == 1
    assert len(listing.skipped) == 1


def test_an_image_in_the_folder_of_another_sequence_is_listed(tmp_path: Path) -> None:
    root = write_published(tmp_path)
    photo(root / IMAGES / "S010" / "002" / "S010_003_00000006.png")
    listing = list_ckplus(root)
    assert [item["source"] for item in listing.skipped] == ["S010/002/S010_003_00000006.png"]
    assert describe(listing) == describe(list_ckplus(root))
    assert listing.counts()["labelled clips"] == 2


def test_the_flat_form_serves_both_uses_and_is_cropped(flat: Path) -> None:
    photo(flat / "bored" / "S010_007_00000001.png")
    listing = list_ckplus(flat.parent)
    assert describe(listing) == [
        ("S010", "004", [(i, "anger", "both") for i in (14, 15, 16)]),
        ("S010", "006", [(i, "happiness", "both") for i in (14, 15, 16)]),
    ]
    assert listing.cropped
    assert [item["source"] for item in listing.skipped] == ["bored/S010_007_00000001.png"]


def test_first_and_last_frames_of_a_sequence_in_two_folders_are_two_clips(flat: Path, tmp_path: Path) -> None:
    photo(flat / "neutral" / "S010_004_00000001.png")
    listing = list_ckplus(flat)
    assert describe(listing) == [
        ("S010", "004/anger", [(i, "anger", "both") for i in (14, 15, 16)]),
        ("S010", "004/neutral", [(0, "neutral", "both")]),
        ("S010", "006", [(i, "happiness", "both") for i in (14, 15, 16)]),
    ]
    frames = prepare_dataset("ckplus", flat, tmp_path / "set", workers=1).frames
    assert frames["clip"].tolist() == ["004/anger"] * 3 + ["004/neutral"] + ["006"] * 3


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    root = write_published(tmp_path / "ck")
    with pytest.raises(OmoteError, match=r"It is a part of .*/ck: give that folder"):
        list_ckplus(root / IMAGES / "S010")
    (tmp_path / "photos").mkdir()
    photo(tmp_path / "photos" / "ann.png")
    with pytest.raises(OmoteError, match=r"for cohn-kanade-images/S005.*; found ann.png"):
        list_ckplus(tmp_path / "photos")
    (root / EMOTION).rename(root / "Emotions")
    with pytest.raises(OmoteError, match="no emotion files: looked for Emotion and Emotion_labels/Emotion"):
        list_ckplus(root)


def test_images_in_two_places_are_refused(tmp_path: Path) -> None:
    root = write_published(tmp_path)
    write_published(tmp_path, f"extended-cohn-kanade-images/{IMAGES}")
    with pytest.raises(OmoteError, match="has both cohn-kanade-images and extended-cohn-kanade-images/"):
        list_ckplus(root)


def test_the_published_form_becomes_a_face_set(tmp_path: Path) -> None:
    faces = prepare_dataset(
        "ckplus", write_published(tmp_path / "ck"), tmp_path / "set", cropped=True, workers=1
    )
    frames = faces.frames.query("subject == 'S005'")
    assert frames["frame"].tolist() == [0, 2, 3, 5, 7, 8, 9, 10]
    assert frames["use"].tolist() == ["train"] * 5 + ["both", "evaluate", "both"]
    assert frames["expression"].fillna("").tolist() == [""] * 5 + ["disgust"] * 3
    assert_array_equal(faces.faces[:8, 0, 0, 0], 10 * (frames["frame"] + 1))  # the pixels of the right frames
    assert (faces.frames["dataset"] == "ckplus").all()
    assert faces.subjects == ["S005", "S010"]
    assert faces.about.importer == "ckplus"
    assert faces.about.options["train_frames"] == 7
    assert faces.about.options["evaluate_frames"] == 3
    assert faces.about.found == {"subjects": 2, "clips": 3, "labelled clips": 2}
    assert faces.about.published == {"subjects": 123, "clips": 593, "labelled clips": 327}
    assert "jeffcohn.net" in str(faces.about.licence)


def test_the_flat_form_becomes_a_face_set_without_a_detector(flat: Path, tmp_path: Path) -> None:
    faces = prepare_dataset("ckplus", flat, tmp_path / "set", workers=1)
    assert faces.frames["clip"].tolist() == ["004"] * 3 + ["006"] * 3
    assert faces.frames["expression"].tolist() == ["anger"] * 3 + ["happiness"] * 3
    assert faces.frames["frame"].tolist() == [14, 15, 16] * 2
    assert (faces.frames["use"] == "both").all()
    assert faces.about.options["cropped"] is True
    assert faces.about.detector_sha256 is None
    assert_array_equal(faces.faces[:, 0, 0, 0], [15, 16, 17, 115, 116, 117])
