"""Reasons to doubt a feature: each limit, and good and spoilt photos."""

import math

import numpy as np
import pytest

from omote.data.detect import Face
from omote.data.trust import MIN_HEIGHT, Quality, find_doubts, measure_quality, share_outside
from tests.data.test_quality import BOX, GOOD, resized, softer

SHARP = Quality(0.35, 5, -3, 2, 0)


def test_a_good_face_is_trusted_and_missing_values_give_no_reason() -> None:
    assert find_doubts(GOOD, SHARP, 0.8) == []
    assert find_doubts(GOOD, Quality()) == []
    assert find_doubts(None, Quality(), math.nan) == []


@pytest.mark.parametrize(
    ("reason", "face", "quality", "ood"),
    [
        ("too blurred", GOOD, SHARP._replace(blur=0.7), 0),
        ("too small", GOOD._replace(box=BOX / 4), SHARP, 0),
        ("turned away", GOOD, SHARP._replace(yaw=-35), 0),
        ("turned away", GOOD, SHARP._replace(pitch=35), 0),
        ("turned away", GOOD, SHARP._replace(roll=-90), 0),
        ("detection unsure", GOOD._replace(score=0.65), SHARP, 0),
        ("cut off by the border", GOOD, SHARP._replace(outside=0.2), 0),
        ("unlike the training faces", GOOD, SHARP, 1.01),
    ],
)
def test_each_limit_gives_its_own_reason(reason: str, face: Face, quality: Quality, ood: float) -> None:
    assert find_doubts(face, quality, ood) == [reason]


def test_the_share_of_a_box_outside_the_picture_is_known() -> None:
    shape = (100, 100)
    assert share_outside(np.array([0.0, 0, 100, 100]), shape) == 0
    assert share_outside(np.array([20.0, 10, 60, 80]), shape) == 0
    assert share_outside(np.array([70.0, 10, 60, 80]), shape) == pytest.approx(0.5)
    assert share_outside(np.array([20.0, -20, 60, 80]), shape) == pytest.approx(0.25)
    assert share_outside(np.array([-10.0, -10, 20, 20]), shape) == pytest.approx(0.75)
    assert share_outside(np.array([200.0, 200, 20, 20]), shape) == 1


def test_several_reasons_come_in_a_fixed_order() -> None:
    face = GOOD._replace(score=0.6, box=BOX / 8)
    assert find_doubts(face, SHARP._replace(yaw=50, blur=0.9), 2) == [
        "too blurred",
        "too small",
        "turned away",
        "detection unsure",
        "unlike the training faces",
    ]


def doubted(image: np.ndarray, face: Face) -> list[str]:
    return find_doubts(face, measure_quality(image, face))


def test_good_photos_are_trusted_and_spoilt_ones_are_not(photos: list[tuple[np.ndarray, Face]]) -> None:
    assert all(doubted(image, face) == [] for image, face in photos)
    for image, face in photos:
        assert "too blurred" in doubted(softer(image, 2.5 * face.box[3] / 64), face)
        assert "too small" in doubted(*resized(image, face, 0.9 * MIN_HEIGHT / face.box[3]))
        assert doubted(*resized(image, face, 1.6 * MIN_HEIGHT / face.box[3])) == []
        half = np.ascontiguousarray(image[:, : int(face.box[0] + face.box[2] / 2)])
        assert "cut off by the border" in doubted(half, face)
