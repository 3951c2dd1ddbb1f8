"""Creases that an expression draws in the skin: forehead lines, frown, crow's feet and others."""

from itertools import pairwise

import cv2
import numpy as np

from omote.synthetic.rendered.atlas import ATLAS_SIZE, SKIN_ROWS, Floats

Lines = list[list[tuple[float, float]]]  # polylines of points (|x|, y) in cm, on both sides of the face
# For each kind of crease: how much each unit of expression deepens it, its width in cm, and its lines.
CREASES: list[tuple[dict[str, float], float, Lines]] = [
    (  # middle of the forehead
        {"browInnerUp": 0.8, "browOuterUp": 0.2},
        0.16,
        [[(0.0, y), (1.2, y + 0.1), (2.6, y + 0.15)] for y in (6.9, 7.8, 8.7)],
    ),
    (  # sides of the forehead
        {"browOuterUp": 0.8, "browInnerUp": 0.2},
        0.16,
        [[(2.2, y + 0.15), (3.6, y + 0.2), (4.9, y - 0.2)] for y in (7.0, 7.8, 8.6)],
    ),
    (  # between the brows
        {"browDown": 1.0},
        0.16,
        [[(0.55, 4.6), (0.6, 5.4), (0.8, 6.3)], [(0.0, 4.1), (0.5, 4.2)]],
    ),
    (  # root of the nose
        {"noseSneer": 1.0},
        0.13,
        [[(0.4, 3.7), (1.0, 3.0)], [(0.3, 3.1), (0.95, 2.4)], [(0.6, 4.7), (0.6, 5.6)]],
    ),
    (  # nasolabial fold
        {"mouthSmile": 0.75, "noseSneer": 0.6, "mouthUpperUp": 0.6, "mouthDimple": 0.3, "mouthStretch": 0.2},
        0.36,
        [[(1.75, -0.1), (2.3, -1.0), (2.95, -2.2), (3.35, -3.4), (3.3, -4.2)]],
    ),
    (  # crow's feet
        {"cheekSquint": 0.6, "cheekRaiser": 0.4, "eyeSquint": 0.5, "mouthSmile": 0.25},
        0.11,
        [[(4.9, 3.5), (5.8, 4.0)], [(4.95, 3.3), (6.0, 3.3)], [(4.85, 3.0), (5.8, 2.5)]],
    ),
    (  # below the eye
        {"cheekSquint": 0.5, "cheekRaiser": 0.4, "eyeSquint": 0.5, "mouthSmile": 0.15},
        0.17,
        [[(1.9, 2.75), (2.6, 2.25), (3.4, 2.1), (4.5, 2.5)]],
    ),
    ({"mouthFrown": 0.9, "mouthStretch": 0.3}, 0.22, [[(2.65, -3.7), (2.95, -4.4), (3.1, -5.2)]]),
    ({"mouthDimple": 0.9, "mouthPress": 0.4, "mouthSmile": 0.25}, 0.22, [[(2.95, -3.0), (3.05, -3.8)]]),
    (  # above and on the chin
        {"mouthShrugLower": 0.8, "mouthPress": 0.2},
        0.25,
        [[(0.0, -4.95), (0.7, -4.95), (1.2, -4.8)], [(0.5, -6.2), (0.5, -6.3)]],
    ),
]


def crease_maps(points: Floats, expression_names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Return how strongly each expression shape draws each crease (57, K), and maps of the creases (K, rows, columns).

    Maps have half the resolution of the atlas. 1 is the bottom of a crease, below 0 is the bulge beside it.

    Args:
        points: (SKIN_ROWS, ATLAS_SIZE, 3) as from `texel_points`.
    """
    small = cv2.resize(points, (ATLAS_SIZE // 2, SKIN_ROWS // 2), interpolation=cv2.INTER_AREA)
    side, y = np.abs(small[..., 0]), small[..., 1]
    strengths, maps = [], []
    for units, width, lines in CREASES:
        distance = np.full(y.shape, 99.0, np.float32)
        for line in lines:
            for (x0, y0), (x1, y1) in pairwise(line):
                length = (x1 - x0) ** 2 + (y1 - y0) ** 2
                t = np.clip(((side - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
                distance = np.minimum(distance, np.hypot(side - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0)))
        profile = np.exp(-((distance / width) ** 2)) - 0.25 * np.exp(-((distance / width / 3) ** 2))
        for half, suffix in ((small[..., 0] > 0, "_L"), (small[..., 0] <= 0, "_R")):
            maps.append(profile * half * (small[..., 2] > 4))
            shapes = units | {f"{unit}{suffix}": strength for unit, strength in units.items()}
            strengths.append([shapes.get(name, 0.0) for name in expression_names])
    return np.array(strengths, np.float32).T.copy(), np.array(maps, np.float32)
