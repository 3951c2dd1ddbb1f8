"""Whether two frames are of one person, asked of people whom nothing was fitted on: open-set verification.

As in face verification: two frames pass as one person's if their codes are near enough. Similarity is minus the
Euclidean distance of the unscaled features, as in the other scores here. Face recognition compares embeddings by their
cosine, for which they are trained; but an angle is seen from an origin, which principal components or another tool's
columns have anywhere, and codes drawn to a normal distribution use their length too.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist
from sklearn.metrics import roc_curve

from omote.metrics.score import Array, Score, as_labels, no_score, numbered, why_not

FALSE_ACCEPTS = {"tar_at_far_1e-2": 1e-2, "tar_at_far_1e-3": 1e-3}
VERIFICATION_SCORES = ("eer", *FALSE_ACCEPTS)
MOST_FRAMES = 800  # a third of a million pairs
LEAST_ACCEPTED = 10  # impostors at a rate of false accepts, so that it is more than one or two odd pairs


def verification_scores(features: Array, subjects: Any, clips: Any) -> dict[str, Score]:
    """Return `VERIFICATION_SCORES`, over pairs of frames of different clips.

    - eer: the equal error rate, where as many impostors pass as are genuine pairs refused; 0 is a perfect identity
      code. Chance is 0.5. Linear between the thresholds, so that ties count half.
    - tar_at_far_1e-2, tar_at_far_1e-3: the share of genuine pairs that pass at the widest threshold at which no more
      than that share of the impostors does. Chance is that share, and near it few genuine pairs pass: an interval
      of the smaller one then rests on a handful of them (`benchmarks/intervals.py`).

    Genuine pairs are of one subject, impostors of two, whatever their expressions: a code that holds the expression too
    lets impostors with the same one pass, and gives the person away by more than these scores say. Of more than
    `MOST_FRAMES` frames, as many of every subject are compared, and as many of each of their clips, as far as they go:
    the first so many in an order that does not depend on who else is there, but on the order of rows within a clip.
    Every pair counts once.

    Args:
        features: (N, D).
        subjects: (N,) ids.
        clips: (N,) ids within a subject; two people's clips may share an id.
    Returns:
        Scores in [0, 1], without deviation; nan with the reason if there are no images, NaN or collapsed features,
        one subject only, no genuine pair, or fewer impostors than make `LEAST_ACCEPTED` false accepts.
    Raises:
        ValueError: If the lengths differ, or a subject or clip is missing.
    """
    subjects, clips = as_labels(subjects), as_labels(clips)
    if reason := why_not(features, subjects, "subject"):
        return dict.fromkeys(VERIFICATION_SCORES, no_score(reason))
    clip = numbered(subjects, clips)
    chosen = compared_frames(subjects, clip)
    who, clip = numbered(subjects)[chosen], clip[chosen]
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
    # far + tar grows from 0 to 2 with every threshold, and is 1 where far = 1 - tar
    scores = {"eer": Score(float(np.interp(1, far + tar, far)), chance=0.5)}
    for name, accepted in FALSE_ACCEPTS.items():
        if impostors < round(LEAST_ACCEPTED / accepted):
            scores[name] = no_score(f"{impostors} impostor pairs are too few for so small a share of them")
        else:
            scores[name] = Score(float(tar[far <= accepted].max()), chance=accepted)
    return scores


def compared_frames(subjects: Array, clip: Array) -> Array:
    """Return the numbers of the rows to compare: two of each subject in turn, of their clips in turn, at random.

    Two, so that there are genuine pairs however many people there are. A subject's frames come in an order that is
    drawn from their id alone: another choice without some of the people would look like scatter between people.
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
    return rows[np.argsort(_count_before(subjects[rows]) // 2, kind="stable")][:MOST_FRAMES]


def _count_before(values: Array) -> Array:
    """Return (N,) how many rows before it have the same value."""
    return pd.Series(values).groupby(values).cumcount().to_numpy()
