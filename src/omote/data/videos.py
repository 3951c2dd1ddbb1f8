"""Reads videos (PyAV) as upright RGB pixels; files that cannot be read raise Unreadable."""

import math
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from omote.data.images import MAX_MEGAPIXELS, Unreadable, check_file, check_size, refuse_damage
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError

TIME_TOLERANCE = 1e-6  # s; time stamps are rounded
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


@contextmanager
def open_video(path: str | Path) -> Iterator[Any]:
    """Give PyAV's container of a video.

    Raises:
        Unreadable: If it is none of VIDEO_FORMATS, has no video that can be decoded, or its frames are too large.
    """
    import av

    # FFmpeg does not tell the size of frames that it refuses: up to twice the limit, `check_size` does.
    limit = {"max_pixels": f"{2 * MAX_MEGAPIXELS * 1_000_000:.0f}"}
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(VIDEO_FORMATS), **limit}
    with refuse_damage("unreadable: {}".format):
        # With "file:", a colon in a name does not make a protocol of what precedes it (concat:a|b, http://...).
        url = f"file:{os.path.abspath(check_file(path))}"
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
            check_size(codec.width, codec.height)
            codec.options = limit
            codec.thread_count = 1  # the workers share the cores
            yield container


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
    with open_video(path) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        wanted = only if count is None else set(evenly_spaced(max(1, _count_frames(path, stream)), count))
        reformatter = VideoReformatter()  # shared by all frames, because it caches its set-up
        start, inside, due, index, time, end_of_last = 0.0, -1, 0, -1, math.nan, math.nan

        def describe(reason: str) -> str:
            size = "" if stream.codec_context.width else f", or more than {MAX_MEGAPIXELS} megapixels a frame"
            return f"damaged video{size}: {reason} after {index + 1} frames"

        with refuse_damage(describe):
            for index, frame in enumerate(container.decode(stream)):
                check_size(frame.width, frame.height)
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
        with open_video(path) as container:
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
    with suppress(Unreadable), open_video(path) as container:  # decoding will report the error
        for packet in container.demux(video=0):
            packets += packet.size > 0  # the last, empty packet only marks the end
    return packets
