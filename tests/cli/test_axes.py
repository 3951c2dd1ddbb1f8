"""`omote axis`, `omote fit-axes` and `omote events` from the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.cli.axes import _split
from omote.data.face_set import FaceSet
from omote.data.outputs import code_columns
from omote.errors import OmoteError
from omote.features.axes import Axes, to_axis
from omote.runs.trained import Trained
from omote.synthetic.prepare import prepare_rendered
from tests.cli.test_commands import omote
from tests.conftest import save_table


@pytest.fixture
def photos(faces: FaceSet, tmp_path: Path) -> list[Path]:
    """Four faces as PNG files, one with a comma in its name."""
    names = [tmp_path / name for name in ("a.png", "b.png", "c, d.png", "e.png")]
    for number, name in enumerate(names):
        Image.fromarray(np.asarray(faces.faces[5 * number])).save(name)
    return names


def test_frames_that_are_pointed_at_make_a_column(
    trained: Trained, photos: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "smile.json"
    printed = omote(
        "axis", trained.path, "--low", f"{photos[0]},{photos[1]}", "--high", photos[2], "--high", photos[3],
        "--name", "smile", "--cropped", "--to", file,
    )  # fmt: skip
    assert "smile: from 2 low and 2 high frames" in printed
    assert f"--axis {file}" in printed
    omote("embed", trained.path, *photos, "--cropped", "--axis", file, "--to", tmp_path / "t.csv")
    values = pd.read_csv(tmp_path / "t.csv")["axis_smile"]
    assert values.between(0, 1).all()
    assert values[:2].mean() < 0.5 < values[2:].mean()
    with pytest.raises(OmoteError, match=r"ends in \.json"):
        omote(
            "axis", trained.path, "--low", photos[0], "--high", photos[1], "--name", "smile", "--to", "x.csv"
        )


def test_axes_are_fitted_into_the_folder_of_a_run(
    trained: Trained, model_file: Path, faces: FaceSet, tmp_path: Path
) -> None:
    few = prepare_rendered(model_file, tmp_path / "few", subjects=1, clips=1, mixtures=0, frames=4, workers=1)
    with pytest.raises(OmoteError, match="has 1 people; axes are fitted on at least 10"):
        omote("fit-axes", trained.path, few.path, "--to", trained.path / "axes.json")
    with pytest.raises(OmoteError, match="has no column au_mouthSmile"):
        omote("fit-axes", trained.path, faces.path, "--to", trained.path / "axes.json")
    assert not (trained.path / "axes.json").exists()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """10 s of a face whose first number of the code rises from 2 to 5 s, and of which 1 s is not to be trusted."""
    time = np.arange(250) / 25
    codes = np.zeros((250, 4), np.float32)
    codes[:, 0] = np.interp(time, [2, 2.4, 4.6, 5], [0, 1, 1, 0])
    rows = pd.DataFrame({"source": "a.mp4", "frame": np.arange(250), "time": time, "face": 0, "trusted": time < 9,
                         "model": "omote-12345678"})  # fmt: skip
    save_table(pd.concat([rows, code_columns(codes, "z_e")], axis=1), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_events_of_an_own_axis_are_found_in_a_table_that_has_no_column_of_it(
    table: Path, tmp_path: Path
) -> None:
    axis = tmp_path / "smile.json"
    Axes(model="omote-12345678", axes=[to_axis("smile", [1, 0, 0, 0], 0)]).save(axis)
    printed = omote("events", table, "--axis", axis, "--to", tmp_path / "e.csv")
    assert "1 event of 1 face" in printed
    assert "left out: 25 rows not to be trusted" in printed
    (event,) = pd.read_csv(tmp_path / "e.csv").to_dict("records")
    assert event["onset"] == pytest.approx(2.04, abs=0.01)
    result = json.loads(omote("events", table, "--axis", axis, "--to", tmp_path / "e.eaf", "--all", "--json"))
    assert (result["files"], result["events"], result["left_out"]) == ([str(tmp_path / "e.eaf")], 1, {})
    with pytest.raises(OmoteError, match="no column of an axis"):
        omote("events", table, "--to", tmp_path / "f.csv")
    with pytest.raises(OmoteError, match=r"in \.boris for BORIS"):
        omote("events", table, "--to", tmp_path / "f.txt")
    with pytest.raises(OmoteError, match='two axes given with --axis are called "smile"'):
        omote("events", table, "--axis", axis, "--axis", axis, "--to", tmp_path / "f.csv")
    assert not list(tmp_path.glob("f.*"))


def test_many_names_of_frames_are_no_name_of_a_file_that_is_too_long() -> None:
    assert _split([",".join(["a.jpg"] * 100)], "--low") == ["a.jpg"] * 100
