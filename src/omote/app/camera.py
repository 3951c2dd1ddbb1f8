"""Pages with a camera: the faces, the last 30 seconds, the usual look and the recordings of each. No web server here.

A session is used by one thread of its own (`Session.run`), so that the frames and buttons of a page follow one another,
and pages do not wait for each other.
"""

import io
import math
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
import pandas as pd
from PIL import Image

from omote.app.state import State
from omote.data.face_set import BOX
from omote.data.images import Unreadable, refuse_damage
from omote.errors import OmoteError
from omote.features.live import LiveReader, is_dark
from omote.features.profile import DISTANCE, LEAST_FRAMES, Profile, apply_profile, make_profile
from omote.features.reader import Reader
from omote.features.table import SUFFIXES, join_tables

MAX_BYTES, MAX_SIDE = 1_000_000, 1280  # of a frame
MAX_WAITING = 2  # frames of a page: one that is read, and one on its way
MAX_SESSIONS = 8  # pages with a camera at once
SILENT_SECONDS = (
    180.0  # a page that says nothing for so long is taken to be closed; browsers slow hidden pages down
)
TRACE_SECONDS = 30.0
MOST_MOMENTS = 2000  # kept of these seconds, whatever times a page claims
MAX_RECORDING_SECONDS = 3600.0
PART_ROWS = 500  # rows of a recording in memory at a time
NAME = "me"  # of the person of the usual look
STAY = 1.25  # a face must be so many times as high as the one shown to be shown instead


class SeenFace(TypedDict):
    """A face in a frame."""

    number: int  # the same while the face is followed
    box: list[float]  # x, y, width, height in pixels
    trusted: bool
    doubt: str  # why not


class RecordingState(TypedDict):
    """How long a recording is."""

    number: int
    rows: int
    frames: int
    without_face: int  # frames
    seconds: float


class Seen(TypedDict):
    """What a page shows of a frame."""

    faces: list[SeenFace]
    shown: int | None  # place among them of the face that the values are of
    axes: list[float] | None  # 0 to 1
    distance: float | None  # from the usual look
    say: str  # sentences
    recording: RecordingState | None


class UsualLook(TypedDict):
    """What a page says of a usual look."""

    sentences: list[str]
    spread: float  # typical distance between two expressions


class _Moment(NamedTuple):
    time: float  # s
    table: pd.DataFrame  # with plain codes


class _Recording:
    """Rows on their way to a table: in memory, then in parts on disk."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number, self.folder = number, folder
        self.rows = self.frames = self.without_face = 0
        self.begin = self.end = math.nan  # s
        self.waiting: list[pd.DataFrame] = []
        self.parts: list[Path] = []
        folder.mkdir()

    def add(self, table: pd.DataFrame, now: float) -> None:
        """Add the rows of a frame; frames and seconds count from the first one."""
        self.begin, self.end = (now if math.isnan(self.begin) else self.begin), now
        if len(table):
            self.waiting.append(table.assign(frame=self.frames, time=now - self.begin))
        self.frames += 1
        self.without_face += not len(table)
        self.rows += len(table)
        if sum(map(len, self.waiting)) >= PART_ROWS:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            self.parts.append(self.folder / f"{len(self.parts)}.parquet")
            pd.concat(self.waiting, ignore_index=True).to_parquet(self.parts[-1], index=False)
            self.waiting = []

    def state(self) -> RecordingState:
        seconds = 0.0 if math.isnan(self.begin) else self.end - self.begin
        return RecordingState(
            number=self.number, rows=self.rows, frames=self.frames, without_face=self.without_face, seconds=seconds
        )  # fmt: skip


class Session:
    """One page with a camera."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        """Open a session; its recordings get to a folder that does not exist yet. Raises OmoteError as `LiveReader`."""
        self._reader, self._live, self._folder = reader, LiveReader(reader), folder
        self._recent: deque[_Moment] = deque(maxlen=MOST_MOMENTS)
        self._profile: Profile | None = None
        self._person: int | None = None  # number of the face of the usual look; None until a face is shown
        self._shown: int | None = None  # number of the face shown last; None if no face was in the last frame
        self._recording: _Recording | None = None
        self._recorded: dict[int, _Recording] = {}
        self._axes = [axis.column for axis in self._live.axes.axes] if self._live.axes else []
        self._read = ["face", "trusted", "doubt", *BOX, *self._axes]
        self._thread = ThreadPoolExecutor(1, "camera")
        self.heard = time.monotonic()  # when the page last said something
        self.waiting = 0  # frames that are being read, or wait for it
        folder.mkdir(parents=True)

    @property
    def axes(self) -> list[str]:
        """Names of the axes of the model."""
        return [] if self._live.axes is None else self._live.axes.names

    def run(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a method of the session in its thread; raise OmoteError if the session has ended."""
        try:
            return self._thread.submit(function, *args)
        except RuntimeError:
            raise OmoteError("The session of this page has ended. Start the camera again.") from None

    def close(self) -> None:
        """Forget everything, and delete the recordings."""
        self._thread.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def see(self, data: bytes, now: float) -> Seen:
        """Read a frame, and add it to the recording if there is one.

        Args:
            data: a JPEG picture.
            now: time of the frame in s, since any fixed moment.
        Raises:
            OmoteError: If it is no JPEG picture or too large, or its time is not after that of the frame before.
        """
        image = _decode(data)
        if not math.isfinite(now) or (self._recent and now <= self._recent[-1].time):
            raise OmoteError(
                f"a picture of the time {now} s came; expected a time after that of the picture before"
            )
        table = self._live.read(image, now)
        self._recent.append(_Moment(now, table))
        while self._recent[0].time < now - TRACE_SECONDS:
            self._recent.popleft()
        shown = self._choose(table)
        rows: list[Any] = table[self._read].to_dict("records")  # of all columns it would be slow
        row = None if shown is None else rows[shown]
        self._shown = None if row is None else int(row["face"])
        faces = [
            SeenFace(
                number=row["face"], trusted=row["trusted"], doubt=row["doubt"], box=[row[name] for name in BOX]
            )
            for row in rows
        ]  # fmt: skip
        distance = math.nan
        if self._profile is not None:
            self._person = self._shown if self._person is None else self._person
            table = apply_profile(table, self._profile, -1 if self._person is None else self._person)
            distance = math.nan if shown is None else float(table[DISTANCE].iloc[shown])
        say = self._describe(image, rows, row)
        if self._recording is not None:
            if self._recording.state()["seconds"] < MAX_RECORDING_SECONDS:
                self._recording.add(table, now)
            else:
                minutes = MAX_RECORDING_SECONDS / 60
                say = f"The recording is full: it takes {minutes:.0f} minutes. Stop it, and start another. {say}"
        return Seen(
            faces=faces,
            shown=shown,
            axes=None if row is None else [row[axis] for axis in self._axes],
            distance=None if math.isnan(distance) else distance,
            say=say,
            recording=None if self._recording is None else self._recording.state(),
        )

    def _choose(self, table: pd.DataFrame) -> int | None:
        """Return the place of the face to show: that of the usual look if it is there, or else the highest."""
        if not len(table):
            return None
        numbers = table["face"].to_numpy()
        if self._person in numbers:
            return int(np.flatnonzero(numbers == self._person)[0])
        heights = table["box_height"].to_numpy() * np.where(numbers == self._shown, STAY, 1)
        return int(heights.argmax())

    def _describe(self, image: np.ndarray, faces: list[dict[str, Any]], face: dict[str, Any] | None) -> str:
        """Return what to say about a frame with these faces, of which one is shown, or ""."""
        dark = is_dark(image, face)
        if face is None:
            if dark:
                return "The picture is too dark to find a face. Turn on a light, or turn to a window."
            return "There is no face in the picture. Come nearer, and look into the camera."
        sentences = []
        if self._profile is not None and self._person != face["face"]:
            sentences.append(
                "This face is not the one of the usual look, so it has no distance. If it is, make that again."
            )
        if dark:
            sentences.append("The face is too dark to be trusted. Turn on a light, or turn to a window.")
        elif not face["trusted"]:
            sentences.append(f"This face is not to be trusted: {face['doubt']}.")
        if len(faces) > 1:
            sentences.append(f"There are {len(faces)} faces; the bars are of the one with the thick frame.")
        return " ".join(sentences)

    def make_usual_look(self) -> UsualLook:
        """Make the usual look of the face shown, from the trusted frames of the last 30 seconds.

        Raises:
            OmoteError: If there are too few, or a recording runs.
        """
        self._check_not_recording()
        if self._shown is None:
            raise OmoteError(
                "There is no face in the picture, so no usual look was made. Look into the camera."
            )
        table = pd.concat([moment.table for moment in self._recent], ignore_index=True)
        if (count := int((table["trusted"] & (table["face"] == self._shown)).sum())) < LEAST_FRAMES:
            raise OmoteError(
                f"Of the last {TRACE_SECONDS:.0f} seconds, {count} pictures of this face are to be trusted; it takes "
                f"{LEAST_FRAMES} for a usual look. Look into the camera a little longer, and press again."
            )
        return self._set_usual_look(make_profile(table, NAME, face=self._shown), self._shown)

    def load_usual_look(self, data: bytes) -> UsualLook:
        """Take a usual look that was saved, for the largest face from now on.

        Raises:
            OmoteError: If it is none, is of another model, or a recording runs.
        """
        self._check_not_recording()
        file = self._folder / "given.json"
        file.write_bytes(data)
        try:
            profile = Profile.load(file)
        except OmoteError as error:
            raise OmoteError(str(error).replace(str(file), "The file")) from None
        profile.check(self._reader.model)
        no_face = np.zeros((0, self._reader.size, self._reader.size, 3), np.uint8)
        profile.relative(self._reader.read(no_face).mean)
        return self._set_usual_look(profile, None)

    def _set_usual_look(self, profile: Profile, person: int | None) -> UsualLook:
        self._profile, self._person = profile, person
        return UsualLook(sentences=profile.describe(), spread=profile.spread)

    def save_usual_look(self) -> Path:
        """Return the file of the usual look; raise OmoteError if there is none."""
        if self._profile is None:
            raise OmoteError("There is no usual look to save. Make one first.")
        file = self._folder / "usual-look.json"
        self._profile.save(file)
        return file

    def forget_usual_look(self) -> None:
        """Show plain values again; raise OmoteError if a recording runs."""
        self._check_not_recording()
        self._profile = self._person = None

    def _check_not_recording(self) -> None:
        if self._recording is not None:
            raise OmoteError("A recording keeps its usual look. Stop it first.")

    def start_recording(self) -> RecordingState:
        """Begin a recording; raise OmoteError if one runs."""
        if self._recording is not None:
            raise OmoteError("A recording runs already. Stop it first.")
        number = len(self._recorded) + 1
        self._recording = _Recording(number, self._folder / f"recording-{number}")
        return self._recording.state()

    def stop_recording(self) -> RecordingState:
        """End the recording; raise OmoteError if there is none."""
        if self._recording is None:
            raise OmoteError("No recording runs.")
        self._recording.flush()
        recording, self._recording = self._recording, None
        self._recorded[recording.number] = recording
        return recording.state()

    def write_table(self, number: int, suffix: str) -> Path:
        """Return the file of a recording as a table, with the columns of `omote embed`.

        Args:
            suffix: ".parquet" or ".csv".
        Raises:
            OmoteError: If there is no such recording, or it has no rows.
        """
        recording = self._recorded.get(number)
        if recording is None or suffix not in SUFFIXES:
            raise OmoteError(f"There is no table {number}{suffix} of this page.")
        if not recording.parts:
            raise OmoteError("No face was seen in this recording, so there is no table.")
        file = recording.folder / f"recording-{number}{suffix}"
        if not file.exists():
            join_tables(recording.parts, file)
        return file


class Sessions:
    """The sessions of all pages, by random names that only their page knows."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self) -> tuple[str, Session]:
        """Return a new session and its name.

        Raises:
            OmoteError: If there are too many, or as `Session`.
        """
        name = secrets.token_urlsafe(16)
        reader = self._state.reader
        with self._lock:
            silent = [
                one
                for one, session in self._sessions.items()
                if time.monotonic() - session.heard > SILENT_SECONDS
            ]
            for one in silent:
                self._sessions.pop(one).close()
            if len(self._sessions) >= MAX_SESSIONS:
                raise OmoteError(
                    f"{MAX_SESSIONS} pages use a camera already, the most at once. Close one of them, and try again."
                )
            session = self._sessions[name] = Session(reader, self._state.folder / "live" / name)
        return name, session

    def find(self, name: str) -> Session | None:
        """Return the session of this name, whose page has said something; None if it has ended."""
        if (session := self._sessions.get(name)) is not None:
            session.heard = time.monotonic()
        return session

    def close(self, name: str) -> None:
        """End a session, if there is one of this name."""
        with self._lock:
            session = self._sessions.pop(name, None)
        if session is not None:
            session.close()


def _decode(data: bytes) -> np.ndarray:
    """Return a JPEG picture as (H, W, 3) uint8 RGB."""
    try:
        with refuse_damage("unreadable: {}".format), Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if max(image.size) > MAX_SIDE:
                width, height = image.size
                raise Unreadable(f"too large: {width} x {height} pixels; expected at most {MAX_SIDE} a side")
            return np.asarray(image.convert("RGB"))
    except Unreadable as error:
        raise OmoteError(f"A picture of the camera could not be read ({error}).") from None
