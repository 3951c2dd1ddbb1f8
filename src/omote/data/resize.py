"""A prepared face set in a smaller size: one preparation at 128 px serves the paper's rows at 64 px too."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from omote.data.build import FaceBatch, Progress, Skipped, build_face_set
from omote.data.cut import check_size
from omote.data.face_set import FaceSet, Origin
from omote.errors import OmoteError

FRAMES_PER_JOB = 512  # in memory at once


class FrameRange(NamedTuple):
    """A job: frames `start` to `stop` - 1 of a face set; the first job also carries its list of skipped frames."""

    start: int
    stop: int
    digest: str  # of the source, so that a resumed preparation notices a change


def resize_face_set(
    face_set: FaceSet, to: str | Path, *, size: int, overwrite: bool = False, progress: Progress | None = None
) -> FaceSet:
    """Return `face_set` with its faces scaled down to `size` pixels, written to the folder `to`.

    Every pixel is the rounded mean of the area it covers: from 128 to 64 px, of 2 x 2 pixels. All columns of `frames`
    are kept (boxes and landmarks are in pixels of the source, not of the face), and so is the list of what was skipped.
    Only a few hundred faces are in memory at a time.

    Args:
        size: 64 or 128, less than that of `face_set`.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is a few hundred frames.
    Raises:
        OmoteError: If `size` is another number, or as `build_face_set`.
    """
    check_size(size)
    if size >= face_set.size:
        raise OmoteError(
            f"The face set {face_set.path} has faces of {face_set.size} px, which can only be made smaller, not "
            f"{size} px. Prepare it again from its source with that size."
        )
    about = face_set.about
    name = face_set.path.resolve().name
    origin = Origin(name=name, size=face_set.size, versions=about.versions, by="area averaging")
    return build_face_set(
        to,
        frame_ranges(face_set),
        partial(_resize, face_set=face_set, size=size),
        size=size,
        about=about.model_copy(update={"made_from": origin}),
        workers=1,
        overwrite=overwrite,
        progress=progress,
    )


def _resize(job: FrameRange, face_set: FaceSet, size: int) -> Iterator[FaceBatch]:
    batch = read_frames(face_set, job)
    batch.faces = np.stack(
        [cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in batch.faces]
    )
    yield batch


def frame_ranges(face_set: FaceSet) -> list[FrameRange]:
    """Return jobs that together cover the face set, in order."""
    state = (face_set.path / "faces.npy").stat()
    identity = repr((face_set.about.to_json(), state.st_size, state.st_mtime_ns))
    digest = hashlib.sha256(identity.encode()).hexdigest()
    starts = range(0, len(face_set), FRAMES_PER_JOB)
    return [FrameRange(start, min(start + FRAMES_PER_JOB, len(face_set)), digest) for start in starts]


def read_frames(face_set: FaceSet, job: FrameRange) -> FaceBatch:
    """Return the faces and frames of a job; with the first one, what the face set had skipped."""
    rows = slice(job.start, job.stop)
    skipped = [] if job.start else _skipped_rows(face_set)
    return FaceBatch(face_set.faces[rows], face_set.frames.iloc[rows], skipped)


def _skipped_rows(face_set: FaceSet) -> list[Skipped]:
    table = face_set.skipped()
    numbers = [None if pd.isna(frame) else int(frame) for frame in table["frame"]]
    rows = zip(table["source"], numbers, table["reason"], strict=True)
    return [Skipped(source=source, frame=frame, reason=reason) for source, frame, reason in rows]
