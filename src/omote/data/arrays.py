"""A face set of faces that are arrays: cut out by another tool, or from a library's data set."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.data.build import FaceBatch, build_face_set
from omote.data.cut import SIZES
from omote.data.face_set import About, FaceSet
from omote.data.resize import FRAMES_PER_JOB, FrameRange
from omote.errors import OmoteError


def prepare_arrays(
    faces: np.ndarray,
    subjects: Sequence[Any],
    to: str | Path,
    *,
    clips: Sequence[Any] | None = None,
    expressions: Sequence[Any] | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> FaceSet:
    """Return a face set of faces that are arrays, written to the folder `to` in the order given.

    The faces must be cut out already; nothing is detected or moved. Only a few hundred are copied at a time, so
    memory-mapped faces may be larger than memory.

    Args:
        faces: (N, S, S, 3) uint8 RGB, S 64 or 128.
        subjects: who each face shows, N ids of any kind; they are kept as text.
        clips: N names of the subject's video or sequence that each face is from, its frames in order; None makes every
            face a photo of its own.
        expressions: N words for what each face shows, None or NaN if unknown. Used only to score.
        licence: the terms of the faces, kept in about.json.
        overwrite: replace a face set at `to`, once the new one is whole.
    Raises:
        OmoteError: If the faces have another shape or type, a list has another length, a subject or clip is missing, or
            as `build_face_set`.
    """
    shape, count = faces.shape, len(faces)
    if faces.dtype != np.uint8 or count == 0 or shape[1:] not in [(size, size, 3) for size in SIZES]:
        sizes = " or ".join(f"(N, {size}, {size}, 3)" for size in SIZES)
        raise OmoteError(
            f"faces of shape {shape} and type {faces.dtype} were given; expected {sizes} of uint8, RGB."
        )
    frames = pd.DataFrame({"subject": _as_text("subjects", subjects, count)})
    frames["clip"] = [str(i) for i in range(count)] if clips is None else _as_text("clips", clips, count)
    frames["frame"] = frames.groupby(["subject", "clip"]).cumcount()
    frames["dataset"] = "arrays"
    frames["source"] = [f"face {i}" for i in range(count)]
    if expressions is not None:
        frames["expression"] = _as_text("expressions", expressions, count, needed=False)
    about = About(
        dataset="arrays",
        importer="arrays",
        options={"cropped": True},
        align="none",
        margin=None,
        detector_sha256=None,
        licence=licence,
    )
    jobs = [_frame_range(faces, frames, start) for start in range(0, count, FRAMES_PER_JOB)]
    make = partial(_copy_frames, faces=faces, frames=frames)
    return build_face_set(to, jobs, make, size=shape[1], about=about, workers=1, overwrite=overwrite)


def _as_text(name: str, values: Sequence[Any], count: int, *, needed: bool = True) -> list[str | None]:
    """Return the values as text, None where one is missing."""
    if len(values) != count:
        raise OmoteError(f"{len(values)} {name} were given for {count} faces; give one for each face.")
    texts = [None if pd.isna(value) or not str(value).strip() else str(value) for value in values]
    if needed and None in texts:
        raise OmoteError(
            f"{name} has nothing for {texts.count(None)} of {count} faces, the first of them face "
            f"{texts.index(None)} (counted from 0). Leave those faces out, or name them."
        )
    return texts


def _frame_range(faces: np.ndarray, frames: pd.DataFrame, start: int) -> FrameRange:
    stop = min(start + FRAMES_PER_JOB, len(faces))
    digest = hashlib.sha256(faces[start:stop].tobytes())
    digest.update(frames.iloc[start:stop].to_csv().encode())
    return FrameRange(start, stop, digest.hexdigest())


def _copy_frames(job: FrameRange, faces: np.ndarray, frames: pd.DataFrame) -> Iterator[FaceBatch]:
    yield FaceBatch(faces[job.start : job.stop], frames.iloc[job.start : job.stop])
