"""All clips of one drawn person, with their true factors."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from omote.synthetic import plan
from omote.synthetic.drawn.expressions import ACTION_UNITS, PROTOTYPES, random_mixture
from omote.synthetic.drawn.factors import random_identity, random_nuisance
from omote.synthetic.drawn.paint import draw_face

# Standard deviation of how much a factor changes from the first to the last frame of a clip.
DRIFT = {"yaw": 1.0, "pitch": 0.8, "roll": 0.6, "shift_x": 0.003, "shift_y": 0.003, "brightness": 0.01}


@dataclass(frozen=True, kw_only=True)
class DrawnOptions(plan.SyntheticOptions):
    """Which drawn faces to make."""

    kind: ClassVar[str] = "drawn"


def draw_subject(options: DrawnOptions, index: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return all clips of one person: faces (n, S, S, 3) uint8 RGB and a table of n frames.

    They depend on `options.seed` and `index` only. A clip does not depend on how many others there are. Besides the
    columns of every face set, the table has the true factors: `id_*` and `au_<number>` in [0, 1], `au_side` in
    [-1, 1], and `nuisance_*`. Box and landmarks are true, too.

    Args:
        index: of the person, from 0; may exceed `options.subjects`.
    """
    identity = random_identity(np.random.default_rng([options.seed, index, 0]))
    session = random_nuisance(np.random.default_rng([options.seed, index, 4]))
    prototypes = plan.personal_prototypes(PROTOTYPES, options, index)
    faces: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    for clip in plan.plan_clips(options, index):
        rng = clip.rng
        apex = plan.vary(prototypes[clip.expression], rng) if clip.expression else random_mixture(rng)
        nuisance = plan.blend_with_session(random_nuisance(rng), session, options.room_change)
        change = {name: float(rng.normal(0, deviation)) for name, deviation in DRIFT.items()}
        side = float(rng.normal(0, 0.08))
        if clip.expression == plan.ONE_SIDED_EXPRESSION:
            side = float(rng.choice([-1, 1]) * rng.uniform(0.9, 1.0))
        course = plan.random_course(clip)
        lags = {au: float(rng.uniform(0.75, 1.35)) for au in apex}
        if clip.expression == "neutral":
            apex = {au: float(rng.uniform(0, 0.04)) for au in ACTION_UNITS}
        times = np.arange(clip.num_frames) / (clip.num_frames - 1)
        for frame, now in enumerate(plan.drift(nuisance, change, times.tolist(), rng)):
            intensity = float(course.intensity[frame])
            action_units = {au: value * intensity ** lags.get(au, 1.0) for au, value in apex.items()}
            face = draw_face(identity, action_units, now, options.size, side)
            row = plan.frame_columns(options, index, clip, course, frame, face)
            row |= {f"id_{name}": value for name, value in vars(identity).items()}
            row |= {f"au_{au}": action_units.get(au, 0.0) for au in ACTION_UNITS} | {"au_side": side}
            row |= {f"nuisance_{name}": value for name, value in vars(now).items()}
            faces.append(face.image)
            rows.append(row)
    return np.stack(faces), pd.DataFrame(rows)
