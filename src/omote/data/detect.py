"""Face detection with YuNet (Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", 2023).

The model file is the OpenCV Zoo's (MIT licence). It comes with omote, in the folder yunet/.
"""

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from omote.errors import OmoteError

DETECTOR_NAME = "face_detection_yunet_2023mar.onnx"
DETECTOR_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
DETECTOR_VARIABLE = "OMOTE_DETECTOR"  # environment variable that names another copy of the file

FOUND_SCORE = 0.6  # detections below this score are dropped
# A second face makes a picture one of two people if its box has at least this share of the highest box's height.
SECOND_FACE = 1 / 3
SIDES = (320, 640, 1280)  # long sides, in pixels, to which a picture is scaled in turn to be searched
CLEAR_HEIGHT = 80  # pixels; the search stops at the scale where the highest face has this height
MAX_PADDED_SIDE = 4000  # pixels, long side; a larger picture is reduced to it before it is padded
PADDING = 0.5  # share of the long side; border added to find a face that fills the picture


@dataclass(frozen=True)
class Search:
    """Which faces of a picture are wanted.

    Args:
        largest: so many faces, those with the highest boxes; None for all.
    """

    largest: int | None = None

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
    """Return the wanted faces in an (H, W, 3) uint8 RGB picture, the highest box first."""
    return _find_all(image, model)[: search.largest]


def _find_all(image: np.ndarray, model: str | Path) -> list[Face]:
    """Return all faces in a picture, the highest box first.

    The search goes from coarse to fine until the largest face is clear: portraits take little time, and small faces
    are still found. If nothing is found, the picture is padded, to find a face that fills it.
    """
    height, width = image.shape[:2]
    found: list[Face] = []
    for side in SIDES:
        scale = side / max(height, width)
        faces = detect(image, scale, model)
        found = faces or found
        if found and found[0].box[3] * scale >= CLEAR_HEIGHT:
            break
        if scale >= 1:  # enlarge at most once
            break
    if not found:
        if max(height, width) > MAX_PADDED_SIDE:  # padding takes four times the memory of the picture
            scale = MAX_PADDED_SIDE / max(height, width)
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            return [
                Face(face.score, face.box / scale, face.landmarks / scale) for face in _find_all(small, model)
            ]
        pad = round(PADDING * max(height, width))
        padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        for face in detect(padded, SIDES[0] / max(padded.shape[:2]), model):
            box = face.box - [pad, pad, 0, 0]
            found.append(Face(face.score, box, face.landmarks - pad))
    return found


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
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    detector = _detector(str(model))
    detector.setInputSize(size)
    rows: Any = detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
    if rows is None:  # no face; OpenCV's type hints do not allow for it
        return []
    unscale = np.array(image.shape[1::-1]) / size
    faces = [
        Face(float(row[14]), (row[:4].reshape(2, 2) * unscale).ravel(), row[4:14].reshape(5, 2) * unscale)
        for row in rows.astype(np.float64)
    ]
    return sorted(faces, key=lambda face: -face.box[3])


_log_level = threading.Lock()  # OpenCV has one log level for all threads
_thread = threading.local()  # a detector holds the picture it works on, so each thread has its own


def _detector(model: str) -> cv2.FaceDetectorYN:
    if getattr(_thread, "model", None) != model:
        _thread.detector, _thread.model = _load_detector(model), model
    detector: cv2.FaceDetectorYN = _thread.detector
    return detector


def _load_detector(model: str) -> cv2.FaceDetectorYN:
    # OpenCV 5 warns that its new engine ignores the target, which does not matter here.
    with _log_level:
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            return cv2.FaceDetectorYN.create(
                model, "", (320, 320), score_threshold=FOUND_SCORE, nms_threshold=0.3, top_k=100
            )
        finally:
            cv2.utils.logging.setLogLevel(level)
