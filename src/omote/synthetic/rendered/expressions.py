"""What the rendered faces do: shapes of the model, prototypes of the emotions, and what moves by itself in a clip.

A *unit* is a shape of the model without its side: "mouthSmile" stands for mouthSmile_L and mouthSmile_R, the person's
left and right. Units are about FACS action units: the table of the model's README says which.
"""

from collections.abc import Collection

import numpy as np

PAIRED = (
    "PupilDilate", "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekRaiser", "cheekSquint", "eyeBlink",
    "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
SINGLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
SHAPES = tuple(sorted([f"{unit}_{side}" for unit in PAIRED for side in "LR"] + list(SINGLE)))
INDEX = {shape: index for index, shape in enumerate(SHAPES)}

# After EMFACS (Friesen and Ekman, 1983), with the action units that the shapes come near, 0 to 1 at the apex.
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
EXPRESSIONS = tuple(PROTOTYPES)

# Units of mixtures with the most that a face does of them. Left out: gaze and pupils, which are always a little
# astray, and mouthClose, which only means something against an open jaw.
LARGEST: dict[str, float] = {
    "browDown": 1.0, "browInnerUp": 1.0, "browOuterUp": 1.0, "cheekPuff": 0.7, "cheekRaiser": 1.0, "cheekSquint": 1.0,
    "eyeBlink": 0.6, "eyeSquint": 1.0, "eyeWide": 1.0, "mouthDimple": 0.75, "mouthFrown": 1.0, "mouthLowerDown": 1.0,
    "mouthPress": 1.0, "mouthSmile": 1.0, "mouthStretch": 0.95, "mouthUpperUp": 0.85, "noseSneer": 1.0,
    "jawForward": 0.8, "jawLeft": 0.8, "jawOpen": 0.7, "jawRight": 0.8, "mouthFunnel": 0.8, "mouthLeft": 0.5,
    "mouthPucker": 0.9, "mouthRight": 0.5, "mouthRollLower": 0.9, "mouthRollUpper": 0.9, "mouthShrugLower": 0.9,
    "mouthShrugUpper": 0.9,
}  # fmt: skip
# Muscles that pull against each other: no unit of one group with one of the other.
APART: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
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


def possible(units: Collection[str]) -> bool:
    """Return whether a face can move all these units at once."""
    return not any(set(units) & set(one) and set(units) & set(other) for one, other in APART)


def random_mixture(rng: np.random.Generator) -> dict[str, float]:
    """Return 2 to 6 units that go together, each with 0.3 to 1 times the most that a face does.

    A lowered jaw comes with closed lips now and then: `mouthClose`, and as much of it.
    """
    wanted = int(rng.integers(2, 7))
    chosen: list[str] = []
    for unit in rng.permutation(list(LARGEST)).tolist():
        if len(chosen) < wanted and possible([*chosen, unit]):
            chosen.append(unit)
    mixture = {unit: float(rng.uniform(0.3, 1.0) * LARGEST[unit]) for unit in chosen}
    if "jawOpen" in mixture and not {"mouthFunnel", "mouthLowerDown", "mouthUpperUp"} & mixture.keys():
        mixture["mouthClose"] = mixture["jawOpen"] * float(rng.uniform() < 0.3)
    return mixture


def movement(amounts: dict[str, float], way: np.ndarray, lean: float, rng: np.random.Generator) -> np.ndarray:
    """Return (frames, 57) coefficients in [0, 1] of a movement, in the order of SHAPES; rng gives every unit its lag.

    Args:
        amounts: of units at the apex, in [0, 1].
        way: (frames,) how far the clip has come, 0 to 1.
        lean: -1 only the right side of the face moves, 0 both alike, 1 only the left.
    """
    coefficients = np.zeros((len(way), len(SHAPES)))
    lags = {unit: float(rng.uniform(0.75, 1.35)) for unit in amounts}
    if "mouthClose" in amounts:
        lags["mouthClose"] = lags["jawOpen"]  # the lips stay closed on the way
    for unit, amount in amounts.items():
        course = amount * way ** lags[unit]
        if unit in SINGLE:
            coefficients[:, INDEX[unit]] = course
        else:
            own = float(np.clip(lean + rng.normal(0, 0.04), -1, 1))
            coefficients[:, INDEX[f"{unit}_L"]] = course * min(1.0, 1 + own)
            coefficients[:, INDEX[f"{unit}_R"]] = course * min(1.0, 1 - own)
    return coefficients


def add_small_movements(coefficients: np.ndarray, calm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the coefficients (frames, 57) with what nobody means: a drifting gaze, pupils, a blink now and then.

    Args:
        calm: (frames,) whether a frame is to be without a blink.
    """
    out = coefficients.copy()
    frames = len(out)
    gaze = rng.normal(0, 0.09, 2) + np.linspace(0, 1, frames)[:, None] * rng.normal(0, 0.06, 2)
    left, up = np.clip(gaze, -0.25, 0.25).T  # of the person
    for shapes, amount in (
        (("eyeLookOut_L", "eyeLookIn_R"), left),
        (("eyeLookIn_L", "eyeLookOut_R"), -left),
        (("eyeLookUp_L", "eyeLookUp_R"), up),
        (("eyeLookDown_L", "eyeLookDown_R"), -up),
        (("PupilDilate_L", "PupilDilate_R"), np.full(frames, rng.uniform(0, 0.4))),
    ):
        out[:, [INDEX[shape] for shape in shapes]] = np.maximum(amount, 0)[:, None]
    blinks, centre, width = rng.uniform() < 0.3, rng.uniform(0, frames - 1), max(1.5, frames / 10)
    lid = np.maximum(0, 1 - np.abs(np.arange(frames) - centre) / width)
    if blinks and not (lid[calm] > 0).any():
        for side in "LR":
            shut = out[:, INDEX[f"eyeBlink_{side}"]]
            np.maximum(shut, lid, out=shut)
            for unit in ("eyeWide", "eyeSquint"):
                out[:, INDEX[f"{unit}_{side}"]] *= 1 - lid
    return out
