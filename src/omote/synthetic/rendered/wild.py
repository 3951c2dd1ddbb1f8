"""What photos outside a studio add to a head: glasses, a hat, something before the face, coloured light, a poor camera.

Glasses and hats are placed in centimetres on the average head, like the points in `anatomy`, scaled to the person.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from omote.synthetic.rendered.atlas import Floats

Project = Callable[[Floats], Floats]  # (N, 3) cm on the average head -> (N, 2) pixels
SHIFT = 4  # fractional bits of the pixel coordinates that OpenCV draws
MAX_WILD_ROTATION = 30.0  # greatest yaw, pitch and roll, degrees
LENS_Z = 11.2  # of the glasses, cm


@dataclass(frozen=True, kw_only=True)
class Wild:
    """Factors of what is before the face, of coloured light, and of the camera; the defaults change nothing."""

    glasses: float = 0.0  # seed of their shape and colour; 0 for none
    hat: float = 0.0  # seed; 0 for none
    cover: float = 0.0  # seed of a hand or a thing before the face; 0 for none
    cover_x: float = 0.0  # its end, in image widths from the centre
    cover_y: float = 0.2
    cast: float = 0.0  # strength of a coloured light from one side
    cast_hue: float = 0.0  # once round the colour circle
    cast_angle: float = 0.0  # direction it comes from, once round the face
    shade: float = 0.0  # darkness of a shadow over a part of the picture
    shade_angle: float = 0.0
    shade_offset: float = 0.0  # of its edge from the centre, in image widths
    exposure: float = 0.0  # stops
    contrast: float = 1.0
    saturation: float = 1.0
    blur: float = 0.0  # standard deviation, in 64ths of the image
    resolution: float = 1.0  # share of the pixels that the camera has, each way
    jpeg: float = 0.0  # strength of the compression: 0 none, 1 quality 10 of 100


def random_wild(rng: np.random.Generator) -> Wild:
    """Return the random wild factors of a session."""

    def sometimes(share: float, value: float) -> float:
        return value if rng.uniform() < share else 0.0

    return Wild(
        glasses=sometimes(0.35, float(rng.uniform(0.01, 1))),
        hat=sometimes(0.15, float(rng.uniform(0.01, 1))),
        cast=float(rng.uniform()) ** 3,
        cast_hue=float(rng.uniform()),
        cast_angle=float(rng.uniform()),
        shade=sometimes(0.3, float(rng.uniform(0.2, 0.7))),
        shade_angle=float(rng.uniform()),
        shade_offset=float(rng.uniform(-0.35, 0.35)),
        exposure=float(rng.normal(0, 0.35)),
        contrast=float(rng.uniform(0.8, 1.2)),
        saturation=float(rng.uniform(0.6, 1.3)) * (rng.uniform() > 0.08),
        blur=sometimes(0.5, float(rng.uniform(0.2, 0.9))),
        resolution=1.0 - sometimes(0.3, float(rng.uniform(0.1, 0.5))),
        jpeg=sometimes(0.6, float(rng.uniform(0.1, 0.9))),
    )


def random_cover(rng: np.random.Generator) -> dict[str, float]:
    """Return the factors of a hand or a thing before the lower half of the face, or at its side."""
    return {
        "cover": float(rng.uniform(0.01, 1)),
        "cover_x": float(rng.normal(0, 0.16)),
        "cover_y": float(rng.uniform(0.16, 0.42)),
    }


def put_on(scene: Floats, wild: Wild, project: Project, pixels_per_cm: float) -> Floats:
    """Return the linear image (S, S, 3) with the hat, the glasses and what is before the face."""
    if wild.hat:
        scene = _put_on_hat(scene, wild, project)
    if wild.glasses:
        scene = _put_on_glasses(scene, wild, project, pixels_per_cm)
    if wild.cover:
        scene = _cover(scene, wild, pixels_per_cm)
    return scene


def _put_on_glasses(scene: Floats, wild: Wild, project: Project, pixels_per_cm: float) -> Floats:
    rng = np.random.default_rng([11, round(wild.glasses * 2**31)])
    width, height, roundness = rng.uniform(2.5, 3.1), rng.uniform(1.5, 2.5), rng.uniform(0.35, 1.0)
    rim = rng.uniform(0.12, 0.42)  # cm
    colour = rng.uniform(0.0, 0.12, 3) if rng.uniform() < 0.7 else rng.uniform(0.02, 0.5, 3)
    tint = rng.uniform(0.5, 0.95) if rng.uniform() < 0.12 else rng.uniform(0.0, 0.12)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    across, up = (np.sign(w) * np.abs(w) ** roundness for w in (np.cos(angle), np.sin(angle)))
    lenses = []
    for side in (-1, 1):
        x, y = side * 3.2 + width * across, 3.2 + height * up
        lenses.append(project(np.column_stack([x, y, LENS_Z - 0.04 * x * x])))
    inner, outer = 3.2 - width, 3.2 + width
    bridge = np.array([(-inner, 3.7, LENS_Z), (0, 4.0, LENS_Z + 0.2), (inner, 3.7, LENS_Z)])
    lens = _filled(scene, lenses)
    scene = scene * (1 - tint * lens)
    lines = [np.concatenate([one, one[:1]]) for one in lenses] + [project(bridge)]
    for side in (-1, 1):  # the arm that the head does not hide
        arm = project(np.array([(side * outer, 3.6, LENS_Z - 0.04 * outer**2), (side * 7.9, 3.9, 2.0)]))
        if side * (arm[1, 0] - arm[0, 0]) > 0:
            lines.append(arm)
    frame = _lines(scene, lines, rim * pixels_per_cm)
    scene = scene * (1 - frame) + frame * colour.astype(np.float32)
    if rng.uniform() < 0.3:  # a reflection
        spot = lenses[int(rng.integers(2))].mean(0) + rng.normal(0, 0.5 * pixels_per_cm, 2)
        glare = _filled(scene, [spot + 0.6 * pixels_per_cm * np.column_stack([0.5 * across, up])])
        scene = scene + 0.5 * glare * lens
    return scene


def _put_on_hat(scene: Floats, wild: Wild, project: Project) -> Floats:
    rng = np.random.default_rng([12, round(wild.hat * 2**31)])
    edge, brim = rng.uniform(7.6, 9.4), rng.uniform() < 0.5
    colour = (rng.uniform(0.02, 0.8) * rng.uniform(0.3, 1.0, 3)).astype(np.float32)
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    rings = []
    for share in (0.0, 0.35, 0.65, 0.9, 1.0):
        radius = np.sqrt(max(1 - share**2, 0.0))
        x, z = 9.1 * radius * np.sin(angle), 0.5 + 10.6 * radius * np.cos(angle)
        rings.append(np.column_stack([x, np.full_like(x, edge + (15.8 - edge) * share), z]))
    dome = project(np.concatenate(rings))
    mask = _filled(scene, [cv2.convexHull(dome.astype(np.float32))[:, 0]])
    size = len(scene)
    folds = cv2.resize(rng.uniform(0.75, 1.15, (3, 6)).astype(np.float32), (size, size))[..., None]
    scene = scene * (1 - mask) + mask * folds * colour
    if brim:
        front = np.linspace(-1.25, 1.25, 21)
        near = np.column_stack([9.1 * np.sin(front), np.full(21, edge), 0.5 + 10.6 * np.cos(front)])
        far = near + np.column_stack([np.zeros(21), np.full(21, -0.8), 6.0 * np.cos(front) ** 2])
        shadow = _filled(scene, [project(np.concatenate([near, (far - (0, 2.2, 3.0))[::-1]]))])
        scene = scene * (1 - 0.45 * shadow)
        peak = _filled(scene, [project(np.concatenate([near, far[::-1]]))])
        scene = scene * (1 - peak) + 0.6 * peak * colour
    return scene


def _cover(scene: Floats, wild: Wild, pixels_per_cm: float) -> Floats:
    rng = np.random.default_rng([13, round(wild.cover * 2**31)])
    size = len(scene)
    tip = size * (0.5 + np.array((wild.cover_x, wild.cover_y)))
    side = 1 if rng.uniform() < 0.5 else -1
    direction = np.deg2rad(rng.uniform(50, 110))  # from the tip down and to one side
    away = np.array((side * np.cos(direction), np.sin(direction)))
    across = np.array((-away[1], away[0]))
    if rng.uniform() < 0.6:  # a hand, in the colour of the skin
        skin = scene[size // 3 : 2 * size // 3, size // 3 : 2 * size // 3].reshape(-1, 3)
        colour = np.median(skin, axis=0) * rng.uniform(0.75, 1.15)
        for finger in rng.permutation(4).tolist():
            start = tip + pixels_per_cm * ((finger - 1.5) * 1.75 * across + abs(finger - 1.4) * 0.7 * away)
            bones = [np.stack([start, start + 9 * pixels_per_cm * away])]
            for breadth, brightness in ((1.75, 0.55), (1.5, 0.85), (0.9, 1.05)):
                mask = _lines(scene, bones, breadth * pixels_per_cm)
                scene = scene * (1 - mask) + mask * (brightness * colour).astype(np.float32)
        palm = _filled(
            scene, [_rectangle(tip + 13 * pixels_per_cm * away, away, across, 6.5, 3.9, pixels_per_cm)]
        )
        return np.asarray(scene * (1 - palm) + palm * (0.9 * colour).astype(np.float32))
    # a cup, a phone, a microphone
    colour = (rng.uniform(0.02, 0.9) * rng.uniform(0.3, 1.0, 3)).astype(np.float32)
    length, breadth = rng.uniform(4, 8), rng.uniform(1.8, 4.0)
    middle = tip + pixels_per_cm * length * away
    mask = _filled(scene, [_rectangle(middle, away, across, length, breadth, pixels_per_cm)])
    light = np.linspace(0.6, 1.2, size, dtype=np.float32)[None, ::side, None]
    return np.asarray(scene * (1 - mask) + mask * light * colour)


def _rectangle(
    middle: Floats, away: Floats, across: Floats, length: float, breadth: float, pixels_per_cm: float
) -> Floats:
    corners = [(-1, -1), (-1, 1), (1, 1), (1, -1)]
    return np.array([middle + pixels_per_cm * (a * length * away + b * breadth * across) for a, b in corners])


def light_up(scene: Floats, wild: Wild) -> Floats:
    """Return the linear image (S, S, 3) in coloured light, and partly in shadow."""
    size = len(scene)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    if wild.cast:
        angle = 2 * np.pi * wild.cast_angle
        towards = np.clip(0.5 + np.cos(angle) * x + np.sin(angle) * y, 0, 1)[..., None]
        colour = np.cos(2 * np.pi * (wild.cast_hue + np.array((0, 1 / 3, 2 / 3)))).astype(np.float32)
        scene = scene * np.exp(0.7 * wild.cast * towards * colour)
    if wild.shade:
        angle = 2 * np.pi * wild.shade_angle
        lit = 1 / (1 + np.exp(-40 * (np.cos(angle) * x + np.sin(angle) * y - wild.shade_offset)))
        scene = scene * (1 - wild.shade * (1 - lit))[..., None]
    return scene * np.float32(2.0**wild.exposure)


def develop(image: np.ndarray, wild: Wild) -> np.ndarray:
    """Return the picture (S, S, 3) uint8 as a poor camera keeps it."""
    size = len(image)
    if wild.contrast != 1 or wild.saturation != 1:
        values = image.astype(np.float32)
        grey = values.mean(2, keepdims=True)
        values = 128 + wild.contrast * (grey + wild.saturation * (values - grey) - 128)
        image = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    if wild.blur:
        image = cv2.GaussianBlur(image, (0, 0), wild.blur * size / 64)
    if wild.resolution < 1:
        fewer = max(8, round(wild.resolution * size))
        image = cv2.resize(image, (fewer, fewer), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    if wild.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(100 - 90 * wild.jpeg)]
        image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR))
    return image


def _filled(scene: Floats, polygons: list[Floats]) -> Floats:
    """Return a mask (S, S, 1) in [0, 1] of filled polygons, (N, 2) pixels each."""
    mask = np.zeros(scene.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(one) for one in polygons], 255, cv2.LINE_AA, SHIFT)
    return mask[..., None].astype(np.float32) / 255


def _lines(scene: Floats, lines: list[Floats], thickness: float) -> Floats:
    """Return a mask (S, S, 1) in [0, 1] of open lines, (N, 2) pixels each; `thickness` in pixels, also below 1."""
    mask = np.zeros(scene.shape[:2], np.uint8)
    whole = max(1, round(thickness))
    cv2.polylines(mask, [_fixed(one) for one in lines], False, 255, whole, cv2.LINE_AA, SHIFT)
    return mask[..., None].astype(np.float32) * (min(1.0, thickness / whole) / 255)


def _fixed(points: Floats) -> np.ndarray:
    return np.asarray(np.round((points - 0.5) * 2**SHIFT), np.int32)
