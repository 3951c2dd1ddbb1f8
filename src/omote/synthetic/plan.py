"""What drawn and rendered faces share: options, the plan of a subject's clips, drift of nuisance factors, labels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np

from omote.data.face_set import BOX, LANDMARKS
from omote.errors import OmoteError
from omote.synthetic.interpolation import smoothstep

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Factors = TypeVar("Factors", bound="DataclassInstance")
Unit = TypeVar("Unit", int, str)

EXPRESSIONS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
ONE_SIDED_EXPRESSION = "contempt"
FRAMES_PER_SECOND = 25
MIN_FRAMES = 4  # in a clip
EVALUATION_FRAMES = 3  # scored frames in a clip, as in the paper
APEX = 0.9  # frames of at least this intensity are labelled
# Nuisance factors that belong to a clip; all others belong to the session in which a subject was recorded.
POSE = ("yaw", "pitch", "roll", "gaze_x", "gaze_y", "scale", "shift_x", "shift_y")


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions:
    """Options common to drawn and rendered faces; raises OmoteError if one is out of range."""

    kind: ClassVar[str]  # "drawn" or "rendered"

    subjects: int = 60
    clips: int = len(EXPRESSIONS)  # labelled clips per subject, of each expression in turn
    mixtures: int = 2  # unlabelled clips per subject, each a random mixture of action units
    frames: int = 12  # per clip, evenly spaced
    size: Literal[64, 128] = 64  # side of a face in pixels
    seed: int = 0
    # How much light and background differ between the clips of one subject: 0 not at all, 1 as between subjects.
    # Small, because each subject of the paper's data sets was recorded in one room.
    room_change: float = 0.15

    def __post_init__(self) -> None:
        least = {"subjects": 1, "clips": 0, "mixtures": 0, "frames": MIN_FRAMES, "seed": 0}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise self._error(f"{name} is {getattr(self, name)}, expected at least {minimum}.")
        if self.clips + self.mixtures < 1:
            raise self._error("clips and mixtures are both 0; ask for at least one clip per subject.")
        if not 0 <= self.room_change <= 1:
            raise self._error(f"room_change is {self.room_change}, expected a share from 0 to 1.")
        if self.size not in (64, 128):
            raise self._error(f"size is {self.size}, expected 64 or 128.")

    def _error(self, problem: str) -> OmoteError:
        return OmoteError(f"{self.kind} faces: {problem}")

    def clip_lengths(self, index: int) -> list[int]:
        """Return the number of frames of each clip of the subject `index`."""
        return [self.frames] * (self.clips + self.mixtures)


class FaceImage(NamedTuple):
    """A synthetic face and its true position in the image."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    landmarks: np.ndarray  # (5, 2) pixels: the person's right eye, left eye, nose, mouth right, mouth left
    box: np.ndarray  # (4,) pixels: x, y, width, height


class ClipPlan(NamedTuple):
    """A clip of a subject, before it is drawn or rendered."""

    name: str
    expression: str | None  # None for a mixture
    num_frames: int
    rng: np.random.Generator  # of this clip only, so that a clip does not depend on how many others there are


class Course(NamedTuple):
    """How an expression develops over the frames of a clip."""

    intensity: np.ndarray  # (frames,) from 0 at the start to 1 at the apex
    labelled: np.ndarray  # (frames,) bool: the frame shows the expression of its clip
    scored: np.ndarray  # (frames,) bool: evaluation uses the frame, if it is labelled


def plan_clips(options: SyntheticOptions, index: int) -> Iterator[ClipPlan]:
    """Yield the clips of the subject `index`: first those of expressions, then the mixtures."""
    for number, length in enumerate(options.clip_lengths(index)):
        if number < options.clips:
            repetition, which = divmod(number, len(EXPRESSIONS))
            expression = EXPRESSIONS[which]
            name, stream = f"{expression}{repetition + 1 if repetition else ''}", (3, number)
        else:
            mixture = number - options.clips
            expression, name, stream = None, f"mixture{mixture + 1}", (2, mixture)
        yield ClipPlan(name, expression, length, np.random.default_rng([options.seed, index, *stream]))


def vary(prototype: dict[Unit, float], rng: np.random.Generator) -> dict[Unit, float]:
    """Return a random variation of the action units of an expression, each in [0, 1]."""
    return {unit: float(np.clip(v * rng.uniform(0.82, 1.12), 0, 1)) for unit, v in prototype.items()}


def personal_prototypes(
    prototypes: dict[str, dict[Unit, float]], options: SyntheticOptions, index: int
) -> dict[str, dict[Unit, float]]:
    """Return how the subject `index` makes each expression: a variation of its prototype."""
    return {
        name: vary(prototype, np.random.default_rng([options.seed, index, 1, k]))
        for k, (name, prototype) in enumerate(prototypes.items())
    }


def random_course(clip: ClipPlan) -> Course:
    """Return a random course of the clip's expression.

    The three scored frames are the middle ones if the face returns to neutral, else the last ones.
    """
    returns = bool(clip.rng.uniform() < 0.5)
    intensity = intensity_curve(clip.num_frames, returns, float(clip.rng.uniform(0.4, 1.4)))
    first = clip.num_frames - EVALUATION_FRAMES
    first = (first + 1) // 2 if returns else first
    scored, labelled = np.zeros((2, clip.num_frames), bool)
    if clip.expression is not None:
        scored[first : first + EVALUATION_FRAMES] = True
        labelled = (intensity >= APEX) | (clip.expression == "neutral")
    return Course(intensity, labelled, scored)


def intensity_curve(frames: int, returns: bool, tempo: float) -> np.ndarray:
    """Return the intensity (frames,) of an expression: 0 at the start of a clip, 1 at its apex.

    Args:
        frames: at least MIN_FRAMES.
        returns: the apex is in the middle and the clip ends as it began; otherwise the apex is at the end.
        tempo: the larger, the quicker the onset and the longer the apex; 0 for an onset over the whole rise.
    """
    t = np.linspace(0, 1, frames)
    if returns:
        t = 1 - np.abs(2 * t - 1)
    return smoothstep(t * (1 + 0.35 * tempo))


def blend_with_session(clip: Factors, session: Factors, room_change: float) -> Factors:
    """Return the nuisance factors of a clip: its own pose; everything else between the session's and its own.

    Args:
        room_change: 0 for the session's values, 1 for the clip's own.
    """
    shared = {
        name: (1 - room_change) * getattr(session, name) + room_change * value
        for name, value in vars(clip).items()
        if name not in POSE
    }
    return replace(clip, **shared)


def drift(
    nuisance: Factors, change: dict[str, float], times: Iterable[float], rng: np.random.Generator
) -> Iterator[Factors]:
    """Yield the nuisance factors of each frame of a clip, with new noise in each.

    Args:
        change: of factors, by name, over the whole clip.
        times: of the frames; 0 is the start of the clip, 1 its end.
    """
    for time in times:
        moved = {name: getattr(nuisance, name) + time * by for name, by in change.items()}
        yield replace(nuisance, **moved, grain=float(rng.uniform()))


def frame_columns(
    options: SyntheticOptions, index: int, clip: ClipPlan, course: Course, frame: int, face: FaceImage
) -> dict[str, Any]:
    """Return the values of one frame in the columns that every face set has."""
    labelled = bool(course.labelled[frame])
    return {
        "subject": f"{index:04d}",
        "clip": clip.name,
        "frame": frame,
        "time": frame / FRAMES_PER_SECOND,
        "dataset": options.kind,
        "source": f"{options.kind} seed {options.seed} subject {index}",
        "detection_score": float("nan"),
        "expression": clip.expression if labelled else None,
        "use": "both" if labelled and course.scored[frame] else "train",
        **dict(zip(BOX, face.box.tolist(), strict=True)),
        **dict(zip(LANDMARKS, face.landmarks.ravel().tolist(), strict=True)),
    }
