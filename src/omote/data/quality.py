"""How sharp a face is, and the square round it from which that and other things are measured."""

import cv2
import numpy as np

from omote.data.cut import cut_middle
from omote.data.detect import Face

# Blur is measured on the face as a network with 64 px input sees it: finer detail does not count, and a small face,
# enlarged to that size, counts as blurred.
SIDE = 64  # pixels of the square
MARGIN = 0.05  # of the box, added on each side
FILTER = 9  # pixels, width of the blur filter, as in the paper


def face_square(image: np.ndarray, face: Face, margin: float, size: int) -> np.ndarray:
    """Return the square round a face's box as (size, size, 3): by whole pixels, coarser and faster than `cut_out`.

    A large face is subsampled to at least 2 x 2 pixels per output pixel, so that the time does not grow with its size.
    Outside the picture its border is repeated.
    """
    x, y, width, height = face.box.tolist()
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    step = max(1, side // (2 * size))
    kept, borders = [], []
    for middle, end in ((y + height / 2, image.shape[0]), (x + width / 2, image.shape[1])):
        first = round(middle - side / 2)
        start = min(max(first, 0), end - 1)
        stop = max(min(first + side, end), start + 1)
        kept.append(slice(start, stop, step))
        borders.append((max(0, start - first) // step, max(0, first + side - stop) // step))
    square = image[tuple(kept)]
    if any(map(any, borders)):
        square = np.pad(square, [*borders, (0, 0)], "edge")
    fine = cv2.resize(square, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)  # fast, because the ratio is whole


def measure_blur(image: np.ndarray, face: Face | None = None) -> float:
    """Return how blurred a face is, from 0 (sharp) to 1; without a face, how blurred the picture is.

    It is the share of the differences between neighbouring pixels that remains after a further blur; 1 if there are
    no differences.

    Crété, Dolmiere, Ladret, Nicolas, "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", 2007.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    square = cut_middle(image, SIDE) if face is None else face_square(image, face, MARGIN, SIDE)
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY).astype(np.float32)
    remaining = []
    for axis, kernel in ((0, (1, FILTER)), (1, (FILTER, 1))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, kernel), axis=axis))
        if before.any():
            remaining.append(1 - float(np.maximum(before - after, 0).sum() / before.sum()))
    return max(remaining, default=1.0)
