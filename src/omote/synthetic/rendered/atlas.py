"""Layout of the texture atlas of a head, the UV mapping of the skin, and noise to paint with.

The skin is unwrapped onto a cylinder round an upright axis and fills the upper rows of the atlas. Below it are the
eye, the mouth, and the hair seen behind the head. Points are in centimetres on the average head of the model: x to the
person's left, y up, z to the front.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from omote.synthetic.interpolation import smoothstep
from omote.synthetic.rendered import raster

Floats = NDArray[Any]  # of any precision
Ints = NDArray[Any]  # of any precision

ATLAS_SIZE = 512  # side of the atlas in texels
SKIN_ROWS = 416  # rows of the atlas with skin
TOP, BOTTOM = 14.6, -14.0  # y of the first and the last row of skin, cm
MAX_ANGLE = np.deg2rad(112)  # of the skin from the front, to either side, round the axis
AXIS = 1.0  # z of the axis, cm
EYE_PATCH = (48.0, 464.0, 44.0)  # centre (x, y) and radius of the eyeball, in texels
MOUTH_PATCHES = {"inner_mouth": (120, 464), "gums": (160, 464), "tongue": (200, 464), "teeth": (240, 464)}
HAIR_PATCH = (272, SKIN_ROWS, 240, 96)  # x, y, width, height, in texels


def unwrap(points: Floats) -> Floats:
    """Return the texels (V, 2) of points (V, 3) of the skin."""
    angle = np.arctan2(points[:, 0], points[:, 2] - AXIS)
    column = np.clip(angle / (2 * MAX_ANGLE) + 0.5, 0, 1) * (ATLAS_SIZE - 1)
    row = np.clip((TOP - points[:, 1]) / (TOP - BOTTOM), 0, 1) * (SKIN_ROWS - 1)
    return np.stack([column, row], 1).astype(np.float32)


def texel_points(base: Floats, triangles: Ints) -> Floats:
    """Return the point (SKIN_ROWS, ATLAS_SIZE, 3) on the average head of each texel of skin."""
    texels = unwrap(base)
    triangles = triangles[np.ptp(texels[triangles, 0], axis=1) < ATLAS_SIZE / 4]  # none across the seam
    far = 1000.0
    depth = np.hypot(base[:, 0], base[:, 2] - AXIS) - far
    flat = np.column_stack([texels[:, 0] - ATLAS_SIZE / 2, ATLAS_SIZE / 2 - texels[:, 1]])
    vertices = np.column_stack([flat * (-depth / far)[:, None], depth])
    points, _ = raster.rasterise(vertices, triangles, base, ATLAS_SIZE, 2 * np.arctan(ATLAS_SIZE / 2 / far))
    return points[:SKIN_ROWS]


def pupil_offsets(texels: Floats) -> Floats:
    """Return how texels (N, 2) of the eye move when its pupil is fully dilated."""
    out = (texels - EYE_PATCH[:2]) / EYE_PATCH[2]
    radius = np.hypot(out[:, 0], out[:, 1])
    inwards = 0.08 * smoothstep(radius, 0.0, 0.15) * smoothstep(radius, 0.42, 0.2)
    offsets: Floats = -out * (EYE_PATCH[2] * inwards / np.maximum(radius, 0.01))[:, None]
    return offsets


def value_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int, octaves: int = 1) -> Floats:
    """Return smooth noise of mean 0 and standard deviation about 1.

    Args:
        cells: across the width, in the first octave; each further octave has twice as many and half the amplitude.
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        n = cells * 2**octave
        grid = rng.standard_normal((max(2, n * shape[0] // shape[1]), n)).astype(np.float32)
        total += cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC) / 2**octave
    return total * 1.3


def streak_noise(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return noise of short upright streaks, of mean 0 and standard deviation about 1."""
    return cv2.resize(rng.standard_normal((shape[0] // 7, shape[1])).astype(np.float32), shape[::-1]) * 1.3
