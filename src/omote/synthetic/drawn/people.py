"""Who is drawn, and under which circumstances: identity and nuisance as plain numbers.

Every number is a true factor of the picture and is kept in the face set as `id_*` and `nuisance_*`.
"""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One person. Every number is continuous in [0, 1]; 0.5 is about the average."""

    face_width: float = 0.5
    face_length: float = 0.5
    jaw_width: float = 0.5
    chin_shape: float = 0.5  # 0 pointed, 1 square
    cheeks: float = 0.5  # 0 hollow, 1 full
    skin_tone: float = 0.25  # 0 light, 1 dark
    skin_warmth: float = 0.5  # 0 pink, 1 golden
    freckles: float = 0.0
    age: float = 0.3  # 0 twenty years, 1 about seventy: depth of all the lines
    hair_tone: float = 0.3  # 0 black, 1 blond
    hair_red: float = 0.0
    hair_grey: float = 0.0
    hair_length: float = 0.3  # 0 cropped, 1 below the shoulders
    hair_volume: float = 0.5
    hair_wave: float = 0.3
    hair_part: float = 0.5  # 0 at the person's right, 1 at the left
    hair_line: float = 0.5  # 0 low on the forehead, 1 receding
    fringe: float = 0.0  # 0 bare forehead, 1 covered down to the brows
    beard: float = 0.0
    brow_height: float = 0.5
    brow_thickness: float = 0.5
    brow_arch: float = 0.5
    eye_size: float = 0.5
    eye_distance: float = 0.5
    eye_tilt: float = 0.5  # 0 outer corners low, 1 high
    eye_colour: float = 0.2  # 0 dark brown, through green, 1 blue grey
    eye_fold: float = 0.6  # 0 no fold above the lid, 1 deep set
    nose_width: float = 0.5
    nose_length: float = 0.5
    nose_bridge: float = 0.5  # 0 flat, 1 prominent
    mouth_width: float = 0.5
    lip_fullness: float = 0.5
    lip_colour: float = 0.4  # 0 like the skin, 1 red
    ear_size: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """All that is neither the person nor the expression."""

    light_x: float = -0.3  # where the light comes from: -1 left of the picture, 1 right
    light_y: float = 0.5  # -1 below, 1 above
    brightness: float = 1.0  # factor on every pixel
    yaw: float = 0.0  # degrees, positive to the right of the picture
    pitch: float = 0.0  # degrees, positive downwards
    roll: float = 0.0  # degrees, positive clockwise
    scale: float = 1.0
    shift_x: float = 0.0  # in picture widths
    shift_y: float = 0.0
    background: float = 0.5  # 0 dark, 1 light
    background_hue: float = 0.5  # 0 to 1, around the colour circle
    noise: float = 0.0  # standard deviation, in grey levels of 255
    grain: float = 0.0  # [0, 1], which noise: the same number gives the same noise


IDENTITY_NAMES = tuple(field.name for field in fields(Identity))
NUISANCE_NAMES = tuple(field.name for field in fields(Nuisance))


def random_identity(rng: np.random.Generator) -> Identity:
    """Return a person, with the ties that make people plausible (grey hair comes with age, ...)."""
    value = dict(zip(IDENTITY_NAMES, rng.uniform(0, 1, len(IDENTITY_NAMES)).tolist(), strict=True))
    masculine = float(rng.uniform() < 0.5) * 0.7 + 0.3 * rng.uniform()  # 0 feminine, 1 masculine

    def lean(name: str, towards: float, how_much: float) -> None:
        value[name] += (towards - value[name]) * how_much

    dark = value["skin_tone"]
    for name, how_much in {"hair_tone": 1.2, "eye_colour": 1.2, "hair_red": 1.5}.items():
        lean(name, 0.0, min(1.0, dark * how_much))
    value["skin_tone"] **= 1.25
    value["age"] **= 1.4
    value["hair_red"] = max(0.0, 1.6 * value["hair_red"] - 0.6)
    value["hair_grey"] = min(1.0, max(0.0, 2.2 * value["age"] - 1.2 + 0.5 * value["hair_grey"] - 0.25))
    value["freckles"] = max(0.0, 2.0 * value["freckles"] - 1.0) * (1.0 - dark)
    value["beard"] = max(0.0, 2.2 * value["beard"] - 1.2) if masculine > 0.6 else 0.0
    value["fringe"] = max(0.0, 2.0 * value["fringe"] - 1.0) * (1.0 - value["age"])
    value["hair_line"] = 0.7 * value["hair_line"] + (0.3 * value["age"] if masculine > 0.6 else 0.0)
    lean("hair_length", 1.0 - masculine, 0.75)
    lean("jaw_width", masculine, 0.4)
    lean("chin_shape", masculine, 0.3)
    lean("brow_thickness", masculine, 0.4)
    lean("lip_fullness", 1.0 - masculine, 0.3)
    lean("lip_colour", 1.0 - masculine, 0.5)
    lean("brow_arch", 1.0 - masculine, 0.3)
    lean("eye_size", 1.0 - masculine, 0.2)
    return Identity(**value)


def random_nuisance(rng: np.random.Generator) -> Nuisance:
    """Return the circumstances of one clip."""
    return Nuisance(
        light_x=float(rng.uniform(-0.8, 0.8)),
        light_y=float(rng.uniform(0.1, 0.8)),
        brightness=float(rng.uniform(0.85, 1.12)),
        yaw=float(rng.normal(0, 2.5)),
        pitch=float(rng.normal(0, 1.5)),
        roll=float(rng.normal(0, 1.2)),
        scale=float(rng.uniform(0.98, 1.02)),
        shift_x=float(rng.normal(0, 0.006)),
        shift_y=float(rng.normal(0, 0.006)),
        background=float(rng.uniform(0.1, 0.95)),
        background_hue=float(rng.uniform()),
        noise=float(rng.uniform(0.5, 3.0)),
        grain=float(rng.uniform()),
    )


SESSION_NAMES = ("light_x", "light_y", "brightness", "background", "background_hue", "noise")


def in_session(clip: Nuisance, session: Nuisance, change: float) -> Nuisance:
    """Return the circumstances of a clip recorded in a session: its own pose, and nearly the session's room.

    Args:
        change: share of the way from the session's light, background and noise to the clip's own.
    """
    values = {name: getattr(clip, name) for name in NUISANCE_NAMES}
    for name in SESSION_NAMES:
        values[name] = (1 - change) * getattr(session, name) + change * values[name]
    return Nuisance(**values)


def drift(nuisance: Nuisance, time: float, sway: np.ndarray, rng: np.random.Generator) -> Nuisance:
    """Return the circumstances of one frame: the clip's, a little moved, with new noise.

    Args:
        time: place in the clip, 0 to 1.
        sway: (6,) what is added by the end of the clip to yaw, pitch, roll (degrees), shift_x, shift_y
            (picture widths) and brightness.
    """
    names = ("yaw", "pitch", "roll", "shift_x", "shift_y", "brightness")
    values = {name: getattr(nuisance, name) for name in NUISANCE_NAMES}
    for name, change in zip(names, sway * time, strict=True):
        values[name] += float(change)
    values["grain"] = float(rng.uniform())
    return Nuisance(**values)
