"""The face detection network YuNet, run by ONNX Runtime; finds what `cv2.FaceDetectorYN` finds, in half the time."""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

STRIDES = (8, 16, 32)  # pixels between the cells of the network's three grids
OVERLAP = 0.3  # share of common area from which the lower of two candidates is dropped
MAX_CANDIDATES = 100_000  # considered for that; a face gives up to 40
# The file fixes its input to 1 x 3 x 640 x 640. These bytes name the last two sizes instead, so that any size will do.
FIXED_SIDES, FREE_SIDES = b"\x0a\x03\x08\x80\x05" * 2, b"\x0a\x03\x12\x01h\x0a\x03\x12\x01w"
ONLY_ERRORS = 3  # log level; ONNX Runtime warns that the outputs are not those of 640 x 640


def detect_candidates(image: np.ndarray, model: str | Path, least_score: float) -> np.ndarray:
    """Return the candidates for faces in a picture, after suppression of those that overlap, by falling score.

    Args:
        image: (H, W, 3) uint8 RGB.
        model: YuNet's file, as `omote.data.detect.find_detector` returns it.
        least_score: candidates below this score are left out.
    Returns:
        (N, 15) float32, in pixels: x, y, width and height of the box, x and y of five landmarks, and the score (0-1).
    """
    height, width = image.shape[:2]
    padded = height + -height % STRIDES[-1], width + -width % STRIDES[-1]
    pixels = np.zeros((1, 3, *padded), np.float32)  # blue, green, red
    for plane, channel in zip(pixels[0, ::-1], cv2.split(image), strict=True):
        plane[:height, :width] = channel
    outputs = _load(str(model)).run(None, {"input": pixels})
    # Each is (cells of the three grids, numbers); what a cell says counts from its corner, in strides.
    in_class, is_object, boxes, landmarks = (
        np.concatenate(outputs[i : i + 3], 1)[0] for i in range(0, 12, 3)
    )
    scores = np.sqrt(in_class * is_object)[:, 0]
    cells = np.flatnonzero(scores >= least_score)
    starts = np.cumsum([0, *(padded[0] // stride * (padded[1] // stride) for stride in STRIDES)])
    grid = np.searchsorted(starts, cells, "right") - 1
    stride = np.array(STRIDES, np.float32)[grid]
    row, column = np.divmod(cells - starts[grid], padded[1] // np.array(STRIDES)[grid])
    corner = np.stack([column, row], 1).astype(np.float32)
    size = np.exp(boxes[cells, 2:])
    points = [corner + boxes[cells, :2] - size / 2, size, np.tile(corner, 5) + landmarks[cells]]
    candidates = np.column_stack([np.concatenate(points, 1) * stride[:, None], scores[cells]])
    # OpenCV compares boxes that are cut to whole pixels.
    kept = cv2.dnn.NMSBoxes(
        candidates[:, :4].astype(int).tolist(),
        candidates[:, 14].tolist(),
        least_score,
        OVERLAP,
        1.0,
        MAX_CANDIDATES,
    )
    remaining: np.ndarray = candidates[np.asarray(kept, int)]
    return remaining


@cache
def _load(model: str) -> Any:
    """Return the network of a file; several threads may run it at once, each on one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ONLY_ERRORS
    network = Path(model).read_bytes().replace(FIXED_SIDES, FREE_SIDES)
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
