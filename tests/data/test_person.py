"""Which face is the person's: videos of two people in turn and side by side, made of photos."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from omote.cli.display import show_face_set
from omote.data.detect import find_faces
from omote.data.face_set import FaceSet
from omote.data.images import read_photo
from omote.data.person import Which
from omote.data.prepare import prepare
from omote.errors import OmoteError

ANN, BOB = "001", "012"  # of the London Set
LENGTH = 6  # frames of a shot


def write_video(file: Path, images: Sequence[np.ndarray]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    height, width = images[0].shape[:2]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        stream.time_base = Fraction(1, 10)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def people(london: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """turns/x.mp4 shows ann, then bob, then ann; both/x.mp4 shows both, bob larger."""
    folder = tmp_path_factory.mktemp("people")
    ann, bob = (
        cv2.resize(read_photo(london / f"{who}_03.jpg"), (256, 256), interpolation=cv2.INTER_AREA)
        for who in (ANN, BOB)
    )
    write_video(folder / "turns" / "sam" / "x.mp4", [*[ann] * LENGTH, *[bob] * LENGTH, *[ann] * LENGTH])
    small = np.full_like(ann, 230)
    small[64:, 32:224] = cv2.resize(ann, (192, 192), interpolation=cv2.INTER_AREA)
    write_video(folder / "both" / "sam" / "x.mp4", [np.hstack([small, bob])] * LENGTH)
    return folder


def prepared(folder: Path, to: Path, detector: Path, **options: Any) -> FaceSet:
    return prepare(folder, to, detector=detector, workers=1, **options)


def photo(who: str, london: Path) -> Path:
    return london / f"{who}_08.jpg"  # another one than in the videos


def is_right_half(face_set: FaceSet) -> list[bool]:
    return (face_set.frames["box_x"] > 256).tolist()


def test_a_cut_to_another_person_begins_another_clip_and_is_said(
    people: Path, tmp_path: Path, detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    face_set = prepared(people / "turns", tmp_path / "set", detector)
    show_face_set(face_set)
    said = capsys.readouterr().out
    assert (
        "sam/x.mp4 shows 2 faces one after another, and became 2 clips of sam; if one is somebody else"
        in said
    )
    assert "contact_sheet.jpg" in said
    frames = face_set.frames
    assert frames["clip"].tolist() == [*["x"] * LENGTH, *["x, face 1"] * LENGTH, *["x"] * LENGTH]
    assert frames["frame"].tolist() == list(range(3 * LENGTH))


def test_a_number_tells_the_person_in_a_video_with_cuts(people: Path, tmp_path: Path, detector: Path) -> None:
    face_set = prepared(people / "turns", tmp_path / "set", detector, face=1)
    assert face_set.frames["frame"].tolist() == list(range(LENGTH, 2 * LENGTH))
    assert face_set.skipped()["reason"].unique().tolist() == ["not face 1"]
    assert face_set.about.options["face"] == 1


def test_of_two_people_side_by_side_one_can_be_chosen(
    people: Path, tmp_path: Path, detector: Path, london: Path
) -> None:
    with pytest.raises(OmoteError, match="two people: 6"):
        prepared(people / "both", tmp_path / "none", detector)
    choices: dict[str, dict[str, Any]] = {
        "largest": {"largest": 1}, "second": {"face": 1}, "ann": {"photo": photo(ANN, london)},
        "bob": {"photo": photo(BOB, london)},
    }  # fmt: skip
    sides = {
        name: is_right_half(prepared(people / "both", tmp_path / name, detector, **options))
        for name, options in choices.items()
    }
    assert sides == {
        "largest": [True] * LENGTH, "second": [False] * LENGTH, "ann": [False] * LENGTH, "bob": [True] * LENGTH
    }  # fmt: skip


def test_a_photo_of_each_subject_can_be_given_in_a_folder(
    people: Path, tmp_path: Path, detector: Path, london: Path
) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(
        OmoteError, match=r"has no photo of sam; expected one for each person, such as sam\.jpg"
    ):
        prepared(people / "turns", tmp_path / "set", detector, photo=tmp_path / "photos")
    (tmp_path / "photos" / "sam.jpg").write_bytes(photo(BOB, london).read_bytes())
    face_set = prepared(people / "turns", tmp_path / "set", detector, photo=tmp_path / "photos")
    assert face_set.frames["frame"].tolist() == list(range(LENGTH, 2 * LENGTH))
    assert face_set.skipped()["reason"].unique().tolist() == ["not the person of the photo"]


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (Which(face=-1), "face is -1; expected a number from 0"),
        (Which(face=0, photo="ann.jpg"), "give one of them"),
    ],
)
def test_contradictions_are_refused(which: Which, message: str) -> None:
    with pytest.raises(OmoteError, match=message):
        which.check()


def test_a_photo_that_cannot_be_used_is_named(tmp_path: Path, detector: Path) -> None:
    with pytest.raises(OmoteError, match=r"nobody\.jpg of the person cannot be used"):
        Which(photo=tmp_path / "nobody.jpg").read_photos(["ann"], detector)


def test_half_faces_and_blurred_ones_are_kept_and_named(
    london: Path, tmp_path: Path, detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = read_photo(london / f"{ANN}_03.jpg")
    folder = tmp_path / "photos" / "ann"
    folder.mkdir(parents=True)
    x, _, width, height = find_faces(image, detector)[0].box.tolist()
    half = image[:, : int(x + 0.6 * width)]
    blurred = cv2.GaussianBlur(image, (0, 0), 3 * height / 64)
    for name, picture in (("good", image), ("half", half), ("soft", blurred)):
        Image.fromarray(picture).save(folder / f"{name}.png")
    face_set = prepared(tmp_path / "photos", tmp_path / "set", detector)
    doubts = dict(zip(face_set.frames["clip"], face_set.frames["doubt"], strict=True))
    assert doubts["good"] == ""
    assert "cut off by the border" in doubts["half"]
    assert "too blurred" in doubts["soft"]
    assert face_set.frames["outside"][0] == 0
    show_face_set(face_set)
    assert "2 kept that are worth a look (column doubt): " in capsys.readouterr().out
