"""Whether a face is fit for a feature: how sharp it is, how the head is turned, and reasons to doubt the feature."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from omote.data.cut import cut_middle
from omote.data.detect import Face

# Sharpness is judged as a network of 64 pixels sees the face, so that what it cannot see does no harm, and a small
# face, enlarged to that side, counts as blurred as it is. The filter is as wide as in the paper.
SIDE, MARGIN, FILTER = 64, 0.05, 9  # pixels; share of the box on each side; pixels

# The five landmarks of the ICT Face Model Light's average head, in cm: x to the person's left, y up, z to the front
# (means of the places in `omote.synthetic.rendered.anatomy.LANDMARKS` on its neutral mesh).
POINTS = np.array(
    [[-3.18, 3.36, 8.92], [3.18, 3.36, 8.92], [0.0, 0.09, 13.09], [-2.43, -3.47, 10.23], [2.43, -3.47, 10.23]]
)
# YuNet marks the nose lower, beside eyes and mouth. This brings the pitch of the London Set, whose people look straight
# ahead, from 11.0 to 0.4 degrees on average.
YUNET_POINTS = POINTS - [[0, 0, 0], [0, 0, 0], [0, 0.5, 0], [0, 0, 0], [0, 0, 0]]
CAMERA = 80.0  # cm from the head

# When to doubt a feature. "Photos" are those of the London Set, on which the limits were found: none of them is doubted
# as it is. What they have when they are spoilt is in docs/results/following.md.
BLURRED = 0.6  # `blur`: photos have 0.29-0.41; 0.58-0.72 with a Gaussian of 2 of 64 pixels
SMALL = 24  # pixels, height of the box: `blur` of photos is 0.44-0.57 at 32, 0.49-0.62 at 24, 0.56-0.72 at 16
TURNED = 30.0  # degrees of yaw, where the far eye begins to go: photos have 9 at most
TIPPED = 12.0  # degrees of pitch by YuNet's landmarks, in truth about 40 (see `pose`): photos have 10 at most
UNSURE = 0.8  # detection score: photos have 0.93 or more; 0.86 or more with the lower half covered, so this says little
CUT_OFF = 0.05  # share of the box outside the picture: photos have 0; 0.07-0.22 with a third of the face away


class Pose(NamedTuple):
    """How a head is turned, against the line of sight to it, in degrees, as `nuisance_yaw` ... of rendered faces."""

    yaw: float  # positive: the nose points to the right of the picture
    pitch: float  # positive: the nose points down
    roll: float  # positive: clockwise in the picture


UNKNOWN = Pose(math.nan, math.nan, math.nan)


def face_square(image: np.ndarray, face: Face, margin: float, size: int) -> np.ndarray:
    """Return the square round a face's box as (size, size, 3), by whole pixels: rougher and quicker than `cut_out`.

    Of a large face every n-th pixel is read, at least 2 x 2 for one of the square, so that the time does not grow
    with it. What lies outside the picture repeats its border.
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
    return cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)  # quick, as the ratio is whole


def blur(image: np.ndarray, face: Face | None = None) -> float:
    """Return how blurred a face of an (H, W, 3) uint8 RGB picture is, 0 sharp to 1; without a face, the picture.

    It is the share of the differences between neighbouring pixels that a further blur leaves; 1 where there are none.

    Crété, Dolmiere, Ladret, Nicolas, "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", 2007.
    """
    square = cut_middle(image, SIDE) if face is None else face_square(image, face, MARGIN, SIDE)
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY).astype(np.float32)
    left = []
    for axis, kernel in ((0, (1, FILTER)), (1, (FILTER, 1))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        if before.any():
            left.append(1 - float(np.maximum(before - after, 0).sum() / before.sum()))
    return max(left, default=1.0)


def pose(face: Face, points: np.ndarray = YUNET_POINTS) -> Pose:
    """Return how the head is turned, from the five landmarks; NaN where they are not known or all one.

    The head is taken to have average proportions, and the camera, of which photos say nothing, to look at its middle
    from CAMERA: so the angles are against the line of sight to the head, wherever it is in the picture.

    With true landmarks, yaw and roll of rendered faces are off by 1 to 2 degrees and pitch by 3. With YuNet's, yaw and
    roll are off by 3; but of pitch less than a third is shown, and of a roll of 40 half to three quarters.

    Args:
        points: (5, 3) cm, the landmarks on the head; POINTS for true landmarks, instead of YuNet's.
    """
    head = (points - points.mean(0)) * (1, -1, -1)  # x right, y down, z away, as OpenCV has it
    marks = np.asarray(face.landmarks, np.float64) - np.mean(face.landmarks, axis=0)
    size = float(np.sqrt((marks**2).sum() / (head[:, :2] ** 2).sum()))  # pixels a cm
    if not (size > 0 and math.isfinite(size)):
        return UNKNOWN
    camera = np.diag([CAMERA, CAMERA, 1.0])
    ahead = np.zeros(3), np.array([0.0, 0.0, CAMERA])  # where the search begins
    _, turn, _ = cv2.solvePnP(head, marks / size, camera, None, *ahead, True, cv2.SOLVEPNP_ITERATIVE)
    # The matrix of `omote.synthetic.rendered.scene.turned`.
    r = cv2.Rodrigues(turn)[0] * np.outer((1, -1, -1), (1, -1, -1))
    yaw, pitch, roll = (
        math.asin(min(1.0, max(-1.0, -r[2, 0]))),
        math.atan2(r[2, 1], r[2, 2]),
        math.atan2(-r[1, 0], r[0, 0]),
    )
    return Pose(math.degrees(yaw), math.degrees(pitch), math.degrees(roll))


def doubts(
    *,
    face: Face | None = None,
    shape: tuple[int, int] | None = None,
    blur: float = math.nan,
    pose: Pose = UNKNOWN,
    ood: float = math.nan,
) -> list[str]:
    """Return the reasons not to trust a face's feature, in a fixed order; none for a good one.

    What is left out, or NaN, is no reason.

    Args:
        shape: height and width of the picture, in pixels.
        blur: as `blur` returns it; pose: as `pose`; ood: distance from the training's faces, 1 at the limit.
    """
    small = unsure = cut_off = False
    if face is not None:
        small, unsure = bool(face.box[3] < SMALL), face.score < UNSURE
        cut_off = shape is not None and _outside(face.box, shape) > CUT_OFF
    reasons = {
        "too blurred": blur > BLURRED,
        "too small": small,
        "turned away": abs(pose.yaw) > TURNED or abs(pose.pitch) > TIPPED,
        "cut off by the border": cut_off,
        "detection unsure": unsure,
        "unlike the training faces": ood > 1,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _outside(box: np.ndarray, shape: tuple[int, int]) -> float:
    ends = np.minimum(box[:2] + box[2:], shape[::-1])
    inside = np.maximum(ends - np.maximum(box[:2], 0), 0)
    return 1 - float(inside.prod() / max(box[2:].prod(), 1e-9))
