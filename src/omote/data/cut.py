"""The crop rule: how a face is cut out of a picture. It is the only one: `prepare` and `embed` share it.

The code of a face depends on where the face lies in its crop, so pictures must be cut as the training faces were.
`prepare` makes a `Cut` from its options, `embed` makes the same one from the metadata of the training faces (`Cut.of`),
and both cut with `cut_faces` or `cut_only_face`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np

from omote.data.detect import ALL_FACES, Face, Search, detect, find_faces, find_only_face
from omote.data.face_set import About
from omote.data.images import Unreadable, read_photo
from omote.data.outputs import Faces
from omote.errors import OmoteError

Align = Literal["none", "eyes"]
SIZES = (64, 128)  # input sizes of the paper's networks, in pixels
DEFAULT_MARGIN = 0.05  # share of the detected square, added on each side

# Landmarks are refined in an enlarged crop.
ENLARGED_SIDE = 448  # pixels of that crop
ENLARGED_WIDTH = 1.6  # its side, in sides of the detected box
MIRROR = [1, 0, 2, 4, 3]  # landmarks of a mirrored face, in the order of the original

# Position of the eyes with align "eyes" and no margin, as shares of the side. It is their mean position without
# alignment (102 neutral photos of the London Set), so that both kinds of crop show the same part of the face.
EYES_APART = 0.36
EYES_ABOVE_MIDDLE = 0.11


@dataclass(frozen=True)
class Cut:
    """How faces are cut out of pictures.

    Args:
        size: side of the crop in pixels: 64 or 128 for the networks, which `check` asks; any other for a picture.
        align: "none" takes the square round the detected box, as in the paper; "eyes" rotates and scales the face so
            that the eyes lie at fixed positions.
        margin: border added on each edge, as a share of the square's side, above -0.4 and at most 2; a negative one
            cuts away.
        cropped: the pictures are face crops already, so no face is detected and the central square is taken.
    """

    size: int
    align: Align = "none"
    margin: float = DEFAULT_MARGIN
    cropped: bool = False

    def check(self) -> None:
        """Raise OmoteError if a field is out of range or two contradict each other."""
        check_size(self.size)
        if self.align not in get_args(Align):
            raise OmoteError(f"align is {self.align!r}; expected one of {', '.join(get_args(Align))}.")
        if not -0.4 < self.margin <= 2:
            raise OmoteError(
                f"margin is {self.margin}; expected more than -0.4 and at most 2 (0.05 adds 5 % on each side)."
            )
        if self.cropped and self.align != "none":
            raise OmoteError("Face crops cannot be aligned: leave out align, or cropped.")

    @classmethod
    def of(cls, about: About, size: int) -> "Cut":
        """Return how to cut pictures for a model that was trained on a face set with this metadata.

        Drawn and rendered faces are already framed like detected faces with the default margin.
        """
        margin = DEFAULT_MARGIN if about.is_synthetic or about.margin is None else about.margin
        return cls(size, about.align, margin, about.is_cropped)


class Square(NamedTuple):
    """A square in a picture, in its pixels; `cut_square(image, *square, size)` cuts it out."""

    middle: tuple[float, float]  # x, y; the first pixel reaches from 0 to 1
    side: float
    angle: float  # by which it is rotated clockwise, radians


class CutFace(NamedTuple):
    """A face cut out of a picture."""

    face: Face | None  # box and landmarks in the picture; None if the picture was a face crop already
    crop: Faces  # (S, S, 3) RGB


def check_size(size: int) -> None:
    """Raise OmoteError if the networks do not take faces of this size."""
    if size not in SIZES:
        raise OmoteError(f"size is {size}; the networks take {' or '.join(map(str, SIZES))} pixels.")


def cut_faces(
    image: np.ndarray, cut: Cut, detector: Path | None, search: Search = ALL_FACES
) -> list[CutFace]:
    """Return the wanted faces of an (H, W, 3) uint8 RGB picture, the highest box first.

    Args:
        detector: YuNet's model file (see `find_detector`); may be None if `cut.cropped`.
    """
    if cut.cropped:
        return [CutFace(None, cut_middle(image, cut.size))]
    assert detector is not None
    return [cut_face(image, face, cut, detector) for face in find_faces(image, detector, search)]


def cut_only_face(image: np.ndarray, cut: Cut, detector: Path | None) -> CutFace | str:
    """Return the face of a picture of one person, or why it could not be used; see `find_only_face`."""
    if cut.cropped:
        return CutFace(None, cut_middle(image, cut.size))
    assert detector is not None
    face = find_only_face(image, detector)
    return face if isinstance(face, str) else cut_face(image, face, cut, detector)


def cut_face(image: np.ndarray, face: Face, cut: Cut, detector: Path) -> CutFace:
    """Return a detected face of an (H, W, 3) uint8 RGB picture, cut out."""
    if cut.align == "eyes":
        face = refine_landmarks(image, face, detector)
    return CutFace(face, cut_out(image, face, cut.size, cut.align, cut.margin))


def cut_photos(photos: Sequence[str | Path], cut: Cut, detector: Path | None) -> Faces:
    """Return the only face of each photo, (N, S, S, 3).

    Raises:
        OmoteError: If a photo cannot be read, or shows nobody or several people; it names the first such photo.
    """
    return np.stack([cut_photo(photo, cut, detector)[1].crop for photo in photos])


def cut_photo(photo: str | Path, cut: Cut, detector: Path | None) -> tuple[np.ndarray, CutFace]:
    """Return a photo, (H, W, 3) uint8 RGB, and its only face. Raises OmoteError as `cut_photos`."""
    try:
        image = read_photo(photo)
        found = cut_only_face(image, cut, detector)
    except Unreadable as error:
        raise OmoteError(f"{photo} cannot be used: {error}") from error
    if isinstance(found, str):
        raise OmoteError(f"{photo} cannot be used: {found}")
    return image, found


def refine_landmarks(image: np.ndarray, face: Face, model: str | Path) -> Face:
    """Return the face with less noisy landmarks: their mean over an enlarged crop and its mirror image.

    Landmarks of a single detection are off by some hundredths of the eye distance, which would make aligned faces
    jitter.
    """
    x, y, width, height = face.box
    middle, side = np.array([x + width / 2, y + height / 2]), ENLARGED_WIDTH * max(width, height)
    enlarged = cut_square(image, (middle[0], middle[1]), side, 0.0, ENLARGED_SIDE)
    found = []
    for mirrored in (False, True):
        faces = detect(np.ascontiguousarray(enlarged[:, ::-1]) if mirrored else enlarged, 1.0, model)
        if not faces:
            return face
        landmarks = faces[0].landmarks
        found.append(landmarks[MIRROR] * [-1, 1] + [ENLARGED_SIDE, 0] if mirrored else landmarks)
    return face._replace(landmarks=np.mean(found, 0) * side / ENLARGED_SIDE + middle - side / 2)


def cut_out(image: np.ndarray, face: Face, size: int, align: Align, margin: float) -> Faces:
    """Return the face as a (size, size, 3) square; outside the picture its border is repeated.

    Args:
        align: "none" takes the square round the detected box, with the box's longer side; "eyes" rotates, scales and
            shifts it so that both eyes lie level at fixed positions.
        margin: share of the side added on each side.
    """
    return cut_square(image, *crop_square(face, align, margin), size)


def crop_square(face: Face, align: Align, margin: float) -> Square:
    """Return the square that `cut_out` cuts out."""
    right_eye, left_eye = face.landmarks[:2]
    across = left_eye - right_eye
    distance = float(np.hypot(*across))
    if align == "none" or distance == 0:
        x, y, width, height = face.box
        return Square((x + width / 2, y + height / 2), max(width, height) * (1 + 2 * margin), 0.0)
    angle = math.atan2(across[1], across[0])
    side = distance / EYES_APART
    down = np.array([-across[1], across[0]]) / distance
    middle = (right_eye + left_eye) / 2 + down * EYES_ABOVE_MIDDLE * side
    return Square((middle[0], middle[1]), side * (1 + 2 * margin), angle)


def cut_square(image: np.ndarray, middle: tuple[float, float], side: float, angle: float, size: int) -> Faces:
    """Return the square of `side` source pixels round `middle`, rotated by `angle` (radians), as (size, size, 3).

    To avoid aliasing it is sampled near the source's own resolution, then averaged over areas.
    """
    fine = size * max(1, math.ceil(side / size))
    step = side / fine  # source pixels per pixel of the fine sample
    cos, sin = step * math.cos(angle), step * math.sin(angle)
    half = (fine - 1) / 2
    # OpenCV has pixel centres at whole numbers; boxes have them at halves.
    x, y = middle[0] - 0.5, middle[1] - 0.5
    to_source = np.array([[cos, -sin, x - half * (cos - sin)], [sin, cos, y - half * (sin + cos)]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(image, to_source, (fine, fine), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if fine != size:
        square = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return square.astype(np.uint8, copy=False)


def square_in(image: np.ndarray, found: CutFace, cut: Cut) -> Square:
    """Return the square of a picture that a face was cut out of by `cut`."""
    return middle_square(image) if found.face is None else crop_square(found.face, cut.align, cut.margin)


def cut_middle(image: np.ndarray, size: int) -> Faces:
    """Return the largest central square of a picture, all of a square one, as (size, size, 3)."""
    return cut_square(image, *middle_square(image), size)


def middle_square(image: np.ndarray) -> Square:
    """Return the square that `cut_middle` cuts out."""
    height, width = image.shape[:2]
    return Square((width / 2, height / 2), min(height, width), 0.0)
