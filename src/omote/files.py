"""Durable, atomic writing and removal of files and folders, and locks between processes.

What is renamed into place is on the disk first, so that neither a killed process nor a power cut leaves half of it.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from omote.errors import OmoteError

PATIENCE = (
    20.0  # seconds to wait for a lock: the workers of a killed process hold it until their current step ends
)
LEFT_BEHIND = (".partial", ".lock", ".removed")  # suffixes of what a killed process may leave
_held_folders: set[Path] = set()  # that this process holds
FULL = (errno.ENOSPC, errno.EDQUOT)


def sync(path: Path) -> None:
    """Return once a file, or a folder with everything in it, is on the disk."""
    if path.is_dir():
        for inside in path.iterdir():
            sync(inside)
        sync_folder(path)
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk, where the file system can tell (not on Windows)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move(source: Path, to: Path) -> None:
    """Rename a file or folder to ``to`` once it is on the disk; a file that is there is replaced."""
    sync(source)
    os.replace(source, to)
    sync_folder(to.parent)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there; a folder is renamed first, so that it is never half there."""
    if path.is_dir() and not path.is_symlink():
        away = path if path.suffix == ".removed" else path.with_name(f"{path.name}.removed")
        if away != path:
            shutil.rmtree(away, ignore_errors=True)
            os.replace(path, away)
        shutil.rmtree(away, ignore_errors=True)  # a worker of a killed process may still be writing there
    else:
        path.unlink(missing_ok=True)


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write a file to; it replaces ``path`` when the block ends without an exception.

    Another process that writes the same file waits, or waits already where this one holds the folder (`locked`).

    Raises:
        OmoteError: If the file cannot be written.
    """
    beside, lock = (path.with_name(path.name + suffix) for suffix in (".partial", ".lock"))
    is_held = not _held_folders.isdisjoint(path.absolute().parents)
    with writing(path), nullcontext() if is_held else _held(lock, f"is writing {path}"):
        try:
            yield beside
            move(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block, such as a full disk, into an OmoteError that names what could not be written."""
    try:
        yield
    except OSError as error:
        raise OmoteError(f"{path} cannot be written: {say_why(error)}") from error


def say_why(error: OSError) -> str:
    """Return in one line what failed, and what to do about a full disk."""
    if error.errno in FULL:
        return f"{os.strerror(error.errno)}. Make room, and give the same command again."
    return f"{error.strerror or error}."


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text to ``path``, which is never half written."""
    with write_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON to ``path``, which is never half written."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def is_in_use(folder: Path) -> bool:
    """Return whether a folder holds more than a killed process may leave: locks and half-written files."""
    return any(path.name != "lock" and path.suffix not in LEFT_BEHIND for path in folder.iterdir())


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold an existing ``folder`` for this process; the lock goes with the process, however it ends.

    Args:
        doing: what another process does while it holds the folder, for the message: "is training this run".
    Raises:
        OmoteError: If another process holds the folder for longer than PATIENCE, or removes it meanwhile.
    """
    with _held(folder / "lock", f"{doing} just now (it holds {folder})"):
        _held_folders.add(folder.absolute())
        try:
            yield
        finally:
            _held_folders.discard(folder.absolute())


@contextmanager
def claimed(to: Path, doing: str) -> Iterator[Path]:
    """Hold and give the folder `<to>.partial`; it is removed at the end if nothing is left in it.

    Args:
        doing: as for `locked`.
    Raises:
        OmoteError: As `locked`, and if the folder cannot be made or the disk is full.
    """
    folder = to.with_name(f"{to.name}.partial")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder, doing):
            yield folder
    except OSError as error:
        if error.errno not in FULL:  # it may also come from a file that is read
            raise
        raise OmoteError(f"{to} cannot be written: {say_why(error)}") from error
    finally:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def staged(to: Path, doing: str) -> Iterator[Path]:
    """Give an empty folder beside ``to`` to write files to; move them where they belong before the block ends.

    Args:
        doing: as for `locked`; another process waits.
    Raises:
        OmoteError: As `claimed`, and if something cannot be written.
    """
    with writing(to), claimed(to, doing) as folder:
        stage = folder / "result"
        remove(stage)
        stage.mkdir()
        try:
            yield stage
        finally:
            remove(stage)


@contextmanager
def _held(file: Path, doing: str) -> Iterator[None]:
    """Hold a lock file, and remove it in the end."""
    lock, deadline = FileLock(file, timeout=0), time.monotonic() + PATIENCE
    if not file.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(file.parent))
    while True:
        with suppress(Timeout):
            lock.acquire()
            if file.exists():
                break
            lock.release()  # of a file that the last holder has removed meanwhile
        if time.monotonic() > deadline:
            raise OmoteError(f"Another process {doing}.")
        time.sleep(0.1)
        if not file.parent.is_dir():
            raise OmoteError(
                f"Another process has finished with {file.parent} meanwhile; give the command again."
            )
    try:
        yield
    finally:
        with suppress(OSError):  # Windows cannot remove it before it is released
            file.unlink()
        lock.release()
        if os.name == "nt":
            with suppress(OSError):
                file.unlink()


def file_state(path: str | Path) -> tuple[int, int] | None:
    """Return the size of a file and the time of its last change (ns), which tell of a change; None if it is missing."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
