"""Files that are never half written, and folders that only one process works in."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omote.errors import OmoteError

PATIENCE = 20.0  # s; a worker of a killed process needs a step to notice and to let go


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text beside ``path`` and rename it into place."""
    beside = path.with_name(path.name + ".partial")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def is_in_use(folder: Path) -> bool:
    """Return whether a folder holds more than what a killed process may leave: its lock and half-written files."""
    return any(path.name != "lock" and path.suffix != ".partial" for path in folder.iterdir())


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold ``folder``, which is there, for this process; a killed process lets go of it too.

    Args:
        doing: what another process would be doing with it, for the message: "is preparing this face set".
    Raises:
        OmoteError: If another process holds it, and still does after some seconds, or has removed it meanwhile.
    """
    try:
        import fcntl
    except ImportError:  # Windows: no lock
        yield
        return
    with (folder / "lock").open("w") as stream:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise OmoteError(f"Another process {doing} just now (it holds {folder}).") from None
                time.sleep(0.1)
        try:
            same = os.fstat(stream.fileno()).st_ino == (folder / "lock").stat().st_ino
        except OSError:
            same = False
        if not same:  # while this one waited
            raise OmoteError(f"Another process has finished with {folder} meanwhile; give the command again.")
        yield  # the lock goes with the open file
