"""Triangles to pixels, with OpenCV's rasteriser: no display, one core.

The camera looks along -z, x to the right and y up. `view` is its angle of view in radians, upwards and across.
"""

import cv2
import numpy as np

NEAR, FAR = 10.0, 4000.0  # cm; nothing outside is drawn, and FAR is the depth of nothing
UPRIGHT = np.eye(4, dtype=np.float32)


def _settings(culling: bool) -> cv2.TriangleRasterizeSettings:
    settings = cv2.TriangleRasterizeSettings()
    settings.setCullingMode(cv2.RASTERIZE_CULLING_CW if culling else cv2.RASTERIZE_CULLING_NONE)
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    return settings


def draw(
    vertices: np.ndarray,
    triangles: np.ndarray,
    values: np.ndarray,
    size: int,
    view: float,
    behind: np.ndarray | None = None,
    culling: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (size, size, 3) values between those of the vertices, 0 where nothing is drawn; and the depth.

    Args:
        values: (V, 3) in [0, 1].
        behind: (size, size) depth of what is there already, and hides what lies further away.
        culling: leave out triangles that show their back.
    """
    picture = np.zeros((size, size, 3), np.float32)
    depth = np.full((size, size), FAR, np.float32) if behind is None else behind.copy()
    cv2.triangleRasterize(
        np.ascontiguousarray(vertices, np.float32),
        triangles,
        np.ascontiguousarray(values, np.float32),
        picture,
        depth,
        UPRIGHT,
        view,
        NEAR,
        FAR,
        _settings(culling),
    )
    return picture, depth


def depth_of(vertices: np.ndarray, triangles: np.ndarray, size: int, view: float) -> np.ndarray:
    """Return (size, size) the distance of what is seen, FAR where nothing is."""
    depth = np.full((size, size), FAR, np.float32)
    vertices = np.ascontiguousarray(vertices, np.float32)
    cv2.triangleRasterizeDepth(vertices, triangles, depth, UPRIGHT, view, NEAR, FAR, _settings(False))
    return depth
