"""Verification: by hand, against the closed form of Gaussian codes, and its laws."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2

from omote.metrics.score import Score
from omote.metrics.verification import FALSE_ACCEPT_RATES, choose_frames, verification_scores


def people(subjects: int, clips: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Subject and clip of one frame a clip; the clips' ids repeat from subject to subject."""
    return np.repeat(np.arange(subjects), clips), np.tile(np.arange(clips), subjects)


def values(scores: dict[str, Score]) -> list[float]:
    return [score.value for score in scores.values()]


def test_a_perfect_identity_code_makes_no_error() -> None:
    subject, clip = people(40, 4)
    scores = verification_scores(np.eye(40)[subject], subject, clip)
    assert values(scores) == [0, 1, 1]
    assert [score.chance for score in scores.values()] == [0.5, 0.01, 0.001]


def test_noise_is_at_chance() -> None:
    subject, clip = people(40, 20)
    scores = verification_scores(np.random.default_rng(0).normal(size=(800, 8)), subject, clip)
    assert scores["eer"].value == pytest.approx(0.5, abs=0.02)
    for name, accepted in FALSE_ACCEPT_RATES.items():
        assert scores[name].value == pytest.approx(accepted, abs=accepted / 2)


def test_gaussian_codes_have_the_error_of_the_closed_form() -> None:
    # Squared distances are chi-square: of genuine pairs times 2 within^2, of impostors 2 (within^2 + between^2).
    size, within, between = 8, 1.0, 1.5
    subject, clip = people(200, 4)
    rng = np.random.default_rng(0)
    codes = between * rng.normal(size=(200, size))[subject] + within * rng.normal(size=(800, size))
    genuine, impostor = 2 * within**2, 2 * (within**2 + between**2)
    threshold = brentq(lambda d: chi2.sf(d / genuine, size) - chi2.cdf(d / impostor, size), 0.1, 100)
    scores = verification_scores(codes, subject, clip)
    assert scores["eer"].value == pytest.approx(chi2.cdf(threshold / impostor, size), abs=0.02)
    for name, accepted in FALSE_ACCEPT_RATES.items():
        passed = chi2.cdf(impostor * chi2.ppf(accepted, size) / genuine, size)
        assert scores[name].value == pytest.approx(passed, abs=0.04)


def test_the_identity_in_a_share_of_the_frames() -> None:
    # Far out where the person is known, round the middle elsewhere. Of genuine pairs the share p^2 is known from both
    # and passes at once; all others lie as impostors do: TAR = p^2 + FAR up to FAR = (1-p)^2, and TAR = p^2 + FAR at
    # EER, where FAR = 1 - TAR.
    subject, clip = people(20, 40)
    rng = np.random.default_rng(0)
    known = rng.random(800) < 0.5
    codes = np.where(known[:, None], 100 * np.eye(20)[subject], rng.normal(size=(800, 20)))
    scores = verification_scores(codes, subject, clip)
    share = np.mean(known) ** 2
    assert scores["eer"].value == pytest.approx((1 - share) / 2, abs=0.02)
    assert scores["tar_at_far_1e-2"].value == pytest.approx(share + 0.01, abs=0.02)


def test_the_equal_error_by_hand() -> None:
    codes = np.array([[0.0], [1], [10], [30], [28], [29]])
    # genuine 1, 20, 1; of 12 impostors 1, 2, 9 and 10 are nearest: a third of both go wrong at 10
    scores = verification_scores(codes, list("aabbcc"), [1, 2] * 3)
    assert scores["eer"].value == pytest.approx(1 / 3)
    for name in FALSE_ACCEPT_RATES:
        assert math.isnan(scores[name].value)
        assert scores[name].reason == "12 impostor pairs are too few for so small a share of them"


def test_where_all_are_equally_near_nobody_passes() -> None:
    subject, clip = people(40, 4)
    assert values(verification_scores(np.eye(160), subject, clip)) == [0.5, 0, 0]


def test_frames_of_one_clip_are_no_genuine_pair() -> None:
    place = (
        np.random.default_rng(0).normal(size=(160, 8)).repeat(2, axis=0)
    )  # every clip in a place of its own
    subject, clip = people(40, 4)
    assert verification_scores(place, subject.repeat(2), clip.repeat(2))["eer"].value > 0.4


def test_expressions_alone_tell_nothing_and_hide_the_person_from_pairs() -> None:
    subject, expression = people(40, 4)
    codes = np.hstack([np.eye(40)[subject], 10 * np.eye(4)[expression]])
    # Genuine pairs differ in expression; the impostors with the same face on, 1 of 4, are nearer.
    assert verification_scores(codes, subject, expression)["eer"].value == pytest.approx(1 / 4)


def test_turning_moving_scaling_reordering_and_renaming_change_nothing() -> None:
    subject, clip = people(40, 4)
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(160, 8)) + 2 * rng.normal(size=(40, 8))[subject]
    plain = values(verification_scores(codes, subject, clip))
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    order = rng.permutation(160)
    assert 0 < plain[0] < 0.5
    assert values(verification_scores(3 * codes @ turn + 5, subject, clip)) == pytest.approx(plain, abs=1e-3)
    assert values(verification_scores(codes[order], subject[order], clip[order])) == plain
    assert values(verification_scores(codes, rng.permutation(40)[subject], clip)) == plain


def test_of_many_frames_as_many_of_everyone_are_compared_and_the_same_without_some_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omote.metrics.verification.MAX_FRAMES", 80)
    subject, clip = np.repeat(np.arange(20), 24), np.repeat(np.arange(80), 6)  # 4 clips of 6 frames each
    chosen = choose_frames(subject, clip)
    assert sorted(clip[chosen]) == list(range(80))
    assert len(set(chosen % 6)) > 2  # not all the first of their clip
    rows = np.flatnonzero(subject > 3)
    without = rows[choose_frames(subject[rows], clip[rows])]
    assert len(without) == 80
    assert set(chosen[subject[chosen] > 3]) < set(without)
    singles = choose_frames(np.repeat(np.arange(100), 2), np.arange(200))
    assert len(singles) == 80
    assert len(set(singles // 2)) == 40  # two of each, so that there are genuine pairs


@pytest.mark.parametrize(
    ("features", "subjects", "reason"),
    [
        (np.zeros((0, 2)), [], "no images"),
        (np.ones((4, 2)), list("aabb"), "collapsed"),
        (np.full((4, 2), np.nan), list("aabb"), "NaN"),
        (np.eye(4), list("aaaa"), "same subject"),
        (np.eye(4), list("aabb"), "no subject has two clips"),
    ],
)
def test_what_cannot_be_scored_is_nan_with_its_reason(
    features: npt.NDArray[np.float64], subjects: list[str], reason: str
) -> None:
    for score in verification_scores(features, subjects, ["1"] * len(subjects)).values():
        assert math.isnan(score.value)
        assert reason in score.reason
