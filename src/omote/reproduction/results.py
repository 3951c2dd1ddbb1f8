"""The results of a reproduction, as plain numbers for the report.

Shares are in [0, 1], or nan if not known. The paper's own figures, in `Row`, are in per cent as printed.
"""

from typing import Any, NamedTuple

import pandas as pd

from omote.reproduction.rows import Row


class Estimate(NamedTuple):
    """One score of one row of Table 3, with its spreads."""

    value: float  # mean over the trainings of the mean over 100 k-means runs
    kmeans_deviation: float  # over k-means seeds (the ± of the paper), mean over the trainings
    training_deviation: float  # over training seeds; nan with a single seed
    low: float  # 95 % interval, bootstrap over people
    high: float
    chance: float
    reason: str  # why the value is nan; else a remark or ""


class Difference(NamedTuple):
    """Accuracy of row `second` minus accuracy of row `first`, on the same images of the same people."""

    first: int
    second: int
    people: str  # "train" or "test"
    value: float
    low: float  # 95 % interval over people and trainings; nan for one training
    high: float
    p: float  # two-sided, not corrected for several comparisons; 1 for one training
    by_training: tuple[float, ...]  # one per training seed


class RowResult(NamedTuple):
    """One row of Table 3."""

    row: Row
    accuracy: dict[str, Estimate]  # "train", "test"
    others: dict[str, dict[str, Estimate]]  # people -> score name, as in `omote.evaluation` -> Estimate


class Results(NamedTuple):
    """All rows that were run.

    `repetitions` is Figure 3, with the columns row, seed, repetition (1, 2, ...), people, value (share) and deviation
    (over k-means seeds).

    `about` has

    - scale: "paper", "small" or "tiny";
    - faces: the kind of faces, such as "drawn faces";
    - train, test: dicts with the numbers of subjects, images (scored) and training_images on each side; in a
      cross-validation everybody is on both sides in turn;
    - seeds: number of training seeds;
    - folds: number of folds of the cross-validation by subject; 1 or less for a single split, as in the paper;
    - trainings: row number -> number of trainings over which its figures are averaged;
    - seconds: name of a run -> duration of its training; several may have run at the same time;
    - one_pass: row number of an iterated method -> people -> share of the same method with a single pass, if that is
      not a row of the table (128 px);
    - settings: row number -> its training settings, as one phrase;
    - commands: commands that reproduce the results, one per line;
    - caveats: sentences that a reader has to know.

    Only scale, faces, train and test are required.
    """

    rows: list[RowResult]
    differences: list[Difference]
    repetitions: pd.DataFrame
    about: dict[str, Any]
