"""`omote compare` from the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from omote.cli.main import app
from omote.errors import OmoteError
from tests.cli.test_commands import omote
from tests.conftest import save_table
from tests.features.test_comparison import SMILE, study
from tests.features.test_synchrony import face, wander


@pytest.fixture
def table(tmp_path: Path) -> Path:
    save_table(study(np.random.default_rng(0), [SMILE] * 6), tmp_path / "features.parquet")
    return tmp_path / "features.parquet"


def test_conditions_are_compared_printed_and_saved(table: Path, tmp_path: Path) -> None:
    to = tmp_path / "comparison.csv"
    printed = omote("compare", table, "--conditions", "rest,smile", "--to", to).replace("\n", " ")
    assert "People's changes have a common direction" in printed
    assert "in 6 people, higher in 6" in printed
    saved = pd.read_csv(to)
    assert saved["question"].value_counts().to_dict() == {
        "do people change alike": 15,
        "do conditions differ": 3,
    }


def test_json_holds_every_result(table: Path) -> None:
    result = CliRunner().invoke(app, ["compare", str(table), "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout)
    assert len(found["results"]) == 15
    assert found["results"][0]["lag"] is None
    assert found["table"] is None


def test_two_faces_of_a_video_are_compared_over_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shared = wander(rng)
    both = pd.concat([face(rng, shared, 0, 0, 10), face(rng, shared, 0.6, 1, 10)], ignore_index=True)
    save_table(both, tmp_path / "talk.csv")
    printed = omote("compare", tmp_path / "talk.csv", "--synchrony", "--window", 8).replace("\n", " ")
    assert "face 1 follows face 0 by 0.6 s" in printed


def test_names_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    study_table = study(np.random.default_rng(2), [SMILE] * 2)
    number = study_table["source"].str.extract("all/p(.)")[0]
    state = np.where(study_table["source"].str.contains("smile"), "02", "01")
    study_table.assign(person="00" + number, state=state).to_csv(tmp_path / "t.csv", index=False)
    printed = omote("compare", tmp_path / "t.csv", "--conditions", "01,02", "--by", "state")
    assert "000 and 001: cosine" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.parquet"], "there is no table none.parquet"),
        (["t.parquet", "--to", "x.txt"], r"ends in \.csv"),
        (["t.parquet", "--conditions", "rest"], "takes two names with a comma"),
        (["t.parquet", "--conditions", "a,b", "--synchrony"], "two different questions"),
        (["t.parquet", "--columns", "blur"], "name these too"),
        (["t.parquet", "--window", "5"], "are for --synchrony"),
        (["t.parquet", "--conditions", "a,b", "--max-lag", "2"], "are for --synchrony"),
        (["t.parquet", "--synchrony", "--columns", " ,"], "names of columns with commas"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.parquet").touch()  # it is there, but nothing reads it
    with pytest.raises(OmoteError, match=message):
        omote("compare", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
