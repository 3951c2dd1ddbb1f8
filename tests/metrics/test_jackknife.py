"""Intervals over people by leaving them out: the textbook's for a mean, and where there are none."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from omote.metrics.jackknife import anew, mean_of
from omote.metrics.score import Answers, Score, no_answers, no_score

RNG = np.random.default_rng(0)


def mean(values: NDArray[np.float64]) -> Score:
    return Score(float(values.mean()), chance=0.25)


def test_of_a_mean_over_people_it_is_the_textbooks_interval() -> None:
    each = RNG.normal(size=12)
    found = anew(lambda rows: {"mean": mean(each[rows])}, np.arange(12))["mean"]
    reach = t.ppf(0.975, 11) * each.std(ddof=1) / math.sqrt(12)
    assert (found.low, found.high) == pytest.approx((each.mean() - reach, each.mean() + reach))
    assert (found.value, found.chance) == (each.mean(), 0.25)


def test_frames_of_a_person_are_left_out_together() -> None:
    each = RNG.normal(size=12)
    once = mean_of(Answers(each), np.arange(12))
    many = mean_of(Answers(np.tile(each, 50)), np.tile(np.arange(12), 50))  # no more people than before
    assert (many.low, many.high) == pytest.approx((once.low, once.high))


def test_many_people_go_in_groups_and_the_error_stays_that_of_a_mean_over_people() -> None:
    # One set of 400 people has 20 groups, whose error scatters by 1 / sqrt(2 * 19) = 16 %: the mean over 50 sets.
    sets = RNG.normal(size=(50, 403))
    calls = []

    def error(each: NDArray[np.float64]) -> float:
        def score(rows: NDArray[np.int64]) -> dict[str, Score]:
            calls.append(len(rows))
            return {"mean": mean(each[rows])}

        found = anew(score, np.arange(403))["mean"]
        return (found.high - found.value) / float(t.ppf(0.975, 19))

    errors = [error(each) for each in sets]
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(1 / math.sqrt(403), rel=0.1)
    assert len(calls) == 50 * 21
    assert set(calls) == {403, 403 - 20, 403 - 21}


def test_only_rows_that_were_asked_count() -> None:
    values = np.array([1, 0, 1, np.nan, 1, 1, np.nan, 0])
    subjects = np.array(list("aabbccdd"))
    found = mean_of(Answers(values, 0.5, "a note"), subjects)
    assert found.value == pytest.approx(4 / 6)
    assert (found.chance, found.reason) == (0.5, "a note")
    # b and d count one row each: the means without a, b, c, d
    without = np.array([3 / 4, 3 / 5, 2 / 4, 4 / 5])
    error = math.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 3) * error)


def test_people_who_were_not_asked_neither_widen_nor_narrow() -> None:
    values = np.concatenate([RNG.random(5), np.full(15, np.nan)])
    few, among_others = mean_of(Answers(values[:5]), np.arange(5)), mean_of(Answers(values), np.arange(20))
    assert (among_others.low, among_others.high) == pytest.approx((few.low, few.high))


def test_every_score_has_its_own_interval_and_one_that_fails_without_a_group_has_none() -> None:
    def scores(rows: NDArray[np.int64]) -> dict[str, Score]:
        return {
            "same": Score(0.5),
            "rows": Score(float(len(rows))),
            "needs a": Score(1.0) if 0 in rows else no_score("a is not there"),
            "never": no_score("never"),
        }

    found = anew(scores, np.array(list("aabbcc")))
    assert (found["same"].low, found["same"].high) == (0.5, 0.5)
    assert (found["rows"].low, found["rows"].high) == (6, 6)
    for name, value in (("needs a", 1.0), ("never", math.nan)):
        assert found[name].value == pytest.approx(value, nan_ok=True)
        assert math.isnan(found[name].low)
        assert math.isnan(found[name].high)
    assert found["never"].reason == "never"


def test_two_people_have_no_interval_and_no_answers_have_no_mean() -> None:
    two = mean_of(Answers(np.array([1.0, 0, 1])), np.array(list("aab")))
    assert two.value == pytest.approx(2 / 3)
    assert math.isnan(two.low)
    assert math.isnan(two.high)
    nothing = mean_of(no_answers(4, "why"), np.array(list("abcd")))
    assert nothing.reason == "why"
    assert all(map(math.isnan, (nothing.value, nothing.deviation, nothing.low, nothing.high)))
