"""The faces in a picture, cut out as those a run was trained on."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from omote.data.detect import Align, Face, cut_middle, cut_out, find_detector, find_faces, only_face, steadied
from omote.data.images import Unreadable, read_photo
from omote.data.prepare import DEFAULT_MARGIN
from omote.data.quality import Pose, blur, pose
from omote.data.reading import Faces
from omote.errors import OmoteError
from omote.export.reader import Reader


class Cut(NamedTuple):
    """How faces are cut out of a picture."""

    size: int  # S, pixels
    align: Align
    margin: float  # share of the side on each side
    detector: Path | None  # None: the pictures are faces already


class Seen(NamedTuple):
    """A face in a picture, before its code is read."""

    face: Face | None  # None where the picture is a face already
    crop: np.ndarray  # (S, S, 3) uint8 RGB
    blur: float
    pose: Pose


def cut_as(reader: Reader, *, cropped: bool = False, detector: str | Path | None = None) -> Cut:
    """Return how faces have to be cut out for a reader. Made faces fill the picture as detected ones do unaligned.

    Args:
        cropped: the pictures are faces already.
        detector: a local copy of the detector's model.
    Raises:
        OmoteError: If the reader knows only pictures that were faces already and these are not, or as `find_detector`.
    """
    about = reader.face_set
    if cropped:
        return Cut(reader.size, "none", 0.0, None)
    if about.get("options", {}).get("cropped"):
        raise OmoteError(
            f"the model {reader.model} was trained on pictures that were faces already; give --cropped, and pictures "
            "cut alike"
        )
    made = about.get("importer") in ("drawn", "rendered")
    margin = about.get("margin")
    return Cut(
        reader.size,
        about.get("align", "none"),
        DEFAULT_MARGIN if made or margin is None else margin,
        find_detector(detector),
    )


def look(image: np.ndarray, cut: Cut) -> list[Seen]:
    """Return the faces in an (H, W, 3) uint8 RGB picture, the highest first."""
    if cut.detector is None:
        return [Seen(None, cut_middle(image, cut.size), blur(image), Pose(math.nan, math.nan, math.nan))]
    return [_seen(image, face, cut, cut.detector) for face in find_faces(image, cut.detector)]


def _seen(image: np.ndarray, face: Face, cut: Cut, detector: Path) -> Seen:
    if cut.align == "eyes":
        face = steadied(image, face, detector)
    return Seen(face, cut_out(image, face, cut.size, cut.align, cut.margin), blur(image, face), pose(face))


def faces_of_photos(photos: Sequence[str | Path], cut: Cut) -> Faces:
    """Return the one face of each photo, (N, S, S, 3).

    Raises:
        OmoteError: Naming the first photo that cannot be read, shows nobody or several people.
    """
    faces = []
    for photo in photos:
        try:
            image = read_photo(photo)
        except Unreadable as error:
            raise OmoteError(f"{photo} cannot be used: {error}") from error
        if cut.detector is None:
            faces.append(cut_middle(image, cut.size))
            continue
        face = only_face(image, cut.detector)
        if isinstance(face, str):
            raise OmoteError(f"{photo} cannot be used: {face}")
        faces.append(_seen(image, face, cut, cut.detector).crop)
    return np.stack(faces)
