"""The light on a head: what reaches each vertex from where, and how a lit pixel looks."""

import cv2
import numpy as np
from scipy import sparse

from omote.synthetic.rendered.chart import Floats, Numbers, smooth
from omote.synthetic.rendered.look import Circumstances
from omote.synthetic.rendered.raster import depth_of

DIRECTIONS = 28  # of the sky, from which the light of a lamp is mixed
LAMP = 10  # the larger, the smaller the lamp and the harder its shadows
BAKE_PIXELS, BAKE_REACH = 160, 18.0  # of a view from the sky: its side, and half of it in cm


def sky() -> Floats:
    """Return (DIRECTIONS, 3) directions over the half of the sky before the face, evenly on a spiral."""
    k = np.arange(DIRECTIONS) + 0.5
    front = 1 - 1.05 * k / DIRECTIONS  # z, to slightly behind the face
    turn = k * np.pi * (3 - 5**0.5)
    away = np.sqrt(1 - front**2)
    return np.stack([away * np.cos(turn), away * np.sin(turn), front], 1).astype(np.float32)


def seen_of_sky(vertices: Floats, triangles: Numbers) -> Floats:
    """Return (V, DIRECTIONS) in [0, 1]: how much each vertex sees of each direction of the sky."""
    seen = np.empty((len(vertices), DIRECTIONS), np.float32)
    middle, far = np.array((0, 3, 0)), 2000.0
    scale = BAKE_PIXELS / 2 / BAKE_REACH
    for number, way in enumerate(sky()):
        right = np.cross((0, 1, 0), way)
        right /= np.linalg.norm(right)
        turned = (vertices - middle) @ np.stack([right, np.cross(way, right), way], 1) - (0, 0, far)
        depth = depth_of(turned, triangles, BAKE_PIXELS, 2 * np.arctan(BAKE_REACH / far))
        column, row = (np.array((1, -1)) * turned[:, :2] * scale + BAKE_PIXELS / 2).astype(int).T
        nearest = depth[row.clip(0, BAKE_PIXELS - 1), column.clip(0, BAKE_PIXELS - 1)]
        seen[:, number] = 1 - smooth(-turned[:, 2] - nearest, 0.25, 0.8)  # cm
    return seen


def softened(values: Floats, corners: sparse.csr_array, times: int = 4) -> Floats:
    """Return values of the vertices, averaged with their neighbours.

    Args:
        corners: (V, T) 1 where a vertex is a corner of a triangle.
    """
    around = corners @ corners.T
    around = sparse.diags_array(1 / np.maximum(around.sum(1), 1)) @ around
    for _ in range(times):
        values = around @ values
    return values.astype(np.float32)


def lamp_of(c: Circumstances) -> Floats:
    """Return the direction (3,) of the lamp, as the camera sees it."""
    lamp = np.array([0.85 * c.light_x, 0.75 * c.light_y, 0.75], np.float32)
    return lamp / np.linalg.norm(lamp)


def reaching(seen: Floats, lamp: Floats, rotation: Floats) -> Floats:
    """Return (V, 2) in [0, 1]: how much of the lamp and of the whole sky each vertex sees."""
    towards = np.maximum(sky() @ rotation.T @ lamp, 0) ** LAMP
    share = np.stack([towards / towards.sum(), np.full(DIRECTIONS, 1 / DIRECTIONS)], 1)
    return seen @ share.astype(np.float32)


def lit(
    colour: Floats, gloss: Floats, reaching: Floats, normal: Floats, lamp: Floats, c: Circumstances
) -> Floats:
    """Return the linear colour (..., 3) of skin, eyes and teeth.

    Args:
        colour, gloss: (..., 3) and (...) of the surface; above 0.5 gloss is wet, as of an eye.
        reaching: (..., 2) how much of the lamp and of the sky the place sees.
        normal: (..., 2) x to the right of the picture and y up, of unit length with z.
    """
    facing, around, shine = _falling(reaching, normal, lamp, c)
    bare = _bare(c) * reaching[..., 0]
    hidden = 1 - np.minimum(1.5 * reaching[..., 1], 1)
    light = np.empty((*facing.shape, 3), np.float32)
    # Light wraps round edges, as it spreads under the skin: red the furthest, which also fills small hollows.
    for channel, (wrap, hollow, tint) in enumerate(
        zip((0.35, 0.2, 0.15), (-0.15, 0.0, 0.1), _tint(c), strict=True)
    ):
        wrapped = np.maximum(facing + wrap, 0) * (tint / (1 + wrap))
        light[..., channel] = bare * wrapped + around * (1 - hollow * hidden)
    wet = ((shine * shine) ** 2) ** 2
    shine = (0.9 * np.minimum(gloss, 0.4) * shine + 1.4 * np.maximum(gloss - 0.5, 0) * wet) * reaching[..., 0]
    shown: Floats = colour * light + ((0.5 + 0.5 * c.light_hardness) * shine)[..., None]
    return shown * c.brightness


def on_hair(reaching: Floats, normal: Floats, lamp: Floats, c: Circumstances) -> Floats:
    """Return (...) the light on hair, with its sheen, that its colour is multiplied by; arguments as of `lit`."""
    facing, around, shine = _falling(reaching, normal, lamp, c)
    wrapped = np.maximum(facing + 0.3, 0) / 1.3 + 1.3 * shine
    return (_bare(c) * reaching[..., 0] * wrapped + around) * c.brightness


def _falling(
    reaching: Floats, normal: Floats, lamp: Floats, c: Circumstances
) -> tuple[Floats, Floats, Floats]:
    """Return the cosine to the lamp, the light from all around, and the 16th power of the cosine of reflection."""
    nx, ny = normal[..., 0], normal[..., 1]
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.01))
    facing = nx * lamp[0] + ny * lamp[1] + nz * lamp[2]
    open_sky = np.minimum(1.5 * reaching[..., 1], 1.1)
    around = (1 - 0.62 * c.light_hardness) * open_sky * (0.55 + 0.14 * ny + 0.28 * nz)
    half = lamp + np.array((0, 0, 1))
    half = (half / np.linalg.norm(half)).astype(np.float32)
    shine = np.maximum(nx * half[0] + ny * half[1] + nz * half[2], 0)
    for _ in range(4):
        shine = shine * shine
    return facing, around, shine


def _bare(c: Circumstances) -> float:
    return 0.33 + 0.95 * c.light_hardness


def _tint(c: Circumstances) -> tuple[float, float, float]:
    warm = c.light_warmth - 0.5
    return 1 + 0.12 * warm, 1.0, 1 - 0.3 * warm


def room(c: Circumstances, size: int) -> Floats:
    """Return the linear background (size, size, 3): a wall, or a room out of focus."""
    hue = 2 * np.pi * (c.background_hue + np.array((0, 1 / 3, 2 / 3)))
    colour = c.background * (1 + 0.5 * c.background_colour * np.cos(hue))
    rng = np.random.default_rng(round(c.room * 2**31))
    cells = rng.standard_normal((5, 5, 3)) * 0.06 + rng.standard_normal((5, 5, 1)) * 0.22
    grid = colour * np.exp(cells * c.background_blur) * np.linspace(1.06, 0.92, 5)[:, None, None]
    blurred = cv2.resize(grid.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(blurred, 0.01, 1) ** 2


def photograph(scene: Floats, c: Circumstances) -> np.ndarray:
    """Return the picture (S, S, 3) uint8 of linear light, with the noise of a camera."""
    picture = np.sqrt(np.maximum(scene, 0))
    picture /= 1 + 0.12 * np.maximum(picture - 0.8, 0)  # bright places keep some colour
    noise = np.random.default_rng(round(c.grain * 2**31)).standard_normal(picture.shape, np.float32)
    shown: np.ndarray = np.clip(255 * picture + c.noise * noise + 0.5, 0, 255).astype(np.uint8)
    return shown
