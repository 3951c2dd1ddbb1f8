"""The faces that a picture shows, chosen by rule and not by eye, so that no picture is a best case."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.face_set import FaceSet
from omote.data.outputs import Faces, Floats
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.figures.style import sort_expressions

NEUTRAL = "neutral"
MAX_FRAMES = 2_000  # to encode, evenly spaced, where expressions are chosen by their codes
T = TypeVar("T")
Rows = NDArray[np.int64]  # indices of frames in the face set
Encode = Callable[[Faces], Floats]  # (N, S, S, 3) faces to (N, Z) expression codes


class Examples(NamedTuple):
    """Rows of a face set: `face_set.faces[examples.identity]`."""

    identity: Rows  # (n,) one per subject, neutral where labelled
    expression: Rows  # (m,) in the order of the expressions, neutral first; by code, the plainest first


def choose_examples(
    face_set: FaceSet,
    subjects: Sequence[str],
    *,
    identities: int = 6,
    expressions: int | None = None,
    encode: Encode | None = None,
) -> Examples:
    """Return the faces of a swap grid; the choice is deterministic.

    Uses a subject's evaluation frames where there are any, and the middle frame of a clip. Expressions come from other
    people than the identities, each from a different person as far as possible; with two or more subjects, at least
    one is kept for the expressions.

    Without labels, a frame's expression is its code less the mean code of its person's frames. An identity face is its
    person's frame nearest to that mean, and so is the first expression face among those of all; each further one is the
    frame farthest from those chosen already (`farthest_points`). Such frames differ most, but may be odd ones: blinks,
    blurred faces.

    Args:
        subjects: people to show, for example those held out.
        identities: maximum number of identity faces, of people evenly spaced over `subjects`.
        expressions: number of expression faces; None for one per expression label, or 6 without labels. With more than
            there are labels, labels repeat with other people.
        encode: a run's expression codes of faces of the set, used without labels. Without labels and codes, middle
            frames of clips are taken in turn.
    Raises:
        OmoteError: If no frame shows these subjects, or a number is below 1.
    """
    if identities < 1 or (expressions is not None and expressions < 1):
        raise OmoteError(
            f"{identities} identity and {expressions} expression faces were requested; request 1 or more"
        )
    frames = _candidates(face_set, subjects)
    people = sorted(frames["subject"].unique())
    chosen = _pick_evenly(people, min(identities, max(1, len(people) - 1)))
    others = [person for person in people if person not in chosen]

    labels = sort_expressions(frames["expression"].dropna())
    count = expressions or len(labels) or 6
    if not labels and encode is not None:
        return _choose_by_code(face_set, frames, chosen, others, count, encode)
    identity = [_pick_frame(frames[frames["subject"] == person], NEUTRAL) for person in chosen]
    labels = _pick_evenly(labels, count)
    order = others + chosen  # people without a column first
    used: list[int] = []
    for number in range(count):
        label = labels[number % len(labels)] if labels else None
        unused = frames[~frames.index.isin(used if labels else used + identity)]
        candidates = unused[unused["expression"] == label] if label else unused
        if candidates.empty:
            continue
        times_used = frames.loc[used, "subject"].value_counts().to_dict()
        owners = set(candidates["subject"])
        person = min(
            (p for p in order if p in owners),
            key=lambda p: (p in chosen and bool(others), times_used.get(p, 0)),
        )
        candidates = candidates[candidates["subject"] == person]
        if label is None:  # without labels, take a different clip each time
            clips = candidates["clip"].unique()
            candidates = candidates[candidates["clip"] == clips[number % len(clips)]]
        used.append(_pick_frame(candidates, label))
    return Examples(np.array(identity, np.int64), np.array(used, np.int64))


def choose_pairs(
    face_set: FaceSet, subjects: Sequence[str], *, pairs: int = 2, encode: Encode | None = None
) -> tuple[Rows, Rows]:
    """Return the rows of sources and targets for interpolation strips.

    A source is a neutral face and its target another person's non-neutral expression, as far as there are labels.
    Without labels, targets are the frames whose codes are far apart, without the first; see `choose_examples`.

    Raises:
        OmoteError: If no frame shows these subjects, or `pairs` is below 1.
    """
    examples = choose_examples(face_set, subjects, identities=pairs, encode=encode)
    expression = face_set.frames["expression"].iloc[examples.expression]
    if encode is not None and expression.isna().all() and len(expression) > 1:
        examples = examples._replace(expression=examples.expression[1:][:pairs])
        expression = expression.iloc[1:][:pairs]
    targets = [
        row for row, label in zip(examples.expression, expression, strict=True) if not _is_neutral(label)
    ]
    targets = _pick_evenly(targets or list(examples.expression), pairs)
    sources = [examples.identity[k % len(examples.identity)] for k in range(len(targets))]
    return np.array(sources, np.int64), np.array(targets, np.int64)


def farthest_points(points: NDArray[np.floating[Any]], count: int) -> Rows:
    """Return the rows of points that are far apart: first the one nearest to 0, then each time the farthest one.

    That is the farthest from those chosen already. The distance from several points is that from the nearest of them
    (Gonzalez, 1985). Of equal distances the first counts.

    Args:
        points: (N, Z).
    Returns:
        (M,) row numbers in the order of choice, M at most `count`; fewer if there are fewer distinct points.
    """
    chosen: list[int] = []
    distance = -np.linalg.norm(points, axis=1)
    while len(chosen) < min(count, len(points)) and not (chosen and distance.max() == 0):
        chosen.append(int(distance.argmax()))
        to_last = np.linalg.norm(points - points[chosen[-1]], axis=1)
        distance = to_last if len(chosen) == 1 else np.minimum(distance, to_last)
    return np.array(chosen, np.int64)


def _choose_by_code(
    face_set: FaceSet, frames: pd.DataFrame, chosen: list[str], others: list[str], count: int, encode: Encode
) -> Examples:
    """Return the examples of people without labels; people with one frame give expressions only if all have one."""
    frames = frames.iloc[evenly_spaced(len(frames), MAX_FRAMES)]
    rows, person = frames.index.to_numpy(np.int64), frames["subject"].to_numpy(dtype=str)
    codes = encode(face_set.faces[rows])
    several = np.array([(person == each).sum() > 1 for each in person])
    if several.any():
        codes = np.stack(
            [code - codes[person == each].mean(0) for code, each in zip(codes, person, strict=True)]
        )
    else:
        codes = codes - codes.mean(0)
    size = np.linalg.norm(codes, axis=1)
    own = [np.flatnonzero(person == each) for each in chosen]
    identity = [int(rows[i[size[i].argmin()]]) for i in own if len(i)]
    usable = (several | ~several.any()) & ~np.isin(rows, identity)
    for allowed in (usable & np.isin(person, others), usable, np.ones_like(usable)):
        if allowed.any():
            break
    return Examples(np.array(identity, np.int64), rows[allowed][farthest_points(codes[allowed], count)])


def _candidates(face_set: FaceSet, subjects: Sequence[str]) -> pd.DataFrame:
    """Return each subject's evaluation frames, or all its frames if it has none, indexed as in the face set."""
    frames = face_set.frames.reset_index(drop=True)
    frames = frames[frames["subject"].isin(list(subjects))]
    if frames.empty:
        raise OmoteError(f"the face set {face_set.path} has no face of {', '.join(subjects) or 'nobody'}")
    marked = frames["use"].isin(["evaluate", "both"])
    return frames[marked | ~marked.groupby(frames["subject"]).transform("any")]


def _pick_frame(frames: pd.DataFrame, expression: str | None) -> int:
    """Return one row of a subject's frames: the middle of the first clip, with this expression if there is one."""
    if expression is not None:
        same = frames["expression"].map(
            lambda label: _is_neutral(label) if expression == NEUTRAL else label == expression
        )
        frames = frames[same] if same.any() else frames
    clip = frames[frames["clip"] == frames["clip"].iloc[0]]
    return int(clip.index[(len(clip) - 1) // 2])


def _is_neutral(label: object) -> bool:
    return isinstance(label, str) and label.casefold() == NEUTRAL


def _pick_evenly(items: list[T], count: int) -> list[T]:
    # Rounds halves to even, unlike `evenly_spaced`, which would show other people than the published figures.
    return [items[k] for k in np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)]
