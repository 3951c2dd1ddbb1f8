"""Triangle rasterisation by OpenCV: needs no display and runs on one core.

The camera is at the origin and looks along -z, x to the right and y up. `view` is its field of view in radians, the
same across and upwards.
"""

import cv2
import numpy as np

NEAR, FAR = 10.0, 4000.0  # clipping planes, cm; FAR is also the depth of empty pixels
CAMERA_POSE = np.eye(4, dtype=np.float32)


def rasterise(
    vertices: np.ndarray,
    triangles: np.ndarray,
    values: np.ndarray,
    size: int,
    view: float,
    occluder: np.ndarray | None = None,
    culling: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return interpolated vertex values (size, size, 3), 0 where empty, and the depth (size, size) in cm.

    Args:
        vertices: (V, 3) cm.
        values: (V, 3) in [0, 1].
        occluder: (size, size) depth of what is already there; it hides everything behind it.
        culling: leave out back-facing triangles.
    """
    picture = np.zeros((size, size, 3), np.float32)
    depth = np.full((size, size), FAR, np.float32) if occluder is None else occluder.copy()
    cv2.triangleRasterize(
        np.ascontiguousarray(vertices, np.float32),
        triangles,
        np.ascontiguousarray(values, np.float32),
        picture,
        depth,
        CAMERA_POSE,
        view,
        NEAR,
        FAR,
        _settings(culling),
    )
    return picture, depth


def rasterise_depth(vertices: np.ndarray, triangles: np.ndarray, size: int, view: float) -> np.ndarray:
    """Return the depth (size, size) in cm, FAR where empty."""
    depth = np.full((size, size), FAR, np.float32)
    vertices = np.ascontiguousarray(vertices, np.float32)
    cv2.triangleRasterizeDepth(
        vertices, triangles, depth, CAMERA_POSE, view, NEAR, FAR, _settings(culling=False)
    )
    return depth


def _settings(culling: bool) -> cv2.TriangleRasterizeSettings:
    settings = cv2.TriangleRasterizeSettings()
    settings.setCullingMode(cv2.RASTERIZE_CULLING_CW if culling else cv2.RASTERIZE_CULLING_NONE)
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    return settings
