"""The nearest faces of a code."""

import numpy as np
import pandas as pd
import pytest

from omote.errors import OmoteError
from omote.features.nearest import find_nearest


def make_table(codes: list[list[float]], clips: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(codes, columns=["z_e_00", "z_e_01"], index=range(10, 10 + len(codes)))
    return table.assign(subject=[clip[0] for clip in clips], clip=clips, z_e_deviation_00=9.0)


def test_the_nearest_frame_of_each_clip_is_given_with_its_share_of_the_median_distance() -> None:
    codes = [[0.0, 1.0], [0.0, 2.0], [0.0, 4.0], [0.0, 8.0], [3.0, 4.0]]  # distances from 0: 1, 2, 4, 8, 5
    table = make_table(codes, ["a1", "a1", "a2", "b1", "b2"])
    nearest = find_nearest(table, np.zeros(2, np.float32), count=3)
    assert nearest.index.tolist() == [10, 12, 14]  # the second frame of clip a1 is left out
    assert nearest["distance"].tolist() == [1 / 4, 1, 5 / 4]
    assert nearest["clip"].tolist() == ["a1", "a2", "b2"]


def test_clips_of_the_same_name_of_two_people_are_two_clips() -> None:
    table = make_table([[0.0, 1.0], [0.0, 2.0]], ["a1", "b1"]).assign(clip="smile")
    assert find_nearest(table, np.zeros(2, np.float32)).index.tolist() == [10, 11]


def test_without_any_difference_there_is_no_distance() -> None:
    table = make_table([[1.0, 1.0], [1.0, 1.0]], ["a1", "b1"])
    assert find_nearest(table, np.ones(2, np.float32))["distance"].isna().all()


def test_codes_of_another_model_are_refused() -> None:
    table = make_table([[0.0, 1.0]], ["a1"])
    with pytest.raises(OmoteError, match="has 3 numbers and the table's codes have 2"):
        find_nearest(table, np.zeros(3, np.float32))
