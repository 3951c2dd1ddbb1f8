"""A prepared face set in a smaller size: one preparation at 128 px serves the paper's rows at 64 px too."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from omote.data.build import Part, Progress, Skipped, build_face_set
from omote.data.cut import check_size
from omote.data.face_set import About, FaceSet, Origin
from omote.errors import OmoteError

FRAMES_A_JOB = 512  # in memory at once


class Stretch(NamedTuple):
    """A job: the frames from `start` to before `stop` of a face set; the first brings its skipped list along."""

    start: int
    stop: int
    stamp: str  # of the face set, so that a preparation that goes on notices if it has changed


def resize_face_set(
    face_set: FaceSet, to: str | Path, *, size: int, overwrite: bool = False, progress: Progress | None = None
) -> FaceSet:
    """Return `face_set` with its faces scaled down to `size` pixels, written to the folder `to`.

    Every pixel is the rounded mean of the area it covers: from 128 to 64 px, of 2 x 2 pixels. All columns of
    `frames` are kept as they are (boxes and landmarks are in pixels of the source, not of the face), and so is
    the list of what was skipped. Only some hundred faces are in memory at a time.

    Args:
        size: 64 or 128, less than that of `face_set`.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is some hundred frames.
    Raises:
        OmoteError: If `size` is another number, or as `build_face_set`.
    """
    check_size(size)
    if size >= face_set.size:
        raise OmoteError(
            f"The face set {face_set.path} is of {face_set.size} px and can only be made smaller, not {size} px. "
            "Prepare it again from its source with that size."
        )
    made_from = Origin(**origin(face_set), by="area averaging")
    about = About.model_validate({**carried_about(face_set), "made_from": made_from})
    make = partial(_resized, face_set=face_set, size=size)
    return build_face_set(
        to,
        stretches(face_set),
        make,
        size=size,
        about=about,
        workers=1,
        overwrite=overwrite,
        progress=progress,
    )


def _resized(job: Stretch, face_set: FaceSet, size: int) -> Iterator[Part]:
    part = read_part(face_set, job)
    part.faces = np.stack(
        [cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in part.faces]
    )
    yield part


def stretches(face_set: FaceSet) -> list[Stretch]:
    """Return jobs that together are the whole face set, in order."""
    state = (face_set.path / "faces.npy").stat()
    stamp = hashlib.sha256(
        repr((face_set.about.to_json(), state.st_size, state.st_mtime_ns)).encode()
    ).hexdigest()
    starts = range(0, len(face_set), FRAMES_A_JOB)
    return [Stretch(start, min(start + FRAMES_A_JOB, len(face_set)), stamp) for start in starts]


def read_part(face_set: FaceSet, job: Stretch) -> Part:
    """Return the faces and frames of a job, and with the first one what the face set had skipped."""
    part = slice(job.start, job.stop)
    return Part(face_set.faces[part], face_set.frames.iloc[part], [] if job.start else _skipped(face_set))


def _skipped(face_set: FaceSet) -> list[Skipped]:
    table = face_set.skipped()
    numbers = [None if pd.isna(frame) else int(frame) for frame in table["frame"]]
    rows = zip(table["source"], numbers, table["reason"], strict=True)
    return [Skipped(source=source, frame=frame, reason=reason) for source, frame, reason in rows]


def carried_about(face_set: FaceSet) -> dict[str, Any]:
    """Return about.json without what is written anew for every face set."""
    anew = ("format", "format_version", "size", "counts", "versions")
    return {key: value for key, value in face_set.about.to_json().items() if key not in anew}


def origin(face_set: FaceSet) -> dict[str, Any]:
    """Return what about.json says of a face set that another one was made from; no path of this machine."""
    return {
        "name": face_set.path.resolve().name,
        "size": face_set.size,
        "versions": face_set.about.versions,
    }
