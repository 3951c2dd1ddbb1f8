"""Splits by subject: a subject is in the training set or in the test set, never in both."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import pandas as pd

from omote.errors import OmoteError


def split_subjects(frames: pd.DataFrame, test: int, seed: int) -> tuple[list[str], list[str]]:
    """Return the training subjects and the test subjects, each sorted.

    The data sets give a test subject each in turn. The paper holds out 2 or 3 of each data set, 7 in all.

    Args:
        frames: with the columns subject and dataset of a face set.
        test: number of subjects to hold out; at least one must remain.
        seed: the same seed holds out the same subjects, in whatever order the frames are.
    Raises:
        OmoteError: If `test` is negative or leaves nobody to train on.
    """
    people = alternate_datasets(frames, seed)
    if not 0 <= test < len(people):
        raise OmoteError(
            f"Cannot hold out {test} of {len(people)} people for the test: choose 0 to "
            f"{max(len(people) - 1, 0)}, so that at least one person is left to train on."
        )
    return sorted(people[test:]), sorted(people[:test])


def alternate_datasets(frames: pd.DataFrame, seed: int) -> list[str]:
    """Return the subjects in random order, taking each data set in turn.

    Args:
        frames: with the columns subject and dataset of a face set.
    """
    datasets = frames.groupby("subject")["dataset"].first()
    orders = []
    for _, people in datasets.groupby(datasets, dropna=False):
        of_dataset = sorted(people.index)
        orders.append([of_dataset[i] for i in np.random.default_rng(seed).permutation(len(of_dataset))])
    return [subject for turn in zip_longest(*orders) for subject in turn if subject is not None]


def describe_subjects(frames: pd.DataFrame, subjects: Sequence[str]) -> str:
    """Return who the subjects are, by data set where there are several: "2 of ckplus (S005, S010), 1 of mug (001)".

    Args:
        frames: with the columns subject and dataset of a face set.
    """
    datasets = frames[frames["subject"].isin(list(subjects))].groupby("subject")["dataset"].first()
    if frames["dataset"].nunique() < 2:
        return ", ".join(sorted(subjects))
    return ", ".join(
        f"{len(people)} of {name} ({', '.join(subject.removeprefix(f'{name}/') for subject in sorted(people.index))})"
        for name, people in datasets.groupby(datasets)
    )
