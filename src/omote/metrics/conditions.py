"""Two conditions within people: a paired comparison, tested by flipping the signs of people's differences."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import t

from omote.metrics.directions import LEAST_FOR_TEST, flip_signs
from omote.metrics.intervals import CONFIDENCE
from omote.metrics.score import Array

LEAST_PEOPLE = 3  # for an interval


class PairedDifference(NamedTuple):
    """The mean difference between two conditions within people; nan where there are too few people."""

    value: float
    low: float  # 95 % interval over people, by Student's t
    high: float
    effect: float  # Hedges' g of paired data: mean over standard deviation of the differences, corrected for few people
    p: float  # two-sided, by flipping signs
    people: int
    higher: int  # people with a positive difference


def compare_pairs(differences: Array, seed: int = 0) -> PairedDifference:
    """Return the mean of people's differences, with interval, effect size and permutation test.

    If the condition does nothing, a person's difference is as likely as its opposite (Fisher, "The design of
    experiments", 1935). All flips of signs are tried up to 14 people, and 16,384 at random beyond.

    Args:
        differences: (P,) one of each person; nan for people without one, who do not count.
    """
    values = np.asarray(differences, np.float64)
    values = values[np.isfinite(values)]
    people, higher = len(values), int((values > 0).sum())
    if people < LEAST_PEOPLE:
        mean = float(values.mean()) if people else math.nan
        return PairedDifference(mean, math.nan, math.nan, math.nan, math.nan, people, higher)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, people - 1)) * deviation / math.sqrt(people)
    correction = 1 - 3 / (4 * (people - 1) - 1)  # Hedges, 1981
    effect = correction * mean / deviation if deviation > 0 else math.nan
    p = math.nan
    if people >= LEAST_FOR_TEST:
        flipped = np.abs(flip_signs(people, seed) @ values) / people
        p = float((flipped >= abs(mean) * (1 - 1e-12)).mean())
    return PairedDifference(mean, mean - reach, mean + reach, effect, p, people, higher)
