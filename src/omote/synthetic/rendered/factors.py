"""True factors of a rendered face besides head shape and expression: columns `id_*` and `nuisance_*` of the face set.

Factors are in [0, 1] unless noted; 0.5 is about average.
"""

from dataclasses import dataclass

import numpy as np

MAX_ROTATION = 15.0  # greatest yaw, pitch and roll, degrees


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Colours, hair and beard of a person."""

    skin_tone: float = 0.3  # melanin: 0 lightest, 1 darkest
    skin_redness: float = 0.5  # blood: 0 pale, 1 ruddy
    skin_warmth: float = 0.5  # 0 pink, 1 golden
    skin_gloss: float = 0.4
    blotches: float = 0.5  # unevenness of the skin
    freckles: float = 0.0
    moles: float = 0.0
    eye_shade: float = 0.4  # dark circles round the eyes
    pattern: float = 0.0  # seed of blotches, freckles, moles and hairs
    lip_colour: float = 0.4  # 0 like the skin, 1 red
    lip_darkness: float = 0.4
    eye_colour: float = 0.2  # 0 dark brown, then hazel and green, 1 blue-grey
    teeth: float = 0.6  # 0 yellowish, 1 white
    lashes: float = 0.5
    brow_density: float = 0.6
    brow_thickness: float = 0.5
    brow_height: float = 0.5
    brow_arch: float = 0.5
    hair_tone: float = 0.2  # 0 black, 1 blond
    hair_red: float = 0.0
    hair_grey: float = 0.0
    hair_cover: float = 1.0  # 0 shaven or bald, 1 full
    hair_length: float = 0.2  # 0 cropped, 1 far below the chin
    hair_volume: float = 0.4
    hair_curl: float = 0.2
    hair_part: float = 0.0  # -1 on the person's right, 1 on the left
    hair_line: float = 0.4  # 0 low on the forehead, 1 high
    hair_recession: float = 0.2  # at the corners of the forehead
    fringe: float = 0.0  # 0 bare forehead, 1 covered down to the brows
    stubble: float = 0.0
    beard: float = 0.0  # 0 none, 1 full
    moustache: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """Everything that is neither the person nor the expression."""

    yaw: float = 0.0  # degrees, positive: the nose points to the right of the image
    pitch: float = 0.0  # degrees, positive: the nose points down
    roll: float = 0.0  # degrees, positive: clockwise in the image
    gaze_x: float = 0.0  # degrees, positive: to the right of the image
    gaze_y: float = 0.0  # degrees, positive: up
    scale: float = 1.0
    shift_x: float = 0.0  # in image widths, positive to the right
    shift_y: float = 0.0  # in image heights, positive downwards
    light_x: float = -0.3  # lamp: -1 left of the image, 1 right
    light_y: float = 0.4  # -1 below, 1 above
    light_hardness: float = 0.5  # 0 all light is ambient, 1 nearly all comes from the lamp
    light_warmth: float = 0.5  # 0 bluish, 1 yellowish
    brightness: float = 1.0  # multiplies the light of every pixel
    background: float = 0.6  # 0 dark, 1 light
    background_hue: float = 0.5  # once round the colour circle
    background_colour: float = 0.2  # saturation, 0 grey
    background_blur: float = 0.5  # 0 a plain wall, 1 a room out of focus
    room: float = 0.0  # seed of the room
    noise: float = 1.0  # standard deviation in grey levels of 255
    grain: float = 0.0  # seed of the noise


def random_appearance(rng: np.random.Generator) -> Appearance:
    """Return a random person whose factors are correlated as in real people, as dark skin and dark eyes are."""
    u = {name: float(rng.uniform()) for name in Appearance.__dataclass_fields__}
    man = rng.uniform() < 0.5
    dark = u["skin_tone"] ** 1.2
    old = rng.uniform()
    fair = max(0.0, 1 - 1.9 * dark)  # limit of light hair and eyes
    bald = man and rng.uniform() < 0.16
    long = rng.uniform() < (0.1 if man else 0.75)
    bearded = man and rng.uniform() < 0.3
    adapted = {
        "skin_tone": dark,
        "freckles": max(0.0, 1.6 * u["freckles"] - 0.8) * fair,
        "moles": max(0.0, 1.5 * u["moles"] - 0.5),
        "lip_colour": u["lip_colour"] * (0.6 if man else 1.0),
        "eye_colour": u["eye_colour"] * min(1.0, 1.3 * fair),
        "lashes": 0.5 * u["lashes"] + (0.0 if man else 0.5),
        "brow_density": 0.45 + 0.55 * u["brow_density"],
        "brow_thickness": 0.3 * man + 0.7 * u["brow_thickness"],
        "brow_arch": 0.7 * u["brow_arch"] + (0.0 if man else 0.3),
        "hair_tone": u["hair_tone"] * min(1.0, 1.2 * fair),
        "hair_red": max(0.0, 1.7 * u["hair_red"] - 0.9) * fair,
        "hair_grey": max(0.0, 6.0 * old - 5.2),
        "hair_cover": 0.25 * u["hair_cover"] if bald else 1.0,
        "hair_length": 0.5 + 0.5 * u["hair_length"] if long else 0.35 * u["hair_length"],
        "hair_curl": u["hair_curl"] ** (0.4 if dark > 0.75 else 1.8),
        "hair_part": 2 * u["hair_part"] - 1,
        "hair_recession": u["hair_recession"] * (0.9 if man else 0.3),
        "fringe": max(0.0, 2.6 * u["fringe"] - 1.6),
        "stubble": 0.8 * u["stubble"] ** 2 if man else 0.0,
        "beard": 0.3 + 0.7 * u["beard"] if bearded else 0.0,
        "moustache": 0.3 + 0.7 * u["moustache"] if bearded else 0.0,
    }
    return Appearance(**u | adapted)


def random_nuisance(rng: np.random.Generator) -> Nuisance:
    """Return the random nuisance factors of a clip."""

    def angle(deviation: float) -> float:
        return float(np.clip(rng.normal(0, deviation), -MAX_ROTATION, MAX_ROTATION))

    return Nuisance(
        yaw=angle(5.0),
        pitch=angle(3.5),
        roll=angle(2.5),
        gaze_x=float(rng.normal(0, 2.0)),
        gaze_y=float(rng.normal(0, 1.5)),
        scale=float(rng.uniform(0.97, 1.03)),
        shift_x=float(rng.normal(0, 0.008)),
        shift_y=float(rng.normal(0, 0.008)),
        light_x=float(rng.uniform(-0.9, 0.9)),
        light_y=float(rng.uniform(0.0, 0.9)),
        light_hardness=float(rng.uniform(0.15, 0.85)),
        light_warmth=float(rng.uniform(0.2, 0.8)),
        brightness=float(rng.uniform(0.85, 1.15)),
        background=float(rng.uniform(0.1, 0.95)),
        background_hue=float(rng.uniform()),
        background_colour=0.4 * float(rng.uniform()) ** 2,
        background_blur=float(rng.uniform()),
        room=float(rng.uniform()),
        noise=float(rng.uniform(0.5, 2.5)),
        grain=float(rng.uniform()),
    )
