"""Pictures in, pieces of a table out, in memory that does not grow with the length of a video.

The calling thread decodes, follows faces through a video and reads their codes; finding the faces, most of the work,
is done beside it by other threads, as OpenCV lets go of Python's lock. A piece can be kept before the next is made, and
says where to go on.
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
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from omote.data.build import Skipped
from omote.data.cut import Cut, cut_faces
from omote.data.detect import Face
from omote.data.face_set import BOX, LANDMARKS
from omote.data.images import Excerpt, Unreadable, VideoFrame, is_video, read_photo, read_video
from omote.data.outputs import Outputs, code_columns
from omote.data.quality import UNKNOWN, Pose, blur, doubts, pose
from omote.data.track import Tracker
from omote.features.profile import OTHER_FACE, Profile
from omote.features.reader import Reader
from omote.interrupt import first_interrupt

WAITING_FRAMES = 16  # being looked at, or waiting for it
WAITING_BYTES = 100_000_000  # of them, unless one alone is larger
FACES_A_BATCH = 64
FACES_A_PIECE, SECONDS_A_PIECE = 2048, 20.0
WHERE = ("detection_score", *BOX, *LANDMARKS)
QUALITY = ("blur", "yaw", "pitch", "roll")


class Source(NamedTuple):
    """A photo, a video or a camera."""

    name: str  # the path, as given; "camera 0"
    camera: int | None = None  # the index of a camera


class Place(NamedTuple):
    """Where an embedding goes on."""

    source: int = 0  # index of the source
    frame: int = -1  # the last one done there
    tracker: dict[str, Any] | None = None  # `Tracker.state` after it


class Piece(NamedTuple):
    """Some rows of the table."""

    table: pd.DataFrame
    skipped: list[Skipped]
    place: Place


class _Shot(NamedTuple):
    source: int
    frame: VideoFrame


class _End(NamedTuple):
    source: int
    reason: str | None  # why it ended before its end


def stream(
    reader: Reader,
    sources: Sequence[Source],
    cut: Cut,
    detector: Path | None,
    *,
    excerpt: Excerpt,
    profile: Profile | None,
    face: int,
    place: Place,
    workers: int,
    looked: Callable[[], None],
) -> Iterator[Piece]:
    """Yield the table of all faces in the sources, piece by piece; from `place` on.

    Args:
        face: with a profile: which face of each source is the person; the others' codes are NaN.
        workers: threads that look for faces.
        looked: called after every frame.
    """
    rows = _Rows(reader, profile, face)
    skipped: list[Skipped] = []
    tracker = Tracker() if place.tracker is None else Tracker.from_state(place.tracker)
    since = time.monotonic()
    events = _events(sources, excerpt, place)
    for event, seen in _looked_at(events, lambda image: _look(image, cut, detector), workers):
        name = sources[event.source].name
        if isinstance(event, _End):
            if event.reason is not None:
                skipped.append(Skipped(source=name, frame=None, reason=event.reason))
            tracker, place = Tracker(), Place(event.source + 1)
        else:
            faces = [one.face for one in seen if one.face is not None]
            ids = [0] * len(seen) if cut.cropped else tracker.follow(event.frame.image, faces)
            if not seen:
                number = event.frame.number if _moves(sources[event.source]) else None
                skipped.append(Skipped(source=name, frame=number, reason="no face"))
            rows.add(name, event.frame, seen, ids)
            place = Place(event.source, event.frame.number)
            looked()
        if len(rows) + len(skipped) >= FACES_A_PIECE or time.monotonic() - since > SECONDS_A_PIECE:
            yield Piece(rows.table(), skipped, place._replace(tracker=tracker.state()))
            skipped, since = [], time.monotonic()
    yield Piece(rows.table(), skipped, place)


class Seen(NamedTuple):
    """A face in a frame, before its code is read."""

    face: Face | None  # None where the picture was a face already
    crop: np.ndarray  # (S, S, 3) uint8 RGB
    blur: float
    pose: Pose


def _look(image: np.ndarray, cut: Cut, detector: Path | None) -> list[Seen]:
    """Return the faces in an (H, W, 3) uint8 RGB picture, with their quality."""
    return [
        Seen(face, crop, blur(image, face), UNKNOWN if face is None else pose(face))
        for face, crop in cut_faces(image, cut, detector)
    ]


def _moves(source: Source) -> bool:
    return source.camera is not None or is_video(source.name)


def _events(sources: Sequence[Source], excerpt: Excerpt, place: Place) -> Iterator[_Shot | _End]:
    for index in range(place.source, len(sources)):
        after = place.frame if index == place.source else -1
        try:
            for frame in _frames(sources[index], excerpt, after):
                yield _Shot(index, frame)
        except Unreadable as error:
            yield _End(index, str(error))
        else:
            yield _End(index, None)


def _frames(source: Source, excerpt: Excerpt, after: int) -> Iterator[VideoFrame]:
    if source.camera is not None:
        yield from _camera(source.camera, excerpt)
    elif is_video(source.name):
        yield from read_video(source.name, excerpt, after=after)
    elif after < 0:
        yield VideoFrame(0, math.nan, read_photo(source.name))


def _camera(index: int, excerpt: Excerpt) -> Iterator[VideoFrame]:
    """Yield frames as they come, until Ctrl-C or the excerpt's end; time is s since the first."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        camera = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        if not camera.isOpened():
            raise Unreadable("unreadable: there is no such camera, or another program has it")
        with first_interrupt() as stopped:  # a camera has no end
            yield from _taken(camera, excerpt, stopped)
    finally:
        camera.release()


def _taken(camera: cv2.VideoCapture, excerpt: Excerpt, stopped: threading.Event) -> Iterator[VideoFrame]:
    begin, due, number = time.monotonic(), 0.0, -1
    while not stopped.is_set():
        there, image = camera.read()
        if not there:
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


def _looked_at(
    events: Iterator[_Shot | _End], find: Callable[[np.ndarray], list[Seen]], workers: int
) -> Iterator[tuple[_Shot | _End, list[Seen]]]:
    """Yield the events in order, each picture with the faces found in it."""
    waiting: deque[tuple[_Shot | _End, Future[list[Seen]] | None]] = deque()
    held = 0

    def first() -> tuple[_Shot | _End, list[Seen]]:
        nonlocal held
        event, found = waiting.popleft()
        if found is None or isinstance(event, _End):
            return event, []
        held -= event.frame.image.nbytes
        return event, found.result()

    with _one_thread_each(), ThreadPoolExecutor(workers) as pool:
        try:
            for event in events:
                if isinstance(event, _Shot):
                    held += event.frame.image.nbytes
                    waiting.append((event, pool.submit(find, event.frame.image)))
                else:
                    waiting.append((event, None))
                while len(waiting) > WAITING_FRAMES or (held > WAITING_BYTES and waiting):
                    yield first()
            while waiting:
                yield first()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own beside the workers."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class _Row(NamedTuple):
    """What is known of a face but its code."""

    source: str
    frame: int
    time: float
    shape: tuple[int, int]  # H, W of the picture
    number: int  # of the face in its source
    face: Face | None
    blur: float
    pose: Pose


class _Rows:
    """Rows of the table; codes are read in batches."""

    def __init__(self, reader: Reader, profile: Profile | None, person: int) -> None:
        self.reader, self.profile, self.person = reader, profile, person
        self.rows: list[_Row] = []
        self.unread: list[np.ndarray] = []
        self.outputs: list[Outputs] = []

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, source: str, frame: VideoFrame, seen: Sequence[Seen], numbers: Sequence[int]) -> None:
        """Add the faces of a picture, in the order of their numbers."""
        shape = frame.image.shape[:2]
        for number, (face, crop, blurred, turned) in sorted(
            zip(numbers, seen, strict=True), key=itemgetter(0)
        ):
            self.rows.append(_Row(source, frame.number, frame.time, shape, number, face, blurred, turned))
            self.unread.append(crop)
        if len(self.unread) >= FACES_A_BATCH:
            self._read()

    def _read(self) -> None:
        size = self.reader.size
        self.outputs.append(self.reader.read(np.array(self.unread, np.uint8).reshape(-1, size, size, 3)))
        self.unread = []

    def table(self) -> pd.DataFrame:
        """Return the rows so far as a table, and begin anew."""
        self._read()
        codes, deviations, ood = (np.concatenate(parts) for parts in zip(*self.outputs, strict=True))
        rows, self.rows, self.outputs = self.rows, [], []
        why = [
            doubts(face=row.face, shape=row.shape, blur=row.blur, pose=row.pose, ood=far)
            for row, far in zip(rows, ood.tolist(), strict=True)
        ]
        named = {}
        if self.profile is not None:
            person = np.array([row.number == self.person for row in rows], bool)
            codes = np.where(person[:, None], self.profile.relative(codes), np.float32(np.nan))
            why = [
                reasons if same else [*reasons, OTHER_FACE] for reasons, same in zip(why, person, strict=True)
            ]
            named["profile"] = pd.array([self.profile.name] * len(rows), "str")
        where = np.array([_where(row.face) for row in rows], np.float64).reshape(-1, len(WHERE))
        quality = np.array([(row.blur, *row.pose) for row in rows], np.float32).reshape(-1, len(QUALITY))
        columns = {
            "source": pd.array([row.source for row in rows], "str"),
            "frame": np.array([row.frame for row in rows], np.int64),
            "time": np.array([row.time for row in rows], np.float64),
            "face": np.array([row.number for row in rows], np.int64),
            "trusted": np.array([not reasons for reasons in why], bool),
            "doubt": pd.array(["; ".join(reasons) for reasons in why], "str"),
            "model": pd.array([self.reader.model] * len(rows), "str"),
            **named,
            **dict(zip(WHERE, where.T, strict=True)),
            **dict(zip(QUALITY, quality.T, strict=True)),
            "ood": ood,
        }
        parts = (pd.DataFrame(columns), code_columns(codes, "z_e"), code_columns(deviations, "z_e_deviation"))
        return pd.concat(parts, axis=1)


def _where(face: Face | None) -> list[float]:
    if face is None:
        return [math.nan] * len(WHERE)
    return [face.score, *face.box.tolist(), *face.landmarks.ravel().tolist()]
