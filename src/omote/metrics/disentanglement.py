"""How far single numbers of a code stand for single true factors of the faces: DCI, MIG and SAP.

All three reward a code whose axes are the factors. None of the methods here asks for that, and a code turned at random
holds as much as before but scores low: read them beside the readouts, which do not mind.

Built from scikit-learn and scipy, for want of a library: disentanglement_lib (1.5, 2020) needs TensorFlow 1.14, disent
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
from sklearn.metrics import mutual_info_score
from sklearn.preprocessing import StandardScaler

from omote.metrics.probes import subject_folds
from omote.metrics.readout import predict_held_out, unreadable, why_not_across_people
from omote.metrics.score import Array, Score, as_labels, mean_score, no_score

DISENTANGLEMENT_SCORES = ("dci_disentanglement", "dci_completeness", "dci_informativeness", "mig", "sap")
TWINS = 0.95  # factors that correlate more are one: often the left and the right side of a face
LASSO_PENALTIES = np.logspace(0, -3, 7)  # of standardised features and factors: at 1 no weight is left
LEAST_R2 = 0.05  # of the factor read best, for weights to mean anything
BINS = 20  # of equal width, as in disentanglement_lib


def disentanglement_scores(features: Array, factors: Any, subjects: Any) -> dict[str, Score]:
    """Return the five `DISENTANGLEMENT_SCORES`; none depends on the scale of a single feature.

    - dci_disentanglement, dci_completeness, dci_informativeness (Eastwood and Williams, "A Framework for the
      Quantitative Evaluation of Disentangled Representations", 2018): does a number of the code serve one factor,
      does a factor need one number, and how well are factors read. The regression is their lasso, across people
      (`predict_held_out`, five folds); the importance of a number is its absolute weight, averaged over the folds.
      Informativeness is the mean over the factors of R2 on people not fitted on; 0 is a guess.
    - mig (Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018): the number that
      tells most about a factor against the second, in mutual information of histograms as a share of the factor's
      entropy, mean over factors.
    - sap (Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", 2018):
      the same gap in R2 of a regression on one number.

    Chance, but for the informativeness, is the score of the same code, standardised and turned at random (seed 0): one
    that holds as much, along axes that mean nothing. A code that holds little has few and stray weights, so that its
    disentanglement and completeness can be high; so can their chance (nan where no factor can be read from the turned
    code). Factors that move together leave a smaller gap: even a code that is the factors has a mig and a sap below 1.

    The deviation is between factors; nan for disentanglement and completeness, which weigh them by importance.

    Args:
        features: (N, D).
        factors: (N, F) table of numbers, one named column a factor. Constant or unknown ones are left out, and those
            that correlate by more than `TWINS` with one before them; the reason says so.
        subjects: (N,) ids.
    Returns:
        Every score; all nan with the reason if there are no images, NaN or collapsed features, fewer than three people,
        fewer than two different factors or numbers of the code; disentanglement and completeness if no factor can be
        read (R2 up to `LEAST_R2`).
    Raises:
        ValueError: If the rows differ in number, or a subject is missing.
    """
    table, subjects = pd.DataFrame(factors).astype(np.float64), as_labels(subjects)
    reason = why_not_across_people(features, table, subjects)
    if reason is None:
        truth, note = _different(table)
        if min(truth.shape[1], features.shape[1]) < 2:
            reason = f"there are not two different factors and two numbers of the code; {note}".rstrip("; ")
    if reason is not None:
        return dict.fromkeys(DISENTANGLEMENT_SCORES, no_score(reason))
    x, y = (StandardScaler().fit_transform(part.astype(np.float64)) for part in (features, truth))
    fold = subject_folds(subjects, 5)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(x.shape[1], x.shape[1])))[0]
    chance = _scores(x @ turn, y, fold) | {"dci_informativeness": Score(0.0)}
    return {
        name: score._replace(chance=chance[name].value, reason=f"{score.reason}; {note}".strip("; "))
        for name, score in _scores(x, y, fold).items()
    }


def _different(factors: pd.DataFrame) -> tuple[Array, str]:
    """Return (N, F') the factors that vary and repeat no other before them, and which were left out."""
    reasons = {name: unreadable(factors[name].to_numpy()) for name in factors}
    left_out = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    varying = factors[[name for name in factors if not reasons[name]]].to_numpy()
    standardised = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    alike = np.abs(standardised.T @ standardised) / len(varying) > TWINS
    kept: list[int] = []
    for number in range(varying.shape[1]):
        if not alike[number, kept].any():
            kept.append(number)
    if twins := varying.shape[1] - len(kept):
        left_out.append(f"{twins} of the factors repeat another (|r| above {TWINS})")
    return varying[:, kept], "; ".join(left_out)


def _scores(x: Array, y: Array, fold: Array) -> dict[str, Score]:
    """Return the five scores, without their chance, of standardised features and factors."""
    held = predict_held_out(x, y, fold, lasso)
    r2 = 1 - ((held.predicted - y) ** 2).sum(axis=0) / ((held.guessed - y) ** 2).sum(axis=0)
    disentanglement = completeness = no_score(f"no factor can be read: R2 is {r2.max():.2g} at best")
    if r2.max() > LEAST_R2:
        disentanglement = Score(one_sidedness(held.weights))
        completeness = Score(one_sidedness(held.weights.T))
    return {
        "dci_disentanglement": disentanglement,
        "dci_completeness": completeness,
        "dci_informativeness": mean_score(r2, np.nan),
        "mig": _gap(mutual_information(x, y)),
        "sap": _gap((x.T @ y / len(x)) ** 2),
    }


def lasso(x: Array, y: Array) -> Array:
    """Return the weights of a lasso for each of `LASSO_PENALTIES`: (P, D, F), a `Fit` for `predict_held_out`."""
    x, y = np.asfortranarray(x), np.asfortranarray(y)
    rest = {"alphas": LASSO_PENALTIES, "precompute": x.T @ x, "check_input": False}  # the checks take longest
    along = np.asfortranarray(x.T @ y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1000 rounds are a probe, to the end or not
        paths = [lasso_path(x, y[:, k], Xy=along[:, k], **rest)[1].T for k in range(y.shape[1])]
    return np.stack(paths, axis=2)


def one_sidedness(importance: Array) -> float:
    """Return the mean over the rows of 1 - entropy of the row's shares (base: columns), weighted by the rows' sums.

    Eastwood and Williams' disentanglement of an importance (numbers of the code, factors), completeness of its
    transpose (weighted, too, as in disentanglement_lib). 1 where every row has one entry, 0 where a row's are equal.
    """
    importance = importance[importance.sum(axis=1) > 0]
    return float(
        np.average(1 - entropy(importance, axis=1, base=importance.shape[1]), weights=importance.sum(axis=1))
    )


def mutual_information(x: Array, y: Array) -> Array:
    """Return (D, F) the mutual information of every pair of columns as a share of the entropy of y's.

    Of histograms with `BINS` bins of equal width. Without correction for the rows: N rows of independent columns are
    above 0 by about (BINS - 1)^2 / 2N nats, which a gap of two takes off again.
    """
    codes, factors = _binned(x), _binned(y)
    shared = np.empty((x.shape[1], y.shape[1]))
    for k, factor in enumerate(factors.T):
        of_factor = entropy(np.bincount(factor))
        for d, code in enumerate(codes.T):
            counts = np.bincount(code * BINS + factor, minlength=BINS**2).reshape(BINS, BINS)
            shared[d, k] = mutual_info_score(None, None, contingency=counts) / of_factor
    return shared


def _binned(columns: Array) -> Array:
    """Return (N, D) the number of each value's bin in 0 .. BINS-1; one bin where a column is constant."""
    low, width = columns.min(axis=0), np.ptp(columns, axis=0)
    bins: Array = np.minimum((columns - low) / np.where(width > 0, width, 1) * BINS, BINS - 1).astype(
        np.int64
    )
    return bins


def _gap(matrix: Array) -> Score:
    """Return how far the largest of each column is above the second largest: mean and deviation over the columns."""
    second, first = np.sort(matrix, axis=0)[-2:]
    return mean_score(first - second, np.nan)
