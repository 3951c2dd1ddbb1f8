"""Continuity, on paths of which every score is known: straight, noisy, random, jumping, reversed, common, none."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from omote.metrics.continuity import (
    CONTINUITY_SCORES,
    continuity_scores,
    interpolation_scores,
    rising_by_factors,
    rising_by_pixels,
)
from omote.metrics.score import Score, factorize
from omote.synthetic.drawn import DrawnOptions, draw_subject

PEOPLE, LENGTH, RISE = 10, 9, 7  # frames of a clip, and of its rise
NAMES = ("anger", "fear", "happiness", "sadness")
SUBJECT = np.repeat([f"s{n}" for n in range(PEOPLE)], LENGTH * len(NAMES))
CLIP = np.tile(np.repeat(np.arange(len(NAMES)), LENGTH), PEOPLE)  # the ids repeat from person to person
FRAME = np.tile(np.arange(LENGTH), PEOPLE * len(NAMES))
RISING = FRAME < RISE
SHOWN = np.array(NAMES, dtype=object)[CLIP]
SHOWN[FRAME != RISE - 1] = None  # labelled is the apex alone
TIME = FRAME[:, None].astype(float)
CORNER = np.eye(len(NAMES))[CLIP]  # of the expression of the clip
ROWS = len(FRAME)


def noise(width: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(ROWS, width))


def scores(features: npt.NDArray[np.float64]) -> dict[str, Score]:
    return continuity_scores(features, SUBJECT, CLIP, FRAME, RISING, SHOWN)


def test_a_code_that_is_time_moves_perfectly_and_alike_in_every_expression() -> None:
    found = scores(TIME)
    assert tuple(found) == CONTINUITY_SCORES
    assert [score.value for score in found.values()] == pytest.approx([1, 1, 1, 1])
    assert found["path_agreement"].chance == pytest.approx(1)  # so nothing of it is of the expression
    assert [score.reason for score in found.values()] == [""] * 4


def test_a_code_that_moves_from_neutral_to_the_corner_of_the_expression_agrees_above_chance() -> None:
    found = scores(TIME * CORNER)
    assert [score.value for score in found.values()] == pytest.approx([1, 1, 1, 1])
    assert found["path_agreement"].chance == pytest.approx(0)  # the corners are orthogonal


def test_noise_has_no_order_goes_back_half_of_every_step_and_agrees_by_chance() -> None:
    found = scores(noise(512))
    assert found["order"].value == pytest.approx(
        0, abs=3 * np.sqrt(1 / 5 / 40)
    )  # variance 1 / (6 - 1) a clip
    assert found["order"].chance == 0
    assert found["smoothness"].value == pytest.approx(-1 / 2, abs=0.01)  # (a - b) and (b - c) share b
    assert found["straightness"].value == pytest.approx(1 / (RISE - 1), abs=0.01)  # all steps, the whole too
    for name in ("straightness", "smoothness"):
        assert found[name].chance == pytest.approx(found[name].value, abs=0.01)
    agreement = found["path_agreement"]
    assert agreement[:3:2] == pytest.approx((0, 0), abs=0.01)


def test_a_random_walk_has_smoothness_nought() -> None:
    walk = np.concatenate([part.cumsum(axis=0) for part in np.split(noise(512), ROWS // LENGTH)])
    assert scores(walk)["smoothness"].value == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_known_share_of_noise_lowers_agreement_and_smoothness_by_the_formula(share: float) -> None:
    # From first frame to apex: 1 along the corner, and noise of which the difference has the given share of the
    # squared length. Two such differences have nothing else in common than the corner: cosine 1 - share.
    width = 2000
    variance = share / (1 - share) / 2 / width  # of one frame's noise in one number
    path = TIME / (RISE - 1) * np.hstack([CORNER, np.zeros((ROWS, width - 4))])
    found = scores(path + np.sqrt(variance) * noise(width))
    assert found["path_agreement"].value == pytest.approx(1 - share, abs=0.02)
    assert found["path_agreement"].chance == pytest.approx(0, abs=0.02)
    # successive steps s + b - a and s + c - b: (s^2 - v) / (s^2 + 2 v), v the squared length of one frame's noise
    step, v = 1 / (RISE - 1) ** 2, variance * width
    assert found["smoothness"].value == pytest.approx((step - v) / (step + 2 * v), abs=0.02)


def test_a_code_that_is_the_person_has_no_order_and_no_directions() -> None:
    person = np.eye(PEOPLE)[factorize(SUBJECT)]
    found = scores(person + 1e-3 * noise(PEOPLE))
    assert abs(found["order"].value) < 0.21
    assert found["smoothness"].value == pytest.approx(found["smoothness"].chance, abs=0.05)
    assert found["path_agreement"].value == pytest.approx(found["path_agreement"].chance, abs=0.05)
    for score in scores(person).values():  # and without the noise it does not move at all
        assert np.isnan(score.value)
        assert "move" in score.reason


def test_a_code_that_comes_back_while_the_face_goes_on_has_order_minus_one() -> None:
    assert scores(np.where(FRAME == 0, 0, LENGTH - FRAME)[:, None] * CORNER)["order"].value == pytest.approx(
        -1
    )


def test_a_code_that_jumps_is_straight_but_not_smooth() -> None:
    found = scores((FRAME >= 3)[:, None] * CORNER)
    assert found["straightness"].value == pytest.approx(1)
    assert found["smoothness"].value == 0
    assert found["order"].value == pytest.approx(spearmanr(np.arange(6), [0, 0, 1, 1, 1, 1]).statistic)
    trembling = scores((FRAME >= 3)[:, None] * CORNER + 1e-3 * noise(4))
    assert trembling["straightness"].value > 0.98
    assert trembling["smoothness"].value < -0.1
    at_once = scores((FRAME >= 1)[:, None] * CORNER)
    assert at_once["order"].reason == "along every clip the code is equally far from the first frame"
    assert at_once["straightness"].value == 1


def test_straightness_smoothness_and_their_chance_by_hand() -> None:
    #  0, 1, 3, 2 along a line: steps 1, 2, -1; the other order of the middle, 0, 3, 1, 2: steps 3, -2, 1
    path = np.tile([0.0, 1, 3, 2], 500)[:, None]
    subject, frame, rising = np.repeat(np.arange(500), 4), np.tile(np.arange(4), 500), np.ones(2000, bool)
    found = continuity_scores(path, subject, subject, frame, rising, [None] * 2000)
    assert found["straightness"].value == pytest.approx(2 / 4)
    assert found["straightness"].chance == pytest.approx((2 / 4 + 2 / 6) / 2, abs=0.01)
    assert found["smoothness"].value == pytest.approx((1 - 1) / 2)
    assert found["smoothness"].chance == pytest.approx((0 - 1) / 2, abs=0.02)
    assert found["order"].value == pytest.approx(1 / 2)  # distances 1, 3, 2
    assert found["path_agreement"].reason.startswith("no two people")


def test_what_comes_after_the_apex_does_not_matter() -> None:
    path = TIME * CORNER + 0.5 * noise(4)
    assert scores(np.where(RISING[:, None], path, noise(4, seed=1))) == scores(path)


def test_short_onsets_are_scored_on_agreement_alone_and_the_reason_says_how_many() -> None:
    short = CLIP == 0
    rising = np.where(short, FRAME < 3, RISING)
    path = TIME * CORNER
    path[short & (FRAME == 1)] = -5  # would spoil the order
    found = continuity_scores(path, SUBJECT, CLIP, FRAME, rising, np.array(NAMES)[CLIP])
    assert [score.value for score in found.values()] == pytest.approx([1, 1, 1, 1])
    assert found["order"].reason == "10 of 40 clips have fewer than 4 rising frames: not asked"
    none = continuity_scores(path, SUBJECT, CLIP, FRAME, FRAME < 3, np.array(NAMES)[CLIP])
    assert none["smoothness"].reason == "no clip has 4 rising frames"
    assert none["path_agreement"].value == pytest.approx(1)


def test_clips_that_are_neutral_or_show_two_expressions_are_not_scored_on_agreement() -> None:
    path = TIME * CORNER + noise(4)
    half, neutral, two = (SHOWN.copy() for _ in range(3))
    half[CLIP >= 2] = None
    neutral[CLIP >= 2] = "neutral"
    two[(CLIP >= 2) & (FRAME == 0)] = "joy"
    without = continuity_scores(path, SUBJECT, CLIP, FRAME, RISING, half)
    assert without["path_agreement"].value != scores(path)["path_agreement"].value
    for labels in (neutral, two):
        assert continuity_scores(path, SUBJECT, CLIP, FRAME, RISING, labels) == without
    beginning = np.where(FRAME == 0, "neutral", SHOWN)  # as most clips of an expression do
    assert continuity_scores(path, SUBJECT, CLIP, FRAME, RISING, beginning) == scores(path)


def test_the_agreement_of_a_person_with_themselves_does_not_count() -> None:
    # Everyone has two clips of each of two expressions, always in a direction of their own.
    own = np.eye(PEOPLE)[factorize(SUBJECT)] * TIME
    labels = np.array(["anger", "anger", "fear", "fear"], dtype=object)[CLIP]
    agreement = continuity_scores(own, SUBJECT, CLIP, FRAME, RISING, labels)["path_agreement"]
    assert agreement[:3] == (0, 0, 0)
    alone = continuity_scores(TIME, np.full(ROWS, "s0"), factorize(SUBJECT, CLIP), FRAME, RISING, labels)
    assert alone["path_agreement"].reason.startswith("no two people")
    assert alone["order"].value == pytest.approx(1)  # which one person is enough for
    one = continuity_scores(own, SUBJECT, CLIP, FRAME, RISING, np.full(ROWS, "anger"))["path_agreement"]
    assert np.isnan(one.chance)
    assert one.reason == "all clips show one expression: chance is unknown"


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_rows_turns_shifts_and_sizes_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = TIME * CORNER + noise(4)
    order, turn = rng.permutation(ROWS), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    shuffled = [column[order] for column in (SUBJECT, CLIP, 7 * FRAME + 3, RISING, SHOWN)]
    moved = continuity_scores(3 * path[order] @ turn + 2, *shuffled)
    for name, plain in scores(path).items():
        assert moved[name][:3] == pytest.approx(plain[:3])
        assert abs(plain.value) < 0.98  # something is there to change


@pytest.mark.parametrize(
    ("features", "frames", "reason"),
    [
        (np.ones((ROWS, 3)), FRAME, "collapsed"),
        (np.full((ROWS, 3), np.nan), FRAME, "NaN"),
        (TIME, np.zeros(ROWS), "same frame number"),
    ],
)
def test_where_no_clip_can_be_followed_the_score_says_why(
    features: npt.NDArray[np.float64], frames: npt.NDArray[np.float64], reason: str
) -> None:
    for score in continuity_scores(features, SUBJECT, CLIP, frames, RISING, SHOWN).values():
        assert np.isnan(score.value)
        assert reason in score.reason


def test_lengths_that_differ_are_refused_and_no_images_have_a_reason() -> None:
    with pytest.raises(ValueError, match="expected N of each"):
        continuity_scores(TIME, SUBJECT, CLIP, FRAME, RISING[1:], SHOWN)
    nothing = continuity_scores(np.zeros((0, 3)), [], [], np.zeros(0), np.zeros(0), [])
    assert nothing["order"].reason == "there are no images"


def test_the_rise_by_factors_ends_where_the_plateau_begins_and_neutral_clips_have_none() -> None:
    strength = np.array([0, 0.3, 0.6, 0.97, 1, 1, 0.4, 0])
    smile = np.stack([0.8 * strength, 0.9 - 0.9 * strength], axis=1)  # one unit rises, one falls
    units = np.concatenate([smile, 0.1 * smile])
    clips, frames = np.repeat(["smile", "neutral"], 8), np.tile(np.arange(8), 2)
    order = np.random.default_rng(0).permutation(16)
    rising = rising_by_factors(units[order], ["s"] * 16, clips[order], frames[order])
    assert sorted(frames[order][rising]) == [0, 1, 2, 3]
    assert set(clips[order][rising]) == {"smile"}


def test_the_rise_by_pixels_ends_at_the_apex_and_brighter_light_does_not_count() -> None:
    faces = np.full((8, 32, 32, 3), 60, dtype=np.uint8)
    for face, strength in zip(faces, [0, 30, 60, 98, 100, 100, 40, 0], strict=True):
        face[8:16, 8:16] += strength
    assert rising_by_pixels(faces, ["s"] * 8, ["c"] * 8, np.arange(8)).nonzero()[0].tolist() == [0, 1, 2, 3]
    brighter = faces + 12 * np.arange(8, dtype=np.uint8)[:, None, None, None]
    back = np.arange(8)[::-1]  # and the order of the rows is no matter
    rising = rising_by_pixels(brighter[back], ["s"] * 8, ["c"] * 8, back)
    assert back[rising].tolist() == [3, 2, 1, 0]


def test_the_rise_of_drawn_clips_by_pixels_ends_about_where_that_by_factors_does() -> None:
    faces, table = draw_subject(DrawnOptions(clips=5, mixtures=2, frames=10), 3)
    columns = [table[name].to_numpy() for name in ("subject", "clip", "frame")]
    units = table.filter(regex=r"^au_\d+$").to_numpy()
    by_pixels = np.bincount(factorize(*columns[:2])[rising_by_pixels(faces, *columns)])
    by_factors = np.bincount(factorize(*columns[:2])[rising_by_factors(units, *columns)])
    assert np.abs(by_pixels - by_factors).mean() <= 1  # drawn from 2 to 10 it would be 2 or 3
    assert len(by_factors) == 7


def strip(*greys: int) -> npt.NDArray[np.uint8]:
    return np.broadcast_to(np.array(greys, dtype=np.uint8)[:, None, None, None], (len(greys), 8, 8, 3))


def test_a_cross_fade_is_even_and_direct_and_a_cut_is_not_even() -> None:
    strips = np.stack(
        [strip(10, 40, 70, 100), strip(10, 10, 100, 100), strip(10, 20, 40, 70), strip(9, 50, 50, 9)]
    )
    found = interpolation_scores(strips)
    # mean step over the largest: equal; 90 in one of three; 10, 20 and 30; 41 there and 41 back
    assert found["evenness"].values == pytest.approx([1, 1 / 3, 20 / 30, 2 / 3])
    assert found["directness"].values == pytest.approx([1, 1, 1, 0])
    assert found["evenness"].chance == found["directness"].chance == pytest.approx(1 / 3)


def test_images_that_have_nothing_to_do_with_each_other_are_even_but_not_direct() -> None:
    strips = np.random.default_rng(0).integers(0, 256, (2, 9, 64, 64, 3), dtype=np.uint8)
    found = interpolation_scores(strips)
    assert found["evenness"].values == pytest.approx([1, 1], abs=0.02)
    assert found["directness"].values == pytest.approx([1 / 8, 1 / 8], abs=0.01)


def test_a_strip_that_does_not_change_is_not_scored() -> None:
    still = strip(50, 50, 50).copy()
    still[1, 0, 0] += 1  # rounding
    found = interpolation_scores(np.stack([still, strip(50, 60, 70)]))
    assert found["evenness"].values == pytest.approx([np.nan, 1], nan_ok=True)
    for answers in interpolation_scores(still[None]).values():
        assert np.isnan(answers.values).all()
        assert answers.reason == "no strip changes"
    with pytest.raises(ValueError, match="T at least 3"):
        interpolation_scores(strip(1, 2)[None])
