"""What a reproduction ends in: plain numbers, which the report reads.

A share is in [0, 1], and nan where it is not known; the paper's own figures, in `Row`, are in per cent as printed.
"""

from typing import Any, NamedTuple

import pandas as pd

from omote.reproduction.rows import Row


class Estimate(NamedTuple):
    """One score of one row of Table 3, with every spread that a reviewer would ask for."""

    value: float  # mean over the trainings, of the mean over 100 k-means runs
    kmeans_deviation: float  # over k-means seeds (the paper's +-), mean over the trainings
    training_deviation: float  # over training seeds; nan with one
    low: float  # 95 % interval, bootstrap over people
    high: float
    chance: float
    reason: str  # why value is nan, else a remark or ""


class Difference(NamedTuple):
    """Accuracy of row `second` minus accuracy of row `first`, on the same images of the same people."""

    first: int
    second: int
    people: str  # "train" or "test"
    value: float
    low: float  # 95 %, bootstrap over people, of the mean over trainings
    high: float
    by_training: tuple[float, ...]  # one a training seed


class RowResult(NamedTuple):
    """One row of Table 3."""

    row: Row
    accuracy: dict[str, Estimate]  # "train", "test"
    others: dict[str, dict[str, Estimate]]  # people -> score name, as in `evaluation`, -> Estimate


class Results(NamedTuple):
    """All rows that were run.

    `after` is Figure 3, with the columns row, seed, repetition (1, 2, ...), people, value (share) and deviation (over
    k-means seeds).

    `about` has

    - scale: "paper", "small" or "tiny";
    - faces: what the faces are, one phrase: "drawn faces";
    - train, test: of each side a dict of whole numbers: subjects, images (scored), training_images; in a
      cross-validation everybody is on both sides in turn;
    - seeds: number of training seeds;
    - folds: number of folds of the cross-validation by subject, 1 or less for the paper's one split;
    - trainings: row number -> number of trainings that its figures are a mean of;
    - seconds: name of a run -> how long its training took; several may have run at a time;
    - one_pass: row number of an iterated method -> people -> share of the same method in one pass, where that is no
      row of the table (128 px);
    - settings: row number -> what it was trained with, one phrase;
    - commands: what gives the same again, one a line;
    - caveats: whole sentences that a reader has to know.

    Only scale, faces, train and test are needed.
    """

    rows: list[RowResult]
    differences: list[Difference]
    after: pd.DataFrame
    about: dict[str, Any]
