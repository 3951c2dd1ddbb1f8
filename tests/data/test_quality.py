"""Blur, pose and reasons to doubt a feature: known answers, rendered faces with the truth, and real photos."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from omote.data.detect import Face, only_face
from omote.data.face_set import FaceSet
from omote.data.images import read_photo
from omote.data.quality import (
    BLURRED,
    POINTS,
    SMALL,
    TIPPED,
    TURNED,
    UNKNOWN,
    YUNET_POINTS,
    Pose,
    blur,
    doubts,
    face_square,
    pose,
)
from omote.synthetic.rendered import Circumstances, Head, Look, read_face_model
from omote.synthetic.rendered.scene import turned

BOX = np.array([20.0, 10.0, 60.0, 80.0])
GOOD = Face(0.95, BOX, np.array([[36.0, 40], [64, 40], [50, 55], [40, 70], [60, 70]]))
SHAPE = (100, 100)  # of a picture


def picture(pattern: np.ndarray) -> np.ndarray:
    return np.repeat(pattern.astype(np.uint8)[..., None], 3, axis=2)


def softer(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))


def resized(image: np.ndarray, face: Face, scale: float) -> tuple[np.ndarray, Face]:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way))
    return small, Face(face.score, face.box * scale, face.landmarks * scale)


@pytest.fixture(scope="module")
def photos(london: Path, detector: Path) -> list[tuple[np.ndarray, Face]]:
    """Every eighth photo of the London Set, and its face."""
    shown = []
    for file in sorted(london.glob("*.jpg"))[::8]:
        image = read_photo(file)
        face = only_face(image, detector)
        assert isinstance(face, Face)
        shown.append((image, face))
    return shown


# Blur


def test_blur_of_stripes_and_of_a_ramp_is_known() -> None:
    columns = np.arange(64)[None] + np.zeros((64, 1))
    # Nine columns in turns hold 4 or 5 bright ones: an average leaves a ninth of the difference.
    assert blur(picture(columns % 2 * 180)) == pytest.approx(1 / 9, abs=0.02)
    assert blur(picture(columns * 4)) > 0.9  # a ramp stays one, but for its ends
    assert blur(picture(0 * columns)) == 1


def test_blur_grows_with_the_blur(faces: FaceSet) -> None:
    for image in faces.faces[::8]:
        values = [blur(image), *(blur(softer(image, sigma)) for sigma in (1, 2, 3))]
        assert values == sorted(values)
        assert values[0] < BLURRED < values[-1]


def test_a_small_face_counts_as_blurred_as_it_is_however_it_is_enlarged(faces: FaceSet) -> None:
    image, face = faces.faces[0], Face(1.0, np.array([8.0, 4, 48, 56]), np.zeros((5, 2)))
    small, its_face = resized(image, face, 0.25)
    large, larger_face = resized(small, its_face, 8)
    assert blur(small, its_face) > blur(image, face) + 0.15
    assert blur(large, larger_face) == pytest.approx(blur(small, its_face), abs=0.06)


def test_sharp_photos_are_not_blurred_and_blurred_ones_are(photos: list[tuple[np.ndarray, Face]]) -> None:
    sharp = [blur(image, face) for image, face in photos]
    assert max(sharp) < 0.45
    assert min(blur(softer(image, 2.5 * face.box[3] / 64), face) for image, face in photos) > BLURRED
    for scale in (0.5, 3):  # the size of a face that has pixels enough says nothing
        again = [blur(*resized(image, face, scale)) for image, face in photos]
        np.testing.assert_allclose(again, sharp, atol=0.05)


def test_a_quick_square_shows_the_box_and_repeats_the_border() -> None:
    y, x = np.mgrid[:100, :100]
    image = np.dstack([x, y, 0 * x]).astype(np.uint8)
    face = Face(1.0, np.array([30.0, 20, 40, 40]), np.zeros((5, 2)))
    square = face_square(image, face, 0.0, 20)
    np.testing.assert_allclose(square[..., 0], 30 + 2 * np.arange(20)[None] + np.zeros((20, 1)), atol=1)
    np.testing.assert_allclose(square[..., 1], 20 + 2 * np.arange(20)[:, None] + np.zeros((1, 20)), atol=1)
    outside = Face(1.0, np.array([-20.0, 70, 40, 40]), np.zeros((5, 2)))
    square = face_square(image, outside, 0.0, 20)
    assert square.shape == (20, 20, 3)
    assert (square[:, :9, 0] == 0).all()
    assert (square[-4:, :, 1] == 99).all()
    assert (
        face_square(image, Face(1.0, np.array([200.0, 200, 10, 10]), np.zeros((5, 2))), 0.0, 20).max() == 99
    )


# Pose


def seen(yaw: float, pitch: float, roll: float, points: np.ndarray, scale: float = 7.0) -> Face:
    """Return a face whose landmarks are the points of a head that is turned, seen from far away."""
    x, y, _ = turned(yaw, pitch, roll).astype(float) @ (points - points.mean(0)).T
    return Face(1.0, BOX, scale * np.column_stack([x, -y]) + (300, 200))


@pytest.mark.parametrize("points", [POINTS, YUNET_POINTS])
@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (25, 0, 0), (0, -15, 0), (0, 0, 30), (-20, 10, -8), (40, -20, 15)]
)
def test_known_angles_are_found_again(points: np.ndarray, angles: tuple[float, float, float]) -> None:
    # From far away there is no perspective, which `pose` expects: a difference of a degree or two.
    np.testing.assert_allclose(pose(seen(*angles, points), points), angles, atol=2.5)


def test_the_place_and_the_size_of_the_face_do_not_matter() -> None:
    one = pose(seen(12, 5, -4, YUNET_POINTS))
    other = seen(12, 5, -4, YUNET_POINTS, scale=0.9)
    np.testing.assert_allclose(pose(other._replace(landmarks=other.landmarks + 1000)), one, atol=0.01)


@pytest.mark.parametrize("landmarks", [np.full((5, 2), math.nan), np.full((5, 2), 7.0)])
def test_without_landmarks_the_pose_is_not_known(landmarks: np.ndarray) -> None:
    assert all(math.isnan(angle) for angle in pose(GOOD._replace(landmarks=landmarks)))


def test_true_landmarks_of_rendered_heads_give_their_angles(model_file: Path) -> None:
    model = read_face_model(model_file)
    rng = np.random.default_rng(0)
    angles = rng.uniform((-30, -20, -20), (30, 20, 20), (24, 3))
    heads = [Head(model, rng.normal(0, 1, 100), Look()) for _ in range(2)]
    for head in heads:
        found = []
        for yaw, pitch, roll in angles.tolist():
            rendered = head.render(np.zeros(57), Circumstances(yaw=yaw, pitch=pitch, roll=roll), 32)
            found.append(pose(Face(1.0, rendered.box, rendered.landmarks), POINTS))
        off = np.array(found) - angles
        assert (np.abs(off).mean(0) < (3, 7, 2)).all()  # the head is not of average proportions
        assert (off.std(0) < (3, 3, 2)).all()  # which shifts the angles more than it scales them
        assert all(
            np.corrcoef(one, other)[0, 1] > 0.98
            for one, other in zip(np.array(found).T, angles.T, strict=True)
        )


def test_people_who_look_straight_ahead_are_seen_to(photos: list[tuple[np.ndarray, Face]]) -> None:
    found = np.array([pose(face) for _, face in photos])
    assert (np.abs(found.mean(0)) < 2).all()
    assert (np.abs(found).max(0) < (TURNED / 2, TIPPED, 12)).all()


# Doubts


def test_a_good_face_is_not_doubted_and_what_is_not_known_is_no_reason() -> None:
    assert doubts(face=GOOD, shape=SHAPE, blur=0.35, pose=Pose(5, -3, 2), ood=0.8) == []
    assert doubts() == []
    assert doubts(blur=math.nan, pose=UNKNOWN, ood=math.nan) == []


@pytest.mark.parametrize(
    ("reason", "known"),
    [
        ("too blurred", {"blur": 0.7}),
        ("too small", {"face": GOOD._replace(box=BOX / 4)}),
        ("turned away", {"pose": Pose(-35, 0, 0)}),
        ("turned away", {"pose": Pose(0, 15, 0)}),
        ("detection unsure", {"face": GOOD._replace(score=0.65)}),
        ("cut off by the border", {"face": GOOD._replace(box=np.add(BOX, (30, 0, 0, 0))), "shape": SHAPE}),
        (
            "cut off by the border",
            {"face": GOOD._replace(box=np.subtract(BOX, (0, 20, 0, 0))), "shape": SHAPE},
        ),
        ("unlike the training faces", {"ood": 1.01}),
    ],
)
def test_each_reason_is_told_alone(reason: str, known: dict[str, object]) -> None:
    assert doubts(**{"face": GOOD, "shape": SHAPE, **known}) == [reason]  # type: ignore[arg-type]


def test_a_face_that_reaches_the_border_is_whole() -> None:
    assert doubts(face=GOOD._replace(box=np.array([0.0, 0, 100, 100])), shape=SHAPE) == []


def test_several_reasons_come_in_a_fixed_order() -> None:
    face = GOOD._replace(score=0.6, box=BOX / 8)
    assert doubts(ood=2, pose=Pose(50, 0, 0), face=face, blur=0.9) == [
        "too blurred",
        "too small",
        "turned away",
        "detection unsure",
        "unlike the training faces",
    ]


def doubted(image: np.ndarray, face: Face) -> list[str]:
    return doubts(face=face, shape=image.shape[:2], blur=blur(image, face), pose=pose(face))


def test_good_photos_are_trusted_and_bad_ones_are_not(photos: list[tuple[np.ndarray, Face]]) -> None:
    assert all(doubted(image, face) == [] for image, face in photos)
    for image, face in photos:
        assert "too blurred" in doubted(softer(image, 2.5 * face.box[3] / 64), face)
        assert "too small" in doubted(*resized(image, face, 0.9 * SMALL / face.box[3]))
        assert doubted(*resized(image, face, 1.6 * SMALL / face.box[3])) == []
        half = np.ascontiguousarray(image[:, : int(face.box[0] + face.box[2] / 2)])
        assert "cut off by the border" in doubted(half, face)
