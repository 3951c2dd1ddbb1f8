"""The crop rule: how a face is cut out of a picture, when preparing a face set and when reading features alike.

A code depends on where the face lies in its crop, so both go through `cut_faces` and `cut_only_face` with the same
`Cut`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np

from omote.data.detect import Face, detect, find_faces, only_face
from omote.data.face_set import About
from omote.data.images import Unreadable, read_photo
from omote.data.outputs import Faces
from omote.errors import OmoteError

Align = Literal["none", "eyes"]
SIZES = (64, 128)  # pixels, of the paper's networks
DEFAULT_MARGIN = 0.05  # of the detected square, on each side

ENLARGED_SIDE, ENLARGED_WIDTH = (
    448,
    1.6,
)  # pixels of the crop in which landmarks are refined; its width in boxes
MIRROR = [1, 0, 2, 4, 3]  # order of the landmarks in a mirror image

# Where the eyes lie with align "eyes" and no margin, as shares of the side from the middle of the square:
# where they lie on average without alignment (102 neutral photos of the London Set), so that both show the
# same part of the face.
EYES_APART = 0.36
EYES_ABOVE_MIDDLE = 0.11


@dataclass(frozen=True)
class Cut:
    """How faces are cut out of pictures.

    Args:
        size: side of the crop in pixels, 64 or 128.
        align: "none", the square around the detected box, as in the paper; or "eyes", rotated and scaled so that the
            eyes lie at fixed places.
        margin: share of the side added on each side; negative takes away. More than -0.4, at most 2.
        cropped: the pictures are faces already: nothing is detected, and the middle square is taken.
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
            raise OmoteError("Faces that are cut out already cannot be aligned: leave out align, or cropped.")

    @classmethod
    def of(cls, about: About, size: int) -> "Cut":
        """Return how photos have to be cut for a model that was trained on this face set.

        Drawn and rendered faces fill their pictures as detected ones do with the default margin.
        """
        margin = DEFAULT_MARGIN if about.is_synthetic or about.margin is None else about.margin
        return cls(size, about.align, margin, about.is_cropped)


class CutFace(NamedTuple):
    """A face cut out of a picture."""

    face: Face | None  # box and landmarks in the picture; None where the picture was a face already
    crop: np.ndarray  # (S, S, 3) uint8 RGB


def check_size(size: int) -> None:
    """Raise OmoteError if no network takes faces of this size."""
    if size not in SIZES:
        raise OmoteError(f"size is {size}; the networks take {' or '.join(map(str, SIZES))} pixels.")


def cut_faces(image: np.ndarray, cut: Cut, detector: Path | None) -> list[CutFace]:
    """Return all faces of an (H, W, 3) uint8 RGB picture, the highest box first.

    Args:
        detector: YuNet's model file (`find_detector`); may be None where the pictures are cropped.
    """
    if cut.cropped:
        return [CutFace(None, cut_middle(image, cut.size))]
    assert detector is not None
    return [_cut(image, face, cut, detector) for face in find_faces(image, detector)]


def cut_only_face(image: np.ndarray, cut: Cut, detector: Path | None) -> CutFace | str:
    """Return the face of a picture of one person, or the reason why there is none, as `only_face` gives it."""
    if cut.cropped:
        return CutFace(None, cut_middle(image, cut.size))
    assert detector is not None
    face = only_face(image, detector)
    return face if isinstance(face, str) else _cut(image, face, cut, detector)


def _cut(image: np.ndarray, face: Face, cut: Cut, detector: Path) -> CutFace:
    if cut.align == "eyes":
        face = refine_landmarks(image, face, detector)
    return CutFace(face, cut_out(image, face, cut.size, cut.align, cut.margin))


def faces_of_photos(photos: Sequence[str | Path], cut: Cut, detector: Path | None) -> Faces:
    """Return the one face of each photo, (N, S, S, 3).

    Raises:
        OmoteError: Naming the first photo that cannot be read, or shows nobody or several people.
    """
    crops = []
    for photo in photos:
        try:
            found = cut_only_face(read_photo(photo), cut, detector)
        except Unreadable as error:
            raise OmoteError(f"{photo} cannot be used: {error}") from error
        if isinstance(found, str):
            raise OmoteError(f"{photo} cannot be used: {found}")
        crops.append(found.crop)
    return np.stack(crops)


def refine_landmarks(image: np.ndarray, face: Face, model: str | Path) -> Face:
    """Return the face with less noisy landmarks: the mean over an enlarged crop and its mirror image.

    A single detection is off by some hundredths of the distance between the eyes, which aligned faces would show as
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


def cut_out(image: np.ndarray, face: Face, size: int, align: Align, margin: float) -> np.ndarray:
    """Return the face as a (size, size, 3) square; what lies outside the picture repeats its border.

    Args:
        align: "none": the square round the detected box, its side the longer one of the box; "eyes": turned,
            scaled and moved so that both eyes lie level at fixed places.
        margin: share of the side added on each side.
    """
    right_eye, left_eye = face.landmarks[:2]
    across = left_eye - right_eye
    distance = float(np.hypot(*across))
    if align == "none" or distance == 0:
        x, y, width, height = face.box
        return cut_square(
            image, (x + width / 2, y + height / 2), max(width, height) * (1 + 2 * margin), 0.0, size
        )
    angle = math.atan2(across[1], across[0])
    side = distance / EYES_APART
    down = np.array([-across[1], across[0]]) / distance
    middle = (right_eye + left_eye) / 2 + down * EYES_ABOVE_MIDDLE * side
    return cut_square(image, (middle[0], middle[1]), side * (1 + 2 * margin), angle, size)


def cut_square(
    image: np.ndarray, middle: tuple[float, float], side: float, angle: float, size: int
) -> np.ndarray:
    """Return the square of `side` source pixels round `middle`, turned by `angle` (radians).

    It is cut out near the source's own scale and then averaged over areas, to (size, size, 3), so that fine
    detail does not alias.
    """
    fine = size * max(1, math.ceil(side / size))
    step = side / fine  # source pixels a pixel of the fine cut
    cos, sin = step * math.cos(angle), step * math.sin(angle)
    half = (fine - 1) / 2
    # OpenCV puts pixel centres at whole numbers; boxes have them at halves.
    x, y = middle[0] - 0.5, middle[1] - 0.5
    to_source = np.array([[cos, -sin, x - half * (cos - sin)], [sin, cos, y - half * (sin + cos)]])
    cut = cv2.warpAffine(
        image,
        to_source,
        (fine, fine),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cut if fine == size else cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)


def cut_middle(image: np.ndarray, size: int) -> np.ndarray:
    """Return the largest square in the middle of a picture, the whole of a square one, as (size, size, 3)."""
    height, width = image.shape[:2]
    return cut_square(image, (width / 2, height / 2), min(height, width), 0.0, size)
