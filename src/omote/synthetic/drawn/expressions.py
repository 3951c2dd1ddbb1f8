"""Action units (FACS) of drawn faces, and the prototype of each expression."""

import numpy as np

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

# Strength of action units at the apex of each expression, 0 to 1; after EMFACS (Friesen and Ekman, 1983).
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


def random_mixture(rng: np.random.Generator) -> dict[int, float]:
    """Return 2 to 6 random action units, each with a random strength in [0.3, 1]."""
    chosen = rng.choice(list(ACTION_UNITS), size=int(rng.integers(2, 7)), replace=False)
    return {int(au): float(rng.uniform(0.3, 1.0)) for au in chosen}
