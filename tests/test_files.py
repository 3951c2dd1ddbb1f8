"""Files that are never half written or half removed, and locks between processes."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from omote import files
from omote.errors import OmoteError
from omote.files import claimed, is_in_use, locked, remove, staged, write_text

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


def test_a_file_that_another_process_writes_is_waited_for_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.2)
    file = tmp_path / "scores.csv"
    writer = HOLDER.replace('locked(Path(sys.argv[1]), "is busy")', "write_beside(Path(sys.argv[1]))")
    writer = writer.replace("import locked", "import write_beside")
    with subprocess.Popen(
        [sys.executable, "-c", writer, str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(OmoteError, match=r"Another process is writing .*scores.csv"):
            write_text(file, "mine")
        process.kill()
    monkeypatch.undo()
    write_text(file, "mine")
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]  # neither a lock nor what the killed process wrote


def test_a_file_is_on_the_disk_before_it_takes_its_place_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        real_sync(descriptor)

    def replace(source: Path, to: Path) -> None:
        steps.append("renamed")
        real_replace(source, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_text(tmp_path / "run.json", "{}")
    assert steps == ["file", "renamed", "folder"]


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "run.json", "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OmoteError, match=r"run.json cannot be written: No space left on device. Make room"):
        write_text(tmp_path / "run.json", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_full_disk_while_a_folder_is_claimed_is_one_sentence_and_other_errors_stay(tmp_path: Path) -> None:
    to = tmp_path / "faces"
    said = r"faces cannot be written: No space left on device. Make room"
    with pytest.raises(OmoteError, match=said), claimed(to, "is working"):
        raise OSError(errno.ENOSPC, "what a library says of it")
    with pytest.raises(FileNotFoundError), claimed(to, "is working"):
        raise FileNotFoundError(errno.ENOENT, "a file that was to be read")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_renamed_before_anything_in_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / "a").touch()
    seen = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: seen.append((path.name, folder.exists())))
    remove(folder)
    assert seen[-1] == ("part.removed", False)


def test_what_is_staged_is_gone_in_the_end_with_its_lock(tmp_path: Path) -> None:
    killed = tmp_path / "model.partial" / "result"
    killed.mkdir(parents=True)
    (killed / "old").touch()
    with staged(tmp_path / "model", "is saving") as stage:
        assert not list(stage.iterdir())
        (stage / "new").write_text("new")
        files.move(stage / "new", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
