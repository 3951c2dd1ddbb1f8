"""Albedo of the skin, and the shading of its relief."""

from functools import lru_cache

import cv2
import numpy as np

from omote.synthetic.drawn.canvas import FRACTION_BITS, Canvas, Colour, Floats, pixel_centres
from omote.synthetic.drawn.factors import Identity, Nuisance
from omote.synthetic.drawn.relief import Bump, Tint, Wrinkle, wrinkle_outlines
from omote.synthetic.drawn.shape import HeadOutline


@lru_cache(maxsize=8)
def _skin_texture(identity: Identity, canvas: int) -> Floats:
    """Return blotches and freckles (3, canvas, canvas), in grey levels to add to the skin."""
    rng = np.random.default_rng(11)
    fine = cv2.GaussianBlur(rng.standard_normal((256, 256)).astype(np.float32), (0, 0), 3.0)
    spots = cv2.GaussianBlur(rng.standard_normal((256, 256)).astype(np.float32), (0, 0), 1.7)
    spots = np.clip(spots / spots.std() - 1.1, 0, 1.5)
    fine, spots = (
        cv2.resize(field, (canvas, canvas), interpolation=cv2.INTER_AREA) for field in (fine, spots)
    )
    x, y = np.meshgrid(pixel_centres(canvas), pixel_centres(canvas))
    where = np.exp(-(((y - 0.06) / 0.26) ** 2) - ((np.abs(x) - 0.22) / 0.3) ** 2)
    blotches = fine / fine.std() * (1.2 + 2.0 * identity.age)
    return np.stack(
        [
            weight * blotches + depth * spots * where * identity.freckles
            for weight, depth in ((0.8, -30), (1.0, -42), (1.0, -42))
        ]
    ).astype(np.float32)


def _bump_slopes(bumps: list[Bump], grid: Floats) -> tuple[Floats, Floats]:
    """Return the slopes (canvas, canvas) of the bumps in x and in y."""
    x, y, sx, sy, strength = (column[:, None] for column in np.array(bumps, np.float32).T)
    dx, dy = (grid - x) / sx, (grid - y) / sy
    along_x, along_y = np.exp(-0.5 * dx * dx), np.exp(-0.5 * dy * dy) * strength
    return along_y.T @ (-along_x * dx / sx), (-along_y * dy / sy).T @ along_x


def skin_albedo(i: Identity, tints: list[Tint], skin: Colour, contrast: float, size: int) -> Floats:
    """Return the colour (3, size, size) of the skin without light.

    Args:
        contrast: multiplies the tints.
    """
    grid = pixel_centres(size)
    table = np.array(tints, np.float32)
    along_x = np.exp(-0.5 * ((grid - table[:, :1]) / table[:, 2:3]) ** 2)
    along_y = np.exp(-0.5 * ((grid - table[:, 1:2]) / table[:, 3:4]) ** 2)
    weighted = along_y * (table[:, 4:].T * np.float32(contrast))[..., None]
    pixels: Floats = weighted.transpose(0, 2, 1) @ along_x
    pixels += _skin_texture(i, size)
    pixels += skin[:, None, None]
    return pixels


def shade_relief(
    face: Canvas, head: HeadOutline, bumps: list[Bump], wrinkles: list[Wrinkle], n: Nuisance
) -> tuple[Floats, Floats]:
    """Return the diffuse shading (size, size), 0 where the skin faces the viewer, and the specular one in [0, 1]."""
    grid = pixel_centres(face.size)
    direction = np.array([0.75 * n.light_x, -0.75 * n.light_y, 0.8])
    light = (direction / np.linalg.norm(direction)).astype(np.float32)
    creases = np.zeros((face.size, face.size), np.uint8)
    for depths, outlines in wrinkle_outlines(wrinkles):
        for depth, outline in zip(depths, face.to_fixed_point(outlines), strict=True):
            cv2.fillPoly(creases, [outline], round(255 * depth), cv2.LINE_AA, FRACTION_BITS)
    crease = cv2.GaussianBlur(creases * np.float32(1 / 255), (0, 0), 0.0125 * 0.5 * face.size)

    slope_x, slope_y = _bump_slopes(bumps, grid)
    half = np.interp(grid, *head.half_width).astype(np.float32)
    u = np.clip(grid / half[:, None], -1.15, 1.15)
    bend = u * u
    bend *= bend
    bend *= np.float32(0.85)
    bend += np.float32(0.18)
    slope_x -= bend * u
    v = np.clip((grid + 0.15) / np.float32(head.chin_y + 0.15), -1.1, 1.1)
    slope_y -= (0.12 * v + 0.75 * v**7)[:, None]
    steep = np.float32(0.25 * face.size * 0.016)
    slope_x[:, 1:-1] -= (crease[:, 2:] - crease[:, :-2]) * steep
    slope_y[1:-1] -= (crease[2:] - crease[:-2]) * steep

    toward = light[2] - light[0] * slope_x - light[1] * slope_y
    length = np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    diffuse = np.maximum(toward / length, 0)
    specular = np.clip(2 * diffuse / length - light[2], 0, 1) ** 2  # reflection towards the viewer
    specular *= specular
    specular *= specular
    shading = (0.50 + 0.62 / light[2] * diffuse) * (1 - 0.30 * crease)
    shading -= 1.12
    return shading, specular
