"""Albedo of a head, painted on the texture atlas.

Points are in centimetres on the average head of the model: x to the person's left, y up, z to the front. The atlas is
fixed to the vertices, so brows, lips and freckles move with the expression. Colours are linear light (the square of
image values in [0, 1]). Each layer of melanin or blood multiplies the albedo of the skin by a colour to the power of
its density.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike

from omote.synthetic.interpolation import smoothstep
from omote.synthetic.rendered.atlas import (
    ATLAS_SIZE,
    AXIS,
    EYE_PATCH,
    HAIR_PATCH,
    MOUTH_PATCHES,
    SKIN_ROWS,
    Floats,
    streak_noise,
    unwrap,
    value_noise,
)
from omote.synthetic.rendered.factors import Appearance

# Colour scales, as image values of 0 to 255.
# Skin from light to dark.
SKIN = np.array(
    [(224, 187, 166), (216, 172, 146), (198, 146, 116), (164, 112, 84), (120, 78, 56), (84, 55, 42)]
)
# Hair from black to blond.
HAIR = np.array([(33, 28, 26), (52, 37, 29), (84, 58, 40), (128, 94, 62), (190, 152, 104)])
RED_HAIR, GREY_HAIR = np.array((146, 66, 30)), np.array((168, 166, 162))
# Iris from dark brown, through hazel and green, to blue-grey.
IRIS = np.array([(54, 32, 20), (98, 62, 30), (110, 98, 52), (96, 122, 104), (108, 138, 164)])
# Transmittance of a layer of density 1.
MELANIN = np.array((0.72, 0.55, 0.42))
BLOOD = np.array((0.88, 0.56, 0.60))


def to_linear(colour: ArrayLike) -> Floats:
    """Return the linear light of image values from 0 to 255."""
    return (np.asarray(colour, np.float32) / 255) ** 2


def scale_colour(scale: Floats, position: float) -> Floats:
    """Return the linear colour at a position in [0, 1] of a colour scale."""
    steps = np.linspace(0, 1, len(scale))
    return to_linear(np.array([np.interp(position, steps, scale[:, channel]) for channel in range(3)]))


def hair_colour(person: Appearance) -> Floats:
    """Return the linear colour of the hair."""
    colour = np.sqrt(scale_colour(HAIR, person.hair_tone)) * 255
    colour = colour + (RED_HAIR - colour) * 0.8 * person.hair_red
    return to_linear(colour + (GREY_HAIR - colour) * person.hair_grey)


def hairline(angle: Floats, person: Appearance) -> Floats:
    """Return the y (cm) above which hair grows, at angles (radians) round the head from its front."""
    degrees = np.rad2deg(np.abs(angle))
    # Forehead, temple, sideburn, above the ear, behind the ear, nape.
    height = np.interp(
        degrees,
        [0, 20, 38, 50, 58, 65, 70, 76, 80, 86, 100, 108, 116, 180],
        [9.9, 9.8, 9.3, 8.3, 7.0, 5.4, 3.2, 1.8, 2.2, 5.2, 5.2, 2.0, -3, -4],
    )
    front = smoothstep(degrees, 62, 45)
    corners = np.exp(-(((degrees - 34) / 13) ** 2))
    return height + front * (2.2 * (person.hair_line - 0.5) + 2.4 * person.hair_recession * corners)


def paint_atlas(person: Appearance, points: Floats, strands: Floats) -> Floats:
    """Return the atlas (ATLAS_SIZE, ATLAS_SIZE, 4): linear RGB, and gloss.

    Args:
        points: (SKIN_ROWS, ATLAS_SIZE, 3) as from `texel_points`.
        strands: (any, any, 3) texture of the person's hair.
    """
    atlas = np.zeros((ATLAS_SIZE, ATLAS_SIZE, 4), np.float32)
    atlas[:SKIN_ROWS] = _paint_skin(person, points)
    _paint_eye(person, atlas)
    x, y, width, height = HAIR_PATCH
    strands = cv2.resize(strands, (width, height), interpolation=cv2.INTER_AREA)
    atlas[y : y + height, x : x + width, :3] = strands
    skin = scale_colour(SKIN, person.skin_tone)
    flesh = to_linear((196, 100, 96)) * 0.7 + skin * 0.3
    tooth = to_linear((232, 222, 200)) * (1 - person.teeth) + to_linear((234, 229, 218)) * person.teeth
    for name, colour, gloss in (
        ("inner_mouth", to_linear((96, 36, 34)), 0.0),
        ("gums", flesh, 0.5),
        ("tongue", flesh * (0.95, 0.8, 0.8), 0.25),
        ("teeth", tooth, 0.6),
    ):
        x, y = MOUTH_PATCHES[name]
        atlas[y - 16 : y + 16, x - 16 : x + 16] = [*colour, gloss]
    return atlas


def _paint_skin(person: Appearance, points: Floats) -> Floats:
    """Return the skin (SKIN_ROWS, ATLAS_SIZE, 4) with scalp, beard and brows: linear RGB, and gloss."""
    x, y, z = np.moveaxis(points, 2, 0)
    side, shape = np.abs(x), x.shape
    rng = np.random.default_rng([7, round(person.pattern * 2**31)])

    def spot(centre_x: float, centre_y: float, width: float, height: float) -> Floats:
        distance = ((side - centre_x) / width) ** 2 + ((y - centre_y) / height) ** 2
        return np.asarray(np.exp(-distance) * (z > 0))

    lips = _lip_mask(side, y) * (z > 7.5)
    # Blood: cheeks, nose, ears and chin are redder, the forehead is paler.
    coarse, fine = value_noise(rng, shape, 10, 3), value_noise(rng, shape, 48, 2)
    blood = 0.5 * (person.skin_redness - 0.5) + (0.2 + 0.5 * person.skin_redness) * (
        spot(4.0, -0.2, 2.2, 1.9) + 0.7 * spot(0, 0.2, 1.5, 1.3) + 0.35 * spot(0, -6.2, 1.6, 1.2)
    )
    blood = blood + 0.3 * smoothstep(side, 7.6, 8.6) - 0.12 * spot(0, 8, 4, 2)
    blood = blood + (0.03 + 0.10 * person.blotches) * coarse + 0.05 * fine
    # Melanin: dark circles round the eyes, patches, freckles and moles.
    melanin = 0.05 * value_noise(rng, shape, 7, 2) * (0.5 + person.blotches)
    melanin = melanin + 0.03 * value_noise(rng, shape, 120)
    melanin = melanin + (0.25 + 0.6 * person.eye_shade) * (
        spot(2.9, 2.7, 1.5, 0.55) * 0.8 + spot(3.1, 4.3, 1.5, 0.5) * 0.8 + spot(1.6, 3.6, 0.6, 0.9) * 0.6
    )
    blood = blood + 0.3 * person.eye_shade * (spot(3.0, 2.8, 1.5, 0.6) + spot(3.1, 3.5, 2.0, 0.9) * 0.6)
    freckles = _scatter_dots(rng, shape, round(700 * person.freckles), (75, 45), 0.6)
    moles = _scatter_dots(rng, shape, round(6 * person.moles), (60, 60), 0.9)
    melanin = melanin + 1.2 * freckles + 3.5 * moles
    # Lips: blood under thin skin.
    blood = blood * (1 - lips) + lips * (0.55 + 1.15 * person.lip_colour)
    lip_melanin = 0.15 + 0.6 * person.lip_darkness + 0.1 * value_noise(rng, shape, 100)
    melanin = melanin * (1 - lips) + lips * lip_melanin

    warmth = np.array((1, 0.98 + 0.04 * person.skin_warmth, 1.14 - 0.28 * person.skin_warmth))
    skin = scale_colour(SKIN, person.skin_tone) * warmth
    layers = blood[..., None] * np.log(BLOOD) + melanin[..., None] * np.log(MELANIN)
    colour = skin * np.exp(layers.astype(np.float32))

    hair = hair_colour(person)
    strands = streak_noise(rng, shape)
    angle = np.arctan2(x, z - AXIS)
    growth = y - hairline(angle, person) + 0.15 * strands + 0.15 * fine
    scalp = smoothstep(growth, -0.5, 1.1) * min(1.0, 0.25 + person.hair_cover) * (0.85 + 0.08 * strands)
    if person.hair_cover < 0.2:  # shaven or bald: only a shadow of hair
        scalp = scalp * 2.2 * person.hair_cover
    beard = _beard_mask(side, y, z)
    stubble = beard * np.clip(0.6 + 0.16 * strands, 0, 1) * 0.6 * person.stubble
    upper = spot(0, -1.9, 2.6, 0.65) * smoothstep(y, -2.7, -2.4) * smoothstep(-y, 0.8, 1.3)
    full = np.maximum(beard * smoothstep(-y, 1.0, 2.6) * person.beard, upper * person.moustache)
    full = np.clip(full * (1.25 + 0.10 * strands + 0.10 * fine), 0, 0.96)
    brows = _brow_mask(person, side, y, x, rng) * (z > 4)
    beside_lips = 1 - 0.85 * lips
    for opacity, tint in (
        (stubble * beside_lips, np.minimum(0.7 * hair + 0.03, 0.5 * skin)),
        (full * beside_lips, hair * 0.8),
        (brows, hair * 0.75),
        (scalp, hair * 0.75),
    ):
        alpha = np.clip(opacity, 0, 0.97)[..., None]
        colour = colour * (1 - alpha) + tint * alpha * (1 + 0.12 * strands[..., None])
    gloss = (0.25 + 0.75 * person.skin_gloss) * (
        0.10 + 0.12 * spot(0, 7.5, 3.5, 2.0) + 0.16 * spot(0, 1.0, 0.9, 2.4) + 0.06 * spot(4, 1.2, 1.6, 1.0)
    )
    gloss = gloss * (1 - np.clip(scalp * (person.hair_cover > 0.2) + full + brows, 0, 1)) + 0.14 * lips
    return np.dstack([np.clip(colour, 0.002, 1), gloss]).astype(np.float32)


def _lip_mask(side: Floats, y: Floats) -> Floats:
    upper = np.interp(side, [0, 0.3, 0.6, 1.2, 2.0, 2.55], [-2.82, -2.74, -2.7, -2.86, -3.2, -3.48])
    lower = np.interp(side, [0, 0.8, 1.6, 2.2, 2.55], [-4.42, -4.36, -4.1, -3.8, -3.52])
    between = smoothstep(upper - y, -0.08, 0.12) * smoothstep(y - lower, -0.1, 0.15)
    return np.asarray(between * smoothstep(-side, -2.65, -2.4))


def _beard_mask(side: Floats, y: Floats, z: Floats) -> Floats:
    """Return where a beard grows, 0 to 1: below a line from the sideburn over the cheek to the mouth, and above it."""
    points = [0, 1.2, 2.4, 4.0, 5.5, 6.6, 7.4, 7.8], [-4.9, -4.6, -2.6, -2.9, -2.0, 0.2, 2.2, 2.2]
    edge = np.interp(side, *points)
    chin = smoothstep(edge - y, -0.3, 0.9) * smoothstep(y, -9.5, -7.0)
    lip = np.exp(-((side / 2.5) ** 4)) * smoothstep(-y, 0.9, 1.5) * smoothstep(y, -3.2, -2.7)
    return np.asarray(np.maximum(chin, lip) * smoothstep(z, -1.0, 2.0))


def _brow_mask(person: Appearance, side: Floats, y: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    middle = np.interp(side, [1.0, 2.2, 3.3, 4.4, 5.6], [5.3, 5.5, 5.68, 5.68, 5.0])
    arch = np.exp(-(((side - 4) / 0.9) ** 2))
    middle = middle + 0.5 * (person.brow_height - 0.4) + 0.35 * (person.brow_arch - 0.4) * arch
    half = np.interp(side, [1.0, 1.6, 3.0, 4.4, 5.7], [0.30, 0.42, 0.38, 0.28, 0.10])
    across = (y - middle) / (half * (0.55 + 0.8 * person.brow_thickness))
    ends = smoothstep(side, 0.8, 2.1), smoothstep(5.9 - side, 0, 0.9)
    inside = smoothstep(1.25 - np.abs(across), 0, 0.6) * ends[0] * ends[1]
    # Single hairs, upright near the nose and slanting outwards.
    hairs = value_noise(rng, (64, 512), 256)
    slant = np.interp(side, [1, 1.8, 3, 6], [0.1, 0.5, 0.9, 1.1])
    column = (x * 34 + np.sign(x) * across * slant * -11 + 256).astype(np.float32)
    row = (across * 6 + 32).astype(np.float32)
    hairs = cv2.remap(hairs, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(inside * np.clip(person.brow_density * (0.95 + 0.22 * hairs), 0, 1))


def _scatter_dots(
    rng: np.random.Generator, shape: tuple[int, int], count: int, spread: tuple[int, int], blur: float
) -> Floats:
    """Return soft dots in [0, 1], scattered round the tip of the nose with a standard deviation in texels."""
    dots = np.zeros(shape, np.float32)
    centre = unwrap(np.array([[0.0, 0.5, 13.0]]))[0]
    for column, row in rng.normal(centre, spread, (count, 2)):
        cv2.circle(dots, (round(column), round(row)), 1, float(rng.uniform(0.2, 1)), -1)
    return cv2.GaussianBlur(dots, (0, 0), blur)


def _paint_eye(person: Appearance, atlas: Floats) -> None:
    """Paint an eyeball as seen along its axis; the patch has the radius of the ball."""
    centre_x, centre_y, radius = EYE_PATCH
    top = int(centre_y - centre_x)
    down, across = np.mgrid[0:96, 0:96].astype(np.float32)
    across, down = (across - centre_x) / radius, (down + top - centre_y) / radius
    distance, angle = np.hypot(across, down), np.arctan2(down, across)
    rng = np.random.default_rng([8, round(person.pattern * 2**31)])
    fibres = np.interp(angle, np.linspace(-np.pi, np.pi, 49), np.resize(rng.uniform(0.75, 1.25, 48), 49))
    rim = smoothstep(distance, 0.45, 1.0)[..., None]
    white = to_linear((196, 186, 180)) * (1 - 0.25 * rim * (0.4, 1.0, 1.0))
    brightness = fibres * (1.35 - 0.5 * smoothstep(distance, 0.18, 0.4))
    iris = scale_colour(IRIS, person.eye_colour) * brightness[..., None]
    inner = smoothstep(0.27 - distance, 0, 0.1)[..., None]  # warmer round the pupil
    iris = iris * (1 - 0.4 * inner) + 0.4 * inner * to_linear((128, 88, 44)) * (0.4 + person.eye_colour)
    iris = iris * (1 - 0.75 * smoothstep(distance, 0.33, 0.42))[..., None]  # limbus
    iris = iris * smoothstep(distance, 0.13, 0.19)[..., None] + 0.001  # pupil
    ball = iris + (white - iris) * smoothstep(distance, 0.39, 0.45)[..., None]
    atlas[top : top + 96, 0:96, :3] = ball
    atlas[top : top + 96, 0:96, 3] = 1.0
