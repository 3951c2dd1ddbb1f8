"""When a feature is trusted: the columns `trusted` and `doubt`, and the amounts that they are judged by.

A face is trusted if `find_doubts` gives no reason against it. (With a profile, `omote.features.profile.OTHER_FACE` is
one more reason.) Every amount is a column of its own (`Quality`, `detection_score`, `box_height`, `ood`), so that other
limits can be applied. The limits here were set so that no photo of the London Set is doubted; docs/results/following.md
tells how many faces are doubted as photos get worse. "Photos" below are of that set.
"""

import math
from typing import NamedTuple

import numpy as np

from omote.data.detect import Face
from omote.data.pose import UNKNOWN, estimate_pose
from omote.data.quality import measure_blur

# Of `measure_blur`. Photos have 0.29-0.41; blurred by a Gaussian of 2 of 64 pixels, 0.58-0.72.
MAX_BLUR = 0.6
# Pixels of the box. Photos reduced to 32 have a blur of 0.44-0.57, reduced to 24 of 0.49-0.62, to 16 of 0.56-0.72.
MIN_HEIGHT = 24
# Degrees, of `estimate_pose`: where the far eye begins to disappear, and where the mouth or the eyes do.
MAX_YAW, MAX_PITCH, MAX_ROLL = 30.0, 30.0, 45.0
# Of the detector; a weak sign. Photos have at least 0.93, and at least 0.86 with the lower half of the face covered.
TRUSTED_SCORE = 0.8
# Share of the box outside the picture. Photos have 0; with a third of the face cut away, 0.07-0.22.
MAX_OUTSIDE = 0.05
# Out-of-distribution score, which `omote.runs.ood` scales so that 1 is the limit.
MAX_OOD = 1.0
UNLIKE = "unlike the training faces"  # the reason if it is above


class Quality(NamedTuple):
    """What a face is judged by; each is a column. NaN if unknown."""

    blur: float = math.nan  # of `measure_blur`
    yaw: float = math.nan  # degrees; of `estimate_pose`
    pitch: float = math.nan
    roll: float = math.nan
    outside: float = math.nan  # share of the box outside the picture


def measure_quality(image: np.ndarray, face: Face | None) -> Quality:
    """Return what a face in an (H, W, 3) uint8 RGB picture is judged by; without a face, of a face crop."""
    pose = UNKNOWN if face is None else estimate_pose(image, face)
    outside = math.nan if face is None else share_outside(face.box, image.shape[:2])
    return Quality(measure_blur(image, face), *pose, outside)


def find_doubts(face: Face | None, quality: Quality, ood: float = math.nan) -> list[str]:
    """Return the reasons not to trust the feature of a face, in a fixed order; an empty list if it is good.

    A value that is NaN gives no reason.

    Args:
        face: None of a face crop.
        ood: out-of-distribution score.
    """
    angles = quality.yaw / MAX_YAW, quality.pitch / MAX_PITCH, quality.roll / MAX_ROLL
    reasons = {
        "too blurred": quality.blur > MAX_BLUR,
        "too small": face is not None and bool(face.box[3] < MIN_HEIGHT),
        "turned away": any(abs(angle) > 1 for angle in angles),
        "cut off by the border": quality.outside > MAX_OUTSIDE,
        "detection unsure": face is not None and face.score < TRUSTED_SCORE,
        UNLIKE: ood > MAX_OOD,
    }
    return [reason for reason, holds in reasons.items() if holds]


def share_outside(box: np.ndarray, shape: tuple[int, int]) -> float:
    """Return the share of a box (x, y, width, height) that lies outside a picture of shape (H, W), from 0 to 1."""
    ends = np.minimum(box[:2] + box[2:], shape[::-1])
    inside = np.maximum(ends - np.maximum(box[:2], 0), 0)
    return max(0.0, 1 - float(inside.prod() / max(box[2:].prod(), 1e-9)))
