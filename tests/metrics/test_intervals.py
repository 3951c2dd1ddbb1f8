"""Intervals over people: bootstrap and jackknife by hand, against known cases, and where there are none."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from omote.metrics.clustering import LabelledFeatures, paper_accuracy
from omote.metrics.intervals import (
    bootstrap_accuracies,
    bootstrap_interval,
    jackknife,
    jackknife_interval,
    jackknife_mean,
)
from omote.metrics.score import PerRowResults, Score, no_results, no_score

RNG = np.random.default_rng(0)


def people(seed: int, count: int = 12, noise: float = 0.8) -> tuple[LabelledFeatures, NDArray[np.str_]]:
    """Return synthetic codes of `count` people with 8 expressions, 3 frames each, and the subject of each frame."""
    rng = np.random.default_rng(seed)
    expression = np.tile(np.repeat(np.arange(8), 3), count)
    who = np.repeat(np.arange(count), 24)
    centres = 1.5 * np.random.default_rng(0).normal(size=(8, 8))
    codes = centres[expression] + rng.normal(0, noise, (count, 8))[who] + rng.normal(0, 0.3, (len(who), 8))
    return LabelledFeatures(codes, expression.astype(str)), np.char.add("p", who.astype(str))


def test_the_bootstrap_interval_by_hand() -> None:
    # the samples have the means 0.4 and 0.6, each over two seeds 0.2 apart: variance 0.02 - 0.02 / 2
    each = np.array([[0.3, 0.5], [0.5, 0.7]])
    error = 1.96 * math.sqrt(0.02 - 0.02 / 2)
    assert bootstrap_interval(0.5, [each]) == pytest.approx((0.5 - error, 0.5 + error))
    # averaged with a second training that goes the other way, the samples no longer differ
    assert bootstrap_interval(0.5, [each, each[::-1]]) == (0.5, 0.5)


def test_the_difference_of_a_method_and_itself_is_exactly_0() -> None:
    each = bootstrap_accuracies(*people(1), resamples=5)
    assert bootstrap_interval(0.0, [each - each]) == (0.0, 0.0)


def test_a_sample_of_everyone_once_has_the_papers_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Everybody:
        def multinomial(self, count: int, shares: object) -> NDArray[np.int64]:
            return np.ones(count, np.int64)

    labelled, who = people(2)
    accuracy = paper_accuracy(labelled, seeds=4).value
    monkeypatch.setattr(np.random, "default_rng", lambda *_: Everybody())
    assert bootstrap_accuracies(labelled, who, resamples=1).mean() == pytest.approx(accuracy)


def test_samples_depend_on_the_people_and_not_on_the_codes() -> None:
    labelled, who = people(3)
    once = bootstrap_accuracies(labelled, who, resamples=4)
    shuffled = np.random.default_rng(0).permutation(len(who))
    mixed = LabelledFeatures(labelled.features[shuffled], labelled.labels[shuffled])
    # in another order k-means starts elsewhere, but the samples are the same, so their accuracies correlate
    again = bootstrap_accuracies(mixed, who[shuffled], resamples=40, seeds=8).mean(1)
    first = bootstrap_accuracies(labelled, who, resamples=40, seeds=8).mean(1)
    assert np.corrcoef(first, again)[0, 1] > 0.5
    others = bootstrap_accuracies(labelled, np.char.add("q", who), resamples=4)
    assert not np.array_equal(once, others)


def test_people_who_differ_more_give_a_wider_interval() -> None:
    widths = []
    for noise in (0.1, 1.2):
        low, high = bootstrap_interval(0.5, [bootstrap_accuracies(*people(4, noise=noise), resamples=40)])
        widths.append(high - low)
    assert widths[0] < widths[1]


def test_the_standard_error_is_near_the_deviation_between_groups_of_people() -> None:
    groups = [people(seed) for seed in range(24)]
    values = [paper_accuracy(codes, seeds=10).value for codes, _ in groups]
    errors = []
    for codes, who in groups[:8]:
        low, high = bootstrap_interval(0.0, [bootstrap_accuracies(codes, who, resamples=40)])
        errors.append((high - low) / (2 * 1.96))
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.5)


def test_one_person_or_a_collapsed_code_has_no_interval() -> None:
    labelled, who = people(5)
    assert np.isnan(bootstrap_accuracies(labelled, np.repeat(["a"], len(who)), resamples=2)).all()
    collapsed = LabelledFeatures(np.ones_like(labelled.features), labelled.labels)
    each = bootstrap_accuracies(collapsed, who, resamples=2)
    assert np.isnan(each).all()
    assert all(map(math.isnan, bootstrap_interval(0.5, [each])))


def mean(values: NDArray[np.float64]) -> Score:
    return Score(float(values.mean()), chance=0.25)


def test_the_jackknife_interval_of_a_mean_over_people_is_the_textbooks() -> None:
    each = RNG.normal(size=12)
    found = jackknife(lambda rows: {"mean": mean(each[rows])}, np.arange(12))["mean"]
    reach = t.ppf(0.975, 11) * each.std(ddof=1) / math.sqrt(12)
    assert (found.low, found.high) == pytest.approx((each.mean() - reach, each.mean() + reach))
    assert (found.value, found.chance) == (each.mean(), 0.25)


def test_frames_of_a_person_are_left_out_together() -> None:
    each = RNG.normal(size=12)
    once = jackknife_mean(PerRowResults(each), np.arange(12))
    many = jackknife_mean(
        PerRowResults(np.tile(each, 50)), np.tile(np.arange(12), 50)
    )  # no more people than before
    assert (many.low, many.high) == pytest.approx((once.low, once.high))


def test_with_many_people_in_groups_the_error_is_still_that_of_a_mean_over_people() -> None:
    # With 20 groups the estimated error scatters by 1 / sqrt(2 * 19) = 16 %, so average over 50 sets of people.
    sets = RNG.normal(size=(50, 403))
    calls = []

    def error(each: NDArray[np.float64]) -> float:
        def score(rows: NDArray[np.int64]) -> dict[str, Score]:
            calls.append(len(rows))
            return {"mean": mean(each[rows])}

        found = jackknife(score, np.arange(403))["mean"]
        return (found.high - found.value) / float(t.ppf(0.975, 19))

    errors = [error(each) for each in sets]
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(1 / math.sqrt(403), rel=0.1)
    assert len(calls) == 50 * 21
    assert set(calls) == {403, 403 - 20, 403 - 21}


def test_only_scored_rows_count() -> None:
    values = np.array([1, 0, 1, np.nan, 1, 1, np.nan, 0])
    subjects = np.array(list("aabbccdd"))
    found = jackknife_mean(PerRowResults(values, 0.5, "a note"), subjects)
    assert found.value == pytest.approx(4 / 6)
    assert (found.chance, found.reason) == (0.5, "a note")
    # b and d have one scored row each; the means without a, b, c, d:
    without = np.array([3 / 4, 3 / 5, 2 / 4, 4 / 5])
    error = math.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 3) * error)


def test_people_who_were_not_scored_do_not_change_the_interval() -> None:
    values = np.concatenate([RNG.random(5), np.full(15, np.nan)])
    few, among_others = (
        jackknife_mean(PerRowResults(values[:5]), np.arange(5)),
        jackknife_mean(PerRowResults(values), np.arange(20)),
    )
    assert (among_others.low, among_others.high) == pytest.approx((few.low, few.high))


def test_each_score_has_its_own_interval_and_one_that_fails_without_a_group_has_none() -> None:
    def scores(rows: NDArray[np.int64]) -> dict[str, Score]:
        return {
            "same": Score(0.5),
            "rows": Score(float(len(rows))),
            "needs a": Score(1.0) if 0 in rows else no_score("a is not there"),
            "never": no_score("never"),
        }

    found = jackknife(scores, np.array(list("aabbcc")))
    assert (found["same"].low, found["same"].high) == (0.5, 0.5)
    assert (found["rows"].low, found["rows"].high) == (6, 6)
    for name, value in (("needs a", 1.0), ("never", math.nan)):
        assert found[name].value == pytest.approx(value, nan_ok=True)
        assert math.isnan(found[name].low)
        assert math.isnan(found[name].high)
    assert found["never"].reason == "never"


def test_two_people_have_no_interval_and_no_results_have_no_mean() -> None:
    two = jackknife_mean(PerRowResults(np.array([1.0, 0, 1])), np.array(list("aab")))
    assert two.value == pytest.approx(2 / 3)
    assert math.isnan(two.low)
    assert math.isnan(two.high)
    nothing = jackknife_mean(no_results(4, "why"), np.array(list("abcd")))
    assert nothing.reason == "why"
    assert all(map(math.isnan, (nothing.value, nothing.deviation, nothing.low, nothing.high)))


def test_scores_keep_the_replicates_that_their_interval_was_computed_from() -> None:
    each = RNG.normal(size=12)
    found = jackknife(lambda rows: {"mean": mean(each[rows])}, np.arange(12))["mean"]
    assert found.replicates == pytest.approx([np.delete(each, person).mean() for person in range(12)])
    assert jackknife_interval(found.value, found.replicates) == (found.low, found.high)
    for too_few in ([], [1.0, 2.0], [1.0, 2.0, math.nan]):
        assert all(map(math.isnan, jackknife_interval(1.5, too_few)))
