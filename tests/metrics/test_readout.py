import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from omote.metrics.probes import subject_folds
from omote.metrics.readout import Readout, mean_r2, predict_held_out, r2, read_factors, ridge

Array = npt.NDArray[np.float64]

PEOPLE, FRAMES = 30, 40
SUBJECT = np.repeat([f"s{n:02}" for n in range(PEOPLE)], FRAMES)


def noise(width: int, seed: int = 0, rows: int = len(SUBJECT)) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, width))


def of_people(width: int, seed: int = 0) -> Array:
    return np.repeat(noise(width, seed, PEOPLE), FRAMES, axis=0)


def table(kind: str, values: Array) -> pd.DataFrame:
    return pd.DataFrame(values).add_prefix(f"{kind}_")


def jackknife_mean(features: Array, factors: pd.DataFrame, kind: str) -> float:
    return mean_r2(read_factors(features, factors, SUBJECT), kind).value


def test_a_code_that_is_the_factors_reads_as_1_and_so_does_one_turned_at_random() -> None:
    factors = noise(4)
    turn = np.linalg.qr(noise(4, 1, 4))[0]
    for code in (factors, factors @ turn, factors @ turn * [1, 10, 100, 1000] + 5):
        assert jackknife_mean(code, table("au", factors), "au") == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("variance", [0.25, 1.0, 4.0])
def test_noise_of_a_known_share_leaves_the_rest(variance: float) -> None:
    # The best line from factor + noise to the factor leaves s^2 / (1 + s^2) of its variance.
    factors = noise(8)
    code = factors + np.sqrt(variance) * noise(8, 1)
    assert jackknife_mean(code, table("au", factors), "au") == pytest.approx(1 / (1 + variance), abs=0.02)


def test_a_code_that_holds_nothing_reads_as_0() -> None:
    score = mean_r2(read_factors(noise(16), table("au", noise(8, 1)), SUBJECT), "au")
    assert score.value == pytest.approx(0, abs=0.01)
    assert score.chance == 0


def test_a_code_of_people_gives_no_action_unit_and_of_people_what_holds_for_others() -> None:
    shape = of_people(2)
    factors = table("au", noise(4, 1)).join(table("id", shape + of_people(2, 2)))
    assert jackknife_mean(shape, factors, "au") == pytest.approx(0, abs=0.01)
    # Half of the variance is in the code; thirty people are few to learn two weights from.
    assert jackknife_mean(shape, factors, "id") == pytest.approx(0.5, abs=0.15)
    names = np.repeat(np.eye(PEOPLE), FRAMES, axis=0)  # who it is, without what the person looks like
    assert jackknife_mean(names, factors, "id") == pytest.approx(0, abs=0.1)


def test_a_code_of_expressions_gives_no_one_away() -> None:
    expression = noise(4)
    factors = table("au", expression).join(table("id", of_people(4, 1)))
    found = read_factors(expression, factors, SUBJECT)
    assert mean_r2(found, "au").value == pytest.approx(1, abs=1e-6)
    assert mean_r2(found, "id").value == pytest.approx(0, abs=0.02)


def test_the_penalty_is_not_chosen_by_frames_of_the_people_fitted_on() -> None:
    # About as many numbers as people: weights that meet those fitted on are far off for the others.
    code, factors = of_people(22) + 0.01 * noise(22), of_people(8, 1)
    by_frames = cross_val_predict(RidgeCV(), code, factors, groups=SUBJECT, cv=GroupKFold(5))
    assert r2_score(factors, by_frames) < -1
    assert jackknife_mean(code, table("id", factors), "id") > -0.2


def test_nothing_of_the_people_of_a_fold_is_fitted_on() -> None:
    code, factors, fold = noise(3), noise(2, 1), subject_folds(SUBJECT, 5)
    before = predict_held_out(code, factors, fold, ridge)
    factors[fold == 2] = 100
    after = predict_held_out(code, factors, fold, ridge)
    np.testing.assert_array_equal(after.predicted[fold == 2], before.predicted[fold == 2])
    np.testing.assert_array_equal(after.baseline[fold == 2], before.baseline[fold == 2])
    assert not np.array_equal(after.predicted[fold == 1], before.predicted[fold == 1])


def test_the_guess_is_the_mean_of_the_other_people() -> None:
    # Three people are three folds; the others' means are 5, 4 and 2.
    factor = pd.DataFrame({"au_1": [1.0, 1, 3, 5, 5, 5]})
    (found,) = read_factors(noise(1, rows=6), factor, list("aabccc"))
    np.testing.assert_allclose(
        found.baseline_errors, (factor["au_1"] - [4.5, 4.5, 3.4, 5 / 3, 5 / 3, 5 / 3]) ** 2
    )


def test_a_person_with_the_opposite_relation_scores_below_0() -> None:
    code = noise(1)
    odd = SUBJECT == "s07"
    (found,) = read_factors(code, table("au", np.where(odd[:, None], -code, code)), SUBJECT)
    # Predicted x where -x is true: 4 x^2 against x^2. Of the others, x less a little.
    assert r2(found, np.flatnonzero(odd)).value == pytest.approx(1 - 4, abs=0.1)
    assert r2(found, np.flatnonzero(SUBJECT == "s08")).value > 0.95


def test_r2_and_its_mean_by_hand() -> None:
    nothing = np.full(3, np.nan)
    found = [
        Readout("au_1", np.array([1.0, 0, 2]), np.array([2.0, 2, 4])),
        Readout("au_2", np.array([3.0, 5, 0]), np.array([2.0, 2, 4])),
        Readout("au_3", nothing, nothing, "it never moves"),
        Readout("id_age", np.array([0.0, 0, 0]), np.array([2.0, 2, 0])),
    ]
    assert r2(found[0])[:3:2] == pytest.approx((5 / 8, 0))
    assert r2(found[0], np.array([0, 1])).value == pytest.approx(3 / 4)
    assert r2(found[3], np.array([2])).reason == "id_age is the same in all the images asked"
    score = mean_r2(found, "au")
    assert score[:3] == pytest.approx((5 / 16, np.std([5 / 8, 0], ddof=1), 0))
    assert score.reason == "au_3: it never moves"
    assert mean_r2(found, "id").value == 1
    assert mean_r2(found, "nuisance").reason == "there are no factors nuisance_*"


def test_what_cannot_be_read_says_why() -> None:
    factors = table("au", noise(3, 1))
    factors["au_1"], factors.loc[7, "au_2"] = 0.25, np.nan
    code = noise(4)
    first, constant, unknown = read_factors(code, factors, SUBJECT)
    assert (first.name, first.reason) == ("au_0", "")
    assert np.isnan(r2(constant).value)
    assert r2(constant).reason == "the factor is the same in all images"
    assert r2(unknown).reason == "the factor is not known for all images"
    collapsed = mean_r2(read_factors(np.ones((len(code), 4)), factors, SUBJECT), "au")
    assert np.isnan(collapsed.value)
    assert "collapsed" in collapsed.reason
    assert "three people" in r2(read_factors(code, factors, SUBJECT < "s15")[0]).reason
    assert "no images" in r2(read_factors(code[:0], factors[:0], [])[0]).reason
    with pytest.raises(ValueError, match="same number"):
        read_factors(code[1:], factors, SUBJECT)


def test_order_of_rows_and_scale_change_nothing() -> None:
    factors = noise(2, 1)
    code = np.hstack([factors, noise(2)]) + noise(4, 2)
    order = np.random.default_rng(0).permutation(len(code))
    plain = read_factors(code, table("au", factors), SUBJECT)
    other = read_factors(code[order] * [1, 5, 0.1, 2] + 3, table("au", factors[order] * 7), SUBJECT[order])
    for a, b in zip(plain, other, strict=True):
        assert r2(b).value == pytest.approx(r2(a).value, abs=1e-9)
        np.testing.assert_allclose(b.errors, 49 * a.errors[order], rtol=1e-6, atol=1e-9)
