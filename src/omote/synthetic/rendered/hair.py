"""Hair and lashes: the mesh of the hair, and its texture of strands with ragged ends.

The face model has no hair. Strands start at a pole on the skull (the crown, or the front end of a parting), follow the
skull to the hairline or beyond, and then hang. One mesh runs through all of them.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from omote.synthetic.interpolation import smoothstep
from omote.synthetic.rendered.albedo import hair_colour, hairline
from omote.synthetic.rendered.anatomy import LASHES
from omote.synthetic.rendered.atlas import AXIS, HAIR_PATCH, Floats, Ints, value_noise
from omote.synthetic.rendered.factors import Appearance

STRANDS, POINTS = 112, 26  # of the mesh: strands round the head, points along each
TEXTURE_SIZE = 256  # side of the texture in texels
HAIR_ROWS = 224  # of the texture; the lashes are below
SKULL_CENTRE = np.array((0.0, 5.0, 0.5))  # cm on the average head
SKULL_RADIUS = 9.0  # cm
HANG_HEIGHT = 0.08  # strands leave the skull this far above its centre, in radii


class HairMesh(NamedTuple):
    vertices: Floats  # (N, 3) cm
    triangles: Ints  # (M, 3)
    texels: Floats  # (N, 2) of the texture


def build_hair(appearance: Appearance, base: Floats, person: Floats) -> HairMesh:
    """Return the hair of a person; empty if it is too thin to stand off the skull.

    Args:
        base, person: (V, 3) vertices of the skin, on the average head and on the person's.
    """
    if appearance.hair_cover < 0.3:
        return HairMesh(*(np.zeros((0, n), dtype) for n, dtype in ((3, "f4"), (3, "i4"), (2, "f4"))))
    rng = np.random.default_rng([9, round(appearance.pattern * 2**31)])
    skull = _Skull(base, person)
    pole, tangents = _strand_starts(appearance)

    # Where each strand reaches the hairline, and how far it goes beyond: a fringe, or long hair.
    angles = np.linspace(0.02, 2.6, 120)  # radians from the pole
    directions = _directions_along(pole, tangents, np.broadcast_to(angles, (STRANDS, 120)))
    points = skull.project(directions)[0]
    azimuth = np.arctan2(points[..., 0], points[..., 2] - AXIS)
    bare = points[..., 1] < hairline(azimuth, appearance)
    edge = np.where(bare.any(1), bare.argmax(1), 119)
    edge = _smooth_circular(edge, 1.2).astype(int)
    front = smoothstep(np.abs(np.rad2deg(azimuth[np.arange(STRANDS), edge])), 62, 40)
    hair_length = appearance.hair_length
    hanging = 26 * max(0.0, hair_length - 0.42) + 4 * smoothstep(hair_length, 0.3, 0.42)
    beyond = _smooth_circular(front * 4.6 * appearance.fringe + (1 - front) * hanging, 1.5)
    beyond = beyond * (1 + 0.1 * _smooth_circular(rng.standard_normal(STRANDS), 1.0))
    length = angles[edge] * SKULL_RADIUS + beyond  # (STRANDS,) cm
    low = directions[..., 1] < HANG_HEIGHT
    leave = angles[np.where(low.any(1), low.argmax(1), 119)][:, None] * SKULL_RADIUS

    along = np.linspace(0, 1, POINTS) * length[:, None]  # (STRANDS, POINTS) cm
    falling = np.maximum(along - leave, 0)
    directions = _directions_along(pole, tangents, np.minimum(along, leave) / SKULL_RADIUS)
    bumps = value_noise(rng, (POINTS, STRANDS), 18 if appearance.hair_curl < 0.5 else 30, 2).T
    bumps[-3:] = (bumps[-4:-1] + bumps[:3]) / 2  # softens the seam where the circle closes
    # Distance from the skull: it rises from 0 at the hairline, but strands that go beyond stay off the skin.
    volume = 0.5 + 1.5 * appearance.hair_volume + 1.2 * appearance.hair_curl * appearance.hair_volume
    thickness = volume * (0.45 + 0.55 * smoothstep(hair_length, 0.0, 0.3))
    remaining = np.clip((length[:, None] - along) / 2.2, 0, 1)
    loose = smoothstep(beyond, 0.3, 2.0)[:, None]
    lift = thickness * ((0.12 + 0.88 * remaining**0.6) * (1 - loose) + (0.55 + 0.45 * remaining) * loose)
    lift = lift * np.maximum(1 + (0.10 + 0.22 * appearance.hair_curl) * bumps, 0.6)
    over_ears = np.abs(directions[..., 0]) > 0.75
    lift = lift + 1.1 * over_ears * loose * smoothstep(along, 10, 13)
    vertices = skull.project(directions)[1] + directions * lift[..., None]
    wave = 0.5 * appearance.hair_curl * np.sin(1.3 * falling + 6 * bumps[:, :1]) - 0.10 * falling
    vertices[..., 0] += np.sign(vertices[..., 0]) * wave * smoothstep(falling, 0, 3)
    vertices[..., 1] -= falling
    vertices[..., 2] += 0.06 * falling

    vertices = np.concatenate([vertices, vertices[:1]])
    columns, rows = np.linspace(0, TEXTURE_SIZE - 1, STRANDS + 1), np.linspace(0, HAIR_ROWS - 1, POINTS)
    texels = np.stack(np.meshgrid(columns, rows, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    triangles = _grid_triangles(STRANDS + 1, POINTS)
    return HairMesh(vertices.reshape(-1, 3).astype(np.float32), triangles, texels)


def _strand_starts(appearance: Appearance) -> tuple[Floats, Floats]:
    """Return the direction (3,) of the pole, and the tangents (STRANDS, 3) along which strands leave it.

    Short hair and fringes start at the crown, longer hair at the front end of a parting.
    """
    parted = smoothstep(appearance.hair_length, 0.15, 0.5) * (1 - 0.8 * appearance.fringe)
    pole = np.array((0.33 * appearance.hair_part * parted, 1.0, -0.35 + 0.85 * parted))
    pole /= np.linalg.norm(pole)
    first = np.cross(pole, (1.0, 0.0, 0.0))
    first /= np.linalg.norm(first)
    angle = np.linspace(0, 2 * np.pi, STRANDS, endpoint=False)[:, None]
    return pole, np.cos(angle) * first + np.sin(angle) * np.cross(pole, first)


def _directions_along(pole: Floats, tangents: Floats, angles: Floats) -> Floats:
    """Return the unit vectors (STRANDS, n, 3) at angles (STRANDS, n) from the pole along the tangents."""
    angles = angles[..., None]
    return np.asarray(np.cos(angles) * pole + np.sin(angles) * tangents[:, None, :])


class _Skull:
    """The surface of the head as a distance from the centre of the skull in every direction."""

    def __init__(self, base: Floats, person: Floats) -> None:
        ears = (np.abs(base[:, 0]) > 7.7) & (base[:, 1] < 5.5)
        used = (base[:, 1] > -6) & ~ears
        directions = (base - SKULL_CENTRE)[used]
        self.base_distance = np.linalg.norm(directions, axis=1)
        self.person_distance = np.linalg.norm((person - SKULL_CENTRE)[used], axis=1)
        self.tree = cKDTree(directions / self.base_distance[:, None])

    def project(self, directions: Floats) -> tuple[Floats, Floats]:
        """Return the points (..., 3) of the surface of the average head and of the person's."""
        distance, index = map(np.asarray, self.tree.query(directions, k=8))
        weight = 1 / (distance + 0.01) ** 2
        weight /= weight.sum(-1, keepdims=True)
        on_base = (self.base_distance[index] * weight).sum(-1)[..., None]
        on_person = (self.person_distance[index] * weight).sum(-1)[..., None]
        return SKULL_CENTRE + directions * on_base, SKULL_CENTRE + directions * on_person


def _smooth_circular(values: Floats, deviation: float) -> Floats:
    """Return values on a circle after Gaussian smoothing, with the deviation in steps."""
    reach = int(3 * deviation)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return np.convolve(np.pad(values, reach, mode="wrap"), kernel / kernel.sum(), "valid")


def _grid_triangles(rows: int, columns: int) -> Ints:
    """Return the triangles of a grid of rows x columns vertices."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    b, c, d = a + 1, a + columns, a + columns + 1
    return np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)


def atlas_texels(texels: Floats) -> Floats:
    """Return texels of the hair texture as texels of the atlas, for hair behind the head."""
    x, y, width, height = HAIR_PATCH
    return np.array((x + 2, y + 2)) + texels * ((width - 5) / TEXTURE_SIZE, (height - 5) / HAIR_ROWS)


def lash_texels(base: Floats, kept: Ints) -> Floats:
    """Return the texels (N, 2) of lashes among the vertices `kept`, rows from the lid outwards; 0 for the others."""
    skin = cKDTree(base[:9409])
    texels = np.zeros((len(kept), 2), np.float32)
    for number, strip in enumerate(LASHES):
        part = np.flatnonzero((kept >= strip.start) & (kept < strip.stop))
        out = np.asarray(skin.query(base[kept[part]])[0])
        across = np.abs(base[kept[part], 0])
        column = 2 + (TEXTURE_SIZE - 5) * (across - across.min()) / np.ptp(across)
        row = HAIR_ROWS + (1 if number % 2 == 0 else 17) + 14 * out / out.max()  # upper lid, lower lid
        texels[part] = np.column_stack([column, row])
    return texels


def paint_hair_texture(appearance: Appearance) -> Floats:
    """Return the texture (TEXTURE_SIZE, TEXTURE_SIZE, 4) of hair and lashes: linear RGB, and alpha in [0, 1]."""
    rng = np.random.default_rng([10, round(appearance.pattern * 2**31)])
    curl, colour = appearance.hair_curl, hair_colour(appearance)

    def stretched_noise(rows: int, columns: int) -> Floats:
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        return cv2.resize(grid, (TEXTURE_SIZE, HAIR_ROWS))

    texture = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE, 4), np.float32)
    curls = value_noise(rng, (HAIR_ROWS, TEXTURE_SIZE), 70, 2)
    straight = stretched_noise(5, TEXTURE_SIZE) + stretched_noise(6, 72)
    strands = (1 - curl) * straight + 1.2 * curl * curls
    down = np.linspace(0, 1, HAIR_ROWS)[:, None]
    brightness = np.exp(0.22 * strands - 0.1) * (0.9 + 0.2 * down)  # lighter tips
    brightness *= 0.55 + 0.45 * smoothstep(down, 0, 0.1)  # a darker parting
    texture[:HAIR_ROWS, :, :3] = colour * brightness[..., None]
    ends = 0.022 * (stretched_noise(1, 40) + 0.7 * stretched_noise(1, TEXTURE_SIZE))
    texture[:HAIR_ROWS, :, 3] = smoothstep(1 - down + ends, 0.02, 0.13)
    # Lashes: single hairs, thinner towards their tips, long on the upper lid and short on the lower.
    out = np.linspace(0, 1, 16)[:, None]
    hairs = np.clip(0.5 + 0.9 * stretched_noise(1, 90)[0], 0, 1)
    texture[HAIR_ROWS:, :, :3] = 0.25 * colour
    density = 0.5 + 0.5 * appearance.lashes
    texture[HAIR_ROWS:-16, :, 3] = density * smoothstep(1 - out, 0.2, 0.9) * (0.4 + 0.6 * hairs)
    texture[-16:, :, 3] = 0.35 * appearance.lashes * smoothstep(1 - out, 0.4, 1.0) * hairs
    return texture
