"""All clips of one drawn person, and the table of their true factors."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from omote.data.face_set import BOX, LANDMARKS
from omote.errors import OmoteError
from omote.synthetic.drawn.expressions import (
    ACTION_UNITS,
    EXPRESSIONS,
    ONE_SIDED,
    PROTOTYPES,
    course,
    random_mixture,
    vary,
)
from omote.synthetic.drawn.paint import paint
from omote.synthetic.drawn.people import (
    Identity,
    Nuisance,
    drift,
    in_session,
    random_identity,
    random_nuisance,
)

FRAMES_PER_SECOND = 25
EVALUATION_FRAMES = 3  # a clip, as in the paper: the middle three, or the last three
APEX = 0.9  # from here on a frame shows the expression of its clip


@dataclass(frozen=True, kw_only=True)
class DrawnOptions:
    """What to draw."""

    what: ClassVar[str] = "drawn faces"  # for messages

    subjects: int = 60
    clips: int = len(
        EXPRESSIONS
    )  # of labelled expressions a subject, in the order of EXPRESSIONS, then again
    mixtures: int = 2  # further clips a subject, of random mixtures of action units, with no label
    frames: int = 12  # a clip, at equal intervals
    size: Literal[64, 128] = 64  # pixels
    seed: int = 0
    # share of light and background that changes from clip to clip; the rest belongs to the person's
    # session, as in the data sets of the paper, each recorded in one room
    room_change: float = 0.15

    def __post_init__(self) -> None:
        least = {"subjects": 1, "clips": 0, "mixtures": 0, "frames": 4, "seed": 0}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise OmoteError(
                    f"{self.what}: {name} is {getattr(self, name)}, expected at least {minimum}."
                )
        if self.clips + self.mixtures < 1:
            raise OmoteError(
                f"{self.what}: clips and mixtures are both 0; ask for at least one clip a subject."
            )
        if not 0 <= self.room_change <= 1:
            raise OmoteError(f"{self.what}: room_change is {self.room_change}, expected a share from 0 to 1.")
        if self.size not in (64, 128):
            raise OmoteError(f"{self.what}: size is {self.size}, expected 64 or 128.")


def clip_names(options: DrawnOptions) -> list[str]:
    """Return what a subject's clips are called, in order; those of mixtures come last."""
    names = []
    for k in range(options.clips):
        again = k // len(EXPRESSIONS)
        names.append(EXPRESSIONS[k % len(EXPRESSIONS)] + (str(again + 1) if again else ""))
    return names + [f"mixture{k + 1}" for k in range(options.mixtures)]


def evaluated(frames: int, returns: bool) -> range:
    """Return which frames of a clip are scored: the middle three if it returns to neutral, else the last three."""
    first = (frames - EVALUATION_FRAMES + 1) // 2 if returns else frames - EVALUATION_FRAMES
    return range(first, first + EVALUATION_FRAMES)


def draw_subject(options: DrawnOptions, index: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return all clips of one person: faces (n, S, S, 3) uint8 RGB and a frame table with n rows.

    They depend on `options.seed` and `index` only, not on who draws them or in which order, and a clip not
    on how many others there are. Besides the columns of every face set the table has the true factors: `id_*`
    and `au_<number>` in [0, 1], `au_side` in [-1, 1], `nuisance_*`; `box_*` and the landmarks are true, too.

    Args:
        index: of the person, from 0; persons beyond `options.subjects` exist as well.
    """
    identity = random_identity(np.random.default_rng([options.seed, index, 0]))
    session = random_nuisance(np.random.default_rng([options.seed, index, 4]))
    habits = {
        name: vary(PROTOTYPES[name], np.random.default_rng([options.seed, index, 1, k]))
        for k, name in enumerate(EXPRESSIONS)
    }
    faces: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    for number, clip in enumerate(clip_names(options)):
        mixture = number >= options.clips
        order = [2, number - options.clips] if mixture else [3, number]
        rng = np.random.default_rng([options.seed, index, *order])
        expression = None if mixture else EXPRESSIONS[number % len(EXPRESSIONS)]
        apex = random_mixture(rng) if expression is None else vary(habits[expression], rng)
        for frame, row in enumerate(_clip(options, identity, session, expression, apex, rng)):
            faces.append(row.pop("image"))
            rows.append(
                {
                    "subject": f"{index:04d}",
                    "clip": clip,
                    "frame": frame,
                    "time": frame / FRAMES_PER_SECOND,
                    "dataset": "drawn",
                    "source": f"drawn seed {options.seed} subject {index}",
                    "detection_score": float("nan"),
                    **row,
                }
            )
    return np.stack(faces), pd.DataFrame(rows)


def _clip(
    options: DrawnOptions,
    identity: Identity,
    session: Nuisance,
    expression: str | None,
    apex: dict[int, float],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    nuisance = in_session(random_nuisance(rng), session, options.room_change)
    sway = rng.normal(0, 1, 6) * np.array([1.0, 0.8, 0.6, 0.003, 0.003, 0.01])
    side = float(rng.normal(0, 0.08))
    if expression == ONE_SIDED:
        side = float(rng.choice([-1, 1]) * rng.uniform(0.9, 1.0))
    returns = bool(rng.uniform() < 0.5)
    way = course(options.frames, returns, float(rng.uniform(0.4, 1.4)))
    lags = {au: float(rng.uniform(0.75, 1.35)) for au in apex}
    scored = evaluated(options.frames, returns)
    if expression == "neutral":
        apex = {au: float(rng.uniform(0, 0.04)) for au in ACTION_UNITS}
    rows = []
    for frame, strength in enumerate(way.tolist()):
        action_units = {au: value * strength ** lags.get(au, 1.0) for au, value in apex.items()}
        now = drift(nuisance, frame / (options.frames - 1), sway, rng)
        painted = paint(identity, action_units, now, options.size, side)
        at_apex = expression == "neutral" or strength >= APEX
        row: dict[str, Any] = {
            "image": painted.image,
            "expression": expression if at_apex else None,
            "use": "both" if expression is not None and at_apex and frame in scored else "train",
            **dict(zip(BOX, painted.box, strict=True)),
            **dict(zip(LANDMARKS, painted.landmarks.ravel().tolist(), strict=True)),
        }
        row |= {f"id_{name}": value for name, value in vars(identity).items()}
        row |= {f"au_{au}": action_units.get(au, 0.0) for au in ACTION_UNITS} | {"au_side": side}
        row |= {f"nuisance_{name}": value for name, value in vars(now).items()}
        rows.append(row)
    return rows
