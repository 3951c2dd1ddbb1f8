"""When a feature is trusted: the columns `trusted` and `doubt` of `omote embed`.

A face is trusted if `find_doubts` gives no reason against it. (With a profile, `omote.features.profile.OTHER_FACE` is
one more reason.) Every limit is a constant here. They were set so that no photo of the London Set is doubted;
docs/results/following.md tells how many faces are doubted as photos get worse. "Photos" below are of that set.
"""

import math

import numpy as np

from omote.data.detect import Face
from omote.data.quality import UNKNOWN, Pose

# Of `measure_blur`. Photos have 0.29-0.41; blurred by a Gaussian of 2 of 64 pixels, 0.58-0.72.
MAX_BLUR = 0.6
# Pixels of the box. Photos reduced to 32 have a blur of 0.44-0.57, reduced to 24 of 0.49-0.62, to 16 of 0.56-0.72.
MIN_HEIGHT = 24
# Degrees, where the far eye begins to disappear. Photos have at most 9.
MAX_YAW = 30.0
# Degrees as estimated from YuNet's landmarks; in truth about 40 (see `estimate_pose`). Photos have at most 10.
MAX_PITCH = 12.0
# Of the detector; a weak sign. Photos have at least 0.93, and at least 0.86 with the lower half of the face covered.
TRUSTED_SCORE = 0.8
# Share of the box outside the picture. Photos have 0; with a third of the face cut away, 0.07-0.22.
MAX_OUTSIDE = 0.05
# Out-of-distribution score, which `omote.runs.ood` scales so that 1 is the limit.
MAX_OOD = 1.0


def find_doubts(
    *,
    face: Face | None = None,
    shape: tuple[int, int] | None = None,
    blur: float = math.nan,
    pose: Pose = UNKNOWN,
    ood: float = math.nan,
) -> list[str]:
    """Return the reasons not to trust the feature of a face, in a fixed order; an empty list if it is good.

    A value that is missing or NaN gives no reason.

    Args:
        face: the detected face.
        shape: (H, W) of the picture, in pixels.
        blur: of `measure_blur`.
        pose: of `estimate_pose`.
        ood: out-of-distribution score.
    """
    small = unsure = cut_off = False
    if face is not None:
        small, unsure = bool(face.box[3] < MIN_HEIGHT), face.score < TRUSTED_SCORE
        cut_off = shape is not None and share_outside(face.box, shape) > MAX_OUTSIDE
    reasons = {
        "too blurred": blur > MAX_BLUR,
        "too small": small,
        "turned away": abs(pose.yaw) > MAX_YAW or abs(pose.pitch) > MAX_PITCH,
        "cut off by the border": cut_off,
        "detection unsure": unsure,
        "unlike the training faces": ood > MAX_OOD,
    }
    return [reason for reason, holds in reasons.items() if holds]


def share_outside(box: np.ndarray, shape: tuple[int, int]) -> float:
    """Return the share of a box (x, y, width, height) that lies outside a picture of shape (H, W)."""
    ends = np.minimum(box[:2] + box[2:], shape[::-1])
    inside = np.maximum(ends - np.maximum(box[:2], 0), 0)
    return 1 - float(inside.prod() / max(box[2:].prod(), 1e-9))
