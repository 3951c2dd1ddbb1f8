"""Face crops for the rows of a feature table, cut again from its videos, photos or face set."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.build import Progress
from omote.data.cut import cut_middle, cut_square
from omote.data.face_set import BOX, FaceSet
from omote.data.images import Unreadable
from omote.data.media import read_frames
from omote.data.turn import turn
from omote.data.videos import Excerpt
from omote.errors import OmoteError
from omote.figures.table.tracks import KEYS, Features, Rows

SIDE, SMALL_SIDE = 160, 64  # of a crop, pixels
MARGIN = 0.2  # around the bounding box, as a share of its longer side

Crops = dict[int, NDArray[np.uint8]]  # row -> (S, S, 3) RGB


def locate_faces(features: Features, face_set: FaceSet | None) -> Rows:
    """Return (N,) the index of each row in the face set, or 0 where its picture file exists; -1 if there is no face.

    Raises:
        OmoteError: If the table was not made from this face set.
    """
    frames = features.frames
    if not features.of_face_set:
        if face_set is not None:
            raise OmoteError(
                f"{features.name} was made from pictures, not from a face set; leave --faces out"
            )
        exists = {source: Path(source).is_file() for source in frames["source"].astype(str).unique()}
        return np.where(frames["source"].astype(str).map(exists), 0, -1).astype(np.int64)
    if face_set is None:
        return np.full(len(frames), -1)
    wanted, available = (
        pd.MultiIndex.from_frame(rows[list(KEYS)].astype({"subject": str, "clip": str}))
        for rows in (frames, face_set.frames)
    )
    places = pd.Series(np.arange(len(available)), index=available)
    found = places[~available.duplicated()].reindex(wanted).fillna(-1).to_numpy(np.int64)
    if (found < 0).all():
        raise OmoteError(
            f"no row of {features.name} is in the face set {face_set.path}; give the one it was made from"
        )
    return found


def recut_faces(
    table: pd.DataFrame,
    rows: Rows,
    places: Rows,
    face_set: FaceSet | None = None,
    progress: Progress | None = None,
    small: Rows | None = None,
) -> tuple[Crops, dict[str, str]]:
    """Return the faces of some rows with a margin around them, and the sources that could not be read.

    Each video is read once, up to the last frame needed.

    Args:
        table: of N rows, with the columns source, frame and those of the box, and stream and turned where it has them.
        rows: the rows wanted; those without a face are skipped.
        places: as `locate_faces` returned them.
        progress: called with the faces cut so far and the faces wanted.
        small: further rows, whose faces are cut in `SMALL_SIDE` pixels to spare memory.
    Returns:
        The crops; and source -> reason, for each source that could not be read far enough.
    """
    large = set(rows.tolist())
    rows = rows if small is None else np.union1d(rows, small)
    rows = rows[places[rows] >= 0]
    if face_set is not None:
        return {int(row): face_set.faces[places[row]] for row in rows}, {}
    frames = table.iloc[rows].reindex(columns=["source", "stream", "turned", "frame", *BOX])
    turned = frames["turned"].fillna(0).astype(int)
    boxes = dict(zip(rows.tolist(), frames[list(BOX)].to_numpy(np.float64), strict=True))
    crops: Crops = {}
    failures: dict[str, str] = {}
    for source, of_source in frames.groupby(frames["source"].astype(str), sort=False):
        wanted: dict[int, list[int]] = {}  # frame number -> rows
        for row, number in zip(of_source.index.tolist(), of_source["frame"].astype(int), strict=True):
            wanted.setdefault(number, []).append(row)
        stream = of_source["stream"].iloc[0]  # missing without --stream
        chosen = None if pd.isna(stream) else int(stream)
        try:
            for number, _, image in read_frames(str(source), Excerpt(stream=chosen), only=set(wanted)):
                for row in wanted.pop(number):
                    side = SIDE if row in large else SMALL_SIDE
                    crops[row] = _cut(turn(image, turned[row]), boxes[row], side)
                if progress is not None:
                    progress(len(crops), len(rows))
        except Unreadable as error:
            failures[str(source)] = str(error)
        else:
            if wanted:
                failures[str(source)] = f"it no longer has frame {min(wanted)}"
    return crops, failures


def _cut(image: NDArray[np.uint8], box: NDArray[np.float64], pixels: int) -> NDArray[np.uint8]:
    if not np.isfinite(box).all():  # the picture is a face crop already
        return cut_middle(image, pixels)
    x, y, width, height = box
    side = max(1.0, max(width, height) * (1 + 2 * MARGIN))
    return cut_square(image, (x + width / 2, y + height / 2), side, 0.0, pixels)
