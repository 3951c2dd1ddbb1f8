"""Swaps read back by artificial judges, whose codes hold exactly what is in an image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes
from omote.evaluation.swaps import SWAP_SCORES, choose_swaps, draw_prior, score_swaps, swap_scores
from omote.metrics.intervals import jackknife_mean
from omote.metrics.score import PerRowResults
from omote.runs.config import TrainConfig
from omote.runs.trained import Trained
from omote.training.loop import train

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PEOPLE, EXPRESSIONS, REPEATS = 12, ["anger", "fear", "happiness", "neutral"], 3
WHO = np.repeat(np.arange(PEOPLE), len(EXPRESSIONS) * REPEATS)
SHOWN = np.tile(np.repeat(np.arange(4), REPEATS), PEOPLE)
FRAMES = pd.DataFrame({"subject": [f"{who:02}" for who in WHO], "expression": np.array(EXPRESSIONS)[SHOWN]})
SOURCES, TARGETS = choose_swaps(FRAMES, count=480)


def normal(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape)


def codes(expression: Numbers, who: Numbers) -> Codes:
    """What a perfect judge reads: both one-hot."""
    return Codes(np.eye(4)[expression], np.eye(PEOPLE)[who])


def read(expression: Numbers, who: Numbers) -> dict[str, PerRowResults]:
    """Scores of swapped images that show these expressions and people."""
    return swap_scores(codes(SHOWN, WHO), codes(expression, who), FRAMES, SOURCES, TARGETS)


def means(scores: dict[str, PerRowResults]) -> dict[str, float]:
    return {name: float(np.nanmean(answers.values)) for name, answers in scores.items()}


def test_perfect_swaps_are_all_read_back() -> None:
    scores = read(SHOWN[SOURCES], WHO[TARGETS])
    assert tuple(scores) == SWAP_SCORES
    assert means(scores) == {
        "expression_read_back": 1, "expression_kept_from_target": 0, "expression_read_back_ceiling": 1,
        "identity_read_back": 1, "identity_of_source": 0, "identity_read_back_ceiling": 1,
    }  # fmt: skip
    assert all(np.isfinite(answers.values).all() and not answers.reason for answers in scores.values())
    # four expressions, each about as often; twelve people
    assert scores["expression_read_back"].chance == pytest.approx(1 / 4, abs=0.001)
    assert scores["identity_read_back"].chance == 1 / 12


def test_a_model_that_returns_the_target_keeps_its_expression() -> None:
    found = means(read(SHOWN[TARGETS], WHO[TARGETS]))
    assert (found["expression_read_back"], found["expression_kept_from_target"]) == (0, 1)
    assert (found["identity_read_back"], found["identity_of_source"]) == (1, 0)


def test_a_model_that_returns_the_source_brings_its_person_along() -> None:
    found = means(read(SHOWN[SOURCES], WHO[SOURCES]))
    assert (found["expression_read_back"], found["expression_kept_from_target"]) == (1, 0)
    assert (found["identity_read_back"], found["identity_of_source"]) == (0, 1)


def test_a_model_that_swaps_a_known_share_is_read_so() -> None:
    swapped = np.arange(len(SOURCES)) % 10 < 3  # of the others it returns the target
    found = means(read(np.where(swapped, SHOWN[SOURCES], SHOWN[TARGETS]), WHO[TARGETS]))
    assert found["expression_read_back"] == pytest.approx(0.3, abs=0.01)
    assert found["expression_kept_from_target"] == pytest.approx(0.7, abs=0.01)


def test_random_images_are_read_at_chance() -> None:
    rng = np.random.default_rng(0)
    scores = read(rng.integers(4, size=len(SOURCES)), rng.integers(PEOPLE, size=len(SOURCES)))
    for name, answers in scores.items():
        if not name.endswith("ceiling"):
            assert np.mean(answers.values) == pytest.approx(answers.chance, abs=0.06), name  # 3 deviations


def test_one_image_for_all_has_the_value_of_its_chance() -> None:
    # A probe that gives all the same label is right as often as with shuffled true labels.
    scores = read(np.zeros(len(SOURCES), np.int64), np.zeros(len(SOURCES), np.int64))
    for name in ("expression_read_back", "expression_kept_from_target"):
        assert np.mean(scores[name].values) == pytest.approx(scores[name].chance)


def test_a_judge_that_sees_nothing_has_ceilings_at_chance() -> None:
    real, swapped = (Codes(normal(n, 6), normal(n, 6, seed=1)) for n in (len(WHO), len(SOURCES)))
    for answers in swap_scores(real, swapped, FRAMES, SOURCES, TARGETS).values():
        assert np.mean(answers.values) == pytest.approx(answers.chance, abs=0.1)


def test_the_probe_has_seen_neither_the_source_nor_the_target() -> None:
    # The judge names the frame and nothing else, so only a probe that was fitted on the frame could read it.
    frame = np.eye(len(WHO))
    for shown in (SOURCES, TARGETS):
        swapped = Codes(frame[shown], frame[shown])
        found = means(swap_scores(Codes(frame, frame), swapped, FRAMES, SOURCES, TARGETS))
        for name in ("expression_read_back", "expression_kept_from_target", "expression_read_back_ceiling"):
            assert found[name] < 0.4, name


def test_a_frame_does_not_stand_for_its_own_person() -> None:
    # Every frame has a place of its own, so only the frame itself could give its person away.
    place = normal(len(WHO), 500)
    swapped = Codes(place[SOURCES], place[SOURCES])
    found = means(swap_scores(Codes(place, place), swapped, FRAMES, SOURCES, TARGETS))
    assert found["identity_of_source"] < 0.25
    assert found["identity_read_back_ceiling"] < 0.25


def test_no_score_depends_on_the_order_of_rows_nor_identity_on_turn_place_and_scale() -> None:
    rng = np.random.default_rng(2)
    real, swapped = normal(PEOPLE, 5)[WHO] + normal(len(WHO), 5, seed=1), normal(len(SOURCES), 5)
    first = swap_scores(Codes(real, real), Codes(swapped, swapped), FRAMES, SOURCES, TARGETS)
    turn = 3 * np.linalg.qr(rng.normal(size=(5, 5)))[0]
    turned = swap_scores(
        Codes(real, real @ turn + 7), Codes(swapped, swapped @ turn + 7), FRAMES, SOURCES, TARGETS
    )
    order = rng.permutation(len(WHO))
    place = np.argsort(order)
    mixed = swap_scores(
        Codes(real[order], real[order]),
        Codes(swapped, swapped),
        FRAMES.iloc[order],
        place[SOURCES],
        place[TARGETS],
    )
    for name, answers in first.items():
        np.testing.assert_array_equal(turned[name].values, answers.values)
        np.testing.assert_array_equal(mixed[name].values, answers.values)


def test_swaps_are_even_over_people_and_expressions() -> None:
    assert len(SOURCES) > 470  # of 480: a pair that comes twice counts once
    for count, rounds in ((12, 1), (132, 11), (240, 20)):
        sources, targets = choose_swaps(FRAMES, count=count)
        assert (WHO[sources] != WHO[targets]).all()
        assert (SHOWN[sources] != SHOWN[targets]).all()
        assert len(sources) >= count - 2
        for people in (WHO[sources], WHO[targets]):
            assert np.abs(np.bincount(people, minlength=PEOPLE) - rounds).max() <= 1
        assert np.abs(np.bincount(SHOWN[sources], minlength=4) - count / 4).max() <= 2
        assert np.abs(np.bincount(SHOWN[targets], minlength=4) - count / 4).max() < 2 * np.sqrt(
            count
        )  # drawn
    meetings = pd.crosstab(WHO[SOURCES], WHO[TARGETS]).to_numpy()
    assert meetings[~np.eye(PEOPLE, dtype=bool)].min() > 0  # everyone gives to everyone


def test_the_same_seed_chooses_the_same_swaps() -> None:
    first, again, other = (choose_swaps(FRAMES, count=100, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_few_photos_make_fewer_swaps_each_of_them_once() -> None:
    frames = pd.DataFrame({"subject": list("aabb"), "expression": ["neutral", "joy"] * 2})
    sources, targets = choose_swaps(frames)
    assert list(zip(sources, targets, strict=True)) == [(0, 3), (1, 2), (2, 1), (3, 0)]
    # with five people everyone gives both expressions to everyone else
    frames = pd.DataFrame({"subject": np.repeat(list("abcde"), 2), "expression": ["neutral", "joy"] * 5})
    assert len(choose_swaps(frames)[0]) == 5 * 4 * 2


def test_an_expression_that_both_show_is_not_kept_from_the_target() -> None:
    targets = np.roll(SOURCES, 1)  # many show what the source shows
    shown, who = SHOWN[SOURCES], WHO[targets]
    found = swap_scores(codes(SHOWN, WHO), codes(shown, who), FRAMES, SOURCES, targets)
    same = SHOWN[targets] == shown
    assert 0 < same.sum() < len(same)
    np.testing.assert_array_equal(found["expression_kept_from_target"].values, np.where(same, np.nan, 0))


def test_frames_without_a_label_are_targets_only_where_there_is_none_with_another_label() -> None:
    label = np.array([0, -1, 1, -1, 0, -1, -1, -1])
    who = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    frames = pd.DataFrame(
        {"subject": np.array(list("abc"))[who], "expression": np.array(["fear", "joy", None])[label]}
    )
    sources, targets = choose_swaps(frames)
    pairs = set(zip(sources, targets, strict=True))
    assert set(sources) == {0, 2, 4}
    assert {target for source, target in pairs if source == 4 and who[target] == 0} == {2}
    assert {target for source, target in pairs if source == 2 and who[target] == 1} == {4}
    assert {target for source, target in pairs if source == 0 and who[target] == 1} == {3, 5}
    assert {target for _, target in pairs if who[target] == 2} == {6, 7}

    found = swap_scores(codes(label, who), codes(label[sources], who[targets]), frames, sources, targets)
    kept = found["expression_kept_from_target"].values
    assert np.isnan(kept[label[targets] == -1]).all()
    assert (found["identity_read_back"].values == 1).all()


def test_swaps_whose_people_leave_nothing_to_fit_on_are_not_scored() -> None:
    # Three people: without two of them one is left, and c shows one expression only.
    frames = pd.DataFrame({"subject": list("aabbcc"), "expression": ["fear", "joy"] * 2 + ["fear"] * 2})
    label, who = np.array([0, 1, 0, 1, 0, 0]), np.repeat([0, 1, 2], 2)
    sources, targets = choose_swaps(frames)
    found = swap_scores(codes(label, who), codes(label[sources], who[targets]), frames, sources, targets)
    without_c = (who[sources] != 2) & (who[targets] != 2)
    assert 0 < without_c.sum() < len(sources)
    np.testing.assert_array_equal(found["expression_read_back"].values, np.where(without_c, np.nan, 1))
    assert f"people of {without_c.sum()} of {len(sources)} swaps" in found["expression_read_back"].reason
    assert (found["identity_read_back"].values == 1).all()
    two = frames.head(4)
    sources, targets = choose_swaps(two)
    found = swap_scores(codes(label[:4], who[:4]), codes(label[sources], who[targets]), two, sources, targets)
    assert np.isnan(found["expression_read_back"].values).all()
    assert "people of 4 of 4 swaps" in found["expression_read_back"].reason


def test_a_person_with_one_frame_is_not_scored() -> None:
    keep = np.flatnonzero(
        (WHO > 1) | np.isin(np.arange(len(WHO)), [0, 15])
    )  # of the first two people one frame each
    frames, who, shown = FRAMES.iloc[keep], WHO[keep], SHOWN[keep]
    sources, targets = choose_swaps(frames)
    found = swap_scores(codes(shown, who), codes(shown[sources], who[targets]), frames, sources, targets)
    answers = found["identity_read_back"]
    np.testing.assert_array_equal(answers.values, np.where(who[targets] < 2, np.nan, 1))
    assert "without another frame to be known by" in answers.reason


@pytest.mark.parametrize(
    ("subjects", "expressions", "reason"),
    [
        ("aaaa", ["joy", "fear"] * 2, "a swap takes two people"),
        ("aabb", [None] * 4, "no frame has an expression"),
        ("aabb", ["joy"] * 4, "nobody shows another expression"),
    ],
)
def test_where_nothing_can_be_swapped_the_reason_says_why(
    subjects: str, expressions: list[str | None], reason: str
) -> None:
    frames = pd.DataFrame({"subject": list(subjects), "expression": pd.Series(expressions, dtype=object)})
    sources, targets = choose_swaps(frames)
    real, nothing = Codes(np.eye(4), np.eye(4)), Codes(np.zeros((0, 4)), np.zeros((0, 4)))
    for answers in swap_scores(real, nothing, frames, sources, targets).values():
        assert answers.values.shape == (0,)
        assert reason in answers.reason
        assert np.isnan(jackknife_mean(answers, np.zeros(0, str)).value)


@pytest.mark.parametrize("code", Codes._fields)
@pytest.mark.parametrize("reason", ["collapsed", "swapped images contain NaN"])
def test_a_judge_whose_code_cannot_be_read_has_no_score_of_it(code: str, reason: str) -> None:
    real, swapped = codes(SHOWN, WHO), codes(SHOWN[SOURCES], WHO[TARGETS])
    flat, holed = np.ones_like(getattr(real, code)), getattr(swapped, code).copy()
    holed[3] = np.nan
    if reason == "collapsed":
        real = real._replace(**{code: flat})
    else:
        swapped = swapped._replace(**{code: holed})
    for name, answers in swap_scores(real, swapped, FRAMES, SOURCES, TARGETS).items():
        assert np.isnan(answers.values).all() == name.startswith(code)
        assert (reason in answers.reason) == name.startswith(code)


def test_codes_of_other_swaps_than_these_are_refused() -> None:
    real, swapped = codes(SHOWN, WHO), codes(SHOWN[SOURCES], WHO[TARGETS])
    with pytest.raises(ValueError, match=r"codes of shape \(2, 4\) for \d+ swapped images"):
        swap_scores(real, Codes(*(code[:2] for code in swapped)), FRAMES, SOURCES, TARGETS)
    with pytest.raises(ValueError, match="codes of 144 real images for 143 frames"):
        swap_scores(real, swapped, FRAMES.iloc[:143], SOURCES, TARGETS)
    with pytest.raises(ValueError, match="expected a target for each source"):
        swap_scores(real, swapped, FRAMES, SOURCES, TARGETS[1:])


def test_faces_of_random_codes_are_decoded_from_the_prior(trained: Trained) -> None:
    faces = draw_prior(trained, 300)
    z_i, z_e = np.random.default_rng(0).standard_normal((2, 300, 8), dtype=np.float32)
    np.testing.assert_array_equal(faces, trained.decode(z_i, z_e))
    assert (draw_prior(trained, 300, seed=1) != faces).any()


def test_a_run_is_audited_by_another_and_by_itself(
    trained: Trained, faces: FaceSet, tmp_path: Path, configure: Callable[..., TrainConfig]
) -> None:
    rows = np.flatnonzero(faces.frames["use"] != "train")
    scores, people = score_swaps(trained, trained, faces, rows, count=40)
    frames = faces.frames.iloc[rows]
    sources, targets = choose_swaps(frames, count=40)
    assert tuple(scores) == SWAP_SCORES
    np.testing.assert_array_equal(people, frames["subject"].to_numpy()[np.stack([sources, targets], axis=1)])
    assert "by the model itself" in scores["identity_read_back"].reason

    # by hand: z_i of the target, z_e of the source, read by the judge
    real = faces.faces[rows]
    made = trained.decode(trained.identify(real[targets])[0], trained.represent(real[sources])[0])
    of_real, of_made = (Codes(trained.represent(x)[0], trained.identify(x)[0]) for x in (real, made))
    for name, answers in swap_scores(of_real, of_made, frames, sources, targets).items():
        np.testing.assert_array_equal(scores[name].values, answers.values)

    everyone = configure(method="conventional", options__epochs=1, seed=1, test_subjects=0)
    judge = train(faces, tmp_path / "judge", everyone)
    scores, _ = score_swaps(trained, judge, faces, rows, count=40)
    assert "trained on 1 of the 5 people, whom the model never saw" in scores["identity_read_back"].reason


def test_methods_that_cannot_swap_are_refused_with_a_reason(
    trained: Trained, faces: FaceSet, tmp_path: Path, configure: Callable[..., TrainConfig]
) -> None:
    rows = np.flatnonzero(faces.frames["use"] != "train")
    vae, cvae, contrast = (
        train(faces, tmp_path / method, configure(method=method, options__epochs=1))
        for method in ("vae", "cvae", "contrast")
    )
    for model, judge, reason in (
        (vae, trained, "this method has no identity code"),
        (cvae, trained, "this method has to be told"),
        (trained, cvae, "the judge has to be told"),
        (contrast, contrast, "this method has no decoder"),
        (contrast, cvae, "this method has no decoder"),
    ):
        scores, people = score_swaps(model, judge, faces, rows, count=20)
        for answers in scores.values():
            assert np.isnan(answers.values).all()
            assert len(answers.values) == len(people) > 0
            assert answers.reason.startswith(reason)
    for judge in (vae, contrast):  # which reads images, whether it makes any or not
        scores, _ = score_swaps(trained, judge, faces, rows, count=20)
        assert np.isfinite(scores["expression_read_back"].values).any()
        assert scores["identity_read_back"].reason.startswith("the judge has no identity code")
    larger = Trained(vae.path, vae.info._replace(image_size=128), vae.method)
    with pytest.raises(OmoteError, match=r"decodes images of 64 px and .* reads 128 px"):
        score_swaps(trained, larger, faces, rows)
