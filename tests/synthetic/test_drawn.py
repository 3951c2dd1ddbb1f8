"""Drawn faces are deterministic, each factor changes its part of the face continuously, and labels are true."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from omote.errors import OmoteError
from omote.synthetic.drawn import DrawnOptions, Identity, Nuisance, draw_face, draw_subject
from omote.synthetic.drawn.expressions import ACTION_UNITS, PROTOTYPES
from omote.synthetic.drawn.factors import IDENTITY_NAMES, NUISANCE_NAMES
from omote.synthetic.plan import EXPRESSIONS

SMALL = DrawnOptions(subjects=3, frames=6, mixtures=1)
LANDMARKS = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
UPPER = (1, 2, 4, 5, 6, 7)
LOWER = (10, 12, 14, 15, 16, 17, 20, 23, 24, 25, 26, 27)


@pytest.fixture(scope="module")
def subject() -> tuple[np.ndarray, pd.DataFrame]:
    return draw_subject(SMALL, 1)


def draw(
    identity: Identity, action_units: dict[int, float], nuisance: Nuisance | None = None, size: int = 64
) -> np.ndarray:
    return draw_face(identity, action_units, nuisance, size).image


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the absolute difference (S, S) of two images, averaged over the channels."""
    change: np.ndarray = np.abs(a.astype(float) - b).mean(-1)
    return change


def test_the_same_seed_and_index_give_the_same_faces_in_any_order(
    subject: tuple[np.ndarray, pd.DataFrame],
) -> None:
    draw_subject(SMALL, 2)
    faces, frames = draw_subject(replace(SMALL, subjects=50), 1)
    np.testing.assert_array_equal(faces, subject[0])
    pd.testing.assert_frame_equal(frames, subject[1])


def test_a_clip_does_not_depend_on_how_many_others_there_are(
    subject: tuple[np.ndarray, pd.DataFrame],
) -> None:
    few = draw_subject(replace(SMALL, clips=2), 1)[0]
    np.testing.assert_array_equal(few[: 2 * SMALL.frames], subject[0][: 2 * SMALL.frames])
    np.testing.assert_array_equal(few[-SMALL.frames :], subject[0][-SMALL.frames :])


@pytest.mark.parametrize("other", [(replace(SMALL, seed=1), 1), (SMALL, 2)])
def test_another_seed_or_index_gives_another_person(
    subject: tuple[np.ndarray, pd.DataFrame], other: tuple[DrawnOptions, int]
) -> None:
    frames = draw_subject(replace(other[0], clips=1, mixtures=0), other[1])[1]
    mine, theirs = (
        table[[f"id_{name}" for name in IDENTITY_NAMES]].iloc[0] for table in (subject[1], frames)
    )
    assert (mine != theirs).mean() > 0.8


def test_a_frame_can_be_redrawn_from_its_row(subject: tuple[np.ndarray, pd.DataFrame]) -> None:
    faces, frames = subject
    for k in (0, 3, len(faces) - 1):
        row = frames.iloc[k]
        identity = Identity(**{name: row[f"id_{name}"] for name in IDENTITY_NAMES})
        nuisance = Nuisance(**{name: row[f"nuisance_{name}"] for name in NUISANCE_NAMES})
        action_units = {au: row[f"au_{au}"] for au in ACTION_UNITS}
        np.testing.assert_array_equal(
            draw_face(identity, action_units, nuisance, 64, row["au_side"]).image, faces[k]
        )


def test_the_table_has_every_true_factor_in_its_range(subject: tuple[np.ndarray, pd.DataFrame]) -> None:
    faces, frames = subject
    assert faces.shape == (9 * SMALL.frames, 64, 64, 3)
    assert faces.dtype == np.uint8
    assert len(frames) == len(faces)
    assert frames["frame"].tolist() == list(range(SMALL.frames)) * 9
    assert {"subject", "clip", "time", "dataset", "source", "detection_score"} <= set(frames.columns)
    for name in [f"id_{name}" for name in IDENTITY_NAMES] + [f"au_{au}" for au in ACTION_UNITS]:
        assert frames[name].between(0, 1).all(), name
    assert frames["au_side"].between(-1, 1).all()
    for name in NUISANCE_NAMES:
        assert np.isfinite(frames[f"nuisance_{name}"]).all(), name


def test_only_apex_frames_are_labelled(subject: tuple[np.ndarray, pd.DataFrame]) -> None:
    frames = subject[1]
    for clip, rows in frames.groupby("clip"):
        labels = rows["expression"].dropna().unique().tolist()
        strengths = rows[[f"au_{au}" for au in ACTION_UNITS]].sum(axis=1).to_numpy()
        scored = (rows["use"] == "both").to_numpy()
        if str(clip).startswith("mixture"):
            assert labels == []
            assert not scored.any()
        else:
            assert labels == [clip]
            assert rows["expression"][scored].notna().all()
            assert 1 <= scored.sum() <= 3
        if clip == "neutral":
            assert strengths.max() < 0.05 * len(ACTION_UNITS)
        else:
            assert strengths[0] == 0
            labelled = rows["expression"].notna().to_numpy()
            assert strengths.argmax() >= SMALL.frames // 2 - 1
            assert strengths[-1] in (0, strengths.max())
            assert not labelled.any() or strengths[labelled].min() > 0.8 * strengths.max()


def test_every_default_clip_of_an_expression_has_three_frames_to_evaluate() -> None:
    frames = draw_subject(DrawnOptions(mixtures=0), 4)[1]
    assert (frames[frames["use"] == "both"].groupby("clip").size() == 3).all()
    assert set(frames["clip"]) == set(EXPRESSIONS)


def test_landmarks_are_inside_the_image_and_the_right_eye_is_on_its_left(
    subject: tuple[np.ndarray, pd.DataFrame],
) -> None:
    frames = subject[1]
    for name in LANDMARKS:
        assert frames[f"{name}_x"].between(0, 63).all(), name
        assert frames[f"{name}_y"].between(0, 63).all(), name
    assert (frames["right_eye_x"] < frames["left_eye_x"]).all()
    assert (frames["mouth_right_x"] < frames["mouth_left_x"]).all()
    assert (frames["nose_y"] > frames["left_eye_y"]).all()
    assert (frames["mouth_left_y"] > frames["nose_y"]).all()


def test_landmarks_follow_the_pose() -> None:
    plain = draw_face(Identity(), {}, Nuisance()).landmarks
    moved = draw_face(Identity(), {}, Nuisance(shift_x=0.05, shift_y=-0.05)).landmarks
    np.testing.assert_allclose(moved - plain, [[3.2, -3.2]] * 5, atol=1e-6)
    rotated = draw_face(Identity(), {}, Nuisance(yaw=8)).landmarks
    assert rotated[2, 0] - plain[2, 0] > rotated[0, 0] - plain[0, 0] > 0  # the nose is nearer to the viewer


@pytest.mark.parametrize("au", ACTION_UNITS)
def test_a_stronger_action_unit_changes_its_part_of_the_face_more(au: int) -> None:
    faces = [draw(Identity(), {au: v}, size=128) for v in (0, 0.25, 0.5, 0.75, 1)]
    changes = [difference(face, faces[0]) for face in faces]
    amounts = [change.mean() for change in changes]
    assert all(later > earlier for earlier, later in pairwise(amounts)), amounts
    assert changes[-1].max() > 20
    rows = changes[-1].sum(1) / changes[-1].sum()
    if au in UPPER:
        assert rows[:72].sum() > 0.7, "expected above the nose"
    if au in (1, 2):
        assert rows[:48].sum() > 0.85, "expected on the forehead"
    if au in LOWER:
        assert rows[64:].sum() > 0.85, "expected below the nose"


@pytest.mark.parametrize("name", [name for name in EXPRESSIONS if name != "neutral"])
def test_small_changes_of_an_expression_are_small_changes_of_the_image(name: str) -> None:
    def at(strength: float) -> np.ndarray:
        return draw(Identity(age=0.6), {au: strength * v for au, v in PROTOTYPES[name].items()})

    steps = [difference(at(k / 40), at((k + 1) / 40)).mean() for k in range(40)]
    whole = difference(at(0), at(1)).mean()
    assert max(steps) < 0.15 * whole


def test_there_are_at_least_15_identity_parameters_and_each_changes_the_image() -> None:
    assert len(IDENTITY_NAMES) >= 15
    bearded = Identity(hair_length=0.5, hair_wave=0.5, beard=0.5)
    for name in IDENTITY_NAMES:
        low, high = (draw(replace(bearded, **{name: value}), {}) for value in (0.1, 0.9))
        assert difference(low, high).max() > 8, name


OTHER_NUISANCE = Nuisance(
    light_x=0.8, light_y=-0.5, brightness=1.2, yaw=6.0, pitch=6.0, roll=5.0, scale=1.1, shift_x=0.03,
    shift_y=0.03, background=0.0, background_hue=0.9, noise=4.0,
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NUISANCE_NAMES if name != "grain"])
def test_every_nuisance_factor_changes_the_image(name: str) -> None:
    changed = draw(Identity(), {}, replace(Nuisance(), **{name: getattr(OTHER_NUISANCE, name)}))
    assert difference(changed, draw(Identity(), {})).max() > 4


def test_contempt_moves_one_side_of_the_mouth() -> None:
    plain = draw_face(Identity(), {}, size=128).landmarks
    for side, moved, still in ((-1.0, 3, 4), (1.0, 4, 3)):
        marks = draw_face(Identity(), PROTOTYPES["contempt"], size=128, side=side).landmarks
        assert plain[moved, 1] - marks[moved, 1] > 3
        np.testing.assert_allclose(marks[still], plain[still], atol=0.5)


@pytest.mark.parametrize(
    "wrong", [{"subjects": 0}, {"frames": 3}, {"clips": 0, "mixtures": 0}, {"size": 100}]
)
def test_impossible_options_are_refused_with_a_message(wrong: dict[str, int]) -> None:
    with pytest.raises(OmoteError, match="drawn faces"):
        DrawnOptions(**wrong)  # type: ignore[arg-type]
