"""The chart that the colours of a head are painted on, and tools for painting.

One picture, the atlas, holds all colours of a head: above the skin, unrolled round an upright axis; below it the eye,
the hair that is seen behind the head, and the mouth. Places are in centimetres on the average head of the model: x to
the person's left, y up, z to the front.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from omote.synthetic.rendered import raster

Floats = NDArray[Any]  # of whatever precision
Numbers = NDArray[Any]  # whole ones

SIDE = 512  # of the atlas, in texels
SKIN_ROWS = 416  # of it, the skin
TOP, BOTTOM = 14.6, -14.0  # cm, of the skin
REACH = np.deg2rad(112)  # of the skin to each side of the face, round an upright axis
AXIS = 1.0  # cm, z of that axis
EYE_PATCH = (48.0, 464.0, 44.0)  # middle (x, y) and radius of an eyeball, in texels
MOUTH_PATCHES = {"inner_mouth": (120, 464), "gums": (160, 464), "tongue": (200, 464), "teeth": (240, 464)}
HAIR_PATCH = (272, SKIN_ROWS, 240, 96)  # x, y, width, height, in texels


def unrolled(places: Floats) -> Floats:
    """Return (V, 2) texels of the skin for (V, 3) places."""
    angle = np.arctan2(places[:, 0], places[:, 2] - AXIS)
    across = np.clip(angle / (2 * REACH) + 0.5, 0, 1) * (SIDE - 1)
    down = np.clip((TOP - places[:, 1]) / (TOP - BOTTOM), 0, 1) * (SKIN_ROWS - 1)
    return np.stack([across, down], 1).astype(np.float32)


def places_of_texels(base: Floats, triangles: Numbers) -> Floats:
    """Return (SKIN_ROWS, SIDE, 3): the place on the average head that each texel of the skin shows."""
    texels = unrolled(base)
    triangles = triangles[np.ptp(texels[triangles, 0], axis=1) < SIDE / 4]  # none round the back of the head
    far = 1000.0
    depth = np.hypot(base[:, 0], base[:, 2] - AXIS) - far
    flat = np.column_stack([texels[:, 0] - SIDE / 2, SIDE / 2 - texels[:, 1]]) * (-depth / far)[:, None]
    places, _ = raster.draw(
        np.column_stack([flat, depth]), triangles, base, SIDE, 2 * np.arctan(SIDE / 2 / far)
    )
    return places[:SKIN_ROWS]


def widening(texels: Floats) -> Floats:
    """Return (N, 2) how texels of the eye move where its pupil opens wide, which the painted eye does not."""
    out = (texels - EYE_PATCH[:2]) / EYE_PATCH[2]
    away = np.hypot(out[:, 0], out[:, 1])
    inwards = 0.08 * smooth(away, 0.0, 0.15) * smooth(away, 0.42, 0.2)
    moved: Floats = -out * (EYE_PATCH[2] * inwards / np.maximum(away, 0.01))[:, None]
    return moved


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: int, octaves: int = 1) -> Floats:
    """Return smooth noise of mean 0 and deviation about 1, with `cells` bumps across, halved at each octave."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        n = cells * 2**octave
        grid = rng.standard_normal((max(2, n * shape[0] // shape[1]), n)).astype(np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total * 1.3


def streaks(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return noise of short upright strokes, of mean 0 and deviation about 1."""
    return cv2.resize(rng.standard_normal((shape[0] // 7, shape[1])).astype(np.float32), shape[::-1]) * 1.3


def smooth(value: ArrayLike, low: float, high: float) -> Floats:
    """Return 0 up to `low`, 1 from `high` on, and smoothly in between; `low` may be the greater one."""
    share = np.clip((np.asarray(value) - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))
