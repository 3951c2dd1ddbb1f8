"""95 % intervals over people, and comparisons of methods that count both people and trainings.

How far a score would move on another sample of people follows from replicates, the score on other samples of people:

- The bootstrap over people, for the clustering accuracy. People are drawn with replacement, then the clusters are
  fitted and named again. Keeping the clusters gives far too narrow an interval: which image names a cluster matters
  more than which people are counted.
- The delete-a-group jackknife for all other scores (Kott, "The delete-a-group jackknife", Journal of Official
  Statistics, 2001). Groups of people are left out in turn. Identity scores need this: of a person drawn twice, one
  copy would be recognised by the other.

The difference of two methods also moves with the trainings. `compare_trainings` counts both, and `holm` corrects for
several comparisons.

The paper reports only the deviation over k-means seeds, which says nothing about people or trainings. How often the
intervals contain the truth, and how often a verdict is wrong: `benchmarks/intervals.py`.
"""

import hashlib
import math
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import t
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.clustering import LabelledFeatures, fit_clusters
from omote.metrics.score import Array, PerRowResults, Score, as_labels, join_reasons, why_unscorable

CONFIDENCE = 0.95
NORMAL_QUANTILE = 1.96  # half-width of a 95 % interval of a normal distribution, in standard errors
GROUPS = 20  # maximum number of groups of the jackknife
NO_INTERVAL = "no interval: without some of the people there is no score"


class Comparison(NamedTuple):
    """The mean difference of two methods over their trainings."""

    value: float
    low: float = math.nan  # 95 % interval over people and trainings; nan for one training
    high: float = math.nan
    p: float = 1.0  # two-sided; 1 where there is no interval


def compare_trainings(by_training: Sequence[float], people_error: float, people: int) -> Comparison:
    """Return the mean difference of two methods, with its interval and p-value over people and trainings.

    The half-width at level 1 - a is sqrt(t_p^2 e_p^2 + t_s^2 e_s^2), where e_p and e_s are the standard errors over
    people and over trainings, and t_p and t_s the two-sided quantiles of Student's t at their degrees of freedom. For
    normal errors its level is at least 1 - a at any number of trainings (Banerjee, "Approximate confidence interval for
    linear functions of means of k populations when the population variances are not equal", Sankhya, 1960).
    Satterthwaite's degrees of freedom are not used: with three trainings they give too many false verdicts
    (`benchmarks/intervals.py`). One training says nothing about the spread of trainings, so it has no interval.

    Args:
        by_training: the difference of each pair of trainings.
        people_error: standard error over people of their mean (`bootstrap_error`, `jackknife_error`); nan if unknown.
        people: number of people, or of jackknife groups; at least 2.
    """
    values = np.asarray(by_training, dtype=np.float64)
    mean, trainings = float(values.mean()), len(values)
    if trainings < 2 or people < 2 or not math.isfinite(mean + people_error):
        return Comparison(mean)
    errors = np.array([people_error, values.std(ddof=1) / math.sqrt(trainings)])
    degrees = np.array([people - 1, trainings - 1])

    def half_width(level: float) -> float:
        """Return the half-width of the interval that is exceeded with probability `level`."""
        return math.hypot(*(errors * stdtrit(degrees, level / 2)))

    width = half_width(1 - CONFIDENCE)
    smallest = 1e-12
    p = 1.0
    if half_width(smallest) < abs(mean):
        p = smallest
    elif mean:
        p = float(brentq(lambda level: half_width(level) - abs(mean), smallest, 1.0))
    return Comparison(mean, mean - width, mean + width, p)


def add_interval(score: Score, error: float, quantile: float, people: int) -> Score:
    """Return the score with its value plus and minus `quantile` standard errors, cut to its range.

    An interval of more than half the range says nothing. It is left out, and `reason` says that there are too few
    people, and how many would narrow it to a fifth of the range.

    Args:
        error: standard error over people; nan for no interval.
        people: their number.
    """
    reach = quantile * error
    if not math.isfinite(score.value + reach):
        return score
    lowest, highest = score.range
    if 2 * reach > (highest - lowest) / 2:
        enough = math.ceil(people * (NORMAL_QUANTILE * error / (0.1 * (highest - lowest))) ** 2 / 10) * 10
        reason = f"no interval: {people} people are too few, about {enough} would do"
        return score._replace(reason=join_reasons(score.reason, reason))
    return score._replace(low=max(score.value - reach, lowest), high=min(score.value + reach, highest))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number, in the same order.

    With those of at most 0.05 taken for true effects, one of them or more is wrong with a probability of at most 0.05
    (Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics, 1979).
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * np.asarray(p_values)[order]), 1.0)
    return [float(p) for p in adjusted]


def bootstrap_accuracies(
    codes: LabelledFeatures,
    subjects: Array,
    *,
    k: int = 9,
    resamples: int = 100,
    seeds: int = 4,
    groups: Sequence[Sequence[str]] = (),
) -> Array:
    """Return bootstrap replicates of the paper's clustering accuracy, (``resamples``, ``seeds``).

    A row is one sample of people, a column one k-means seed. A sample has as many people as there are, drawn with
    replacement; an image weighs as often as its person was drawn, in the fit and in the accuracy. The samples depend on
    the set of people alone, so replicates of two methods are paired.

    Args:
        codes: features (N, D) and labels (N,).
        subjects: (N,) ids.
        k: number of clusters.
        groups: people who are drawn among themselves: the folds of a cross-validation. Whoever is in several trainings
            is then drawn equally often in all of them. Everybody else is one more group.
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
    times = _draw_people(people, groups, resamples)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for row, weights in zip(accuracies, times[:, who], strict=True):
            drawn = weights > 0
            if drawn.sum() >= k:
                for seed in range(seeds):
                    row[seed] = _weighted_accuracy(features[drawn], labels[drawn], weights[drawn], k, seed)
    return accuracies


def _draw_people(people: Array, groups: Sequence[Sequence[str]], resamples: int) -> Array:
    """Return how often each person is drawn in each sample, (``resamples``, P)."""
    group = np.full(len(people), -1)
    for number, members in enumerate(groups):
        group[np.isin(people, list(members))] = number
    times = np.zeros((resamples, len(people)), dtype=np.int64)
    for number in np.unique(group):
        members = people[group == number]
        # The seed depends on who they are: two groups must not share their samples.
        digest = hashlib.sha256("\n".join(members.tolist()).encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        shares = np.full(len(members), 1 / len(members))
        times[:, group == number] = [rng.multinomial(len(members), shares) for _ in range(resamples)]
    return times


def _weighted_accuracy(features: Array, labels: Array, weights: Array, k: int, seed: int) -> float:
    clusters = fit_clusters(features, k, seed, weights.astype(np.float64))
    assigned = clusters.model.labels_
    if len(np.unique(assigned)) < k:
        return math.nan
    return float(np.average(labels[clusters.nearest][assigned] == labels, weights=weights))


def bootstrap_error(trainings: Sequence[Array]) -> float:
    """Return the standard error over people of a mean over trainings, or of a difference of two such means.

    The variance between samples of people is reduced by what k-means seeds contribute to it, which is known from the
    seeds within a sample. The variance between trainings is not included.

    Args:
        trainings: for each training its `bootstrap_accuracies`, all of one shape; for a difference, the differences
            of these.
    Returns:
        nan if one of the samples has no accuracy.
    """
    replicates = np.mean(trainings, axis=0)  # (resamples, seeds)
    if not np.isfinite(replicates).all() or len(replicates) < 2:
        return math.nan
    variance = replicates.mean(axis=1).var(ddof=1)
    if replicates.shape[1] > 1:
        variance -= replicates.var(axis=1, ddof=1).mean() / replicates.shape[1]
    return math.sqrt(max(variance, 0.0))


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
        The scores of all rows, with `low`, `high` and `replicates`, by `add_interval`. There is no interval for fewer
        than three people, nor, as `reason` then says, for a score that cannot be computed without one of the groups.
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
        if math.isfinite(score.value) and not np.isfinite(replicates).all():
            score = score._replace(reason=join_reasons(score.reason, NO_INTERVAL))
        quantile = float(t.ppf((1 + CONFIDENCE) / 2, groups - 1))
        score = add_interval(score, jackknife_error(replicates), quantile, len(people))
        return score._replace(replicates=replicates)

    return {name: with_interval(name, score) for name, score in scores.items()}


def jackknife_error(replicates: Sequence[float] | Array) -> float:
    """Return the jackknife standard error over people.

    Args:
        replicates: the value without each group of people. With fewer than three, or a nan among them, it is nan.
    """
    values = np.asarray(replicates, dtype=np.float64)
    groups = len(values)
    if groups < 3 or not np.isfinite(values).all():
        return math.nan
    return math.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum())


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
