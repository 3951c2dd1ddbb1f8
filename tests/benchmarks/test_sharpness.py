"""The means of several trainings in the table of sharpness."""

import pandas as pd
import pytest

from omote.errors import OmoteError
from sharpness import BEFORE, DECODER, RUN, summarise


def rows(*given: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(given, columns=[RUN, DECODER, "error"])


def test_means_and_the_difference_of_two_trainings_by_hand() -> None:
    given = [("a, before", BEFORE, 1.0), ("a", "", 2.0), ("b, before", BEFORE, 2.0), ("b", "", 4.0)]
    # Student's t of one degree of freedom: 12.706 standard errors, here 0.5 and 1
    for order in (given, given[::-1][2:] + given[::-1][:2]):
        assert summarise(rows(*order)).to_numpy().tolist() == [
            ["mean, before", "1.50 (-4.85 to 7.85)"],
            ["mean", "3.00 (-9.71 to 15.71)"],
            ["difference", "1.50 (-4.85 to 7.85)"],
        ]


def test_trainings_without_the_last_stage_have_a_mean_only() -> None:
    assert summarise(rows(("a", "", 1.0), ("b", "", 2.0)))[RUN].tolist() == ["mean"]


def test_trainings_with_and_without_the_last_stage_are_not_mixed() -> None:
    with pytest.raises(OmoteError, match="measure them apart"):
        summarise(rows(("a, before", BEFORE, 1.0), ("a", "", 2.0), ("b", "", 4.0)))
