"""Face detection with YuNet (Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", 2023).

The model file is the OpenCV Zoo's (MIT licence). It comes with omote, in the folder yunet/.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from omote.data.face_network import detect_candidates
from omote.errors import OmoteError

DETECTOR_NAME = "face_detection_yunet_2023mar.onnx"
DETECTOR_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
DETECTOR_VARIABLE = "OMOTE_DETECTOR"  # environment variable that names another copy of the file

FOUND_SCORE = 0.6  # detections below this score are no faces
# A second face makes a picture one of two people if its box has at least this share of the highest box's height.
SECOND_FACE = 1 / 3
SIDES = (320, 640, 1280)  # long sides, in pixels, to which a picture is scaled in turn to be searched
CLEAR_HEIGHT = 80  # pixels; a face of this height in a scaled picture is not measured again in a finer one
# Where a scan sees anything with this score, the next finer scan looks closer. What that misses is measured in
# `benchmarks/search.py`.
HINT_SCORE = 0.01
# A hint of a larger face needs this score: faces of that height hardly ever have less, but many blurred things have
# HINT_SCORE.
LARGE_HINT_HEIGHT, LARGE_HINT_SCORE = 24, 0.05  # pixels of the scan
# Border added to what is looked at closer: pixels of the finer picture, or a share of the hint's box if that is more.
MARGIN, MARGIN_SHARE = 32, 0.25
GRID = 32  # pixels; the network's coarsest stride, to which the parts that are looked at are aligned
MOST_PARTS = 0.5  # share of the picture; if more is to be looked at closer, all of it is searched at once
# Two detections are of one head if the middles of their landmarks are closer than this share of the higher box.
# Two boxes on one head were seen up to 0.25 apart.
SAME_HEAD = 0.4
# A large hint without a face may be a face that fills the picture: it is found after a border was added.
FILLING_HEIGHT = 0.4  # of the hint's box, as a share of the picture's long side
PADDING = 0.5  # border, as a share of the long side


@dataclass(frozen=True)
class Search:
    """Which faces of a picture are wanted.

    Args:
        largest: so many faces, those with the highest boxes; None for all.
        fast: search no finer than it takes to find one clear face. Small faces are then missed beside a large one.
    """

    largest: int | None = None
    fast: bool = False

    def check(self) -> None:
        """Raise OmoteError if a field is out of range."""
        if self.largest is not None and self.largest < 1:
            raise OmoteError(f"largest is {self.largest}; expected at least 1, or none for all faces")


ALL_FACES = Search()


class Face(NamedTuple):
    """A detected face, in pixels of the picture."""

    score: float  # 0-1
    box: np.ndarray  # (4,) x, y, width, height
    landmarks: np.ndarray  # (5, 2) right eye (the person's), left eye, nose, right and left mouth corner


def find_detector(file: str | Path | None = None) -> Path:
    """Return YuNet's model file: `file`, else the one that OMOTE_DETECTOR names, else the one that comes with omote.

    Raises:
        OmoteError: If the file is missing or is another model.
    """
    included = Path(__file__).parent / "yunet" / DETECTOR_NAME
    path = Path(file or os.environ.get(DETECTOR_VARIABLE) or included)
    mend = (
        "Install omote again"
        if path == included
        else f"Leave out --detector and {DETECTOR_VARIABLE}, and omote takes its own copy"
    )
    if not path.is_file():
        raise OmoteError(f"There is no detector file {path}. {mend}.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != DETECTOR_SHA256:
        raise OmoteError(
            f"{path} is not the expected detector: its sha256 is {found}, expected {DETECTOR_SHA256} "
            f"({DETECTOR_NAME}). {mend}."
        )
    return path


def find_faces(image: np.ndarray, model: str | Path, search: Search = ALL_FACES) -> list[Face]:
    """Return the wanted faces in an (H, W, 3) uint8 RGB picture, the highest box first.

    The picture is scanned from coarse to fine. Each face is measured at the coarsest scale that shows it clearly,
    whoever else is in the picture. The finest scan covers only what the one before gives a hint of.
    """
    long_side = max(image.shape[:2])
    scales = [side / long_side for side in SIDES]
    scales = scales[: 1 + sum(scale < 1 for scale in scales)]  # enlarge at most once
    clear: list[Face] = []
    unclear: list[Face] = []
    hints: list[Face] | None = None  # None: look at all of the picture
    for scale in scales:
        last = scale == scales[-1]
        scanned = _scan(image, scale, model, hints if last else None)
        hints = _without_heads(scanned, clear)
        found = _one_per_head(hints)
        unclear = _without_heads(unclear, found)
        for face in found:
            (clear if face.box[3] * scale >= CLEAR_HEIGHT else unclear).append(face)
        if scale == scales[0]:
            filling = [hint for hint in hints if hint.box[3] >= FILLING_HEIGHT * long_side]
            if _without_heads(filling, found):
                clear += _without_heads(_find_filling(image, model), found)
        if clear and search.fast:
            break
        hints = [hint for hint in _without_heads(hints, clear) if _is_worth_a_look(hint, scale)]
    return sorted(clear + unclear, key=lambda face: -face.box[3])[: search.largest]


def _is_worth_a_look(hint: Face, scale: float) -> bool:
    """Return whether a finer scan may find a face where a scan has this hint of one that is not clear."""
    height = hint.box[3] * scale
    least = HINT_SCORE if height < LARGE_HINT_HEIGHT else LARGE_HINT_SCORE
    return bool(height < CLEAR_HEIGHT and hint.score >= least)


def _find_filling(image: np.ndarray, model: str | Path) -> list[Face]:
    """Return the faces found after a border was added to a picture, which YuNet needs for a face that fills it."""
    scale = SIDES[0] / (1 + 2 * PADDING) / max(image.shape[:2])
    small = _resize(image, scale)
    pad = round(PADDING * max(small.shape[:2]))
    padded = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    unscale = np.array(image.shape[1::-1]) / small.shape[1::-1]
    return [
        Face(
            face.score,
            ((face.box.reshape(2, 2) - np.array([[pad], [0]])) * unscale).ravel(),
            (face.landmarks - pad) * unscale,
        )
        for face in detect(padded, 1.0, model)
    ]


def _one_per_head(hints: list[Face]) -> list[Face]:
    """Return the hints that are faces; of several on one head, the one with the highest score."""
    kept: list[Face] = []
    for hint in sorted(hints, key=lambda hint: -hint.score):
        if hint.score >= FOUND_SCORE:
            kept += _without_heads([hint], kept)
    return kept


def _without_heads(faces: list[Face], others: list[Face]) -> list[Face]:
    """Return the faces that are not on the same head as any of the others."""
    if not faces or not others:
        return faces
    middles, heights = [], []
    for group in (faces, others):
        middles.append(np.array([face.landmarks.mean(0) for face in group]))
        heights.append(np.array([face.box[3] for face in group]))
    apart = np.linalg.norm(middles[0][:, None] - middles[1], axis=2)
    same = (apart < SAME_HEAD * np.maximum.outer(*heights)).any(1)
    return [face for face, is_same in zip(faces, same, strict=True) if not is_same]


def find_only_face(image: np.ndarray, model: str | Path, search: Search = ALL_FACES) -> Face | str:
    """Return the face of an (H, W, 3) uint8 RGB picture of one person, or the reason why there is none.

    With `largest` 1 it is the largest face, whoever else is in the picture. Reasons are "no face" and "two people" (or
    more). Faces that are much smaller than the largest one, such as people in the background, are ignored
    (SECOND_FACE).
    """
    faces = find_faces(image, model, search)
    if not faces:
        return "no face"
    people = [face for face in faces if face.box[3] >= SECOND_FACE * faces[0].box[3]]
    return faces[0] if len(people) == 1 else "two people"


def detect(image: np.ndarray, scale: float, model: str | Path) -> list[Face]:
    """Return the faces found in a picture scaled by `scale`, in its original pixels, the highest box first."""
    return sorted(_one_per_head(_scan(image, scale, model)), key=lambda face: -face.box[3])


def _scan(image: np.ndarray, scale: float, model: str | Path, near: list[Face] | None = None) -> list[Face]:
    """Return all detections in a picture scaled by `scale`, in its original pixels, down to HINT_SCORE.

    Args:
        near: search only the surroundings of these.
    """
    if near is not None and not near:
        return []
    small = _resize(image, scale)
    unscale = np.array(image.shape[1::-1]) / small.shape[1::-1]
    faces = []
    for x, y, width, height in _parts(small.shape[:2], near, unscale):
        offset = np.array([[x, y], [0, 0], *[[x, y]] * 5])
        rows = detect_candidates(small[y : y + height, x : x + width], model, HINT_SCORE)
        for row in rows.astype(np.float64):
            points = row[:14].reshape(7, 2) + offset  # corner and size of the box, landmarks
            points *= unscale
            faces.append(Face(float(row[14]), points[:2].ravel(), points[2:]))
    return faces


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _parts(
    shape: tuple[int, int], near: list[Face] | None, unscale: np.ndarray
) -> list[tuple[int, int, int, int]]:
    """Return the parts of a scaled picture to search, each as x, y, width and height in pixels.

    Args:
        shape: (H, W) of the scaled picture.
        near: detections in original pixels; None for the whole picture.
        unscale: (2,) original pixels per scaled pixel, along x and y.
    """
    height, width = shape
    whole = [(0, 0, width, height)]
    if near is None:
        return whole
    cells = np.zeros((-(-height // GRID), -(-width // GRID)), np.uint8)
    for face in near:
        low, high = face.box[:2] / unscale, (face.box[:2] + face.box[2:]) / unscale
        margin = max(MARGIN, MARGIN_SHARE * float(max(high - low)))
        first = np.maximum((low - margin) // GRID, 0).astype(int)
        stop = np.maximum((high + margin) // GRID + 1, 0).astype(int)
        cells[first[1] : stop[1], first[0] : stop[0]] = 1
    rectangles = cv2.connectedComponentsWithStats(cells)[2][1:, :4] * GRID
    if rectangles[:, 2:].prod(1).sum() > MOST_PARTS * height * width:
        return whole
    return [(x, y, min(w, width - x), min(h, height - y)) for x, y, w, h in rectangles.tolist()]
