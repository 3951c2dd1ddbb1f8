"""Resumable work: numbered parts in a folder `<to>.partial`, and a result that replaces `to` when it is whole.

Every step on the file system that a killed process must survive is in this file:

1. `claim_parts` locks the folder and writes `request.json`, or checks that it holds the same request.
2. `new_part` builds a part beside its place, writes checksums of its files to `whole.json`, and renames it. A part
   without that record, or with a file that is missing or was damaged since, is not done.
3. `Parts.finish` records in `finished.json` that the result is whole. From here on the same request only does what is
   left of the next steps.
4. `Parts.replace` renames the result to where it belongs.
5. At the end of `claim_parts`, `finished.json` moves out of the folder, to `<to>.partial.json`; the folder is removed;
   and that record goes last, so that until the very end the next call knows whose result lies at `to`.
"""

import json
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from omote.boundary import read_json
from omote.errors import OmoteError
from omote.files import claimed, move, remove, sync, sync_folder, write_json

# the names written here, and what a killed process may leave of them
OWN = re.compile(
    r"lock|(request|finished)\.json(\.partial|\.lock)?|(part_\d{6}(\.\d+)?|result|old)(\.removed)?"
)
WHOLE = "whole.json"  # in a part that is done: the checksums of its files
CHUNK = 2**20  # bytes of a file in memory at a time


@dataclass
class Parts:
    """A claimed folder `<to>.partial`."""

    folder: Path
    request: Any
    outcome: Any = None  # what `finish` recorded, also in a process that was killed later

    def part(self, number: int) -> Path:
        """Return the folder of a part; see `is_whole`."""
        return self.folder / f"part_{number:06d}"

    def done(self) -> list[Path]:
        """Return the folders of the parts that are done, in order, up to the first that is not."""
        return list(takewhile(is_whole, map(self.part, count())))

    def resume(self) -> list[Path]:
        """Return the same, and remove the parts after them, which are to be made anew."""
        done = self.done()
        for path in self.folder.glob("part_*"):
            if path not in done:
                remove(path)
        return done

    def new_result(self) -> Path:
        """Return an empty folder to make the result in."""
        remove(self.result)
        self.result.mkdir()
        return self.result

    @property
    def result(self) -> Path:
        """The folder in which the result is made."""
        return self.folder / "result"

    def finish(self, outcome: Any) -> None:
        """Record that the result is whole, with JSON values that the same call is to find again."""
        sync(self.result)
        write_json(self.folder / "finished.json", {"request": self.request, "outcome": outcome})
        self.outcome = outcome

    def replace(self, result: Path, to: Path) -> None:
        """Rename a file or folder to `to`, unless a killed process did; a folder there is kept until that is done."""
        if self.outcome is not None and not result.exists():
            return
        if to.is_dir():
            old = self.folder / "old"
            remove(old)
            os.replace(to, old)
        move(result, to)


@contextmanager
def claim_parts(
    to: Path, request: dict[str, Any], work: str, check: Callable[[], None] | None = None
) -> Iterator[Parts]:
    """Hold `<to>.partial` for this process: new, or with what an interrupted process has done of the same request.

    The folder is removed when the block ends, and kept for resuming if an exception ends it.

    Args:
        request: JSON values that must be equal for work to be resumed.
        work: a word for the messages, such as "preparation".
        check: raises an error if `to` must not be replaced; not called if it is the result of this request, put there
            by a process that was killed before it ended.
    Raises:
        OmoteError: If the folder cannot be made, is held by another process, or holds another request or files of
            anyone else.
    """
    request = json.loads(json.dumps(request))
    to = to.absolute()  # of a relative name such as "s3:x", pyarrow would take the start for a protocol
    record = _record(to)
    with claimed(to, f"is working on this {work}") as folder:
        if found := _read_json(record):  # its result is in place
            _empty(folder)
        else:
            found = _read_json(folder / "finished.json")
        parts = Parts(folder, request)
        if found.get("request") == request:
            parts.outcome = found.get("outcome")
        else:
            remove(record)
        if check and (parts.outcome is None or parts.result.exists()):
            check()
        if parts.outcome is None:
            _check_request(folder, request, work)
        yield parts
        if parts.outcome is not None and (folder / "finished.json").exists():
            move(folder / "finished.json", record)
        _empty(folder)
    remove(record)
    sync_folder(record.parent)


def is_pending(to: Path) -> bool:
    """Return whether a process was killed while it made `to`, or before it removed what it had needed for it."""
    return to.with_name(f"{to.name}.partial").exists() or _record(to).exists()


def _record(to: Path) -> Path:
    """Return the file that says, for a moment, which request the result at `to` is of."""
    return to.with_name(f"{to.name}.partial.json")


def _empty(folder: Path) -> None:
    """Remove what is written here but the lock; the request first, so that what is left is known to be of no use."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name != "request.json"):
        if path.name != "lock" and OWN.fullmatch(path.name):
            remove(path)


def _read_json(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if it is missing or damaged."""
    try:
        return read_json(file)
    except (OSError, ValueError):
        return {}


def _check_request(folder: Path, request: dict[str, Any], work: str) -> None:
    """Check that the folder holds this request, or empty it and write the request."""
    restart = f"Remove that folder to start over, or choose another place for the result: {folder}"
    file = folder / "request.json"
    if file.is_file():
        if lines := differences(_read_json(file), request):
            raise OmoteError(
                f"There is an interrupted {work} with other options or other source files "
                f"({'; '.join(lines)}). Run the command for that one again to finish it. {restart}"
            )
        return
    if not all(OWN.fullmatch(path.name) for path in folder.iterdir()):
        raise OmoteError(f"A folder with files that are not of omote is in the way. {restart}")
    _empty(folder)
    write_json(file, request)


def differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    """Return a line for each value of two requests that differs; only its name if the values are long."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            line
            for key in sorted(found.keys() | wanted.keys())
            for line in differences(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        ]
    values = f"{name}: was {json.dumps(found)}, now {json.dumps(wanted)}"
    return [] if found == wanted else [values if len(values) < 120 else name]


@contextmanager
def new_part(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write a part to; it is renamed to `folder` when the block ends without an exception."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        checksums = {path.name: _checksum(path) for path in beside.iterdir()}
        (beside / WHOLE).write_text(json.dumps(checksums), encoding="utf-8")
        sync(beside)
        if not is_whole(folder):
            remove(folder)
        try:
            beside.rename(folder)
        except OSError:
            if not is_whole(folder):  # a surviving worker of a killed process may have finished the same part
                raise
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def is_whole(part: Path) -> bool:
    """Return whether a part is done: it has the record of its files, and these are as they were written."""
    try:
        checksums = read_json(part / WHOLE)
        return all(_checksum(part / name) == checksum for name, checksum in checksums.items())
    except (OSError, ValueError):
        return False


def _checksum(file: Path) -> int:
    """Return the CRC-32 of a file, which tells damage, not intent."""
    checksum = 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
