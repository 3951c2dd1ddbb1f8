"""The faces that a picture shows, chosen by rule and not by eye, so that no picture is a best case."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.figures.style import sort_expressions

NEUTRAL = "neutral"
T = TypeVar("T")
Rows = NDArray[np.int64]  # indices of frames in the face set


class Examples(NamedTuple):
    """Rows of a face set: `face_set.faces[examples.identity]`."""

    identity: Rows  # (n,) one per subject, neutral where labelled
    expression: Rows  # (m,) in the order of the expressions, neutral first


def choose_examples(
    face_set: FaceSet, subjects: Sequence[str], *, identities: int = 6, expressions: int | None = None
) -> Examples:
    """Return the faces of a swap grid; the choice is deterministic.

    Uses a subject's evaluation frames where there are any, and the middle frame of a clip. Expressions come from other
    people than the identities, each from a different person as far as possible; with two or more subjects, at least
    one is kept for the expressions.

    Args:
        subjects: people to show, for example those held out.
        identities: maximum number of identity faces, of people evenly spaced over `subjects`.
        expressions: number of expression faces; None for one per expression label, or 6 without labels. With more than
            there are labels, labels repeat with other people.
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

    identity = [_pick_frame(frames[frames["subject"] == person], NEUTRAL) for person in chosen]
    labels = sort_expressions(frames["expression"].dropna())
    count = expressions or len(labels) or 6
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


def choose_pairs(face_set: FaceSet, subjects: Sequence[str], *, pairs: int = 2) -> tuple[Rows, Rows]:
    """Return the rows of sources and targets for interpolation strips.

    A source is a neutral face and its target another person's non-neutral expression, as far as there are labels.

    Raises:
        OmoteError: If no frame shows these subjects, or `pairs` is below 1.
    """
    examples = choose_examples(face_set, subjects, identities=pairs)
    expression = face_set.frames["expression"].iloc[examples.expression]
    targets = [
        row for row, label in zip(examples.expression, expression, strict=True) if not _is_neutral(label)
    ]
    targets = _pick_evenly(targets or list(examples.expression), pairs)
    sources = [examples.identity[k % len(examples.identity)] for k in range(len(targets))]
    return np.array(sources, np.int64), np.array(targets, np.int64)


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
