"""How well each true factor of the faces can be read from a code, of people the readout was not fitted on.

The readout is a ridge regression. Its penalty is chosen for each factor by people who are neither held out nor fitted
on: frames of one person are alike, so choosing by single frames (generalised cross-validation) would take knowing the
people for knowing the factor.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.probes import subject_folds
from omote.metrics.score import SAME, Array, Score, as_labels, mean_score, no_score, why_not

RIDGE_PENALTIES = np.logspace(3, -4, 8)  # a row, of standardised features; 1000 leaves next to no weight

# Standardised features (n, D) and factors (n, F) -> weights (P, D, F), the strongest of the P penalties first.
Fit = Callable[[Array, Array], Array]


class Readout(NamedTuple):
    """What the readout of one factor missed, row by row; the people of a row were not fitted on.

    `reason` says why the factor was not read; errors and spread are nan then.
    """

    name: str
    errors: Array  # (N,) squared error of the readout
    spread: Array  # (N,) squared error of the mean over the people fitted on
    reason: str = ""


class HeldOut(NamedTuple):
    """Predictions for every row by the regression that was fitted without the row's fold."""

    predicted: Array  # (N, F)
    guessed: Array  # (N, F) the mean of the rows fitted on
    weights: Array  # (D, F) of standardised features and factors: mean over the folds of their size


def readouts(features: Array, factors: Any, subjects: Any, *, folds: int = 5) -> list[Readout]:
    """Return for every factor the squared errors of its readout across people, and those of a guess.

    All factors are read from the same standardised features, each with a penalty of its own. A factor that never
    changes for a person (`id_*`) is read across people as well: a high R2 says that the code shows it.

    Args:
        features: (N, D).
        factors: (N, F) table of numbers, one named column a factor.
        subjects: (N,) ids.
        folds: of people, three or more; as many as people where those are fewer.
    Returns:
        In the order of the columns, for `r2` and `mean_r2`. With a reason instead for a factor that is constant or
        unknown (NaN) for some frame, and for all of them where there are no images, NaN or collapsed features, or
        fewer than three people.
    Raises:
        ValueError: If the rows differ in number, or a subject is missing.
    """
    table, subjects = pd.DataFrame(factors).astype(np.float64), as_labels(subjects)
    reasons = {name: unreadable(table[name].to_numpy()) for name in table}
    if reason := why_not_across_people(features, table, subjects):
        reasons = dict.fromkeys(table, reason)
    known = [name for name in table if not reasons[name]]
    nothing = np.full(len(table), np.nan)
    found = {name: Readout(str(name), nothing, nothing, reason) for name, reason in reasons.items()}
    if known:
        truth = table[known].to_numpy()
        held = predict_held_out(features, truth, subject_folds(subjects, folds), ridge)
        errors, spread = (held.predicted - truth) ** 2, (held.guessed - truth) ** 2
        found |= {name: Readout(str(name), errors[:, k], spread[:, k]) for k, name in enumerate(known)}
    return list(found.values())


def r2(readout: Readout, rows: Array | slice = slice(None)) -> Score:
    """Return 1 - (squared errors of the readout) / (squared errors of the fitting people's mean), over some rows.

    1 is a perfect readout and 0 that mean, which is what a code without the factor reaches at best. Negative values
    are kept: what the readout learned from some people misled it about others.
    """
    if readout.reason:
        return no_score(readout.reason)
    spread = float(readout.spread[rows].sum())
    if not spread > 0:
        return no_score(f"{readout.name} is the same in all the images asked")
    return Score(1 - float(readout.errors[rows].sum()) / spread, chance=0.0)


def mean_r2(readouts: Sequence[Readout], group: str, rows: Array | slice = slice(None)) -> Score:
    """Return the mean of `r2` over the factors whose name begins with `group` and "_"; deviation between factors.

    Every factor counts alike, a factor of the left and its twin of the right as two. `reason` says which factors were
    left out; nan where none is left.
    """
    scores = {of.name: r2(of, rows) for of in readouts if of.name.startswith(f"{group}_")}
    values = [score.value for score in scores.values() if not score.reason]
    reasons = [f"{name}: {score.reason}" for name, score in scores.items() if score.reason]
    if not values:
        return no_score("; ".join(reasons) or f"there are no factors {group}_*")
    return mean_score(values, 0.0, "; ".join(reasons))


def unreadable(factor: Array) -> str:
    """Return why there is nothing to read, or an empty string."""
    if not np.isfinite(factor).all():
        return "the factor is not known for all images"
    if not len(factor) or np.ptp(factor) <= SAME * np.abs(factor).max():
        return "the factor is the same in all images"
    return ""


def why_not_across_people(features: Array, factors: pd.DataFrame, subjects: Array) -> str | None:
    """Return why nothing can be read across people, or None."""
    if len(factors) != len(features):
        raise ValueError(f"{len(features)} features and {len(factors)} rows of factors; expected as many")
    if reason := why_not(features, subjects, "subject"):
        return reason
    if len(np.unique(subjects)) < 3:
        return "there are fewer than three people: to fit on, to choose the penalty by, to ask"
    return None


def predict_held_out(features: Array, factors: Array, fold: Array, fit: Fit) -> HeldOut:
    """Return what a penalised linear regression fitted on the other folds says of every row.

    The penalty is chosen for each factor by the other folds alone, each predicted by a fit without it: nested
    cross-validation, in which the fit without folds j and k serves both.

    Args:
        features: (N, D), not collapsed.
        factors: (N, F), finite.
        fold: (N,) numbers of at least three folds.
        fit: gives the weights for each of P penalties.
    """
    features = features.astype(np.float64)
    numbers = np.unique(fold)

    def fitted(*left_out: int) -> tuple[StandardScaler, StandardScaler, Array]:
        rows = ~np.isin(fold, left_out)
        x, y = StandardScaler().fit(features[rows]), StandardScaler().fit(factors[rows])
        return x, y, fit(x.transform(features[rows]), y.transform(factors[rows]))

    losses: dict[int, Any] = dict.fromkeys(numbers, 0.0)  # (P, F) without the fold, summed over the others
    guessed, predicted = np.empty(factors.shape), np.empty(factors.shape)
    sizes = []
    with threadpool_limits(1):
        for j, k in combinations(numbers, 2):
            x, y, weights = fitted(j, k)
            for without, asked in ((j, k), (k, j)):
                rows = fold == asked
                miss = x.transform(features[rows]) @ weights - y.transform(factors[rows])
                losses[without] = losses[without] + (miss**2).sum(axis=1) * y.scale_**2
        for k in numbers:
            x, y, weights = fitted(k)
            chosen = weights[losses[k].argmin(axis=0), :, np.arange(factors.shape[1])].T  # (D, F)
            rows = fold == k
            predicted[rows] = y.inverse_transform(x.transform(features[rows]) @ chosen)
            guessed[rows] = y.mean_
            sizes.append(np.abs(chosen))
    return HeldOut(predicted, guessed, np.mean(sizes, axis=0))


def ridge(x: Array, y: Array) -> Array:
    """Return the weights of a ridge regression for each of `RIDGE_PENALTIES`; one decomposition serves all."""
    sizes, axes = np.linalg.eigh(x.T @ x / len(x))
    along = axes.T @ (x.T @ y) / len(x)
    weights: Array = axes @ (along / (sizes[:, None] + RIDGE_PENALTIES[:, None, None]))
    return weights
