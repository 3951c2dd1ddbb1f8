"""How far an accuracy, or the difference of two, would move with other people: a bootstrap over people.

The paper gives the deviation over k-means seeds alone, which says nothing of its few test people.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.evaluation.score import Array


class Interval(NamedTuple):
    """A value and its percentile interval; low and high are nan with fewer than two people."""

    value: float
    low: float
    high: float


def bootstrap_accuracy(
    trainings: Sequence[pd.DataFrame], *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return the accuracy of one kind of people, mean over the trainings, and its interval.

    People are drawn with replacement, the same in every training, and weigh as many images as they have. Someone
    scored by several trainings counts once, with the mean of those; so the folds of a cross-validation, each with
    its own people, are pooled.

    The interval is conditional on the clustering: other people, in the clusters that were fitted. Fitting them anew
    on repeated images would change the score itself. It is not of other trainings either, and with few people it is
    too narrow: over 7 simulated people, 95 % intervals held the true accuracy in 88 % of the cases.

    Args:
        trainings: One table a training with the columns subject, images, accuracy: `Scores.by_subject` of one kind of
            people.
        resamples: Number of draws.
        level: Share of the draws inside the interval.
    Returns:
        All nan if there is nobody, or an accuracy is nan.
    Raises:
        ValueError: If there is no training.
    """
    people = _people(trainings)
    return _interval(lambda times: _accuracy(people, times), len(people), resamples, seed, level)


def bootstrap_difference(
    first: Sequence[pd.DataFrame],
    second: Sequence[pd.DataFrame],
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the accuracy of `second` minus that of `first`, and its interval, paired by people.

    Every draw has the same people on both sides; the rest is as of `bootstrap_accuracy`.

    Raises:
        ValueError: If there is no training on one side, or the sides scored different people.
    """
    one, other = _people(first), _people(second)
    if alone := one.index.symmetric_difference(other.index).tolist():
        raise ValueError(f"only people scored on both sides can be paired; scored on one side: {alone[:10]}")
    return _interval(
        lambda times: _accuracy(other, times) - _accuracy(one, times), len(one), resamples, seed, level
    )


def _people(trainings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return each person's images and accuracy, mean over the trainings that scored them, by subject."""
    table = pd.concat(trainings)[["subject", "images", "accuracy"]]
    return table.groupby("subject").agg(_mean)


def _mean(values: pd.Series) -> float:
    return float(values.mean(skipna=False))  # a training without scores is not passed over


def _accuracy(people: pd.DataFrame, times: Array) -> Array:
    """Return (R,) the accuracy over the images of all, where (R, P) says how often each person is there."""
    images = times * people["images"].to_numpy()
    accuracy: Array = images @ people["accuracy"].to_numpy() / images.sum(axis=1)
    return accuracy


def _interval(
    estimate: Callable[[Array], Array], number: int, resamples: int, seed: int, level: float
) -> Interval:
    """Return the estimate of everyone once, and the interval of the estimates of as many people drawn at random."""
    if not number:
        return Interval(np.nan, np.nan, np.nan)
    value = float(estimate(np.ones((1, number)))[0])
    if number == 1:
        return Interval(value, np.nan, np.nan)
    times = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=resamples)
    low, high = np.quantile(estimate(times), [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
