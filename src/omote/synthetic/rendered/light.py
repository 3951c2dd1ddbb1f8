"""Light on a head: visibility of the sky per vertex, shading per pixel, background and camera."""

import cv2
import numpy as np
from scipy import sparse

from omote.synthetic.interpolation import smoothstep
from omote.synthetic.rendered.atlas import Floats, Ints
from omote.synthetic.rendered.factors import Nuisance
from omote.synthetic.rendered.raster import rasterise_depth

NUM_DIRECTIONS = 28  # of the sky, in which its visibility is known
LAMP_SHARPNESS = 10  # the larger, the smaller the lamp and the harder its shadows
BAKE_SIZE = 160  # side of a depth map, seen from the sky, in pixels
BAKE_RADIUS = 18.0  # half the side of that depth map, cm


def sky_directions() -> Floats:
    """Return unit vectors (NUM_DIRECTIONS, 3), evenly spaced on a spiral over the hemisphere in front of the face."""
    k = np.arange(NUM_DIRECTIONS) + 0.5
    z = 1 - 1.05 * k / NUM_DIRECTIONS  # down to slightly behind the face
    angle = k * np.pi * (3 - 5**0.5)
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1).astype(np.float32)


def bake_visibility(vertices: Floats, triangles: Ints) -> Floats:
    """Return the visibility (V, NUM_DIRECTIONS) in [0, 1] of each sky direction from each vertex, by shadow maps."""
    visibility = np.empty((len(vertices), NUM_DIRECTIONS), np.float32)
    centre, far = np.array((0, 3, 0)), 2000.0
    scale = BAKE_SIZE / 2 / BAKE_RADIUS
    for number, direction in enumerate(sky_directions()):
        right = np.cross((0, 1, 0), direction)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(direction, right), direction], 1)
        rotated = (vertices - centre) @ axes - (0, 0, far)
        depth = rasterise_depth(rotated, triangles, BAKE_SIZE, 2 * np.arctan(BAKE_RADIUS / far))
        column, row = (np.array((1, -1)) * rotated[:, :2] * scale + BAKE_SIZE / 2).astype(int).T
        nearest = depth[row.clip(0, BAKE_SIZE - 1), column.clip(0, BAKE_SIZE - 1)]
        visibility[:, number] = 1 - smoothstep(-rotated[:, 2] - nearest, 0.25, 0.8)  # cm
    return visibility


def smooth_over_mesh(values: Floats, incidence: sparse.csr_array, times: int = 4) -> Floats:
    """Return vertex values (V, n), averaged `times` times over neighbouring vertices.

    Args:
        incidence: (V, T) 1 where a vertex is a corner of a triangle.
    """
    neighbours = incidence @ incidence.T
    average = sparse.diags_array(1 / np.maximum(neighbours.sum(1), 1)) @ neighbours
    for _ in range(times):
        values = average @ values
    return values.astype(np.float32)


def lamp_direction(n: Nuisance) -> Floats:
    """Return the unit vector (3,) to the lamp, in camera coordinates."""
    lamp = np.array([0.85 * n.light_x, 0.75 * n.light_y, 0.75], np.float32)
    return lamp / np.linalg.norm(lamp)


def light_visibility(sky_visibility: Floats, lamp: Floats, rotation: Floats) -> Floats:
    """Return the visibility (V, 2) in [0, 1] of the lamp and of the whole sky from each vertex.

    Args:
        sky_visibility: (V, NUM_DIRECTIONS), of the head before its rotation.
    """
    towards = np.maximum(sky_directions() @ rotation.T @ lamp, 0) ** LAMP_SHARPNESS
    weights = np.stack([towards / towards.sum(), np.full(NUM_DIRECTIONS, 1 / NUM_DIRECTIONS)], 1)
    return sky_visibility @ weights.astype(np.float32)


def shade_surface(
    albedo: Floats, gloss: Floats, visibility: Floats, normal: Floats, lamp: Floats, n: Nuisance
) -> Floats:
    """Return the linear colour (..., 3) of skin, eyes and teeth.

    Args:
        albedo, gloss: (..., 3) and (...) of the surface; a gloss above 0.5 is wet, like an eye.
        visibility: (..., 2) of the lamp and of the sky.
        normal: (..., 2) x to the right of the image and y up, of a unit vector.
    """
    cosine, ambient, specular = _shading_terms(visibility, normal, lamp, n)
    lamp_light = _lamp_strength(n) * visibility[..., 0]
    occlusion = 1 - np.minimum(1.5 * visibility[..., 1], 1)
    light = np.empty((*cosine.shape, 3), np.float32)
    # Subsurface scattering: light wraps round edges and fills small hollows, red light the most.
    for channel, (wrap, darkening, tint) in enumerate(
        zip((0.35, 0.2, 0.15), (-0.15, 0.0, 0.1), _lamp_tint(n), strict=True)
    ):
        wrapped = np.maximum(cosine + wrap, 0) * (tint / (1 + wrap))
        light[..., channel] = lamp_light * wrapped + ambient * (1 - darkening * occlusion)
    wet = ((specular * specular) ** 2) ** 2
    shine = 0.9 * np.minimum(gloss, 0.4) * specular + 1.4 * np.maximum(gloss - 0.5, 0) * wet
    shine = shine * visibility[..., 0]
    shaded: Floats = albedo * light + ((0.5 + 0.5 * n.light_hardness) * shine)[..., None]
    return shaded * n.brightness


def shade_hair(visibility: Floats, normal: Floats, lamp: Floats, n: Nuisance) -> Floats:
    """Return the factor (...) on the colour of hair; arguments as for `shade_surface`."""
    cosine, ambient, specular = _shading_terms(visibility, normal, lamp, n)
    wrapped = np.maximum(cosine + 0.3, 0) / 1.3 + 1.3 * specular
    return (_lamp_strength(n) * visibility[..., 0] * wrapped + ambient) * n.brightness


def _shading_terms(
    visibility: Floats, normal: Floats, lamp: Floats, n: Nuisance
) -> tuple[Floats, Floats, Floats]:
    """Return the cosine to the lamp, the ambient light, and the specular term (Blinn-Phong, exponent 16)."""
    nx, ny = normal[..., 0], normal[..., 1]
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.01))
    cosine = nx * lamp[0] + ny * lamp[1] + nz * lamp[2]
    open_sky = np.minimum(1.5 * visibility[..., 1], 1.1)
    ambient = (1 - 0.62 * n.light_hardness) * open_sky * (0.55 + 0.14 * ny + 0.28 * nz)
    half = lamp + np.array((0, 0, 1))
    half = (half / np.linalg.norm(half)).astype(np.float32)
    specular = np.maximum(nx * half[0] + ny * half[1] + nz * half[2], 0)
    for _ in range(4):
        specular = specular * specular
    return cosine, ambient, specular


def _lamp_strength(n: Nuisance) -> float:
    return 0.33 + 0.95 * n.light_hardness


def _lamp_tint(n: Nuisance) -> tuple[float, float, float]:
    warmth = n.light_warmth - 0.5
    return 1 + 0.12 * warmth, 1.0, 1 - 0.3 * warmth


def paint_background(n: Nuisance, size: int) -> Floats:
    """Return the linear background (size, size, 3): a wall, or a room out of focus."""
    hue = 2 * np.pi * (n.background_hue + np.array((0, 1 / 3, 2 / 3)))
    colour = n.background * (1 + 0.5 * n.background_colour * np.cos(hue))
    rng = np.random.default_rng(round(n.room * 2**31))
    cells = rng.standard_normal((5, 5, 3)) * 0.06 + rng.standard_normal((5, 5, 1)) * 0.22
    grid = colour * np.exp(cells * n.background_blur) * np.linspace(1.06, 0.92, 5)[:, None, None]
    blurred = cv2.resize(grid.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(blurred, 0.01, 1) ** 2


def take_picture(scene: Floats, n: Nuisance) -> np.ndarray:
    """Return the image (S, S, 3) uint8 of linear light: gamma 2, a soft shoulder, and camera noise."""
    picture = np.sqrt(np.maximum(scene, 0))
    picture /= 1 + 0.12 * np.maximum(picture - 0.8, 0)  # keeps colour in highlights
    noise = np.random.default_rng(round(n.grain * 2**31)).standard_normal(picture.shape, np.float32)
    image: np.ndarray = np.clip(255 * picture + n.noise * noise + 0.5, 0, 255).astype(np.uint8)
    return image
