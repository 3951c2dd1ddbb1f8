"""Columns of codes."""

import numpy as np

from omote.data.outputs import code_columns, code_names


def test_codes_of_more_than_a_hundred_numbers_stay_in_order() -> None:
    columns = list(code_columns(np.zeros((1, 128), np.float32), "z_e").columns)
    assert code_names([*columns[::-1], "z_e_deviation_00", "blur"]) == columns
