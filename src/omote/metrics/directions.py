"""Whether people change alike: cosines between their directions of change, such as from rest to smiling.

A direction is the mean code of some frames minus that of others. Frames that follow one another are alike, so all
errors are over *blocks* of frames, not over frames.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.metrics.intervals import CONFIDENCE
from omote.metrics.score import Array

RESAMPLES = 1000  # of blocks, for the interval; of signs, for the level of chance
LEAST_PEOPLE = 5  # from which other pairs tell what is usual for a pair
LEAST_FOR_TEST = (
    6  # by signs: all of them and their opposites give the same, so with five people p is at least 0.0625
)
CHANCE = 0.95  # share of what chance gives that lies below the level of chance


class Direction(NamedTuple):
    """A person's direction of change."""

    change: Array  # (Z,) mean code after minus mean code before
    resampled: (
        Array  # (R, Z) the same from blocks drawn with replacement; empty with a single block on one side
    )
    error: float  # standard error of the change, over all Z numbers together; nan if it is unknown

    @property
    def reliability(self) -> float:
        """Share of the squared length that is change and not error, 0 to 1."""
        return (
            max(0.0, 1 - self.error**2 / max(_squared(self.change), 1e-12)) if self.error >= 0 else math.nan
        )


class CommonDirection(NamedTuple):
    """Whether people share a direction: the mean cosine of all pairs."""

    value: float
    chance: float  # 95 of 100 values by chance lie below
    p: float  # one-sided


def find_direction(codes: Array, after: Array, blocks: Array, seed: int = 0) -> Direction:
    """Return the direction of change of one person, with its bootstrap over blocks.

    Args:
        codes: (N, Z).
        after: (N,) bool: frames after the change; the others are before it. Both are there.
        blocks: (N,) numbers of blocks of frames that are not independent of each other.
    """
    rng = np.random.default_rng(seed)
    change, resampled = np.zeros(codes.shape[1]), np.zeros((RESAMPLES, codes.shape[1]))
    known = True
    for side, sign in ((after, 1.0), (~after, -1.0)):
        names, which = np.unique(blocks[side], return_inverse=True)
        counts, sums = np.bincount(which).astype(np.float64), np.zeros((len(names), codes.shape[1]))
        np.add.at(sums, which, codes[side].astype(np.float64))
        mean = sums.sum(axis=0) / counts.sum()
        change += sign * mean
        if known := known and len(names) > 1:
            times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
            means = times @ sums / (times @ counts)[:, None]
            # A sample of n blocks varies too little about its mean, by (n - 1) / n.
            resampled += sign * (mean + math.sqrt(len(names) / (len(names) - 1)) * (means - mean))
    if not known:
        return Direction(change, resampled[:0], math.nan)
    return Direction(change, resampled, math.sqrt(float(((resampled - change) ** 2).sum(axis=1).mean())))


def compare_directions(directions: Sequence[Direction]) -> pd.DataFrame:
    """Return the cosine of every pair of people, one row a pair.

    Returns:
        first, second (numbers of the people); cosine (-1 to 1); low, high (95 %, bootstrap over blocks, of the cosine
        without the error of either direction, which makes them less alike than they are: what endless footage of the
        same two people would show); ceiling (the cosine that two people with one true change would have had here);
        chance (95 of 100 other pairs lie below) and p (share of all pairs at least as alike, this one included);
        both nan with fewer than `LEAST_PEOPLE` people. Of pairs of people without any tie, one in twenty has a p of
        at most 0.05: p tells whether two are more alike than people are, not whether they are alike.
    """
    rows = []
    for one in range(len(directions)):
        for other in range(one + 1, len(directions)):
            a, b = directions[one], directions[other]
            cosine = _cosine(a.change, b.change)
            low, high = _interval(a, b)
            ceiling = math.sqrt(a.reliability * b.reliability)
            rows.append((one, other, cosine, low, high, ceiling))
    pairs = pd.DataFrame(rows, columns=["first", "second", "cosine", "low", "high", "ceiling"])
    pairs["chance"], pairs["p"] = math.nan, math.nan
    if len(directions) >= LEAST_PEOPLE:
        cosines = pairs["cosine"].to_numpy()
        pairs["chance"] = _quantile_of_others(cosines, CHANCE)
        pairs["p"] = (len(cosines) - np.searchsorted(np.sort(cosines), cosines)) / len(cosines)
    return pairs


def find_common_direction(directions: Sequence[Direction], seed: int = 0) -> CommonDirection:
    """Return whether people change in a common direction: mean cosine of all pairs, tested by flipping people's signs.

    If there is no common direction, a change and its opposite are equally likely for each person.

    Args:
        directions: of at least two people. With fewer than `LEAST_FOR_TEST`, chance and p are nan.
    """
    units = np.stack([each.change / max(float(np.linalg.norm(each.change)), 1e-12) for each in directions])
    people = len(units)

    def mean_cosine(signs: Array) -> Array:
        totals = (signs @ units) ** 2
        return np.asarray((totals.sum(axis=-1) - people) / (people * (people - 1)))

    value = float(mean_cosine(np.ones(people)))
    if people < LEAST_FOR_TEST:
        return CommonDirection(value, math.nan, math.nan)
    flipped = mean_cosine(flip_signs(people, seed))
    p = float((flipped >= value - 1e-12).mean())
    return CommonDirection(value, float(np.quantile(flipped, CHANCE)), p)


def flip_signs(people: int, seed: int = 0, most: int = 2**14) -> Array:
    """Return (F, P) signs: all that there are, if at most `most`, or so many at random; the first row is all 1."""
    if 2**people <= most:
        bits = np.arange(2**people)[:, None] >> np.arange(people) & 1
    else:
        bits = np.random.default_rng(seed).integers(0, 2, (most, people))
        bits[0] = 0
    return np.asarray(1.0 - 2.0 * bits)


def _quantile_of_others(values: Array, share: float) -> Array:
    """Return for each of N values the quantile of the N - 1 others, without a list of the others for each."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values))
    ordered, place = values[order], share * (len(values) - 2)
    low, high = (ordered[at + (at >= rank)] for at in (math.floor(place), math.ceil(place)))
    return np.asarray(low + (place - math.floor(place)) * (high - low))


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))


def _squared(vector: Array) -> float:
    return float(vector @ vector)


def _interval(a: Direction, b: Direction) -> tuple[float, float]:
    if not len(a.resampled) or not len(b.resampled):
        return math.nan, math.nan
    # A resampled direction has the error of its footage and that of resampling. Two people have independent samples.
    a_squared, b_squared = (
        np.maximum((each.resampled**2).sum(axis=1) - 2 * each.error**2, 0) for each in (a, b)
    )
    dots = (a.resampled * b.resampled).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.nan_to_num(np.clip(dots / np.sqrt(a_squared * b_squared), -1, 1))
    low, high = np.quantile(cosines, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
