"""Who counts as trained on when a run is scored."""

from pathlib import Path

import numpy as np

from omote.data.face_set import FaceSet
from omote.data.prepare import prepare_drawn
from omote.evaluation.run import evaluate_run
from omote.training.run import Trained


def test_people_whom_the_training_never_saw_are_test_people(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    more = prepare_drawn(tmp_path / "more", subjects=8, clips=2, mixtures=0, frames=4, workers=1)
    about = evaluate_run(trained, more, seeds=1).about
    assert (about["train"]["subjects"], about["test"]["subjects"]) == (4, 4)  # 1 held out, 3 never seen
    assert about["face_set"]["counts"]["subjects"] == 8
    about = evaluate_run(trained, faces, seeds=1).about
    assert (about["train"]["subjects"], about["test"]["subjects"]) == (4, 1)


def test_scores_are_of_the_means_that_the_run_gives(trained: Trained, faces: FaceSet) -> None:
    scores = evaluate_run(trained, faces, seeds=2)
    value = scores.get("train", "identity", "subject_nearest_neighbour").value
    rows = faces.frames["subject"].isin(trained.info.train_subjects) & (faces.frames["use"] != "train")
    z, frames = trained.identify(faces.faces[np.flatnonzero(rows)])[0], faces.frames[rows]
    apart = np.linalg.norm(z[:, None] - z[None], axis=2)
    clip = (frames["subject"] + "/" + frames["clip"]).to_numpy()
    apart[clip[:, None] == clip[None]] = np.inf  # a neighbour is of another clip
    who = frames["subject"].to_numpy()
    assert value == np.mean(who[apart.argmin(1)] == who)
