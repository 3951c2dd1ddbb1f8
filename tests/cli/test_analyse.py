"""`omote analyse` from the command line."""

from pathlib import Path

import pytest

from omote.errors import OmoteError
from omote.runs.trained import Trained
from tests.analysis.test_analyse import people
from tests.cli.test_commands import omote
from tests.features.conftest import cast, reader

__all__ = ["cast", "people", "reader"]


def test_it_says_what_was_done_what_was_left_out_and_how_to_do_it_step_by_step(
    people: Path, reader: Trained, tmp_path: Path
) -> None:
    to = tmp_path / "results"
    printed = omote("analyse", people, "--to", to, "--run", reader.path, "--fps", 5)
    assert "3 people: 3 videos (0.1 min) and 2 photos." in printed
    assert "left out: bob/notes.txt: neither a photo nor a video" in printed.replace("\n", " ")
    assert f"omote embed {reader.path} {people} --to features.parquet --fps 5" in printed.replace("\n", "")
    assert f"Open {to / 'report.html'} in a browser" in printed
    assert (to / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "There is no folder none"),
        (["none", "--conditions", "rest"], "takes two names with a comma"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, reader: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OmoteError, match=message):
        omote("analyse", *arguments, "--to", "results", "--run", reader.path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_none_is_refused(people: Path, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="nowhere"):
        omote("analyse", people, "--to", tmp_path / "results", "--run", tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


def test_a_workbook_without_its_package_is_refused_before_the_work(
    people: Path, reader: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.analysis.workbook.find_spec", lambda name: None)
    with pytest.raises(OmoteError, match=r"needs the package openpyxl \(pip install 'omote\[xlsx\]'\)"):
        omote("analyse", people, "--to", tmp_path / "results", "--run", reader.path, "--xlsx")
    assert not list(tmp_path.iterdir())
