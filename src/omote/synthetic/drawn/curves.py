"""Smooth curves, and strokes that taper along them."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2) x, y
Point = tuple[float, float]


@lru_cache(maxsize=64)
def spline_basis(controls: int, steps: int, closed: bool) -> Points:
    """Return (points, controls): a Catmull-Rom curve through the controls is `basis @ controls`."""
    pieces = controls if closed else controls - 1
    basis = np.zeros((pieces * steps + (0 if closed else 1), controls))
    for row in range(len(basis)):
        piece, t = (pieces - 1, 1.0) if row == pieces * steps else (row // steps, (row % steps) / steps)
        weights = (
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        )
        for offset, weight in enumerate(weights):
            control = piece + offset - 1
            control = control % controls if closed else min(max(control, 0), controls - 1)
            basis[row, control] += weight
    return basis


def curve(*controls: Point, closed: bool = False, steps: int = 6) -> Points:
    """Return a smooth curve through the control points, `steps` points from one to the next."""
    points: Points = spline_basis(len(controls), steps, closed) @ np.array(controls)
    return points


@lru_cache(maxsize=64)
def _taper(points: int, peak: float) -> Points:
    t = np.linspace(0, 1, points)
    taper: Points = 0.5 * np.minimum(1, np.minimum(t / peak, (1 - t) / (1 - peak))) ** 0.7
    return taper


def lens(lines: Points, width: float | Points, peak: float = 0.5) -> Points:
    """Return the outlines (..., 2 n, 2) of strokes along lines (..., n, 2) that taper to both ends.

    Args:
        width: of the stroke where it is widest, or (..., 1) one for every line.
        peak: where that is, in (0, 1) along the line.
    """
    along = np.empty_like(lines)
    along[..., 1:-1, :] = lines[..., 2:, :] - lines[..., :-2, :]
    along[..., 0, :] = lines[..., 1, :] - lines[..., 0, :]
    along[..., -1, :] = lines[..., -1, :] - lines[..., -2, :]
    along *= (_taper(lines.shape[-2], peak) * width / (np.sqrt((along**2).sum(-1)) + 1e-9))[..., None]
    offset = along[..., ::-1] * np.array([-1.0, 1.0])
    return np.concatenate([lines - offset, (lines + offset)[..., ::-1, :]], axis=-2)


_CIRCLE = np.stack([np.cos(np.arange(20) * np.pi / 10), np.sin(np.arange(20) * np.pi / 10)], 1)


def ellipse(centre: Point, a: float, b: float, turn: float = 0.0) -> Points:
    """Return an ellipse (20, 2) with half-axes a (along x) and b, turned by radians."""
    c, s = math.cos(turn), math.sin(turn)
    points: Points = _CIRCLE @ np.array([[a * c, a * s], [-b * s, b * c]])
    points += centre
    return points


def ellipses(centres: Points, a: float, b: float) -> Points:
    """Return upright ellipses (k, 20, 2) around centres (k, 2)."""
    points: Points = _CIRCLE * np.array([a, b]) + centres[:, None]
    return points


def between(low: float, high: float, t: float) -> float:
    return low + (high - low) * t
