"""Reads photos (Pillow) and videos (PyAV) as upright RGB pixels; files that cannot be read raise Unreadable.

Colour profiles and non-square pixels are ignored.
"""

import math
import warnings
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError

MAX_MEGAPIXELS = 100  # of a photo or a video frame; it then takes 300 MB as RGB
MAX_SIDE = 30_000  # pixels of a photo or a video frame; OpenCV's warps take less than 32,767
TIME_TOLERANCE = 1e-6  # s; time stamps are rounded
PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2", ".avif"),
    *(".heic", ".heif"),  # not read, but listed so that such photos are reported and not ignored
}  # fmt: skip
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".3gp",
}  # fmt: skip


class Unreadable(Exception):
    """A photo or video, or the rest of it, cannot be read; the message is the reason in `skipped.csv`."""


class VideoFrame(NamedTuple):
    """One frame of a video."""

    number: int  # among all frames of the video, from 0
    time: float  # s from the start of the video, by its time stamps; NaN if it has none
    image: np.ndarray  # (H, W, 3) uint8 RGB, upright


class Excerpt(NamedTuple):
    """Which frames of a video to take; all of them by default."""

    every: int = 1  # every N-th frame, starting with the first
    fps: float | None = None  # instead: frames per second at equal intervals, by time stamps
    start: float = 0.0  # s from the start of the video
    end: float | None = None  # s, inclusive

    def check(self) -> None:
        """Raise OmoteError if a number is out of range, or if both every and fps are given."""
        if self.every < 1:
            raise OmoteError(f"every is {self.every}; expected 1 for all frames, 2 for every second one, ...")
        if self.fps is not None and not (self.fps > 0 and math.isfinite(self.fps)):
            raise OmoteError(f"fps is {self.fps}; expected a number above 0, or none for every frame.")
        if self.fps is not None and self.every != 1:
            raise OmoteError(f"every is {self.every} and fps is {self.fps}; give one of them")
        if not (0 <= self.start < (math.inf if self.end is None else self.end)):
            raise OmoteError(
                f"start is {self.start} s and end is {self.end} s; the end has to come after the start, and neither "
                "before 0"
            )


EVERY_FRAME = Excerpt()


def is_video(path: str | Path) -> bool:
    """Return whether the file's suffix is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def read_photo(path: str | Path) -> np.ndarray:
    """Return the photo as (H, W, 3) uint8 RGB, turned upright by its EXIF tag.

    Transparency is laid over white, 16 bits are scaled to 8, and grey, palette and CMYK are converted. An animation or
    a file of several pages gives its first picture.

    Raises:
        Unreadable: If the file is damaged, no photo, too large, or has values of unknown range.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large or odd files; `_check_size` decides
            with Image.open(path) as image:
                _check_size(*image.size)
                return _rgb(ImageOps.exif_transpose(image))
    except Unreadable:
        raise
    except Image.DecompressionBombError as error:
        raise Unreadable(f"too large: more than {MAX_MEGAPIXELS} megapixels") from error
    except UnidentifiedImageError as error:
        raise Unreadable("unreadable: not an image that can be decoded") from error
    except Exception as error:  # on damaged files Pillow raises errors of any kind
        raise Unreadable(f"unreadable: {_first_line(error)}") from error


def _check_size(width: int, height: int) -> None:
    if width * height >= MAX_MEGAPIXELS * 1_000_000 or max(width, height) > MAX_SIDE:
        raise Unreadable(
            f"too large: {width} x {height} pixels; omote reads less than {MAX_MEGAPIXELS} megapixels, and at most "
            f"{MAX_SIDE} a side"
        )


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if image.mode == "I" and not 255 < values.max() <= 65535:  # a 16-bit PGM has mode "I" too
            raise Unreadable("unreadable: 32-bit values of unknown range; save the photo with 8 or 16 bits")
        return np.repeat(np.round(values / 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == "F":
        raise Unreadable(
            "unreadable: floating-point values of unknown range; save the photo with 8 or 16 bits"
        )
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return np.array(image.convert("RGB"))


def read_video(
    path: str | Path,
    excerpt: Excerpt = EVERY_FRAME,
    *,
    count: int | None = None,
    only: Collection[int] | None = None,
    after: int = -1,
) -> Iterator[VideoFrame]:
    """Yield the frames of the video in order, turned upright, with one in memory at a time.

    Args:
        excerpt: which frames.
        count: instead, so many frames at equal intervals, with the first and the last; all frames of a shorter video.
        only: instead, the frames with these numbers; the rest of the video is not decoded.
        after: resume after the frame with this number.
    Raises:
        Unreadable: If the file is no video. If the video is damaged or ends early, after its last good frame.
    """
    import av
    from av.video.reformatter import VideoReformatter

    every, fps, begin, end = excerpt
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Unreadable(f"unreadable: {_first_line(error)}") from error
    with container:
        if not container.streams.video:
            raise Unreadable("unreadable: the file has no video")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # the workers share the cores
        rate = float(stream.average_rate or 25)
        wanted = only if count is None else set(evenly_spaced(max(1, _count_frames(path, stream)), count))
        reformatter = VideoReformatter()  # shared by all frames, because it caches its set-up
        start, inside, due, index, time, end_of_last = 0.0, -1, 0, -1, math.nan, math.nan
        try:
            for index, frame in enumerate(container.decode(stream)):
                _check_size(frame.width, frame.height)
                if frame.is_corrupt:
                    raise Unreadable(f"damaged video: frame {index} is corrupt")
                if index == 0:
                    start = frame.time or 0.0
                time = math.nan if frame.time is None else frame.time - start
                if frame.time is not None:  # the container's clock need not start at 0
                    end_of_last = frame.time + float((frame.duration or 0) * (frame.time_base or 0))
                since = time if time == time else index / rate
                if since < begin - TIME_TOLERANCE:
                    continue
                if end is not None and since > end + TIME_TOLERANCE:
                    return
                inside += 1
                if wanted is not None:
                    taken = index in wanted
                elif fps is not None:
                    taken = since - begin >= due / fps - TIME_TOLERANCE
                    due = max(due, math.floor((since - begin + TIME_TOLERANCE) * fps) + 1)
                else:
                    taken = inside % every == 0
                if taken and index > after:
                    pixels = reformatter.reformat(frame, format="rgb24").to_ndarray()
                    # The tag gives the counterclockwise rotation for display; rot90 turns that way too.
                    image = np.rot90(pixels, round(frame.rotation / 90))
                    yield VideoFrame(index, time, np.ascontiguousarray(image))
                if only is not None and index >= max(only):
                    return
        except (av.FFmpegError, ValueError) as error:
            raise Unreadable(f"damaged video: {_first_line(error)} after {index + 1} frames") from error
        if index < 0:
            raise Unreadable("unreadable: the video has no frame")
        if index + 1 < stream.frames:  # 0 if the format does not count frames
            raise Unreadable(f"damaged video: it ends after {index + 1} of {stream.frames} frames")
        if not stream.frames and len(container.streams) == 1 and container.duration:
            seconds = container.duration / av.time_base
            if end_of_last + max(0.5, 2 / rate) < seconds:
                raise Unreadable(f"damaged video: it ends after {end_of_last:.1f} of {seconds:.1f} s")


def estimate_num_frames(path: str | Path, excerpt: Excerpt) -> int:
    """Return about how many frames of a video an excerpt takes, by its header; 0 if the header does not tell."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 25)
            seconds = (container.duration or 0) / av.time_base or stream.frames / rate
            rate = stream.frames / seconds if stream.frames and seconds else rate
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return 0  # reading will report the error
    seconds = max(0.0, min(seconds, excerpt.end or seconds) - excerpt.start)
    return round(seconds * min(rate, excerpt.fps or rate) / excerpt.every)


def _count_frames(path: str | Path, stream: Any) -> int:
    """Return the number of frames of a video, by its header, else by counting packets without decoding."""
    import av

    if stream.frames:
        return int(stream.frames)
    packets = 0
    with av.open(str(path)) as container, suppress(av.FFmpegError):  # decoding will report the error
        for packet in container.demux(video=0):
            packets += packet.size > 0  # the last, empty packet only marks the end
    return packets


def _first_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
