"""Files at an address of cloud storage, such as s3://bucket/videos: through pyarrow, or fsspec for kinds it lacks.

pyarrow reads s3://, gs:// and file:// itself. Others need fsspec and, for most, a package that fsspec names.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from omote.boundary import one_sentence
from omote.data.clips import natural_order
from omote.errors import OmoteError

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://.+", re.DOTALL)
REMEDY = "Check the address, the connection and your rights to read it, and give the command again"
CHUNK = 2**22  # bytes read at once


class Remote(NamedTuple):
    """A file at an address."""

    root: str  # the address that was given, of the file or of a folder; it may hold options and a key
    path: str  # of the file, as its file system knows it
    size: int  # bytes
    modified: int | None  # time of the last change, ns; None if unknown

    @property
    def name(self) -> str:
        """The address of the file, without options and keys."""
        # fsspec's file system for the web knows files by whole addresses
        return self.path if is_address(self.path) else f"{_scheme(self.root)}://{self.path}"


def is_address(text: str) -> bool:
    """Return whether a text is an address, such as s3://bucket/video.mp4, rather than a path."""
    return ADDRESS.fullmatch(text) is not None


def list_address(address: str) -> list[Remote]:
    """Return the file at an address, or all files below a folder, in natural order, without hidden ones.

    Raises:
        OmoteError: If there is nothing, or it cannot be read.
    """
    with _reading(address) as (system, path):
        from pyarrow.fs import FileSelector, FileType

        info = system.get_file_info(path)
        if info.type == FileType.NotFound:
            raise OmoteError(f"{hide_keys(address)} does not exist")
        found = [info]
        if info.type == FileType.Directory:
            found = system.get_file_info(FileSelector(path, recursive=True))
    files = [
        Remote(address, one.path, one.size or 0, one.mtime_ns)
        for one in found
        if one.type == FileType.File and not _is_hidden(one.path.removeprefix(path))
    ]
    return sorted(files, key=lambda file: natural_order(file.path))


@contextmanager
def local_copy(remote: Remote) -> Iterator[Path]:
    """Give a copy of the file in a temporary folder, which is removed at the end.

    Raises:
        OmoteError: If it cannot be read.
    """
    with TemporaryDirectory(prefix="omote-") as folder:
        copy = Path(folder) / f"copy{PurePosixPath(remote.path).suffix}"
        with _reading(remote.root, remote.name) as (system, _):
            with system.open_input_stream(remote.path) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
            if copy.stat().st_size != remote.size:
                raise ValueError(f"{copy.stat().st_size} bytes came, and {remote.size} were listed")
        yield copy


def missing_folder(folder: Path) -> OmoteError:
    """Return the error for a folder that is not there, which may be an address."""
    # a path has one slash where an address has two; the one letter of C:/ is a drive
    text = folder.as_posix()
    address = re.sub(r"^([a-z][a-z0-9+.-]+):/", r"\1:///" if text.startswith("file:") else r"\1://", text)
    if is_address(address):
        return OmoteError(
            f"{hide_keys(address)} is an address, and this command reads files on this machine only. Copy the "
            "folder here and name the copy; omote embed reads addresses itself."
        )
    return OmoteError(f"There is no folder {folder}. Check the path.")


@contextmanager
def _reading(address: str, name: str = "") -> Iterator[tuple[Any, str]]:
    """Give the file system of an address and the path in it; any error of the block becomes an OmoteError."""
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    with one_sentence(f"{name or hide_keys(address)} cannot be read", REMEDY):
        try:
            found = FileSystem.from_uri(address)
        except pa.ArrowInvalid as error:
            if "Unrecognized filesystem type" not in str(error):
                raise
            found = FileSystem.from_uri(f"fsspec+{address}")
        yield found


def _scheme(address: str) -> str:
    found = ADDRESS.fullmatch(address)
    assert found is not None
    return found[1]


def hide_keys(address: str) -> str:
    """Return an address without its options, and without a key before the "@"."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts if part != "/")
