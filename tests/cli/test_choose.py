"""`omote choose` from the command line."""

from pathlib import Path

import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.cli.test_commands import omote
from tests.conftest import Configure


def test_runs_are_listed_with_the_best_one_first_and_saved(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    for name in ("vae", "conventional"):
        train(faces, tmp_path / name, configure(method=name, options__epochs=1, test_subjects=3))
    runs = [tmp_path / "vae", tmp_path / "conventional"]
    printed = omote("choose", *runs, "--faces", faces.path, "--to", tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["choice"].is_monotonic_decreasing
    assert set(table["run"]) == {str(run) for run in runs}
    places = [printed.index(f"\n {Path(run).name}") for run in table["run"]]
    assert places == sorted(places)
    assert "by chance" in printed
    assert "people held out" in printed
    assert "switch_expression: this method has no identity code" in printed
    assert "people are too few, about" in printed


def test_a_single_run_is_scored_on_its_training_faces_and_missing_scores_have_a_reason(
    trained: Trained,
) -> None:
    printed = omote("choose", trained.path)
    assert "run " in printed
    assert "all images have the same subject" in printed  # one person was held out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not a run"),
        (["run", "--to", "table.parquet"], "ends in .csv"),
        (["run", "--to", "gone/table.csv"], "in an existing folder"),
        (["run", "--faces", "none"], "no face set at none"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("run/run.json").touch()
    with pytest.raises(OmoteError, match=message):
        omote("choose", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
