"""The faces of a table of features, cut once more out of the pictures that it names."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.build import Progress
from omote.data.cut import cut_middle, cut_square
from omote.data.face_set import BOX, FaceSet
from omote.data.images import Unreadable, is_video, read_photo, read_video
from omote.errors import OmoteError
from omote.figures.table.tracks import KEYS, Features, Rows

SIDE = 160  # pixels of a face that is cut out
AROUND = 0.2  # of the longer side of its box, on each side

Faces = dict[int, NDArray[np.uint8]]  # by row: (S, S, 3) RGB


def where(features: Features, face_set: FaceSet | None) -> Rows:
    """Return where the face of each row may be found, (N,): its number in the face set, or 0 in a picture that is
    there; -1 where it cannot.

    Raises:
        OmoteError: If the table is not of this face set.
    """
    frames = features.frames
    if not features.of_face_set:
        if face_set is not None:
            raise OmoteError(f"{features.name} is of pictures and not of a face set; leave --faces out")
        there = {source: Path(source).is_file() for source in frames["source"].astype(str).unique()}
        return np.where(frames["source"].astype(str).map(there), 0, -1).astype(np.int64)
    if face_set is None:
        return np.full(len(frames), -1)
    asked, given = (
        pd.MultiIndex.from_frame(rows[list(KEYS)].astype({"subject": str, "clip": str}))
        for rows in (frames, face_set.frames)
    )
    places = pd.Series(np.arange(len(given)), index=given)
    found = places[~given.duplicated()].reindex(asked).fillna(-1).to_numpy(np.int64)
    if (found < 0).all():
        raise OmoteError(
            f"no row of {features.name} is in the face set {face_set.path}; give the one that it was made of"
        )
    return found


def cut_again(
    features: Features,
    rows: Rows,
    place: Rows,
    face_set: FaceSet | None = None,
    progress: Progress | None = None,
) -> tuple[Faces, dict[str, str]]:
    """Return the faces of some rows with a little of what is around them, and the sources that could not be read.

    Each video is read once, up to the last frame that is asked for.

    Args:
        rows: those asked for; without a place they are passed over.
        place: what `where` returned.
        progress: called with faces looked for, and faces in all.
    Returns:
        The faces; and source -> reason, of each that could not be read, or not as far as it takes.
    """
    rows = rows[place[rows] >= 0]
    if face_set is not None:
        return {int(row): face_set.faces[place[row]] for row in rows}, {}
    frames = features.frames.iloc[rows].reindex(columns=["source", "frame", *BOX])
    boxes = dict(zip(rows.tolist(), frames[list(BOX)].to_numpy(np.float64), strict=True))
    numbers = dict(zip(rows.tolist(), frames["frame"].astype(int), strict=True))
    faces: Faces = {}
    troubles: dict[str, str] = {}
    for source, asked in frames.groupby(frames["source"].astype(str), sort=False):
        wanted: dict[int, list[int]] = {}
        for row in asked.index:
            wanted.setdefault(numbers[row], []).append(row)
        try:
            for number, image in _pictures(str(source), set(wanted)):
                faces |= {row: _cut(image, boxes[row]) for row in wanted.pop(number)}
                if progress is not None:
                    progress(len(faces), len(rows))
        except Unreadable as error:
            troubles[str(source)] = str(error)
        else:
            if wanted:
                troubles[str(source)] = f"it has no frame {min(wanted)} any more"
    return faces, troubles


def _pictures(source: str, numbers: set[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield some frames of a video, or the one of a photo, each with its number."""
    if not is_video(source):
        yield from [(0, read_photo(source))] if 0 in numbers else []
        return
    yield from ((frame.number, frame.image) for frame in read_video(source, only=numbers))


def _cut(image: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    if not np.isfinite(box).all():  # the picture was a face already
        return cut_middle(image, SIDE)
    x, y, width, height = box
    side = max(1.0, max(width, height) * (1 + 2 * AROUND))
    return cut_square(image, (x + width / 2, y + height / 2), side, 0.0, SIDE)
