"""Locks on folders, between processes."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from omote.errors import OmoteError
from omote.files import is_in_use, locked

HOLDER = """
import sys, time
from pathlib import Path
from omote.files import locked

with locked(Path(sys.argv[1]), "is busy"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def hold(folder: Path) -> None:
    with locked(folder, "is busy"):
        pass


def test_a_folder_that_another_process_holds_is_refused(
    holder: "subprocess.Popen[str]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.2)
    with pytest.raises(OmoteError, match="Another process is busy just now"):
        hold(tmp_path)


def test_a_killed_process_lets_go_of_a_folder_that_another_one_waits_for(
    holder: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    threading.Timer(0.3, holder.kill).start()
    hold(tmp_path)
    assert not is_in_use(tmp_path)  # nothing but the lock is left


def test_a_folder_that_is_removed_while_one_waits_for_it_is_refused_and_not_made_again(
    holder: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    threading.Timer(0.3, shutil.rmtree, [tmp_path]).start()
    with pytest.raises(OmoteError, match=r"has finished with .* meanwhile"):
        hold(tmp_path)
    assert not tmp_path.exists()
    tmp_path.mkdir()
