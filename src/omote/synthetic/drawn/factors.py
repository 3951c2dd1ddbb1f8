"""True factors of a drawn face besides the expression: columns `id_*` and `nuisance_*` of the face set."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person. Every factor is continuous in [0, 1]; 0.5 is about average."""

    face_width: float = 0.5
    face_length: float = 0.5
    jaw_width: float = 0.5
    chin_shape: float = 0.5  # 0 pointed, 1 square
    cheeks: float = 0.5  # 0 hollow, 1 full
    skin_tone: float = 0.25  # 0 light, 1 dark
    skin_warmth: float = 0.5  # 0 pink, 1 golden
    freckles: float = 0.0
    age: float = 0.3  # 0 twenty years, 1 about seventy; deepens all wrinkles
    hair_tone: float = 0.3  # 0 black, 1 blond
    hair_red: float = 0.0
    hair_grey: float = 0.0
    hair_length: float = 0.3  # 0 cropped, 1 below the shoulders
    hair_volume: float = 0.5
    hair_wave: float = 0.3
    hair_part: float = 0.5  # 0 on the person's right, 1 on the left
    hair_line: float = 0.5  # 0 low on the forehead, 1 receding
    fringe: float = 0.0  # 0 bare forehead, 1 covered down to the brows
    beard: float = 0.0
    brow_height: float = 0.5
    brow_thickness: float = 0.5
    brow_arch: float = 0.5
    eye_size: float = 0.5
    eye_distance: float = 0.5
    eye_tilt: float = 0.5  # 0 outer corners low, 1 high
    eye_colour: float = 0.2  # 0 dark brown, then green, 1 blue-grey
    eye_fold: float = 0.6  # 0 no crease above the lid, 1 deep-set eye
    nose_width: float = 0.5
    nose_length: float = 0.5
    nose_bridge: float = 0.5  # 0 flat, 1 prominent
    mouth_width: float = 0.5
    lip_fullness: float = 0.5
    lip_colour: float = 0.4  # 0 like the skin, 1 red
    ear_size: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """Everything that is neither the person nor the expression."""

    light_x: float = -0.3  # light source: -1 left of the image, 1 right
    light_y: float = 0.5  # -1 below, 1 above
    brightness: float = 1.0  # multiplies every pixel
    yaw: float = 0.0  # degrees, positive to the right of the image
    pitch: float = 0.0  # degrees, positive downwards
    roll: float = 0.0  # degrees, positive clockwise
    scale: float = 1.0
    shift_x: float = 0.0  # in image widths, positive to the right
    shift_y: float = 0.0  # in image heights, positive downwards
    background: float = 0.5  # 0 dark, 1 light
    background_hue: float = 0.5  # 0 to 1, once round the colour circle
    noise: float = 0.0  # standard deviation in grey levels of 255
    grain: float = 0.0  # seed of the noise, in [0, 1]


IDENTITY_NAMES = tuple(field.name for field in fields(Identity))
NUISANCE_NAMES = tuple(field.name for field in fields(Nuisance))


def random_identity(rng: np.random.Generator) -> Identity:
    """Return a random person whose factors are correlated as in real people, as grey hair and age are."""
    value = dict(zip(IDENTITY_NAMES, rng.uniform(0, 1, len(IDENTITY_NAMES)).tolist(), strict=True))
    masculine = float(rng.uniform() < 0.5) * 0.7 + 0.3 * rng.uniform()  # 0 feminine, 1 masculine

    def pull(name: str, towards: float, share: float) -> None:
        value[name] += (towards - value[name]) * share

    dark = value["skin_tone"]
    for name, share in {"hair_tone": 1.2, "eye_colour": 1.2, "hair_red": 1.5}.items():
        pull(name, 0.0, min(1.0, dark * share))
    value["skin_tone"] **= 1.25
    value["age"] **= 1.4
    value["hair_red"] = max(0.0, 1.6 * value["hair_red"] - 0.6)
    value["hair_grey"] = min(1.0, max(0.0, 2.2 * value["age"] - 1.2 + 0.5 * value["hair_grey"] - 0.25))
    value["freckles"] = max(0.0, 2.0 * value["freckles"] - 1.0) * (1.0 - dark)
    value["beard"] = max(0.0, 2.2 * value["beard"] - 1.2) if masculine > 0.6 else 0.0
    value["fringe"] = max(0.0, 2.0 * value["fringe"] - 1.0) * (1.0 - value["age"])
    value["hair_line"] = 0.7 * value["hair_line"] + (0.3 * value["age"] if masculine > 0.6 else 0.0)
    pull("hair_length", 1.0 - masculine, 0.75)
    pull("jaw_width", masculine, 0.4)
    pull("chin_shape", masculine, 0.3)
    pull("brow_thickness", masculine, 0.4)
    pull("lip_fullness", 1.0 - masculine, 0.3)
    pull("lip_colour", 1.0 - masculine, 0.5)
    pull("brow_arch", 1.0 - masculine, 0.3)
    pull("eye_size", 1.0 - masculine, 0.2)
    return Identity(**value)


def random_nuisance(rng: np.random.Generator) -> Nuisance:
    """Return the random nuisance factors of a clip."""
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
