"""Outlines of head, eyes, brows, nose and mouth, from identity and action units.

Coordinates are face units: the image spans [-1, 1] x [-1, 1], x to its right, y downwards, and the face is upright
and frontal. A side `s` is -1 for the person's right (left in the image) and +1 for the left.
"""

from dataclasses import dataclass, replace

import numpy as np

from omote.synthetic.drawn.curves import Point, Points, curve
from omote.synthetic.drawn.factors import Identity
from omote.synthetic.interpolation import lerp

MIRROR = np.array([-1.0, 1.0])
_LID = np.linspace(-1, 1, 15)  # from the inner to the outer corner of an eye
_LID_ROUND = 1 - _LID**2
_LID_UP = _LID_ROUND**0.75 * (1 - 0.14 * _LID)
_LID_LOW = _LID_ROUND**0.85 * (1 + 0.12 * _LID)
_BROW = np.linspace(0, 1, 19)  # from the inner to the outer end of a brow
_BROW_THICKNESS = np.minimum(1, 0.62 + 2.5 * _BROW) * (1 - _BROW**3) ** 0.6


class UnitStrengths:
    """Strengths of action units on each side of the face.

    Args:
        side: in [-1, 1]; weakens the units of ASYMMETRIC on the left side if negative, on the right if positive.
    """

    ASYMMETRIC = (10, 12, 14, 15)

    def __init__(self, action_units: dict[int, float], side: float) -> None:
        self.action_units = action_units
        self.weight = {-1: min(1.0, 1.0 - side), 0: 1.0 - 0.5 * abs(side), 1: min(1.0, 1.0 + side)}

    def __call__(self, number: int, side: int = 0) -> float:
        """Return the strength of a unit on the right (-1), on the left (1) or in the middle (0)."""
        value = self.action_units.get(number, 0.0)
        return value * self.weight[side] if number in self.ASYMMETRIC else value


@dataclass
class HeadOutline:
    outline: Points  # closed, without hair
    half_width: tuple[Points, Points]  # values of y, and half the width of the face there
    chin_y: float
    length: float  # added to the average length, -0.05 to 0.045
    jaw_drop: float


@dataclass
class Eye:
    centre: Point
    half_width: float
    tilt: float  # how far the outer corner is above the centre
    opening: Points  # outline of the visible part of the eyeball
    upper_lid: Points  # an open curve from the inner to the outer corner, as are lower_lid and fold
    lower_lid: Points
    fold: Points  # crease above the upper lid
    fold_depth: float
    iris: Point
    iris_radius: float

    def mirror(self) -> "Eye":
        (x, y), (iris_x, iris_y) = self.centre, self.iris
        names = ("opening", "upper_lid", "lower_lid", "fold")
        curves = {name: getattr(self, name) * MIRROR for name in names}
        return replace(self, centre=(-x, y), iris=(-iris_x, iris_y), **curves)


@dataclass
class Nose:
    tip: Point
    half_width: float
    nostrils: list[Point]
    nostril_size: float


@dataclass
class Mouth:
    upper_lip: Points
    lower_lip: Points
    line: Points  # lower edge of the upper lip
    inside: Points
    opening: float  # distance between the lips
    teeth: Points  # upper ones
    lower_teeth: float  # opacity of the lower teeth, 0 to 1
    corners: tuple[Point, Point]  # right, left
    rest_y: float  # y of the closed mouth at rest
    half_width: float
    middle_x: float
    upper_edge: float  # y of the upper lip's lower edge, in the middle
    lower_edge: float  # y of the lower lip's upper edge, in the middle
    upper_height: float  # of the upper lip
    lower_height: float  # of the lower lip


@dataclass
class Shape:
    """The outlines of a whole face."""

    head: HeadOutline
    eyes: list[Eye]  # right, left
    brows: list[Points]  # right, left
    brow_rest: float  # y of the brows at rest
    nose: Nose
    mouth: Mouth


def shape_face(i: Identity, au: UnitStrengths) -> Shape:
    """Return the outlines of a person's face under action units."""
    head = _head(i, au)
    eye = _left_eye(i, au, head)
    brow_rest = eye.centre[1] - lerp(0.138, 0.22, i.brow_height)
    brow = _left_brow(i, au, eye.centre[0], brow_rest)
    return Shape(
        head, [eye.mirror(), eye], [brow * MIRROR, brow], brow_rest, _nose(i, au, head), _mouth(i, au, head)
    )


def _head(i: Identity, au: UnitStrengths) -> HeadOutline:
    jaw_drop = 0.15 * au(26) + 0.17 * au(27)
    width = lerp(0.625, 0.75, i.face_width)
    length = lerp(-0.05, 0.045, i.face_length)
    jaw = width * lerp(0.68, 0.91, i.jaw_width)
    chin_y = 0.90 + length + 0.75 * jaw_drop - 0.015 * au(17)
    chin = lerp(0.09, 0.26, i.chin_shape)
    cheek = width * lerp(0.90, 1.0, i.cheeks) + 0.012 * au(12)
    half = [
        (0.45 * width, -1.12),
        (0.86 * width, -0.86),
        (0.985 * width, -0.5),
        (width, -0.15),
        (cheek, 0.18),
        (jaw, 0.52 + 0.35 * jaw_drop),
        (0.49 * (jaw + chin), 0.77 + 0.6 * jaw_drop),
        (chin * 0.62, chin_y - 0.012),
    ]
    other_half = [(-x, y) for x, y in reversed(half)]
    outline = curve((0, -1.2), *half, (0, chin_y), *other_half, closed=True, steps=4)
    widths = np.array([(0, -1.25), *half, (0.01, chin_y + 0.02), (0.01, 2)])
    return HeadOutline(outline, (widths[:, 1], widths[:, 0]), chin_y, length, jaw_drop)


def _left_eye(i: Identity, au: UnitStrengths, head: HeadOutline) -> Eye:
    x, y = lerp(0.277, 0.353, i.eye_distance), -0.2 + 0.3 * head.length
    width = lerp(0.132, 0.182, i.eye_size)
    tilt = lerp(-0.028, 0.042, i.eye_tilt)
    upper = width * lerp(0.36, 0.5, i.eye_size) - 0.008 * i.age
    upper += 0.052 * au(5) + 0.008 * au(1) + 0.006 * au(2)
    upper -= 0.006 * au(6) + 0.024 * au(7) + 0.02 * au(9) + 0.008 * au(4)
    lower = width * 0.30 + 0.008 * au(5)
    lower -= 0.022 * au(6) + 0.03 * au(7) + 0.02 * au(9) + 0.006 * au(12)
    upper, lower = max(upper, 0.012), max(lower, 0.004)
    along = x + width * _LID
    upper_lid, lower_lid, fold = np.empty((15, 2)), np.empty((15, 2)), np.empty((15, 2))
    upper_lid[:, 0] = lower_lid[:, 0] = along
    slant = y - tilt * _LID
    upper_lid[:, 1] = slant - upper * _LID_UP - 0.006 * au(1) * (1 - _LID) * _LID_ROUND
    lower_lid[:, 1] = np.maximum(slant + lower * _LID_LOW - 0.012 * au(6) * _LID_ROUND, upper_lid[:, 1])
    gap = lerp(0.018, 0.055, i.eye_fold) - 0.012 * au(5) * i.eye_fold + 0.006 * (au(1) + au(2))
    gap = max(gap - 0.016 * au(4) - 0.01 * au(9), 0.012)
    fold[:, 0] = along + 0.01
    fold[:, 1] = upper_lid[:, 1] - gap * (0.5 + 0.5 * _LID_ROUND) - 0.006
    return Eye(
        centre=(x, y),
        half_width=width,
        tilt=tilt,
        opening=np.concatenate([upper_lid, lower_lid[::-1]]),
        upper_lid=upper_lid,
        lower_lid=lower_lid,
        fold=fold[1:],
        fold_depth=lerp(0.25, 0.8, i.eye_fold) * (1 - 0.3 * au(4)),
        iris=(x, y - 0.012),
        iris_radius=0.36 * width + 0.014,
    )


def _left_brow(i: Identity, au: UnitStrengths, eye_x: float, rest: float) -> Points:
    arch = lerp(0.0, 0.058, i.brow_arch)
    a1, a2, a4, a9 = au(1), au(2), au(4), au(9)
    line = curve(
        (eye_x - 0.185 - 0.032 * a4, rest + 0.01 - 0.085 * a1 - 0.01 * a2 + 0.062 * a4 + 0.05 * a9),
        (eye_x - 0.06 - 0.025 * a4, rest - 0.6 * arch - 0.062 * a1 - 0.04 * a2 + 0.06 * a4 + 0.035 * a9),
        (eye_x + 0.08 - 0.012 * a4, rest - arch - 0.022 * a1 - 0.085 * a2 + 0.042 * a4 + 0.015 * a9),
        (eye_x + 0.20, rest + 0.025 - 0.004 * a1 - 0.07 * a2 + 0.018 * a4 + 0.012 * au(6)),
    )
    half = 0.5 * lerp(0.024, 0.068, i.brow_thickness) * (1 + 0.1 * a4) * _BROW_THICKNESS
    under = line[::-1].copy()
    line[:, 1] -= half
    under[:, 1] += half[::-1]
    return np.concatenate([line, under])


def _nose(i: Identity, au: UnitStrengths, head: HeadOutline) -> Nose:
    y = 0.16 + lerp(-0.055, 0.05, i.nose_length) + 0.3 * head.length - 0.028 * au(9) - 0.008 * au(10)
    width = lerp(0.082, 0.155, i.nose_width)
    width += 0.016 * au(9) + 0.008 * au(10) + 0.01 * au(12) + 0.006 * au(20)
    return Nose((0.0, y), width, [(s * width * 0.5, y + 0.058) for s in (-1, 1)], 0.25 * width)


def _mouth(i: Identity, au: UnitStrengths, head: HeadOutline) -> Mouth:
    rest_y, jaw_drop, part = 0.475 + 0.5 * head.length, head.jaw_drop, au(25)
    half_width = lerp(0.208, 0.297, i.mouth_width)
    half_width -= 0.042 * au(23) + 0.015 * au(24) + 0.035 * au(27) + 0.035 * au(26) * part
    right, left = (_mouth_corner(au, head, half_width, rest_y, s) for s in (-1, 1))
    middle_x = 0.2 * (right[0] + left[0])

    thin = (1 - 0.55 * au(23)) * (1 - 0.6 * au(24)) * (1 - 0.2 * au(12)) * (1 - 0.3 * au(20))
    lip = lerp(0.027, 0.076, i.lip_fullness) * thin * (1 - 0.2 * i.age)
    upper_height = 0.85 * lip * (1 - 0.15 * au(10))
    lower_height = 1.15 * lip * (1 + 0.08 * au(17)) * (1 - 0.15 * au(16))
    opening = 0.04 * part + jaw_drop * (0.35 + 0.65 * part) + 0.035 * au(16) * (0.3 + 0.7 * part)
    opening += part * (0.02 * au(10) + 0.045 * au(12) + 0.03 * au(20))
    lift = 0.05 * au(10) + 0.028 * au(9) + 0.022 * au(12) * part  # of the upper lip
    centre = rest_y + 0.014 * au(12) - 0.03 * au(17) - 0.006 * au(14)
    top = centre - lift - 0.2 * opening * (1 - 0.4 * au(26))
    bottom = top + opening + 0.008 * au(17) + 0.3 * lift * (1 - part)

    def arc(t: float, y_middle: float, bow: float) -> Point:
        """Return the point at t in [-1, 1] of an arc from corner to corner through y_middle."""
        x, y = right if t < 0 else left
        bent = abs(t) ** bow
        return x * abs(t) + middle_x * (1 - abs(t)), y * bent + y_middle * (1 - bent)

    at = (-1, -0.8, -0.55, -0.28, 0, 0.28, 0.55, 0.8, 1)
    dip = (0, 0.006, 0.0, -0.004, 0.006, -0.004, 0.0, 0.006, 0)  # of the closed lips' line
    cupid = (0, 0.30, 0.72, 1.06, 0.84, 1.06, 0.72, 0.30, 0)  # contour of the upper lip
    bulge = (0, 0.34, 0.70, 0.95, 1.0, 0.95, 0.70, 0.34, 0)  # contour of the lower lip
    bow = 2.2 + 1.3 * au(10) + 0.6 * au(9) + 4 * jaw_drop
    closed = 1 - min(1.0, opening * 8)
    up = [(x, y + d * closed) for (x, y), d in zip((arc(t, top, bow) for t in at), dip, strict=True)]
    low = [arc(t, bottom, 2.2 + 0.8 * min(1.0, opening * 6)) for t in at]
    low = [(x, max(y, above)) for (x, y), (_, above) in zip(low, up, strict=True)]
    outer_up = [
        (x, y - upper_height * c - (0.012 * au(10) if 0 < abs(t) < 0.7 else 0))
        for (x, y), c, t in zip(up, cupid, at, strict=True)
    ]
    outer_low = [(x, y + lower_height * r) for (x, y), r in zip(low, bulge, strict=True)]
    up_edge, low_edge = curve(*up, steps=4), curve(*low, steps=4)

    teeth_height = 0.08 * opening / (0.05 + opening) * (1 - 0.45 * au(26) * (1 - au(12)))
    teeth_low = [
        (0.94 * x, min(y, top) + teeth_height * (1 - 0.4 * t * t)) for (x, y), t in zip(up, at, strict=True)
    ]
    teeth_top = curve(*((0.96 * x, min(y, top) - 0.02) for x, y in up), steps=3)
    return Mouth(
        upper_lip=np.concatenate([curve(*outer_up, steps=4), up_edge[::-1]]),
        lower_lip=np.concatenate([low_edge, curve(*outer_low, steps=4)[::-1]]),
        line=up_edge,
        inside=np.concatenate([up_edge, low_edge[::-1]]),
        opening=opening,
        teeth=np.concatenate([teeth_top, curve(*teeth_low, steps=3)[::-1]]),
        lower_teeth=min(1.0, 0.8 * au(16) + 0.4 * au(27)),
        corners=(right, left),
        rest_y=rest_y,
        half_width=half_width,
        middle_x=middle_x,
        upper_edge=top,
        lower_edge=bottom,
        upper_height=upper_height,
        lower_height=lower_height,
    )


def _mouth_corner(au: UnitStrengths, head: HeadOutline, half_width: float, rest_y: float, s: int) -> Point:
    smile, dimple, sad, stretch = au(12, s), au(14, s), au(15, s), au(20, s)
    x = half_width + 0.078 * smile + 0.075 * stretch + 0.012 * dimple + 0.008 * sad
    y = rest_y - 0.006 - 0.092 * smile - 0.02 * dimple + 0.07 * sad + 0.012 * stretch
    return s * x, y + 0.55 * head.jaw_drop + 0.012 * au(17) + 0.008 * au(10, s)
