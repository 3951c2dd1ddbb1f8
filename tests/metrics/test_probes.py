import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omote.metrics.probes import Probe, expression_probe, probe_scores, subject_folds

SUBJECTS, EXPRESSIONS, REPEATS = 8, 4, 3
SUBJECT = np.repeat(np.arange(SUBJECTS), EXPRESSIONS * REPEATS)
EXPRESSION = np.tile(np.repeat(["anger", "fear", "happiness", "sadness"], REPEATS), SUBJECTS)
NOISE = np.random.default_rng(0).normal(size=(len(SUBJECT), 6))


def one_hot(values: npt.NDArray[np.int64] | npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    return np.eye(len(np.unique(values)))[np.unique(values, return_inverse=True)[1]]


def test_features_that_are_the_expression_are_read_perfectly() -> None:
    features = np.hstack([one_hot(EXPRESSION), NOISE * 0.01, np.ones((len(SUBJECT), 1))])
    scores = probe_scores(features, EXPRESSION, SUBJECT)
    for score in scores.values():
        assert (score.value, score.deviation, score.chance) == (1, 0, 1 / EXPRESSIONS)


def test_features_that_are_only_the_subject_tell_nothing() -> None:
    scores = probe_scores(one_hot(SUBJECT), EXPRESSION, SUBJECT)
    assert scores["probe_accuracy"].value == pytest.approx(1 / EXPRESSIONS, abs=0.05)


def test_expressions_tied_to_the_subject_are_not_read_from_the_subject() -> None:
    # Each subject shows one expression: with people in both parts this would be perfect.
    tied = np.array(["anger", "fear"])[SUBJECT % 2]
    scores = probe_scores(one_hot(SUBJECT) + 0.01 * np.pad(NOISE, ((0, 0), (0, 2))), tied, SUBJECT)
    assert scores["probe_accuracy"].value < 0.8


def test_chance_and_balance_by_hand() -> None:
    # The probe cannot but answer the frequent label: 3 of 4 right, one recall 1 and the other 0.
    labels = np.tile(["happiness"] * 3 + ["fear"], 6)
    features = np.tile([[0.0], [0], [0], [1e-5]], (6, 1)) + np.repeat([[0.0], [1]], 12, axis=0)
    scores = probe_scores(features * 1e3, labels, np.repeat(np.arange(6), 4), folds=3)
    assert (scores["probe_accuracy"].value, scores["probe_accuracy"].chance) == (0.75, 0.75)
    assert (scores["probe_balanced_accuracy"].value, scores["probe_balanced_accuracy"].chance) == (0.5, 0.5)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.integers(2, 6))
def test_no_subject_is_in_both_parts_of_a_fold(subjects: list[int], folds: int) -> None:
    who = np.array([*subjects, 0, 1])  # two people at least
    fold = subject_folds(who, folds)
    assert len(set(fold)) == min(folds, len(set(who)))
    for number in set(fold):
        assert not set(who[fold == number]) & set(who[fold != number])


def test_same_input_same_scores() -> None:
    assert probe_scores(NOISE, EXPRESSION, SUBJECT) == probe_scores(NOISE, EXPRESSION, SUBJECT)


@pytest.mark.parametrize("probe", ["linear", "mlp"])
def test_of_the_expression_in_a_share_of_the_frames_that_share_is_read(probe: Probe) -> None:
    # Elsewhere the label is guessed, and right in one of four.
    many = np.random.default_rng(0)
    expression, subject = np.tile(EXPRESSION, 10), np.arange(10 * len(SUBJECT)) // 48  # 20 people
    known = many.random(len(expression)) < 0.4
    features = np.where(known[:, None], 10 * one_hot(expression), many.normal(size=(len(expression), 4)))
    answers = expression_probe(features, expression, subject, probe=probe)
    assert answers.chance == 1 / 4
    assert answers.values[known].mean() == 1
    assert answers.values.mean() == pytest.approx(np.mean(known) + (1 - np.mean(known)) / 4, abs=0.06)


def test_only_the_probe_with_a_hidden_layer_reads_a_nonlinear_code() -> None:
    # Anger on both ends, fear in the middle: no side of any line has one of them only.
    labels, who = np.tile(["anger", "fear", "anger", "fear"], 24), np.repeat(np.arange(8), 12)
    features = np.tile([[-3.0], [-1], [3], [1]], (24, 1)) + 0.1 * NOISE[:, :1]
    assert expression_probe(features, labels, who, probe="linear").values.mean() < 0.6
    assert expression_probe(features, labels, who, probe="mlp").values.mean() == 1


def test_rows_without_an_expression_are_neither_scored_nor_fitted_on() -> None:
    features = 3 * one_hot(EXPRESSION) + NOISE[:, :4]
    unknown = np.arange(len(SUBJECT)) % 3 == 0
    labels = [None if hidden else name for hidden, name in zip(unknown, EXPRESSION, strict=True)]
    wild = np.where(unknown[:, None], 1e6 * NOISE[:, :4], features)
    answers = expression_probe(wild, labels, SUBJECT)
    assert (np.isnan(answers.values) == unknown).all()
    alone = expression_probe(features[~unknown], EXPRESSION[~unknown], SUBJECT[~unknown])
    np.testing.assert_array_equal(answers.values[~unknown], alone.values)
    assert answers.chance == alone.chance
    nobody = expression_probe(features, np.full(len(SUBJECT), None), SUBJECT)
    assert nobody.reason == "there are no images"
    with pytest.raises(ValueError, match="one of each per row"):
        expression_probe(features[1:], EXPRESSION, SUBJECT)


@pytest.mark.parametrize(
    ("features", "labels", "subjects", "reason"),
    [
        (np.zeros((0, 2)), [], [], "no images"),
        (np.ones((4, 2)), list("abab"), list("1122"), "collapsed"),
        (np.full((4, 2), np.inf), list("abab"), list("1122"), "infinity"),
        (np.eye(4), list("aaaa"), list("1122"), "same expression"),
        (np.eye(4), list("abab"), list("1111"), "same subject"),
        (np.eye(4), list("abbb"), list("1122"), "without the people of one fold"),
    ],
)
def test_what_cannot_be_scored_is_nan_with_its_reason(
    features: npt.NDArray[np.float64], labels: list[str], subjects: list[str], reason: str
) -> None:
    for score in probe_scores(features, labels, subjects).values():
        assert np.isnan(score[:3]).all()
        assert reason in score.reason
