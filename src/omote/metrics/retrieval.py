"""Retrieval across people: how many of a frame's nearest frames of other people show the same expression."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from omote.metrics.score import Array, Score, as_labels, factorize, mean_over_rows, no_score, why_unscorable

DISTANCES_AT_ONCE = 500_000  # distances in one block of the search: 4 MB, which fit into the cache


def retrieval_scores(
    features: Array, expressions: Any, subjects: Any, *, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, Score]:
    """Return `precision_at_<k>` for every k: the share of the k nearest frames of others with the same expression.

    Euclidean, unscaled, among the labelled frames. Frames as far away as the k-th are equally near: the share of them
    with the same expression fills the remaining places, as drawing among them would on average. Every labelled frame is
    scored; where fewer than k frames of others show its expression, it cannot reach 1.

    Chance is the expectation for random labelled frames of other people, mean over the scored frames. The deviation is
    between subjects, over each one's mean.

    Args:
        features: (N, D).
        expressions: (N,) labels; frames where it is missing are left out, as neighbours too.
        subjects: (N,) ids.
        ks: each at least 1.
    Returns:
        Scores in [0, 1]; nan with the reason if no image has a label, the labelled ones have NaN or collapsed
        features, one expression only or one subject only, or no frame has k frames of other people.
    Raises:
        ValueError: If the lengths differ, a subject is missing, or a k is below 1.
    """
    known = ~pd.isna(np.asarray(expressions, dtype=object))
    subjects = as_labels(subjects)
    if not len(features) == len(known) == len(subjects) or min(ks) < 1:
        raise ValueError(
            f"{len(features)} features, {len(known)} expressions, {len(subjects)} subjects, ks {tuple(ks)}; "
            "expected N of each, and every k at least 1"
        )
    names = [f"precision_at_{k}" for k in ks]
    if not known.any():
        return dict.fromkeys(names, no_score("no image has an expression label"))
    x = features[known].astype(np.float64)
    label = factorize(as_labels(np.asarray(expressions, dtype=object)[known]))
    who = factorize(subjects[known])
    if reason := why_unscorable(x, label, "expression") or why_unscorable(x, who, "subject"):
        return dict.fromkeys(names, no_score(reason))

    x = x - x.mean(axis=0)
    squares = (x**2).sum(axis=1)
    rounding = 1e-13 * squares.max()
    precision, available, chance = np.zeros((len(ks), len(x))), np.zeros(len(x)), np.zeros(len(x))
    kth_positions = [min(k, len(x)) - 1 for k in ks]  # in a sorted row
    rows_at_once = max(1, DISTANCES_AT_ONCE // len(x))
    for start in range(0, len(x), rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, len(x)))
        others = who[rows, None] != who
        same = (label[rows, None] == label) & others
        available[rows] = others.sum(axis=1)
        chance[rows] = same.sum(axis=1) / available[rows]
        distances = squares - 2 * x[rows] @ x.T  # without |x[rows]|^2, which is constant along a row
        distances[~others] = np.inf
        kth = np.partition(distances, kth_positions, axis=1)[:, kth_positions]
        for number, k in enumerate(ks):
            limit = kth[:, number, None]
            nearer, near = distances < limit - rounding, distances <= limit + rounding
            nearer_count, nearer_right = nearer.sum(axis=1), (nearer & same).sum(axis=1)
            share = ((near & same).sum(axis=1) - nearer_right) / (near.sum(axis=1) - nearer_count)
            precision[number, rows] = (nearer_right + (k - nearer_count) * share) / k

    return {
        name: _score(of_k, chance, who, available >= k, k)
        for name, k, of_k in zip(names, ks, precision, strict=True)
    }


def _score(precision: Array, chance: Array, who: Array, scored: Array, k: int) -> Score:
    if not scored.any():
        return no_score(f"no frame has {k} labelled frames of other people")
    note = "" if scored.all() else f"{(~scored).sum()} frames have fewer than {k} of other people: not asked"
    return mean_over_rows(precision[scored], who[scored], float(chance[scored].mean()), note)
