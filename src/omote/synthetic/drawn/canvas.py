"""A canvas to fill with soft-edged polygons, and colours."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from omote.synthetic.drawn.curves import Points

FRACTION_BITS = 8  # fractional bits of OpenCV's fixed-point pixel coordinates

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Colour = NDArray[np.float32]  # (3,) RGB, 0 to 255


def rgb(red: float, green: float, blue: float) -> Colour:
    return np.array([red, green, blue], np.float32)


def mix(a: Colour, b: Colour, t: float) -> Colour:
    return a + (b - a) * np.float32(t)


def pick_colour(colours: tuple[tuple[int, int, int], ...], t: float) -> Colour:
    """Return the colour at t in [0, 1] of evenly spaced colours."""
    position = min(max(t, 0.0), 1.0) * (len(colours) - 1)
    k = min(int(position), len(colours) - 2)
    return mix(rgb(*colours[k]), rgb(*colours[k + 1]), position - k)


@lru_cache(maxsize=4)
def pixel_centres(canvas: int) -> Floats:
    """Return the face coordinates (canvas,) of pixel centres, along either axis."""
    return ((np.arange(canvas) + 0.5) * (2 / canvas) - 1).astype(np.float32)


class Canvas:
    """Pixels (3, h, w) float32 of an image or of a part of one; coordinates are face units, see `shape.py`."""

    def __init__(
        self, size: int, x0: int = 0, y0: int = 0, width: int | None = None, height: int | None = None
    ) -> None:
        self.size = size  # side of the whole image in pixels
        self.x0, self.y0 = x0, y0
        self.pixels = np.empty((3, height or size, width or size), np.float32)

    def to_fixed_point(self, points: Points) -> Ints:
        """Return the fixed-point pixel coordinates (..., 2) on this canvas."""
        unit = 1 << FRACTION_BITS
        half = 0.5 * self.size
        fixed = points * (half * unit)
        fixed[..., 0] += (half - 0.5 - self.x0) * unit
        fixed[..., 1] += (half - 0.5 - self.y0) * unit
        return np.rint(fixed, fixed).astype(np.int32)

    def bounding_window(self, fixed: Ints, margin: float) -> tuple[int, int, int, int]:
        """Return x0, y0, x1, y1 in pixels of the part of this canvas around fixed-point points."""
        height, width = self.pixels.shape[1:]
        x, y, w, h = cv2.boundingRect(fixed)
        edge = int(3 + margin * 0.5 * self.size)
        x0 = min(max((x >> FRACTION_BITS) - edge, 0), width - 1)
        y0 = min(max((y >> FRACTION_BITS) - edge, 0), height - 1)
        x1 = max(min((x + w >> FRACTION_BITS) + edge, width), x0 + 1)
        y1 = max(min((y + h >> FRACTION_BITS) + edge, height), y0 + 1)
        return x0, y0, x1, y1

    def blur(self, mask: Bytes, soft: float) -> Bytes:
        """Return a mask with its edges blurred by `soft` face units."""
        if not soft:
            return mask
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft * 0.5 * self.size), np.uint8)

    def coverage(self, *polygons: Points) -> Floats:
        """Return (h, w) in [0, 1]: the share of each pixel inside the polygons."""
        mask = np.zeros(self.pixels.shape[1:], np.uint8)
        for polygon in polygons:
            cv2.fillPoly(mask, [self.to_fixed_point(polygon)], 255, cv2.LINE_AA, FRACTION_BITS)
        return mask * np.float32(1 / 255)

    def new_part(self, *polygons: Points, margin: float) -> "Canvas":
        """Return an empty canvas for the part around the polygons."""
        x0, y0, x1, y1 = self.bounding_window(self.to_fixed_point(np.concatenate(polygons)), margin)
        return Canvas(self.size, self.x0 + x0, self.y0 + y0, x1 - x0, y1 - y0)

    def paste(self, part: "Canvas", alpha: Floats) -> None:
        """Blend a part into this canvas, with alpha (h, w) in [0, 1]."""
        height, width = part.pixels.shape[1:]
        x, y = part.x0 - self.x0, part.y0 - self.y0
        target = self.pixels[:, y : y + height, x : x + width]
        target += alpha * (part.pixels - target)

    def fill(self, *polygons: Points, colour: Colour, alpha: float = 1.0, soft: float = 0.0) -> None:
        """Fill polygons; `soft` is the blur of their edges in face units."""
        if alpha > 0.003:
            target, cover = self._mask(polygons, alpha, soft)
            target += cover * (colour[:, None, None] - target)

    def darken(self, *polygons: Points, factor: float, alpha: float = 1.0, soft: float = 0.0) -> None:
        """Multiply the pixels inside the polygons by a factor."""
        if alpha > 0.003:
            target, cover = self._mask(polygons, alpha * (1 - factor), soft)
            target *= 1 - cover

    def _mask(self, polygons: tuple[Points, ...], alpha: float, soft: float) -> tuple[Floats, Floats]:
        """Return a view (3, h, w) of the pixels around the polygons, and their alpha (h, w)."""
        fixed = self.to_fixed_point(np.concatenate(polygons))
        x0, y0, x1, y1 = self.bounding_window(fixed, 2.5 * soft)
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        corner = (-x0 << FRACTION_BITS, -y0 << FRACTION_BITS)
        first = 0
        for polygon in polygons:
            points = fixed[first : first + len(polygon)]
            cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, FRACTION_BITS, corner)
            first += len(polygon)
        return self.pixels[:, y0:y1, x0:x1], self.blur(mask, soft) * np.float32(alpha / 255)
