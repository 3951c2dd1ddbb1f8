"""95 % intervals over people: how far a score, or a difference of two, would move on another sample of people.

Two methods, each from replicates, that is the score on other samples of people:

- The bootstrap over people, for the clustering accuracy. People are drawn with replacement, then the clusters are
  fitted and named again. Keeping the clusters gives far too narrow an interval: which image names a cluster matters
  more than which people are counted.
- The delete-a-group jackknife for all other scores (Kott, "The delete-a-group jackknife", Journal of Official
  Statistics, 2001). Groups of people are left out in turn. Identity scores need this: of a person drawn twice, one
  copy would be recognised by the other.

The paper reports only the deviation over k-means seeds, which says nothing about people. How often the intervals
contain the truth: `benchmarks/intervals.py`.
"""

import hashlib
import math
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.clustering import LabelledFeatures, fit_clusters
from omote.metrics.score import Array, PerRowResults, Score, as_labels, join_reasons, why_unscorable

CONFIDENCE = 0.95
NORMAL_QUANTILE = 1.96  # half-width of a 95 % interval of a normal distribution, in standard errors
GROUPS = 20  # maximum number of groups of the jackknife
NO_INTERVAL = "no interval: without some of the people there is no score"


class Interval(NamedTuple):
    """A 95 % interval; both ends are nan where it is not known."""

    low: float = math.nan
    high: float = math.nan


def bootstrap_accuracies(
    codes: LabelledFeatures, subjects: Array, *, k: int = 9, resamples: int = 100, seeds: int = 4
) -> Array:
    """Return bootstrap replicates of the paper's clustering accuracy, (``resamples``, ``seeds``).

    A row is one sample of people, a column one k-means seed. A sample has as many people as there are, drawn with
    replacement; an image weighs as often as its person was drawn, in the fit and in the accuracy. The samples depend on
    the set of people alone, so replicates of two methods are paired.

    Args:
        codes: features (N, D) and labels (N,).
        subjects: (N,) ids.
        k: number of clusters.
    Returns:
        All nan if there are fewer than two people or the features cannot be scored; nan where a sample has fewer
        different images than clusters.
    """
    people, who = np.unique(as_labels(subjects), return_inverse=True)
    accuracies = np.full((resamples, seeds), np.nan)
    labels = as_labels(codes.labels)
    if len(people) < 2 or why_unscorable(codes.features, labels, "expression"):
        return accuracies
    features = codes.features.astype(np.float64)
    # The seed depends on who they are: two folds of a cross-validation must not share their samples.
    digest = hashlib.sha256("\n".join(people.tolist()).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for row in accuracies:
            weights = rng.multinomial(len(people), np.full(len(people), 1 / len(people)))[who]
            drawn = weights > 0
            if drawn.sum() >= k:
                for seed in range(seeds):
                    row[seed] = _weighted_accuracy(features[drawn], labels[drawn], weights[drawn], k, seed)
    return accuracies


def _weighted_accuracy(features: Array, labels: Array, weights: Array, k: int, seed: int) -> float:
    clusters = fit_clusters(features, k, seed, weights.astype(np.float64))
    assigned = clusters.model.labels_
    if len(np.unique(assigned)) < k:
        return math.nan
    return float(np.average(labels[clusters.nearest][assigned] == labels, weights=weights))


def bootstrap_interval(value: float, trainings: Sequence[Array]) -> Interval:
    """Return the 95 % interval of a mean over trainings, or of a difference of two such means.

    ``value`` plus and minus 1.96 standard errors. The variance between samples of people is reduced by what k-means
    seeds contribute to it, which is known from the seeds within a sample. The variance between trainings is not
    included.

    Args:
        value: the accuracy or the difference.
        trainings: for each training its `bootstrap_accuracies`, all of one shape; for a difference, the differences
            of these.
    """
    replicates = np.mean(trainings, axis=0)  # (resamples, seeds)
    if not np.isfinite(replicates).all() or len(replicates) < 2:
        return Interval()
    variance = replicates.mean(axis=1).var(ddof=1)
    if replicates.shape[1] > 1:
        variance -= replicates.var(axis=1, ddof=1).mean() / replicates.shape[1]
    error = NORMAL_QUANTILE * math.sqrt(max(variance, 0.0))
    return Interval(value - error, value + error)


def jackknife(
    score_rows: Callable[[Array], dict[str, Score]], subjects: Array, *, groups: int = GROUPS
) -> dict[str, Score]:
    """Return scores with jackknife intervals over people and their replicates.

    Args:
        score_rows: (n,) row numbers -> scores of these rows; called with all rows, then without each group of people.
        subjects: (N,) ids, or (N, 2) where a row depends on two people and is left out with either. People are dealt
            to the groups in turn, in sorted order.
        groups: maximum number of groups; with fewer people, one group per person.
    Returns:
        The scores of all rows, with `low`, `high` and `replicates`. There is no interval for fewer than three people,
        nor, as `reason` then says, for a score that cannot be computed without one of the groups.
    """
    subjects = as_labels(subjects)
    people, who = np.unique(subjects, return_inverse=True)
    scores = score_rows(np.arange(len(subjects)))
    groups = min(groups, len(people))
    if groups < 3 or not any(math.isfinite(score.value) for score in scores.values()):
        return scores
    group_of = (who % groups).reshape(len(subjects), -1)
    without = [score_rows(np.flatnonzero((group_of != group).all(axis=1))) for group in range(groups)]

    def with_interval(name: str, score: Score) -> Score:
        replicates = tuple(each[name].value for each in without)
        low, high = jackknife_interval(score.value, replicates)
        failed = math.isfinite(score.value) and not np.isfinite(replicates).all()
        reason = join_reasons(score.reason, NO_INTERVAL if failed else "")
        return score._replace(reason=reason, low=low, high=high, replicates=replicates)

    return {name: with_interval(name, score) for name, score in scores.items()}


def jackknife_interval(value: float, replicates: Sequence[float] | Array) -> Interval:
    """Return ``value`` plus and minus Student's t times the jackknife standard error, not cut at the score's range.

    Args:
        replicates: the value without each group of people. With fewer than three, or a nan among them, there is no
            interval.
    """
    values = np.asarray(replicates, dtype=np.float64)
    groups = len(values)
    if groups < 3 or not np.isfinite(values).all():
        return Interval()
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, groups - 1))
    error = quantile * math.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum())
    return Interval(value - error, value + error)


def jackknife_mean(results: PerRowResults, subjects: Array) -> Score:
    """Return the mean over the scored rows, with its jackknife interval over people.

    The results stay as they are. Where a fitted probe gave them, the interval is over the people it is tested on, not
    over those it was fitted on, and too narrow for a dozen people.

    Args:
        subjects: as for `jackknife`.
    """
    scored = np.isfinite(results.values)
    if not scored.any():
        return results.mean()
    results = results.of(scored)
    return jackknife(lambda rows: {"mean": results.of(rows).mean()}, as_labels(subjects)[scored])["mean"]
