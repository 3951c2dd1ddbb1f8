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
    random_speech,
)
from omote.synthetic.rendered.factors import MAX_ROTATION, Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel
from omote.synthetic.rendered.scene import Head
from omote.synthetic.rendered.wild import MAX_WILD_ROTATION, Wild, random_cover, random_wild

# Standard deviation of how much a factor changes from the first to the last frame of a clip.
DRIFT = {
    "yaw": 1.5, "pitch": 1.0, "roll": 0.8, "gaze_x": 0.6, "gaze_y": 0.4, "shift_x": 0.003, "shift_y": 0.003,
    "brightness": 0.01,
}  # fmt: skip
# Outside a studio: shares of the mixtures that are speech and of the clips with something before the face, and how
# much further the eyes look.
SPEECH, COVERED, WILD_GAZE = 0.35, 0.12, 3.0
SPEECH_SHAPES = np.array([shape.startswith(("jaw", "mouth")) for shape in SHAPES])
IDENTITY_NAMES = tuple(f"id_mode_{mode:03d}" for mode in range(NUM_IDENTITY))


@dataclass(frozen=True, kw_only=True)
class RenderedOptions(plan.SyntheticOptions):
    """Which rendered faces to make."""

    kind: ClassVar[str] = "rendered"

    # Number of frames in all; replaces `frames`. Shared evenly by the subjects, then by the clips of each.
    total: int | None = None
    # As outside a studio: speech and milder expressions, heads turned by up to 30 degrees, glasses, hats, hands before
    # the face, coloured light, poor cameras.
    wild: bool = False

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
    usual_wild = random_wild(np.random.default_rng([options.seed, index, 5])) if options.wild else None
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
        wild = None
        if usual_wild:
            wild, nuisance, strength = _leave_studio(usual_wild, nuisance, clip.expression is not None, rng)
            coefficients *= strength
            if clip.expression is None and rng.uniform() < SPEECH:
                coefficients = np.maximum(coefficients * ~SPEECH_SHAPES, random_speech(clip.num_frames, rng))
        gaze_range = WILD_GAZE if wild else 1.0
        coefficients = add_involuntary_movements(coefficients, without_blink, rng, gaze_range)
        for frame, now in enumerate(_drift(nuisance, clip, MAX_WILD_ROTATION if wild else MAX_ROTATION)):
            face = head.render(coefficients[frame], now, options.size, wild)
            row = plan.frame_columns(options, index, clip, course, frame, face) | person
            row |= {f"au_{shape}": v for shape, v in zip(SHAPES, coefficients[frame].tolist(), strict=True)}
            changing = vars(now) | (vars(wild) if wild else {})
            row |= {f"nuisance_{name}": value for name, value in changing.items()}
            faces.append(face.image)
            rows.append(row)
    return np.stack(faces), pd.DataFrame(rows)


def _leave_studio(
    session: Wild, nuisance: Nuisance, labelled: bool, rng: np.random.Generator
) -> tuple[Wild, Nuisance, float]:
    """Return the wild factors of a clip, its other nuisance factors, and the strength of its expression.

    A person keeps glasses, light and camera over all clips: they would otherwise tell the clips of a person apart, as
    the expression should.
    """
    covered = random_cover(rng) if rng.uniform() < COVERED else {}
    turned = {name: 2.2 * getattr(nuisance, name) for name in ("yaw", "pitch", "roll")}
    placed = {
        "scale": float(rng.uniform(0.85, 1.12)),
        "shift_x": float(rng.normal(0, 0.03)),
        "shift_y": float(rng.normal(0, 0.03)),
        "noise": float(rng.uniform(0.5, 6.0)),
    }
    strength = float(rng.uniform(0.55 if labelled else 0.2, 1.0))
    return replace(session, **covered), replace(nuisance, **turned, **placed), strength


def _drift(nuisance: Nuisance, clip: plan.ClipPlan, most: float) -> Iterator[Nuisance]:
    """Yield the nuisance factors of each frame of a clip, with its rotation kept within `most` degrees."""
    change = {name: float(clip.rng.normal(0, deviation)) for name, deviation in DRIFT.items()}
    for now in plan.drift(nuisance, change, np.linspace(0, 1, clip.num_frames).tolist(), clip.rng):
        angles = {name: getattr(now, name) for name in ("yaw", "pitch", "roll")}
        yield replace(now, **{n: min(max(a, -most), most) for n, a in angles.items()})
