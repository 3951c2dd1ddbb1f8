"""Reads animated images (GIF, WebP, PNG, AVIF) and images of several pages (TIFF) as the frames of a clip."""

import math
from collections.abc import Collection, Iterator
from itertools import count, islice
from pathlib import Path

from PIL import Image

from omote.data.images import Unreadable, open_image, refuse_damage, to_rgb
from omote.data.videos import EVERY_FRAME, Excerpt, FrameChoice, VideoFrame

ANIMATED = (
    "GIF",
    "WEBP",
    "PNG",
    "AVIF",
)  # formats with a clock; JPEG and HEIC hold one photo and its variants
MAX_FRAMES = 10_000  # of a file
# Browsers show a frame whose duration is at most 10 ms for 100 ms, so that is what those who made it have seen.
SHORTEST_MS, USUAL_MS = 10, 100
NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255  # TIFF tags
REDUCED, MASK, OLD_REDUCED = 1, 4, 2  # their values for a thumbnail or a mask of another page


def is_animation(image: Image.Image) -> bool:
    """Return whether an opened image has several frames or pages."""
    try:
        return len(list(islice(_find_frames(image), 2))) > 1
    except (
        Exception
    ):  # a second frame that cannot be decoded is a second frame; reading says what is wrong with it
        return True


def read_animation(
    path: str | Path,
    excerpt: Excerpt = EVERY_FRAME,
    *,
    only: Collection[int] | None = None,
    after: int = -1,
) -> Iterator[VideoFrame]:
    """Yield the frames of an animated image or the pages of a TIFF; see `read_video`.

    The time of a frame is the sum of the durations before it, as browsers show them. Pages have no times (NaN), so of
    an excerpt only `every` applies to them.

    Raises:
        Unreadable: As `read_photo`, and after `MAX_FRAMES` frames. If the file is damaged, after its last good frame.
    """
    with open_image(path) as image, refuse_damage("damaged after these frames: {}".format):
        has_clock = image.format in ANIMATED
        clock, choice = 0.0, FrameChoice(excerpt, only)  # ms
        for number, _ in enumerate(_find_frames(image)):
            if number == MAX_FRAMES:
                raise Unreadable(f"too long: more than {MAX_FRAMES} frames; convert it to a video")
            if has_clock:
                image.load()  # WebP knows the duration only then
            time = clock / 1000 if has_clock else math.nan
            duration = image.info.get("duration") or 0
            clock += duration if duration > SHORTEST_MS else USUAL_MS
            if choice.is_early(time):
                continue
            if choice.is_late(time):
                return
            if choice.wants(number, time):
                choice.take(time)
                if number > after:
                    yield VideoFrame(number, time, to_rgb(image))
            if only is not None and number >= max(only):
                return


def _find_frames(image: Image.Image) -> Iterator[None]:
    """Move an image from frame to frame, or to each page of a TIFF that is no thumbnail or mask of another."""
    if image.format not in (*ANIMATED, "TIFF"):
        return
    # the first picture of a PNG may be one for programs that show no animations
    for position in count(int(getattr(image, "default_image", False))):
        try:
            image.seek(position)
        except EOFError:
            return
        tags = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]
        if not tags.get(NEW_SUBFILE_TYPE, 0) & (REDUCED | MASK) and tags.get(SUBFILE_TYPE) != OLD_REDUCED:
            yield
