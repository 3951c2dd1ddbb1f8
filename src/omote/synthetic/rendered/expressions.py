"""Expression shapes of the face model, prototypes of expressions, and the coefficients of a clip.

A *unit* is a shape of the model without its side: "mouthSmile" stands for mouthSmile_L and mouthSmile_R, the person's
left and right. Most units correspond to FACS action units, as listed in the README of the model.
"""

from collections.abc import Collection

import numpy as np

PAIRED_UNITS = (  # one shape per side
    "PupilDilate", "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekRaiser", "cheekSquint", "eyeBlink",
    "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
SINGLE_UNITS = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
SHAPES = tuple(sorted([f"{unit}_{side}" for unit in PAIRED_UNITS for side in "LR"] + list(SINGLE_UNITS)))
SHAPE_INDEX = {shape: index for index, shape in enumerate(SHAPES)}

# Strength of units at the apex of each expression, 0 to 1; after EMFACS (Friesen and Ekman, 1983), as far as the units
# match its action units.
PROTOTYPES: dict[str, dict[str, float]] = {
    "anger": {
        "browDown": 1.0, "eyeSquint": 0.6, "eyeWide": 0.3, "noseSneer": 0.5, "mouthPress": 0.9, "mouthRollLower": 0.45,
        "mouthRollUpper": 0.35, "mouthShrugLower": 0.5, "mouthFrown": 0.3, "jawForward": 0.3,
    },
    "contempt": {
        "mouthSmile": 0.75, "mouthDimple": 0.75, "mouthPress": 0.3, "cheekSquint": 0.7, "eyeSquint": 0.4,
        "noseSneer": 0.15,
    },
    "disgust": {
        "noseSneer": 1.0, "mouthUpperUp": 0.75, "browDown": 0.5, "eyeSquint": 0.6, "cheekRaiser": 0.5,
        "mouthFrown": 0.3,
    },
    "fear": {
        "browInnerUp": 1.0, "browOuterUp": 0.45, "browDown": 0.35, "eyeWide": 1.0, "mouthStretch": 0.95,
        "mouthFrown": 0.4, "mouthLowerDown": 0.6, "jawOpen": 0.26,
    },
    "happiness": {
        "mouthSmile": 0.95, "cheekSquint": 0.8, "cheekRaiser": 0.6, "mouthUpperUp": 0.25, "mouthLowerDown": 0.3,
        "eyeSquint": 0.3,
    },
    "neutral": {},
    "sadness": {
        "browInnerUp": 1.0, "browDown": 0.3, "mouthFrown": 1.0, "mouthShrugLower": 0.65, "eyeBlink": 0.2,
    },
    "surprise": {
        "browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.9, "jawOpen": 0.5, "mouthFunnel": 0.2,
    },
}  # fmt: skip

# Units of mixtures, with the greatest strength a face can show. Gaze and pupils are left out because they always move
# a little, mouthClose because it needs an open jaw.
MAX_STRENGTH: dict[str, float] = {
    "browDown": 1.0, "browInnerUp": 1.0, "browOuterUp": 1.0, "cheekPuff": 0.7, "cheekRaiser": 1.0, "cheekSquint": 1.0,
    "eyeBlink": 0.6, "eyeSquint": 1.0, "eyeWide": 1.0, "mouthDimple": 0.75, "mouthFrown": 1.0, "mouthLowerDown": 1.0,
    "mouthPress": 1.0, "mouthSmile": 1.0, "mouthStretch": 0.95, "mouthUpperUp": 0.85, "noseSneer": 1.0,
    "jawForward": 0.8, "jawLeft": 0.8, "jawOpen": 0.7, "jawRight": 0.8, "mouthFunnel": 0.8, "mouthLeft": 0.5,
    "mouthPucker": 0.9, "mouthRight": 0.5, "mouthRollLower": 0.9, "mouthRollUpper": 0.9, "mouthShrugLower": 0.9,
    "mouthShrugUpper": 0.9,
}  # fmt: skip
SPEECH_UNITS = (
    "jawOpen", "mouthFunnel", "mouthPucker", "mouthStretch", "mouthRollLower", "mouthRollUpper", "mouthPress",
    "mouthLowerDown", "mouthUpperUp",
)  # fmt: skip
# Pairs of groups of units that exclude each other, because their muscles are antagonists.
ANTAGONISTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("eyeBlink",), ("eyeWide", "eyeSquint")),
    (("jawLeft",), ("jawRight",)),
    (("mouthLeft",), ("mouthRight",)),
    (("mouthPucker",), ("mouthFunnel",)),
    (("mouthSmile",), ("mouthFrown", "mouthLeft", "mouthRight")),
    (("mouthPucker", "mouthFunnel"), ("mouthSmile", "mouthStretch", "mouthDimple", "mouthFrown")),
    (
        ("mouthPress", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "cheekPuff"),
        ("jawOpen", "mouthFunnel", "mouthLowerDown", "mouthUpperUp"),
    ),
)


def is_possible(units: Collection[str]) -> bool:
    """Return whether a face can move all these units at once."""
    return not any(set(units) & set(one) and set(units) & set(other) for one, other in ANTAGONISTS)


def random_mixture(rng: np.random.Generator) -> dict[str, float]:
    """Return 2 to 6 random compatible units, each with 0.3 to 1 times its greatest strength.

    In 3 of 10 mixtures with a dropped jaw, the lips stay closed over it (`mouthClose`) unless other units part them.
    """
    count = int(rng.integers(2, 7))
    chosen: list[str] = []
    for unit in rng.permutation(list(MAX_STRENGTH)).tolist():
        if len(chosen) < count and is_possible([*chosen, unit]):
            chosen.append(unit)
    mixture = {unit: float(rng.uniform(0.3, 1.0) * MAX_STRENGTH[unit]) for unit in chosen}
    if "jawOpen" in mixture and not {"mouthFunnel", "mouthLowerDown", "mouthUpperUp"} & mixture.keys():
        mixture["mouthClose"] = mixture["jawOpen"] * float(rng.uniform() < 0.3)
    return mixture


def random_speech(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return coefficients (frames, 57) in [0, 1] of a speaking mouth: jaw and lips that open and close at random."""
    coefficients = np.zeros((frames, len(SHAPES)))
    time = np.arange(frames)
    for unit in SPEECH_UNITS:
        phase, pace = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.5)  # radians, and radians a frame
        strength = float(rng.uniform(0.1, 0.7)) * MAX_STRENGTH[unit]
        shapes = [unit] if unit in SINGLE_UNITS else [f"{unit}_L", f"{unit}_R"]
        coefficients[:, [SHAPE_INDEX[shape] for shape in shapes]] = (
            strength * np.maximum(np.sin(phase + pace * time), 0)[:, None]
        )
    opened = coefficients[:, SHAPE_INDEX["jawOpen"]][:, None]  # lips that are pressed keep the mouth closed
    pressed = [
        SHAPE_INDEX[shape] for shape in ("mouthRollLower", "mouthRollUpper", "mouthPress_L", "mouthPress_R")
    ]
    coefficients[:, pressed] *= opened < 0.05
    return coefficients


def animate(
    apex: dict[str, float], intensity: np.ndarray, side: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the coefficients (frames, 57) in [0, 1] of SHAPES over a clip; each unit has a random lag.

    Args:
        apex: strengths of units at the apex, in [0, 1].
        intensity: (frames,) of the expression, 0 to 1.
        side: -1 only the person's right side moves, 0 both sides alike, 1 only the left.
    """
    coefficients = np.zeros((len(intensity), len(SHAPES)))
    lags = {unit: float(rng.uniform(0.75, 1.35)) for unit in apex}
    if "mouthClose" in apex:
        lags["mouthClose"] = lags["jawOpen"]  # keeps the lips closed throughout
    for unit, strength in apex.items():
        strengths = strength * intensity ** lags[unit]
        if unit in SINGLE_UNITS:
            coefficients[:, SHAPE_INDEX[unit]] = strengths
        else:
            unit_side = float(np.clip(side + rng.normal(0, 0.04), -1, 1))
            coefficients[:, SHAPE_INDEX[f"{unit}_L"]] = strengths * min(1.0, 1 + unit_side)
            coefficients[:, SHAPE_INDEX[f"{unit}_R"]] = strengths * min(1.0, 1 - unit_side)
    return coefficients


def add_involuntary_movements(
    coefficients: np.ndarray, without_blink: np.ndarray, rng: np.random.Generator, gaze_range: float = 1.0
) -> np.ndarray:
    """Return the coefficients (frames, 57) with a drifting gaze, a random pupil size, and in 3 of 10 clips a blink.

    Args:
        without_blink: (frames,) bool; a blink that would touch one of these frames is left out.
        gaze_range: multiplies how far the eyes look; 1 for somebody who looks into the camera.
    """
    out = coefficients.copy()
    frames = len(out)
    gaze = rng.normal(0, 0.09, 2) + np.linspace(0, 1, frames)[:, None] * rng.normal(0, 0.06, 2)
    left, up = np.clip(gaze_range * gaze, -0.25 * gaze_range, 0.25 * gaze_range).T  # as seen by the person
    for shapes, amount in (
        (("eyeLookOut_L", "eyeLookIn_R"), left),
        (("eyeLookIn_L", "eyeLookOut_R"), -left),
        (("eyeLookUp_L", "eyeLookUp_R"), up),
        (("eyeLookDown_L", "eyeLookDown_R"), -up),
        (("PupilDilate_L", "PupilDilate_R"), np.full(frames, rng.uniform(0, 0.4))),
    ):
        out[:, [SHAPE_INDEX[shape] for shape in shapes]] = np.maximum(amount, 0)[:, None]
    blinks, centre, half_width = rng.uniform() < 0.3, rng.uniform(0, frames - 1), max(1.5, frames / 10)
    lid = np.maximum(0, 1 - np.abs(np.arange(frames) - centre) / half_width)
    if blinks and not (lid[without_blink] > 0).any():
        for side in "LR":
            blink = out[:, SHAPE_INDEX[f"eyeBlink_{side}"]]
            np.maximum(blink, lid, out=blink)
            for unit in ("eyeWide", "eyeSquint"):
                out[:, SHAPE_INDEX[f"{unit}_{side}"]] *= 1 - lid
    return out
