"""Photos, videos and cameras in, pieces of a feature table out; memory does not grow with the length of a video.

The calling thread decodes, tracks faces and encodes them. Worker threads detect the faces, which is most of the work
and releases Python's lock. Each piece holds the point to resume from, so that it can be saved before the next is made.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import cv2
import numpy as np
import pandas as pd

from omote.data.addresses import Remote, local_copy
from omote.data.build import Skipped
from omote.data.cut import Cut, cut_faces
from omote.data.detect import Face, Search
from omote.data.face_set import BOX, LANDMARKS
from omote.data.images import Picture, Unreadable, refuse_damage, to_rgb
from omote.data.media import Kind, read_frames
from omote.data.outputs import Outputs, code_columns
from omote.data.track import Tracker
from omote.data.trust import Quality, find_doubts, measure_quality
from omote.data.turn import SECONDS_APART, Rotate, find_turn, turn
from omote.data.videos import Excerpt, Note, VideoFrame
from omote.features.axes import Axes
from omote.features.profile import Profile, apply_profile
from omote.features.reader import Reader
from omote.interrupt import first_interrupt

MAX_QUEUE_FRAMES = 32  # frames waiting for detection or being searched; for as long as a batch is encoded
MAX_QUEUE_BYTES = 100_000_000  # of those frames together; one larger frame is still accepted
BATCH_FACES = 64  # faces encoded at once, at least
PIECE_FACES, PIECE_SECONDS = 2048, 20.0  # a piece ends after so many rows, or so long after the last one
LOCATION = ("detection_score", *BOX, *LANDMARKS)


class Source(NamedTuple):
    """A photo, an animation, a video or a camera; or an image in memory."""

    name: str  # the path, as given; the address; "camera 0", "image 0"
    kind: Kind = "photo"
    camera: int | None = None  # index of the camera
    picture: Picture | None = None  # the image in memory
    remote: Remote | None = None  # the file at an address


class ResumePoint(NamedTuple):
    """Where an interrupted embedding goes on."""

    source: int = 0  # index of the source
    frame: int = -1  # the last finished frame of that source
    tracker: dict[str, Any] | None = None  # `Tracker.state` after that frame


class Searched(TypedDict):
    """Which frames of a source were searched for faces."""

    source: str
    frames: int  # how many
    frames_with_faces: int
    first_frame: int
    last_frame: int
    first_time: float | None  # s; None for photos
    last_time: float | None
    turned: int  # degrees by which they were turned clockwise beforehand


SEARCHED = tuple(Searched.__annotations__)
NO_FACE = "no face"  # reason in `skipped.csv`, and doubt of a row without a face


class Piece(NamedTuple):
    """Consecutive rows of the table."""

    table: pd.DataFrame
    skipped: list[Skipped]
    searched: list[Searched]
    resume: ResumePoint


class _SourceFrame(NamedTuple):
    source: int
    frame: VideoFrame
    turned: int  # degrees


class _SourceEnd(NamedTuple):
    source: int
    notes: list[Note]  # what of it was not read


def stream(
    reader: Reader,
    sources: Sequence[Source],
    cut: Cut,
    detector: Path | None,
    *,
    search: Search,
    rotate: Rotate,
    excerpt: Excerpt,
    all_frames: bool,
    profile: Profile | None,
    face: int,
    axes: Axes | None,
    resume: ResumePoint,
    workers: int,
    on_frame: Callable[[], None],
) -> Iterator[Piece]:
    """Yield the table of the faces in the sources, piece by piece, from `resume` on.

    Args:
        rotate: degrees by which pictures are turned clockwise; "auto" asks `find_turn` for each source.
        all_frames: whether frames without a face get a row, of missing values.
        face: with a profile, the number of the person's face in each source; the codes of other faces are NaN.
        axes: read from the plain codes, also with a profile.
        workers: threads that detect faces.
        on_frame: called after every frame.
    """
    rows = TableBuilder(
        reader, profile, face, excerpt.stream, axes, has_turns=rotate != 0, all_frames=all_frames
    )
    skipped: list[Skipped] = []
    searched: list[Searched] = []
    tracker = Tracker() if resume.tracker is None else Tracker.from_state(resume.tracker)
    since = time.monotonic()
    events = _read_sources(sources, excerpt, resume, rotate, detector)
    for event, found in _map_frames(
        events, lambda image: detect_faces(image, cut, detector, search), workers
    ):
        name = sources[event.source].name
        if isinstance(event, _SourceEnd):
            skipped += [Skipped(source=name, frame=note.frame, reason=note.reason) for note in event.notes]
            tracker, resume = Tracker(), ResumePoint(event.source + 1)
        else:
            faces = [one.face for one in found if one.face is not None]
            ids = [0] * len(found) if cut.cropped else tracker.follow(event.frame.image, faces)
            if not found:
                number = event.frame.number if sources[event.source].kind != "photo" else None
                skipped.append(Skipped(source=name, frame=number, reason=NO_FACE))
            rows.add(name, event.frame, event.turned, found, ids)
            if not searched or searched[-1]["source"] != name:
                searched.append(_begin_search(name, event))
            _count_search(searched[-1], event.frame, bool(found))
            resume = ResumePoint(event.source, event.frame.number)
            on_frame()
        if len(rows) + len(skipped) >= PIECE_FACES or time.monotonic() - since > PIECE_SECONDS:
            yield Piece(rows.take_table(), skipped, searched, resume._replace(tracker=tracker.state()))
            skipped, searched, since = [], [], time.monotonic()
    yield Piece(rows.take_table(), skipped, searched, resume)


def _begin_search(name: str, event: _SourceFrame) -> Searched:
    first = event.frame
    seconds = None if math.isnan(first.time) else first.time
    return Searched(
        source=name, frames=0, frames_with_faces=0, first_frame=first.number, last_frame=first.number,
        first_time=seconds, last_time=seconds, turned=event.turned,
    )  # fmt: skip


def _count_search(searched: Searched, frame: VideoFrame, has_face: bool) -> None:
    searched["frames"] += 1
    searched["frames_with_faces"] += has_face
    searched["last_frame"] = frame.number
    searched["last_time"] = None if math.isnan(frame.time) else frame.time


class DetectedFace(NamedTuple):
    """A face found in a picture, cut out and measured."""

    face: Face | None  # None if the picture is a face crop
    crop: np.ndarray  # (S, S, 3) uint8 RGB
    quality: Quality


def detect_faces(image: np.ndarray, cut: Cut, detector: Path | None, search: Search) -> list[DetectedFace]:
    """Return the wanted faces in an (H, W, 3) uint8 RGB picture, the highest box first."""
    return [
        DetectedFace(face, crop, measure_quality(image, face))
        for face, crop in cut_faces(image, cut, detector, search)
    ]


def _read_sources(
    sources: Sequence[Source], excerpt: Excerpt, resume: ResumePoint, rotate: Rotate, detector: Path | None
) -> Iterator[_SourceFrame | _SourceEnd]:
    for index in range(resume.source, len(sources)):
        after = resume.frame if index == resume.source else -1
        notes: list[Note] = []
        try:
            degrees: int = 0 if rotate == "auto" else rotate
            if rotate == "auto":
                assert detector is not None
                some = _read_source(sources[index], excerpt._replace(every=1, fps=1 / SECONDS_APART), -1, [])
                degrees = find_turn((frame.image for frame in some), detector)
            for frame in _read_source(sources[index], excerpt, after, notes):
                yield _SourceFrame(index, frame._replace(image=turn(frame.image, degrees)), degrees)
        except Unreadable as error:
            notes.append(Note(None, str(error)))
        yield _SourceEnd(index, notes)


def _read_source(source: Source, excerpt: Excerpt, after: int, notes: list[Note]) -> Iterator[VideoFrame]:
    if source.camera is not None:
        yield from _read_camera(source.camera, excerpt)
    elif source.remote is not None:
        with local_copy(source.remote) as copy:
            yield from read_frames(copy, excerpt, after=after, notes=notes)
    elif source.picture is None:
        yield from read_frames(source.name, excerpt, after=after, notes=notes)
    elif after < 0:
        with refuse_damage("unreadable: {}".format):
            yield VideoFrame(0, math.nan, to_rgb(source.picture))


def _read_camera(index: int, excerpt: Excerpt) -> Iterator[VideoFrame]:
    """Yield frames as they come, until Ctrl-C or the excerpt's end; their time is in s since the camera opened."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        camera = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        if not camera.isOpened():
            raise Unreadable("unreadable: there is no such camera, or another program has it")
        with first_interrupt() as stopped:  # Ctrl-C ends the recording, not the program
            yield from _record(camera, excerpt, stopped)
    finally:
        camera.release()


def _record(camera: cv2.VideoCapture, excerpt: Excerpt, stopped: threading.Event) -> Iterator[VideoFrame]:
    begin, due, number = time.monotonic(), 0.0, -1
    while not stopped.is_set():
        has_image, image = camera.read()
        if not has_image:
            raise Unreadable(f"unreadable: the camera gave no more pictures after {number + 1} frames")
        number += 1
        since = time.monotonic() - begin
        if excerpt.end is not None and since > excerpt.end:
            return
        if since < excerpt.start or number % excerpt.every:
            continue
        if excerpt.fps is not None:
            if since < due:
                continue
            due = (math.floor(since * excerpt.fps) + 1) / excerpt.fps
        yield VideoFrame(number, since, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _map_frames(
    events: Iterator[_SourceFrame | _SourceEnd],
    detect: Callable[[np.ndarray], list[DetectedFace]],
    workers: int,
) -> Iterator[tuple[_SourceFrame | _SourceEnd, list[DetectedFace]]]:
    """Yield the events in order, each frame with its detected faces; detection runs ahead in worker threads."""
    queue: deque[tuple[_SourceFrame | _SourceEnd, Future[list[DetectedFace]] | None]] = deque()
    queued_bytes = 0

    def take() -> tuple[_SourceFrame | _SourceEnd, list[DetectedFace]]:
        nonlocal queued_bytes
        event, found = queue.popleft()
        if found is None or isinstance(event, _SourceEnd):
            return event, []
        queued_bytes -= event.frame.image.nbytes
        return event, found.result()

    with _single_threaded_opencv(), ThreadPoolExecutor(workers) as pool:
        try:
            for event in events:
                if isinstance(event, _SourceFrame):
                    queued_bytes += event.frame.image.nbytes
                    queue.append((event, pool.submit(detect, event.frame.image)))
                else:
                    queue.append((event, None))
                while len(queue) > MAX_QUEUE_FRAMES or (queued_bytes > MAX_QUEUE_BYTES and queue):
                    yield take()
            while queue:
                yield take()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own in each worker."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class _FaceRow(NamedTuple):
    """A row of the table without its code."""

    source: str
    frame: int
    time: float
    turned: int  # degrees by which the picture was turned clockwise
    number: int | None  # of the face in its source; None if the frame has no face
    face: Face | None
    quality: Quality


class TableBuilder:
    """Collects faces, encodes them in batches, and makes the table."""

    def __init__(
        self,
        reader: Reader,
        profile: Profile | None,
        person: int,
        stream: int | None,
        axes: Axes | None,
        *,
        has_turns: bool,
        all_frames: bool,
    ) -> None:
        self.reader, self.profile, self.person, self.stream = reader, profile, person, stream
        self.axes, self.has_turns, self.all_frames = axes, has_turns, all_frames
        self.rows: list[_FaceRow] = []
        self.crops: list[np.ndarray] = []  # not encoded yet
        self.outputs: list[Outputs] = []

    def __len__(self) -> int:
        return len(self.rows)

    def add(
        self,
        source: str,
        frame: VideoFrame,
        turned: int,
        found: Sequence[DetectedFace],
        numbers: Sequence[int],
    ) -> None:
        """Add the faces of a picture, in the order of their numbers."""
        if not found and self.all_frames:
            self.rows.append(_FaceRow(source, frame.number, frame.time, turned, None, None, Quality()))
        for number, one in sorted(zip(numbers, found, strict=True), key=itemgetter(0)):
            self.rows.append(
                _FaceRow(source, frame.number, frame.time, turned, number, one.face, one.quality)
            )
            self.crops.append(one.crop)
        if len(self.crops) >= BATCH_FACES:
            self._encode()

    def _encode(self) -> None:
        size = self.reader.size
        self.outputs.append(self.reader.read(np.array(self.crops, np.uint8).reshape(-1, size, size, 3)))
        self.crops = []

    def take_table(self) -> pd.DataFrame:
        """Return the rows so far as a table, and remove them."""
        self._encode()
        rows, self.rows, outputs, self.outputs = self.rows, [], self.outputs, []
        shown = np.array([row.number is not None for row in rows], bool)
        codes, deviations, ood = (
            _spread(np.concatenate(parts), shown) for parts in zip(*outputs, strict=True)
        )
        reasons = [
            [NO_FACE] if row.number is None else find_doubts(row.face, row.quality, distance)
            for row, distance in zip(rows, ood.tolist(), strict=True)
        ]
        chosen = {} if self.stream is None else {"stream": np.full(len(rows), self.stream, np.int64)}
        if self.has_turns:
            chosen["turned"] = np.array([row.turned for row in rows], np.int64)
        read: dict[Any, Any] = self.axes.read(codes).to_dict("series") if self.axes else {}
        location = np.array([_location(row.face) for row in rows], np.float64).reshape(-1, len(LOCATION))
        quality = np.array([row.quality for row in rows], np.float32).reshape(-1, len(Quality._fields))
        columns: dict[Any, Any] = {
            "source": pd.array([row.source for row in rows], "str"),
            "frame": np.array([row.frame for row in rows], np.int64),
            **chosen,
            "time": np.array([row.time for row in rows], np.float64),
            "face": pd.array([row.number for row in rows], "Int64" if self.all_frames else "int64"),
            "trusted": np.array([not row_reasons for row_reasons in reasons], bool),
            "doubt": pd.array(["; ".join(row_reasons) for row_reasons in reasons], "str"),
            "model": pd.array([self.reader.model] * len(rows), "str"),
            **dict(zip(LOCATION, location.T, strict=True)),
            **dict(zip(Quality._fields, quality.T, strict=True)),
            "ood": ood,
            **read,
        }
        parts = (pd.DataFrame(columns), code_columns(codes, "z_e"), code_columns(deviations, "z_e_deviation"))
        table = pd.concat(parts, axis=1)
        return table if self.profile is None else apply_profile(table, self.profile, self.person)


def _spread(values: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return the values (F, ...) in the rows that show a face, of shape (N, ...); NaN in the others."""
    spread = np.full((len(shown), *values.shape[1:]), np.nan, values.dtype)
    spread[shown] = values
    return spread


def _location(face: Face | None) -> list[float]:
    if face is None:
        return [math.nan] * len(LOCATION)
    return [face.score, *face.box.tolist(), *face.landmarks.ravel().tolist()]
