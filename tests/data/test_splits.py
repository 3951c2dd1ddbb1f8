"""Splits by subject."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omote.data.splits import split_subjects
from omote.errors import OmoteError


@given(st.lists(st.text(max_size=3), min_size=2), st.integers(0, 2**32), st.data())
def test_each_subject_is_in_exactly_one_set(subjects: list[str], seed: int, data: st.DataObject) -> None:
    people = set(subjects)
    test = data.draw(st.integers(0, len(people) - 1))
    train, held_out = split_subjects(subjects, test, seed)
    assert not set(train) & set(held_out)
    assert set(train) | set(held_out) == people
    assert len(held_out) == test
    assert train == sorted(train)
    assert held_out == sorted(held_out)


def test_the_split_depends_on_the_seed_and_not_on_the_order() -> None:
    people = [str(number) for number in range(50)]
    assert split_subjects(people, 7, 3) == split_subjects(people[::-1] * 2, 7, 3)
    assert len({tuple(split_subjects(people, 7, seed)[1]) for seed in range(20)}) > 15


@pytest.mark.parametrize("test", [-1, 3, 4])
def test_a_split_without_training_subjects_is_refused(test: int) -> None:
    with pytest.raises(OmoteError, match="of 3 people"):
        split_subjects(["a", "b", "c"], test, 0)
