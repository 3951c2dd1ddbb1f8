"""Reasons to doubt a feature: each limit, and good and spoilt photos."""

import math

import numpy as np
import pytest

from omote.data.detect import Face
from omote.data.quality import UNKNOWN, Pose, estimate_pose, measure_blur
from omote.data.trust import MIN_HEIGHT, find_doubts
from tests.data.test_quality import BOX, GOOD, resized, softer

SHAPE = (100, 100)  # of a picture


def test_a_good_face_is_trusted_and_missing_values_give_no_reason() -> None:
    assert find_doubts(face=GOOD, shape=SHAPE, blur=0.35, pose=Pose(5, -3, 2), ood=0.8) == []
    assert find_doubts() == []
    assert find_doubts(blur=math.nan, pose=UNKNOWN, ood=math.nan) == []


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
def test_each_limit_gives_its_own_reason(reason: str, known: dict[str, object]) -> None:
    assert find_doubts(**{"face": GOOD, "shape": SHAPE, **known}) == [reason]  # type: ignore[arg-type]


def test_a_face_that_touches_the_border_is_not_cut_off() -> None:
    assert find_doubts(face=GOOD._replace(box=np.array([0.0, 0, 100, 100])), shape=SHAPE) == []


def test_several_reasons_come_in_a_fixed_order() -> None:
    face = GOOD._replace(score=0.6, box=BOX / 8)
    assert find_doubts(ood=2, pose=Pose(50, 0, 0), face=face, blur=0.9) == [
        "too blurred",
        "too small",
        "turned away",
        "detection unsure",
        "unlike the training faces",
    ]


def doubted(image: np.ndarray, face: Face) -> list[str]:
    return find_doubts(
        face=face, shape=image.shape[:2], blur=measure_blur(image, face), pose=estimate_pose(face)
    )


def test_good_photos_are_trusted_and_spoilt_ones_are_not(photos: list[tuple[np.ndarray, Face]]) -> None:
    assert all(doubted(image, face) == [] for image, face in photos)
    for image, face in photos:
        assert "too blurred" in doubted(softer(image, 2.5 * face.box[3] / 64), face)
        assert "too small" in doubted(*resized(image, face, 0.9 * MIN_HEIGHT / face.box[3]))
        assert doubted(*resized(image, face, 1.6 * MIN_HEIGHT / face.box[3])) == []
        half = np.ascontiguousarray(image[:, : int(face.box[0] + face.box[2] / 2)])
        assert "cut off by the border" in doubted(half, face)
