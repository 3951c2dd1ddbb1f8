"""Clips that an importer finds, before any pixel is read: photos in order, or one video."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from omote.data.build import Skipped
from omote.errors import OmoteError


@dataclass(frozen=True)
class File:
    """A photo; or a video, animation or TIFF of several pages, with what holds for all its frames."""

    path: str  # relative to the listing's root, with "/"
    expression: str | None = None
    use: str = "both"  # "train", "evaluate" or "both"
    further: tuple[tuple[str, str], ...] = ()  # further columns of the frame table
    frame: int | None = None  # of a photo, its index in the whole sequence; None: its index among the files
    is_clip: bool = False  # not a photo
    count: int | None = None  # of a video, how many frames to take at equal intervals; None: as fps says
    picture: np.ndarray | None = field(default=None, repr=False, compare=False)  # of a photo that is no file


@dataclass(frozen=True)
class Clip:
    """Photos of one subject in order, or one video or animation."""

    subject: str
    name: str  # unique for the subject
    files: tuple[File, ...]


@dataclass(frozen=True)
class Listing:
    """The clips to prepare, and what an importer left out."""

    root: Path
    clips: list[Clip]
    skipped: list[Skipped] = field(default_factory=list)
    cropped: bool = False  # the pictures are faces already

    def counts(self) -> dict[str, int]:
        """Return the numbers of subjects, clips, labelled clips (with an expression) and files."""
        return {
            "subjects": len({clip.subject for clip in self.clips}),
            "clips": len(self.clips),
            "labelled clips": sum(any(file.expression for file in clip.files) for clip in self.clips),
            "files": sum(len(clip.files) for clip in self.clips),
        }


class Importer(NamedTuple):
    """A published data set: how its clips are found, and what its command `omote prepare NAME` says."""

    list_clips: Callable[..., Listing]  # of its folder, and its own options as keywords
    help: str  # a sentence, then the layout it expects and where to get it
    licence: str  # its terms
    published: Mapping[str, int]  # counts stated by its authors, by names of `Listing.counts`
    options: Mapping[str, str] = {}  # the command's help for each of its own options, all of them numbers
    shared: tuple[str, ...] = ("align", "margin", "cropped", "detector", "workers")  # of `prepare_dataset`
    downloaded: bool = False  # by scikit-learn: its folder is scikit-learn's data folder, and may be left out


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts "frame 9" before "frame 10"."""
    pieces = re.split(r"(\d+)", text)
    return [
        (0, int(piece[:4000]), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece
    ]


def sort_clips(clips: Iterable[Clip]) -> list[Clip]:
    """Return the clips in natural order of their subjects, then of their names."""
    return sorted(clips, key=lambda clip: (natural_order(clip.subject), natural_order(clip.name)))


def check_clips(clips: Iterable[Clip]) -> None:
    """Refuse clips that clash: a name twice for one subject, or a video together with other files.

    Raises:
        OmoteError: Naming the files, and what to do.
    """
    seen: dict[tuple[str, str], Clip] = {}
    for clip in clips:
        other = seen.setdefault((clip.subject, clip.name), clip)
        if other is not clip:
            raise OmoteError(
                f"Two clips of subject {clip.subject!r} are both called {clip.name!r}: {other.files[0].path} "
                f"and {clip.files[0].path}. Rename one, or tell them apart with a pattern's {{clip}} or a "
                "manifest."
            )
        if len(clip.files) > 1 and any(file.is_clip for file in clip.files):
            raise OmoteError(
                f"Clip {clip.name!r} of subject {clip.subject!r} has a video and another file "
                f"({clip.files[0].path}, {clip.files[1].path}); a clip is either one video or photos. Give "
                "them different clips."
            )
