"""Two series that go together: the lag is found, and chance is not taken for synchrony."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from omote.metrics.score import Array
from omote.metrics.synchrony import find_synchrony

STEPS, WINDOW, MAX_LAG = 1800, 100, 20


def wander(rng: np.random.Generator, steps: int = STEPS, memory: float = 0.9) -> Array:
    """Return a series whose neighbouring values are alike."""
    return np.asarray(lfilter([1], [1, -memory], rng.normal(0, 1, steps + 200))[200:])


@pytest.mark.parametrize("lag", [0, 7, -13])
def test_a_known_lag_is_found_with_its_sign(lag: int) -> None:
    rng = np.random.default_rng(3)
    shared = wander(rng, STEPS + 100)
    first = shared[50 : 50 + STEPS] + 0.5 * wander(rng)
    second = shared[50 - lag : 50 - lag + STEPS] + 0.5 * wander(rng)
    found = find_synchrony(first, second, window=WINDOW, max_lag=MAX_LAG)
    assert found.lag == pytest.approx(lag, abs=0.5)
    assert found.p <= 0.03
    assert found.value > found.chance
    opposite = find_synchrony(first, -second, window=WINDOW, max_lag=MAX_LAG)
    assert opposite.value == pytest.approx(-found.value)
    assert opposite.lag == pytest.approx(found.lag)


@pytest.mark.parametrize("memory", [0.5, 0.97])
def test_of_twenty_pairs_out_of_step_one_is_taken_for_synchronous(memory: float) -> None:
    rng = np.random.default_rng(4)
    wrong = [
        find_synchrony(
            wander(rng, memory=memory), wander(rng, memory=memory), window=WINDOW, max_lag=MAX_LAG
        ).p
        <= 0.05
        for _ in range(200)
    ]
    assert np.mean(wrong) < 0.08


def test_windows_with_missing_values_do_not_count() -> None:
    rng = np.random.default_rng(5)
    series = wander(rng)
    whole = find_synchrony(series, series, window=WINDOW, max_lag=MAX_LAG)
    assert whole.value == pytest.approx(1, abs=1e-5)
    assert whole.lag == pytest.approx(0, abs=0.1)
    assert whole.windows == 18
    gaps = series.copy()
    gaps[[50, 350]] = np.nan
    assert find_synchrony(gaps, series, window=WINDOW, max_lag=MAX_LAG).windows == 16


def test_what_is_too_short_missing_or_still_has_a_reason() -> None:
    rng = np.random.default_rng(6)
    short = find_synchrony(wander(rng, 300), wander(rng, 300), window=WINDOW, max_lag=MAX_LAG)
    assert math.isnan(short.value)
    assert "300 steps are too few" in short.reason
    still = find_synchrony(np.zeros(STEPS), wander(rng), window=WINDOW, max_lag=MAX_LAG)
    assert "nothing moves" in still.reason
    untested = find_synchrony(wander(rng, 700), wander(rng, 700), window=WINDOW, max_lag=MAX_LAG)
    assert math.isfinite(untested.value)
    assert math.isnan(untested.p)
    assert "for a test" in untested.reason
    with pytest.raises(ValueError, match="700 and 800"):
        find_synchrony(np.zeros(700), np.zeros(800), window=WINDOW, max_lag=MAX_LAG)
