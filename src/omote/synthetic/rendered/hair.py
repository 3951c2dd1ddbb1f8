"""Hair that stands off the head, and lashes: strands with ragged ends, drawn over the face.

The model has no hair. Strands start at a pole on the skull (the crown, or the front end of a parting), follow the
skull outwards to the hairline or beyond it, and then hang. The surface through them is one mesh.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from omote.synthetic.rendered.albedo import hair_colour, hairline
from omote.synthetic.rendered.anatomy import LASHES
from omote.synthetic.rendered.chart import AXIS, HAIR_PATCH, Floats, Numbers, noise, smooth
from omote.synthetic.rendered.look import Look

STRANDS, POINTS = 112, 26  # of the mesh: round the head, and along each strand
SIDE = 256  # of the texture, in texels
HAIR_ROWS = 224  # of it; the rest holds the lashes
MIDDLE = np.array((0.0, 5.0, 0.5))  # of the skull, cm on the average head
RADIUS = 9.0  # of the skull, cm
HANG_HEIGHT = 0.08  # strands leave the skull this far above its middle, in radii


class Hair(NamedTuple):
    """A mesh and where its vertices lie in the texture."""

    vertices: Floats  # (N, 3) cm
    triangles: Numbers  # (M, 3)
    texels: Floats  # (N, 2)


def grow(look: Look, base: Floats, person: Floats) -> Hair:
    """Return the hair of a person, empty if there is too little of it to stand off the skull.

    Args:
        base, person: (V, 3) vertices of face and head (no eyes, no mouth), on the average head and on this one.
    """
    if look.hair_cover < 0.3:
        return Hair(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), np.zeros((0, 2), np.float32))
    rng = np.random.default_rng([9, round(look.pattern * 2**31)])
    skull = _Skull(base, person)
    pole, away = _ways(look)

    # How far the hairline is along each strand, and how far the strand goes on: a fringe, or long hair.
    steps = np.linspace(0.02, 2.6, 120)  # radians
    ways = _bent(pole, away, np.broadcast_to(steps, (STRANDS, 120)))
    places = skull.at(ways)[0]
    angle = np.arctan2(places[..., 0], places[..., 2] - AXIS)
    bare = places[..., 1] < hairline(angle, look)
    edge = np.where(bare.any(1), bare.argmax(1), 119)
    edge = _around(edge, 1.2).astype(int)
    front = smooth(np.abs(np.rad2deg(angle[np.arange(STRANDS), edge])), 62, 40)
    hanging = 26 * max(0.0, look.hair_length - 0.42) + 4 * smooth(look.hair_length, 0.3, 0.42)
    beyond = _around(front * 4.6 * look.fringe + (1 - front) * hanging, 1.5)
    beyond = beyond * (1 + 0.1 * _around(rng.standard_normal(STRANDS), 1.0))
    length = steps[edge] * RADIUS + beyond  # (STRANDS,) cm
    low = ways[..., 1] < HANG_HEIGHT
    leave = steps[np.where(low.any(1), low.argmax(1), 119)][:, None] * RADIUS

    along = np.linspace(0, 1, POINTS) * length[:, None]  # (STRANDS, POINTS) cm
    falling = np.maximum(along - leave, 0)
    ways = _bent(pole, away, np.minimum(along, leave) / RADIUS)
    bumps = noise(rng, (POINTS, STRANDS), 18 if look.hair_curl < 0.5 else 30, 2).T
    bumps[-3:] = (bumps[-4:-1] + bumps[:3]) / 2  # less of a seam where the circle closes
    # Thickness: hair rises from its roots at the hairline; where it goes beyond, it stays off the skin.
    thick = (0.5 + 1.5 * look.hair_volume + 1.2 * look.hair_curl * look.hair_volume) * (
        0.45 + 0.55 * smooth(look.hair_length, 0.0, 0.3)
    )
    left = np.clip((length[:, None] - along) / 2.2, 0, 1)
    loose = smooth(beyond, 0.3, 2.0)[:, None]
    lift = thick * ((0.12 + 0.88 * left**0.6) * (1 - loose) + (0.55 + 0.45 * left) * loose)
    lift = lift * np.maximum(1 + (0.10 + 0.22 * look.hair_curl) * bumps, 0.6)
    lift = lift + 1.1 * (np.abs(ways[..., 0]) > 0.75) * loose * smooth(along, 10, 13)  # room for the ears
    points = skull.at(ways)[1] + ways * lift[..., None]
    wave = 0.5 * look.hair_curl * np.sin(1.3 * falling + 6 * bumps[:, :1]) - 0.10 * falling
    points[..., 0] += np.sign(points[..., 0]) * wave * smooth(falling, 0, 3)
    points[..., 1] -= falling
    points[..., 2] += 0.06 * falling

    points = np.concatenate([points, points[:1]])
    texels = np.meshgrid(
        np.linspace(0, SIDE - 1, STRANDS + 1), np.linspace(0, HAIR_ROWS - 1, POINTS), indexing="ij"
    )
    return Hair(
        points.reshape(-1, 3).astype(np.float32),
        _mesh(STRANDS + 1, POINTS),
        np.stack(texels, -1).reshape(-1, 2).astype(np.float32),
    )


def _ways(look: Look) -> tuple[Floats, Floats]:
    """Return the direction (3,) of the pole and those (STRANDS, 3) in which strands start from it.

    Short hair and fringes start at the crown; longer hair starts at the front end of a parting.
    """
    parted = smooth(look.hair_length, 0.15, 0.5) * (1 - 0.8 * look.fringe)
    pole = np.array((0.33 * look.hair_part * parted, 1.0, -0.35 + 0.85 * parted))
    pole /= np.linalg.norm(pole)
    first = np.cross(pole, (1.0, 0.0, 0.0))
    first /= np.linalg.norm(first)
    turn = np.linspace(0, 2 * np.pi, STRANDS, endpoint=False)[:, None]
    return pole, np.cos(turn) * first + np.sin(turn) * np.cross(pole, first)


def _bent(pole: Floats, away: Floats, angles: Floats) -> Floats:
    """Return the directions (STRANDS, n, 3) at angles (STRANDS, n) from the pole."""
    ways: Floats = np.cos(angles)[..., None] * pole + np.sin(angles)[..., None] * away[:, None, :]
    return ways


class _Skull:
    """Where directions from the middle of the skull meet the head."""

    def __init__(self, base: Floats, person: Floats) -> None:
        ears = (np.abs(base[:, 0]) > 7.7) & (base[:, 1] < 5.5)
        ways = (base - MIDDLE)[(base[:, 1] > -6) & ~ears]
        self.far_base = np.linalg.norm(ways, axis=1)
        self.far = np.linalg.norm((person - MIDDLE)[(base[:, 1] > -6) & ~ears], axis=1)
        self.tree = cKDTree(ways / self.far_base[:, None])

    def at(self, ways: Floats) -> tuple[Floats, Floats]:
        """Return the places (..., 3) on the average head and on the person's."""
        distance, index = map(np.asarray, self.tree.query(ways, k=8))
        weight = 1 / (distance + 0.01) ** 2
        weight /= weight.sum(-1, keepdims=True)
        on_base, on_person = ((far[index] * weight).sum(-1)[..., None] for far in (self.far_base, self.far))
        return MIDDLE + ways * on_base, MIDDLE + ways * on_person


def _around(values: Floats, spread: float) -> Floats:
    """Return values round a circle, smoothed over `spread` neighbours."""
    reach = int(3 * spread)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    return np.convolve(np.pad(values, reach, mode="wrap"), kernel / kernel.sum(), "valid")


def _mesh(rows: int, columns: int) -> Numbers:
    """Return the triangles of rows x columns vertices."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    b, c, d = a + 1, a + columns, a + columns + 1
    return np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)


def atlas_texels(texels: Floats) -> Floats:
    """Return where texels of the hair lie on the atlas of the head, for hair that is seen behind it."""
    x, y, width, height = HAIR_PATCH
    return np.array((x + 2, y + 2)) + texels * ((width - 5) / SIDE, (height - 5) / HAIR_ROWS)


def lash_texels(base: Floats, kept: Numbers) -> Floats:
    """Return (N, 2) texels of the lashes among the vertices kept, from the lid outwards; 0 for all others."""
    skin = cKDTree(base[:9409])
    texels = np.zeros((len(kept), 2), np.float32)
    for number, strip in enumerate(LASHES):
        part = np.flatnonzero((kept >= strip.start) & (kept < strip.stop))
        out = np.asarray(skin.query(base[kept[part]])[0])
        across = np.abs(base[kept[part], 0])
        column = 2 + (SIDE - 5) * (across - across.min()) / np.ptp(across)
        row = HAIR_ROWS + (1 if number % 2 == 0 else 17) + 14 * out / out.max()  # above, below
        texels[part] = np.column_stack([column, row])
    return texels


def paint_hair(look: Look) -> Floats:
    """Return the texture (SIDE, SIDE, 4) of hair and lashes: linear red, green, blue, and cover in [0, 1]."""
    rng = np.random.default_rng([10, round(look.pattern * 2**31)])

    def strewn(rows: int, columns: int) -> Floats:
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        return cv2.resize(grid, (SIDE, HAIR_ROWS))

    texture = np.zeros((SIDE, SIDE, 4), np.float32)
    curls = noise(rng, (HAIR_ROWS, SIDE), 70, 2)
    strands = (1 - look.hair_curl) * (strewn(5, SIDE) + strewn(6, 72)) + 1.2 * look.hair_curl * curls
    down = np.linspace(0, 1, HAIR_ROWS)[:, None]
    tone = np.exp(0.22 * strands - 0.1) * (0.9 + 0.2 * down)  # lighter tips
    tone *= 0.55 + 0.45 * smooth(down, 0, 0.1)  # a darker parting
    texture[:HAIR_ROWS, :, :3] = hair_colour(look) * tone[..., None]
    texture[:HAIR_ROWS, :, 3] = smooth(1 - down + 0.022 * (strewn(1, 40) + 0.7 * strewn(1, SIDE)), 0.02, 0.13)
    # Lashes: single hairs, thinner towards their tips, long above and short below.
    out = np.linspace(0, 1, 16)[:, None]
    single = np.clip(0.5 + 0.9 * strewn(1, 90)[0], 0, 1)
    texture[HAIR_ROWS:, :, :3] = 0.25 * hair_colour(look)
    texture[HAIR_ROWS:-16, :, 3] = (
        (0.5 + 0.5 * look.lashes) * smooth(1 - out, 0.2, 0.9) * (0.4 + 0.6 * single)
    )
    texture[-16:, :, 3] = 0.35 * look.lashes * smooth(1 - out, 0.4, 1.0) * single
    return texture
