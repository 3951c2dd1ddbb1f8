"""One score and the checks that come before every one of them.

A score that cannot be computed is nan with its reason, so a collapsed code looks neither good nor bad.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

SAME = 1e-6  # features that differ by less than this share of their size are rounding, not a code


class Score(NamedTuple):
    """One number, how far it scatters, and what a guess would reach.

    `deviation` is over runs, folds or subjects: the function that makes the score says which; nan where
    there is only one of them. `reason` says why the value is nan, or, beside a value, which part of the
    rule had to give. `low` and `high` are a 95 % interval over people; nan where none was asked for.
    """

    value: float
    deviation: float = float("nan")
    chance: float = float("nan")
    reason: str = ""
    low: float = float("nan")
    high: float = float("nan")


class Answers(NamedTuple):
    """What a score is the mean of: one number a row.

    `values` is (N,), nan where the row was not asked. `reason` says why none was, or, beside values, which part
    of the rule had to give.
    """

    values: Array
    chance: float = float("nan")
    reason: str = ""


def no_answers(count: int, reason: str) -> Answers:
    return Answers(np.full(count, np.nan), reason=reason)


def no_score(reason: str) -> Score:
    return Score(float("nan"), reason=reason)


def mean_score(values: Sequence[float] | Array, chance: float, reason: str = "") -> Score:
    """Return mean and sample deviation (ddof 1, nan for a single value) of `values`."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Score(float(np.mean(values)), deviation, chance, reason)


def why_not(features: Array, labels: Array, what: str) -> str | None:
    """Return why no score about `labels` can be read from `features`, or None where one can.

    Args:
        features: (N, D) numbers.
        labels: (N,) one a row.
        what: What the labels are, one word for the sentence: "expression", "subject".
    Raises:
        ValueError: If features is not a table or the rows and labels differ in number.
    """
    if features.ndim != 2 or len(features) != len(labels):
        raise ValueError(
            f"features of shape {features.shape} and {len(labels)} {what} labels; "
            "expected (N, D) features and N labels"
        )
    if not len(features):
        return "there are no images"
    if not np.isfinite(features).all():
        return "the features contain NaN or infinity"
    if not features.shape[1]:
        return "the code has no numbers"
    if np.ptp(features, axis=0).max() <= SAME * np.abs(features).max():
        return "all features are the same: the code has collapsed"
    if len(np.unique(labels)) < 2:
        return f"all images have the same {what}"
    return None


def numbered(*columns: Array) -> npt.NDArray[np.int64]:
    """Return (N,) integers, equal exactly where the columns are; numbered in sorted order, not by row."""
    return np.unique(
        np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1),
        axis=0,
        return_inverse=True,
    )[1].astype(np.int64)


def as_labels(values: Any) -> Array:
    """Return labels as an array numpy can sort; refuses missing ones."""
    if bool(pd.isna(np.asarray(values, dtype=object)).any()):
        raise ValueError("labels are missing; leave out the rows without one")
    array = np.asarray(values)
    return array.astype(str) if array.dtype == object else array
