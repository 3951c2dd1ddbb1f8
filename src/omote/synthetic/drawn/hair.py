"""Hair painted over the face."""

from functools import lru_cache

import cv2
import numpy as np

from omote.synthetic.drawn.canvas import FRACTION_BITS, Canvas, Colour, Floats, pixel_centres
from omote.synthetic.drawn.curves import curve
from omote.synthetic.drawn.factors import Identity, Nuisance
from omote.synthetic.drawn.shape import Shape
from omote.synthetic.interpolation import lerp, smoothstep


@lru_cache(maxsize=8)
def _strand_brightness(identity: Identity, canvas: int) -> Floats:
    """Return the brightness (canvas, canvas) of strands that fall from the parting, on average 1."""
    rng = np.random.default_rng(7)
    x, y = np.meshgrid(pixel_centres(canvas), pixel_centres(canvas))
    part = lerp(-0.45, 0.45, identity.hair_part)
    radius = np.hypot(x - part, (y + 1.45) * 0.9)
    angle = np.arctan2(x - part, y + 1.45)
    waviness = identity.hair_wave
    wave = waviness * 0.10 * np.sin(radius * lerp(7, 14, waviness) + 1.5 * np.sin(5 * angle))
    across = (angle + wave) * 3.0 + 20
    out = np.zeros_like(x)
    for frequency, strength in ((4.0, 0.15), (11.0, 0.13), (26.0, 0.09)):
        table = rng.standard_normal(4096).astype(np.float32)
        position = across * frequency + 0.8 * np.sin(radius * 3)
        k = position.astype(int)
        t = smoothstep(position - k)
        out += strength * (table[k % 4096] * (1 - t) + table[(k + 1) % 4096] * t)
    curls = cv2.GaussianBlur(rng.standard_normal((canvas, canvas)).astype(np.float32), (0, 0), canvas * 0.012)
    curls *= 0.22 / curls.std() * max(0.0, waviness - 0.6) * 2.5
    contrast = 1 - 0.5 * max(identity.hair_grey, 0.9 * identity.hair_tone)
    strands: Floats = np.clip(1 + contrast * (out + curls), 0.35, 1.8).astype(np.float32)
    return strands


def hair_extent(i: Identity, w: float) -> tuple[float, float]:
    """Return the y of the hair's lower end, and its x beside a face of half-width w."""
    length = max(0.0, i.hair_length - 0.12) / 0.88
    out = w + (0.02 + 0.12 * i.hair_volume) * (0.35 + 0.65 * min(1.0, 2.5 * length)) + 0.03 * i.hair_length
    return lerp(-0.34, 1.6, length), out


def paint_hair(c: Canvas, i: Identity, shape: Shape, hair: Colour, n: Nuisance) -> None:
    """Paint the hair in front of the head, with its shadow on the face."""
    w = float(shape.head.outline[:, 0].max())
    bottom, out = hair_extent(i, w)
    top = lerp(-0.70, -0.88, i.hair_line)
    top += (shape.brow_rest - 0.02 - top) * 0.75 * i.fringe
    part = lerp(-0.16, 0.16, i.hair_part)
    inner = lerp(0.99, 0.90, i.hair_length) * w  # long hair overlaps the sides of the face
    recede = 0.10 * i.hair_line * (1 - i.fringe)
    temple = w * lerp(0.84, 0.92, i.hair_line)
    temple_y = lerp(-0.50 - recede, top + 0.08, i.fringe)
    edge = ((inner * 0.985, -0.26), (inner, 0.1), (inner, 0.6), (w * 0.97, 1.3), (0.5, 2.2))
    side = ((temple, temple_y), *edge)
    crown_y = top + 0.12 * (1 - i.fringe) - recede
    left = ((0.27 + 0.5 * part, top + 0.015), (0.76 * temple, crown_y))
    right = ((-0.76 * temple, crown_y), (-0.27 + 0.5 * part, top + 0.015))
    crown = (*right, (part, top - 0.03 * (1 - i.fringe)), *left)
    opening = curve(*((-x, y) for x, y in reversed(side)), *crown, *side, closed=True, steps=4)
    half = (
        (0.5, -1.6),
        (out, -1.1),
        (out * 1.01, -0.5),
        (out + 0.02 * i.hair_wave, min(-0.1, bottom - 0.1)),
        (out * 0.99, bottom),
        (w * 0.93, bottom + 0.06),
        (w * 0.8, min(bottom - 0.05, -0.42)),
    )
    outer = curve(*((-x, y) for x, y in half), (0, -0.5), *reversed(half), closed=True, steps=4)
    mask = np.zeros((c.size, c.size), np.uint8)
    cv2.fillPoly(mask, [c.to_fixed_point(outer)], 255, cv2.LINE_AA, FRACTION_BITS)
    cv2.fillPoly(mask, [c.to_fixed_point(opening)], 0, cv2.LINE_AA, FRACTION_BITS)
    c.pixels *= 1 - c.blur(mask, 0.035) * np.float32(0.3 / 255)
    cover = c.blur(mask, lerp(0.010, 0.02, i.hair_wave)) * np.float32(1 / 255)
    grid = pixel_centres(c.size)
    across, down = np.float32(0.22 * n.light_x), np.float32(0.10 * n.light_y)
    shading = 1.05 + across * grid[None, :] - down * grid[:, None]
    shading *= _strand_brightness(i, c.size)
    for channel, colour in zip(c.pixels, hair, strict=True):
        channel += cover * (shading * colour - channel)
