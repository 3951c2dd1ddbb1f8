"""Splits by subject."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omote.data.splits import describe_subjects, split_subjects
from omote.errors import OmoteError


def frames_of(subjects: list[str], dataset: str = "drawn") -> pd.DataFrame:
    return pd.DataFrame({"subject": subjects, "dataset": dataset})


@settings(deadline=None)
@given(st.lists(st.text(max_size=3), min_size=2), st.integers(0, 2**32), st.data())
def test_each_subject_is_in_exactly_one_set(subjects: list[str], seed: int, data: st.DataObject) -> None:
    people = set(subjects)
    test = data.draw(st.integers(0, len(people) - 1))
    train, held_out = split_subjects(frames_of(subjects), test, seed)
    assert not set(train) & set(held_out)
    assert set(train) | set(held_out) == people
    assert len(held_out) == test
    assert train == sorted(train)
    assert held_out == sorted(held_out)


def test_the_split_depends_on_the_seed_and_not_on_the_order() -> None:
    people = [str(number) for number in range(50)]
    assert split_subjects(frames_of(people), 7, 3) == split_subjects(frames_of(people[::-1] * 2), 7, 3)
    assert len({tuple(split_subjects(frames_of(people), 7, seed)[1]) for seed in range(20)}) > 15


@pytest.mark.parametrize("test", [-1, 3, 4])
def test_a_split_without_training_subjects_is_refused(test: int) -> None:
    with pytest.raises(OmoteError, match="of 3 people"):
        split_subjects(frames_of(["a", "b", "c"]), test, 0)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_each_data_set_gives_test_subjects_in_turn(seed: int) -> None:
    sizes = {"ckplus": 123, "mug": 52, "ravdess": 24}
    frames = pd.concat(frames_of([f"{name}/{n}" for n in range(size)], name) for name, size in sizes.items())
    train, held_out = split_subjects(frames, 7, seed)  # as many as the paper holds out
    of_sets = pd.Series(held_out).str.partition("/")[0].value_counts().to_dict()
    assert of_sets == {"ckplus": 3, "mug": 2, "ravdess": 2}
    assert len(train) == sum(sizes.values()) - 7


def test_a_data_set_that_has_nobody_left_is_passed_over() -> None:
    frames = pd.concat([frames_of(["a"], "one"), frames_of(list("bcdef"), "two")])
    assert len(split_subjects(frames, 4, 0)[1]) == 4


def test_the_output_says_who_is_held_out_of_which_data_set() -> None:
    frames = pd.concat([frames_of(["mug/001", "mug/002"], "mug"), frames_of(["ckplus/S005"], "ckplus")])
    assert describe_subjects(frames, ["mug/002", "ckplus/S005"]) == "1 of ckplus (S005), 1 of mug (002)"
    assert describe_subjects(frames_of(["b", "a", "c"]), ["c", "a"]) == "a, c"
