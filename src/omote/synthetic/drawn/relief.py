"""Relief and tint of the skin: bumps, wrinkles and patches of colour. Coordinates are face units, see `shape.py`.

Wrinkles deepen with age and with the action units that fold the skin there.
"""

from typing import NamedTuple

import numpy as np

from omote.synthetic.drawn.curves import Point, Points, spline_basis, tapered_strokes
from omote.synthetic.drawn.factors import Identity
from omote.synthetic.drawn.shape import Shape, UnitStrengths
from omote.synthetic.interpolation import lerp


class Bump(NamedTuple):
    """A Gaussian bump; a hollow if its height is negative."""

    x: float
    y: float
    width: float  # standard deviation along x
    length: float  # and along y
    height: float


class Tint(NamedTuple):
    """A Gaussian patch of colour, added to that of the skin, in grey levels of 255."""

    x: float
    y: float
    width: float  # standard deviation along x
    length: float  # and along y
    red: float
    green: float
    blue: float


class Wrinkle(NamedTuple):
    """A crease along a spline through three or four control points."""

    controls: tuple[Point, ...]
    width: float
    depth: float  # 0 to 1


def wrinkle_outlines(wrinkles: list[Wrinkle]) -> list[tuple[list[float], Points]]:
    """Return groups of visible wrinkles: their depths, shallow ones first, and outlines (k, n, 2)."""
    found = []
    for controls in (3, 4):
        chosen = [w for w in wrinkles if len(w.controls) == controls and w.depth > 0.006]
        if chosen:
            chosen.sort(key=lambda wrinkle: wrinkle.depth)
            basis = spline_basis(controls, {3: 4, 4: 3}[controls], False)
            lines = basis @ np.array([w.controls for w in chosen])
            outlines = tapered_strokes(lines, np.array([[w.width] for w in chosen]))
            found.append(([min(w.depth, 1.0) for w in chosen], outlines))
    return found


def face_bumps(i: Identity, au: UnitStrengths, shape: Shape) -> list[Bump]:
    """Return the relief on top of a smooth head."""
    nose, mouth = shape.nose, shape.mouth
    nose_y = nose.tip[1]
    bridge = lerp(0.01, 0.10, i.nose_bridge)
    full = lerp(0.5, 1.4, i.cheeks)
    chin_y = shape.head.chin_y - 0.13 + 0.01 * au(17)
    lip_y = mouth.lower_edge + 0.5 * mouth.lower_height
    frown, cheek_raise = au(4), au(6)
    found = [
        Bump(0, -0.60, 0.42, 0.20, 0.055),  # forehead
        Bump(0, -0.30 + 0.02 * frown, 0.05, 0.05, -0.012 + 0.028 * frown + 0.02 * au(9)),
        Bump(0, -0.10, 0.075, 0.17, bridge),
        Bump(0, nose_y - 0.12, 0.07, 0.11, 0.035 + 0.4 * bridge),
        Bump(0, nose_y + 0.005, 0.25 * nose.half_width + 0.052, 0.07, 0.105),  # tip of the nose
        Bump(0, nose_y + 0.10, 0.03, 0.05, -0.022),  # philtrum
        Bump(0, 0.47, 0.30, 0.22, 0.05),  # around the mouth
        Bump(0, mouth.upper_edge - 0.5 * mouth.upper_height, 0.16, 0.03, 0.022),
        Bump(0.25 * mouth.middle_x, lip_y, 0.13, 0.034, 0.03),
        Bump(0, lip_y + 0.5 * mouth.lower_height + 0.05, 0.14, 0.035, -0.030 - 0.015 * au(17)),
        Bump(0, chin_y, 0.15, 0.085, 0.075 + 0.02 * au(17)),
    ]
    for s, eye, (_, corner_y) in zip((-1, 1), shape.eyes, mouth.corners, strict=True):
        smile, dimple = au(12, s), au(14, s)
        eye_x, eye_y = abs(eye.centre[0]), eye.centre[1]
        brow_y = shape.brow_rest + 0.02 - 0.03 * (au(1) + au(2)) + 0.035 * frown
        half = mouth.half_width
        cheek_y = 0.10 - 0.05 * cheek_raise - 0.03 * smile
        raised_y = 0.10 - 0.06 * cheek_raise - 0.02 * smile
        found += [
            Bump(s * (eye_x - 0.02), brow_y, 0.17, 0.06, 0.035 + 0.015 * frown),  # brow ridge
            Bump(s * (eye_x - 0.015), eye_y - 0.01, 0.15, 0.075, -lerp(0.05, 0.085, i.eye_fold)),  # socket
            Bump(s * eye_x, eye_y, 0.09, 0.05, 0.03),  # eyeball
            Bump(s * eye_x, eye_y + 0.105, 0.10, 0.03, 0.016 * cheek_raise + 0.014 * i.age + 0.01 * au(7)),
            Bump(s * nose.half_width * 0.84, nose_y + 0.032, 0.038, 0.042, 0.042),  # wing of the nose
            Bump(s * (0.40 + 0.02 * cheek_raise), cheek_y, 0.16, 0.13, 0.075 * full),
            Bump(s * 0.41, raised_y, 0.12, 0.08, 0.038 * cheek_raise + 0.026 * smile),
            Bump(s * 0.52, 0.38, 0.11, 0.15, -0.06 * (1.15 - full) - 0.01),  # hollow of the cheek
            Bump(s * (half + 0.10 + 0.07 * smile), corner_y, 0.06, 0.09, 0.02 * smile),
            Bump(s * (half + 0.05), corner_y, 0.035, 0.045, -0.022 * dimple),
            Bump(s * (half + 0.13), corner_y, 0.045, 0.07, 0.022 * dimple),
            Bump(s * (half + 0.06), corner_y + 0.08, 0.05, 0.05, 0.03 * au(15, s) + 0.02 * au(20)),
        ]
    return found


def face_tints(i: Identity, au: UnitStrengths, shape: Shape) -> list[Tint]:
    """Return where the skin is redder or darker: nose, chin, cheeks, lids and below the eyes."""
    found = [
        Tint(0, shape.nose.tip[1], 0.10, 0.07, 6, -5, -4),
        Tint(0, shape.mouth.rest_y + 0.16, 0.18, 0.05, -6, -5, -4),
    ]
    for s, eye in zip((-1, 1), shape.eyes, strict=True):
        x, y = eye.centre
        found += [
            Tint(s * 0.42, 0.12 - 0.04 * au(6), 0.15, 0.11, 9, -7, -5),
            Tint(x - s * 0.03, y + 0.085, 0.11, 0.035, -12 - 12 * i.age, -13 - 10 * i.age, -7 - 6 * i.age),
            Tint(x, y - 0.06, 0.13, 0.045, -12, -13, -10),
        ]
    return found


def face_wrinkles(i: Identity, au: UnitStrengths, shape: Shape) -> list[Wrinkle]:
    """Return all wrinkles, including those of depth 0."""
    found = _chin_wrinkles(au, shape)
    for s in (-1, 1):
        for controls, width, depth in _side_wrinkles(i, au, shape, s):
            found.append(Wrinkle(tuple((s * x, y) for x, y in controls), width, min(depth, 1.0)))
    return found


def _chin_wrinkles(au: UnitStrengths, shape: Shape) -> list[Wrinkle]:
    mouth = shape.mouth
    y = mouth.lower_edge + mouth.lower_height + 0.052 - 0.004 * au(17)
    found = [Wrinkle(((-0.13, y + 0.028), (0, y), (0.13, y + 0.028)), 0.022, min(1.0, 0.2 + 0.7 * au(17)))]
    boss = shape.head.chin_y - 0.13 + 0.01 * au(17)
    for x, dy in ((-0.075, 0.0), (-0.025, 0.025), (0.03, 0.0), (0.075, 0.028), (0.0, -0.025)):
        y = boss + dy
        found.append(Wrinkle(((x - 0.016, y), (x, y + 0.012), (x + 0.016, y)), 0.014, 0.55 * au(17)))
    return found


def _side_wrinkles(i: Identity, au: UnitStrengths, shape: Shape, s: int) -> list[Wrinkle]:
    """Return the wrinkles of side s, mirrored to the left side of the face (x > 0)."""
    found = []
    age, old = i.age, i.age**1.5
    a1, a2, a4, a6, a9 = au(1), au(2), au(4), au(6), au(9)
    smile, sneer = au(12, s), max(au(10, s), a9)
    eye = shape.eyes[(s + 1) // 2]
    eye_x, eye_y = abs(eye.centre[0]), eye.centre[1]
    nose_w, nose_y = shape.nose.half_width, shape.nose.tip[1]
    corner_x, corner_y = shape.mouth.corners[(s + 1) // 2]
    corner_x = abs(corner_x)

    def crease(*controls: Point, width: float, depth: float) -> None:
        found.append(Wrinkle(controls, width, depth))

    # Nasolabial fold.
    fold = min(1.0, 0.16 + 0.45 * age + 0.62 * smile + 0.55 * sneer + 0.22 * a6 + 0.25 * au(20))
    crease(
        (nose_w + 0.015, nose_y - 0.012 - 0.012 * sneer),
        (nose_w + 0.085 + 0.035 * smile + 0.01 * sneer, nose_y + 0.085 - 0.01 * smile),
        (corner_x + 0.055, corner_y - 0.08),
        (corner_x + 0.062, corner_y + 0.02 * age - 0.03 * smile),
        width=0.020 + 0.014 * fold,
        depth=fold,
    )
    # Dimple beside the mouth, and marionette line below its corner.
    x, y = corner_x + 0.035, corner_y
    beside = max(0.9 * au(14, s), 0.15 * smile, 0.4 * au(20))
    crease((x, y - 0.07), (x + 0.02, y), (x, y + 0.055), width=0.022, depth=beside)
    down = 0.35 * age + 0.5 * au(15, s) + 0.12 * au(17)
    crease((x - 0.025, y + 0.012), (x, y + 0.06), (x - 0.005, y + 0.13), width=0.02, depth=down)
    # Crow's feet.
    feet = min(1.0, 0.30 * old + 0.75 * a6 + 0.1 * smile * age)
    x, y = eye_x + eye.half_width, eye_y - eye.tilt
    for slope in (-0.055, -0.005, 0.045):
        crease(
            (x + 0.028, y + 0.35 * slope - 0.004),
            (x + 0.0765, y + 1.145 * slope - 0.0095),
            (x + 0.125, y + 1.7 * slope - 0.015),
            width=0.011,
            depth=0.8 * feet,
        )
    # Under the eye.
    crease(
        (eye_x - 0.9 * eye.half_width, eye_y + 0.05),
        (eye_x - 0.1, eye_y + 0.093),
        (eye_x + 0.05, eye_y + 0.095 - 0.01 * a6),
        (eye_x + 0.13, eye_y + 0.06),
        width=0.013,
        depth=0.6 * min(1.0, 0.15 + 0.45 * age + 0.45 * a6 + 0.3 * au(7)),
    )
    # Forehead: the middle follows action unit 1, the sides action unit 2.
    for k, up in enumerate((0.135, 0.215, 0.295)):
        y = shape.brow_rest - up
        inner = 0.75 * min(1.0, 0.22 * old + 0.85 * a1) * (1 - 0.12 * k)
        outer = 0.75 * min(1.0, 0.22 * old + 0.80 * a2) * (1 - 0.12 * k)
        crease(
            (-0.03, y - 0.03 * a1), (0.10, y - 0.034 * a1), (0.22, y - 0.015 * a1), width=0.015, depth=inner
        )
        crease((0.17, y - 0.014 * a2), (0.33, y - 0.038 * a2), (0.47, y + 0.012), width=0.015, depth=outer)
    # Frown line between the brows, and lines across the root of the nose.
    x, y = 0.055 - 0.012 * a4, shape.brow_rest + 0.02 * a4
    frown = 0.2 * old + 0.9 * a4 + 0.3 * a9
    crease((1.15 * x, y - 0.075), (0.85 * x, y), (0.95 * x, y + 0.07), width=0.018, depth=frown)
    for y in (eye_y - 0.015, eye_y + 0.035, eye_y + 0.085):
        crease((0.005, y), (0.05, y - 0.015), (0.10, y + 0.015), width=0.014, depth=0.75 * a9)
    return found
