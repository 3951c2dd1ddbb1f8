"""Which rows of a feature table are a person's: by the number of the face, its size, or a photo of the person."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.detect import Face, find_detector
from omote.data.face_set import BOX
from omote.data.images import Unreadable
from omote.data.media import read_frames
from omote.data.person import MAX_DISTANCE, Descriptor, Which, appearance_distance
from omote.data.sampling import evenly_spaced
from omote.data.track import describe_appearance
from omote.data.turn import turn
from omote.data.videos import Excerpt
from omote.errors import OmoteError

FRAMES = 8  # of each face, that are compared with the photo
# Sources of a person that are looked at, to tell whether they show different people: with fewer it cannot be told.
LEAST_SOURCES, MOST_SOURCES = 3, 8
COLUMNS = ("source", "frame", "face", *BOX)  # needed to look at the faces again


def select_person(
    table: pd.DataFrame,
    face: int | None = None,
    largest: int | None = None,
    photo: str | Path | None = None,
    detector: str | Path | None = None,
) -> NDArray[np.bool_]:
    """Return (N,) whether each row of a table of videos and photos is the person's.

    Args:
        table: of `omote embed`.
        face: number of the person's face in each source; 0 if nothing else is given.
        largest: 1 takes the largest face of each picture.
        photo: of the person; the faces of each source that look like it are taken, by their appearance in a few of
            their frames, and at most one of each picture.
        detector: see `omote.data.detect.find_detector`; for the photo.
    Raises:
        OmoteError: If several of the three are given, one is out of range, or for a photo a source cannot be read.
    """
    which = Which(face, photo)
    which.check()
    if largest is not None and (largest != 1 or face is not None or photo is not None):
        raise OmoteError(
            "largest picks the person's face with 1 only, and without a face number and a photo."
        )
    if largest is None and photo is None:
        if "face" not in table:
            return np.ones(len(table), bool)
        return (table["face"] == (face or 0)).to_numpy(bool, na_value=False)
    if missing := [column for column in COLUMNS if column not in table]:
        raise OmoteError(f"the table has no column {missing[0]}; make it with `omote embed`")
    pictures = [table["source"], table["frame"]]
    if photo is None:
        heights = table["box_height"]
        return (heights == heights.groupby(pictures).transform("max")).to_numpy(bool)
    model = find_detector(detector)
    appearance = which.read_photos([""], model)[""]
    distances = pd.Series(np.nan, table.index)
    for source, rows in table.groupby("source", sort=False):
        measured = _measure_distances(str(source), rows, appearance)
        distances[rows.index] = rows["face"].astype(float).map(measured)
    nearest = distances.groupby(pictures).transform("min")
    return ((distances == nearest) & (distances <= MAX_DISTANCE)).to_numpy(bool)


def measure_unlike(table: pd.DataFrame, rows: NDArray[np.int64]) -> float | None:
    """Return the share of pairs of a person's sources, 0 to 1, whose faces look like different people.

    A face of each of up to `MOST_SOURCES` sources is looked at again. Light, hair and camera change what a person looks
    like, so that two sources of one person may differ as much as those of two people; most pairs do not.

    Args:
        table: of `omote embed`.
        rows: (n,) numbers of the person's rows.
    Returns:
        None if fewer than `LEAST_SOURCES` sources can be looked at: they are gone, or were cropped to the face.
    """
    if any(column not in table for column in COLUMNS):
        return None
    own = table.iloc[rows].dropna(subset=["source", *BOX])
    firsts = own[~own["source"].duplicated()]
    firsts = firsts.iloc[evenly_spaced(len(firsts), MOST_SOURCES)]
    if len(firsts) < LEAST_SOURCES:
        return None
    looks = [look for _, row in firsts.iterrows() if (look := _describe_row(row)) is not None]
    if len(looks) < LEAST_SOURCES:
        return None
    return float(np.mean([appearance_distance(*pair) > MAX_DISTANCE for pair in combinations(looks, 2)]))


def _describe_row(row: pd.Series) -> Descriptor | None:
    """Return the appearance of the face in a row, or None if its source cannot be read."""
    stream = int(row["stream"]) if "stream" in row else None
    number = int(row["frame"])
    try:
        for _, _, image in read_frames(str(row["source"]), Excerpt(stream=stream), only={number}):
            shown = turn(image, int(row["turned"]) if "turned" in row else 0)
            box = row[list(BOX)].to_numpy(float)
            return describe_appearance(shown, Face(1.0, box, np.zeros((5, 2))))
    except (Unreadable, OSError):
        pass
    return None


def _measure_distances(source: str, rows: pd.DataFrame, appearance: Descriptor) -> dict[int, float]:
    """Return the mean distance of each face of a source from an appearance, over a few of its frames."""
    wanted: defaultdict[int, list[int]] = defaultdict(list)  # frame -> positions of rows
    for _, track in rows.reset_index(drop=True).dropna(subset=[*BOX]).groupby("face"):
        for place in evenly_spaced(len(track), FRAMES):
            wanted[int(track["frame"].iloc[place])].append(int(track.index[place]))
    boxes, numbers = rows[list(BOX)].to_numpy(float), rows["face"].to_numpy()
    turned = rows["turned"].to_numpy() if "turned" in rows else np.zeros(len(rows), int)
    stream = int(rows["stream"].iloc[0]) if "stream" in rows else None
    found: defaultdict[int, list[float]] = defaultdict(list)
    try:
        for number, _, image in read_frames(source, Excerpt(stream=stream), only=set(wanted)):
            for row in wanted[number]:
                shown = turn(image, int(turned[row]))
                there = describe_appearance(shown, Face(1.0, boxes[row], np.zeros((5, 2))))
                found[int(numbers[row])].append(appearance_distance(appearance, there))
    except (Unreadable, OSError) as error:
        raise OmoteError(f"{source} cannot be compared with the photo of the person: {error}") from error
    return {number: float(np.mean(values)) for number, values in found.items()}
