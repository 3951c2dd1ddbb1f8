"""The colours of a head, painted on its chart.

Places are in centimetres on the average head of the model: x to the person's left, y up, z to the front. What is
painted belongs to vertices, so that brows, lips and freckles move with the expression. Colours are linear light
(the square of the picture's values). Skin is layered as light takes it: each layer of melanin or blood multiplies
the albedo by a colour to the power of its density.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike

from omote.synthetic.rendered.chart import (
    AXIS,
    EYE_PATCH,
    HAIR_PATCH,
    MOUTH_PATCHES,
    SIDE,
    SKIN_ROWS,
    Floats,
    noise,
    smooth,
    streaks,
    unrolled,
)
from omote.synthetic.rendered.look import Look

# Skin from light to dark, as a picture shows it (0-255).
SKIN = np.array(
    [(224, 187, 166), (216, 172, 146), (198, 146, 116), (164, 112, 84), (120, 78, 56), (84, 55, 42)]
)
# Hair from black to blond, as a picture shows it.
HAIR = np.array([(33, 28, 26), (52, 37, 29), (84, 58, 40), (128, 94, 62), (190, 152, 104)])
RED_HAIR, GREY_HAIR = np.array((146, 66, 30)), np.array((168, 166, 162))
# Irises from dark brown through hazel and green to blue grey.
IRIS = np.array([(54, 32, 20), (98, 62, 30), (110, 98, 52), (96, 122, 104), (108, 138, 164)])
MELANIN = np.array((0.72, 0.55, 0.42))  # what a layer of density 1 leaves of the light
BLOOD = np.array((0.88, 0.56, 0.60))


def linear(colour: ArrayLike) -> Floats:
    return (np.asarray(colour, np.float32) / 255) ** 2


def along(scale: Floats, where: float) -> Floats:
    """Return the linear colour at `where` (0 to 1) along a scale of colours."""
    steps = np.linspace(0, 1, len(scale))
    return linear(np.array([np.interp(where, steps, scale[:, channel]) for channel in range(3)]))


def hair_colour(look: Look) -> Floats:
    shown = np.sqrt(along(HAIR, look.hair_tone)) * 255
    shown = shown + (RED_HAIR - shown) * 0.8 * look.hair_red
    return linear(shown + (GREY_HAIR - shown) * look.hair_grey)


def hairline(angle: Floats, look: Look) -> Floats:
    """Return the height (cm) above which hair grows, at angles (radians) round the head from its front."""
    degrees = np.rad2deg(np.abs(angle))
    # Forehead, temple, sideburn, above and behind the ear, nape.
    height = np.interp(
        degrees,
        [0, 20, 38, 50, 58, 65, 70, 76, 80, 86, 100, 108, 116, 180],
        [9.9, 9.8, 9.3, 8.3, 7.0, 5.4, 3.2, 1.8, 2.2, 5.2, 5.2, 2.0, -3, -4],
    )
    front = smooth(degrees, 62, 45)
    corners = np.exp(-(((degrees - 34) / 13) ** 2))
    return height + front * (2.2 * (look.hair_line - 0.5) + 2.4 * look.hair_recession * corners)


def paint_head(look: Look, places: Floats, strands: Floats) -> Floats:
    """Return the atlas (SIDE, SIDE, 4): linear red, green, blue, and gloss.

    Args:
        places: what `places_of_texels` returns.
        strands: (any, any, 3) picture of the person's hair.
    """
    atlas = np.zeros((SIDE, SIDE, 4), np.float32)
    atlas[:SKIN_ROWS] = _paint_skin(look, places)
    _paint_eye(look, atlas)
    x, y, width, height = HAIR_PATCH
    atlas[y : y + height, x : x + width, :3] = cv2.resize(
        strands, (width, height), interpolation=cv2.INTER_AREA
    )
    skin = along(SKIN, look.skin_tone)
    flesh = linear((196, 100, 96)) * 0.7 + skin * 0.3
    tooth = linear((232, 222, 200)) * (1 - look.teeth) + linear((234, 229, 218)) * look.teeth
    for name, colour, gloss in (
        ("inner_mouth", linear((96, 36, 34)), 0.0),
        ("gums", flesh, 0.5),
        ("tongue", flesh * (0.95, 0.8, 0.8), 0.25),
        ("teeth", tooth, 0.6),
    ):
        x, y = MOUTH_PATCHES[name]
        atlas[y - 16 : y + 16, x - 16 : x + 16] = [*colour, gloss]
    return atlas


def _paint_skin(look: Look, places: Floats) -> Floats:
    x, y, z = np.moveaxis(places, 2, 0)
    side, shape = np.abs(x), x.shape
    rng = np.random.default_rng([7, round(look.pattern * 2**31)])

    def spot(at: float, height: float, width: float, tall: float) -> Floats:
        inside: Floats = np.exp(-(((side - at) / width) ** 2) - ((y - height) / tall) ** 2) * (z > 0)
        return inside

    lips = _lips(side, y) * (z > 7.5)
    # Blood: cheeks, nose, ears and chin are redder, the forehead paler.
    coarse, fine = noise(rng, shape, 10, 3), noise(rng, shape, 48, 2)
    blood = 0.5 * (look.skin_redness - 0.5) + (0.2 + 0.5 * look.skin_redness) * (
        spot(4.0, -0.2, 2.2, 1.9) + 0.7 * spot(0, 0.2, 1.5, 1.3) + 0.35 * spot(0, -6.2, 1.6, 1.2)
    )
    blood = blood + 0.3 * smooth(side, 7.6, 8.6) - 0.12 * spot(0, 8, 4, 2)
    blood = blood + (0.03 + 0.10 * look.blotches) * coarse + 0.05 * fine
    # Melanin: round the eyes, patches, freckles and moles.
    melanin = 0.05 * noise(rng, shape, 7, 2) * (0.5 + look.blotches) + 0.03 * noise(rng, shape, 120)
    melanin = melanin + (0.25 + 0.6 * look.eye_shade) * (
        spot(2.9, 2.7, 1.5, 0.55) * 0.8 + spot(3.1, 4.3, 1.5, 0.5) * 0.8 + spot(1.6, 3.6, 0.6, 0.9) * 0.6
    )
    blood = blood + 0.3 * look.eye_shade * (spot(3.0, 2.8, 1.5, 0.6) + spot(3.1, 3.5, 2.0, 0.9) * 0.6)
    freckles = _dots(rng, shape, round(700 * look.freckles), (75, 45), 0.6)
    melanin = melanin + 1.2 * freckles + 3.5 * _dots(rng, shape, round(6 * look.moles), (60, 60), 0.9)
    # Lips: blood under thin skin; the dark seam between them is shadow.
    blood = blood * (1 - lips) + lips * (0.55 + 1.15 * look.lip_colour)
    melanin = melanin * (1 - lips) + lips * (0.15 + 0.6 * look.lip_darkness + 0.1 * noise(rng, shape, 100))

    skin = along(SKIN, look.skin_tone) * np.array(
        (1, 0.98 + 0.04 * look.skin_warmth, 1.14 - 0.28 * look.skin_warmth)
    )
    layers = blood[..., None] * np.log(BLOOD) + melanin[..., None] * np.log(MELANIN)
    colour = skin * np.exp(layers.astype(np.float32))

    hair = hair_colour(look)
    strands = streaks(rng, shape)
    angle = np.arctan2(x, z - AXIS)
    growth = y - hairline(angle, look) + 0.15 * strands + 0.15 * fine
    scalp = smooth(growth, -0.5, 1.1) * min(1.0, 0.25 + look.hair_cover) * (0.85 + 0.08 * strands)
    if look.hair_cover < 0.2:  # clean shaven or bald: a shadow of it
        scalp = scalp * 2.2 * look.hair_cover
    beard = _beard(side, y, z)
    stubble = beard * np.clip(0.6 + 0.16 * strands, 0, 1) * 0.6 * look.stubble
    upper = spot(0, -1.9, 2.6, 0.65) * smooth(y, -2.7, -2.4) * smooth(-y, 0.8, 1.3)
    full = np.maximum(beard * smooth(-y, 1.0, 2.6) * look.beard, upper * look.moustache)
    full = np.clip(full * (1.25 + 0.10 * strands + 0.10 * fine), 0, 0.96)
    brows = _brows(look, side, y, x, rng) * (z > 4)
    not_lips = 1 - 0.85 * lips
    for cover, tint in (
        (stubble * not_lips, np.minimum(0.7 * hair + 0.03, 0.5 * skin)),
        (full * not_lips, hair * 0.8),
        (brows, hair * 0.75),
        (scalp, hair * 0.75),
    ):
        share = np.clip(cover, 0, 0.97)[..., None]
        colour = colour * (1 - share) + tint * share * (1 + 0.12 * strands[..., None])
    gloss = (0.25 + 0.75 * look.skin_gloss) * (
        0.10 + 0.12 * spot(0, 7.5, 3.5, 2.0) + 0.16 * spot(0, 1.0, 0.9, 2.4) + 0.06 * spot(4, 1.2, 1.6, 1.0)
    )
    gloss = gloss * (1 - np.clip(scalp * (look.hair_cover > 0.2) + full + brows, 0, 1)) + 0.14 * lips
    return np.dstack([np.clip(colour, 0.002, 1), gloss]).astype(np.float32)


def _lips(side: Floats, y: Floats) -> Floats:
    upper = np.interp(side, [0, 0.3, 0.6, 1.2, 2.0, 2.55], [-2.82, -2.74, -2.7, -2.86, -3.2, -3.48])
    lower = np.interp(side, [0, 0.8, 1.6, 2.2, 2.55], [-4.42, -4.36, -4.1, -3.8, -3.52])
    return smooth(upper - y, -0.08, 0.12) * smooth(y - lower, -0.1, 0.15) * smooth(-side, -2.65, -2.4)


def _beard(side: Floats, y: Floats, z: Floats) -> Floats:
    """Return where a beard grows: below a line from the sideburn over the cheek to the corner of the mouth."""
    edge = np.interp(
        side, [0, 1.2, 2.4, 4.0, 5.5, 6.6, 7.4, 7.8], [-4.9, -4.6, -2.6, -2.9, -2.0, 0.2, 2.2, 2.2]
    )
    chin = smooth(edge - y, -0.3, 0.9) * smooth(y, -9.5, -7.0)
    lip = np.exp(-((side / 2.5) ** 4)) * smooth(-y, 0.9, 1.5) * smooth(y, -3.2, -2.7)
    grows: Floats = np.maximum(chin, lip) * smooth(z, -1.0, 2.0)
    return grows


def _brows(look: Look, side: Floats, y: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    middle = np.interp(side, [1.0, 2.2, 3.3, 4.4, 5.6], [5.3, 5.5, 5.68, 5.68, 5.0])
    middle = (
        middle
        + 0.5 * (look.brow_height - 0.4)
        + 0.35 * (look.brow_arch - 0.4) * np.exp(-(((side - 4) / 0.9) ** 2))
    )
    half = np.interp(side, [1.0, 1.6, 3.0, 4.4, 5.7], [0.30, 0.42, 0.38, 0.28, 0.10]) * (
        0.55 + 0.8 * look.brow_thickness
    )
    across = (y - middle) / half
    inside = smooth(1.25 - np.abs(across), 0, 0.6) * smooth(side, 0.8, 2.1) * smooth(5.9 - side, 0, 0.9)
    # Single hairs, upright near the nose, lying outwards further on.
    hairs = noise(rng, (64, 512), 256)
    slant = np.interp(side, [1, 1.8, 3, 6], [0.1, 0.5, 0.9, 1.1])
    column = (x * 34 + np.sign(x) * across * slant * -11 + 256).astype(np.float32)
    row = (across * 6 + 32).astype(np.float32)
    strokes = cv2.remap(hairs, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    brows: Floats = inside * np.clip(look.brow_density * (0.95 + 0.22 * strokes), 0, 1)
    return brows


def _dots(
    rng: np.random.Generator, shape: tuple[int, int], count: int, spread: tuple[int, int], blur: float
) -> Floats:
    """Return `count` soft dots in [0, 1], strewn (in texels) round the tip of the nose."""
    dots = np.zeros(shape, np.float32)
    middle = unrolled(np.array([[0.0, 0.5, 13.0]]))[0]
    for column, row in rng.normal(middle, spread, (count, 2)):
        cv2.circle(dots, (round(column), round(row)), 1, float(rng.uniform(0.2, 1)), -1)
    return cv2.GaussianBlur(dots, (0, 0), blur)


def _paint_eye(look: Look, atlas: Floats) -> None:
    """Paint an eyeball seen along its axis; the radius of the patch is that of the ball."""
    middle_x, middle_y, radius = EYE_PATCH
    corner = int(middle_y - middle_x)
    down, across = np.mgrid[0:96, 0:96].astype(np.float32)
    across, down = (across - middle_x) / radius, (down + corner - middle_y) / radius
    away, turn = np.hypot(across, down), np.arctan2(down, across)
    rng = np.random.default_rng([8, round(look.pattern * 2**31)])
    fibres = np.interp(turn, np.linspace(-np.pi, np.pi, 49), np.resize(rng.uniform(0.75, 1.25, 48), 49))
    white = linear((196, 186, 180)) * (1 - 0.25 * smooth(away, 0.45, 1.0)[..., None] * (0.4, 1.0, 1.0))
    iris = along(IRIS, look.eye_colour) * (fibres * (1.35 - 0.5 * smooth(away, 0.18, 0.4)))[..., None]
    inner = smooth(0.27 - away, 0, 0.1)[..., None]  # a warmer ring round the pupil
    iris = iris * (1 - 0.4 * inner) + 0.4 * inner * linear((128, 88, 44)) * (0.4 + look.eye_colour)
    iris = iris * (1 - 0.75 * smooth(away, 0.33, 0.42))[..., None]  # limbus
    iris = iris * smooth(away, 0.13, 0.19)[..., None] + 0.001  # pupil
    ball = iris + (white - iris) * smooth(away, 0.39, 0.45)[..., None]
    atlas[corner : corner + 96, 0:96, :3] = ball
    atlas[corner : corner + 96, 0:96, 3] = 1.0
