"""What an importer finds: clips of photos or of one video, before any pixel is read."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from omote.data.build import Skipped
from omote.data.images import is_video
from omote.errors import OmoteError


@dataclass(frozen=True)
class File:
    """A photo, or a video with what holds for all its frames."""

    path: str  # relative to the listing's root, with "/"
    expression: str | None = None
    use: str = "both"  # "train", "evaluate" or "both"
    further: tuple[tuple[str, str], ...] = ()  # further columns of the frame table
    frame: int | None = None  # of a photo, its index in the whole sequence; None: its place among the files
    count: int | None = None  # of a video, how many frames to take at equal intervals; None: as fps says


@dataclass(frozen=True)
class Clip:
    """Photos of one subject in order, or one video."""

    subject: str
    name: str  # unique for the subject
    files: tuple[File, ...]


@dataclass(frozen=True)
class Listing:
    """What is to be prepared, and what an importer left out."""

    root: Path
    clips: list[Clip]
    skipped: list[Skipped] = field(default_factory=list)
    cropped: bool = False  # the pictures are faces already

    def counts(self) -> dict[str, int]:
        """Return how many subjects, clips, labelled clips (with an expression) and files there are."""
        return {
            "subjects": len({clip.subject for clip in self.clips}),
            "clips": len(self.clips),
            "labelled clips": sum(any(file.expression for file in clip.files) for clip in self.clips),
            "files": sum(len(clip.files) for clip in self.clips),
        }


class Importer(NamedTuple):
    """A published data set: how its clips are found, and what is known of it."""

    list_clips: Callable[..., Listing]  # of a path, and the importer's own options as keywords
    published: Mapping[str, int]  # counts by its authors, under names of `Listing.counts`
    licence: str  # its terms, and where to ask for them


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key by which "frame 9" comes before "frame 10"."""
    pieces = re.split(r"(\d+)", text)
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]


def check_clips(clips: Iterable[Clip]) -> None:
    """Refuse clips that clash: a name twice for one subject, a video together with other files.

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
        if len(clip.files) > 1 and any(is_video(file.path) for file in clip.files):
            raise OmoteError(
                f"Clip {clip.name!r} of subject {clip.subject!r} has a video and another file "
                f"({clip.files[0].path}, {clip.files[1].path}); a clip is either one video or photos. Give "
                "them different clips."
            )
