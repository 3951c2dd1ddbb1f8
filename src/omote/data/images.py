"""Reads photos (Pillow) and videos (PyAV) as upright RGB pixels; files that cannot be read raise Unreadable.

Colour profiles and non-square pixels are ignored. Files may come from anyone: only the formats listed here are decoded,
whatever a file's name says, so that none starts a program, reads another file or opens a connection.
"""

import math
import os
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError

MAX_MEGAPIXELS = 100  # of a photo or a video frame; a photo then takes 700 MB while it is read
MAX_SIDE = 30_000  # pixels of a photo or a video frame; OpenCV's warps take less than 32,767
TIME_TOLERANCE = 1e-6  # s; time stamps are rounded
PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2", ".avif"),
    *(".heic", ".heif"),  # not read, but listed so that such photos are reported and not ignored
}  # fmt: skip
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".3gp",
}  # fmt: skip
# Pillow's names; raster formats only. Others start a program (EPS: Ghostscript) or are rarely tested.
PHOTO_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
# FFmpeg's names of demuxers; none of them opens another file, as those of playlists do (concat, hls, dash, image2).
VIDEO_FORMATS = (
    "mov",
    "matroska",
    "avi",
    "mpeg",
    "mpegts",
    "mpegvideo",
    "m4v",
    "asf",
    "flv",
    "ogg",
    "h264",
    "hevc",
)
STRIP_ROWS = 256  # rows of a photo that are converted at a time


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
    with open_image(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        _check_values(image)
        pixels = np.empty((image.height, image.width, 3), np.uint8)
        for top in range(0, image.height, STRIP_ROWS):  # converting all at once would take three more copies
            bottom = min(top + STRIP_ROWS, image.height)
            pixels[top:bottom] = _rgb(image.crop((0, top, image.width, bottom)))
        return pixels


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Give a photo as Pillow's image, not decoded yet.

    Raises:
        Unreadable: If it is none of PHOTO_FORMATS, too large or damaged; errors of the block raise it too.
    """
    with _refuse_damage("unreadable: {}".format), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large or odd files; `_check_size` decides
        with Image.open(_check_file(path), formats=PHOTO_FORMATS) as image:
            _check_size(*image.size)
            yield image


@contextmanager
def _open_video(path: str | Path) -> Iterator[Any]:
    """Give PyAV's container of a video.

    Raises:
        Unreadable: If it is none of VIDEO_FORMATS, has no video that can be decoded, or its frames are too large.
    """
    import av

    # FFmpeg does not tell the size of frames that it refuses: up to twice the limit, `_check_size` does.
    limit = {"max_pixels": f"{2 * MAX_MEGAPIXELS * 1_000_000:.0f}"}
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(VIDEO_FORMATS), **limit}
    with _refuse_damage("unreadable: {}".format):
        # With "file:", a colon in a name does not make a protocol of what precedes it (concat:a|b, http://...).
        url = f"file:{os.path.abspath(_check_file(path))}"
        try:
            container = av.open(url, options=options, metadata_errors="ignore")
        except av.ArgumentError as error:  # FFmpeg says no more of a format that is not on the list
            known = ", ".join(VIDEO_FORMATS)
            raise Unreadable(
                f"unreadable: damaged, or no video of a format that omote reads ({known})"
            ) from error
        with container:
            if not container.streams.video:
                raise Unreadable("unreadable: the file has no video")
            codec = container.streams.video[0].codec_context
            if codec is None:
                raise Unreadable(
                    "unreadable: the codec of the video is unknown; convert it, for example to H.264"
                )
            _check_size(codec.width, codec.height)
            codec.options = limit
            codec.thread_count = 1  # the workers share the cores
            yield container


@contextmanager
def _refuse_damage(describe: Callable[[str], str]) -> Iterator[None]:
    """Raise Unreadable for any error of the block: on damaged files, Pillow and PyAV raise errors of any kind."""
    try:
        yield
    except Unreadable:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("far too many pixels") from error
    except UnidentifiedImageError as error:
        known = ", ".join(PHOTO_FORMATS)
        raise Unreadable(f"unreadable: not an image of a format that omote reads ({known})") from error
    except Exception as error:
        raise Unreadable(describe(_first_line(error))) from error


def _check_file(path: str | Path) -> Path:
    """Return the path unless it is a pipe, a device or a folder; reading a pipe would wait for ever."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise Unreadable("unreadable: not a file")
    return path


def _check_size(width: int, height: int) -> None:
    if width * height >= MAX_MEGAPIXELS * 1_000_000 or max(width, height) > MAX_SIDE:
        raise _too_large(f"{width} x {height} pixels")


def _too_large(size: str) -> Unreadable:
    return Unreadable(
        f"too large: {size}; omote reads less than {MAX_MEGAPIXELS} megapixels, and at most {MAX_SIDE} a side; reduce "
        "it, or cut out the part with the face"
    )


def _check_values(image: Image.Image) -> None:
    """Raise Unreadable if it is not known which value is white."""
    # a 16-bit PGM has mode "I" too
    if image.mode == "I" and not 255 < np.max(image.getextrema()) <= 65535:
        raise Unreadable("unreadable: 32-bit values of unknown range; save the photo with 8 or 16 bits")
    if image.mode == "F":
        raise Unreadable(
            "unreadable: floating-point values of unknown range; save the photo with 8 or 16 bits"
        )


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        return np.repeat(np.round(values / 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return np.asarray(image.convert("RGB"))


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
    with _open_video(path) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        wanted = only if count is None else set(evenly_spaced(max(1, _count_frames(path, stream)), count))
        reformatter = VideoReformatter()  # shared by all frames, because it caches its set-up
        start, inside, due, index, time, end_of_last = 0.0, -1, 0, -1, math.nan, math.nan

        def describe(reason: str) -> str:
            size = "" if stream.codec_context.width else f", or more than {MAX_MEGAPIXELS} megapixels a frame"
            return f"damaged video{size}: {reason} after {index + 1} frames"

        with _refuse_damage(describe):
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
        with _open_video(path) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 25)
            seconds = (container.duration or 0) / av.time_base or stream.frames / rate
            rate = stream.frames / seconds if stream.frames and seconds else rate
    except Unreadable:
        return 0  # reading will report the error
    seconds = max(0.0, min(seconds, excerpt.end or seconds) - excerpt.start)
    return round(seconds * min(rate, excerpt.fps or rate) / excerpt.every)


def _count_frames(path: str | Path, stream: Any) -> int:
    """Return the number of frames of a video, by its header, else by counting packets without decoding."""
    if stream.frames:
        return int(stream.frames)
    packets = 0
    with suppress(Unreadable), _open_video(path) as container:  # decoding will report the error
        for packet in container.demux(video=0):
            packets += packet.size > 0  # the last, empty packet only marks the end
    return packets


def _first_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = str(text).splitlines()[0][:200]
    # these are meant to be read; others come from code that stumbled over a damaged file
    return (
        line
        if isinstance(error, OSError | ValueError | SyntaxError)
        else f"damaged ({type(error).__name__}: {line})"
    )
