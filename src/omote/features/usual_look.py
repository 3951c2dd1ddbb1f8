"""Features relative to the usual look of a followed face, from the rows of its own track, without labels or ids.

The usual look is the mean code of the face's trusted rows. What is left holds less of the person and more of the
change (docs/results/shipped.md). It says how a face differs from its own mean in this source: in footage of nothing but
smiles, the usual look is a smile.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.data.outputs import Floats, code_columns, code_names
from omote.features.profile import DISTANCE

LEAST_ROWS = 25  # trusted rows of a face, one second of video; of fewer, the mean is no usual look
RELATIVE = "z_e_relative"  # prefix of the columns of relative codes
Face = tuple[str, int]  # source and number of a face


class _Sum(NamedTuple):
    rows: int
    codes: Floats  # (Z,) float64


class UsualLooks:
    """The usual looks of all followed faces of a table, gathered from its parts."""

    def __init__(self) -> None:
        self._sums: dict[Face, _Sum] = {}

    def add(self, table: pd.DataFrame) -> None:
        """Count the trusted rows of a part of the table."""
        names = code_names(list(table.columns))
        kept = table[table["trusted"].astype(bool) & table[names].notna().all(axis=1) & table["face"].notna()]
        for (source, face), rows in kept.groupby(["source", "face"], sort=False):
            codes = rows[names].to_numpy(np.float64)
            before = self._sums.get((str(source), int(face)), _Sum(0, np.zeros(len(names))))
            self._sums[str(source), int(face)] = _Sum(before.rows + len(codes), before.codes + codes.sum(0))

    def columns(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the columns from_usual, z_e_relative_00, z_e_relative_01, ... for the rows of a part of the table.

        They are missing for faces with fewer than 25 trusted rows, and where the row has no code.
        """
        names = code_names(list(table.columns))
        relative = np.full((len(table), len(names)), np.nan, np.float32)
        for (source, face), rows in table.groupby(["source", "face"], sort=False).indices.items():
            found = self._sums.get((str(source), int(face)))
            if found and found.rows >= LEAST_ROWS:
                relative[rows] = table[names].iloc[rows].to_numpy(np.float64) - found.codes / found.rows
        distance = np.linalg.norm(relative, axis=1)
        return pd.concat([pd.Series(distance, name=DISTANCE), code_columns(relative, RELATIVE)], axis=1)
