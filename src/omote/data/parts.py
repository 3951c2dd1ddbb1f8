"""Resumable work: numbered parts in a folder `<to>.partial`, and a result that replaces `to` when it is whole.

Every step on the file system that a killed process must survive is in this file:

1. `claim_parts` locks the folder and writes `request.json`, or checks that it holds the same request.
2. `new_part` builds a part beside its place and renames it, so a part is either whole or absent.
3. `Parts.replace` renames the result to where it belongs.
4. At the end of `claim_parts`, `request.json` goes first and the folder after it. A folder without a request is
   therefore left over from finished work, and the next claim empties it.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from omote.errors import OmoteError
from omote.files import locked, write_text

OWN = re.compile(r"lock|request\.json(\.partial)?|part_\d{6}(\.\d+)?|result|old")  # the names written here


class Parts(NamedTuple):
    """A claimed folder `<to>.partial`."""

    folder: Path

    def part(self, number: int) -> Path:
        """Return the folder of a part; it exists if the part is done."""
        return self.folder / f"part_{number:06d}"

    def done(self) -> list[Path]:
        """Return the folders of the parts that are done, in order."""
        return sorted(path for path in self.folder.glob("part_*") if "." not in path.name)

    def new_result(self) -> Path:
        """Return an empty folder to make the result in."""
        result = self.folder / "result"
        shutil.rmtree(result, ignore_errors=True)
        result.mkdir()
        return result

    def replace(self, result: Path, to: Path) -> None:
        """Rename a file or folder to `to`; a folder that is there is kept aside until that is done."""
        if to.is_dir():
            old = self.folder / "old"
            shutil.rmtree(old, ignore_errors=True)
            os.replace(to, old)
        os.replace(result, to)


@contextmanager
def claim_parts(to: Path, request: dict[str, Any], work: str) -> Iterator[Parts]:
    """Hold `<to>.partial` for this process: new, or with what an interrupted process has done of the same request.

    The folder is removed when the block ends, and kept for resuming if an exception ends it.

    Args:
        request: JSON values that must be equal for work to be resumed.
        work: a word for the messages, such as "preparation".
    Raises:
        OmoteError: If the folder cannot be made, is held by another process, or holds another request or files of
            anyone else.
    """
    folder = to.with_name(f"{to.name}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OmoteError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    with locked(folder, f"is working on this {work}"):
        _check_request(folder, json.loads(json.dumps(request)), work)
        yield Parts(folder)
        (folder / "request.json").unlink()
        shutil.rmtree(folder, ignore_errors=True)  # a worker of a killed process may still be writing there
    with suppress(OSError):  # Windows could not remove the folder before the lock was released
        folder.rmdir()


def _check_request(folder: Path, request: dict[str, Any], work: str) -> None:
    """Check that the folder holds this request, or empty it and write the request."""
    restart = f"Remove that folder to start over, or choose another place for the result: {folder}"
    file = folder / "request.json"
    if file.is_file():
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            found = {}
        if differences := _differences(found, request):
            raise OmoteError(
                f"There is an interrupted {work} with other options or other source files "
                f"({'; '.join(differences)}). Run the command for that one again to finish it. {restart}"
            )
        return
    if not all(OWN.fullmatch(path.name) for path in folder.iterdir()):
        raise OmoteError(f"A folder with files that are not of omote is in the way. {restart}")
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()
    write_json(file, request)


def _differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    """Return a line for each value that differs; only its name if the values are long."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            line
            for key in sorted(found.keys() | wanted.keys())
            for line in _differences(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
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
        with suppress(
            OSError
        ):  # a surviving worker of a killed process may have finished the same part meanwhile
            beside.rename(folder)
        assert folder.is_dir()
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_json(file: Path, content: Any) -> None:
    """Write indented JSON; the file is never half written."""
    write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
