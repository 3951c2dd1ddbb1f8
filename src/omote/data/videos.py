"""Reads videos (PyAV) as upright RGB pixels, square, at the times of a player; HDR becomes SDR.

A damaged video is read on after the damage. What was lost is told by FFmpeg, frame by frame, and by gaps in the time
stamps, never by the number of frames in the header: it also counts what an edit list or a recorder left out.
"""

import math
import os
from array import array
from collections import Counter, deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from omote.data.hdr import HLG, PQ, map_tones
from omote.data.images import MAX_MEGAPIXELS, Unreadable, check_file, check_size, refuse_damage
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError

TIME_TOLERANCE = 1e-6  # s; time stamps are rounded
NEARLY_SQUARE = (
    0.01  # difference from 1 in the aspect of pixels that comes of rounding; scaling would only blur
)
DEFAULT_RATE = 25  # frames/s of a video that does not tell
LONG_GAP = 1.0  # s without a frame, in a video whose rate varies
MANY = 100  # packets of the busiest stream; in their time, a second stream that moves has more than one
MAX_PLACES = 5  # of lost time, named in one sentence
CORRUPT, GAP = "corrupt frame", "frames missing before this one"
TRACES = "; frames near the damage, up to the next key frame, may show traces of it"
OWN_DURATION = ("mov", "avi")  # and those whose headers state the duration of each stream
DECODING_ORDER = ("avi", "asf")  # FFmpeg's names of formats whose packets have no times of display
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

    number: int  # among all frames of the video that can be decoded, from 0
    time: float  # s on the clock of a player; NaN if the video has no time stamps
    image: np.ndarray  # (H, W, 3) uint8 RGB, upright, with square pixels


class Note(NamedTuple):
    """What of a video was not read, for `skipped.csv`."""

    frame: int | None  # None for the whole file
    reason: str


class Excerpt(NamedTuple):
    """Which frames of a video to take; all of them by default."""

    every: int = 1  # every N-th frame, starting with the first
    fps: float | None = None  # instead: frames per second at equal intervals, by time stamps
    start: float = 0.0  # s, on the clock of `VideoFrame.time`
    end: float | None = None  # s, inclusive
    stream: int | None = None  # index in the file of the video stream to read; the first that moves if None

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


class FrameChoice:
    """Chooses the frames of a clip that an excerpt takes, asked of each frame in order of display.

    Args:
        excerpt: which frames.
        only: instead, the frames with these numbers.
    """

    def __init__(self, excerpt: Excerpt, only: Collection[int] | None = None) -> None:
        self.excerpt, self.only = excerpt, only
        self.inside = -1  # frames within start and end so far, less 1
        self.due = 0  # of the frames at `fps`, the next one
        self.origin: float | None = None  # s, time of the first frame, or the start

    def is_early(self, time: float) -> bool:
        """Return whether a frame comes before the start; NaN is never early."""
        if self.origin is None:
            self.origin = max(self.excerpt.start, time)
        return time < self.excerpt.start - TIME_TOLERANCE

    def is_late(self, time: float) -> bool:
        """Return whether a frame comes after the end; NaN is never late."""
        return self.excerpt.end is not None and time > self.excerpt.end + TIME_TOLERANCE

    def wants(self, number: int, time: float) -> bool:
        """Return whether to take a frame that is neither early nor late; of frames without a time, `fps` takes all."""
        self.inside += 1
        if self.only is not None:
            return number in self.only
        if self.excerpt.fps is None or self.origin is None or math.isnan(time):
            return self.inside % self.excerpt.every == 0
        return time - self.origin >= self.due / self.excerpt.fps - TIME_TOLERANCE

    def take(self, time: float) -> None:
        """Take notice that the frame was taken."""
        if self.excerpt.fps is not None and self.origin is not None and not math.isnan(time):
            self.due = math.floor((time - self.origin + TIME_TOLERANCE) * self.excerpt.fps) + 1


@contextmanager
def open_video(path: str | Path, index: int | None = None) -> Iterator[tuple[Any, Any, list[Any]]]:
    """Give PyAV's container of a video, the video stream to read, and the others that move.

    Args:
        index: of the stream in the file; the first that moves if None.
    Raises:
        Unreadable: If the file is none of VIDEO_FORMATS, has no such stream, its codec is unknown, or its frames are
            too large.
    """
    with _open_container(path) as container:
        yield container, *_choose_stream(path, container, index)


@contextmanager
def _open_container(path: str | Path) -> Iterator[Any]:
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(VIDEO_FORMATS), **_limit()}
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
            yield container


def _limit() -> dict[str, str]:
    # FFmpeg does not tell the size of frames that it refuses: up to twice the limit, `check_size` does.
    return {"max_pixels": f"{2 * MAX_MEGAPIXELS * 1_000_000:.0f}"}


def _choose_stream(path: str | Path, container: Any, index: int | None) -> tuple[Any, list[Any]]:
    """Return the stream to read and the others that move; see `open_video`."""
    from av.stream import Disposition

    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise Unreadable("unreadable: the file has no video")
    moving = streams if len(streams) == 1 else _find_moving(path, streams)
    chosen = [one for one in streams if one.index == index] if index is not None else moving[:1]
    if not chosen:
        known = ", ".join(str(one.index) for one in streams)
        raise Unreadable(f"unreadable: stream {index} is no video; the video streams of the file are {known}")
    codec = chosen[0].codec_context
    if codec is None:
        raise Unreadable("unreadable: the codec of the video is unknown; convert it, for example to H.264")
    check_size(codec.width, codec.height)
    codec.options = _limit()
    codec.thread_count = 1  # the workers share the cores
    return chosen[0], [one for one in moving if one is not chosen[0]]


def _find_moving(path: str | Path, streams: list[Any]) -> list[Any]:
    """Return the streams with more than one picture, of the first MANY; all of them if there is none."""
    counts = Counter[int]()
    with suppress(Unreadable), _open_container(path) as container:  # reading will report the error
        for packet in container.demux([container.streams[one.index] for one in streams]):
            counts[packet.stream_index] += packet.size > 0
            if counts[packet.stream_index] == MANY:
                break
    return [one for one in streams if counts[one.index] > 1] or streams


def read_video(
    path: str | Path,
    excerpt: Excerpt = EVERY_FRAME,
    *,
    count: int | None = None,
    only: Collection[int] | None = None,
    after: int = -1,
    notes: list[Note] | None = None,
) -> Iterator[VideoFrame]:
    """Yield the frames of the video in order of display, with one in memory at a time.

    Corrupt frames are left out, and packets that cannot be decoded are passed over.

    Args:
        excerpt: which frames.
        count: instead, so many frames at equal intervals, with the first and the last; all frames of a shorter video.
        only: instead, the frames with these numbers; the rest of the video is not decoded.
        after: resume after the frame with this number.
        notes: a list that is given, at the end, what was not read: corrupt frames, gaps in the time stamps, how much
            time was lost and where, an early end, and other video streams.
    Raises:
        Unreadable: If the file is no video, or from some point on nothing more can be read.
    """
    from av.video.reformatter import VideoReformatter

    notes = [] if notes is None else notes
    with open_video(path, excerpt.stream) as (container, stream, others):
        notes += [Note(None, f"further video: {_describe(one)}") for one in others]
        rate = float(stream.average_rate or DEFAULT_RATE)
        wanted = (
            only if count is None else set(evenly_spaced(max(1, _count_frames(path, stream.index)), count))
        )
        reformatter = VideoReformatter()  # shared by all frames, because it caches its set-up
        clock, losses = _Clock(container, stream, rate), _Losses(1 / rate)
        number, choice = -1, FrameChoice(excerpt, wanted)
        early_end = list[Note]()

        with refuse_damage(lambda reason: f"damaged video: {reason} after {number + 1} frames"):
            try:
                for number, (frame, corrupt) in enumerate(_decode(container, stream, clock, losses)):
                    check_size(frame.width, frame.height)
                    time, duration, in_order = clock.read(frame)
                    corrupt |= not in_order
                    since = time if time == time else number / rate
                    if choice.is_early(since):
                        continue
                    if choice.is_late(since):
                        break
                    losses.add(number, time, duration, corrupt)
                    if choice.wants(number, since) and not corrupt:
                        choice.take(since)
                        if number > after:
                            yield VideoFrame(number, time, _upright(frame, stream, reformatter))
                    if only is not None and number >= max(only):
                        return
                else:
                    early_end = clock.check_end(container, stream)
            finally:
                notes += [*losses.notes(), *clock.notes(), *early_end]
        if number < 0:
            size = f" (or more than {MAX_MEGAPIXELS} megapixels a frame)" * (not stream.codec_context.width)
            raise Unreadable(f"unreadable: the video has no frame that can be decoded{size}{losses.reason}")


def _describe(stream: Any) -> str:
    codec = stream.codec_context
    about = f" ({codec.name}, {codec.width} x {codec.height})" if codec else ""
    return f"stream {stream.index}{about} was not read; omote embed --stream {stream.index} reads it"


def _decode(container: Any, stream: Any, clock: "_Clock", losses: "_Losses") -> Iterator[tuple[Any, bool]]:
    """Yield the frames, and whether each is corrupt; go on after errors as long as more packets come."""
    import av

    corrupt: set[int] = set()  # time stamps of packets of which the container says so
    more = True
    while more:
        more = False
        try:
            for packet in container.demux(stream):
                more = True
                clock.sent(packet)
                if packet.is_corrupt:
                    corrupt.add(packet.pts)
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    losses.count_error(error)
                    continue
                for frame in frames:
                    yield frame, frame.is_corrupt or frame.pts in corrupt
                    corrupt.discard(frame.pts)
            return
        except av.FFmpegError as error:
            losses.count_error(error)


def _upright(frame: Any, stream: Any, reformatter: Any) -> np.ndarray:
    """Return a frame as `VideoFrame.image`."""
    from av.video.reformatter import Interpolation

    aspect = float(stream.sample_aspect_ratio or 1)  # of a pixel
    aspect = 1 if abs(aspect - 1) < NEARLY_SQUARE else aspect
    # enlarged, so that nothing is lost
    width, height = round(frame.width * max(aspect, 1)), round(frame.height / min(aspect, 1))
    check_size(width, height)
    square = (width, height) == (frame.width, frame.height)
    # Without the second flag, FFmpeg's scaler darkens by 1 %.
    scaler = None if square else Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT
    hdr = frame.color_trc in (PQ, HLG)
    rgb = reformatter.reformat(frame, width, height, "rgb48le" if hdr else "rgb24", interpolation=scaler)
    pixels = map_tones(rgb.to_ndarray(), frame.color_trc) if hdr else rgb.to_ndarray()
    # The tag gives the counterclockwise rotation for display; rot90 turns that way too.
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


class _Clock:
    """The times of frames, as a player shows them: 0 is where the first stream of the file starts; they always rise."""

    def __init__(self, container: Any, stream: Any, rate: float) -> None:
        import av

        self.zero = None if container.start_time is None else container.start_time / av.time_base
        self.interval, self.last, self.end = 1 / rate, math.nan, math.nan
        self.depth, self.time_base = stream.codec_context.reorder_depth, stream.time_base
        self.shift, self.jumps = 0.0, list[float]()  # added to the time stamps; where they jump back, in s
        # of packets not shown yet; None if the container stores the times of display
        self.stamps: deque[int | None] | None = deque() if container.format.name in DECODING_ORDER else None

    def sent(self, packet: Any) -> None:
        """Take notice of a packet before it is decoded."""
        if self.stamps is not None and packet.size:
            self.stamps.append(packet.pts if packet.dts is None else packet.dts)

    def read(self, frame: Any) -> tuple[float, float, bool]:
        """Return the time and the duration of the next frame, in s, and whether it comes in order of display.

        Without time stamps, the time is NaN. A frame that comes too late has the time of the frame before it.
        """
        stamp, duration = frame.time, float((frame.duration or 0) * (frame.time_base or 0))
        if self.stamps is not None:
            # The frame on show entered the decoder `depth` packets ago; at the end of the file, the decoder is emptied.
            while len(self.stamps) > self.depth + 1:
                self.stamps.popleft()
            stamp = self.stamps.popleft() if self.stamps else None
            stamp = None if stamp is None else float(stamp * self.time_base)
        if stamp is None:
            time = self.last + self.interval
        else:
            if self.last != self.last:  # a file can begin with frames that are shown before its first packet
                self.zero = stamp if self.zero is None else min(self.zero, stamp)
            time = stamp - self.zero + self.shift
            if time <= self.last - LONG_GAP:
                self.jumps.append(self.last)
                self.shift += self.last + self.interval - time
                time = self.last + self.interval
            elif time <= self.last:  # damage can upset the order
                return self.last, 0.0, False
        self.last, self.end = time, time + duration
        return time, duration, True

    def check_end(self, container: Any, stream: Any) -> list[Note]:
        """Return a note if the header states a later end than that of the last frame."""
        import av

        if container.format.name.startswith(OWN_DURATION) and stream.duration:
            stated, tolerance = float(stream.duration * stream.time_base), (1.5 + self.depth) * self.interval
        elif len(container.streams) == 1 and container.duration:  # else it may be the duration of the sound
            stated, tolerance = container.duration / av.time_base, max(0.5, 2 * self.interval)
        else:
            return []
        if not self.end + tolerance < stated:
            return []
        ends = f"the video ends at {self.end:.2f} s and not at {stated:.2f} s, as its header says"
        return [Note(None, f"early end: {ends}: the file was cut short, or the header is wrong")]

    def notes(self) -> list[Note]:
        """Return a note if time stamps jump back."""
        where = ", ".join(f"{time:.2f} s" for time in self.jumps[:MAX_PLACES])
        return [Note(None, f"time stamps jump back: after {where}; times go on from there")] * bool(
            self.jumps
        )


class _Losses:
    """Frames of a video that are corrupt, and frames that are missing by the time stamps of the others."""

    def __init__(self, interval: float) -> None:
        self.interval, self.first = interval, 0
        self.times, self.ends = array("d"), array("d")  # of all frames, in s; NaN if there are no time stamps
        self.corrupt: list[int] = []  # places in `times`
        self.num_errors, self.reason = 0, ""

    def add(self, number: int, time: float, duration: float, corrupt: bool) -> None:
        """Add the next frame."""
        if not self.times:
            self.first = number
        if corrupt:
            self.corrupt.append(len(self.times))
        self.times.append(time)
        self.ends.append(time + duration)

    def count_error(self, error: Exception) -> None:
        """Count a packet that cannot be decoded."""
        self.num_errors += 1
        self.reason = self.reason or f": {error.strerror if isinstance(error, OSError) else error}"

    def notes(self) -> list[Note]:
        """Return a note for each corrupt frame and each gap, and one that sums them up."""
        times, ends = np.array(self.times), np.array(self.ends)
        usual, gaps = self.interval, np.empty(0, np.int64)
        if len(times) > 1 and np.isfinite(times).all():
            steps = np.diff(times)
            usual = float(np.median(steps))
            # A camera may slow down: in a video of varying rate, only a long gap is one.
            regular = np.mean(np.abs(steps - usual) < usual / 4) > 0.8
            ends = np.maximum(ends, times + usual)
            limit = 1.5 * usual if regular else max(LONG_GAP, 10 * usual)
            gaps = np.flatnonzero((steps > limit) & (times[1:] - ends[:-1] > usual / 2))
        rows = [Note(self.first + place, CORRUPT) for place in self.corrupt]
        rows += [Note(self.first + i + 1, GAP) for i in gaps.tolist()]
        counts = {
            "corrupt frames": len(self.corrupt),
            "packets that cannot be decoded": self.num_errors,
            "gaps in the time stamps": len(gaps),
        }
        found = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        if not found or not len(times):
            return []
        spans = [(times[i], times[i] + usual) for i in self.corrupt if i == 0 or times[i] > times[i - 1]]
        spans += [(ends[i], times[i + 1]) for i in gaps]
        damaged = bool(self.corrupt or self.num_errors)
        what, traces = ("damaged video", TRACES) if damaged else ("frames are missing", "")
        return [*sorted(rows), Note(None, f"{what}: {found}{_sum_up(spans)}{traces}")]


def _sum_up(spans: list[tuple[float, float]]) -> str:
    """Return how much time the spans (begin, end) take, in s, and where."""
    places: list[list[float]] = []
    for begin, end in sorted(span for span in spans if math.isfinite(span[0])):
        if places and begin < places[-1][1] + TIME_TOLERANCE:
            places[-1][1] = max(end, places[-1][1])
        else:
            places.append([begin, end])
    if not places:
        return ""
    shown = ", ".join(f"{begin:.2f} to {end:.2f} s" for begin, end in places[:MAX_PLACES])
    more = f" and {len(places) - MAX_PLACES} more places" * (len(places) > MAX_PLACES)
    lost = sum(end - begin for begin, end in places)
    return f"; {lost:.2f} s without a usable frame: {shown}{more}"


def estimate_num_frames(path: str | Path, excerpt: Excerpt) -> int:
    """Return about how many frames of a video an excerpt takes, by its header; 0 if the header does not tell."""
    import av

    try:
        with open_video(path, excerpt.stream) as (container, stream, _):
            rate = float(stream.average_rate or DEFAULT_RATE)
            seconds = (container.duration or 0) / av.time_base or stream.frames / rate
            rate = stream.frames / seconds if stream.frames and seconds else rate
    except Unreadable:
        return 0  # reading will report the error
    seconds = max(0.0, min(seconds, excerpt.end or seconds) - excerpt.start)
    return round(seconds * min(rate, excerpt.fps or rate) / excerpt.every)


def _count_frames(path: str | Path, index: int) -> int:
    """Return the number of frames of a video stream by counting packets; the header may be wrong."""
    packets = 0
    with suppress(Unreadable), _open_container(path) as container:  # decoding will report the error
        for packet in container.demux(container.streams[index]):
            packets += packet.size > 0 and not packet.is_discard  # the last, empty packet only marks the end
    return packets
