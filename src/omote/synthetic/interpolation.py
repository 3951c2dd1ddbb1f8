"""Interpolation between two values."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def lerp(low: float, high: float, t: float) -> float:
    """Return `low` at t = 0, `high` at t = 1, linear in t."""
    return low + (high - low) * t


def smoothstep(value: ArrayLike, low: float = 0.0, high: float = 1.0) -> NDArray[Any]:
    """Return 0 at `low`, 1 at `high`, a cubic between them, constant beyond; `low` may exceed `high`."""
    t = np.clip((np.asarray(value) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
