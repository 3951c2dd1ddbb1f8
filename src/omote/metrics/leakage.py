"""How well the subject can be told from a code: chance is the goal for expression codes, 1 for identity codes.

The paper has no such score. Frames of one clip lie close together in any code, so each frame is compared with frames of
other clips only.
"""

from typing import Any

import numpy as np

from omote.metrics.probes import Probe, cross_validate_probe
from omote.metrics.score import (
    Array,
    PerRowResults,
    Score,
    as_labels,
    factorize,
    mean_over_rows,
    mean_score,
    no_results,
    no_score,
    why_unscorable,
)

LEAKAGE_SCORES = ("subject_nearest_neighbour", "subject_probe")
DISTANCES_AT_ONCE = 4_000_000  # distances in one block of the nearest-neighbour search: 32 MB


def leakage_scores(features: Array, subjects: Any, clips: Any, *, folds: int = 5) -> dict[str, Score]:
    """Return `LEAKAGE_SCORES`: `nearest_neighbour_leakage` over any expression, and `probe_leakage`."""
    return {
        "subject_nearest_neighbour": nearest_neighbour_leakage(features, subjects, clips),
        "subject_probe": probe_leakage(features, subjects, clips, folds=folds),
    }


def nearest_neighbour_leakage(features: Array, subjects: Any, clips: Any, expressions: Any = None) -> Score:
    """Return the share of frames whose nearest frame of another clip, of any person, is of the same subject.

    Euclidean, unscaled; among equally near frames, the share of the same subject counts. Scored are the frames of
    subjects with two clips or more; frames of the others can still be the nearest. Where every subject has one clip
    only, the nearest of all other frames is taken, which is far easier; the reason then says so.

    With `expressions`, the nearest frame must also show another expression, and the scored frames are those whose
    subject has one in another clip. Without them, a code that holds both person and expression gets off lightly where
    a person shows each expression in one clip: its nearest frame is then another person with the same expression.

    Chance is the expectation for a random frame among those allowed. The deviation is between subjects, over each one's
    share.

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
    if reason := why_unscorable(features, subjects, "subject"):
        return no_score(reason)
    who, clip = factorize(subjects), factorize(subjects, as_labels(clips))
    label = None if expressions is None else factorize(as_labels(expressions))
    note = ""
    if _count_clips(who, clip).max() == 1:
        clip = np.arange(len(who))
        note = "every subject has one clip only: the nearest frame may be of the same clip"

    x = features.astype(np.float64)
    x = x - x.mean(axis=0)
    squares = (x**2).sum(axis=1)
    rounding = 1e-13 * squares.max()
    hits, chances = np.full(len(x), np.nan), np.full(len(x), np.nan)  # nan: not scored
    rows_at_once = max(1, DISTANCES_AT_ONCE // len(x))
    for start in range(0, len(x), rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, len(x)))
        allowed = clip[rows, None] != clip
        if label is not None:
            allowed &= label[rows, None] != label
        same = (who[rows, None] == who) & allowed
        scored = same.any(axis=1)
        rows, allowed, same = rows[scored], allowed[scored], same[scored]
        distances = squares - 2 * x[rows] @ x.T  # without |x[rows]|^2, which is constant along a row
        distances[~allowed] = np.inf
        nearest = distances <= distances.min(axis=1, keepdims=True) + rounding
        hits[rows] = (nearest & same).sum(axis=1) / nearest.sum(axis=1)
        chances[rows] = same.sum(axis=1) / allowed.sum(axis=1)

    scored = np.isfinite(hits)
    if not scored.any():
        return no_score(
            "no subject has another frame" + (" of another expression" if label is not None else "")
        )
    if left_out := who.max() + 1 - len(np.unique(who[scored])):
        note = (
            note or f"{left_out} of {who.max() + 1} subjects have no other clip to find and are not asked for"
        )
    return mean_over_rows(hits[scored], who[scored], float(chances[scored].mean()), note)


def probe_leakage(features: Array, subjects: Any, clips: Any, *, folds: int = 5) -> Score:
    """Return how often a linear probe names the subject of clips it was not fitted on.

    Mean and deviation of `identity_probe` over the folds.
    """
    right, chance, reason = identity_probe(features, subjects, clips, folds=folds)
    scored = np.isfinite(right)
    if not scored.any():
        return no_score(reason)
    subjects, clips = as_labels(subjects)[scored], as_labels(clips)[scored]
    fold = clip_folds(factorize(subjects), factorize(subjects, clips), folds)
    return mean_score([right[scored][fold == number].mean() for number in np.unique(fold)], chance, reason)


def identity_probe(
    features: Array, subjects: Any, clips: Any, *, probe: Probe = "linear", folds: int = 5
) -> PerRowResults:
    """Return for which rows a probe names the subject, given clips it was not fitted on: 1 right, 0 wrong.

    Cross-validated over at most `folds` folds of clips: each clip is held out whole, and every subject is in every
    fitting part. Subjects with one clip are not scored; the reason says how many. Chance is the share of the subject
    with the most frames. A code of the expression alone falls below it: the expressions held out of one person are
    those that the probe was fitted on for the others.

    Args:
        features: (N, D).
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
    Returns:
        All nan with the reason if there are no images, NaN or collapsed features, or fewer than two subjects with two
        clips.
    Raises:
        ValueError: If the lengths differ, or a subject or clip is missing.
    """
    subjects = as_labels(subjects)
    if reason := why_unscorable(features, subjects, "subject"):
        return no_results(len(subjects), reason)
    who, clip = factorize(subjects), factorize(subjects, as_labels(clips))
    num_clips = _count_clips(who, clip)
    if (num_clips > 1).sum() < 2:
        return no_results(len(who), "fewer than two subjects have two clips: no split by clips is possible")
    kept = num_clips[who] > 1
    who_kept = who[kept]
    predicted = cross_validate_probe(features[kept], who_kept, clip_folds(who_kept, clip[kept], folds), probe)
    assert predicted is not None  # every fitting part has two subjects
    values = np.full(len(who), np.nan)
    values[kept] = predicted == who_kept
    alone = int((num_clips == 1).sum())
    note = f"{alone} of {len(num_clips)} subjects have one clip only and are left out" if alone else ""
    return PerRowResults(values, float(np.bincount(who_kept).max() / len(who_kept)), note)


def clip_folds(who: Array, clip: Array, folds: int) -> Array:
    """Return (N,) the fold that holds each row out; a subject's clips are dealt to the folds in turn.

    So no subject with two clips or more is held out whole. The clips of a subject are shuffled first (seed 0), since
    everyone's tenth clip may show the same expression.
    """
    folds = min(folds, int(_count_clips(who, clip).max()))
    clips, first = np.unique(clip, return_index=True)
    order = np.lexsort(
        (np.random.default_rng(0).random(len(clips)), who[first])
    )  # by subject, then at random
    fold_of_clip = np.empty(clips.max() + 1, dtype=np.int64)
    fold_of_clip[clips[order]] = np.arange(len(clips)) % folds
    return fold_of_clip[clip]


def _count_clips(who: Array, clip: Array) -> Array:
    """Return the number of clips of each subject, by subject number."""
    return np.bincount(who[np.unique(clip, return_index=True)[1]], minlength=who.max() + 1)
