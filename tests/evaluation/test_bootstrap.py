import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from omote.evaluation.bootstrap import bootstrap_accuracy, bootstrap_difference


def table(accuracy: list[float], images: list[int] | None = None, first: int = 0) -> pd.DataFrame:
    """People p0, p1, ... (from ``first`` on) as in `Scores.by_subject`."""
    subjects = [f"p{number}" for number in range(first, first + len(accuracy))]
    return pd.DataFrame({"people": "test", "subject": subjects, "images": images or 3, "accuracy": accuracy})


def simulated(rng: np.random.Generator, people: int = 30) -> pd.DataFrame:
    """People who differ: each has their own accuracy, 0.6 on average, and their own number of images."""
    images = rng.integers(3, 30, size=people)
    right = rng.binomial(images, rng.beta(6, 4, size=people))
    return table(list(right / images), list(images))


def test_two_people_by_hand() -> None:
    # Draws: p0 twice (1 in 4) is 1, both (2 in 4) is 1/4, p1 twice (1 in 4) is 0.
    two = [table([1, 0], images=[1, 3])]
    assert bootstrap_accuracy(two) == (0.25, 0, 1)
    assert bootstrap_accuracy(two, level=0.6) == (0.25, 0, 1)
    assert bootstrap_accuracy(two, level=0.4) == (0.25, 0.25, 0.25)


def test_the_difference_of_two_people_by_hand() -> None:
    # p0 gains 1/2, p1 loses 1/4: drawn twice that is the difference; drawn both it is 1/8.
    first, second = [table([0.5, 0.5])], [table([1, 0.25])]
    assert bootstrap_difference(first, second) == (0.125, -0.25, 0.5)
    assert bootstrap_difference(second, first) == (-0.125, -0.5, 0.25)


def test_people_in_several_trainings_count_once_with_their_mean() -> None:
    apart = [table([1, 0, 0.5]), table([0.5, 0.5, 0])]
    assert bootstrap_accuracy(apart) == bootstrap_accuracy([table([0.75, 0.25, 0.25])])
    of_trainings = [each["accuracy"].mean() for each in apart]
    assert bootstrap_accuracy(apart).value == pytest.approx(np.mean(of_trainings))


def test_folds_of_a_cross_validation_are_pooled() -> None:
    folds = [table([1, 0.5], images=[6, 2]), table([0.25], images=[4], first=2)]
    assert bootstrap_accuracy(folds) == bootstrap_accuracy([table([1, 0.5, 0.25], images=[6, 2, 4])])
    assert bootstrap_accuracy(folds).value == pytest.approx((6 + 1 + 1) / 12)


def test_it_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    one, other = simulated(rng), simulated(rng)
    other["images"] = one["images"]

    def difference(images: np.ndarray, a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray((images * (b - a)).sum(axis) / images.sum(axis))

    images, before, after = (x.to_numpy() for x in (one["images"], one["accuracy"], other["accuracy"]))
    found = bootstrap(
        (images, before, after),
        difference,
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    ours = bootstrap_difference([one], [other], resamples=20_000)
    assert ours.value == pytest.approx(difference(images, before, after))
    assert ours[1:] == pytest.approx(tuple(found.confidence_interval), abs=0.005)


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    intervals = [bootstrap_accuracy([simulated(rng, 40)], resamples=400) for _ in range(300)]
    held = np.mean([low <= 0.6 <= high for _, low, high in intervals])
    assert 0.9 < held < 0.98


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    one, unrelated = simulated(rng), simulated(rng)
    better = one.assign(accuracy=one["accuracy"] * 0.9 + 0.05 + rng.normal(0, 0.01, len(one)))

    def width(first: pd.DataFrame, second: pd.DataFrame) -> float:
        _, low, high = bootstrap_difference([first], [second])
        return high - low

    assert width(one, better) < 0.25 * width(one, unrelated)


def test_a_row_differs_from_itself_by_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = [simulated(rng), simulated(rng)]
    shuffled = [row.sample(frac=1, random_state=0) for row in rows]
    assert bootstrap_difference(rows, shuffled) == (0, 0, 0)


def test_the_seed_alone_decides_the_draws() -> None:
    people = [simulated(np.random.default_rng(0))]
    assert bootstrap_accuracy(people) == bootstrap_accuracy(people)
    assert bootstrap_accuracy(people, seed=1)[1:] != bootstrap_accuracy(people)[1:]


def test_one_person_has_no_interval_and_nobody_no_value() -> None:
    one, nobody = [table([0.5])], [table([])]
    assert bootstrap_accuracy(one) == pytest.approx((0.5, np.nan, np.nan), nan_ok=True)
    assert bootstrap_difference(one, one) == pytest.approx((0, np.nan, np.nan), nan_ok=True)
    assert np.isnan(bootstrap_accuracy(nobody)).all()
    assert np.isnan(bootstrap_difference(nobody, nobody)).all()


def test_a_training_without_scores_is_not_passed_over() -> None:
    collapsed = table([np.nan, np.nan])
    assert np.isnan(bootstrap_accuracy([table([1, 0]), collapsed])).all()
    assert np.isnan(bootstrap_difference([table([1, 0])], [collapsed])).all()


def test_different_people_and_no_training_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scored on one side: \['p0', 'p2'\]"):
        bootstrap_difference([table([1, 0])], [table([1, 0], first=1)])
    with pytest.raises(ValueError, match="No objects"):
        bootstrap_accuracy([])
