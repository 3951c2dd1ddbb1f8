"""Intervals over people: by hand, paired, and against people that are drawn anew."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from omote.metrics.bootstrap import interval_over_people, resampled_accuracies
from omote.metrics.clustering import Labelled, clustering_scores, kmeans_runs


def people(seed: int, count: int = 12, noise: float = 0.8) -> tuple[Labelled, NDArray[np.str_]]:
    """Made codes of `count` people with 8 expressions, 3 frames each, and who each frame is of."""
    rng = np.random.default_rng(seed)
    expression = np.tile(np.repeat(np.arange(8), 3), count)
    who = np.repeat(np.arange(count), 24)
    centres = 1.5 * np.random.default_rng(0).normal(size=(8, 8))
    codes = centres[expression] + rng.normal(0, noise, (count, 8))[who] + rng.normal(0, 0.3, (len(who), 8))
    return Labelled(codes, expression.astype(str)), np.char.add("p", who.astype(str))


def test_the_interval_by_hand() -> None:
    # means of the draws 0.4 and 0.6, each the mean of two seeds 0.2 apart: 0.02 - (0.02 / 2)
    each = np.array([[0.3, 0.5], [0.5, 0.7]])
    error = 1.96 * math.sqrt(0.02 - 0.02 / 2)
    assert interval_over_people(0.5, [each]) == pytest.approx((0.5 - error, 0.5 + error))
    # a second training that goes the other way leaves nothing between the draws
    assert interval_over_people(0.5, [each, each[::-1]]) == (0.5, 0.5)


def test_the_difference_of_a_row_and_itself_is_exactly_nothing() -> None:
    each = resampled_accuracies(*people(1), resamples=5)
    assert interval_over_people(0.0, [each - each]) == (0.0, 0.0)


def test_a_draw_without_repeats_has_the_papers_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Everybody:
        def multinomial(self, count: int, shares: object) -> NDArray[np.int64]:
            return np.ones(count, np.int64)

    labelled, who = people(2)
    accuracy = clustering_scores(kmeans_runs(labelled, seeds=4)).scores["accuracy"].value
    monkeypatch.setattr(np.random, "default_rng", lambda *_: Everybody())
    assert resampled_accuracies(labelled, who, resamples=1).mean() == pytest.approx(accuracy)


def test_the_same_people_are_drawn_for_other_codes_and_others_for_other_people() -> None:
    labelled, who = people(3)
    once = resampled_accuracies(labelled, who, resamples=4)
    shuffled = np.random.default_rng(0).permutation(len(who))
    mixed = Labelled(labelled.features[shuffled], labelled.labels[shuffled])
    # k-means starts elsewhere in another order, but the draws are the same: the rows go together
    again = resampled_accuracies(mixed, who[shuffled], resamples=40, seeds=8).mean(1)
    first = resampled_accuracies(labelled, who, resamples=40, seeds=8).mean(1)
    assert np.corrcoef(first, again)[0, 1] > 0.5
    others = resampled_accuracies(labelled, np.char.add("q", who), resamples=4)
    assert not np.array_equal(once, others)


def test_people_who_differ_more_have_a_wider_interval() -> None:
    widths = []
    for noise in (0.1, 1.2):
        low, high = interval_over_people(0.5, [resampled_accuracies(*people(4, noise=noise), resamples=40)])
        widths.append(high - low)
    assert widths[0] < widths[1]


def test_the_standard_error_is_near_the_deviation_between_groups_of_people() -> None:
    groups = [people(seed) for seed in range(24)]
    values = [clustering_scores(kmeans_runs(codes, seeds=10)).scores["accuracy"].value for codes, _ in groups]
    errors = []
    for codes, who in groups[:8]:
        low, high = interval_over_people(0.0, [resampled_accuracies(codes, who, resamples=40)])
        errors.append((high - low) / (2 * 1.96))
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.5)


def test_one_person_or_a_collapsed_code_has_no_interval() -> None:
    labelled, who = people(5)
    assert np.isnan(resampled_accuracies(labelled, np.repeat(["a"], len(who)), resamples=2)).all()
    collapsed = Labelled(np.ones_like(labelled.features), labelled.labels)
    each = resampled_accuracies(collapsed, who, resamples=2)
    assert np.isnan(each).all()
    assert all(map(math.isnan, interval_over_people(0.5, [each])))
