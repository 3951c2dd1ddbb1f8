"""How far single dimensions of a code correspond to single true factors of the faces: DCI, MIG and SAP.

All three reward a code whose axes are the factors. No method here is trained for that, and a randomly rotated code
scores low though it holds as much: read them beside the read_factors (`readout.py`), which do not depend on the axes.

Built from scikit-learn and scipy, since no library fits: disentanglement_lib (1.5, 2020) needs TensorFlow 1.14, disent
(0.9.3) needs torchvision and draws its own samples of discrete factors, latte-metrics (0.0.1a6, 2023) has no DCI and no
release for Python 3.11, and the code beside "Measuring Disentanglement: A Review of Metrics" (2020) is not a package.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import entropy
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path
from sklearn.preprocessing import StandardScaler

from omote.metrics.probes import subject_folds
from omote.metrics.readout import predict_held_out, why_unreadable, why_unreadable_across_people
from omote.metrics.score import AT_MOST_1, Array, Score, as_labels, join_reasons, mean_score, no_score

DISENTANGLEMENT_SCORES = ("dci_disentanglement", "dci_completeness", "dci_informativeness", "mig", "sap")
DUPLICATE = (
    0.95  # |correlation| above which two factors count as one, such as the left and right side of a face
)
LASSO_PENALTIES = np.logspace(0, -3, 7)  # for standardised features and factors; 1 leaves no weight
MIN_R2 = 0.05  # R2 that the best-read factor must exceed for the weights to mean anything
BINS = 20  # histogram bins of equal width, as in disentanglement_lib


def disentanglement_scores(
    features: Array, factors: Any, subjects: Any, *, with_chance: bool = True
) -> dict[str, Score]:
    """Return the five `DISENTANGLEMENT_SCORES`; none depends on the scale of a dimension.

    - dci_disentanglement, dci_completeness, dci_informativeness (Eastwood and Williams, "A Framework for the
      Quantitative Evaluation of Disentangled Representations", 2018): does a dimension of the code serve one factor,
      does a factor need one dimension, and how well are factors predicted. The regression is their lasso, across people
      (`predict_held_out`, five folds); the importance of a dimension is its absolute weight, averaged over the folds.
      Informativeness is R2 on people not fitted on, mean over the factors; its chance is 0.
    - mig (Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018): the gap between the
      most and the second most informative dimension for a factor, in mutual information of histograms as a share of
      the factor's entropy, mean over factors.
    - sap (Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", 2018):
      the same gap in R2 of a regression on one dimension.

    Chance of all but the informativeness is the score of the same code, standardised and rotated at random (seed 0):
    it holds as much, along axes that mean nothing. A code that holds little has few, stray weights, so its
    disentanglement and completeness can be high; so can their chance (nan where no factor can be read from the rotated
    code). Correlated factors narrow the gap: even a code that equals the factors has a mig and a sap below 1.

    The deviation is between factors; nan for disentanglement and completeness, which are weighted by importance.

    Args:
        features: (N, D).
        factors: (N, F) table of numbers, one named column a factor. Factors are left out if constant, unknown for some
            frame, or correlated by more than `DUPLICATE` with an earlier one; the reason says so.
        subjects: (N,) ids.
        with_chance: False leaves the chance levels nan, in half the time.
    Returns:
        Every score; all nan with the reason if there are no images, NaN or collapsed features, fewer than three people,
        fewer than two different factors or dimensions; disentanglement and completeness also if no factor can be
        read (no R2 above `MIN_R2`).
    Raises:
        ValueError: If features and factors differ in length, or a subject is missing.
    """
    table, subjects = pd.DataFrame(factors).astype(np.float64), as_labels(subjects)
    reason = why_unreadable_across_people(features, table, subjects)
    if reason is None:
        truth, note = _distinct_factors(table)
        if min(truth.shape[1], features.shape[1]) < 2:
            reason = f"there are not two different factors and two numbers of the code; {note}".rstrip("; ")
    if reason is not None:
        return dict.fromkeys(DISENTANGLEMENT_SCORES, no_score(reason))
    x, y = (StandardScaler().fit_transform(part.astype(np.float64)) for part in (features, truth))
    fold = subject_folds(subjects, 5)
    scores = _scores(x, y, fold)
    if with_chance:
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(x.shape[1], x.shape[1])))[0]
        chance = _scores(x @ rotation, y, fold) | {"dci_informativeness": Score(0.0)}
        scores = {name: score._replace(chance=chance[name].value) for name, score in scores.items()}
    return {name: score._replace(reason=join_reasons(score.reason, note)) for name, score in scores.items()}


def _distinct_factors(factors: pd.DataFrame) -> tuple[Array, str]:
    """Return (N, F') the factors that vary and duplicate no earlier one, and a note on those left out."""
    reasons = {name: why_unreadable(factors[name].to_numpy()) for name in factors}
    left_out = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    varying = factors[[name for name in factors if not reasons[name]]].to_numpy()
    standardised = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    correlated = np.abs(standardised.T @ standardised) / len(varying) > DUPLICATE
    kept: list[int] = []
    for number in range(varying.shape[1]):
        if not correlated[number, kept].any():
            kept.append(number)
    if duplicates := varying.shape[1] - len(kept):
        left_out.append(f"{duplicates} of the factors repeat another (|r| above {DUPLICATE})")
    return varying[:, kept], "; ".join(left_out)


def _scores(x: Array, y: Array, fold: Array) -> dict[str, Score]:
    """Return the five scores of standardised features and factors, without chance."""
    held = predict_held_out(x, y, fold, lasso)
    r2 = 1 - ((held.predicted - y) ** 2).sum(axis=0) / ((held.baseline - y) ** 2).sum(axis=0)
    disentanglement = completeness = no_score(f"no factor can be read: R2 is {r2.max():.2g} at best")
    if r2.max() > MIN_R2:
        disentanglement = Score(concentration(held.weights))
        completeness = Score(concentration(held.weights.T))
    return {
        "dci_disentanglement": disentanglement,
        "dci_completeness": completeness,
        "dci_informativeness": mean_score(r2, np.nan)._replace(range=AT_MOST_1),
        "mig": _gap(mutual_information(x, y)),
        "sap": _gap((x.T @ y / len(x)) ** 2),
    }


def lasso(x: Array, y: Array) -> Array:
    """Return the weights of a lasso for each of `LASSO_PENALTIES`: (P, D, F), a `Fit` for `predict_held_out`."""
    x, y = np.asfortranarray(x), np.asfortranarray(y)
    rest = {
        "alphas": LASSO_PENALTIES,
        "precompute": x.T @ x,
        "check_input": False,
    }  # the checks take most of the time
    along = np.asfortranarray(x.T @ y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the 1000 iterations are part of the definition
        paths = [lasso_path(x, y[:, k], Xy=along[:, k], **rest)[1].T for k in range(y.shape[1])]
    return np.stack(paths, axis=2)


def concentration(importance: Array) -> float:
    """Return 1 - entropy of each row's shares (base: number of columns), mean over rows weighted by the row sums.

    For an importance matrix (dimensions, factors) this is Eastwood and Williams' disentanglement, for its transpose
    their completeness (also weighted, as in disentanglement_lib). 1 where each row has one non-zero entry, 0 where the
    entries of a row are equal.
    """
    importance = importance[importance.sum(axis=1) > 0]
    return float(
        np.average(1 - entropy(importance, axis=1, base=importance.shape[1]), weights=importance.sum(axis=1))
    )


def mutual_information(x: Array, y: Array) -> Array:
    """Return (D, F) the mutual information of each column of x with each of y, as a share of the entropy of y's.

    Of histograms with `BINS` bins of equal width, without bias correction: for N rows of independent columns the
    estimate is about (BINS - 1)^2 / 2N nats too high, which cancels in a gap.
    """
    codes, factors = (np.eye(BINS)[_bin(part)].reshape(len(part), -1) for part in (x, y))  # one column a bin
    together = (codes.T @ factors).reshape(x.shape[1], BINS, y.shape[1], BINS)  # counts of rows
    of_code, of_factor = (entropy(together[:, :, 0].sum(2), axis=1), entropy(together[0].sum(0), axis=1))
    joint = entropy(together.swapaxes(1, 2).reshape(x.shape[1], y.shape[1], -1), axis=2)
    shared: Array = np.maximum(of_code[:, None] + of_factor - joint, 0) / of_factor
    return shared


def _bin(columns: Array) -> Array:
    """Return (N, D) bin numbers in 0 .. BINS-1; all 0 where a column is constant."""
    low, width = columns.min(axis=0), np.ptp(columns, axis=0)
    bins: Array = np.minimum((columns - low) / np.where(width > 0, width, 1) * BINS, BINS - 1).astype(
        np.int64
    )
    return bins


def _gap(matrix: Array) -> Score:
    """Return the gap between the largest and second largest entry of each column: mean and deviation over columns."""
    second, first = np.sort(matrix, axis=0)[-2:]
    return mean_score(first - second, np.nan)
