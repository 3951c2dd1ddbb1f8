"""Face detection: faces of all sizes, one person or several, and where the model file comes from."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import omote
from omote.data import detect
from omote.data.cut import cut_out, cut_square
from omote.data.detect import Face, Search, find_detector, find_faces, find_only_face
from omote.data.images import read_photo
from omote.errors import OmoteError


@pytest.fixture(scope="module")
def photo(london: Path) -> np.ndarray:
    return read_photo(london / "001_03.jpg")


@pytest.fixture(scope="module")
def other(london: Path) -> np.ndarray:
    return read_photo(london / "005_08.jpg")


def canvas(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def found(image: np.ndarray, model: Path) -> Face:
    face = find_only_face(image, model)
    assert isinstance(face, Face), face
    return face


def test_box_and_landmarks_of_a_portrait_are_plausible(photo: np.ndarray, detector: Path) -> None:
    face = found(photo, detector)
    assert face.score > 0.8
    x, y, width, height = face.box
    right_eye, left_eye, nose, right_corner, left_corner = face.landmarks
    assert 150 < x < 200
    assert 120 < y < 170
    assert 140 < width < height < 260
    assert right_eye[0] < nose[0] < left_eye[0]  # the person's right is on the left
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_corner[1], left_corner[1])


@pytest.mark.parametrize("scale", [0.08, 0.25, 1, 2, 6])
def test_a_face_is_found_at_every_scale_and_in_pixels_of_the_source(
    photo: np.ndarray, detector: Path, scale: float
) -> None:
    one = found(photo, detector)
    image = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert found(image, detector).box / scale == pytest.approx(one.box, abs=25)


def test_a_small_face_in_a_large_picture_is_found(photo: np.ndarray, detector: Path) -> None:
    image = canvas(2000, 3000)
    image[600:700, 1500:1600] = cv2.resize(photo, (100, 100), interpolation=cv2.INTER_AREA)
    assert found(image, detector).box == pytest.approx([1534, 628, 33, 45], abs=8)


def test_a_face_that_fills_the_picture_is_found(photo: np.ndarray, detector: Path) -> None:
    tight = cut_out(photo, found(photo, detector), 400, "none", -0.1)
    assert found(tight, detector).box[3] > 350


def test_two_people_are_refused_but_a_small_face_in_the_background_is_ignored(
    photo: np.ndarray, other: np.ndarray, detector: Path
) -> None:
    assert find_only_face(np.hstack([photo, other]), detector) == "two people"
    behind = np.hstack([photo, canvas(512, 512)])
    behind[:120, 600:720] = cv2.resize(other, (120, 120), interpolation=cv2.INTER_AREA)
    assert len(find_faces(np.ascontiguousarray(behind), detector)) == 2
    assert found(behind, detector).box == pytest.approx(found(photo, detector).box, abs=15)


def paste(
    image: np.ndarray, photo: np.ndarray, height: float, middle: tuple[float, float], model: Path
) -> None:
    """Paint the head of a photo into a picture, an ellipse whose face has about this height."""
    x, y, width, tall = found(photo, model).box
    head = cut_square(photo, (x + width / 2, y + tall * 0.4), 1.5 * tall, 0.0, round(1.5 * height))
    mask = cv2.ellipse(
        np.zeros(head.shape[:2]),
        (len(head) // 2,) * 2,
        (len(head) * 2 // 5, len(head) // 2),
        0,
        0,
        360,
        1,
        -1,
    )
    left, top = (round(at - len(head) / 2) for at in middle)
    part = image[max(top, 0) : top + len(head), max(left, 0) : left + len(head)]
    shown = (slice(-part.shape[0], None), slice(-part.shape[1], None))
    np.copyto(part, head[shown], where=mask[shown][..., None] > 0)


def test_small_faces_are_found_whatever_the_size_of_another_face(
    photo: np.ndarray, other: np.ndarray, detector: Path
) -> None:
    small = []
    for speaker in (0, 210, 250, 290, 336):
        image = canvas(720, 1280)
        for column in range(4):
            paste(image, photo if column % 2 else other, 100, (150 + 320 * column, 110), detector)
        if speaker:
            paste(image, photo, speaker, (640, 450), detector)
        faces = sorted(find_faces(image, detector), key=lambda face: face.box[1])
        assert len(faces) == 4 + (speaker > 0)
        small.append(np.array(sorted(face.box.tolist() for face in faces[:4])))
    assert np.abs(np.array(small) - small[0]).max() < 5


def test_a_fast_search_ends_with_the_first_clear_face(
    photo: np.ndarray, other: np.ndarray, detector: Path
) -> None:
    image = canvas(720, 1280)
    paste(image, photo, 400, (500, 350), detector)
    paste(image, other, 40, (1100, 100), detector)
    assert len(find_faces(image, detector)) == 2
    assert len(find_faces(image, detector, Search(fast=True))) == 1


def test_a_crowd_is_found_whole(photo: np.ndarray, other: np.ndarray, detector: Path) -> None:
    image = canvas(960, 960)
    for row in range(12):
        for column in range(12):
            paste(
                image,
                photo if (row + column) % 2 else other,
                50,
                (40 + 80 * column, 40 + 80 * row),
                detector,
            )
    assert len(find_faces(image, detector)) == 144


def test_a_head_has_one_box_and_heads_that_overlap_have_one_each(
    london: Path, photo: np.ndarray, other: np.ndarray, detector: Path
) -> None:
    close = read_photo(london / "067_03.jpg")
    close = cut_square(close, (256, 262), 300, 0.0, 1280)  # the network sees two faces, parts of this one
    raw = cv2.FaceDetectorYN.create(str(detector), "", (1280, 1280), score_threshold=0.6, nms_threshold=0.3)
    assert len(raw.detect(close[..., ::-1].copy())[1]) == 2
    assert len(detect.detect(close, 1.0, detector)) == 1
    for height in (60, 200):
        image = canvas(480, 640)
        paste(image, photo, height, (320, 240), detector)
        paste(image, other, height, (320 + 0.6 * height, 240 + 0.1 * height), detector)
        assert len(find_faces(image, detector)) == 2


def test_the_largest_faces_are_kept(photo: np.ndarray, other: np.ndarray, detector: Path) -> None:
    behind = np.hstack([photo, canvas(512, 512)])
    behind[:300, 600:900] = cv2.resize(other, (300, 300), interpolation=cv2.INTER_AREA)
    both, one = find_faces(behind, detector), find_faces(behind, detector, Search(largest=1))
    assert len(both) == 2
    assert [face.box.tolist() for face in one] == [both[0].box.tolist()]
    assert find_only_face(behind, detector) == "two people"
    kept = find_only_face(behind, detector, Search(largest=1))
    assert isinstance(kept, Face)
    assert kept.box.tolist() == both[0].box.tolist()
    with pytest.raises(OmoteError, match="largest is 0; expected at least 1"):
        Search(largest=0).check()


@pytest.mark.parametrize("shape", [(300, 200), (1, 1), (1, 400), (2000, 30)])
def test_pictures_of_nobody_have_no_face(detector: Path, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert find_only_face(noise, detector) == "no face"


def test_a_named_detector_is_used_and_its_checksum_is_checked(
    tmp_path: Path, detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMOTE_DETECTOR", raising=False)
    assert find_detector(detector) == detector
    monkeypatch.setenv("OMOTE_DETECTOR", str(detector))
    assert find_detector() == detector
    (tmp_path / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(
        OmoteError, match=r"not the expected detector: its sha256 is [0-9a-f]{64}, expected 8f2383"
    ):
        find_detector(tmp_path / "model.onnx")
    with pytest.raises(OmoteError, match="no detector file"):
        find_detector(tmp_path / "none.onnx")


def test_the_detector_comes_with_omote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMOTE_DETECTOR", raising=False)
    file = find_detector()
    assert file.is_relative_to(Path(omote.__file__).parent)
    assert "MIT License" in (file.parent / "LICENSE.yunet").read_text(encoding="utf-8")


def test_the_error_says_that_omote_has_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMOTE_DETECTOR", str(tmp_path / "none.onnx"))
    with pytest.raises(OmoteError, match=r"Leave out --detector and OMOTE_DETECTOR, and omote takes its own"):
        find_detector()
