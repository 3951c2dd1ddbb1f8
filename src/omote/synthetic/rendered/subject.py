"""All clips of one rendered person, and the table of their true factors."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from omote.data.face_set import BOX, LANDMARKS
from omote.errors import OmoteError
from omote.synthetic.drawn.expressions import ONE_SIDED, course, vary
from omote.synthetic.drawn.subject import APEX, FRAMES_PER_SECOND, DrawnOptions, clip_names, evaluated
from omote.synthetic.rendered.expressions import (
    EXPRESSIONS,
    LARGEST,
    PROTOTYPES,
    SHAPES,
    add_small_movements,
    movement,
    random_mixture,
)
from omote.synthetic.rendered.look import Circumstances, random_circumstances, random_look
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel
from omote.synthetic.rendered.scene import Head

LEAST_FRAMES = 4  # a clip
LARGEST_TURN = 15  # degrees
# How much a clip's pose, gaze and light change from its first to its last frame (standard deviations).
SWAY = {
    "yaw": 1.5, "pitch": 1.0, "roll": 0.8, "gaze_x": 0.6, "gaze_y": 0.4, "shift_x": 0.003, "shift_y": 0.003,
    "brightness": 0.01,
}  # fmt: skip
POSE = ("yaw", "pitch", "roll", "gaze_x", "gaze_y", "scale", "shift_x", "shift_y")  # a clip's own
IDENTITY_NAMES = tuple(f"id_mode_{mode:03d}" for mode in range(NUM_IDENTITY))


@dataclass(frozen=True, kw_only=True)
class RenderedOptions(DrawnOptions):
    """What to render; all options of drawn faces, and `total`."""

    what: ClassVar[str] = "rendered faces"

    total: int | None = (
        None  # frames in all, shared evenly by the subjects and then their clips; replaces `frames`
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        clips = self.subjects * (self.clips + self.mixtures)
        if self.total is not None and self.total < LEAST_FRAMES * clips:
            raise OmoteError(
                f"{self.what}: total is {self.total:,} frames, but {self.subjects:,} people with "
                f"{self.clips + self.mixtures} clips of at least {LEAST_FRAMES} frames are {LEAST_FRAMES * clips:,}."
            )


def clip_lengths(options: RenderedOptions, index: int) -> list[int]:
    """Return the number of frames of each clip of a subject; with `total` they sum to it over all subjects."""
    clips = options.clips + options.mixtures
    if options.total is None:
        return [options.frames] * clips
    frames = _share(options.total, options.subjects, index)
    return [_share(frames, clips, clip) for clip in range(clips)]


def _share(whole: int, parts: int, part: int) -> int:
    return (part + 1) * whole // parts - part * whole // parts


def render_subject(model: FaceModel, options: RenderedOptions, index: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return all clips of one person: faces (n, S, S, 3) uint8 RGB and a frame table with n rows.

    They depend on the model, `options.seed` and `index` only, not on who renders them or in which order, and, with
    `options.frames`, a clip not on how many others there are. Besides the columns of every face set the table has
    all true factors: `id_mode_000` ... of the model's identity modes (about N(0, 1)) and `id_*` of the person's
    look, `au_<shape>` in [0, 1] of the model's 57 shapes, `nuisance_*`; `box_*` and the landmarks are true, too.

    Args:
        index: of the person, from 0; persons beyond `options.subjects` exist as well.
    """
    rng = np.random.default_rng([options.seed, index, 0])
    identity = np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5)
    look = random_look(rng)
    lean = float(rng.normal(0, 0.06))
    session = random_circumstances(np.random.default_rng([options.seed, index, 4]))
    habits = {
        name: vary(PROTOTYPES[name], np.random.default_rng([options.seed, index, 1, k]))
        for k, name in enumerate(EXPRESSIONS)
    }
    head = Head(model, identity, look)
    person: dict[str, Any] = {
        "subject": f"{index:04d}",
        "dataset": "rendered",
        "source": f"rendered seed {options.seed} subject {index}",
        "detection_score": float("nan"),
        **dict(zip(IDENTITY_NAMES, identity.tolist(), strict=True)),
        **{f"id_{name}": value for name, value in vars(look).items()},
    }
    faces: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    lengths = clip_lengths(options, index)
    for number, (clip, frames) in enumerate(zip(clip_names(options), lengths, strict=True)):
        mixture = number >= options.clips
        order = [2, number - options.clips] if mixture else [3, number]
        rng = np.random.default_rng([options.seed, index, *order])
        expression = None if mixture else EXPRESSIONS[number % len(EXPRESSIONS)]
        circumstances = _in_session(random_circumstances(rng), session, options.room_change)
        amounts = random_mixture(rng) if expression is None else vary(habits[expression], rng)
        coefficients, labels = _play(expression, amounts, lean, frames, rng)
        for frame, (label, now) in enumerate(zip(labels, _drift(circumstances, frames, rng), strict=True)):
            rendered = head.render(coefficients[frame], now, options.size)
            faces.append(rendered.image)
            rows.append(
                {
                    **person,
                    "clip": clip,
                    "frame": frame,
                    "time": frame / FRAMES_PER_SECOND,
                    **label,
                    **dict(zip(BOX, np.asarray(rendered.box).tolist(), strict=True)),
                    **dict(zip(LANDMARKS, rendered.landmarks.ravel().tolist(), strict=True)),
                    **{
                        f"au_{shape}": v
                        for shape, v in zip(SHAPES, coefficients[frame].tolist(), strict=True)
                    },
                    **{f"nuisance_{name}": value for name, value in vars(now).items()},
                }
            )
    return np.stack(faces), pd.DataFrame(rows)


def _play(
    expression: str | None, amounts: dict[str, float], lean: float, frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return the coefficients (frames, 57) of a clip, and the columns `expression` and `use` of its frames."""
    returns = bool(rng.uniform() < 0.5)
    way = course(frames, returns, float(rng.uniform(0.4, 1.4)))
    scored = [expression is not None and frame in evaluated(frames, returns) for frame in range(frames)]
    at_apex = way >= APEX
    one_sided = expression == ONE_SIDED or (expression is None and rng.uniform() < 0.2)
    if one_sided:
        lean = float(rng.choice([-1, 1]) * rng.uniform(0.85, 1.0))
    else:
        lean += float(rng.normal(0, 0.05))
    if expression == "neutral":
        at_apex = np.ones(frames, bool)
        amounts = {unit: float(rng.uniform(0, 0.04)) for unit in LARGEST}
    coefficients = movement(amounts, way, lean, rng)
    calm = np.array(scored) | (at_apex & (expression not in (None, "neutral")))
    labels = [
        {"expression": expression if there else None, "use": "both" if there and asked else "train"}
        for there, asked in zip(at_apex.tolist(), scored, strict=True)
    ]
    return add_small_movements(coefficients, calm, rng), labels


def _in_session(clip: Circumstances, session: Circumstances, change: float) -> Circumstances:
    """Return the circumstances of a clip of a session: its own pose, and nearly the session's light and room."""
    values = {
        name: (1 - change) * getattr(session, name) + change * value
        for name, value in vars(clip).items()
        if name not in POSE
    }
    return replace(clip, **values | {"room": session.room})


def _drift(clip: Circumstances, frames: int, rng: np.random.Generator) -> list[Circumstances]:
    """Return the circumstances of a clip's frames: the clip's, a little moved, with new noise."""
    sway = {name: float(rng.normal(0, spread)) for name, spread in SWAY.items()}
    drifted = []
    for time in np.linspace(0, 1, frames).tolist():
        values = {name: getattr(clip, name) + time * change for name, change in sway.items()}
        for name in ("yaw", "pitch", "roll"):
            values[name] = min(max(values[name], -LARGEST_TURN), LARGEST_TURN)
        drifted.append(replace(clip, **values, grain=float(rng.uniform())))
    return drifted
