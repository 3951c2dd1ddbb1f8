"""Intervals over people: bootstrap and jackknife by hand, against known cases, and where there are none."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from omote.metrics import intervals
from omote.metrics.clustering import LabelledFeatures, paper_accuracy
from omote.metrics.intervals import (
    add_interval,
    bootstrap_accuracies,
    bootstrap_error,
    compare_trainings,
    holm,
    jackknife,
    jackknife_error,
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


def test_the_bootstrap_error_by_hand() -> None:
    # the samples have the means 0.4 and 0.6, each over two seeds 0.2 apart: variance 0.02 - 0.02 / 2
    each = np.array([[0.3, 0.5], [0.5, 0.7]])
    assert bootstrap_error([each]) == pytest.approx(math.sqrt(0.02 - 0.02 / 2))
    # averaged with a second training that goes the other way, the samples no longer differ
    assert bootstrap_error([each, each[::-1]]) == 0


def test_the_difference_of_a_method_and_itself_is_exactly_0() -> None:
    each = bootstrap_accuracies(*people(1), resamples=5)
    assert bootstrap_error([each - each]) == 0


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


def test_people_who_differ_more_give_a_larger_error() -> None:
    small, large = (
        bootstrap_error([bootstrap_accuracies(*people(4, noise=noise), resamples=40)]) for noise in (0.1, 1.2)
    )
    assert small < large


def test_the_standard_error_is_near_the_deviation_between_groups_of_people() -> None:
    groups = [people(seed) for seed in range(24)]
    values = [paper_accuracy(codes, seeds=10).value for codes, _ in groups]
    errors = [bootstrap_error([bootstrap_accuracies(*each, resamples=40)]) for each in groups[:8]]
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.5)


def test_one_person_or_a_collapsed_code_has_no_interval() -> None:
    labelled, who = people(5)
    assert np.isnan(bootstrap_accuracies(labelled, np.repeat(["a"], len(who)), resamples=2)).all()
    collapsed = LabelledFeatures(np.ones_like(labelled.features), labelled.labels)
    each = bootstrap_accuracies(collapsed, who, resamples=2)
    assert np.isnan(each).all()
    assert math.isnan(bootstrap_error([each]))


def mean(values: NDArray[np.float64]) -> Score:
    return Score(float(values.mean()), chance=0.25, range=(-math.inf, math.inf))


def test_the_jackknife_interval_of_a_mean_over_people_is_the_textbooks() -> None:
    each = RNG.normal(size=12)
    found = jackknife(lambda rows: {"mean": mean(each[rows])}, np.arange(12))["mean"]
    reach = t.ppf(0.975, 11) * each.std(ddof=1) / math.sqrt(12)
    assert (found.low, found.high) == pytest.approx((each.mean() - reach, each.mean() + reach))
    assert (found.value, found.chance) == (each.mean(), 0.25)


def test_frames_of_a_person_are_left_out_together() -> None:
    each = RNG.uniform(0.4, 0.6, 12)
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
    values = np.array([0.6, 0.5, 0.6, np.nan, 0.6, 0.6, np.nan, 0.5])
    subjects = np.array(list("aabbccdd"))
    found = jackknife_mean(PerRowResults(values, 0.5, "a note"), subjects)
    assert found.value == pytest.approx(0.5 + 0.4 / 6)
    assert (found.chance, found.reason) == (0.5, "a note")
    # b and d have one scored row each; the means without a, b, c, d:
    without = 0.5 + 0.1 * np.array([3 / 4, 3 / 5, 2 / 4, 4 / 5])
    error = math.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 3) * error)


def test_people_who_were_not_scored_do_not_change_the_interval() -> None:
    values = np.concatenate([RNG.uniform(0.4, 0.6, 5), np.full(15, np.nan)])
    few, among_others = (
        jackknife_mean(PerRowResults(values[:5]), np.arange(5)),
        jackknife_mean(PerRowResults(values), np.arange(20)),
    )
    assert (among_others.low, among_others.high) == pytest.approx((few.low, few.high))


def test_each_score_has_its_own_interval_and_one_that_fails_without_a_group_has_none() -> None:
    def scores(rows: NDArray[np.int64]) -> dict[str, Score]:
        return {
            "same": Score(0.5),
            "rows": Score(float(len(rows)), range=(0, math.inf)),
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
    assert found.high - found.value == pytest.approx(t.ppf(0.975, 11) * jackknife_error(found.replicates))
    for too_few in ([], [1.0, 2.0], [1.0, 2.0, math.nan]):
        assert math.isnan(jackknife_error(too_few))


def test_an_interval_is_cut_to_the_range_of_its_score() -> None:
    assert add_interval(Score(0.95), 0.05, 2.0, 12)[4:6] == pytest.approx((0.85, 1))
    assert add_interval(Score(0.05), 0.05, 2.0, 12)[4:6] == pytest.approx((0, 0.15))
    assert add_interval(Score(-0.95, range=(-1, 1)), 0.1, 2.0, 12)[4:6] == pytest.approx((-1, -0.75))
    assert add_interval(Score(3.0, range=(0, math.inf)), 2.0, 2.0, 12)[4:6] == pytest.approx((0, 7))


def test_an_interval_of_more_than_half_the_range_says_how_many_people_would_do() -> None:
    found = add_interval(Score(0.8, reason="a note"), 0.15, 2.78, 5)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    # 1.96 x 0.15 is 0.294; a half-width of 0.1 takes 2.94^2 = 8.6 times as many people
    assert found.reason == "a note; no interval: 5 people are too few, about 50 would do"
    people = np.repeat(np.arange(5), 4)
    scattered = jackknife_mean(PerRowResults(np.array([1, 1, 0, 1, 0])[people].astype(float)), people)
    assert scattered.value == 0.6
    assert "no interval: 5 people are too few" in scattered.reason


def test_a_comparison_adds_the_errors_over_people_and_over_trainings_in_quadrature() -> None:
    found = compare_trainings((0.1, 0.2, 0.15), 0.02, 12)
    width = math.hypot(t.ppf(0.975, 11) * 0.02, t.ppf(0.975, 2) * 0.05 / math.sqrt(3))
    assert found[:3] == pytest.approx((0.15, 0.15 - width, 0.15 + width))
    # without a spread of trainings, or of people, it is the ordinary t-test of the other
    assert compare_trainings((0.1, 0.1), 0.04, 12).p == pytest.approx(2 * t.sf(2.5, 11))
    assert compare_trainings((0.1, 0.3), 0.0, 12).p == pytest.approx(2 * t.sf(2, 1))
    assert compare_trainings((0.1, -0.1), 0.04, 12).p == 1


def test_the_p_value_is_where_the_interval_reaches_0() -> None:
    for value in RNG.normal(0, 0.1, (50, 3)):
        found = compare_trainings(value.tolist(), 0.03, 12)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        assert compare_trainings((-value).tolist(), 0.03, 12).p == pytest.approx(found.p)


def test_one_training_settles_nothing() -> None:
    assert compare_trainings((0.9,), 1e-6, 12)[:1] + compare_trainings((0.9,), 1e-6, 12)[3:] == (0.9, 1)
    for unknown in (compare_trainings((0.9,), 0.01, 12), compare_trainings((0.9, 0.8), math.nan, 12)):
        assert math.isnan(unknown.low)
        assert math.isnan(unknown.high)
        assert unknown.p == 1


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.001, 0.6]) == pytest.approx([1, 0.003, 1])
    assert holm([]) == []


# Of the claims of docs/results/paper_small.md: people, standard error over people, deviation of trainings, in points
SPREADS = (
    (48, 0.86, 2.87), (48, 1.15, 1.76), (48, 1.73, 1.74), (48, 1.85, 2.08), (48, 0.71, 1.20),
    (12, 0.97, 2.39), (12, 1.17, 1.24), (12, 2.14, 3.84), (12, 1.33, 0.86), (12, 2.93, 3.49),
)  # fmt: skip


@pytest.mark.parametrize("trainings", [3, 5])
def test_equal_methods_get_a_false_verdict_in_at_most_5_percent_of_reports(trainings: int) -> None:
    rng, reports = np.random.default_rng(0), 1000
    alone, together, people_only = 0, 0, 0
    for _ in range(reports):
        found, naive = [], []
        for people, over_people, over_trainings in SPREADS:
            own = rng.normal(0, over_people * math.sqrt(people), people)  # of each person, in every training
            by_training = own + rng.normal(0, over_trainings, (trainings, 1))
            error = own.std(ddof=1) / math.sqrt(people)
            means = by_training.mean(axis=1)
            found.append(compare_trainings(means.tolist(), error, people).p)
            naive.append(abs(means.mean()) > 1.96 * error and abs(np.sign(means).sum()) == trainings)
        alone += sum(p <= 0.05 for p in found)
        together += min(holm(found)) <= 0.05
        people_only += sum(naive)
    assert alone / (reports * len(SPREADS)) <= 0.05
    assert together / reports <= 0.05
    assert people_only / (reports * len(SPREADS)) > 0.07  # which the rule was before


@pytest.mark.parametrize("folds", [1, 5])
def test_people_in_several_folds_are_drawn_alike_in_each(folds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the mean over people in place of k-means, the true error of the mean over the folds is known."""

    def mean_of_people(
        features: NDArray[np.float64], _: object, weights: NDArray[np.int64], *__: int
    ) -> float:
        return float(np.average(features[:, 0], weights=weights))

    monkeypatch.setattr(intervals, "_weighted_accuracy", mean_of_people)
    rng = np.random.default_rng(0)
    everyone = np.array([f"p{number:02}" for number in range(40)])
    groups = [everyone[number::5].tolist() for number in range(5)] if folds == 5 else [everyone[::5].tolist()]
    grouped, apart = [], []
    for _ in range(20):
        own = rng.normal(size=(40, 1))
        replicates: dict[bool, list[NDArray[np.float64]]] = {True: [], False: []}
        for held_out in groups:
            train = ~np.isin(everyone, held_out)
            codes = LabelledFeatures(own[train], np.tile(["a", "b"], 20)[: train.sum()])
            for alike, of_bootstrap in replicates.items():
                of_bootstrap.append(
                    bootstrap_accuracies(codes, everyone[train], seeds=1, groups=groups if alike else ())
                )
        grouped.append(bootstrap_error(replicates[True]) ** 2)
        apart.append(bootstrap_error(replicates[False]) ** 2)
    truth = 1 / 40 if folds == 5 else 1 / 32
    assert np.mean(grouped) == pytest.approx(truth, rel=0.2)  # a sample of n people lacks 1/n of the variance
    if folds == 5:
        assert math.sqrt(np.mean(apart)) < 0.6 * math.sqrt(truth)  # drawn anew in each fold: far too sure
    else:
        assert grouped == pytest.approx(apart)
