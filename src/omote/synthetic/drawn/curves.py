"""Splines, tapered strokes and ellipses, as polygons."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2) x, y
Point = tuple[float, float]


@lru_cache(maxsize=64)
def spline_basis(controls: int, steps: int, closed: bool) -> Points:
    """Return (points, controls): a Catmull-Rom spline through `controls` points is `basis @ points`.

    Args:
        steps: points per segment.
    """
    segments = controls if closed else controls - 1
    basis = np.zeros((segments * steps + (0 if closed else 1), controls))
    for row in range(len(basis)):
        segment, t = (segments - 1, 1.0) if row == segments * steps else (row // steps, (row % steps) / steps)
        weights = (
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        )
        for offset, weight in enumerate(weights):
            control = segment + offset - 1
            control = control % controls if closed else min(max(control, 0), controls - 1)
            basis[row, control] += weight
    return basis


def curve(*controls: Point, closed: bool = False, steps: int = 6) -> Points:
    """Return the points (n, 2) of a spline through the control points, `steps` per segment."""
    points: Points = spline_basis(len(controls), steps, closed) @ np.array(controls)
    return points


@lru_cache(maxsize=64)
def _taper(points: int, peak: float) -> Points:
    t = np.linspace(0, 1, points)
    taper: Points = 0.5 * np.minimum(1, np.minimum(t / peak, (1 - t) / (1 - peak))) ** 0.7
    return taper


def tapered_strokes(lines: Points, width: float | Points, peak: float = 0.5) -> Points:
    """Return the outlines (..., 2 n, 2) of strokes along lines (..., n, 2) that taper towards both ends.

    Args:
        width: greatest width of all strokes, or (..., 1) of each.
        peak: position of the greatest width along the line, in (0, 1).
    """
    along = np.empty_like(lines)
    along[..., 1:-1, :] = lines[..., 2:, :] - lines[..., :-2, :]
    along[..., 0, :] = lines[..., 1, :] - lines[..., 0, :]
    along[..., -1, :] = lines[..., -1, :] - lines[..., -2, :]
    along *= (_taper(lines.shape[-2], peak) * width / (np.sqrt((along**2).sum(-1)) + 1e-9))[..., None]
    offset = along[..., ::-1] * np.array([-1.0, 1.0])
    return np.concatenate([lines - offset, (lines + offset)[..., ::-1, :]], axis=-2)


_CIRCLE = np.stack([np.cos(np.arange(20) * np.pi / 10), np.sin(np.arange(20) * np.pi / 10)], 1)


def ellipse(centre: Point, a: float, b: float, angle: float = 0.0) -> Points:
    """Return an ellipse (20, 2) with half-axes a (along x) and b, rotated by an angle in radians."""
    c, s = math.cos(angle), math.sin(angle)
    points: Points = _CIRCLE @ np.array([[a * c, a * s], [-b * s, b * c]])
    points += centre
    return points


def ellipses(centres: Points, a: float, b: float) -> Points:
    """Return axis-parallel ellipses (k, 20, 2) with centres (k, 2) and half-axes a (along x) and b."""
    points: Points = _CIRCLE * np.array([a, b]) + centres[:, None]
    return points
