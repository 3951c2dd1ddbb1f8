"""Which files are photos, animations or videos, told by their content; and the frames of any of them."""

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from omote.data.animations import is_animation, read_animation
from omote.data.images import (
    PHOTO_SUFFIXES,
    VIDEO_SUFFIXES,
    UnknownFormat,
    Unreadable,
    open_image,
    read_photo,
)
from omote.data.videos import EVERY_FRAME, Excerpt, Note, VideoFrame, open_video, read_video

Kind = Literal["photo", "animation", "video"]
NO_KIND = "neither a photo nor a video that omote reads"


def find_kind(path: str | Path) -> Kind | None:
    """Return what a file is, by its content; by its suffix if that tells nothing, so that reading gives the reason.

    None if neither tells. A HEIC file, a file too large and a damaged photo are photos.
    """
    suffix = Path(path).suffix.lower()
    try:
        with open_image(path) as image:
            return "animation" if is_animation(image) else "photo"
    except UnknownFormat:
        if suffix in PHOTO_SUFFIXES:
            return "photo"
    except Unreadable:
        return "photo"
    if suffix not in VIDEO_SUFFIXES:
        try:
            with open_video(path):
                pass
        except Unreadable:
            return None
    return "video"


def read_frames(
    path: str | Path,
    excerpt: Excerpt = EVERY_FRAME,
    *,
    count: int | None = None,
    only: Collection[int] | None = None,
    after: int = -1,
    notes: list[Note] | None = None,
) -> Iterator[VideoFrame]:
    """Yield the frames of a video or an animation, or a photo as frame 0, without a time; see `read_video`.

    Raises:
        Unreadable: If the file is none of them. If an animation is damaged, after its last good frame.
    """
    kind = find_kind(path)
    if kind == "video":
        yield from read_video(path, excerpt, count=count, only=only, after=after, notes=notes)
    elif kind == "animation":
        yield from read_animation(path, excerpt, only=only, after=after)
    elif after < 0 and (only is None or 0 in only):
        yield VideoFrame(0, math.nan, read_photo(path))
