"""Open-set verification, as for faces: are two frames of one person, tested on people nothing was fitted on?

A pair is accepted as one person if its codes are near enough. Similarity is minus the Euclidean distance of the
unscaled features, as for the other scores here. Face recognition compares embeddings by cosine, for which they are
trained; but an angle depends on the origin, which is arbitrary for principal components and another tool's columns, and
codes with a normal prior use their length too.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist
from sklearn.metrics import roc_curve

from omote.metrics.score import Array, Score, as_labels, factorize, no_score, why_unscorable

FALSE_ACCEPT_RATES = {"tar_at_far_1e-2": 1e-2, "tar_at_far_1e-3": 1e-3}
VERIFICATION_SCORES = ("eer", *FALSE_ACCEPT_RATES)
MAX_FRAMES = 800  # a third of a million pairs
MIN_FALSE_ACCEPTS = (
    10  # impostor pairs that a false accept rate must allow, so that it is more than one or two odd ones
)


def verification_scores(features: Array, subjects: Any, clips: Any) -> dict[str, Score]:
    """Return `VERIFICATION_SCORES`, over pairs of frames of different clips.

    - eer: the equal error rate, where as large a share of the impostor pairs is accepted as of the genuine pairs is
      refused; 0 is a perfect identity code. Chance is 0.5. Interpolated between thresholds, so ties count half.
    - tar_at_far_1e-2, tar_at_far_1e-3: the share of genuine pairs accepted (true accept rate) at the widest threshold
      that accepts no more than that share of the impostor pairs. Chance is that share. Near chance few genuine pairs
      are accepted, so the interval of the smaller rate rests on a handful (`benchmarks/intervals.py`).

    Genuine pairs are of one subject, impostor pairs of two, whatever their expressions. A code that also holds the
    expression accepts impostors who show the same one, so it gives away more of the person than these scores say.

    Where there are more than `MAX_FRAMES` frames, the same number is taken of every subject and of each of their clips
    as far as they last (`choose_frames`). Every pair counts once.

    Args:
        features: (N, D).
        subjects: (N,) ids.
        clips: (N,) ids within a subject; two people's clips may share an id.
    Returns:
        Scores in [0, 1], without deviation; nan with the reason if there are no images, NaN or collapsed features,
        one subject only, no genuine pair, or too few impostor pairs for `MIN_FALSE_ACCEPTS`.
    Raises:
        ValueError: If the lengths differ, or a subject or clip is missing.
    """
    subjects, clips = as_labels(subjects), as_labels(clips)
    if reason := why_unscorable(features, subjects, "subject"):
        return dict.fromkeys(VERIFICATION_SCORES, no_score(reason))
    clip = factorize(subjects, clips)
    chosen = choose_frames(subjects, clip)
    who, clip = factorize(subjects)[chosen], clip[chosen]
    one, other = np.triu_indices(len(chosen), 1)  # in the order of pdist
    genuine = who[one] == who[other]
    compared = clip[one] != clip[other]
    genuine = genuine[compared]
    if not genuine.any():
        reason = "no subject has two clips"
        return dict.fromkeys(VERIFICATION_SCORES, no_score(reason))

    impostors = int((~genuine).sum())
    distance = pdist(features[chosen].astype(np.float64))[compared]
    far, tar, _ = roc_curve(genuine, -distance, drop_intermediate=False)
    # far + tar grows from 0 to 2 with the threshold, and is 1 where far = 1 - tar
    scores = {"eer": Score(float(np.interp(1, far + tar, far)), chance=0.5)}
    for name, rate in FALSE_ACCEPT_RATES.items():
        if impostors < round(MIN_FALSE_ACCEPTS / rate):
            scores[name] = no_score(f"{impostors} impostor pairs are too few for so small a share of them")
        else:
            scores[name] = Score(float(tar[far <= rate].max()), chance=rate)
    return scores


def choose_frames(subjects: Array, clip: Array) -> Array:
    """Return at most `MAX_FRAMES` row numbers: two of each subject in turn, their clips in turn, shuffled.

    Two at a time, so that there are genuine pairs however many people there are. A subject's shuffle is seeded by their
    id, so it does not depend on who else is there: with another choice for every sample of people, the interval over
    people would be too wide. It does depend on the order of rows within a clip.
    """
    rows = np.concatenate(
        [
            np.random.default_rng([0, *str(subject).encode()]).permutation(
                np.flatnonzero(subjects == subject)
            )
            for subject in np.unique(subjects)
        ]
    )
    rows = rows[np.argsort(_count_before(clip[rows]), kind="stable")]
    return rows[np.argsort(_count_before(subjects[rows]) // 2, kind="stable")][:MAX_FRAMES]


def _count_before(values: Array) -> Array:
    """Return (N,) the number of earlier rows with the same value."""
    return pd.Series(values).groupby(values).cumcount().to_numpy()
