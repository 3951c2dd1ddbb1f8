"""Folders that a page names."""

from pathlib import Path

import pytest

from omote.app.folders import find_folder
from omote.app.state import State
from omote.errors import OmoteError


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """An app that was started in a folder, with its uploads in a folder of it."""
    (tmp_path / "home" / "uploads" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "home")
    return State("shipped", tmp_path / "home" / "uploads")


def test_a_folder_is_named_from_where_the_app_was_started(state: State, tmp_path: Path) -> None:
    home = (tmp_path / "home").resolve()
    assert find_folder(state, " study/run ") == home / "study" / "run"
    assert find_folder(state, f"{home}/study/../run") == home / "run"
    assert find_folder(state, ".") == home


def test_what_lies_elsewhere_or_among_the_uploads_is_refused(state: State, tmp_path: Path) -> None:
    (tmp_path / "home" / "link").symlink_to(tmp_path)
    for name in ("..", "/", "~root", "link", "study/../../other", "../home2"):
        with pytest.raises(OmoteError, match="lies outside"):
            find_folder(state, name)
    for name in ("uploads", "uploads/x", "./study/../uploads/x"):
        with pytest.raises(OmoteError, match="holds what was uploaded"):
            find_folder(state, name)


def test_what_is_no_name_of_a_folder_gets_a_sentence(state: State) -> None:
    with pytest.raises(OmoteError, match="no folder was named"):
        find_folder(state, "  ")
    for name in ("a\0b", "x" * 300, "~nobody-of-this-name"):
        with pytest.raises(OmoteError, match="is not the name of a folder"):
            find_folder(state, name)
