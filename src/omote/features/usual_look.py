"""Features relative to the usual look of a followed face, from the rows of its own track, without labels or ids.

The usual look is the mean code of the face's trusted rows. What is left holds less of the person and more of the
change (docs/results/shipped.md). It says how a face differs from its own mean in this source: in footage of nothing but
smiles, the usual look is a smile.
"""

import numpy as np
import pandas as pd

from omote.data.outputs import code_columns, code_names
from omote.features.profile import DISTANCE

LEAST_ROWS = 25  # trusted rows of a face, one second of video; of fewer, the mean is no usual look
RELATIVE = "z_e_relative"  # prefix of the columns of relative codes
FACE = ["source", "face"]  # columns that tell followed faces apart


class UsualLooks:
    """The usual looks of all followed faces of a table, gathered from its parts."""

    def __init__(self) -> None:
        self._sums = pd.DataFrame()  # of codes and number of rows, by source and face

    def add(self, table: pd.DataFrame) -> None:
        """Count the trusted rows of a part of the table."""
        names = code_names(list(table.columns))
        kept = table[table["trusted"].astype(bool) & table[[*names, "face"]].notna().all(axis=1)]
        sums = kept[names].astype(np.float64).assign(rows=1.0).groupby([kept[name] for name in FACE]).sum()
        self._sums = pd.concat([self._sums, sums]).groupby(level=FACE).sum()

    def columns(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the columns from_usual, z_e_relative_00, z_e_relative_01, ... for the rows of a part of the table.

        They are missing for faces with fewer than 25 trusted rows, and where the row has no code.
        """
        names = code_names(list(table.columns))
        enough = self._sums[self._sums["rows"] >= LEAST_ROWS]
        looks = enough[names].div(enough["rows"], axis=0).reindex(pd.MultiIndex.from_frame(table[FACE]))
        relative = (table[names].to_numpy(np.float64) - looks.to_numpy(np.float64)).astype(np.float32)
        distance = pd.Series(np.linalg.norm(relative, axis=1), name=DISTANCE)
        return pd.concat([distance, code_columns(relative, RELATIVE)], axis=1)
