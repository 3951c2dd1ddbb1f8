"""Splits by subject: a subject is in the training set or in the test set, never in both."""

from collections.abc import Sequence

import numpy as np

from omote.errors import OmoteError


def split_subjects(subjects: Sequence[str], test: int, seed: int) -> tuple[list[str], list[str]]:
    """Return the training subjects and the test subjects, each sorted.

    The paper holds out 2 or 3 subjects of each data set, 7 in all.

    Args:
        subjects: ids, which may repeat: `face_set.frames["subject"]` will do.
        test: number of subjects to hold out; at least one must remain.
        seed: the same seed holds out the same subjects, in whatever order they are given.
    Raises:
        OmoteError: If `test` is negative or leaves nobody to train on.
    """
    people = sorted(set(subjects))
    if not 0 <= test < len(people):
        raise OmoteError(
            f"Cannot hold out {test} of {len(people)} people for the test: choose 0 to "
            f"{max(len(people) - 1, 0)}, so that at least one person is left to train on."
        )
    chosen = np.random.default_rng(seed).permutation(len(people))[:test]
    held_out = {people[i] for i in chosen}
    return [person for person in people if person not in held_out], sorted(held_out)
