"""Probes: classifiers fitted on a code, tested on people (here) or clips (`leakage.py`) they were not fitted on.

Features are standardised by the part the probe is fitted on. The linear probe is a multinomial logistic regression (L2,
C = 1). The probe with a hidden layer of 64 units ("mlp") also finds what no linear probe can, for example people who
differ only in how far their codes lie from the centre.
"""

import warnings
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.score import (
    Array,
    PerRowResults,
    Score,
    as_labels,
    mean_score,
    no_results,
    no_score,
    why_unscorable,
)

Probe = Literal["linear", "mlp"]
PROBE_SCORES = ("probe_accuracy", "probe_balanced_accuracy")


def expression_probe(
    features: Array, expressions: Any, subjects: Any, *, probe: Probe = "linear", folds: int = 5
) -> PerRowResults:
    """Return for which rows a probe fitted on other people names the expression: 1 right, 0 wrong.

    Cross-validated over at most `folds` folds of people. Chance is the share of the most frequent expression.

    Args:
        features: (N, D).
        expressions: (N,) labels, None or NaN where unknown: such rows are neither scored nor fitted on.
        subjects: (N,) ids.
    Returns:
        All nan with the reason if there are no labelled images, NaN or collapsed features, one label only, one
        subject only, or one label only outside some fold.
    Raises:
        ValueError: If the lengths differ, or a subject is missing.
    """
    expressions, subjects = np.asarray(expressions, dtype=object), as_labels(subjects)
    if not len(features) == len(expressions) == len(subjects):
        raise ValueError(
            f"{len(features)} features, {len(expressions)} expressions and {len(subjects)} subjects; "
            "expected one of each per row"
        )
    known = pd.notna(expressions)
    labels, who = as_labels(expressions[known]), subjects[known]
    reason = why_unscorable(features[known], labels, "expression")
    reason = reason or why_unscorable(features[known], who, "subject")
    if reason is None:
        predicted = cross_validate_probe(features[known], labels, subject_folds(who, folds), probe)
        if predicted is None:
            reason = "without the people of one fold all images have the same expression"
    if reason is not None:
        return no_results(len(features), reason)
    values = np.full(len(features), np.nan)
    values[known] = predicted == labels
    return PerRowResults(values, float(np.unique(labels, return_counts=True)[1].max() / len(labels)))


def probe_scores(features: Array, labels: Any, subjects: Any, *, folds: int = 5) -> dict[str, Score]:
    """Return `PROBE_SCORES` of expressions by `expression_probe`: mean and deviation over the folds of people.

    Chance of the accuracy is the share of the most frequent label. The balanced accuracy is the mean recall of the
    labels that the held-out people show; its chance is one over the number of labels.

    Args:
        features: (N, D).
        labels: (N,) expressions.
        subjects: (N,) ids.
        folds: at most; one for each subject where subjects are fewer.
    Returns:
        Both scores; nan with the reason in the cases of `expression_probe`.
    Raises:
        ValueError: If the lengths differ, or a label or subject is missing.
    """
    labels, subjects = as_labels(labels), as_labels(subjects)
    right, chance, reason = expression_probe(features, labels, subjects, folds=folds)
    if reason:
        return dict.fromkeys(PROBE_SCORES, no_score(reason))
    fold = subject_folds(subjects, folds)
    parts = [fold == number for number in np.unique(fold)]
    balanced = [
        np.mean([right[part & (labels == label)].mean() for label in np.unique(labels[part])])
        for part in parts
    ]
    return {
        "probe_accuracy": mean_score([right[part].mean() for part in parts], chance),
        "probe_balanced_accuracy": mean_score(balanced, 1 / len(np.unique(labels))),
    }


def subject_folds(subjects: Array, folds: int) -> Array:
    """Return (N,) the fold that holds each row out; a subject is in one fold, and folds are about equally large."""
    fold = np.zeros(len(subjects), dtype=np.int64)
    splits = GroupKFold(min(folds, len(np.unique(subjects)))).split(subjects, groups=subjects)
    for number, (_, held_out) in enumerate(splits):
        fold[held_out] = number
    return fold


def cross_validate_probe(
    features: Array, labels: Array, fold: Array, probe: Probe = "linear"
) -> Array | None:
    """Return (N,) predicted labels, each by a probe fitted on the other folds.

    None if the other folds of some row have one label only.
    """
    predicted = labels.copy()
    with threadpool_limits(1):
        for number in np.unique(fold):
            held_out = fold == number
            if len(np.unique(labels[~held_out])) < 2:
                return None
            fitted = _fit_probe(features[~held_out], labels[~held_out], probe)
            predicted[held_out] = fitted.predict(features[held_out].astype(np.float64))
    return predicted


def fit_probe(features: Array, labels: Array, probe: Probe = "linear") -> Any:
    """Return a fitted probe, a scikit-learn estimator that predicts labels from (n, D) float64."""
    with threadpool_limits(1):
        return _fit_probe(features, labels, probe)


def _fit_probe(features: Array, labels: Array, probe: Probe) -> Any:
    if probe == "linear":
        classifier = LogisticRegression(C=1.0, max_iter=1000)
    else:  # L-BFGS has no learning rate to tune, and 50 steps of it score higher than 100 epochs of Adam
        classifier = MLPClassifier((64,), solver="lbfgs", alpha=1.0, max_iter=50, random_state=0)
    pipeline = make_pipeline(StandardScaler(), classifier)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # the number of steps is part of the probe's definition
        warnings.filterwarnings(
            "ignore", message="The number of unique classes"
        )  # one or two photos per subject
        return pipeline.fit(features.astype(np.float64), labels)
