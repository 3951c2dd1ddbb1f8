"""Paint one face from its factors.

The face is painted frontally on a canvas of twice the image size, with antialiased edges, so that the image changes
smoothly with every factor. One smooth displacement of the canvas then gives the pose, and area averaging the image.
"""

from functools import lru_cache

import cv2
import numpy as np

from omote.synthetic.drawn.canvas import (
    Canvas,
    Colour,
    Floats,
    mix,
    pick_colour,
    pixel_centres,
    rgb,
)
from omote.synthetic.drawn.curves import Points, curve, ellipse, ellipses, tapered_strokes
from omote.synthetic.drawn.factors import Identity, Nuisance
from omote.synthetic.drawn.hair import hair_extent, paint_hair
from omote.synthetic.drawn.relief import face_bumps, face_tints, face_wrinkles
from omote.synthetic.drawn.shape import Mouth, Nose, Shape, UnitStrengths, shape_face
from omote.synthetic.drawn.skin import shade_relief, skin_albedo
from omote.synthetic.interpolation import lerp
from omote.synthetic.plan import FaceImage

OVERSAMPLING = 2  # canvas pixels per image pixel, each way
# Colours along an identity factor: skin_tone, hair_tone, eye_colour.
SKIN = ((246, 214, 196), (235, 192, 164), (212, 160, 126), (172, 120, 88), (128, 86, 62), (98, 66, 49))
HAIR = ((24, 20, 20), (52, 36, 28), (92, 62, 42), (140, 102, 64), (206, 170, 112))
IRIS = ((44, 26, 18), (84, 52, 30), (110, 86, 48), (92, 118, 84), (84, 128, 164), (128, 150, 168))


@lru_cache(maxsize=4)
def _depth(canvas: int) -> Floats:
    """Return the depth (canvas, canvas) of an average head towards the viewer, in face units."""
    x, y = np.meshgrid(pixel_centres(canvas), pixel_centres(canvas))
    head = np.sqrt(np.clip(1 - (x / 0.9) ** 2 - ((y + 0.02) / 1.15) ** 2, 0, None))
    nose = np.exp(-((x / 0.13) ** 2) - ((y - 0.12) / 0.16) ** 2)
    depth: Floats = (0.62 * head**1.5 + 0.16 * nose - 0.3).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(depth, (0, 0), canvas * 0.03), np.float32)


@lru_cache(maxsize=1)
def _noise_tile() -> Floats:
    return np.random.default_rng(20240501).standard_normal((384, 384, 3), dtype=np.float32)


def _colours(i: Identity) -> tuple[Colour, Colour]:
    """Return the colours of skin and hair."""
    skin = pick_colour(SKIN, i.skin_tone)
    skin = skin * (1 + rgb(0.008, 0.012, -0.065) * np.float32(2 * i.skin_warmth - 1))
    hair = mix(pick_colour(HAIR, i.hair_tone), rgb(150, 66, 30), 0.75 * i.hair_red)
    return skin, mix(hair, rgb(186, 184, 182), 0.9 * i.hair_grey)


def draw_face(
    identity: Identity,
    action_units: dict[int, float],
    nuisance: Nuisance | None = None,
    size: int = 64,
    side: float = 0.0,
) -> FaceImage:
    """Return the image of one face, with its box from hairline to chin; (0, 0) is the centre of the first pixel.

    Args:
        action_units: FACS number -> strength in [0, 1]; 0 where missing.
        size: side of the image in pixels.
        side: of the face that units 10, 12, 14 and 15 move: -1 the person's right only, 0 both, 1 the left only.
    """
    n = nuisance if nuisance is not None else Nuisance()
    au = UnitStrengths(action_units, side)
    shape = shape_face(identity, au)
    canvas = Canvas(size * OVERSAMPLING)
    skin, hair = _colours(identity)
    _paint_background(canvas, identity, n, shape, skin, hair)

    face = Canvas(canvas.size)
    contrast = float(0.35 + 0.65 * skin.mean() / 200)  # tints show less on dark skin
    face.pixels = skin_albedo(identity, face_tints(identity, au, shape), skin, contrast, face.size)
    _paint_beard_lips_brows(face, identity, shape, skin, hair)
    bumps, wrinkles = face_bumps(identity, au, shape), face_wrinkles(identity, au, shape)
    diffuse, specular = shade_relief(face, shape.head, bumps, wrinkles, n)
    for channel, depth, shine in zip(face.pixels, (0.90, 1.06, 1.12), (24, 22, 20), strict=True):
        channel *= 1 + np.float32(depth) * diffuse
        channel += np.float32(shine * (0.7 + 0.6 * identity.skin_tone)) * specular
    canvas.paste(face, face.coverage(shape.head.outline))

    _paint_eyes(canvas, identity, shape, skin, n)
    _paint_nose(canvas, shape.nose, n)
    _paint_mouth(canvas, shape.mouth)
    paint_hair(canvas, identity, shape, hair, n)
    return _photograph(canvas, n, size, shape)


def _paint_background(c: Canvas, i: Identity, n: Nuisance, shape: Shape, skin: Colour, hair: Colour) -> None:
    """Paint what is behind the face: the wall, long hair, neck and ears."""
    grid = pixel_centres(c.size)
    hue = 2 * np.pi * n.background_hue
    colour = 40 + 190 * n.background + 22 * np.cos(hue - np.array([0, 2.1, 4.2]))
    ramp = 1 - 0.10 * grid[:, None] + np.float32(0.08 * n.light_x) * grid[None, :]
    c.pixels[:] = ramp * colour.astype(np.float32)[:, None, None]
    w = float(shape.head.outline[:, 0].max())
    bottom, out = hair_extent(i, w)
    edge = ((out * 0.9, bottom), (out * 1.01, bottom - 0.3), (out, -0.9), (0.5, -1.3))
    other = ((-x, y) for x, y in reversed(edge))
    back = curve(*other, (0, bottom + 0.03), *edge, closed=True, steps=4)
    c.fill(back, colour=hair * 0.5, alpha=min(1.0, max(0.0, 4 * bottom)), soft=0.02)
    neck = 0.47 * lerp(0.9, 1.1, i.jaw_width)
    throat = [(-neck, 0.3), (neck, 0.3), (neck, 0.95), (0.75, 1.3), (-0.75, 1.3), (-neck, 0.95)]
    c.fill(np.array(throat), colour=skin * rgb(0.62, 0.58, 0.56), soft=0.012)
    ears, hollows = [], []
    size = lerp(0.75, 1.25, i.ear_size)
    for s in (-1, 1):
        x, y = s * (w + 0.012), -0.06
        rim = ((-0.05, -0.15), (0.045, -0.19), (0.085, -0.08), (0.055, 0.08), (0.02, 0.19), (-0.05, 0.16))
        ears.append(curve(*((x + s * dx * size, y + dy * size) for dx, dy in rim), closed=True, steps=4))
        hollows.append(ellipse((x + s * 0.02, y - 0.02), 0.022 * size, 0.10 * size, -s * 0.15))
    c.fill(*ears, colour=skin * rgb(0.82, 0.74, 0.72))
    c.darken(*hollows, factor=0.72, soft=0.012)


def _paint_beard_lips_brows(c: Canvas, i: Identity, shape: Shape, skin: Colour, hair: Colour) -> None:
    if i.beard > 0.01:
        (x0, y0), (x1, y1) = shape.mouth.corners
        outline = shape.head.outline
        lower = outline[outline[:, 1] > 0.05] * 1.02  # from the person's left, round the chin, to the right
        nose = shape.nose.tip[1] + 0.125
        right = ((-0.64, 0.05), (-0.60, 0.22), (x0 * 1.45, y0 - 0.08), (x0 * 1.1, nose + 0.045))
        left = ((x1 * 1.1, nose + 0.045), (x1 * 1.45, y1 - 0.08), (0.60, 0.22), (0.64, 0.05))
        inner = curve(*right, (0, nose), *left)
        alpha = min(0.84, 0.22 + 0.7 * i.beard) * min(1.0, 8 * i.beard)
        c.fill(np.concatenate([lower, inner]), colour=mix(hair, skin, 0.12), alpha=alpha, soft=0.045)
    lip = skin * rgb(0.86, 0.66, 0.64)
    lip = mix(lip, rgb(184, 70, 74) * np.float32(skin.mean() / 190), 0.1 + 0.7 * i.lip_colour)
    c.fill(shape.mouth.upper_lip, colour=lip * 0.9, alpha=0.9, soft=0.006)
    c.fill(shape.mouth.lower_lip, colour=lip * 1.04, alpha=0.85, soft=0.008)
    brow = mix(hair * 0.62 + rgb(10, 6, 4), rgb(60, 42, 30), 0.35)
    c.fill(*shape.brows, colour=brow, alpha=lerp(0.62, 0.9, i.brow_thickness), soft=0.009)


def _paint_eyes(c: Canvas, i: Identity, shape: Shape, skin: Colour, n: Nuisance) -> None:
    right, left = shape.eyes
    openings = (right.opening, left.opening)
    upper_lids = np.array([right.upper_lid, left.upper_lid])
    lower_lids = np.array([right.lower_lid, left.lower_lid])
    irises = np.array([right.iris, left.iris])
    r = left.iris_radius
    folds = tapered_strokes(np.array([right.fold, left.fold]), 0.014)
    c.fill(*folds, colour=skin * 0.52, alpha=0.8 * left.fold_depth, soft=0.004)
    ball = c.new_part(*openings, margin=0.02)
    ball.pixels[:] = rgb(224, 217, 212)[:, None, None]
    iris = pick_colour(IRIS, i.eye_colour)
    ball.fill(*ellipses(irises, r, r), colour=iris * 0.5)
    ball.fill(*ellipses(irises, 0.84 * r, 0.84 * r), colour=iris)
    light_below = irises + np.array([0, 0.28 * r])
    ball.fill(*ellipses(light_below, 0.55 * r, 0.55 * r), colour=iris * 1.35 + 8, alpha=0.6, soft=0.005)
    ball.fill(*ellipses(irises, 0.45 * r, 0.45 * r), colour=rgb(12, 9, 9))
    highlight = irises + np.array([0.3 * r * n.light_x, -0.3 * r])
    ball.fill(*ellipses(highlight, 0.23 * r, 0.23 * r), colour=rgb(255, 255, 255), alpha=0.95)
    aperture = float(np.ptp(left.opening[:, 1]))
    shadow = tapered_strokes(upper_lids + np.array([0, 0.08 * aperture]), 0.32 * aperture)
    ball.darken(*shadow, factor=0.35, alpha=0.6, soft=0.008)
    ball.fill(*ellipses(upper_lids[:, 0], 0.026, 0.018), colour=rgb(196, 132, 122), soft=0.006)  # tear ducts
    c.paste(ball, ball.coverage(*openings))
    c.fill(*tapered_strokes(upper_lids, 0.024, 0.65), colour=skin * 0.18, alpha=0.9)
    c.fill(*tapered_strokes(lower_lids, 0.010), colour=skin * 0.3, alpha=0.35, soft=0.004)


def _paint_nose(c: Canvas, nose: Nose, n: Nuisance) -> None:
    x, y = nose.tip
    r = nose.nostril_size
    c.darken(ellipse((x - 0.03 * n.light_x, y + 0.085), 3.0 * r, 0.022), factor=0.72, alpha=0.8, soft=0.016)
    holes, wings = [], []
    for s, (nx, ny) in zip((-1, 1), nose.nostrils, strict=True):
        holes.append(ellipse((nx, ny), r * 0.95, r * 0.45, -0.25 * s))
        wing = curve(
            (nx + s * r * 1.75, y - 0.02), (nx + s * r * 2.2, y + 0.025), (nx + s * r * 1.6, y + 0.062)
        )
        wings.append(tapered_strokes(wing, 0.016))
    c.darken(*holes, factor=0.25, alpha=0.85, soft=0.006)
    c.darken(*wings, factor=0.62, alpha=0.6, soft=0.008)


def _paint_mouth(c: Canvas, mouth: Mouth) -> None:
    opacity = min(1.0, mouth.opening / 0.02)  # of the inside of the mouth
    corners = np.array(mouth.corners)
    if opacity > 0.003:
        inside = c.new_part(mouth.inside, margin=0.01)
        inside.pixels[:] = rgb(58, 18, 20)[:, None, None]
        bottom = float(mouth.inside[:, 1].max())
        tongue = min(1.0, max(0.0, (mouth.opening - 0.05) / 0.08))
        soft_red = rgb(172, 80, 82)
        inside.fill(ellipse((0, bottom + 0.01), 0.14, 0.07), colour=soft_red, alpha=0.85 * tongue, soft=0.014)
        inside.fill(mouth.teeth, colour=rgb(234, 228, 218), alpha=0.97, soft=0.005)
        lower_teeth = ellipse((0, bottom + 0.005), 0.15, 0.045)
        inside.fill(lower_teeth, colour=rgb(214, 206, 194), alpha=mouth.lower_teeth, soft=0.006)
        shadow = tapered_strokes(mouth.line + np.array([0, 0.004]), 0.026)
        inside.darken(shadow, factor=0.45, alpha=0.8, soft=0.008)
        inside.darken(*ellipses(corners, 0.07, 0.06), factor=0.35, alpha=0.75, soft=0.02)
        c.paste(inside, inside.coverage(mouth.inside) * np.float32(opacity))
    c.darken(tapered_strokes(mouth.line, 0.016), factor=0.38, alpha=0.85 * (1 - 0.5 * opacity), soft=0.003)
    c.darken(*ellipses(corners, 0.016, 0.012), factor=0.6, alpha=0.8, soft=0.010)


def _photograph(c: Canvas, n: Nuisance, size: int, shape: Shape) -> FaceImage:
    """Return the image of the canvas under pose, brightness and noise."""
    grid = pixel_centres(c.size)
    roll = np.deg2rad(n.roll)
    rotation = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    shift = 2 * np.array([n.shift_x, n.shift_y])
    half = 0.5 * c.size
    cos, sin = np.float32(half * rotation[0, 0] / n.scale), np.float32(half * rotation[1, 0] / n.scale)
    yaw, pitch = np.sin(np.deg2rad([n.yaw, n.pitch]))
    depth = _depth(c.size)
    gx, gy = (grid - np.float32(shift[0]))[None, :], (grid - np.float32(shift[1]))[:, None]
    middle = np.float32(half - 0.5)
    map_x = (gx * cos + (gy * sin + middle)) - depth * np.float32(yaw * half)
    map_y = (gy * cos - gx * sin + middle) - depth * np.float32(pitch * half)
    upright = cv2.merge(list(c.pixels))
    posed = cv2.remap(upright, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    pixels = np.asarray(cv2.resize(posed, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    pixels *= np.float32(n.brightness)
    if n.noise > 0:
        k = int(n.grain * 65535)
        y, x = k // 256, k % 256
        pixels += _noise_tile()[y : y + size, x : x + size] * np.float32(n.noise)
    image = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)

    def to_pixels(points: Points) -> Points:
        pixel = np.clip(((points + 1) * half).astype(int), 0, c.size - 1)
        moved = points + depth[pixel[:, 1], pixel[:, 0]][:, None] * np.array([yaw, pitch])
        found: Points = (n.scale * moved @ rotation.T + shift + 1) * (0.5 * size) - 0.5
        return found

    marks = np.array([shape.eyes[0].centre, shape.eyes[1].centre, shape.nose.tip, *shape.mouth.corners])
    face = shape.head.outline[shape.head.outline[:, 1] > -0.86]
    points = to_pixels(np.concatenate([marks, face]))
    low, high = points[5:].min(0), points[5:].max(0)
    return FaceImage(image, points[:5], np.concatenate([low, high - low]))
