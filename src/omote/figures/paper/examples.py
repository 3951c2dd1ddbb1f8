"""Which faces a picture shows: chosen by rule, not by eye, so that a picture is no best case."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.face_set import FaceSet
from omote.errors import OmoteError

NEUTRAL = "neutral"
T = TypeVar("T")
Rows = NDArray[np.int64]  # numbers of frames in the face set


class Examples(NamedTuple):
    """Rows of a face set: `face_set.faces[examples.identity]`."""

    identity: Rows  # (n,) one a subject, neutral where that is labelled
    expression: Rows  # (m,) in the order of the expressions, neutral first


def choose_examples(
    face_set: FaceSet, subjects: Sequence[str], *, identities: int = 6, expressions: int | None = None
) -> Examples:
    """Return the faces of a swap grid; the same for the same face set and subjects.

    Frames marked for evaluation are taken where a subject has any, the middle one of a clip. The expressions
    come from other people than the identities, and each from another person, as far as there are enough
    people: one of two subjects or more is kept for the expressions.

    Args:
        subjects: whose faces to show, for example the people held out.
        identities: at most so many identity faces, of people evenly spread over `subjects`.
        expressions: number of expression faces; None for one an expression label, or 6 where there are no
            labels. More than there are labels: the labels again, from other people.
    Raises:
        OmoteError: If no frame is of these subjects, or a number is below 1.
    """
    if identities < 1 or (expressions is not None and expressions < 1):
        raise OmoteError(
            f"{identities} identity and {expressions} expression faces were asked for; ask for 1 or more"
        )
    frames = _candidates(face_set, subjects)
    people = sorted(frames["subject"].unique())
    chosen = _spread(people, min(identities, max(1, len(people) - 1)))
    others = [person for person in people if person not in chosen]

    identity = [_one(frames[frames["subject"] == person], NEUTRAL) for person in chosen]
    labels = sorted(frames["expression"].dropna().unique(), key=lambda label: (not _is_neutral(label), label))
    count = expressions or len(labels) or 6
    labels = _spread(labels, count)
    order = others + chosen  # those who are no column first
    used: list[int] = []
    for number in range(count):
        wanted = labels[number % len(labels)] if labels else None
        left = frames[~frames.index.isin(used if labels else used + identity)]
        have = left[left["expression"] == wanted] if wanted else left
        if have.empty:
            continue
        times = frames.loc[used, "subject"].value_counts().to_dict()
        owners = set(have["subject"])
        person = min(
            (p for p in order if p in owners), key=lambda p: (p in chosen and bool(others), times.get(p, 0))
        )
        have = have[have["subject"] == person]
        if wanted is None:  # nothing tells the clips apart: another one each time
            clips = have["clip"].unique()
            have = have[have["clip"] == clips[number % len(clips)]]
        used.append(_one(have, wanted))
    return Examples(np.array(identity, np.int64), np.array(used, np.int64))


def choose_pairs(face_set: FaceSet, subjects: Sequence[str], *, pairs: int = 2) -> tuple[Rows, Rows]:
    """Return the rows of sources and of targets for interpolation strips: a neutral face, and another
    person's expression that is not neutral, as far as labels tell.

    Raises:
        OmoteError: If no frame is of these subjects, or `pairs` is below 1.
    """
    examples = choose_examples(face_set, subjects, identities=pairs)
    expression = face_set.frames["expression"].iloc[examples.expression]
    targets = [
        row for row, label in zip(examples.expression, expression, strict=True) if not _is_neutral(label)
    ]
    targets = _spread(targets or list(examples.expression), pairs)
    count = min(pairs, len(targets))
    sources = [examples.identity[k % len(examples.identity)] for k in range(count)]
    return np.array(sources, np.int64), np.array(targets[:count], np.int64)


def _candidates(face_set: FaceSet, subjects: Sequence[str]) -> pd.DataFrame:
    """Return the frames to choose from, numbered from 0 as in the face set: each subject's evaluation frames,
    or all of them where it has none."""
    frames = face_set.frames.reset_index(drop=True)
    frames = frames[frames["subject"].isin(list(subjects))]
    if frames.empty:
        raise OmoteError(f"the face set {face_set.path} has no face of {', '.join(subjects) or 'nobody'}")
    marked = frames["use"].isin(["evaluate", "both"])
    return frames[marked | ~marked.groupby(frames["subject"]).transform("any")]


def _one(frames: pd.DataFrame, expression: str | None) -> int:
    """Return the row of one frame of one subject: of `expression` if there is such a frame, the middle one of
    its first clip."""
    if expression is not None:
        same = frames["expression"].map(
            lambda label: _is_neutral(label) if expression == NEUTRAL else label == expression
        )
        frames = frames[same] if same.any() else frames
    clip = frames[frames["clip"] == frames["clip"].iloc[0]]
    return int(clip.index[(len(clip) - 1) // 2])


def _is_neutral(label: object) -> bool:
    return isinstance(label, str) and label.casefold() == NEUTRAL


def _spread(items: list[T], count: int) -> list[T]:
    """Return `count` of the items (all, if there are fewer), evenly spaced over the list."""
    return [items[k] for k in np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)]
