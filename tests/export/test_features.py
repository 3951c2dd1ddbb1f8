"""Features out: the same whether a face comes from a face set or from a picture file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.data.prepare import prepare_folder
from omote.errors import OmoteError
from omote.export.features import embed, features, save_table
from omote.training.loop import train
from omote.training.run import Trained
from tests.conftest import Configure

CODE = [f"z_e_{i:02d}" for i in range(8)]


@pytest.fixture
def photos(faces: FaceSet, tmp_path: Path) -> Path:
    """Some faces of the face set as PNG files, in two folders."""
    for i in range(4):
        path = tmp_path / "photos" / f"folder{i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(faces.faces[i])).save(path)
    return tmp_path / "photos"


def test_a_feature_is_the_posterior_mean_beside_its_deviation_and_the_frame_it_is_of(
    trained: Trained, faces: FaceSet
) -> None:
    table = features(trained, faces)
    mean, logvar = trained.represent(faces.faces)
    np.testing.assert_array_equal(table[CODE].to_numpy(), mean)
    deviation = table[[f"z_e_deviation_{i:02d}" for i in range(8)]].to_numpy()
    np.testing.assert_allclose(deviation, np.exp(logvar / 2), rtol=1e-6)
    pd.testing.assert_frame_equal(table[faces.frames.columns], faces.frames)


def test_a_point_deviates_by_0(faces: FaceSet, run: Path, configure: Configure, tmp_path: Path) -> None:
    trained = train(faces, run, configure(method="contrast", options__epochs=1))
    save_table(features(trained, faces), tmp_path / "points.csv")
    table = pd.read_csv(tmp_path / "points.csv")
    assert (table[[f"z_e_deviation_{i:02d}" for i in range(8)]] == 0).all(axis=None)
    np.testing.assert_allclose(table[CODE], trained.represent(faces.faces)[0], rtol=1e-5)


def test_pictures_of_faces_give_the_features_of_the_face_set(
    trained: Trained, faces: FaceSet, photos: Path
) -> None:
    table, skipped = embed(trained, [photos], cropped=True)
    assert skipped.empty
    assert [Path(source).name for source in table["source"]] == ["0.png", "2.png", "1.png", "3.png"]
    np.testing.assert_allclose(
        table[CODE].to_numpy(), trained.represent(faces.faces[[0, 2, 1, 3]])[0], atol=1e-4
    )


def test_a_face_set_is_embedded_as_it_is(trained: Trained, faces: FaceSet) -> None:
    table, _ = embed(trained, [faces.path])
    assert len(table) == len(faces)
    assert "subject" in table


def test_a_run_trained_on_faces_already_cut_out_asks_for_such_pictures(
    photos: Path, tmp_path: Path, configure: Configure
) -> None:
    (tmp_path / "people").mkdir()
    for number, photo in enumerate(sorted(photos.rglob("*.png"))):
        photo.rename(tmp_path / "people" / f"s{number % 2}_{number}.png")
    face_set = prepare_folder(
        tmp_path / "people", tmp_path / "set", pattern="{subject}_{}", cropped=True, workers=1
    )
    trained = train(face_set, tmp_path / "run", configure(method="vae", test_subjects=0))
    with pytest.raises(OmoteError, match="give --cropped"):
        embed(trained, [tmp_path / "people"])
    assert len(embed(trained, [tmp_path / "people"], cropped=True)[0]) == 4


def test_what_is_left_out_is_told(trained: Trained, photos: Path) -> None:
    (photos / "broken.jpg").write_text("no picture")
    table, skipped = embed(trained, [photos / "folder0", photos / "broken.jpg"], cropped=True)
    assert len(table) == 2
    assert skipped["source"].tolist() == [str(photos / "broken.jpg")]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_reads_back_as_it_was(suffix: str, trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    table = features(trained, faces)
    path = tmp_path / f"new/features{suffix}"
    save_table(table, path)
    again = pd.read_csv(path, dtype={"subject": str}) if suffix == ".csv" else pd.read_parquet(path)
    np.testing.assert_allclose(again[CODE], table[CODE], rtol=1e-6)
    assert again["subject"].tolist() == table["subject"].tolist()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_bad_input_is_named(trained: Trained, faces: FaceSet, photos: Path, tmp_path: Path) -> None:
    (photos / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for given, message in (
        ([], "no input was given"),
        ([tmp_path / "nowhere"], "does not exist"),
        ([photos / "notes.txt"], "neither a photo nor a video"),
        ([tmp_path / "empty"], "holds no photos or videos"),
        ([faces.path, photos], "were given together"),
    ):
        with pytest.raises(OmoteError, match=message):
            embed(trained, given, cropped=True)
    with pytest.raises(OmoteError, match=r"must end in .parquet or .csv"):
        save_table(pd.DataFrame(), tmp_path / "features.xlsx")
