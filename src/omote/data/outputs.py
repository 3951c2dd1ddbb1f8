"""Model outputs per face, and their table columns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Faces = NDArray[np.uint8]  # (N, S, S, 3) RGB
Floats = NDArray[np.float32]
AXES_FILE = "axes.json"  # beside the weights of a run: axes that come with it (`omote.features.axes`)


class Outputs(NamedTuple):
    """Model outputs for N faces."""

    mean: Floats  # (N, Z) posterior mean of the expression code: the feature
    deviation: Floats  # (N, Z) posterior standard deviation; 0 if the code is a point
    ood: Floats  # (N,) out-of-distribution score; 1 is the limit; NaN if the model has none


def code_columns(codes: Floats, prefix: str) -> pd.DataFrame:
    """Return (N, Z) codes as columns: z_e_00, z_e_01, ... for the prefix "z_e"."""
    return pd.DataFrame(codes, columns=[f"{prefix}_{i:02d}" for i in range(codes.shape[1])])


def is_code(column: str) -> bool:
    """Return whether a column is part of the feature: z_e_00 is, z_e_deviation_00 is not."""
    return column.startswith("z_e_") and column.removeprefix("z_e_").isdecimal()


def code_names(columns: Sequence[str]) -> list[str]:
    """Return the names of the feature's columns by their number: z_e_11 is before z_e_100."""
    return sorted(filter(is_code, columns), key=lambda column: (len(column), column))
