"""`omote profile` from the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.features.extract import extract_features
from omote.features.profile import Profile
from omote.runs.trained import Trained
from tests.cli.test_commands import omote
from tests.conftest import save_table

CODE = [f"z_e_{i:02d}" for i in range(8)]


@pytest.fixture
def photos(faces: FaceSet, tmp_path: Path) -> Path:
    """Eight faces of one person as PNG files."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = np.flatnonzero((faces.frames["subject"] == faces.subjects[0]).to_numpy(bool))
    for number in rows:
        Image.fromarray(np.asarray(faces.faces[number])).save(folder / f"{number}.png")
    return folder


def test_a_profile_of_photos_makes_their_features_relative(
    trained: Trained, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ann.json"
    printed = omote("profile", trained.path, photos, "--cropped", "--to", file)
    profile = Profile.load(file)
    assert (profile.name, profile.model, profile.num_frames, profile.num_sources) == (
        "ann",
        trained.model,
        8,
        8,
    )
    assert all(sentence in printed.replace("\n", " ") for sentence in profile.describe())
    assert f"--profile {file}" in printed

    for to, options in (("plain", ()), ("relative", ("--profile", file))):
        omote("embed", trained.path, photos, "--cropped", "--to", tmp_path / f"{to}.parquet", *options)
    plain, relative = (pd.read_parquet(tmp_path / f"{to}.parquet") for to in ("plain", "relative"))
    np.testing.assert_allclose(relative[CODE], plain[CODE] - profile.neutral, atol=1e-6)
    assert set(relative["profile"]) == {"ann"}

    omote("profile", tmp_path / "plain.parquet", "--to", tmp_path / "same.json", "--name", "ann")
    assert (tmp_path / "same.json").read_text() == file.read_text()
    with pytest.raises(OmoteError, match="relative to a profile already"):
        omote("profile", tmp_path / "relative.parquet", "--to", file)


def test_a_table_of_a_face_set_is_asked_for_a_subject(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    save_table(extract_features(trained, faces), tmp_path / "faces.csv")
    omote("profile", tmp_path / "faces.csv", "--to", tmp_path / "one.json", "--name", faces.subjects[1])
    assert Profile.load(tmp_path / "one.json").num_frames == 8
    with pytest.raises(OmoteError, match=f"Trusted frames of each subject.*{faces.subjects[0]} "):
        omote("profile", tmp_path / "faces.csv", "--to", tmp_path / "two.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.parquet", "--to", "ann.json"], "there is no table none.parquet"),
        (["a.parquet", "film.mp4", "--to", "ann.json"], "given together"),
        (["shipped", "--to", "ann.json"], "only a run was given, shipped"),
        (["run", "film.mp4", "--to", "ann.json"], "run does not exist"),
        (["table.csv", "--to", "film.mp4"], r"ends in \.json"),
        (["table.csv", "--to", "ann.json"], "has no codes"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("subject,x\na,1\n")
    with pytest.raises(OmoteError, match=message):
        omote("profile", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_of_people_becomes_a_folder_of_profiles(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    for number, subject in enumerate(faces.frames["subject"]):
        (tmp_path / "people" / subject).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(faces.faces[number])).save(tmp_path / "people" / subject / f"{number}.png")
    printed = omote("profile", trained.path, tmp_path / "people", "--cropped", "--to", tmp_path / "profiles")
    made = sorted((tmp_path / "profiles").iterdir())
    assert [file.stem for file in made] == sorted(faces.subjects)
    assert {Profile.load(file).num_frames for file in made} == {8}
    assert f"{len(made)} people, told apart by the folders of their files." in printed
    assert "not checked" in printed.replace("\n", " ")


def test_names_of_people_become_names_of_files(trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    table = extract_features(trained, faces).drop(columns=["subject"])
    ours = np.arange(len(table)) % 2 == 0
    save_table(table.assign(person=np.where(ours, "../a/b", "Zoë 2")), tmp_path / "table.parquet")
    omote("profile", tmp_path / "table.parquet", "--to", tmp_path / "profiles")
    assert sorted(file.name for file in (tmp_path / "profiles").iterdir()) == ["Zoë 2.json", "_a_b.json"]
    save_table(table.assign(person=np.where(ours, "ann", "Ann")), tmp_path / "table.parquet")
    with pytest.raises(OmoteError, match="two of the people would have the same file"):
        omote("profile", tmp_path / "table.parquet", "--to", tmp_path / "others")
    with pytest.raises(OmoteError, match="--name is for one profile"):
        omote("profile", tmp_path / "table.parquet", "--to", tmp_path / "others", "--name", "ann")
    assert not (tmp_path / "others").exists()
