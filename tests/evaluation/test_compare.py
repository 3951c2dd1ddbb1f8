"""Methods side by side: one training has the audit's numbers, means and differences the textbook's intervals."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from omote.data.face_set import FaceSet
from omote.evaluation.audit_scores import score_representation
from omote.evaluation.compare import METHOD_COLUMNS, RUN_COLUMNS, compare_methods, score_run
from omote.evaluation.representation import represent_by_run
from omote.evaluation.swaps import score_swaps
from omote.metrics.intervals import compare_trainings, jackknife_mean
from omote.metrics.score import PerRowResults
from omote.runs.trained import Trained

RNG = np.random.default_rng(0)
PEOPLE = 12


def run(
    method: str,
    seed: int,
    by_person: NDArray[np.float64],
    others: list[float] | None = None,
    reason: str = "",
) -> pd.DataFrame:
    """Return the table of a run with one score, the mean over people, with the replicates without each of them."""
    if others is None:
        others = [float(np.delete(by_person, person).mean()) for person in range(len(by_person))]
    row = ["test", False, "expression_probe", float(by_person.mean()), 0.25, reason, PEOPLE, others]
    return pd.DataFrame([row], columns=RUN_COLUMNS).assign(method=method, seed=seed)


def of(table: pd.DataFrame, method: str) -> dict[str, Any]:
    rows = table[table["method"] == method].to_dict("records")
    assert len(rows) == 1
    return {str(name): value for name, value in rows[0].items()}


def textbook(by_person: NDArray[np.float64]) -> tuple[float, float]:
    reach = t.ppf(0.975, len(by_person) - 1) * by_person.std(ddof=1) / math.sqrt(len(by_person))
    return by_person.mean() - reach, by_person.mean() + reach


def two_methods() -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    return [RNG.normal(0.6, 0.1, PEOPLE) for _ in range(3)], [RNG.normal(0.5, 0.1, PEOPLE) for _ in range(3)]


def test_a_mean_over_seeds_has_the_interval_of_each_persons_mean_over_seeds() -> None:
    ours, _ = two_methods()
    runs = [run("omote", seed, each) for seed, each in enumerate(ours)]
    found = of(compare_methods(pd.concat(runs)), "omote")
    assert (found["low"], found["high"]) == pytest.approx(textbook(np.mean(ours, axis=0)))
    assert found["mean"] == pytest.approx(np.mean(ours))
    assert found["deviation"] == pytest.approx(np.std([each.mean() for each in ours], ddof=1))
    assert (found["trainings"], found["chance"]) == (3, 0.25)


def test_a_difference_pairs_people_and_seeds() -> None:
    ours, theirs = two_methods()
    shared = RNG.normal(0, 0.2, PEOPLE)  # people who are easy for every method do not affect the difference
    runs = [run("omote", seed, each + shared) for seed, each in enumerate(ours)]
    runs += [run("proposed", seed, each + shared) for seed, each in enumerate(theirs)]
    table = compare_methods(pd.concat(runs))
    found, apart = of(table, "omote"), np.mean(ours, axis=0) - np.mean(theirs, axis=0)
    assert found["difference"] == pytest.approx(apart.mean())
    expected = compare_trainings(
        [(mine - yours).mean() for mine, yours in zip(ours, theirs, strict=True)],
        apart.std(ddof=1) / math.sqrt(PEOPLE),
        PEOPLE,
    )
    assert (found["difference_low"], found["difference_high"]) == pytest.approx(expected[1:3])
    assert found["p"] == pytest.approx(expected.p)
    assert (found["same_sign"], found["pairs"]) == (3, 3)
    assert math.isnan(of(table, "proposed")["difference"])  # of the reference to itself


def test_p_values_are_corrected_for_the_other_methods_of_a_score_only() -> None:
    ours, theirs = two_methods()
    runs = [run("omote", seed, each) for seed, each in enumerate(ours)]
    runs += [run("proposed", seed, each) for seed, each in enumerate(theirs)]
    alone = of(compare_methods(pd.concat(runs)), "omote")["p"]
    other_score = [each.assign(score="retrieval") for each in runs]
    assert of(compare_methods(pd.concat(runs + other_score)).iloc[:2], "omote")["p"] == alone
    equal = [run("vae", seed, each + 1e-3 * (seed - 1)) for seed, each in enumerate(theirs)]
    assert of(compare_methods(pd.concat(runs + equal)), "omote")["p"] == pytest.approx(2 * alone)


def test_one_training_has_no_interval_of_its_difference() -> None:
    ours, theirs = two_methods()
    found = of(compare_methods(pd.concat([run("omote", 0, ours[0]), run("proposed", 0, theirs[0])])), "omote")
    assert found["difference"] == pytest.approx(ours[0].mean() - theirs[0].mean())
    assert math.isfinite(found["low"])
    assert math.isnan(found["difference_low"])
    assert found["p"] == 1


def test_only_seeds_that_both_have_are_compared_and_those_of_the_other_sign_are_counted() -> None:
    zero = np.zeros(PEOPLE)
    runs = [run("omote", seed, zero + value) for seed, value in enumerate((0.4, 0.4, -0.1, 9.0))]
    runs += [run("proposed", seed, zero) for seed in range(3)]
    found = of(compare_methods(pd.concat(runs)), "omote")
    assert found["difference"] == pytest.approx(0.7 / 3)
    assert (found["same_sign"], found["pairs"], found["trainings"]) == (2, 3, 4)


def test_a_collapsed_training_is_not_ignored() -> None:
    runs = [run("omote", seed, RNG.normal(size=PEOPLE)) for seed in range(2)]
    collapsed = run("omote", 2, np.full(PEOPLE, np.nan), [], "the code has collapsed")
    found = of(compare_methods(pd.concat([*runs, collapsed, run("proposed", 2, np.zeros(PEOPLE))])), "omote")
    assert all(math.isnan(found[name]) for name in ("mean", "low", "high", "difference"))
    assert found["reason"] == "the code has collapsed"


def test_a_value_without_replicates_has_no_interval() -> None:
    alone = run("omote", 0, np.array([0.5]), [])
    found = of(compare_methods(pd.concat([alone, run("proposed", 0, np.zeros(PEOPLE))])), "omote")
    assert (found["mean"], found["difference"]) == (0.5, 0.5)
    assert all(math.isnan(found[name]) for name in ("low", "high", "difference_low", "difference_high"))


def test_many_people_go_in_groups() -> None:
    by_person = RNG.uniform(size=40)
    without = [float(by_person[np.arange(40) % 20 != group].mean()) for group in range(20)]
    given = run("omote", 0, by_person, without)
    found, expected = (
        of(compare_methods(given), "omote"),
        jackknife_mean(PerRowResults(by_person), np.arange(40)),
    )
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))


def test_of_one_training_the_scores_and_intervals_are_those_of_the_audit(
    trained: Trained, faces: FaceSet
) -> None:
    scores = score_run(trained, faces, trained.info.test_subjects, k=2, seeds=3, resamples=3)
    table = compare_methods(scores.assign(method="proposed", seed=0))
    assert list(table.columns) == METHOD_COLUMNS
    train = np.flatnonzero(faces.frames["subject"].isin(trained.info.train_subjects))
    for centred in (False, True):
        feature = represent_by_run(trained, faces, "run")[centred].of(train)
        groups = score_representation(feature, faces.frames.iloc[train], None, k=2, seeds=3)
        audited = {
            name: score for _, reading, found in groups if reading == "mean" for name, score in found.items()
        }
        audited["subject_probe"] = audited["subject_probe_linear"]
        if not centred:
            rows = train[faces.frames["use"].iloc[train] != "train"]
            answers, pairs = score_swaps(trained, trained, faces, rows)
            audited |= {f"{name}_by_itself": jackknife_mean(each, pairs) for name, each in answers.items()}
        of_train = table[(table["people"] == "train") & (table["centred"] == centred)]
        assert len(of_train) == (5 if centred else 11)
        for row in of_train.to_dict("records"):
            expected = audited[row["score"]]
            assert math.isfinite(row["mean"])
            assert (row["mean"], row["chance"]) == pytest.approx((expected.value, expected.chance))
            assert expected.reason in row["reason"]
            if row["score"] != "accuracy":  # the audit has as many bootstrap samples as k-means runs
                interval = row["low"], row["high"]
                assert interval == pytest.approx((expected.low, expected.high), nan_ok=True)


def test_runs_that_never_saw_a_face_set_are_scored_on_all_its_people(
    trained: Trained, faces: FaceSet
) -> None:
    found = score_run(trained, faces, faces.subjects, judge=trained, k=2, seeds=2, resamples=2)
    assert set(found["people"]) == {"test"}
    own, judged = (
        found[found["score"] == f"identity_read_back_by_{by}"]["value"].item() for by in ("itself", "judge")
    )
    assert own == judged
