"""How well the subject can be told from a code: near chance is the aim for expressions, 1 for identities.

The paper has no such score. Frames of one clip lie together in any code, so whose they are is asked across
clips.
"""

from typing import Any

import numpy as np

from omote.metrics.probes import Probe, held_out_predictions
from omote.metrics.score import (
    Answers,
    Array,
    Score,
    as_labels,
    mean_score,
    no_answers,
    no_score,
    numbered,
    why_not,
)

LEAKAGE_SCORES = ("subject_nearest_neighbour", "subject_probe")
DISTANCES_AT_ONCE = 4_000_000  # of a block of the nearest-neighbour search: 32 MB


def leakage_scores(features: Array, subjects: Any, clips: Any, *, folds: int = 5) -> dict[str, Score]:
    """Return `LEAKAGE_SCORES`, from `nearest_neighbour_leakage` (any expression) and `probe_leakage`."""
    return {
        "subject_nearest_neighbour": nearest_neighbour_leakage(features, subjects, clips),
        "subject_probe": probe_leakage(features, subjects, clips, folds=folds),
    }


def nearest_neighbour_leakage(features: Array, subjects: Any, clips: Any, expressions: Any = None) -> Score:
    """Return the share of frames whose nearest frame of another clip, anyone's, is of the same subject.

    Euclidean, unscaled. Of equally near frames, the share of the same subject counts. Asked of every frame
    whose subject has another clip; the others' frames can still be the nearest. Where every subject has one
    clip only, the nearest of all other frames is asked for, and the reason says so: that is far easier.

    With `expressions`, the nearest must also show another expression, and the frames asked are those whose
    subject has one in another clip. Without, a code that holds the expression beside the person is let off
    where a person shows each expression in one clip: the nearest is then someone else with the same face on.

    Chance is the expectation of a neighbour drawn evenly from the frames that are allowed. The deviation is
    between subjects, over each one's share.

    Args:
        features: (N, D).
        subjects: (N,) ids.
        clips: (N,) ids within a subject; two people's clips may share an id.
        expressions: (N,) labels, or None.
    Returns:
        Score in [0, 1]; nan with the reason if there are no images, NaN or collapsed features, one subject
        only, or no subject with another frame that is allowed.
    Raises:
        ValueError: If the lengths differ, or a subject, clip or expression is missing.
    """
    subjects = as_labels(subjects)
    if reason := why_not(features, subjects, "subject"):
        return no_score(reason)
    who, clip = numbered(subjects), numbered(subjects, as_labels(clips))
    label = None if expressions is None else numbered(as_labels(expressions))
    note = ""
    if _clips_of(who, clip).max() == 1:
        clip = np.arange(len(who))
        note = "every subject has one clip only: the nearest frame may be of the same clip"

    x = features.astype(np.float64)
    x = x - x.mean(axis=0)
    squares = (x**2).sum(axis=1)
    rounding = 1e-13 * squares.max()
    hits, chances = np.full(len(x), np.nan), np.full(len(x), np.nan)  # nan: not asked
    rows_at_once = max(1, DISTANCES_AT_ONCE // len(x))
    for start in range(0, len(x), rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, len(x)))
        allowed = clip[rows, None] != clip
        if label is not None:
            allowed &= label[rows, None] != label
        same = (who[rows, None] == who) & allowed
        asked = same.any(axis=1)
        rows, allowed, same = rows[asked], allowed[asked], same[asked]
        distances = squares - 2 * x[rows] @ x.T  # less |x[rows]|^2, the same along a row
        distances[~allowed] = np.inf
        nearest = distances <= distances.min(axis=1, keepdims=True) + rounding
        hits[rows] = (nearest & same).sum(axis=1) / nearest.sum(axis=1)
        chances[rows] = same.sum(axis=1) / allowed.sum(axis=1)

    answered = np.isfinite(hits)
    if not answered.any():
        return no_score(
            "no subject has another frame" + (" of another expression" if label is not None else "")
        )
    by_subject = [hits[answered & (who == number)].mean() for number in np.unique(who[answered])]
    if left_out := who.max() + 1 - len(by_subject):
        note = (
            note or f"{left_out} of {who.max() + 1} subjects have no other clip to find and are not asked for"
        )
    return mean_score(by_subject, float(chances[answered].mean()), note)._replace(
        value=float(hits[answered].mean())
    )


def probe_leakage(features: Array, subjects: Any, clips: Any, *, folds: int = 5) -> Score:
    """Return how often a linear probe names the subject of clips it was not fitted on.

    The mean of `identity_probe`, and its deviation, over the folds.
    """
    right, chance, reason = identity_probe(features, subjects, clips, folds=folds)
    asked = np.isfinite(right)
    if not asked.any():
        return no_score(reason)
    subjects, clips = as_labels(subjects)[asked], as_labels(clips)[asked]
    fold = clip_folds(numbered(subjects), numbered(subjects, clips), folds)
    return mean_score([right[asked][fold == number].mean() for number in np.unique(fold)], chance, reason)


def identity_probe(
    features: Array, subjects: Any, clips: Any, *, probe: Probe = "linear", folds: int = 5
) -> Answers:
    """Return which rows a probe names the subject of, from clips it was not fitted on: 1 right, 0 wrong.

    Cross-validated over at most `folds` folds of clips: no clip is in both parts, every subject is in every
    fitting part. Subjects with one clip are not asked, and the reason says how many. Chance is the share of the
    subject with the most frames. A code that holds the expression and nothing of the person falls below it: the
    expressions that are held out of a person are then seen on the others.

    Args:
        features: (N, D).
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
    Returns:
        Answers; nan with the reason if there are no images, NaN or collapsed features, or fewer than two subjects
        with two clips.
    Raises:
        ValueError: If the lengths differ, or a subject or clip is missing.
    """
    subjects = as_labels(subjects)
    if reason := why_not(features, subjects, "subject"):
        return no_answers(len(subjects), reason)
    who, clip = numbered(subjects), numbered(subjects, as_labels(clips))
    clips_of = _clips_of(who, clip)
    if (clips_of > 1).sum() < 2:
        return no_answers(len(who), "fewer than two subjects have two clips: no split by clips is possible")
    kept = clips_of[who] > 1
    of_kept = who[kept]
    predicted = held_out_predictions(features[kept], of_kept, clip_folds(of_kept, clip[kept], folds), probe)
    assert predicted is not None  # two subjects are in every fitting part
    values = np.full(len(who), np.nan)
    values[kept] = predicted == of_kept
    alone = int((clips_of == 1).sum())
    note = f"{alone} of {len(clips_of)} subjects have one clip only and are left out" if alone else ""
    return Answers(values, float(np.bincount(of_kept).max() / len(of_kept)), note)


def clip_folds(who: Array, clip: Array, folds: int) -> Array:
    """Return (N,) the fold that holds each row out; a subject's clips go round the folds in turn.

    So a subject with two clips or more is never held out whole. Which clip meets which fold is drawn (seed
    0): the tenth clip of everyone may be the same expression.
    """
    folds = min(folds, int(_clips_of(who, clip).max()))
    clips, first = np.unique(clip, return_index=True)
    order = np.lexsort(
        (np.random.default_rng(0).random(len(clips)), who[first])
    )  # by subject, clips at random
    fold_of_clip = np.empty(clips.max() + 1, dtype=np.int64)
    fold_of_clip[clips[order]] = np.arange(len(clips)) % folds
    return fold_of_clip[clip]


def _clips_of(who: Array, clip: Array) -> Array:
    """Return the number of clips of each subject, by subject number."""
    return np.bincount(who[np.unique(clip, return_index=True)[1]], minlength=who.max() + 1)
