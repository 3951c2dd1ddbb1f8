"""Two conditions within people: values by hand, and how often chance is taken for an effect."""

import math

import numpy as np
import pytest

from omote.metrics.conditions import compare_pairs


def test_a_difference_by_hand() -> None:
    found = compare_pairs(np.array([1.0, 2, 3, 4, 5, 6, np.nan]))
    assert (found.value, found.people, found.higher) == (3.5, 6, 6)
    assert found.p == 2 / 2**6  # only all signs alike reach so much, in both directions
    deviation = np.std([1, 2, 3, 4, 5, 6], ddof=1)
    assert found.effect == pytest.approx((1 - 3 / 19) * 3.5 / deviation)
    assert found.low == pytest.approx(3.5 - 2.5706 * deviation / math.sqrt(6), abs=1e-3)


def test_too_few_people_have_no_test_and_no_interval() -> None:
    assert math.isnan(compare_pairs(np.array([])).value)
    assert math.isnan(compare_pairs(np.array([1.0, 2])).low)
    five = compare_pairs(np.arange(5.0) + 1)
    assert five.low < five.value
    assert math.isnan(five.p)
    assert compare_pairs(np.zeros(8)).p == 1


@pytest.mark.parametrize("people", [8, 20])
def test_of_twenty_conditions_without_effect_one_is_taken_for_one(people: int) -> None:
    rng = np.random.default_rng(0)
    wrong = [compare_pairs(rng.standard_t(3, people)).p <= 0.05 for _ in range(400)]
    assert 0.02 < np.mean(wrong) < 0.075
    inside = [
        abs(r.value - 1) <= r.high - r.value
        for r in (compare_pairs(rng.normal(1, 2, people)) for _ in range(400))
    ]
    assert 0.92 < np.mean(inside) < 0.98
    assert np.mean([compare_pairs(rng.normal(1.2, 1, people)).p <= 0.05 for _ in range(50)]) > 0.7
