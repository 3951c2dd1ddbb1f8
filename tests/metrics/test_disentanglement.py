import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import mutual_info_score

from omote.metrics.disentanglement import (
    DISENTANGLEMENT_SCORES,
    concentration,
    disentanglement_scores,
    mutual_information,
)
from omote.metrics.score import Score

Array = npt.NDArray[np.float64]

SUBJECT = np.repeat(np.arange(20), 60)
THREE = np.tile(list("abc"), 8)  # 24 rows


def noise(width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(len(SUBJECT), width))


def uniform(width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(size=(len(SUBJECT), width))


def turned(code: Array) -> Array:
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(code.shape[1], code.shape[1])))
    return np.asarray(code @ turn)


def scores(code: Array, factors: Array) -> dict[str, Score]:
    return disentanglement_scores(code, pd.DataFrame(factors).add_prefix("au_"), SUBJECT)


def values(found: dict[str, Score]) -> list[float]:
    assert tuple(found) == DISENTANGLEMENT_SCORES
    return [score.value for score in found.values()]


def test_a_code_that_is_the_factors_scores_nearly_1() -> None:
    factors = uniform(6)
    found = scores(np.hstack([factors[:, ::-1] * [1, 2, 3, 4, 5, 6], noise(4)]), factors)
    disentanglement, completeness, informativeness, mig, sap = values(found)
    # The lasso of the least penalty takes a thousandth off the weights, and stray weights are as small.
    assert disentanglement > 0.99
    assert completeness > 0.99
    assert informativeness == pytest.approx(1, abs=1e-4)
    # The second number seems to tell 19^2 / 2N nats of log 20, by chance, and a bit more as the best of nine.
    assert mig == pytest.approx(1 - 19**2 / (2 * len(SUBJECT)) / np.log(20), abs=0.02)
    # The square of a chance correlation is 1/N on average.
    assert sap == pytest.approx(1, abs=0.01)
    assert not any(score.reason for score in found.values())


def test_the_same_code_turned_holds_as_much_and_scores_like_chance() -> None:
    factors = uniform(6)
    found = scores(turned(np.hstack([factors - 0.5, 0.3 * noise(2)])), factors)
    assert found.pop("dci_informativeness").value == pytest.approx(1, abs=1e-4)
    for name, score in found.items():
        assert score.value < 0.45, name
        assert score.value == pytest.approx(score.chance, abs=0.12), name


def test_noise_of_a_known_share_leaves_the_rest() -> None:
    # Of factor + noise of a third of its variance, 3/4 are read; of all the other numbers nothing.
    factors = noise(6)
    found = scores(factors + np.sqrt(1 / 3) * noise(6, 1), factors)
    assert found["dci_informativeness"].value == pytest.approx(0.75, abs=0.02)
    assert found["sap"].value == pytest.approx(0.75, abs=0.02)


def test_a_code_that_holds_nothing_has_nothing_to_disentangle() -> None:
    for code in (noise(8), np.repeat(noise(8)[:20], 60, axis=0)):  # the second holds the people
        found = scores(code, uniform(5))
        for name in ("dci_disentanglement", "dci_completeness"):
            assert np.isnan(found[name].value)
            assert "no factor can be read" in found[name].reason
        assert found["dci_informativeness"][:3:2] == pytest.approx((0, 0), abs=0.01)
        assert found["mig"].value == pytest.approx(found["mig"].chance, abs=0.02)
        assert found["sap"].value == pytest.approx(found["sap"].chance, abs=0.01)
        assert found["sap"].chance < 0.01


def test_sap_by_hand() -> None:
    code = np.tile([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], (6, 1))
    factors = pd.DataFrame({"first": 2 * code[:, 0] + code[:, 1], "second": code[:, 1]})
    # R2 of first: 4/5 from one number, 1/5 from the other; of second: 1 and 0.
    found = disentanglement_scores(code, factors, THREE)["sap"]
    assert found[:2] == pytest.approx((np.mean([3 / 5, 1]), np.std([3 / 5, 1], ddof=1)))


def test_mig_by_hand() -> None:
    four = np.tile([0.0, 1, 2, 3], 6)
    code = np.stack([four, four // 2, np.ones(24)], axis=1)
    factors = pd.DataFrame({"four": four, "odd": four % 2})
    # four (2 bits): 2 bits from the first number, 1 from the second; odd (1 bit): 1 and 0.
    assert disentanglement_scores(code, factors, THREE)["mig"].value == pytest.approx(np.mean([1 / 2, 1]))


def test_one_sidedness_by_hand() -> None:
    importance = np.array([[3.0, 0], [1, 1], [0, 0]])
    # Rows: 1 with weight 3, 0 with weight 2, nothing.
    assert concentration(importance) == pytest.approx(3 / 5)
    # Columns: shares 3/4, 1/4 and 0 with weight 4; 1 with weight 1. Entropies to base 3.
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(3)
    assert concentration(importance.T) == pytest.approx((4 * (1 - entropy) + 1) / 5)


def test_twins_count_once_and_constant_factors_not_at_all() -> None:
    factors = pd.DataFrame(uniform(3), columns=["left", "jaw", "brow"])
    code = factors.to_numpy() + 0.3 * noise(3)
    more = factors.assign(still=0.5, right=-factors["left"] + 0.01 * noise(1)[:, 0])
    found = disentanglement_scores(code, more, SUBJECT)
    assert values(found) == values(disentanglement_scores(code, factors, SUBJECT))
    for score in found.values():
        assert "still: the factor is the same in all images" in score.reason
        assert "1 of the factors repeat another" in score.reason


def test_order_of_rows_and_scale_of_features_change_nothing() -> None:
    factors = uniform(4)
    code = np.hstack([turned(factors), noise(2)]) + 0.1 * noise(6, 1)
    order = np.random.default_rng(0).permutation(len(code))
    other = disentanglement_scores(
        code[order] * [1, 2, 4, 8, 0.5, 64], pd.DataFrame(factors[order]), SUBJECT[order]
    )
    assert values(other) == pytest.approx(values(scores(code, factors)), abs=1e-6)


def test_what_cannot_be_scored_says_why() -> None:
    factors = uniform(2)
    for code, truth, who, reason in (
        (np.ones((len(SUBJECT), 4)), factors, SUBJECT, "collapsed"),
        (noise(4), factors, SUBJECT % 2, "three people"),
        (noise(1), factors, SUBJECT, "two numbers"),
        (noise(4), factors[:, [0, 0]], SUBJECT, "two different factors"),
        (noise(4), np.ones((len(SUBJECT), 2)), SUBJECT, "the same in all images"),
        (np.empty((0, 4)), factors[:0], [], "no images"),
    ):
        for score in disentanglement_scores(code, truth, who).values():
            assert np.isnan(score.value)
            assert reason in score.reason
    with pytest.raises(ValueError, match="same number"):
        disentanglement_scores(noise(4), factors[1:], SUBJECT)


def test_mutual_information_is_scikit_learns_as_a_share_of_the_entropy() -> None:
    codes, factors = np.hstack([noise(3), np.repeat(noise(1)[:20], 60, axis=0)]), uniform(2)
    factors[:, 1] += codes[:, 0]
    found = mutual_information(codes, factors)
    for d, code in enumerate(codes.T):
        for k, factor in enumerate(factors.T):
            bins = [
                np.digitize(each, np.linspace(each.min(), each.max(), 21)[1:-1]) for each in (code, factor)
            ]
            expected = mutual_info_score(*bins) / mutual_info_score(bins[1], bins[1])
            assert found[d, k] == pytest.approx(expected, abs=1e-12)
    assert found[0, 1] == found.max()


def test_without_chance_the_scores_are_the_same() -> None:
    factors = pd.DataFrame(uniform(3)).add_prefix("au_")
    code = np.hstack([factors.to_numpy(), noise(2)])
    whole = disentanglement_scores(code, factors, SUBJECT)
    for name, score in disentanglement_scores(code, factors, SUBJECT, with_chance=False).items():
        assert np.isnan(score.chance)
        assert (score.value, score.reason) == (whole[name].value, whole[name].reason)
