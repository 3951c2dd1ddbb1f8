"""Representations under audit: of runs, of other tools' tables, and of baselines."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.evaluate import KNOWS_ONLY_ITS_PEOPLE
from omote.evaluation.representation import (
    Representation,
    align_with_faces,
    centre,
    read_feature_table,
    represent_by_baselines,
    represent_by_run,
)
from omote.features.extract import extract_features
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.conftest import Configure


def test_a_run_gives_its_codes_and_the_expression_code_less_its_persons_mean(
    trained: Trained, faces: FaceSet
) -> None:
    expression, centred, identity = represent_by_run(trained, faces, "mine")
    assert [expression.name, centred.name, identity.name] == [
        "mine z_e",
        "mine z_e, subject mean removed",
        "mine z_i",
    ]
    np.testing.assert_array_equal(expression.mean, trained.represent(faces.faces)[0])
    for _, rows in faces.frames.reset_index().groupby("subject").groups.items():
        np.testing.assert_allclose(centred.mean[rows].mean(axis=0), 0, atol=1e-5)


def test_a_method_that_needs_the_subject_gives_no_code_of_unknown_people(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    told = train(faces, run, configure(method="cvae", options__epochs=1))
    expression, centred = represent_by_run(told, faces, "told")
    known = faces.frames["subject"].isin(told.info.train_subjects).to_numpy()
    for feature in (expression, centred):
        np.testing.assert_array_equal(np.isfinite(feature.mean).all(axis=1), known)
        assert KNOWS_ONLY_ITS_PEOPLE in feature.missing


def test_baselines_do_not_look_at_the_people_held_out(faces: FaceSet) -> None:
    of_training = [name for name in faces.subjects if name != faces.subjects[0]]
    network, components, centred = represent_by_baselines(faces, of_training)
    changed = np.array(faces.faces)
    held_out = (faces.frames["subject"] == faces.subjects[0]).to_numpy()
    changed[held_out] = 255 - changed[held_out]
    others = represent_by_baselines(FaceSet(faces.path, changed, faces.frames, faces.about), of_training)
    for feature, other in zip((network, components, centred), others, strict=True):
        np.testing.assert_allclose(feature.mean[~held_out], other.mean[~held_out], atol=1e-4)
        assert np.abs(feature.mean[held_out] - other.mean[held_out]).max() > 1e-3


def test_only_frames_to_train_on_make_the_mean_and_people_without_are_named() -> None:
    frames = pd.DataFrame({"subject": list("aaab"), "use": ["train", "both", "evaluate", "evaluate"]})
    feature = Representation("code", np.array([[1.0], [3.0], [10.0], [5.0]]))
    centred = centre(feature, frames)
    np.testing.assert_array_equal(centred.mean.ravel(), [-1, 1, 8, np.nan])  # 2 is the mean of 1 and 3
    assert "no mean to remove" in centred.missing


def test_a_table_written_by_embed_is_read_back(trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    extract_features(trained, faces).to_parquet(tmp_path / "codes.parquet")
    (expression, _), frames = read_feature_table(tmp_path / "codes.parquet")
    mean, logvar = trained.represent(faces.faces)
    assert expression.name == "codes z_e"
    assert expression.logvar is not None
    np.testing.assert_allclose(expression.mean, mean)
    np.testing.assert_allclose(expression.logvar, logvar, atol=1e-4)
    assert frames["expression"].equals(faces.frames["expression"])
    assert frames["au_12"].equals(faces.frames["au_12"])


def test_a_table_whose_deviations_are_0_throughout_is_of_points(tmp_path: Path) -> None:
    table = pd.DataFrame({"subject": ["a", "b"], "z_e_00": [1.0, 2], "z_e_deviation_00": [0.0, 0]})
    table.to_csv(tmp_path / "points.csv", index=False)
    (points, _), _ = read_feature_table(tmp_path / "points.csv")
    assert points.logvar is not None
    assert np.isneginf(points.logvar).all()
    table.assign(z_e_deviation_00=[0, np.e]).to_csv(tmp_path / "narrow.csv", index=False)
    (narrow, _), _ = read_feature_table(tmp_path / "narrow.csv")
    assert narrow.logvar is not None
    assert narrow.logvar[:, 0] == pytest.approx([2 * np.log(1e-30), 2])  # too narrow for its digits, no point


def test_of_another_tools_table_all_numbers_that_do_not_describe_the_frame_are_the_feature(
    tmp_path: Path,
) -> None:
    table = pd.DataFrame(
        {"subject": [1, 1, 2], "AU01_r": [0.1, 0.2, 0.3], "AU02_r": [1, 2, 3], "time": [0, 1, 0]}
    )
    table.assign(camera="left").to_csv(tmp_path / "tool.csv", index=False)
    (feature, _), frames = read_feature_table(tmp_path / "tool.csv")
    np.testing.assert_allclose(feature.mean, table[["AU01_r", "AU02_r"]])
    assert feature.name == "tool"
    assert frames["clip"].nunique() == 3  # nothing says which frames belong together
    assert set(frames["use"]) == {"both"}
    (only, _), _ = read_feature_table(tmp_path / "tool.csv", ["AU02"])
    np.testing.assert_allclose(only.mean.ravel(), [1, 2, 3])


def test_only_omotes_own_table_says_what_is_true_and_a_representation_names_its_columns(
    tmp_path: Path,
) -> None:
    table = pd.DataFrame({"subject": ["a", "b"], "au_12": [0.5, 0.1], "x": [1.0, np.inf]})
    table.to_csv(tmp_path / "tool.csv", index=False)
    (feature, _), frames = read_feature_table(tmp_path / "tool.csv")
    assert feature.columns == ("au_12", "x")
    assert "au_12" not in frames
    np.testing.assert_array_equal(feature.mean, [[0.5, 1.0], [0.1, np.nan]])
    assert "left out" in feature.missing
    table.rename(columns={"x": "z_e_00"}).to_csv(tmp_path / "own.csv", index=False)
    (feature, _), frames = read_feature_table(tmp_path / "own.csv")
    assert feature.columns == ("z_e_00",)
    assert "au_12" in frames


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("frame,x\n0,1\n", (), "column subject"),
        ("subject,x\na,1\n,2\n", (), "column subject"),
        ("subject,x\na,word\n", (), "--columns"),
        ("subject,x\na,word\n", ("x",), "not of numbers"),
        ("subject,x\na,1\n", ("AU",), "AU"),
        ("subject,clip,x\na,1,1\na,,2\n", (), "name the clip of every frame"),
        ("subject,z_e_00,z_e_deviation_00\na,1,0.9t\n", (), "z_e_deviation_00 is not of numbers"),
        ("subject,z_e_00,id_name\na,1,ann\n", (), "id_name is not of numbers"),
        ("subject,x\n", (), "no rows"),
    ],
)
def test_a_table_that_cannot_be_audited_is_one_sentence(
    tmp_path: Path, content: str, columns: tuple[str, ...], message: str
) -> None:
    (tmp_path / "table.csv").write_text(content)
    with pytest.raises(OmoteError, match=message):
        read_feature_table(tmp_path / "table.csv", columns)


def test_a_file_that_is_no_table_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    for name, message in (
        ("broken.parquet", "damaged or not a table"),
        ("none.csv", "no table"),
        ("x.mp4", "neither"),
    ):
        with pytest.raises(OmoteError, match=message):
            read_feature_table(tmp_path / name)


def test_a_table_is_put_in_the_order_of_the_face_set(faces: FaceSet) -> None:
    frames = faces.frames.sample(frac=1, random_state=0)
    codes = Representation("code", frames.index.to_numpy(float)[:, None])
    (ordered,) = align_with_faces([codes], frames.reset_index(drop=True), faces)
    np.testing.assert_array_equal(ordered.mean.ravel(), np.arange(len(faces)))
    with pytest.raises(OmoteError, match="lacks 1 of the 40 frames"):
        align_with_faces([codes], frames.iloc[1:].reset_index(drop=True), faces)
    with pytest.raises(OmoteError, match="twice"):
        align_with_faces([codes], pd.concat([frames, frames]).reset_index(drop=True), faces)
