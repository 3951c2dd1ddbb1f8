import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from omote.data.face_set import About, FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes, Scores, evaluate_codes, score_codes
from omote.files import locked
from omote.metrics.leakage import LEAKAGE_SCORES

Array = npt.NDArray[np.uint8]
EXPRESSIONS = ["anger", "fear", "happiness", "sadness"]
TEST_PEOPLE = ["p0", "p1", "p2"]


def face_set(subjects: int = 10, use: str = "both", labelled: bool = True) -> FaceSet:
    """Two clips of three frames an expression; pixels 0, 1, 2 hold the subject, the expression and noise."""
    rows = [
        {"subject": f"p{s}", "clip": f"{e}-{c}", "expression": e if labelled else None, "use": use}
        for s in range(subjects)
        for e in EXPRESSIONS
        for c in range(2)
        for _ in range(3)
    ]
    frames = pd.DataFrame(rows).astype({"expression": "str"} if labelled else {})
    faces = np.zeros((len(frames), 4, 4, 3), dtype=np.uint8)
    faces[:, 0, 0, 0] = np.arange(len(frames)) // 24
    faces[:, 0, 0, 1] = np.arange(len(frames)) // 6 % 4
    faces[:, 0, 0, 2] = np.random.default_rng(0).integers(256, size=len(frames))
    return FaceSet(Path("made"), faces, frames, About())


def apart(faces: Array) -> Codes:
    """A perfect method: each code holds its own part and nothing else."""
    who, what, noise = faces[:, 0, 0].T.astype(np.float32)
    jitter = 1e-3 * np.cos(np.outer(noise, np.arange(1, 13))).astype(np.float32)
    return Codes(np.eye(4, 12, dtype=np.float32)[what.astype(int)] + jitter,
                 np.eye(12, dtype=np.float32)[who.astype(int)] + jitter)  # fmt: skip


def only_identity(faces: Array) -> Codes:
    """A method whose expression code holds the person, without an identity code."""
    return Codes(apart(faces).identity, np.zeros((len(faces), 0), dtype=np.float32))


def scores_of_apart() -> Scores:
    return evaluate_codes(apart, face_set(), test_subjects=TEST_PEOPLE, k=4, seeds=3)


def test_a_perfect_method_separates_expression_and_identity() -> None:
    scores = scores_of_apart()
    summary = scores.summary()
    for people, subjects in (("train", 7), ("test", 3)):
        assert summary[f"accuracy_{people}"] == 1
        assert summary[f"probe_{people}"] == 1
        assert summary[f"identity_{people}"] == 1
        assert summary[f"leakage_{people}"] < 1 / subjects + 0.15
        assert summary[f"expression_in_identity_{people}"] < 0.4
        assert scores.about[people]["subjects"] == subjects
        assert scores.about[people]["images_of_expression"] == dict.fromkeys(EXPRESSIONS, 6 * subjects)
    assert scores.get("test", "expression", "accuracy_fitted_on_train").value == 1


def test_a_method_that_took_the_person_for_the_expression_is_found_out() -> None:
    scores = evaluate_codes(only_identity, face_set(), test_subjects=TEST_PEOPLE, k=3, seeds=10)
    for people in ("train", "test"):
        assert scores.summary()[f"leakage_{people}"] == 1
        assert scores.summary()[f"leakage_across_expressions_{people}"] == 1
        assert scores.summary()[f"leakage_probe_{people}"] == 1
        accuracy = scores.table.query("people == @people and score == 'accuracy'").iloc[0]
        assert accuracy["value"] == pytest.approx(accuracy["chance"], abs=0.1)
    identity = scores.table.query("code == 'identity'")
    assert identity["value"].isna().all()
    assert set(identity["reason"]) == {"this method has no identity code"}


def test_the_table_is_tidy_and_a_nan_has_its_reason() -> None:
    table = scores_of_apart().table
    assert list(table) == ["people", "code", "score", "value", "deviation", "chance", "reason"]
    assert not table.duplicated(["people", "code", "score"]).any()
    assert not (table["value"].isna() & (table["reason"] == "")).any()


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_scores_do_not_depend_on_the_batch_size_and_repeat(batch_size: int) -> None:
    sizes = []

    def watched(faces: Array) -> Codes:
        assert faces.dtype == np.uint8
        sizes.append(len(faces))
        return apart(faces)

    scores = evaluate_codes(
        watched, face_set(), test_subjects=TEST_PEOPLE, k=4, seeds=3, batch_size=batch_size
    )
    assert max(sizes) <= batch_size
    assert sum(sizes) == len(face_set())
    pd.testing.assert_frame_equal(scores.table, scores_of_apart().table)


def test_only_frames_marked_for_evaluation_are_represented() -> None:
    faces = face_set()
    faces.frames["use"] = "train"
    faces.frames.loc[1::4, "use"] = "evaluate"
    seen = []

    def watched(batch: Array) -> Codes:
        seen.append(batch)
        return apart(batch)

    evaluate_codes(watched, faces, test_subjects=[], k=4, seeds=1)
    np.testing.assert_array_equal(np.concatenate(seen), faces.faces[1::4])


def test_without_labels_expressions_are_nan_and_leakage_is_still_given() -> None:
    scores = evaluate_codes(apart, face_set(labelled=False), test_subjects=TEST_PEOPLE, seeds=1)
    of_subject = scores.table["score"].isin(LEAKAGE_SCORES)
    assert scores.table[of_subject]["value"].notna().all()
    assert scores.table[~of_subject]["value"].isna().all()
    assert scores.table[~of_subject]["reason"].str.contains("has an expression").all()


def test_nothing_marked_nobody_held_out_and_one_person_held_out_are_said() -> None:
    nothing = evaluate_codes(apart, face_set(use="train"), test_subjects=TEST_PEOPLE).table
    assert nothing["reason"].str.contains("marked for evaluation").all()
    nobody = evaluate_codes(apart, face_set(), test_subjects=[], k=4, seeds=1).table
    assert (nobody[nobody["people"] == "test"]["reason"] == "no people were held out").all()
    assert nobody[nobody["people"] == "train"]["value"].notna().all()
    one = evaluate_codes(apart, face_set(), test_subjects=["p3"], k=4, seeds=1)
    assert one.get("test", "expression", "accuracy").value == 1
    assert one.get("test", "expression", "probe_accuracy").reason == "all images have the same subject"
    everyone = evaluate_codes(apart, face_set(), test_subjects=[f"p{n}" for n in range(10)], k=4, seeds=1)
    applied = everyone.get("test", "expression", "accuracy_fitted_on_train")
    assert applied.reason == "in the set fitted on, there are no images"


def test_scores_are_saved_whole_with_nan_as_null(tmp_path: Path) -> None:
    scores = evaluate_codes(only_identity, face_set(), test_subjects=TEST_PEOPLE, k=3, seeds=2)
    scores.save(tmp_path / "run")
    files = ["scores.csv", "scores.json", "scores_by_subject.csv"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == files
    numbers = {"value": [""], "deviation": [""], "chance": [""]}
    read = pd.read_csv(tmp_path / "run" / "scores.csv", keep_default_na=False, na_values=numbers)
    pd.testing.assert_frame_equal(read, scores.table, check_dtype=False)
    saved = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert saved["about"] == scores.about
    last = saved["scores"][-1]
    assert (last["code"], last["value"], last["reason"]) == (
        "identity",
        None,
        "this method has no identity code",
    )


def test_scores_that_another_process_writes_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.2)
    scores = score_codes(Codes(np.zeros((0, 1)), np.zeros((0, 1))), face_set().frames[:0], test_subjects=[])
    with locked(tmp_path, "is at work"), pytest.raises(OmoteError, match="Another process is writing scores"):
        scores.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_bootstrap_replicates_are_there_on_request_and_saved_to_the_last_bit(
    tmp_path: Path,
) -> None:
    faces = face_set()
    codes = apart(faces.faces)
    scores = score_codes(codes, faces.frames, test_subjects=["p1"], k=4, seeds=1, resamples=3)
    assert scores.resampled["train"].shape == (3, 4)
    assert np.isfinite(scores.resampled["train"]).all()
    assert np.isnan(scores.resampled["test"]).all()  # one person
    scores.save(tmp_path)
    loaded = Scores.load(tmp_path).resampled
    assert all(
        np.array_equal(loaded[key], scores.resampled[key], equal_nan=True) for key in ("train", "test")
    )
    assert not score_codes(codes, faces.frames, test_subjects=["p1"], k=4, seeds=1).resampled


def test_saved_scores_are_loaded_the_same_to_the_last_bit(tmp_path: Path) -> None:
    faces = face_set()
    faces.frames["subject"] = faces.frames["subject"].replace({"p1": "007", "p2": "NA", "p4": 'a,"b"\n表'})
    for represent, test_subjects in ((only_identity, ["007", "NA"]), (apart, [])):
        scores = evaluate_codes(represent, faces, test_subjects=test_subjects, k=7, seeds=3)
        scores.save(tmp_path)
        loaded = Scores.load(tmp_path)
        pd.testing.assert_frame_equal(loaded.table, scores.table, check_exact=True)
        pd.testing.assert_frame_equal(loaded.by_subject, scores.by_subject, check_exact=True)
        assert loaded.about == scores.about
    nobody = score_codes(Codes(np.zeros((0, 1)), np.zeros((0, 1))), faces.frames[:0], test_subjects=[])
    nobody.save(tmp_path)
    pd.testing.assert_frame_equal(Scores.load(tmp_path).by_subject, nobody.by_subject)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: text.replace('"by_subject"', '"before"'),
        lambda text: text.replace('"deviation"', '"spread"'),
        lambda text: text.replace('"images": 24', '"images": "many"'),
    ],
    ids=["truncated", "no table", "an older omote", "a column missing", "no number"],
)
def test_damaged_scores_are_refused(tmp_path: Path, change: Callable[[str], str]) -> None:
    with pytest.raises(OmoteError, match=r"has no scores\.json"):
        Scores.load(tmp_path)
    scores_of_apart().save(tmp_path)
    file = tmp_path / "scores.json"
    text = file.read_text()
    assert change(text) != text
    file.write_text(change(text))
    with pytest.raises(
        OmoteError, match=r"scores\.json is damaged or not the scores of this omote: .* Score the run again"
    ):
        Scores.load(tmp_path)


def test_accuracy_by_subject_by_hand_and_its_mean_over_images_is_the_accuracy() -> None:
    # One k-means run finds the four places. p1 shows anger in the place of fear, and p4 lacks three images.
    faces = face_set()
    frames, codes = faces.frames.drop(index=[96, 97, 98]), apart(np.delete(faces.faces, [96, 97, 98], axis=0))
    wrong = ((frames["subject"] == "p1") & (frames["expression"] == "anger")).to_numpy()
    codes.expression[wrong] = codes.expression[(frames["expression"] == "fear").to_numpy()][:6]
    scores = score_codes(codes, frames, test_subjects=TEST_PEOPLE, k=4, seeds=1)
    by_subject = scores.by_subject.set_index("subject")
    assert list(scores.by_subject) == ["people", "subject", "images", "accuracy"]
    assert by_subject["people"].to_dict() == {
        f"p{n}": "test" if f"p{n}" in TEST_PEOPLE else "train" for n in range(10)
    }
    assert by_subject["images"].to_dict() == {f"p{n}": 21 if n == 4 else 24 for n in range(10)}
    assert by_subject["accuracy"].to_dict() == {f"p{n}": 18 / 24 if n == 1 else 1 for n in range(10)}
    for people in ("train", "test"):
        of_people = by_subject[by_subject["people"] == people]
        accuracy = scores.table.query("people == @people and score == 'accuracy'")["value"].iloc[0]
        assert accuracy == pytest.approx(np.average(of_people["accuracy"], weights=of_people["images"]))


def test_people_of_a_collapsed_code_are_there_without_accuracy_and_those_without_labels_are_not() -> None:
    def collapsed(faces: Array) -> Codes:
        return Codes(np.ones((len(faces), 4)), apart(faces).identity)

    by_subject = evaluate_codes(collapsed, face_set(), test_subjects=TEST_PEOPLE, seeds=1).by_subject
    assert len(by_subject) == 10
    assert by_subject["accuracy"].isna().all()
    unlabelled = evaluate_codes(
        apart, face_set(labelled=False), test_subjects=TEST_PEOPLE, seeds=1
    ).by_subject
    assert unlabelled.empty
    assert unlabelled.dtypes.equals(by_subject.dtypes)


def test_codes_are_scored_as_the_method_that_reads_them() -> None:
    faces = face_set()
    scores = score_codes(apart(faces.faces), faces.frames, test_subjects=TEST_PEOPLE, k=4, seeds=3)
    pd.testing.assert_frame_equal(scores.table, scores_of_apart().table, check_exact=True)
    assert scores.about == scores_of_apart().about


def test_why_nobody_held_out_could_be_read_is_said_in_every_score_of_theirs() -> None:
    faces = face_set()
    train = ~faces.frames["subject"].isin(TEST_PEOPLE).to_numpy()
    codes, frames = apart(faces.faces[train]), faces.frames[train]
    scores = score_codes(codes, frames, test_subjects=TEST_PEOPLE, k=4, seeds=3, no_test_reason="a secret")
    of_test = scores.table["people"] == "test"
    assert set(scores.table[of_test]["reason"]) == {"a secret"}
    assert scores.table[of_test]["value"].isna().all()
    whole = scores_of_apart()
    pd.testing.assert_frame_equal(scores.table[~of_test], whole.table[~of_test], check_exact=True)
    assert set(scores.by_subject["people"]) == {"train"}


def test_a_large_mapped_face_set_is_not_copied_whole(tmp_path: Path) -> None:
    small = face_set()
    faces = np.lib.format.open_memmap(tmp_path / "f.npy", mode="w+", dtype=np.uint8, shape=(240, 256, 256, 3))
    faces[:, 0, 0] = small.faces[:, 0, 0]
    tracemalloc.start()
    evaluate_codes(
        apart, FaceSet(tmp_path, faces, small.frames, About()), test_subjects=[], k=4, seeds=1, batch_size=8
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < faces.nbytes / 4


def test_unknown_people_wrong_settings_and_wrong_codes_are_refused() -> None:
    with pytest.raises(OmoteError, match=r"not in the face set: nobody\. It has 10 subjects: p0, p1"):
        evaluate_codes(apart, face_set(), test_subjects=["p1", "nobody"])
    with pytest.raises(OmoteError, match="seeds is 0; give at least 1"):
        evaluate_codes(apart, face_set(), test_subjects=[], seeds=0)
    with pytest.raises(ValueError, match="represent returned codes of shapes"):
        evaluate_codes(lambda x: Codes(x, x), face_set(), test_subjects=[])
    with pytest.raises(ValueError, match="240 expression and 240 identity codes for 239 frames"):
        score_codes(apart(face_set().faces), face_set().frames[1:], test_subjects=[])
    with pytest.raises(OmoteError, match="k is 1; give at least 2"):
        score_codes(apart(face_set().faces), face_set().frames, test_subjects=[], k=1)
    with pytest.raises(KeyError, match="no score 'charm'"):
        scores_of_apart().get("test", "expression", "charm")
