"""Retrieval of the same expression from other people, on codes of which the answer is known."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omote.metrics import retrieval
from omote.metrics.retrieval import retrieval_scores
from omote.metrics.score import factorize

PEOPLE, FRAMES = 6, 4  # frames a person of each expression
NAMES = ("anger", "fear", "happiness", "sadness", "surprise")
WHO = np.repeat([f"s{n}" for n in range(PEOPLE)], FRAMES * len(NAMES))
SHOWN = np.tile(np.repeat(NAMES, FRAMES), PEOPLE)
CHANCE = 1 / len(NAMES)
EXPRESSION_CODE = np.eye(len(NAMES))[factorize(SHOWN)]
IDENTITY_CODE = np.eye(PEOPLE)[factorize(WHO)]


def noise(width: int = 8) -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(len(WHO), width))


def test_a_code_that_is_the_expression_finds_it_always() -> None:
    for score in retrieval_scores(EXPRESSION_CODE + 0.01 * noise(5), SHOWN, WHO).values():
        assert score[:3] == pytest.approx((1, 0, CHANCE))
        assert not score.reason


def test_a_code_that_is_the_person_finds_it_by_chance_exactly() -> None:
    # Everybody else is equally far: of frames at one distance the share that is right counts, for every k.
    scores = retrieval_scores(IDENTITY_CODE, SHOWN, WHO)
    assert list(scores) == ["precision_at_1", "precision_at_5", "precision_at_10"]
    for score in scores.values():
        assert score[:3] == pytest.approx((CHANCE, 0, CHANCE))


def test_frames_that_are_equally_far_but_for_rounding_are_drawn_from_too() -> None:
    # Everyone shows one expression, three people each: of the five others, equally far, two show the same.
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(PEOPLE, PEOPLE)))[0]
    for score in retrieval_scores(IDENTITY_CODE @ turn + 1, factorize(WHO) % 2, WHO).values():
        assert score.value == pytest.approx(2 / 5)


def test_a_random_code_is_near_chance() -> None:
    features = np.random.default_rng(0).normal(size=(5 * len(WHO), 8))
    scores = retrieval_scores(
        features, np.tile(SHOWN, 5), np.repeat(np.arange(5 * PEOPLE), len(WHO) // PEOPLE)
    )
    for k, score in zip((1, 5, 10), scores.values(), strict=True):
        assert score.value == pytest.approx(CHANCE, abs=4 * np.sqrt(CHANCE * (1 - CHANCE) / (600 * k)))


def test_the_person_beside_the_expression_does_not_hinder() -> None:
    # The own frames, far nearer, are not among those that are searched.
    scores = retrieval_scores(np.hstack([EXPRESSION_CODE, 9 * IDENTITY_CODE]), SHOWN, WHO)
    assert [score.value for score in scores.values()] == pytest.approx([1, 1, 1])


def test_a_known_share_of_frames_with_no_expression_is_found_by_chance() -> None:
    # The first of four frames of each kind lies where all such frames lie: among them a fifth is right.
    blank = np.arange(len(WHO)) % FRAMES == 0
    features = np.where(blank[:, None], -1, EXPRESSION_CODE)
    scores = retrieval_scores(features, SHOWN, WHO)
    # the ten nearest of the others: 15 frames of other people lie in the same place, blank or not 25
    assert [score.value for score in scores.values()] == pytest.approx([0.75 + 0.25 * CHANCE] * 3)


def test_precision_chance_and_ties_by_hand() -> None:
    features = np.array([[0.0], [1], [2], [-2], [5]])
    scores = retrieval_scores(features, list("xxyyx"), list("abbcc"), ks=(1, 2))
    # the others' by distance:       k = 1   k = 2
    # a 0 x: b 1 x, then b 2 y and c -2 y    1       1/2
    # b 1 x: a 0 x, c -2 y, c 5 x            1       1/2
    # b 2 y: a 0 x, c 5 x, c -2 y            0       0
    # c -2 y: a 0 x, b 1 x, b 2 y            0       0
    # c 5 x: b 2 y, b 1 x, a 0 x             0       1/2
    assert scores["precision_at_1"].value == pytest.approx(2 / 5)
    assert scores["precision_at_2"].value == pytest.approx(1.5 / 5)
    # of others' frames the same expression: a 2 of 4; b 2 of 3, 1 of 3; c 1 of 3, 2 of 3
    assert scores["precision_at_1"].chance == pytest.approx((1 / 2 + 2 / 3 + 1 / 3 + 1 / 3 + 2 / 3) / 5)
    assert scores["precision_at_1"].deviation == pytest.approx(np.std([1, 1 / 2, 0], ddof=1))
    # one y and one x of others equally far from the x at 0: the draw is right half of the time
    tied = retrieval_scores(np.array([[0.0], [1], [-1], [9]]), list("xxyy"), list("abca"), ks=(1,))
    assert tied["precision_at_1"].value == pytest.approx((1 / 2 + 1 + 0 + 0) / 4)


def test_frames_without_a_label_are_neither_scored_nor_found() -> None:
    features = EXPRESSION_CODE + noise(5)
    labels = np.concatenate([SHOWN.astype(object), [None, float("nan")] * (len(WHO) // 2)])
    doubled = np.concatenate([features, features])
    who = np.concatenate([WHO, WHO[::-1]])
    assert retrieval_scores(doubled, labels, who) == retrieval_scores(features, SHOWN, WHO)
    found = retrieval_scores(
        doubled, np.tile(SHOWN, 2), who
    )  # with its label the copy, someone else's, is nearest
    assert found["precision_at_1"].value == 1


def test_with_fewer_than_k_frames_of_others_there_is_no_score_at_that_k() -> None:
    features = np.array([[0.0], [1], [2], [3]])
    scores = retrieval_scores(features, list("xyxy"), list("abbb"), ks=(1, 2, 5))
    assert scores["precision_at_1"].value == pytest.approx(1 / 4)  # a finds y; b's x, y and y all find a's x
    assert scores["precision_at_2"][:3:2] == pytest.approx((1 / 2, 1 / 3))  # a finds y and x
    assert scores["precision_at_2"].reason == "3 frames have fewer than 2 of other people: not asked"
    assert np.isnan(scores["precision_at_5"].value)
    assert scores["precision_at_5"].reason == "no frame has 5 labelled frames of other people"


@pytest.mark.parametrize(
    ("features", "labels", "who", "reason"),
    [
        (np.ones_like(EXPRESSION_CODE), SHOWN, WHO, "collapsed"),
        (np.full_like(EXPRESSION_CODE, np.nan), SHOWN, WHO, "NaN"),
        (EXPRESSION_CODE[:, :0], SHOWN, WHO, "no numbers"),
        (EXPRESSION_CODE, np.full(len(WHO), "anger"), WHO, "same expression"),
        (EXPRESSION_CODE, SHOWN, np.full(len(WHO), "s0"), "same subject"),
        (EXPRESSION_CODE, [None] * len(WHO), WHO, "no image has an expression label"),
        (np.zeros((0, 3)), [], [], "no image has an expression label"),
    ],
)
def test_where_nothing_can_be_found_the_score_says_why(
    features: npt.NDArray[np.float64], labels: object, who: object, reason: str
) -> None:
    for score in retrieval_scores(features, labels, who).values():
        assert np.isnan(score.value)
        assert reason in score.reason


def test_lengths_that_differ_and_a_k_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="expected N of each"):
        retrieval_scores(EXPRESSION_CODE, SHOWN[1:], WHO)
    with pytest.raises(ValueError, match="every k at least 1"):
        retrieval_scores(EXPRESSION_CODE, SHOWN, WHO, ks=(0,))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_rows_turns_shifts_sizes_and_blocks_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = EXPRESSION_CODE + 0.5 * noise(5)
    order, turn = rng.permutation(len(WHO)), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    plain = retrieval_scores(features, SHOWN, WHO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "DISTANCES_AT_ONCE", 7 * len(WHO))
        moved = retrieval_scores(3 * features[order] @ turn + 2, SHOWN[order], WHO[order])
    assert 0.3 < plain["precision_at_5"].value < 0.9
    for name in plain:
        assert moved[name][:3] == pytest.approx(plain[name][:3])
