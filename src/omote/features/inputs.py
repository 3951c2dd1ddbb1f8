"""What can be embedded: the photos and videos that a list of paths, addresses, cameras and pictures stands for."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from omote.boundary import decode
from omote.data.addresses import hide_keys, is_address, list_address
from omote.data.build import Skipped
from omote.data.images import PHOTO_SUFFIXES, VIDEO_SUFFIXES, Picture
from omote.data.importers.folder import find_media
from omote.data.media import NO_KIND, Kind, find_kind
from omote.errors import OmoteError
from omote.features.stream import Source

NO_KIND_BY_NAME = f"{NO_KIND}, by its name"  # reason of files at an address

Input = str | Path | Picture | Source  # a source was found already


def list_inputs(inputs: Sequence[Input]) -> list[str | Picture | Source]:
    """Return the inputs, with "-" replaced by the lines of standard input.

    Raises:
        OmoteError: If there is none, or a single one was given instead of a list.
    """
    if isinstance(inputs, str | Path | Image.Image):
        raise OmoteError(f"a single {type(inputs).__name__} was given; give a list of inputs")
    listed: list[str | Picture | Source] = []
    for given in inputs:
        if isinstance(given, str | Path):
            listed += _read_list() if str(given) == "-" else [str(given)]
        else:
            listed.append(given)
    if not listed:
        raise OmoteError("no input was given; name a face set, or photos, videos or folders of them")
    return listed


def _read_list() -> Iterator[str]:
    """Yield the paths on standard input, one a line; in quotes, and with backslashes, if Windows wrote them."""
    is_file = isinstance(sys.stdin, io.TextIOWrapper)
    # names that are not UTF-8 are reported later
    text = decode(sys.stdin.buffer.read(), "surrogateescape") if is_file else sys.stdin.read()
    for number, line in enumerate(text.split("\n"), start=1):
        name = line.rstrip("\r")
        if name.startswith('"') and not os.path.lexists(name):
            if len(name) < 2 or not name.endswith('"'):
                raise OmoteError(f"standard input, line {number}: the quote is not closed: {name}")
            name = name[1:-1].replace('""', '"')
        slashed = name.replace("\\", "/")
        if name.strip():
            yield slashed if os.path.lexists(slashed) and not os.path.lexists(name) else name


def check_picture(given: Picture, number: int) -> Source:
    """Return the source of an image in memory; `number` is its place among the inputs.

    Raises:
        OmoteError: If it is no picture.
    """
    name = f"image {number}"
    if isinstance(given, np.ndarray):
        is_picture = given.ndim == 2 or (given.ndim == 3 and given.shape[2] in (3, 4))
        if not is_picture or given.dtype != np.uint8 or not given.size:
            raise OmoteError(
                f"{name} is an array of {given.dtype} of shape {given.shape}; expected uint8 of shape (H, W, 3) in the "
                "order RGB, (H, W) or (H, W, 4)"
            )
    elif not isinstance(given, Image.Image):
        raise OmoteError(f"{name} is a {type(given).__name__}; expected a path, an array or a PIL image")
    return Source(name, picture=given)


def find_sources(given: str, skipped: list[Skipped]) -> list[Source]:
    """Return the photos and videos of a path, an address or a camera's number; files left out go to `skipped`.

    Raises:
        OmoteError: If it does not exist, or holds no photo or video.
    """
    if is_address(given):
        return _find_remote(given, skipped)
    path = Path(given)
    printable = given.encode(errors="backslashreplace").decode()
    if printable != given:
        skipped.append(Skipped(source=printable, frame=None, reason="file name is not UTF-8"))
        return []
    if path.is_dir():
        inside: list[Skipped] = []
        found = [Source(str(path / name), kind) for name, kind in find_media(path, inside).items()]
        skipped += [
            Skipped(source=str(path / row["source"]), frame=None, reason=row["reason"]) for row in inside
        ]
        if not found:
            raise OmoteError(f"{given} holds no photos or videos")
        return found
    if not path.exists() and given.isdecimal():
        return [Source(f"camera {given}", "video", int(given))]
    if not path.exists():
        raise OmoteError(f"{given} does not exist")
    kind = find_kind(path)
    if kind is None:
        raise OmoteError(f"{given} is {NO_KIND}, nor a face set or folder")
    return [Source(str(path), kind)]


def _find_remote(address: str, skipped: list[Skipped]) -> list[Source]:
    """Return the photos and videos at an address, told by their names."""
    files = list_address(address)
    sources: list[Source] = []
    for file in files:
        suffix = PurePosixPath(file.path).suffix.lower()
        if suffix in VIDEO_SUFFIXES or suffix in PHOTO_SUFFIXES:
            kind: Kind = "video" if suffix in VIDEO_SUFFIXES else "animation" if suffix == ".gif" else "photo"
            sources.append(Source(file.name, kind, remote=file))
        else:
            skipped.append(Skipped(source=file.name, frame=None, reason=NO_KIND_BY_NAME))
    if not sources:
        raise OmoteError(
            f"{hide_keys(address)} holds no photos or videos, by the suffixes of the names: "
            f"{', '.join(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES))}"
        )
    return sources
