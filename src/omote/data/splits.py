"""Splits by subject: a person is in the training people or in the test people, never in both."""

from collections.abc import Sequence

import numpy as np

from omote.errors import OmoteError


def split_subjects(subjects: Sequence[str], test: int, seed: int) -> tuple[list[str], list[str]]:
    """Return the training people and the test people, each sorted.

    Paper: 2 or 3 people of each set are held out, 7 in all.

    Args:
        subjects: ids of people; repeated ids count once, so `face_set.frames["subject"]` will do.
        test: number of people to hold out, from 0 to one less than the number of people.
        seed: the same seed holds out the same people, in whatever order `subjects` come.
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
    return [p for p in people if p not in held_out], sorted(held_out)
