"""Creases of the skin that come with an expression: of the forehead, the frown, beside the mouth, crow's feet."""

from itertools import pairwise

import cv2
import numpy as np

from omote.synthetic.rendered.chart import SIDE, SKIN_ROWS, Floats

# How much each expression shape deepens them, their width (cm), and their lines over the face, from place to
# place: (to each side, y) in cm.
Lines = list[list[tuple[float, float]]]
CREASES: list[tuple[dict[str, float], float, Lines]] = [
    (  # the middle of the forehead
        {"browInnerUp": 0.8, "browOuterUp": 0.2},
        0.16,
        [[(0.0, y), (1.2, y + 0.1), (2.6, y + 0.15)] for y in (6.9, 7.8, 8.7)],
    ),
    (  # its sides
        {"browOuterUp": 0.8, "browInnerUp": 0.2},
        0.16,
        [[(2.2, y + 0.15), (3.6, y + 0.2), (4.9, y - 0.2)] for y in (7.0, 7.8, 8.6)],
    ),
    (  # between the brows
        {"browDown": 1.0},
        0.16,
        [[(0.55, 4.6), (0.6, 5.4), (0.8, 6.3)], [(0.0, 4.1), (0.5, 4.2)]],
    ),
    (  # the root of the nose
        {"noseSneer": 1.0},
        0.13,
        [[(0.4, 3.7), (1.0, 3.0)], [(0.3, 3.1), (0.95, 2.4)], [(0.6, 4.7), (0.6, 5.6)]],
    ),
    (  # from the nose to the corner of the mouth
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


def creases(places: Floats, expression_names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Return how strongly each expression shape draws creases, (57, K), and the creases, (K, rows, columns).

    The lines are at half the chart's resolution: 1 is a black line, less than 0 the swelling beside it.
    """
    small = cv2.resize(places, (SIDE // 2, SKIN_ROWS // 2), interpolation=cv2.INTER_AREA)
    side, y = np.abs(small[..., 0]), small[..., 1]
    strengths, maps = [], []
    for causes, width, lines in CREASES:
        distance = np.full(y.shape, 99.0, np.float32)
        for line in lines:
            for (x0, y0), (x1, y1) in pairwise(line):
                length = (x1 - x0) ** 2 + (y1 - y0) ** 2
                t = np.clip(((side - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
                distance = np.minimum(distance, np.hypot(side - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0)))
        drawn = np.exp(-((distance / width) ** 2)) - 0.25 * np.exp(-((distance / width / 3) ** 2))
        for half, suffix in ((small[..., 0] > 0, "_L"), (small[..., 0] <= 0, "_R")):
            maps.append(drawn * half * (small[..., 2] > 4))
            strengths.append(
                [
                    causes.get(n.removesuffix(suffix), 0.0) if n.endswith(suffix) or n in causes else 0.0
                    for n in expression_names
                ]
            )
    return np.array(strengths, np.float32).T.copy(), np.array(maps, np.float32)
