import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omote.metrics.leakage import (
    clip_folds,
    identity_probe,
    leakage_scores,
    nearest_neighbour_leakage,
    probe_leakage,
)
from omote.metrics.probes import Probe
from omote.metrics.score import factorize

SUBJECTS, CLIPS, FRAMES = 6, 4, 3
SUBJECT = np.repeat([f"s{n}" for n in range(SUBJECTS)], CLIPS * FRAMES)
CLIP = np.tile(np.repeat(np.arange(CLIPS), FRAMES), SUBJECTS)  # the ids repeat from subject to subject


def noise(width: int = 8) -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(len(SUBJECT), width))


def test_features_that_are_the_subject_leak_all() -> None:
    features = np.eye(SUBJECTS, 8)[factorize(SUBJECT)] + 0.01 * noise()
    for score in leakage_scores(features, SUBJECT, CLIP).values():
        assert score.value == 1
        assert score.deviation == 0
        assert not score.reason


def test_features_without_the_subject_are_near_chance() -> None:
    many = [np.tile(part, 10) for part in (SUBJECT, CLIP)]
    clip = np.repeat(np.arange(10), len(SUBJECT)) * 100 + many[1]
    features = np.random.default_rng(0).normal(size=(len(clip), 8))
    for score in leakage_scores(features, many[0], clip).values():
        assert score.chance == pytest.approx(1 / SUBJECTS, abs=0.01)
        assert score.value == pytest.approx(score.chance, abs=0.06)


def test_frames_of_the_same_clip_do_not_give_the_subject_away() -> None:
    # Every clip in a place of its own, by chance: within the clip the answer would be trivial.
    place = np.random.default_rng(0).normal(size=(SUBJECTS * CLIPS, 8))[factorize(SUBJECT, CLIP)]
    scores = leakage_scores(place + 1e-3 * noise(), SUBJECT, CLIP)
    assert scores["subject_nearest_neighbour"].value < 0.5
    assert scores["subject_probe"].value < 0.5


def test_nearest_neighbour_and_its_chance_by_hand() -> None:
    #        a's clip 1      a's 2   b's 1   b's 2   c's only clip
    features = np.array([[0.0], [0.1], [1.0], [5.0], [2.1], [5.2]])
    subjects, clips = list("aaabbc"), [1, 1, 2, 1, 2, 1]
    score = nearest_neighbour_leakage(features, subjects, clips)
    # a 0.0 -> 1.0 right, a 0.1 -> 1.0 right, a 1.0 -> 0.1 right, b 5.0 -> 5.2 wrong, b 2.1 -> 1.0 wrong
    assert score.value == pytest.approx(3 / 5)
    assert score.deviation == pytest.approx(np.std([1, 0], ddof=1))
    # allowed neighbours of the same subject, of all allowed: 1/4, 1/4, 2/5, 1/5, 1/5
    assert score.chance == pytest.approx((1 / 4 + 1 / 4 + 2 / 5 + 1 / 5 + 1 / 5) / 5)
    assert score.reason == "1 of 3 subjects have no other clip to find and are not asked for"


def test_of_equally_near_frames_the_share_counts() -> None:
    features = np.array([[0.0], [1], [1], [-1], [0]])
    score = nearest_neighbour_leakage(features, list("aabbb"), [1, 2, 1, 2, 3])
    # a 0 -> b 0: 0; a 1 -> b 1: 0; b 1 -> a 1: 0; b -1 -> a 0 or b 0: 1/2; b 0 -> a 0: 0
    assert score.value == pytest.approx(0.5 / 5)


def test_single_photos_are_clips_of_one_frame() -> None:
    features = np.array([[0.0], [0.1], [5], [5.1]])
    score = nearest_neighbour_leakage(features, list("aabb"), ["neutral", "smiling"] * 2)
    assert score[:3:2] == pytest.approx((1, 1 / 3))
    assert not score.reason


def test_a_person_beside_the_expression_is_found_across_expressions() -> None:
    # One photo an expression, the expression far larger: the nearest of all is someone with the same face on.
    subjects, expressions = np.repeat(np.arange(20), 2), np.tile(["neutral", "smiling"], 20)
    features = np.hstack([np.eye(20)[subjects], 10 * np.eye(2)[factorize(expressions)]])
    assert nearest_neighbour_leakage(features, subjects, expressions).value == 0
    across = nearest_neighbour_leakage(features, subjects, expressions, expressions)
    assert across[:3:2] == pytest.approx((1, 1 / 20))
    assert probe_leakage(features, subjects, expressions).value > 0.9  # and raises no warning
    alone = nearest_neighbour_leakage(features, subjects, expressions, ["neutral"] * 40)
    assert alone.reason == "no subject has another frame of another expression"


def test_with_one_clip_a_subject_all_other_frames_are_allowed_and_the_reason_says_so() -> None:
    features = np.array([[0.0], [0.1], [5], [5.1]])
    score = nearest_neighbour_leakage(features, list("aabb"), ["only"] * 4)
    assert score[:3:2] == pytest.approx((1, 1 / 3))
    assert "one clip only" in score.reason
    assert "no split by clips" in probe_leakage(features, list("aabb"), ["only"] * 4).reason


def test_probe_chance_is_the_share_of_the_most_frequent_subject() -> None:
    keep = np.r_[0:12, 12:18, 24:30]  # four clips, two, two
    score = probe_leakage(noise()[keep], SUBJECT[keep], CLIP[keep])
    assert score.chance == pytest.approx(12 / 24)


@pytest.mark.parametrize("probe", ["linear", "mlp"])
def test_of_the_subject_in_a_share_of_the_frames_that_share_is_named(probe: Probe) -> None:
    # Elsewhere the subject is guessed, and right in one of ten.
    subject, clip = np.repeat(np.arange(10), 60), np.tile(np.arange(60), 10)
    rng = np.random.default_rng(0)
    known = rng.random(600) < 0.4
    features = np.where(known[:, None], 10 * np.eye(10)[subject], rng.normal(size=(600, 10)))
    answers = identity_probe(features, subject, clip, probe=probe)
    assert answers.chance == pytest.approx(1 / 10)
    assert answers.values[known].mean() == 1
    assert answers.values.mean() == pytest.approx(np.mean(known) + (1 - np.mean(known)) / 10, abs=0.04)


@pytest.mark.parametrize("probe", ["linear", "mlp"])
def test_expressions_alone_do_not_name_the_subject(probe: Probe) -> None:
    subject, clip = np.repeat(np.arange(10), 24), np.tile(np.arange(24), 10)
    several, once = (
        identity_probe(np.eye(expressions)[clip % expressions], subject, clip, probe=probe)
        for expressions in (3, 24)
    )
    assert several.values.mean() < several.chance == 0.1
    assert once.values.mean() < 0.01  # the one that is held out is seen on others alone


def test_only_the_probe_with_a_hidden_layer_knows_a_subject_by_the_size_of_their_codes() -> None:
    subject, clip = np.repeat([0, 1], 60), np.tile(np.arange(60), 2)
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 120)
    features = (1 + subject)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert identity_probe(features, subject, clip, probe="linear").values.mean() < 0.65
    assert identity_probe(features, subject, clip, probe="mlp").values.mean() > 0.95


def test_the_results_make_the_score_and_subjects_with_one_clip_are_not_scored() -> None:
    features, clip = 0.5 * np.eye(SUBJECTS, 8)[factorize(SUBJECT)] + noise(), CLIP.copy()
    clip[:12] = 0
    answers, score = identity_probe(features, SUBJECT, clip), probe_leakage(features, SUBJECT, clip)
    assert (np.isnan(answers.values) == (SUBJECT == "s0")).all()
    assert answers[1:] == (1 / 5, "1 of 6 subjects have one clip only and are left out")
    assert score[2:4] == answers[1:]
    assert score.value == pytest.approx(np.nanmean(answers.values), abs=0.02)  # folds are not of one size


@given(st.lists(st.integers(2, 9), min_size=2, max_size=8), st.integers(2, 6))
def test_no_clip_is_in_both_parts_and_every_subject_is_in_every_fitting_part(
    clips_of: list[int], folds: int
) -> None:
    who = np.repeat(np.arange(len(clips_of)), np.array(clips_of) * 2)
    clip = np.repeat(np.arange(sum(clips_of)), 2)
    fold = clip_folds(who, clip, folds)
    assert set(fold) <= set(range(min(folds, max(clips_of))))
    for number in set(fold):
        assert not set(clip[fold == number]) & set(clip[fold != number])
        assert set(who[fold != number]) == set(who)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_rows_and_names_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.eye(SUBJECTS, 8)[factorize(SUBJECT)] + noise()
    order = rng.permutation(len(SUBJECT))
    plain = nearest_neighbour_leakage(features, SUBJECT, CLIP)
    shuffled = nearest_neighbour_leakage(features[order] + 3, SUBJECT[order], CLIP[order])
    renamed = nearest_neighbour_leakage(features, rng.permutation(SUBJECTS)[factorize(SUBJECT)], CLIP)
    assert shuffled[:3] == pytest.approx(plain[:3])
    assert renamed[:3] == pytest.approx(plain[:3])


def test_many_frames_are_searched_in_blocks_with_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.eye(SUBJECTS, 8)[factorize(SUBJECT)] + noise()
    whole = nearest_neighbour_leakage(features, SUBJECT, CLIP)
    monkeypatch.setattr("omote.metrics.leakage.DISTANCES_AT_ONCE", 5 * len(SUBJECT))
    assert nearest_neighbour_leakage(features, SUBJECT, CLIP) == whole


@pytest.mark.parametrize(
    ("features", "subjects", "reason"),
    [
        (np.zeros((0, 2)), [], "no images"),
        (np.ones((4, 2)), list("aabb"), "collapsed"),
        (np.eye(4), list("aaaa"), "same subject"),
        (np.eye(4), list("abcd"), "no subject has another frame"),
    ],
)
def test_what_cannot_be_scored_is_nan_with_its_reason(
    features: npt.NDArray[np.float64], subjects: list[str], reason: str
) -> None:
    scores = leakage_scores(features, subjects, ["1"] * len(subjects))
    assert reason in scores["subject_nearest_neighbour"].reason
    for score in scores.values():
        assert np.isnan(score.value)
        assert score.reason
