"""Head pose: the network's file, rendered heads that it never saw, whatever their expression, and real photos."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from omote.data.detect import Face, find_faces, find_only_face
from omote.data.images import read_photo
from omote.data.pose import WEIGHTS, estimate_pose
from omote.data.trust import MAX_PITCH, MAX_YAW, find_doubts, measure_quality
from omote.synthetic.rendered import Appearance, Head, Nuisance, read_face_model
from omote.synthetic.rendered.expressions import PROTOTYPES, animate
from omote.synthetic.rendered.model import FaceModel

SIZE = 192


@pytest.fixture(scope="module")
def heads(model_file: Path) -> list[Head]:
    model: FaceModel = read_face_model(model_file)
    rng = np.random.default_rng(5)
    return [
        Head(model, np.clip(rng.normal(0, 1, 100), -2, 2), Appearance(skin_tone=tone)) for tone in (0.2, 0.7)
    ]


def found(head: Head, now: Nuisance, expression: str, detector: Path) -> np.ndarray:
    amounts = animate(PROTOTYPES[expression], np.ones(1), 0.0, np.random.default_rng(0))[0]
    image = head.render(amounts, replace(now, scale=0.55), SIZE).image
    return np.array(estimate_pose(image, find_faces(image, detector)[0]))


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 250_000


def test_yaw_pitch_and_roll_of_heads_that_were_not_trained_are_found(
    heads: list[Head], detector: Path
) -> None:
    rng = np.random.default_rng(2)
    angles = rng.uniform((-40, -30, -25), (40, 30, 25), (12, 3))
    errors = [
        found(heads[i % 2], Nuisance(yaw=yaw, pitch=pitch, roll=roll), "neutral", detector)
        - (yaw, pitch, roll)
        for i, (yaw, pitch, roll) in enumerate(angles.tolist())
    ]
    assert (np.abs(errors).mean(0) < (6, 6, 5)).all()
    assert (np.abs(errors).max(0) < (15, 15, 15)).all()


@pytest.mark.parametrize("pitch", [-20, 0, 20])
def test_the_expression_does_not_move_the_pitch(heads: list[Head], detector: Path, pitch: int) -> None:
    for head in heads:
        neutral, *others = (
            found(head, Nuisance(pitch=pitch), expression, detector)[1]
            for expression in ("neutral", "happiness", "surprise", "disgust", "sadness")
        )
        assert max(abs(other - neutral) for other in others) < 0.3 * MAX_PITCH


@pytest.mark.parametrize("angle", [-90, -50, 45, 90])
def test_roll_is_found_far_from_upright(photos: list[tuple[np.ndarray, Face]], angle: int) -> None:
    for image, face in photos[:4]:
        middle = face.box[:2] + face.box[2:] / 2
        about = cv2.getRotationMatrix2D(middle.tolist(), -angle, 1)
        turned = np.asarray(cv2.warpAffine(image, about, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))
        roll = estimate_pose(turned, face).roll
        assert abs((roll - angle + 180) % 360 - 180) < 20


def test_most_faces_in_turned_pictures_are_doubted(london: Path, detector: Path) -> None:
    """The detector finds them and places the box and the landmarks of an upright face."""
    doubted = []
    for file in sorted(london.glob("*_03.jpg"))[::12]:
        for rotation in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE):
            turned = np.asarray(cv2.rotate(read_photo(file), rotation))
            for face in find_faces(turned, detector)[:1]:
                doubted.append(bool(find_doubts(face, measure_quality(turned, face))))
    assert len(doubted) > 20
    assert np.mean(doubted) > 0.75


def test_size_and_place_of_the_face_hardly_matter(photos: list[tuple[np.ndarray, Face]]) -> None:
    for image, face in photos[:6]:
        one = estimate_pose(image, face)
        small = np.asarray(cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA))
        shifted = np.pad(small, ((0, 50), (90, 0), (0, 0)), "edge")
        there = Face(1.0, face.box * 0.4 + (90, 0, 0, 0), face.landmarks)
        np.testing.assert_allclose(estimate_pose(shifted, there), one, atol=4)


def test_nobody_is_turned_away_by_smiling(london: Path, detector: Path) -> None:
    """The photos show people who look straight ahead, neutral and smiling."""
    poses: dict[str, list[np.ndarray]] = {"03": [], "08": []}
    for file in sorted(london.glob("*_0[38].jpg"))[::7]:
        image = read_photo(file)
        face = find_only_face(image, detector)
        assert isinstance(face, Face)
        poses[file.stem[4:]].append(np.array(estimate_pose(image, face)))
    for of in poses.values():
        assert (np.abs(of).max(0)[:2] < (MAX_YAW / 2, 0.7 * MAX_PITCH)).all()
    neutral, smiling = (np.mean(of, 0)[1] for of in poses.values())
    assert abs(smiling - neutral) < 3
