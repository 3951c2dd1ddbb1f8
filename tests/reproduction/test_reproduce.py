"""The whole paper at the tiny scale: planned, trained, killed, continued, summarised and written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import cpu_count

from omote.data.face_set import About, FaceSet, open_face_set
from omote.errors import OmoteError
from omote.evaluation.evaluate import evaluate
from omote.evaluation.protocol import Scores
from omote.reproduction import execute
from omote.reproduction.plan import Training, make_plan
from omote.reproduction.reproduce import reproduce
from omote.reproduction.results import Results
from omote.reproduction.summarise import summarise
from omote.reproduction.table import make_table
from omote.runs.trained import load
from omote.synthetic.prepare import prepare_drawn


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """10 drawn people with 8 expressions, 128 px."""
    folder = tmp_path_factory.mktemp("people") / "faces"
    return prepare_drawn(folder, subjects=10, clips=8, mixtures=0, frames=4, size=128, workers=1)


@pytest.fixture(scope="module")
def whole(people: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """Rows 3, 4, 6, 7 and 8, trained twice each."""
    to = tmp_path_factory.mktemp("whole") / "paper"
    return to, reproduce(people, to, rows=[3, 4, 6, 7, 8], scale="tiny", seeds=2, workers=1)


def test_everything_is_written_and_a_second_call_trains_nothing(
    people: FaceSet, whole: tuple[Path, Results]
) -> None:
    to, results = whole
    names = ["report.html", "table.csv", "table.tex", "differences.csv", "figure3.csv"]
    names += ["figure3.png", "figure4_train.png", "figure4_test.png", "figure5.png"]
    assert all((to / name).stat().st_size > 100 for name in names)
    weights = {path: path.stat().st_mtime_ns for path in to.rglob("*.safetensors")}
    reported: list[tuple[str, int, int]] = []
    again = reproduce(
        people, to, rows=[3, 4, 6, 7, 8], scale="tiny", seeds=2, progress=lambda *now: reported.append(now)
    )
    assert {path: path.stat().st_mtime_ns for path in to.rglob("*.safetensors")} == weights
    assert len(reported) == 8  # rows 3, 4, 6 and 8; row 7 is row 6 scored in another way
    assert all(done == total for _, done, total in reported)
    pd.testing.assert_frame_equal(again.repetitions, results.repetitions)
    pd.testing.assert_frame_equal(make_table(again), make_table(results))


def test_every_training_holds_out_the_same_people_and_differs_in_its_seed(
    whole: tuple[Path, Results],
) -> None:
    infos = [load(whole[0] / "runs" / f"row{row}-seed{seed}").info for row in (3, 4) for seed in (0, 1)]
    assert len({tuple(info.test_subjects) for info in infos}) == 1
    assert len(infos[0].test_subjects) == 2  # a fifth of 10
    assert [info.config.seed for info in infos] == [0, 1, 0, 1]


def test_an_estimate_is_the_mean_of_its_trainings_with_their_spread(whole: tuple[Path, Results]) -> None:
    to, results = whole
    each = [
        Scores.load(to / "scores" / f"row3-seed{seed}").get("train", "expression", "accuracy")
        for seed in (0, 1)
    ]
    estimate = results.rows[0].accuracy["train"]
    a, b = (score.value for score in each)
    assert estimate.value == pytest.approx((a + b) / 2)
    assert estimate.training_deviation == pytest.approx(abs(a - b) / 2**0.5)
    assert estimate.kmeans_deviation == pytest.approx((each[0].deviation + each[1].deviation) / 2)
    assert estimate.low <= estimate.value <= estimate.high


def test_paired_differences_are_those_of_the_rows(whole: tuple[Path, Results]) -> None:
    results = whole[1]
    value = {result.row.number: result.accuracy["train"].value for result in results.rows}
    of_train = {(d.first, d.second): d for d in results.differences if d.people == "train"}
    assert set(of_train) == {(3, 4), (6, 3), (6, 4), (6, 7), (6, 8)}
    for (first, second), d in of_train.items():
        assert d.value == pytest.approx(value[second] - value[first])
        assert np.mean(d.by_training) == pytest.approx(d.value)
    # row 8 cannot read people it does not know
    assert (6, 8) not in {(d.first, d.second) for d in results.differences if d.people == "test"}


def test_figure_3_ends_with_the_row_of_the_table(whole: tuple[Path, Results]) -> None:
    results = whole[1]
    row4 = next(result for result in results.rows if result.row.number == 4)
    assert sorted(results.repetitions["repetition"].unique()) == [1, 2, 3, 4, 5]
    last = results.repetitions.query("repetition == 5 and people == 'test'")["value"]
    assert last.mean() == pytest.approx(row4.accuracy["test"].value)
    first = results.repetitions.query("repetition == 1 and people == 'test'")["value"]
    assert first.tolist() != last.tolist()


def test_row_7_is_row_6_with_each_persons_mean_subtracted(whole: tuple[Path, Results]) -> None:
    to, results = whole
    assert not (to / "runs/row7-seed0").exists()
    assert Scores.load(to / "scores/row7-seed0").about["centred"]
    rows = {result.row.number: result for result in results.rows}
    assert "id of the person" in rows[7].accuracy["test"].reason
    assert np.isnan(rows[8].accuracy["test"].value)


def test_worker_processes_give_the_same_table_as_this_process(people: FaceSet, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(max(1, cpu_count() // 2))  # as each of two processes has
        one = reproduce(people, tmp_path / "one", rows=[6], scale="tiny", workers=1)
    finally:
        torch.set_num_threads(threads)
    two = reproduce(people, tmp_path / "two", rows=[6], scale="tiny", workers=2)
    pd.testing.assert_frame_equal(make_table(one), make_table(two))


def test_a_training_that_fails_does_not_end_the_others(
    people: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = execute.train_and_score

    def failing(training: Training, *arguments: Any) -> None:
        if training.row == 8:
            raise OmoteError("a term is no longer finite")
        original(training, *arguments)

    monkeypatch.setattr(execute, "train_and_score", failing)
    with pytest.raises(OmoteError, match=r"row8-seed0: a term is no longer finite.*leave out this row"):
        reproduce(people, tmp_path / "paper", rows=[6, 8], scale="tiny", workers=1)
    left = reproduce(people, tmp_path / "paper", rows=[6], scale="tiny", workers=1)
    assert left.rows[0].accuracy["train"].value > 0


def test_scoring_a_run_by_hand_does_not_change_the_table(
    people: FaceSet, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    to = tmp_path / "paper"
    shutil.copytree(whole[0], to)
    run = load(to / "runs/row6-seed0")
    evaluate(run, open_face_set(to / "faces-64"), k=3, seeds=1).save(run.path)
    again = reproduce(people, to, rows=[3, 4, 6, 7, 8], scale="tiny", seeds=2, workers=1)
    pd.testing.assert_frame_equal(make_table(again), make_table(whole[1]))


def test_people_are_held_out_of_each_data_set_in_turn(tmp_path: Path) -> None:
    people = (
        [("mug", n) for n in range(9)]
        + [("ckplus", n) for n in range(6)]
        + [("ravdess", n) for n in range(5)]
    )
    frames = pd.DataFrame(
        {
            "subject": [f"{name}/{n}" for name, n in people],
            "dataset": [name for name, _ in people],
            "use": ["train" if name == "ravdess" else "both" for name, _ in people],
            "expression": [None if name == "ravdess" else "anger" for name, _ in people],
        }
    )
    faces = FaceSet(tmp_path / "faces", np.zeros((len(people), 64, 64, 3), np.uint8), frames, About())
    held_out = make_plan(faces, tmp_path / "a", rows=[6], test_subjects=7).held_out[0]
    assert sorted(name.split("/")[0] for name in held_out) == ["ckplus"] * 3 + ["mug"] * 2 + ["ravdess"] * 2
    folds = make_plan(faces, tmp_path / "b", rows=[6], folds=3).held_out
    assert sorted(subject for fold in folds for subject in fold) == sorted(frames["subject"])
    for name, counts in {"mug": {3}, "ckplus": {2}, "ravdess": {1, 2}}.items():
        assert {sum(name in subject for subject in fold) for fold in folds} == counts
    named = make_plan(faces, tmp_path / "c", rows=[6], test_subjects=["ravdess/1", "mug/0"]).held_out
    assert named == (("mug/0", "ravdess/1"),)


def test_after_a_kill_the_same_call_ends_with_the_same_table(people: FaceSet, tmp_path: Path) -> None:
    def command(to: Path) -> list[str]:
        call = f"import omote; omote.reproduce(omote.open_face_set({str(people.path)!r}), {str(to)!r}, "
        return [sys.executable, "-c", call + "rows=[3, 6], scale='tiny', workers=2)"]

    subprocess.run(command(tmp_path / "whole"), check=True)
    process = subprocess.Popen(command(tmp_path / "killed"))
    checkpoint = tmp_path / "killed/runs/row3-seed0/checkpoint.safetensors"
    until = time.monotonic() + 120
    while not checkpoint.is_file():  # written at the end of the first stage
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed/table.csv").exists()
    subprocess.run(command(tmp_path / "killed"), check=True)
    for name in ("table.csv", "differences.csv"):
        assert (tmp_path / "killed" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_a_cross_validation_holds_out_everybody_once(people: FaceSet, tmp_path: Path) -> None:
    plan = make_plan(people, tmp_path / "paper", rows=[6], scale="tiny", seeds=2, folds=3)
    assert sorted(subject for part in plan.held_out for subject in part) == people.subjects
    assert [training.name for training in plan.trainings[:3]] == [
        f"row6-seed0-fold{fold}" for fold in range(3)
    ]
    results = reproduce(people, tmp_path / "paper", rows=[6], scale="tiny", folds=3, workers=1)
    assert results.about["trainings"] == {6: 3}
    folds = [Scores.load(tmp_path / f"paper/scores/row6-seed0-fold{fold}") for fold in range(3)]
    each = [scores.get("test", "expression", "accuracy").value for scores in folds]
    assert results.rows[0].accuracy["test"].value == pytest.approx(np.mean(each))
    scored = pd.concat([scores.by_subject.query("people == 'test'") for scores in folds])
    assert sorted(scored["subject"]) == people.subjects


def test_row_5_comes_with_the_single_pass_of_figure_3(people: FaceSet, tmp_path: Path) -> None:
    plan = make_plan(people, tmp_path / "paper", rows=[4, 5, 7], scale="tiny")
    assert [training.name for training in plan.trainings] == [
        "row5-seed0",
        "one-pass-128px-seed0",
        "row4-seed0",
        "row6-seed0",  # what row 7 is scored from
    ]
    one_pass, row5 = plan.trainings[1].config, plan.trainings[0].config
    assert one_pass.options.model_dump()["repetitions"] == 1
    assert row5.options.model_dump()["repetitions"] == 5
    assert {training.faces.name for training in plan.trainings[:2]} == {people.path.name}
    assert {training.faces.name for training in plan.trainings[2:]} == {"faces-64"}


def test_scores_of_another_configuration_are_refused(
    people: FaceSet, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    to = tmp_path / "paper"
    shutil.copytree(whole[0], to)
    run = to / "runs/row6-seed0/run.json"
    run.write_text(run.read_text().replace('"batch_size": 16', '"batch_size": 8'))
    with pytest.raises(
        OmoteError, match="row6-seed0 was trained with other settings: batch_size is 8 there, and 16 here"
    ):
        reproduce(people, to, rows=[6], scale="tiny", workers=1)


def edit_json(file: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def test_damaged_records_and_scores_are_sentences_that_name_the_file(
    people: FaceSet, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    to = tmp_path / "paper"
    shutil.copytree(whole[0], to)
    plan = make_plan(people, to, rows=[6, 7], scale="tiny")
    scores = to / "scores/row6-seed0/scores.json"
    intact = scores.read_text()
    for edit in (
        lambda content: content.update(resampled={}),
        lambda content: content.update(scores=[row for row in content["scores"] if row["score"] != "nmi"]),
    ):
        edit_json(scores, edit)
        with pytest.raises(
            OmoteError, match=r"scores.json is damaged .* Remove .*row6-seed0, and give the same"
        ):
            summarise(plan)
        scores.write_text(intact)
    edit_json(scores, lambda content: content["resampled"]["train"].pop())
    with pytest.raises(OmoteError, match="do not fit together"):
        summarise(plan)
    scores.write_text(intact)
    edit_json(to / "runs/row6-seed0/training.json", lambda content: content.pop("seconds"))
    assert summarise(plan).about["seconds"] == {}
    (to / "reproduce.json").write_text("[" * 10_000)
    with pytest.raises(OmoteError, match=r"reproduce.json is damaged .* Choose another folder"):
        make_plan(people, to, rows=[6], scale="tiny")


def test_what_a_killed_process_left_beside_finished_scores_is_removed(
    people: FaceSet, whole: tuple[Path, Results], tmp_path: Path
) -> None:
    to = tmp_path / "paper"
    shutil.copytree(whole[0], to)
    left = [
        to / name for name in ("runs/row6-seed0/progress", "scores/row6-seed0/lock", "scores/row7-seed0/lock")
    ]
    for path in left:
        path.touch()
    execute.execute(make_plan(people, to, rows=[6, 7], scale="tiny"), workers=1)
    assert not any(path.exists() for path in left)


def test_faces_of_64_px_leave_out_row_5(faces: FaceSet, tmp_path: Path) -> None:
    assert make_plan(faces, tmp_path / "a").rows == (1, 2, 3, 4, 6, 7, 8)
    with pytest.raises(OmoteError, match="row 5 needs faces of 128 px"):
        make_plan(faces, tmp_path / "b", rows=[5])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [9]}, "Table 3 has the rows 1 to 8"),
        ({"scale": "huge"}, "there are paper, small, tiny"),
        ({"seeds": 0}, "give 1 or more"),
        ({"folds": 99}, "2 to 5, the number of people to hold out"),
        ({"folds": 2, "test_subjects": 1}, "both folds and test_subjects"),
        ({"test_subjects": 4}, "two have to be left to train on"),
        ({"test_subjects": ["nobody"]}, "nobody are not in"),
        ({"settings": {"seed": 1}}, "seed cannot be set"),
        ({"settings": {"options.switch_weight": 1.0}}, "switch_weight"),  # the VAE of row 6 has none
    ],
)
def test_a_mistake_is_named(changes: dict[str, object], message: str, faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=message):
        make_plan(faces, tmp_path / "paper", **changes)  # type: ignore[arg-type]
    assert not (tmp_path / "paper").exists()


def test_a_folder_with_another_reproduction_or_other_files_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    make_plan(faces, tmp_path / "paper", scale="tiny")
    with pytest.raises(OmoteError, match="another scale"):
        make_plan(faces, tmp_path / "paper", scale="small")
    with pytest.raises(OmoteError, match="other people held out"):
        make_plan(faces, tmp_path / "paper", scale="tiny", test_subjects=2)
    with pytest.raises(OmoteError, match="other settings"):
        make_plan(faces, tmp_path / "paper", scale="tiny", settings={"options.kl_weight": 0.01})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(OmoteError, match="has other files in it"):
        make_plan(faces, tmp_path / "mine")
    assert os.listdir(tmp_path / "mine") == ["notes.txt"]


def test_a_summary_needs_the_scores_of_every_training(faces: FaceSet, tmp_path: Path) -> None:
    plan = make_plan(faces, tmp_path / "paper", rows=[6], scale="tiny")
    with pytest.raises(OmoteError, match=r"has no scores\.json"):
        summarise(plan)
