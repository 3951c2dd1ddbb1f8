"""How well each true factor of a face can be predicted from its code, for people the readout was not fitted on.

The readout is a ridge regression. Its penalty is chosen for each factor on people who are neither held out nor fitted
on. Choosing by single frames (generalised cross-validation) would reward recognising the people, since frames of one
person are alike.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.probes import subject_folds
from omote.metrics.score import (
    AT_MOST_1,
    TOLERANCE,
    Array,
    Score,
    as_labels,
    mean_score,
    no_score,
    why_unscorable,
)

RIDGE_PENALTIES = np.logspace(3, -4, 8)  # per row, for standardised features; 1000 leaves next to no weight

# Standardised features (n, D) and factors (n, F) -> weights (P, D, F) for P penalties, the strongest first.
Fit = Callable[[Array, Array], Array]


class Readout(NamedTuple):
    """Squared errors per row when predicting one factor for people who were not fitted on.

    `reason` says why the factor was not read; all errors are then nan.
    """

    name: str
    errors: Array  # (N,) of the readout
    baseline_errors: Array  # (N,) of predicting the mean of the people fitted on
    reason: str = ""


class HeldOut(NamedTuple):
    """Predictions for every row by a regression fitted without the row's fold."""

    predicted: Array  # (N, F)
    baseline: Array  # (N, F) the mean of the rows fitted on
    weights: Array  # (D, F) absolute weights for standardised features and factors, mean over the folds


def read_factors(features: Array, factors: Any, subjects: Any, *, folds: int = 5) -> list[Readout]:
    """Return for every factor the squared errors of its readout across people, and those of the mean.

    All factors are read from the same standardised features, each with its own penalty. Factors that are constant for a
    person (`id_*`) are read across people as well: a high R2 says that the code holds them.

    Args:
        features: (N, D).
        factors: (N, F) table of numbers, one named column a factor.
        subjects: (N,) ids.
        folds: of people, at least three; one for each person where people are fewer.
    Returns:
        In the order of the columns, for `r2` and `mean_r2`. A factor that is constant, or unknown (NaN) for some frame,
        has a reason instead; so have all of them where there are no images, NaN or collapsed features, or fewer than
        three people.
    Raises:
        ValueError: If features and factors differ in length, or a subject is missing.
    """
    table, subjects = pd.DataFrame(factors).astype(np.float64), as_labels(subjects)
    reasons = {name: why_unreadable(table[name].to_numpy()) for name in table}
    if reason := why_unreadable_across_people(features, table, subjects):
        reasons = dict.fromkeys(table, reason)
    known = [name for name in table if not reasons[name]]
    nothing = np.full(len(table), np.nan)
    read_factors = {name: Readout(str(name), nothing, nothing, reason) for name, reason in reasons.items()}
    if known:
        truth = table[known].to_numpy()
        held = predict_held_out(features, truth, subject_folds(subjects, folds), ridge)
        errors, baseline = (held.predicted - truth) ** 2, (held.baseline - truth) ** 2
        read_factors |= {
            name: Readout(str(name), errors[:, k], baseline[:, k]) for k, name in enumerate(known)
        }
    return list(read_factors.values())


def r2(readout: Readout, rows: Array | slice = slice(None)) -> Score:
    """Return R2 over some rows: 1 - (squared errors of the readout) / (squared errors of the fitting people's mean).

    1 is a perfect readout; 0 is that mean, the best that a code without the factor can reach. Negative values are kept:
    what holds for the people fitted on misleads about the others.
    """
    if readout.reason:
        return no_score(readout.reason)
    baseline = float(readout.baseline_errors[rows].sum())
    if not baseline > 0:
        return no_score(f"{readout.name} is the same in all the images asked")
    return Score(1 - float(readout.errors[rows].sum()) / baseline, chance=0.0, range=AT_MOST_1)


def mean_r2(read_factors: Sequence[Readout], group: str, rows: Array | slice = slice(None)) -> Score:
    """Return the mean of `r2` over the factors named `<group>_*`; the deviation is between factors.

    Every factor has the same weight; a left and a right one count as two. `reason` names the factors left out; nan
    where none remains.
    """
    scores = {each.name: r2(each, rows) for each in read_factors if each.name.startswith(f"{group}_")}
    values = [score.value for score in scores.values() if not score.reason]
    reasons = [f"{name}: {score.reason}" for name, score in scores.items() if score.reason]
    if not values:
        return no_score("; ".join(reasons) or f"there are no factors {group}_*")
    return mean_score(values, 0.0, "; ".join(reasons))._replace(range=AT_MOST_1)


def why_unreadable(factor: Array) -> str:
    """Return why a factor cannot be read, or an empty string."""
    if not np.isfinite(factor).all():
        return "the factor is not known for all images"
    if not len(factor) or np.ptp(factor) <= TOLERANCE * np.abs(factor).max():
        return "the factor is the same in all images"
    return ""


def why_unreadable_across_people(features: Array, factors: pd.DataFrame, subjects: Array) -> str | None:
    """Return why no factor can be read across people, or None.

    Raises:
        ValueError: If features and factors differ in length.
    """
    if len(factors) != len(features):
        raise ValueError(
            f"{len(features)} features and {len(factors)} rows of factors; expected the same number"
        )
    if reason := why_unscorable(features, subjects, "subject"):
        return reason
    if len(np.unique(subjects)) < 3:
        return "there are fewer than three people: to fit on, to choose the penalty by, to ask"
    return None


def predict_held_out(features: Array, factors: Array, fold: Array, fit: Fit) -> HeldOut:
    """Return predictions for every row by a penalised linear regression fitted on the other folds.

    Nested cross-validation: the penalty is chosen for each factor on the other folds alone, each predicted by a fit
    without it. The fit without folds j and k serves both.

    Args:
        features: (N, D), not collapsed.
        factors: (N, F), finite.
        fold: (N,) fold numbers; at least three folds.
        fit: returns the weights for each of P penalties.
    """
    features = features.astype(np.float64)
    numbers = np.unique(fold)

    def fit_without(*left_out: int) -> tuple[StandardScaler, StandardScaler, Array]:
        rows = ~np.isin(fold, left_out)
        x, y = StandardScaler().fit(features[rows]), StandardScaler().fit(factors[rows])
        return x, y, fit(x.transform(features[rows]), y.transform(factors[rows]))

    losses: dict[int, Any] = dict.fromkeys(numbers, 0.0)  # fold -> (P, F) errors summed over the other folds
    baseline, predicted = np.empty(factors.shape), np.empty(factors.shape)
    magnitudes = []
    with threadpool_limits(1):
        for j, k in combinations(numbers, 2):
            x, y, weights = fit_without(j, k)
            for held_out, validated in ((j, k), (k, j)):
                rows = fold == validated
                residual = x.transform(features[rows]) @ weights - y.transform(factors[rows])
                losses[held_out] = losses[held_out] + (residual**2).sum(axis=1) * y.scale_**2
        for k in numbers:
            x, y, weights = fit_without(k)
            chosen = weights[losses[k].argmin(axis=0), :, np.arange(factors.shape[1])].T  # (D, F)
            rows = fold == k
            predicted[rows] = y.inverse_transform(x.transform(features[rows]) @ chosen)
            baseline[rows] = y.mean_
            magnitudes.append(np.abs(chosen))
    return HeldOut(predicted, baseline, np.mean(magnitudes, axis=0))


def ridge(x: Array, y: Array) -> Array:
    """Return the weights of a ridge regression for each of `RIDGE_PENALTIES`, by one eigendecomposition."""
    eigenvalues, axes = np.linalg.eigh(x.T @ x / len(x))
    along = axes.T @ (x.T @ y) / len(x)
    weights: Array = axes @ (along / (eigenvalues[:, None] + RIDGE_PENALTIES[:, None, None]))
    return weights
