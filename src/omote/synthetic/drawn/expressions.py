"""What the faces do: action units (FACS), prototypes of the emotions, and their course in a clip."""

from typing import TypeVar

import numpy as np

Unit = TypeVar("Unit", int, str)

ACTION_UNITS: dict[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
}

# After EMFACS (Friesen and Ekman, 1983): what is there at the apex of each expression, 0 to 1.
PROTOTYPES: dict[str, dict[int, float]] = {
    "anger": {4: 1.0, 5: 0.55, 7: 0.8, 10: 0.2, 17: 0.3, 23: 0.9, 24: 0.6},
    "contempt": {12: 0.75, 14: 0.95},
    "disgust": {4: 0.35, 6: 0.25, 7: 0.3, 9: 1.0, 10: 1.0, 15: 0.12, 17: 0.15, 25: 0.45},
    "fear": {1: 1.0, 2: 0.6, 4: 0.7, 5: 1.0, 20: 0.9, 25: 0.9, 26: 0.3},
    "happiness": {6: 0.8, 12: 1.0, 25: 0.9},
    "neutral": {},
    "sadness": {1: 1.0, 4: 0.55, 7: 0.15, 15: 0.95, 17: 0.65},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.85, 25: 1.0, 26: 1.0, 27: 0.35},
}
EXPRESSIONS = tuple(PROTOTYPES)
ONE_SIDED = "contempt"


def vary(prototype: dict[Unit, float], rng: np.random.Generator) -> dict[Unit, float]:
    """Return the action units of one person's or one clip's version of a prototype, each within [0, 1]."""
    return {au: float(np.clip(v * rng.uniform(0.82, 1.12), 0, 1)) for au, v in prototype.items()}


def random_mixture(rng: np.random.Generator) -> dict[int, float]:
    """Return 2 to 6 action units with random strengths in [0.3, 1]."""
    chosen = rng.choice(list(ACTION_UNITS), size=int(rng.integers(2, 7)), replace=False)
    return {int(au): float(rng.uniform(0.3, 1.0)) for au in chosen}


def course(frames: int, returns: bool, tempo: float) -> np.ndarray:
    """Return (frames,) how far a clip has come: 0 at its start, 1 at its apex.

    Args:
        frames: at least 4.
        returns: neutral -> apex in the middle -> neutral; otherwise neutral -> apex at the end.
        tempo: 0.5 slow onset, 1 even, above 1 quick onset and a longer apex.
    """
    t = np.linspace(0, 1, frames)
    if returns:
        t = 1 - np.abs(2 * t - 1)
    t = np.clip(t * (1 + 0.35 * tempo), 0, 1)
    return t * t * (3 - 2 * t)
