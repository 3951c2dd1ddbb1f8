"""How far an accuracy, or the difference of two, would move with other people: a bootstrap over people.

The paper gives the deviation over k-means seeds alone, which says nothing of its few test people. People are drawn anew
and the clusters are fitted and named anew on those drawn: which image names a cluster moves the score more than who is
counted in it, so an interval over people in clusters that stay as they are is far too narrow
(`benchmarks/intervals.py`).
"""

import hashlib
import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.clustering import Labelled
from omote.metrics.score import Array, as_labels, why_not

DEVIATIONS = 1.96  # of a normal distribution, on either side of 95 %


class Interval(NamedTuple):
    """A 95 % interval; both nan where it is not known."""

    low: float
    high: float


def resampled_accuracies(
    scored: Labelled, subjects: Array, *, k: int = 9, resamples: int = 100, seeds: int = 4
) -> Array:
    """Return the paper's accuracy with other people, (``resamples``, ``seeds``): a row a draw, a column a k-means seed.

    A draw takes as many people as there are, with replacement; an image counts as often as its person was drawn, in the
    fit and in the accuracy. The same people are drawn for whatever codes are scored, so that rows of two methods pair.

    Args:
        scored: codes (N, D) and labels (N,).
        subjects: (N,) ids.
        k: number of clusters.
    Returns:
        All nan if there are fewer than two people or no accuracy can be had, and nan where a draw has fewer different
        images than clusters.
    """
    people, who = np.unique(as_labels(subjects), return_inverse=True)
    found = np.full((resamples, seeds), np.nan)
    labels = as_labels(scored.labels)
    if len(people) < 2 or why_not(scored.features, labels, "expression"):
        return found
    features = scored.features.astype(np.float64)
    # other people, other draws: those of two folds of a cross-validation must not go together
    digest = hashlib.sha256("\n".join(people.tolist()).encode()).digest()
    draws = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for row in found:
            times = draws.multinomial(len(people), np.full(len(people), 1 / len(people)))[who]
            drawn = times > 0
            if drawn.sum() >= k:
                for seed in range(seeds):
                    row[seed] = _accuracy(features[drawn], labels[drawn], times[drawn], k, seed)
    return found


def _accuracy(features: Array, labels: Array, times: Array, k: int, seed: int) -> float:
    model = KMeans(k, init="k-means++", n_init=1, random_state=seed)
    distances = model.fit_transform(features, sample_weight=times.astype(np.float64))
    clusters = model.labels_
    if len(np.unique(clusters)) < k:
        return math.nan
    distances[clusters[:, None] != np.arange(k)] = np.inf
    nearest = distances.argmin(axis=0)  # (k,) image of the cluster nearest its centroid
    return float(np.average(labels[nearest][clusters] == labels, weights=times))


def interval_over_people(value: float, trainings: Sequence[Array]) -> Interval:
    """Return the 95 % interval of a mean over trainings, or of a difference of two such means.

    ``value`` plus and minus 1.96 standard errors. The standard error is the deviation between draws of people, less
    what k-means seeds add to it, whose part is known from the seeds within a draw. The deviation between trainings is
    not in it. How often it holds the truth on made codes: `benchmarks/intervals.py`.

    Args:
        value: the accuracy or the difference itself.
        trainings: of each training what `resampled_accuracies` returns, all of one shape; for a difference the
            difference of the two.
    """
    each = np.mean(trainings, axis=0)  # (resamples, seeds)
    if not np.isfinite(each).all() or len(each) < 2:
        return Interval(math.nan, math.nan)
    variance = each.mean(axis=1).var(ddof=1)
    if each.shape[1] > 1:
        variance -= each.var(axis=1, ddof=1).mean() / each.shape[1]
    error = DEVIATIONS * math.sqrt(max(variance, 0.0))
    return Interval(value - error, value + error)
