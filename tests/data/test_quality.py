"""Blur: known answers, drawn faces, and real photos."""

import cv2
import numpy as np
import pytest

from omote.data.detect import Face
from omote.data.face_set import FaceSet
from omote.data.quality import face_square, measure_blur
from omote.data.trust import MAX_BLUR

BOX = np.array([20.0, 10.0, 60.0, 80.0])
GOOD = Face(0.95, BOX, np.array([[36.0, 40], [64, 40], [50, 55], [40, 70], [60, 70]]))


def picture(pattern: np.ndarray) -> np.ndarray:
    return np.repeat(pattern.astype(np.uint8)[..., None], 3, axis=2)


def softer(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))


def resized(image: np.ndarray, face: Face, scale: float) -> tuple[np.ndarray, Face]:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way))
    return small, Face(face.score, face.box * scale, face.landmarks * scale)


def test_blur_of_stripes_and_of_a_ramp_is_known() -> None:
    columns = np.arange(64)[None] + np.zeros((64, 1))
    # Nine neighbouring columns hold 4 or 5 bright ones, so their mean keeps a ninth of the difference.
    assert measure_blur(picture(columns % 2 * 180)) == pytest.approx(1 / 9, abs=0.02)
    assert measure_blur(picture(columns * 4)) > 0.9  # blurring changes a ramp only at its ends
    assert measure_blur(picture(0 * columns)) == 1


def test_the_measure_grows_with_the_blur(faces: FaceSet) -> None:
    for image in faces.faces[::8]:
        values = [measure_blur(image), *(measure_blur(softer(image, sigma)) for sigma in (1, 2, 3))]
        assert values == sorted(values)
        assert values[0] < MAX_BLUR < values[-1]


def test_enlarging_does_not_make_a_small_face_sharper(faces: FaceSet) -> None:
    image, face = faces.faces[0], Face(1.0, np.array([8.0, 4, 48, 56]), np.zeros((5, 2)))
    small, its_face = resized(image, face, 0.25)
    large, larger_face = resized(small, its_face, 8)
    assert measure_blur(small, its_face) > measure_blur(image, face) + 0.15
    assert measure_blur(large, larger_face) == pytest.approx(measure_blur(small, its_face), abs=0.06)


def test_sharp_and_blurred_photos_are_on_either_side_of_the_limit(
    photos: list[tuple[np.ndarray, Face]],
) -> None:
    sharp = [measure_blur(image, face) for image, face in photos]
    assert max(sharp) < 0.45
    assert min(measure_blur(softer(image, 2.5 * face.box[3] / 64), face) for image, face in photos) > MAX_BLUR
    for scale in (0.5, 3):  # size does not matter if there are enough pixels
        again = [measure_blur(*resized(image, face, scale)) for image, face in photos]
        np.testing.assert_allclose(again, sharp, atol=0.05)


def test_the_square_shows_the_box_and_repeats_the_border() -> None:
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
