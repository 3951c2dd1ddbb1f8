"""Atomic writing of files, and locks on folders."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from omote.errors import OmoteError

PATIENCE = (
    20.0  # seconds to wait for a lock: the workers of a killed process hold it until their current step ends
)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text to ``path``: beside it first, then renamed, so that the file is never half written."""
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def is_in_use(folder: Path) -> bool:
    """Return whether a folder holds more than a killed process may leave: its lock and half-written files."""
    return any(path.name != "lock" and path.suffix != ".partial" for path in folder.iterdir())


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold an existing ``folder`` for this process; the lock goes with the process, however it ends.

    Args:
        doing: what another process does while it holds the folder, for the message: "is training this run".
    Raises:
        OmoteError: If another process holds the folder for longer than PATIENCE, or removes it meanwhile.
    """
    lock, deadline = FileLock(folder / "lock", timeout=0), time.monotonic() + PATIENCE
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            if time.monotonic() > deadline:
                raise OmoteError(f"Another process {doing} just now (it holds {folder}).") from None
        time.sleep(0.1)
        if not (folder / "lock").exists():
            raise OmoteError(f"Another process has finished with {folder} meanwhile; give the command again.")
    try:
        yield
    finally:
        lock.release()
