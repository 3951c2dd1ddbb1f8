"""Checks of uploads, before anything of them is decoded: each refusal is a sentence.

What gets through is read by `omote.data`, which decodes only formats on its lists, within its limits of size.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from omote.data.images import Unreadable
from omote.data.media import NO_KIND, find_kind
from omote.data.videos import open_video
from omote.errors import OmoteError

MAX_FILES = 200  # at once
MAX_BYTES = 4 * 2**30  # of a file, and of one upload
MAX_STORED = 20 * 2**30  # bytes of all uploads together that the server holds
MAX_SECONDS = 3 * 3600  # of a video
LONGEST_NAME = 80  # characters, as shown


class Checked(NamedTuple):
    """Uploads that can be read, and sentences about the others."""

    files: list[Path]
    refused: list[str]


def check_uploads(paths: Sequence[str | Path], folder: Path) -> Checked:
    """Return which uploads can be read, and a sentence about each other one.

    Args:
        paths: of the uploads.
        folder: they must lie in it, links followed.
    Raises:
        OmoteError: If there are none, too many, or none that can be read; the message has the sentences.
    """
    if not paths:
        raise OmoteError("no file was chosen; choose a video, photos, or a folder of them")
    if len(paths) > MAX_FILES:
        raise OmoteError(
            f"{len(paths)} files were chosen; at most {MAX_FILES} are taken at once. For more, use `omote embed`"
        )
    checked = Checked([], [])
    for path in map(Path, paths):
        if problem := _find_problem(path, folder):
            checked.refused.append(f"{show_name(path)}: {problem}.")
        else:
            checked.files.append(path)
    if not checked.files:
        raise OmoteError(" ".join(checked.refused))
    return checked


def show_name(path: Path) -> str:
    """Return the name of a file as one line of printable characters, at most `LONGEST_NAME`."""
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in path.name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def stored_bytes(folder: Path) -> int:
    """Return how many bytes the files in a folder take."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # removed meanwhile
                total += os.lstat(Path(inside) / name).st_size
    return total


def _find_problem(path: Path, folder: Path) -> str:
    """Return why a file cannot be read, or ""."""
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        return "a link or a file from elsewhere; upload the file itself"
    if not path.is_file():
        return "no file; choose it again"
    if not (size := path.stat().st_size):
        return "empty; was it copied to the end?"
    if size > MAX_BYTES:
        return f"{size / 1e9:.1f} GB; at most {MAX_BYTES / 1e9:.1f} GB are taken"
    try:
        kind = find_kind(path)
        if kind is None:
            return NO_KIND
        if kind == "video":
            return _find_problem_of_video(path)
    except Unreadable as error:
        return str(error)
    return ""


def _find_problem_of_video(path: Path) -> str:
    import av

    with open_video(path) as (container, _, _):
        seconds = (container.duration or 0) / av.time_base
    if seconds > MAX_SECONDS:
        return (
            f"{seconds / 3600:.1f} hours long; at most {MAX_SECONDS / 3600:.0f} hours are taken here. Cut it, or use "
            "`omote embed`, which reads videos of any length"
        )
    return ""
