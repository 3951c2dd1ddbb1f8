"""How sharp a face is and how the head is turned. `trust.py` decides from them whether its feature is trusted."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from omote.data.cut import cut_middle
from omote.data.detect import Face

# Blur is measured on the face as a network with 64 px input sees it: finer detail does not count, and a small face,
# enlarged to that size, counts as blurred.
SIDE = 64  # pixels of the square
MARGIN = 0.05  # of the box, added on each side
FILTER = 9  # pixels, width of the blur filter, as in the paper

# Yaw, pitch and roll are estimated from five landmarks of an average head, in cm: x to the person's left, y up, z to
# the front (means of `omote.synthetic.rendered.anatomy.LANDMARKS` on the neutral mesh of the ICT Face Model Light).
POINTS = np.array(
    [[-3.18, 3.36, 8.92], [3.18, 3.36, 8.92], [0.0, 0.09, 13.09], [-2.43, -3.47, 10.23], [2.43, -3.47, 10.23]]
)
# The same points where YuNet puts them: its nose lies lower. With them the mean pitch of the London Set, whose people
# look straight ahead, is 0.4 degrees instead of 11.0.
YUNET_POINTS = POINTS - [[0, 0, 0], [0, 0, 0], [0, 0.5, 0], [0, 0, 0], [0, 0, 0]]
CAMERA = 80.0  # cm, assumed distance of the camera from the head


class Pose(NamedTuple):
    """Rotation of a head against the line of sight to it, in degrees; like `nuisance_yaw` etc. of rendered faces."""

    yaw: float  # positive: the nose points to the right of the picture
    pitch: float  # positive: the nose points down
    roll: float  # positive: clockwise in the picture


UNKNOWN = Pose(math.nan, math.nan, math.nan)


def face_square(image: np.ndarray, face: Face, margin: float, size: int) -> np.ndarray:
    """Return the square round a face's box as (size, size, 3): by whole pixels, coarser and faster than `cut_out`.

    A large face is subsampled to at least 2 x 2 pixels per output pixel, so that the time does not grow with its size.
    Outside the picture its border is repeated.
    """
    x, y, width, height = face.box.tolist()
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    step = max(1, side // (2 * size))
    kept, borders = [], []
    for middle, end in ((y + height / 2, image.shape[0]), (x + width / 2, image.shape[1])):
        first = round(middle - side / 2)
        start = min(max(first, 0), end - 1)
        stop = max(min(first + side, end), start + 1)
        kept.append(slice(start, stop, step))
        borders.append((max(0, start - first) // step, max(0, first + side - stop) // step))
    square = image[tuple(kept)]
    if any(map(any, borders)):
        square = np.pad(square, [*borders, (0, 0)], "edge")
    fine = cv2.resize(square, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)  # fast, because the ratio is whole


def measure_blur(image: np.ndarray, face: Face | None = None) -> float:
    """Return how blurred a face is, from 0 (sharp) to 1; without a face, how blurred the picture is.

    It is the share of the differences between neighbouring pixels that remains after a further blur; 1 if there are
    no differences.

    Crété, Dolmiere, Ladret, Nicolas, "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", 2007.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    square = cut_middle(image, SIDE) if face is None else face_square(image, face, MARGIN, SIDE)
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY).astype(np.float32)
    remaining = []
    for axis, kernel in ((0, (1, FILTER)), (1, (FILTER, 1))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        if before.any():
            remaining.append(1 - float(np.maximum(before - after, 0).sum() / before.sum()))
    return max(remaining, default=1.0)


def estimate_pose(face: Face, points: np.ndarray = YUNET_POINTS) -> Pose:
    """Return the rotation of the head by its five landmarks; NaN if they are unknown or coincide.

    It assumes a head of average proportions and a camera at distance CAMERA that points at it, so angles are relative
    to the line of sight, wherever the head is in the picture.

    On rendered faces with true landmarks, the error is 1 to 2 degrees in yaw and roll, and 3 in pitch. With YuNet's
    landmarks it is 3 degrees in yaw and roll; pitch comes out at less than a third of its true value, and a roll of 40
    degrees at half to three quarters.

    Args:
        points: (5, 3) cm, the landmarks on the head: YUNET_POINTS for YuNet's, POINTS for true landmarks.
    """
    head = (points - points.mean(0)) * (1, -1, -1)  # x right, y down, z away: OpenCV's axes
    marks = np.asarray(face.landmarks, np.float64) - np.mean(face.landmarks, axis=0)
    scale = float(np.sqrt((marks**2).sum() / (head[:, :2] ** 2).sum()))  # pixels per cm
    if not (scale > 0 and math.isfinite(scale)):
        return UNKNOWN
    camera = np.diag([CAMERA, CAMERA, 1.0])
    ahead = np.zeros(3), np.array([0.0, 0.0, CAMERA])  # start of the search
    _, turn, _ = cv2.solvePnP(head, marks / scale, camera, None, *ahead, True, cv2.SOLVEPNP_ITERATIVE)
    # The rotation matrix in the axes of `POINTS`, as in `omote.synthetic.rendered.scene`.
    r = cv2.Rodrigues(turn)[0] * np.outer((1, -1, -1), (1, -1, -1))
    yaw = math.asin(min(1.0, max(-1.0, -r[2, 0])))
    pitch = math.atan2(r[2, 1], r[2, 2])
    roll = math.atan2(-r[1, 0], r[0, 0])
    return Pose(math.degrees(yaw), math.degrees(pitch), math.degrees(roll))
