"""Whether two people move together: windowed lagged correlation, tested against the same two series out of step.

Boker, Xu, Rotondo and King, "Windowed cross-correlation and peak picking for the analysis of variability in the
association between behavioral time series", 2002; surrogates by circular shifts as in Moulder et al., "Determining
synchrony between behavioral time series", 2018. Their windows overlap and each has a lag of its own; here one lag is
sought for all.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d

from omote.metrics.score import Array

LEAST_SHIFTS = 20  # independent ones; with fewer, p cannot be 0.05
LEAST_WINDOWS = 5
CHANCE = 0.95  # share of what chance gives that lies below the level of chance
LARGEST = 1 - 1e-6  # correlation, so that Fisher's z is finite
STILL = 1e-6  # root mean square movement in a window, below which it has no correlation


class Synchrony(NamedTuple):
    """How two series go together; nan where they are too short."""

    value: float  # mean correlation within windows (of Fisher's z) at the lag; negative: one rises as the other falls
    lag: float  # steps by which the second series follows the first; negative: it leads
    chance: float  # 95 of 100 shifts out of step give less, in absolute value and at their best lag
    p: float
    windows: int  # that count at the lag
    reason: str = ""  # why there is no value or no p


def find_synchrony(first: Array, second: Array, *, window: int, max_lag: int) -> Synchrony:
    """Return the lag at which two series are most correlated within windows, and whether that could be chance.

    One series is cut into windows side by side, and each is correlated with the windows of the other at every lag. The
    same is done with the other series turned round by every possible shift that is out of step: as the best lag is
    taken there too, p counts that it was sought. It holds for series that stay alike over time; a trend within the
    windows, such as a face that slowly tires, is shared by shifted series too.

    Args:
        first, second: (T,) values at equal steps, NaN where missing; windows with missing values do not count.
        window: steps.
        max_lag: steps.
    Raises:
        ValueError: If the series differ in length.
    """
    if len(first) != len(second):
        raise ValueError(f"the series have {len(first)} and {len(second)} steps; give the same steps of both")
    steps = len(first)
    if steps < LEAST_WINDOWS * window + 2 * max_lag:
        return _without(f"{steps} steps are too few; it takes {LEAST_WINDOWS * window + 2 * max_lag}")
    ours = _standardise(first, window)[::window]
    theirs = _standardise(second, window)
    starts = np.arange(len(ours)) * window
    totals, counts = np.zeros(steps), np.zeros(steps, np.int64)  # by offset of the second, in a circle
    for start, own in zip(starts, ours, strict=True):
        correlations = np.full(steps, np.nan)
        correlations[: len(theirs)] = theirs @ own
        found = np.roll(np.arctanh(np.clip(correlations, -LARGEST, LARGEST)), -start)
        known = np.isfinite(found)
        totals[known] += found[known]
        counts += known
    enough = counts >= LEAST_WINDOWS
    means = np.where(enough, totals / np.maximum(counts, 1), np.nan)
    lags = np.arange(-max_lag, max_lag + 1)
    near = means[lags]  # negative lags are at the end of the circle
    if not np.isfinite(near).any():
        return _without("hardly any window has values of both at the same time, or nothing moves")
    best = int(np.nanargmax(np.abs(near)))
    value, observed = float(np.tanh(near[best])), float(abs(near[best]))
    lag, windows = float(lags[best]) + _vertex(near, best), int(counts[lags[best]])
    # Shifts at least a window away from every lag that was tried.
    away = np.arange(window + 2 * max_lag, steps - window - 2 * max_lag)
    sizes = np.where(np.isfinite(means), np.abs(means), -np.inf)
    peaks = maximum_filter1d(sizes, 2 * max_lag + 1, mode="wrap")[away]
    peaks = peaks[np.isfinite(peaks)]
    if len(peaks) < LEAST_SHIFTS * (2 * max_lag + 1):
        return Synchrony(
            value,
            lag,
            math.nan,
            math.nan,
            windows,
            "too short, or too much missing, for a test against chance",
        )
    # Peaks side by side are alike, so the shift that was observed counts as many as one of them does.
    each = 2 * max_lag + 1
    p = float(((peaks >= observed).sum() + each) / (len(peaks) + each))
    return Synchrony(value, lag, float(np.tanh(np.quantile(peaks, CHANCE))), p, windows)


def _without(reason: str) -> Synchrony:
    return Synchrony(math.nan, math.nan, math.nan, math.nan, 0, reason)


def _standardise(series: Array, window: int) -> Array:
    """Return (T - window + 1, window) all windows with mean 0 and length 1; nan if a value is missing or none moves."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(series, np.float64), window)
    centred = windows - windows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    lengths[~(lengths > STILL * math.sqrt(window))] = np.nan
    return np.asarray(centred / lengths)


def _vertex(values: Array, best: int) -> float:
    """Return how far from the best value, -0.5 to 0.5, the vertex of the parabola through it and its neighbours is."""
    if not 0 < best < len(values) - 1:
        return 0.0
    left, middle, right = np.abs(values[best - 1 : best + 2])
    bend = left - 2 * middle + right
    return float(np.clip((left - right) / (2 * bend), -0.5, 0.5)) if np.isfinite(bend) and bend < 0 else 0.0
