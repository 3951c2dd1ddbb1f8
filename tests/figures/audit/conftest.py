"""Hand-picked scores and moving codes."""

import math
from typing import Any

import numpy as np
import pandas as pd

from omote.evaluation.audit import AUDIT_COLUMNS
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.evaluation.swaps import SWAP_SCORES
from omote.metrics.continuity import CONTINUITY_SCORES
from omote.metrics.verification import VERIFICATION_SCORES

NAN = math.nan
PROBE, MLP = "subject_probe_linear", "subject_probe_mlp"
GROUPS = dict.fromkeys([PROBE, MLP, ACROSS_EXPRESSIONS, *VERIFICATION_SCORES], "identity")
GROUPS |= dict.fromkeys(CONTINUITY_SCORES, "continuity") | dict.fromkeys(SWAP_SCORES, "swap")
GROUPS |= dict.fromkeys(["expression_probe", "accuracy"], "expression")


def row(
    feature: str,
    score: str,
    value: float,
    reach: float = 0.09,
    chance: float = 1 / 12,
    *,
    people: str = "test",
    reading: str = "mean",
    reason: str = "",
) -> dict[str, Any]:
    """Return one row of an audit's table, with the interval value ± `reach`."""
    group = GROUPS.get(score, "factors")
    values = (people, feature, reading, group, score, value, value - reach, value + reach, chance, reason)
    return dict(zip(AUDIT_COLUMNS, values, strict=True))


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=AUDIT_COLUMNS)


def make_moving_clips(people: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    """Return frames and codes of three clips per person: neutral, joy and fear, four frames each.

    The code is ten times the person's number, plus (t, 0) in joy and (0, t) in fear at frame t.
    """
    frames = pd.DataFrame(
        [
            (f"p{p}", name, t, name if t == 3 else None, "both")
            for p in range(people)
            for name in ("neutral", "joy", "fear")
            for t in range(4)
        ],
        columns=["subject", "clip", "frame", "expression", "use"],
    )
    who = frames["subject"].str[1:].astype(float).to_numpy()
    codes = np.stack(
        [who * 10 + frames["frame"] * (frames["clip"] == name) for name in ("joy", "fear")], axis=1
    )
    return frames, codes
