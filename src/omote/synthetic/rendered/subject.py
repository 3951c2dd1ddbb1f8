"""All clips of one rendered person, with their true factors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from omote.synthetic import plan
from omote.synthetic.rendered.expressions import (
    MAX_STRENGTH,
    PROTOTYPES,
    SHAPES,
    add_involuntary_movements,
    animate,
    random_mixture,
)
from omote.synthetic.rendered.factors import MAX_ROTATION, Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel
from omote.synthetic.rendered.scene import Head

# Standard deviation of how much a factor changes from the first to the last frame of a clip.
DRIFT = {
    "yaw": 1.5, "pitch": 1.0, "roll": 0.8, "gaze_x": 0.6, "gaze_y": 0.4, "shift_x": 0.003, "shift_y": 0.003,
    "brightness": 0.01,
}  # fmt: skip
IDENTITY_NAMES = tuple(f"id_mode_{mode:03d}" for mode in range(NUM_IDENTITY))


@dataclass(frozen=True, kw_only=True)
class RenderedOptions(plan.SyntheticOptions):
    """Which rendered faces to make."""

    kind: ClassVar[str] = "rendered"

    # Number of frames in all; replaces `frames`. Shared evenly by the subjects, then by the clips of each.
    total: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        clips = self.clips + self.mixtures
        least = plan.MIN_FRAMES * self.subjects * clips
        if self.total is not None and self.total < least:
            raise self._error(
                f"total is {self.total:,} frames, but {self.subjects:,} people with {clips} clips of at least "
                f"{plan.MIN_FRAMES} frames are {least:,}."
            )

    def clip_lengths(self, index: int) -> list[int]:
        """Return the number of frames of each clip of the subject `index`; they sum to `total` over all subjects."""
        if self.total is None:
            return super().clip_lengths(index)
        clips = self.clips + self.mixtures
        frames = _even_share(self.total, self.subjects, index)
        return [_even_share(frames, clips, clip) for clip in range(clips)]


def _even_share(whole: int, parts: int, part: int) -> int:
    return (part + 1) * whole // parts - part * whole // parts


def render_subject(model: FaceModel, options: RenderedOptions, index: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return all clips of one person: faces (n, S, S, 3) uint8 RGB and a table of n frames.

    They depend on the model, `options.seed` and `index` only. Without `options.total`, a clip does not depend on how
    many others there are. Besides the columns of every face set, the table has the true factors: `id_mode_000` ... of
    the model's identity modes (N(0, 1), cut off at 2.5), `id_*` of the appearance, `au_<shape>` in [0, 1] of the
    model's 57 shapes, and `nuisance_*`. Box and landmarks are true, too.

    Args:
        index: of the person, from 0; may exceed `options.subjects`.
    """
    rng = np.random.default_rng([options.seed, index, 0])
    identity = np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5)
    appearance = random_appearance(rng)
    usual_side = float(rng.normal(0, 0.06))  # as for `animate`
    session = random_nuisance(np.random.default_rng([options.seed, index, 4]))
    prototypes = plan.personal_prototypes(PROTOTYPES, options, index)
    head = Head(model, identity, appearance)
    person = dict(zip(IDENTITY_NAMES, identity.tolist(), strict=True))
    person |= {f"id_{name}": value for name, value in vars(appearance).items()}
    faces: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    for clip in plan.plan_clips(options, index):
        rng = clip.rng
        nuisance = plan.blend_with_session(random_nuisance(rng), session, options.room_change)
        nuisance = replace(nuisance, room=session.room)
        apex = plan.vary(prototypes[clip.expression], rng) if clip.expression else random_mixture(rng)
        course = plan.random_course(clip)
        if clip.expression == plan.ONE_SIDED_EXPRESSION or (clip.expression is None and rng.uniform() < 0.2):
            side = float(rng.choice([-1, 1]) * rng.uniform(0.85, 1.0))
        else:
            side = usual_side + float(rng.normal(0, 0.05))
        without_blink = course.scored | course.labelled
        if clip.expression == "neutral":
            apex = {unit: float(rng.uniform(0, 0.04)) for unit in MAX_STRENGTH}
            without_blink = course.scored
        coefficients = animate(apex, course.intensity, side, rng)
        coefficients = add_involuntary_movements(coefficients, without_blink, rng)
        for frame, now in enumerate(_drift(nuisance, clip)):
            face = head.render(coefficients[frame], now, options.size)
            row = plan.frame_columns(options, index, clip, course, frame, face) | person
            row |= {f"au_{shape}": v for shape, v in zip(SHAPES, coefficients[frame].tolist(), strict=True)}
            row |= {f"nuisance_{name}": value for name, value in vars(now).items()}
            faces.append(face.image)
            rows.append(row)
    return np.stack(faces), pd.DataFrame(rows)


def _drift(nuisance: Nuisance, clip: plan.ClipPlan) -> Iterator[Nuisance]:
    """Yield the nuisance factors of each frame of a clip, with its rotation kept in range."""
    change = {name: float(clip.rng.normal(0, deviation)) for name, deviation in DRIFT.items()}
    for now in plan.drift(nuisance, change, np.linspace(0, 1, clip.num_frames).tolist(), clip.rng):
        angles = {name: getattr(now, name) for name in ("yaw", "pitch", "roll")}
        yield replace(now, **{n: min(max(a, -MAX_ROTATION), MAX_ROTATION) for n, a in angles.items()})
