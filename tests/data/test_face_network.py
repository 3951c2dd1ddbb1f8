"""The network that finds faces: its candidates are those of OpenCV's FaceDetectorYN."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from omote.data.face_network import detect_candidates
from omote.data.images import read_photo

LEAST_SCORE = 0.01
PIXELS = 0.01  # tolerance; float32 has steps of 0.0001 at 1000 pixels


def detect_with_opencv(image: np.ndarray, model: Path) -> np.ndarray:
    """Return the rows of FaceDetectorYN for an RGB picture."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    size = image.shape[1::-1]
    yunet = cv2.FaceDetectorYN.create(str(model), "", size, LEAST_SCORE, 0.3, 100_000)
    cv2.utils.logging.setLogLevel(level)
    rows = yunet.detect(np.ascontiguousarray(image[..., ::-1]))[1]
    return np.zeros((0, 15), np.float32) if rows is None else rows


@pytest.mark.parametrize("size", [(512, 512), (320, 240), (97, 33), (1280, 720)])
def test_candidates_are_those_of_opencv(london: Path, detector: Path, size: tuple[int, int]) -> None:
    count = 0
    for file in sorted(london.glob("*.jpg"))[::40]:
        image = cv2.resize(read_photo(file), size, interpolation=cv2.INTER_AREA)
        expected, found = detect_with_opencv(image, detector), detect_candidates(image, detector, LEAST_SCORE)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found[:, :14], expected[:, :14], atol=PIXELS, rtol=0)
        np.testing.assert_allclose(found[:, 14], expected[:, 14], atol=1e-5)
        count += len(found)
    assert count > 6


def test_candidates_of_a_crowd_are_those_of_opencv(london: Path, detector: Path) -> None:
    head = cv2.resize(read_photo(london / "001_03.jpg"), (80, 80), interpolation=cv2.INTER_AREA)
    image = np.tile(head, (8, 10, 1))
    expected, found = detect_with_opencv(image, detector), detect_candidates(image, detector, LEAST_SCORE)
    assert len(expected) >= 80
    # Faces that look alike have almost the same score, so only sorted boxes can be compared.
    expected, found = (rows[np.lexsort(np.round(rows[:, 1::-1]).T)] for rows in (expected, found))
    np.testing.assert_allclose(found, expected, atol=PIXELS, rtol=0)


def test_a_picture_without_candidates_has_no_rows(detector: Path) -> None:
    for shape in ((1, 1, 3), (40, 700, 3)):
        assert detect_candidates(np.full(shape, 128, np.uint8), detector, LEAST_SCORE).shape == (0, 15)


def test_threads_may_share_the_network(london: Path, detector: Path) -> None:
    images = [read_photo(file) for file in sorted(london.glob("*.jpg"))[:6]]
    alone = [detect_candidates(image, detector, LEAST_SCORE) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: detect_candidates(image, detector, LEAST_SCORE), images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
