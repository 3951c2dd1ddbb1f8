"""`omote plot` from the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.features.extract import extract_features
from omote.runs.trained import Trained
from tests.cli.test_commands import omote


def test_the_features_of_a_face_set_are_drawn_beside_their_table(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    extract_features(trained, faces).to_parquet(tmp_path / "features.parquet")
    printed = omote("plot", tmp_path / "features.parquet", "--faces", faces.path, "--clusters", 4)
    page = tmp_path / "features-plots" / "index.html"
    assert f"Open {page} in a browser" in printed
    assert "note:" not in printed
    assert "into 4 groups" in page.read_text()
    assert {path.name for path in page.parent.iterdir()} == {
        "index.html",
        "path.png",
        "map.png",
        "clusters.png",
    }


def test_a_missing_source_is_one_note_and_the_rest_is_drawn(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).normal(size=(20, 2))
    table = pd.DataFrame(
        {"source": "gone.mp4", "frame": range(20), "z_e_00": codes[:, 0], "z_e_01": codes[:, 1]}
    )
    table.to_csv(tmp_path / "features.csv", index=False)
    printed = omote("plot", tmp_path / "features.csv", "--to", tmp_path / "plots")
    assert (
        printed.count(
            "note: faces that cannot be cut again are not shown: gone.mp4: the file no longer exists"
        )
        == 1
    )
    assert (tmp_path / "plots" / "path.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.parquet"], "there is no table"),
        (["table.csv"], "lacks the columns z_e_00"),
        (["table.csv", "--to", "table.csv"], "is a file"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("source,frame\na.mp4,0\n")
    with pytest.raises(OmoteError, match=message):
        omote("plot", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
