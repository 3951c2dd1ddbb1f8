"""Which parts of the model are drawn, where they lie on the chart of colours, and where the landmarks are.

Places are in centimetres on the average head of the model: x to the person's left, y up, z to the front.
"""

from typing import NamedTuple

import numpy as np

from omote.synthetic.rendered import chart
from omote.synthetic.rendered.model import FaceModel

# The vertices of the model, part after part; each number is the first after its part.
SKIN_END, MOUTH_END, SOCKETS_END, GUMS_END, TEETH_END = 11248, 13294, 14062, 17039, 21451
# The left and the right eyeball; the iris inside is left out, and painted on the ball.
EYEBALLS = (slice(21451, 22221), slice(23021, 23791))
# Of each eye's six strips of lashes the first above and the first below.
LASHES = tuple(slice(first, first + 114) for first in (25351, 25693, 26035, 26377))

# Where the five landmarks and the corners of the box are on the skin: the means of these places.
LANDMARKS = {
    "right_eye": ((-1.8, 3.35, 9.2), (-4.55, 3.5, 8.6)),
    "left_eye": ((1.8, 3.35, 9.2), (4.55, 3.5, 8.6)),
    "nose": ((0.0, 0.1, 13.1),),
    "mouth_right": ((-2.45, -3.5, 10.3),),
    "mouth_left": ((2.45, -3.5, 10.3),),
}
BOX = ((-7.4, 1.5, 3.5), (7.4, 1.5, 3.5), (0.0, 10.4, 9.0), (0.0, -7.6, 10.2))  # cheeks, forehead, chin


class Anatomy(NamedTuple):
    """The drawn part of the model: its vertices, of which the other fields hold the positions."""

    kept: np.ndarray  # (N,) which vertices of the model
    face: np.ndarray  # (T, 3) triangles of skin, eyes and the inside of the mouth
    mouth: np.ndarray  # (T, 3) triangles of gums, tongue and teeth
    lashes: np.ndarray  # (T, 3) triangles
    texels: np.ndarray  # (N, 2) on the atlas
    eyes: tuple[np.ndarray, np.ndarray]  # vertices of the left and the right eyeball
    inside: np.ndarray  # vertices inside the mouth
    landmarks: np.ndarray  # (5, 2) vertices, whose means are the landmarks
    box: np.ndarray  # (4,) vertices: right and left cheek, forehead, chin
    lips: np.ndarray  # (2, K) vertices of the upper and the lower lip that touch


def anatomy(model: FaceModel) -> Anatomy:
    """Return what is drawn of a model: all that can be seen from the front, as long as the mouth may open."""
    base, triangles = model.base, model.triangles
    a, b, c = (base[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    to_front = normal[:, 2] / (np.linalg.norm(normal, axis=1) + 1e-9)
    _, y, z = base[triangles].mean(1).T
    first, last = triangles.min(1), triangles.max(1)
    skin = (last < SKIN_END) & (y > -13.5) & (z > -3.5) & (to_front > -0.6)
    mouth = (last >= SKIN_END) & (last < MOUTH_END) & (z > 1)
    lips = mouth & (z > 8.5)
    sockets = (last >= MOUTH_END) & (last < SOCKETS_END) & (z > 8.3)
    gums = (last >= SOCKETS_END) & (last < GUMS_END) & (z > 2.5) & (to_front > -0.3)
    teeth = (last >= GUMS_END) & (last < TEETH_END) & (to_front > 0) & (y > -4.7) & (y < -1.6) & (z > 6.5)
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
    of_skin = kept[kept < SKIN_END]

    def nearest(places: np.ndarray) -> np.ndarray:
        distance = np.linalg.norm(base[of_skin] - np.asarray(places)[..., None, :], axis=-1)
        closest: np.ndarray = number[of_skin[distance.argmin(-1)]]
        return closest

    # Landmarks of one place only name it twice.
    landmarks = np.stack([nearest(np.array((places[0], places[-1]))) for places in LANDMARKS.values()])
    in_socket = (kept >= MOUTH_END) & (kept < SOCKETS_END)
    left, right = (np.flatnonzero((kept >= ball.start) & (kept < ball.stop)) for ball in EYEBALLS)
    return Anatomy(
        kept=kept,
        **{name: number[group] for name, group in groups.items()},
        texels=_texels(base, kept),
        eyes=(left, right),
        inside=np.flatnonzero((kept >= SKIN_END) & (kept < TEETH_END) & ~in_socket),
        landmarks=landmarks,
        box=nearest(np.array(BOX)),
        lips=number[_lips(model)],
    )


def _lips(model: FaceModel) -> np.ndarray:
    """Return (2, K) vertices of the model where the lips meet, the lower ones being those the jaw takes along."""
    falls = model.expression[model.expression_names.index("jawOpen"), :SKIN_END, 1]
    pairs = []
    for x in (-1.5, -0.75, 0.0, 0.75, 1.5):
        near = np.linalg.norm(model.base[:SKIN_END] - (x, -3.35, 11.2 - 0.2 * x * x), axis=1) < 0.5
        upper, lower = np.flatnonzero(near & (falls > -1)), np.flatnonzero(near & (falls < -1.5))
        pairs.append((upper[model.base[upper, 1].argmin()], lower[model.base[lower, 1].argmax()]))
    return np.array(pairs).T


def _texels(base: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return (N, 2) places on the atlas."""
    texels = chart.unrolled(base[kept])
    x, y, z = base[kept].T
    mouth, gums, teeth = (
        (kept >= low) & (kept < high)
        for low, high in ((SKIN_END, MOUTH_END), (SOCKETS_END, GUMS_END), (GUMS_END, TEETH_END))
    )
    tongue = gums & (np.abs(x) < 2.0) & (z < 10.0) & (y < -2.6) & (y > -4.2)
    for part, name in ((mouth, "inner_mouth"), (gums, "gums"), (tongue, "tongue"), (teeth, "teeth")):
        texels[part] = chart.MOUTH_PATCHES[name]
    for ball in EYEBALLS:  # seen along the axis through the middle of the cornea
        whole = base[ball]
        middle = (whole.min(0) + whole.max(0)) / 2
        axis = whole[np.argsort(-whole[:, 2])[:12]].mean(0) - middle
        axis /= np.linalg.norm(axis)
        right = np.cross((0, 1, 0), axis)
        right /= np.linalg.norm(right)
        part = (kept >= ball.start) & (kept < ball.stop)
        ways = base[kept[part]] - middle
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        column, row, radius = chart.EYE_PATCH
        texels[part] = np.column_stack(
            [column + radius * ways @ right, row - radius * ways @ np.cross(axis, right)]
        )
    return texels
