"""The types that every metric returns, and the checks that come before every one of them.

A score that cannot be computed is nan with its reason, so a collapsed code looks neither good nor bad.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

SHARE = (0.0, 1.0)  # ranges of a score
SIGNED = (-1.0, 1.0)
AT_MOST_1 = (-math.inf, 1.0)
NOT_NEGATIVE = (0.0, math.inf)
TOLERANCE = 1e-6  # features that differ by less than this share of their size differ by rounding only


class Score(NamedTuple):
    """One number with its scatter and its chance level."""

    value: float  # nan where it cannot be computed
    deviation: float = float(
        "nan"
    )  # over runs, folds or subjects, as the metric says; nan if there is only one
    chance: float = float("nan")  # the value of a guess
    reason: str = (
        ""  # why the value is nan; beside a value, which rows were left out or which rule was relaxed
    )
    low: float = float("nan")  # 95 % interval over people; nan where none was computed
    high: float = float("nan")
    replicates: tuple[float, ...] = ()  # values on other samples of people, see `omote.metrics.intervals`
    range: tuple[float, float] = SHARE  # of all possible values; its interval is cut to it


class PerRowResults(NamedTuple):
    """One result for each row; their mean is a score."""

    values: Array  # (N,), nan for a row that was not scored
    chance: float = float("nan")  # of the mean
    reason: str = ""  # why no row was scored; beside values, why some rows were not

    def of(self, rows: Array) -> "PerRowResults":
        """Return the results of some rows, by number or as (N,) bool."""
        return self._replace(values=self.values[rows])

    def mean(self) -> Score:
        """Return the mean over the scored rows, without an interval."""
        values = self.values[np.isfinite(self.values)]
        return Score(
            float(values.mean()) if len(values) else float("nan"), chance=self.chance, reason=self.reason
        )


def no_results(count: int, reason: str) -> PerRowResults:
    return PerRowResults(np.full(count, np.nan), reason=reason)


def no_score(reason: str) -> Score:
    return Score(float("nan"), reason=reason)


def mean_score(values: Sequence[float] | Array, chance: float, reason: str = "") -> Score:
    """Return mean and sample deviation (ddof 1, nan for a single value) of `values`."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Score(float(np.mean(values)), deviation, chance, reason)


def mean_over_rows(values: Array, who: Array, chance: float, reason: str = "") -> Score:
    """Return the mean over rows, with the deviation between the means of subjects `who`."""
    by_subject = [values[who == number].mean() for number in np.unique(who)]
    return mean_score(by_subject, chance, reason)._replace(value=float(values.mean()))


def join_reasons(*reasons: str) -> str:
    """Return the reasons that are not empty, separated by semicolons."""
    return "; ".join(filter(None, reasons))


def why_unscorable(features: Array, labels: Array, what: str) -> str | None:
    """Return why `labels` cannot be scored on `features`, or None where they can.

    Args:
        features: (N, D) numbers.
        labels: (N,) one per row.
        what: One word for the labels, used in the sentence: "expression", "subject".
    Raises:
        ValueError: If features is not two-dimensional, or features and labels differ in length.
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
    if np.ptp(features, axis=0).max() <= TOLERANCE * np.abs(features).max():
        return "all features are the same: the code has collapsed"
    if len(np.unique(labels)) < 2:
        return f"all images have the same {what}"
    return None


def factorize(*columns: Array) -> npt.NDArray[np.int64]:
    """Return (N,) integers that are equal exactly where all columns are; numbered in sorted order."""
    return np.unique(
        np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1),
        axis=0,
        return_inverse=True,
    )[1].astype(np.int64)


def as_labels(values: Any) -> Array:
    """Return labels as an array that numpy can sort.

    Raises:
        ValueError: If a label is missing.
    """
    if bool(pd.isna(np.asarray(values, dtype=object)).any()):
        raise ValueError("labels are missing; leave out the rows without one")
    array = np.asarray(values)
    return array.astype(str) if array.dtype == object else array
