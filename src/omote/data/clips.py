"""What an importer finds: clips of photos or of one video, before any pixel is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

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
