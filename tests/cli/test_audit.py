"""`omote audit` from the command line."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.features.extract import extract_features
from omote.files import locked
from omote.runs.trained import Trained
from tests.cli.test_commands import omote


def test_a_run_is_audited_on_the_faces_of_its_training_and_by_a_table_of_answers(
    trained: Trained, tmp_path: Path
) -> None:
    images, answers = tmp_path / "swaps", tmp_path / "person.csv"
    printed = omote("audit", trained.path, "--write-swaps", images)
    index = pd.read_csv(images / "images.csv", dtype=str)
    assert f"{images} holds {len(index)} images" in printed
    index.rename(columns={"subject": "identity"}).to_csv(answers, index=False)  # all as it should be
    printed = omote("audit", trained.path, "--judge-table", answers, "--kmeans-runs", 2, "--workers", 1)
    folder = trained.path / "audit"
    assert f"Open {folder / 'report.html'}" in printed
    assert "run z_e" in printed
    assert "by chance" in printed
    assert set(pd.read_csv(folder / "audit.csv")["people"]) == {"train", "test"}
    page = (folder / "report.html").read_text()
    assert "random network" in page
    assert f"--judge-table {answers}" in page  # the command that reproduces the page
    assert "Swapped images were read by person.csv and the model that made them." in page
    found = pd.read_csv(folder / "audit.csv").set_index(["feature", "people", "score"])["value"]
    assert found["run, read by person", "train", "expression_read_back"] == 1
    for name in ("maps.png", "paths.png"):  # only one person was held out, so there is no leakage to draw
        with Image.open(folder / name) as image:
            assert min(image.size) > 100


def test_the_features_of_another_tool_are_audited_without_faces_and_beside_them(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    table = extract_features(trained, faces)[
        ["subject", "clip", "frame", "expression", "use", "z_e_00", "z_e_01"]
    ]
    table.rename(columns={"z_e_00": "AU01_r", "z_e_01": "AU02_r"}).to_csv(tmp_path / "tool.csv", index=False)
    omote("audit", tmp_path / "tool.csv", "--kmeans-runs", 2, "--clusters", 3, "--workers", 1)
    found = pd.read_csv(tmp_path / "tool-audit" / "audit.csv")
    assert set(found["feature"]) == {"tool", "tool, subject mean removed"}
    assert set(found["people"]) == {"everyone"}  # nobody said who was held out
    reasons = found.loc[found["score"] == "order", "reason"]
    assert reasons.str.contains("--faces").all()

    named = ["--test-subjects", ",".join(faces.subjects[:3]), "--columns", "AU01"]
    omote(
        "audit",
        tmp_path / "tool.csv",
        "--faces",
        faces.path,
        "--to",
        tmp_path / "beside",
        "--kmeans-runs",
        2,
        *named,
    )
    found = pd.read_csv(tmp_path / "beside" / "audit.csv")
    assert "pixels + PCA" in set(found["feature"])
    assert found.loc[(found["score"] == "order") & (found["feature"] == "tool"), "value"].notna().any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.parquet"], "there is no run and no table of features none.parquet"),
        (["audio.wav"], "there is no run and no table of features audio.wav"),
        (["code.csv", "--test-subjects", "3"], "these test subjects are not in the faces or the table: 3"),
        (["code.csv", "--judge", "nowhere"], "not a run"),
        (["code.csv", "--to", "code.csv"], "is a file"),
        (["code.csv", "--write-swaps", "x", "--judge", "y"], "--write-swaps scores nothing"),
        (["code.csv", "--write-swaps", "x", "--to", "y"], "--write-swaps scores nothing"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("code.csv").write_text("subject,x\na,1\nb,2\n")
    with pytest.raises(OmoteError, match=message):
        omote("audit", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["code.csv"]


def test_a_second_audit_into_a_folder_waits_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.2)
    table, folder = tmp_path / "code.csv", tmp_path / "audit"
    table.write_text("subject,x\n" + "a,1\na,2\nb,2\nb,3\n")
    folder.mkdir()
    with (
        locked(folder, "is auditing"),
        pytest.raises(OmoteError, match="Another process is writing an audit"),
    ):
        omote("audit", table, "--to", folder, "--kmeans-runs", 1, "--clusters", 2, "--workers", 1)
    assert not list(folder.iterdir())
