"""Directions of change of people: known cosines are found, and chance is not taken for likeness."""

import math

import numpy as np
import pytest

from omote.metrics import directions
from omote.metrics.directions import (
    Direction,
    compare_directions,
    find_common_direction,
    find_direction,
    flip_signs,
)
from omote.metrics.score import Array

Z = 16


def person(rng: np.random.Generator, change: Array, blocks: int = 12, noise: float = 0.5) -> Direction:
    """Return the direction of a person of whom half of the blocks of five frames show the change."""
    moods = rng.normal(0, noise, (blocks, Z)).repeat(5, axis=0)  # frames of a block are alike
    after = np.arange(blocks).repeat(5) % 2 == 1
    codes = rng.normal(0, 1, Z) + moods + np.outer(after, change) + rng.normal(0, 0.1, (5 * blocks, Z))
    return find_direction(codes, after, np.arange(blocks).repeat(5), seed=int(rng.integers(2**31)))


def unit(rng: np.random.Generator) -> Array:
    vector = rng.normal(0, 1, Z)
    return np.asarray(vector / np.linalg.norm(vector))


def test_a_direction_is_the_difference_of_two_means() -> None:
    codes = np.array([[0.0, 0], [2, 0], [0, 3], [0, 5]])
    found = find_direction(codes, np.array([False, False, True, True]), np.arange(4))
    np.testing.assert_allclose(found.change, [-1, 4])
    assert found.resampled.shape[1] == 2
    alone = find_direction(codes, np.array([False, False, False, True]), np.arange(4))
    np.testing.assert_allclose(alone.change, [-2 / 3, 4])
    assert len(alone.resampled) == 0
    assert math.isnan(alone.reliability)


@pytest.mark.parametrize("true", [0.9, 0.3, -0.5])
def test_a_known_cosine_is_in_19_of_20_intervals(true: float) -> None:
    rng = np.random.default_rng(0)
    inside, corrected = [], []
    for _ in range(200):
        a, other = unit(rng), unit(rng)
        other -= other @ a * a
        b = true * a + math.sqrt(1 - true**2) * other / np.linalg.norm(other)
        pair = compare_directions([person(rng, 4 * a), person(rng, 4 * b)]).iloc[0]
        inside.append(pair["low"] <= true <= pair["high"])
        corrected.append(pair["cosine"] / pair["ceiling"])
    assert np.mean(inside) > 0.88
    assert np.median(corrected) == pytest.approx(true, abs=0.04)


def test_a_pair_of_people_without_a_tie_stands_out_in_one_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "RESAMPLES", 10)
    rng = np.random.default_rng(1)
    wrong = [
        compare_directions([person(rng, 3 * unit(rng)) for _ in range(8)])["p"].iloc[0] <= 0.05
        for _ in range(300)
    ]
    assert np.mean(wrong) < 0.075
    same = unit(rng)
    alike = [person(rng, 3 * same), person(rng, 3 * same), *(person(rng, 3 * unit(rng)) for _ in range(6))]
    pairs = compare_directions(alike)
    assert pairs["p"].iloc[0] == 1 / 28
    assert pairs["cosine"].iloc[0] > pairs["chance"].iloc[0]
    assert np.isnan(compare_directions(alike[:4])["p"]).all()


def test_a_common_direction_is_found_and_none_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "RESAMPLES", 10)
    rng = np.random.default_rng(2)
    stretch = np.r_[5, 3, np.ones(Z - 2)]  # codes vary more in some directions
    wrong = []
    for _ in range(300):
        people = [person(rng, 3 * stretch * unit(rng)) for _ in range(8)]
        wrong.append(find_common_direction(people).p <= 0.05)
    assert np.mean(wrong) < 0.075
    shared = unit(rng)
    found = find_common_direction([person(rng, 3 * (shared + unit(rng))) for _ in range(8)])
    assert found.p <= 0.01
    assert found.value == pytest.approx(0.5, abs=0.2)
    assert found.value > found.chance
    assert math.isnan(find_common_direction([person(rng, shared) for _ in range(4)]).p)


def test_five_people_are_too_few_for_a_test_by_signs() -> None:
    alike = [Direction(np.ones(Z), np.zeros((0, Z)), math.nan) for _ in range(6)]
    assert math.isnan(find_common_direction(alike[:5]).p)  # 2 of 32 signs: it could not be below 0.0625
    assert find_common_direction(alike).p == 2 / 64


def test_the_chance_of_a_pair_is_the_quantile_of_all_others() -> None:
    rng = np.random.default_rng(3)
    found = compare_directions([Direction(unit(rng), np.zeros((0, Z)), math.nan) for _ in range(7)])
    cosines = found["cosine"].to_numpy()
    chance = [np.quantile(np.delete(cosines, pair), directions.CHANCE) for pair in range(len(cosines))]
    np.testing.assert_allclose(found["chance"], chance)
    np.testing.assert_allclose(found["p"], [(cosines >= cosine).mean() for cosine in cosines])


def test_signs_are_all_of_them_or_a_sample_that_begins_unchanged() -> None:
    assert len(np.unique(flip_signs(4), axis=0)) == 16
    many = flip_signs(30, most=100)
    assert many.shape == (100, 30)
    assert (many[0] == 1).all()
    assert set(np.unique(many)) == {-1.0, 1.0}
