"""Nearest faces: which faces of a feature table have the expression codes nearest to a given one."""

import numpy as np
import pandas as pd

from omote.data.outputs import Floats, code_names
from omote.errors import OmoteError


def find_nearest(features: pd.DataFrame, code: Floats, count: int = 8) -> pd.DataFrame:
    """Return the rows of a feature table whose codes are nearest to ``code``, at most one of each clip, nearest first.

    Neighbouring frames of a clip look alike, so its nearest frame stands for the clip. Distances are Euclidean, as in
    the clustering of the paper.

    Args:
        features: as `extract_features` returns it: subject, clip, z_e_00, z_e_01, ...
        code: (Z,) expression code of the same model.
        count: maximum number of rows.
    Returns:
        The chosen rows under their own index, with a further column ``distance``: a share of the median distance of
        all rows from the code. 0 is the same code, and half of the rows are farther away than 1; NaN if all rows have
        this code.
    Raises:
        OmoteError: If the table has codes of another length.
    """
    names = code_names(list(features.columns))
    if len(names) != len(code):
        raise OmoteError(
            f"the code has {len(code)} numbers and the table's codes have {len(names)}; give both of the same model"
        )
    distances = np.linalg.norm(features[names].to_numpy(np.float64) - code, axis=1)
    middle = float(np.median(distances)) if len(distances) else np.nan
    shares = distances / middle if middle > 0 else np.full(len(distances), np.nan)
    order = distances.argsort(kind="stable")
    nearest: pd.DataFrame = features.assign(distance=shares).iloc[order].drop_duplicates(["subject", "clip"])
    return nearest.iloc[:count]
