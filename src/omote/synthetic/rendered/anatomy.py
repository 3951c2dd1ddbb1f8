"""Rendered parts of the face model: their vertices, triangles, texels and landmarks.

Points are in centimetres on the average head of the model: x to the person's left, y up, z to the front.
"""

from typing import NamedTuple

import numpy as np

from omote.synthetic.rendered import atlas
from omote.synthetic.rendered.model import FaceModel

# The parts of the model follow each other in its list of vertices; each number is the first vertex after a part.
SKIN_END, MOUTH_END, SOCKETS_END, GUMS_END, TEETH_END = 11248, 13294, 14062, 17039, 21451
# The left and the right eyeball. The model has an iris inside each; here it is painted on the ball.
EYEBALLS = (slice(21451, 22221), slice(23021, 23791))
# Per eye, the first strip of lashes of the upper and of the lower lid (the model has six).
LASHES = tuple(slice(first, first + 114) for first in (25351, 25693, 26035, 26377))

# Points of the skin whose means are the landmarks.
LANDMARKS = {
    "right_eye": ((-1.8, 3.35, 9.2), (-4.55, 3.5, 8.6)),
    "left_eye": ((1.8, 3.35, 9.2), (4.55, 3.5, 8.6)),
    "nose": ((0.0, 0.1, 13.1),),
    "mouth_right": ((-2.45, -3.5, 10.3),),
    "mouth_left": ((2.45, -3.5, 10.3),),
}
# Points of the skin that bound the box: cheeks, forehead, chin.
BOX = ((-7.4, 1.5, 3.5), (7.4, 1.5, 3.5), (0.0, 10.4, 9.0), (0.0, -7.6, 10.2))


class Anatomy(NamedTuple):
    """The rendered part of the model. All fields but the first hold indices or values of the kept vertices."""

    kept: np.ndarray  # (N,) vertices of the model
    face: np.ndarray  # (T, 3) triangles of skin, eyes and the inside of the mouth
    mouth: np.ndarray  # (T, 3) triangles of gums, tongue and teeth
    lashes: np.ndarray  # (T, 3) triangles
    texels: np.ndarray  # (N, 2) of the atlas
    eyes: tuple[np.ndarray, np.ndarray]  # vertices of the left and of the right eyeball
    inside: np.ndarray  # vertices inside the mouth
    landmarks: np.ndarray  # (5, 2) vertices; each landmark is the mean of two
    box: np.ndarray  # (4,) vertices: right and left cheek, forehead, chin
    lips: np.ndarray  # (2, K) vertices where the upper and the lower lip meet


def select_anatomy(model: FaceModel) -> Anatomy:
    """Return the parts of a model that can be visible from the front, with the mouth closed or open."""
    base, triangles = model.base, model.triangles
    a, b, c = (base[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    facing = normal[:, 2] / (np.linalg.norm(normal, axis=1) + 1e-9)
    _, y, z = base[triangles].mean(1).T
    first, last = triangles.min(1), triangles.max(1)
    skin = (last < SKIN_END) & (y > -13.5) & (z > -3.5) & (facing > -0.6)
    mouth = (last >= SKIN_END) & (last < MOUTH_END) & (z > 1)
    lips = mouth & (z > 8.5)
    sockets = (last >= MOUTH_END) & (last < SOCKETS_END) & (z > 8.3)
    gums = (last >= SOCKETS_END) & (last < GUMS_END) & (z > 2.5) & (facing > -0.3)
    teeth = (last >= GUMS_END) & (last < TEETH_END) & (facing > 0) & (y > -4.7) & (y < -1.6) & (z > 6.5)
    balls = np.any([(first >= ball.start) & (last < ball.stop) & (z > 8.2) for ball in EYEBALLS], axis=0)
    lashes = np.any([(first >= strip.start) & (last < strip.stop) for strip in LASHES], axis=0)

    groups = {
        "face": triangles[skin | lips | sockets | balls],
        "mouth": triangles[(mouth & ~lips) | gums | teeth],
        "lashes": triangles[lashes],
    }
    kept = np.unique(np.concatenate([group.ravel() for group in groups.values()]))
    number = np.full(len(base), -1, np.int32)
    number[kept] = np.arange(len(kept))
    kept_skin = kept[kept < SKIN_END]

    def nearest_vertices(points: np.ndarray) -> np.ndarray:
        distance = np.linalg.norm(base[kept_skin] - points[..., None, :], axis=-1)
        nearest: np.ndarray = number[kept_skin[distance.argmin(-1)]]
        return nearest

    # A landmark of a single point repeats its vertex.
    landmarks = np.array([(points[0], points[-1]) for points in LANDMARKS.values()])
    in_socket = (kept >= MOUTH_END) & (kept < SOCKETS_END)
    left, right = (np.flatnonzero((kept >= ball.start) & (kept < ball.stop)) for ball in EYEBALLS)
    return Anatomy(
        kept=kept,
        **{name: number[group] for name, group in groups.items()},
        texels=_atlas_texels(base, kept),
        eyes=(left, right),
        inside=np.flatnonzero((kept >= SKIN_END) & (kept < TEETH_END) & ~in_socket),
        landmarks=nearest_vertices(landmarks),
        box=nearest_vertices(np.array(BOX)),
        lips=number[_lip_pairs(model)],
    )


def _lip_pairs(model: FaceModel) -> np.ndarray:
    """Return the vertices (2, K) of the model where upper and lower lip meet; the lower ones move with the jaw."""
    jaw_motion = model.expression[model.expression_names.index("jawOpen"), :SKIN_END, 1]
    pairs = []
    for x in (-1.5, -0.75, 0.0, 0.75, 1.5):
        near = np.linalg.norm(model.base[:SKIN_END] - (x, -3.35, 11.2 - 0.2 * x * x), axis=1) < 0.5
        upper, lower = np.flatnonzero(near & (jaw_motion > -1)), np.flatnonzero(near & (jaw_motion < -1.5))
        pairs.append((upper[model.base[upper, 1].argmin()], lower[model.base[lower, 1].argmax()]))
    return np.array(pairs).T


def _atlas_texels(base: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the texels (N, 2) of the vertices `kept`."""
    texels = atlas.unwrap(base[kept])
    x, y, z = base[kept].T
    mouth, gums, teeth = (
        (kept >= low) & (kept < high)
        for low, high in ((SKIN_END, MOUTH_END), (SOCKETS_END, GUMS_END), (GUMS_END, TEETH_END))
    )
    tongue = gums & (np.abs(x) < 2.0) & (z < 10.0) & (y < -2.6) & (y > -4.2)
    for part, name in ((mouth, "inner_mouth"), (gums, "gums"), (tongue, "tongue"), (teeth, "teeth")):
        texels[part] = atlas.MOUTH_PATCHES[name]
    for ball in EYEBALLS:  # projected along the axis through the centre of the cornea
        whole = base[ball]
        centre = (whole.min(0) + whole.max(0)) / 2
        axis = whole[np.argsort(-whole[:, 2])[:12]].mean(0) - centre
        axis /= np.linalg.norm(axis)
        right = np.cross((0, 1, 0), axis)
        right /= np.linalg.norm(right)
        part = (kept >= ball.start) & (kept < ball.stop)
        directions = base[kept[part]] - centre
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        column, row, radius = atlas.EYE_PATCH
        texels[part] = np.column_stack(
            [column + radius * directions @ right, row - radius * directions @ np.cross(axis, right)]
        )
    return texels
