"""Who counts as a train person when a run is scored, and centred codes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.evaluate import centre_codes, evaluate
from omote.evaluation.protocol import Codes, score_codes
from omote.runs.config import TrainConfig
from omote.runs.trained import Trained
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train


def test_people_that_the_training_never_saw_are_test_people(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    more = prepare_drawn(tmp_path / "more", subjects=8, clips=2, mixtures=0, frames=4, workers=1)
    about = evaluate(trained, more, seeds=1).about
    assert (about["train"]["subjects"], about["test"]["subjects"]) == (4, 4)  # 1 held out, 3 never seen
    assert about["face_set"]["counts"]["subjects"] == 8
    about = evaluate(trained, faces, seeds=1).about
    assert (about["train"]["subjects"], about["test"]["subjects"]) == (4, 1)


def test_scores_are_of_the_means_that_the_run_gives(trained: Trained, faces: FaceSet) -> None:
    scores = evaluate(trained, faces, seeds=2)
    value = scores.get("train", "identity", "subject_nearest_neighbour").value
    rows = faces.frames["subject"].isin(trained.info.train_subjects) & (faces.frames["use"] != "train")
    z, frames = trained.identify(faces.faces[np.flatnonzero(rows)])[0], faces.frames[rows]
    apart = np.linalg.norm(z[:, None] - z[None], axis=2)
    clip = (frames["subject"] + "/" + frames["clip"]).to_numpy()
    apart[clip[:, None] == clip[None]] = np.inf  # a neighbour is of another clip
    who = frames["subject"].to_numpy()
    assert value == np.mean(who[apart.argmin(1)] == who)


def test_centred_codes_by_hand() -> None:
    training = np.array([[0, 0], [2, 4], [10, 1], [99, 99]], dtype=np.float32)
    codes = centre_codes(
        np.array([[10, 0], [1, 2], [3, 3]], dtype=np.float32), ["b", "a", "a"], training, ["a", "a", "b", "c"]
    )
    np.testing.assert_array_equal(codes, [[0, -1], [0, 0], [2, 1]])


def test_what_a_person_adds_to_every_code_is_gone_once_centred() -> None:
    rng = np.random.default_rng(0)
    who, training_who = np.repeat(list("abc"), 5), np.tile(list("abc"), 4)
    codes, training = rng.normal(size=(15, 8)), rng.normal(size=(12, 8))
    shift = pd.DataFrame(rng.normal(size=(3, 8)), index=list("abc"))
    shifted = centre_codes(codes + shift.loc[who], who, training + shift.loc[training_who], training_who)
    np.testing.assert_allclose(shifted, centre_codes(codes, who, training, training_who), atol=1e-12)
    np.testing.assert_allclose(centre_codes(training, training_who, training, training_who).mean(axis=0), 0,
                               atol=1e-12)  # fmt: skip


def test_people_without_frames_to_train_on_cannot_be_centred(trained: Trained, faces: FaceSet) -> None:
    with pytest.raises(OmoteError, match=r"these have none: b, d\."):
        centre_codes(np.zeros((3, 2)), ["d", "a", "b"], np.zeros((1, 2)), ["a"])
    frames = faces.frames.copy()
    frames.loc[frames["subject"] == "0002", "use"] = "evaluate"
    with pytest.raises(OmoteError, match=r"use is train or both\); these have none: 0002\."):
        evaluate(trained, FaceSet(faces.path, faces.faces, frames, faces.about), seeds=1, centred=True)


def test_row_7_scores_expression_codes_less_the_mean_of_the_subjects_frames_to_train_on(
    trained: Trained, faces: FaceSet
) -> None:
    frames = faces.frames.copy()
    frames["use"] = ["evaluate", "train", "both", "evaluate"] * (len(frames) // 4)
    frames["expression"] = ["joy", None, "fear", "joy"] * (len(frames) // 4)
    mixed = FaceSet(faces.path, faces.faces, frames, faces.about)
    centred = evaluate(trained, mixed, k=2, seeds=2, centred=True)
    plain = evaluate(trained, mixed, k=2, seeds=2)
    assert (centred.about["centred"], plain.about["centred"]) == (True, False)

    z_e, z_i = trained.represent(faces.faces)[0].astype(np.float64), trained.identify(faces.faces)[0]
    for subject in faces.subjects:
        of_subject = (frames["subject"] == subject).to_numpy()
        z_e[of_subject] -= z_e[of_subject & (frames["use"] != "evaluate").to_numpy()].mean(axis=0)
    scored = (frames["use"] != "train").to_numpy()
    expected = score_codes(
        Codes(z_e[scored], z_i[scored]),
        frames[scored],
        test_subjects=trained.info.test_subjects,
        k=2,
        seeds=2,
    )
    numbers = ["value", "deviation", "chance"]
    pd.testing.assert_frame_equal(centred.table[numbers], expected.table[numbers])
    of_identity = centred.table["code"] == "identity"
    pd.testing.assert_frame_equal(centred.table[of_identity], plain.table[of_identity])
    assert centred.get("train", "expression", "nmi").value != plain.get("train", "expression", "nmi").value


def test_centred_scores_of_people_held_out_say_that_they_need_the_id(
    trained: Trained, faces: FaceSet
) -> None:
    scores = evaluate(trained, faces, k=2, seeds=1, centred=True)
    table = scores.table
    told = table["reason"].str.contains("the id of the person scored has to be known")
    expected = (table["people"] == "test") & (table["code"] == "expression") & table["value"].notna()
    assert (told == expected).all()
    assert told.any()
    assert scores.get("train", "expression", "accuracy").reason == ""


def test_a_method_that_needs_the_subject_is_scored_on_people_of_its_training_only(
    faces: FaceSet, run: Path, configure: Callable[..., TrainConfig]
) -> None:
    trained = train(faces, run, configure(method="cvae", options__epochs=1))
    known = trained.info.train_subjects
    for centred in (False, True):
        scores = evaluate(trained, faces, k=2, seeds=2, centred=centred)
        of_test = scores.table[scores.table["people"] == "test"]
        assert of_test["value"].isna().all()
        assert of_test["reason"].str.fullmatch(".* told who is in the picture, and knows only .*").all()
        assert np.isfinite(scores.get("train", "expression", "accuracy").value)
        assert (scores.about["train"]["subjects"], scores.about["test"]["subjects"]) == (4, 0)
        assert sorted(scores.by_subject["subject"]) == sorted(known)
    assert scores.get("train", "identity", "subject_probe").reason == "this method has no identity code"
    everyone = faces.frames["subject"].isin(known).to_numpy()
    of_known = FaceSet(faces.path, faces.faces[everyone], faces.frames[everyone], faces.about)
    alone = evaluate(trained, of_known, k=2, seeds=2)
    assert alone.get("test", "expression", "accuracy").reason == "no people were held out"


def test_too_few_clusters_are_refused(trained: Trained, faces: FaceSet) -> None:
    with pytest.raises(OmoteError, match="k is 1; give at least 2"):
        evaluate(trained, faces, k=1)
