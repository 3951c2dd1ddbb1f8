"""What a probe reads from a code: expressions of people it was not fitted on.

Probes are fitted on features standardised by the fitting part. The linear one is a multinomial logistic regression
(L2, C = 1). The one with a hidden layer of 64 ("mlp") also reads what lies along no line, such as a person known by how
far their codes lie from the middle.
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

from omote.metrics.score import Answers, Array, Score, as_labels, mean_score, no_answers, no_score, why_not

Probe = Literal["linear", "mlp"]
PROBE_SCORES = ("probe_accuracy", "probe_balanced_accuracy")


def expression_probe(
    features: Array, expressions: Any, subjects: Any, *, probe: Probe = "linear", folds: int = 5
) -> Answers:
    """Return which rows a probe that was fitted on other people names the expression of: 1 right, 0 wrong.

    Cross-validated over at most `folds` folds of people. Chance is the share of the most frequent expression.

    Args:
        features: (N, D).
        expressions: (N,) labels, None or NaN where unknown: such rows are neither asked nor fitted on.
        subjects: (N,) ids.
    Returns:
        Answers; nan with the reason if there are no labelled images, NaN or collapsed features, one label only, one
        subject only, or people of one fold without whom one label is left.
    Raises:
        ValueError: If the lengths differ, or a subject is missing.
    """
    expressions, subjects = np.asarray(expressions, dtype=object), as_labels(subjects)
    if not len(features) == len(expressions) == len(subjects):
        raise ValueError(
            f"{len(features)} features, {len(expressions)} expressions and {len(subjects)} subjects; "
            "expected one of each a row"
        )
    known = pd.notna(expressions)
    labels, who = as_labels(expressions[known]), subjects[known]
    reason = why_not(features[known], labels, "expression") or why_not(features[known], who, "subject")
    if reason is None:
        predicted = held_out_predictions(features[known], labels, subject_folds(who, folds), probe)
        if predicted is None:
            reason = "without the people of one fold all images have the same expression"
    if reason is not None:
        return no_answers(len(features), reason)
    values = np.full(len(features), np.nan)
    values[known] = predicted == labels
    return Answers(values, float(np.unique(labels, return_counts=True)[1].max() / len(labels)))


def probe_scores(features: Array, labels: Any, subjects: Any, *, folds: int = 5) -> dict[str, Score]:
    """Return `PROBE_SCORES` of expressions, cross-validated so that no subject is in both parts of a fold.

    Mean and deviation over the folds (as many as subjects where those are fewer). Chance of the accuracy is
    the share of the most frequent label; of the balanced accuracy (mean recall of the labels that the
    held-out people show), one over the number of labels.

    Args:
        features: (N, D).
        labels: (N,) expressions.
        subjects: (N,) ids.
    Returns:
        Both scores, nan with the reason if there are no images, NaN or collapsed features, one label only,
        one subject only, or people of one fold without whom one label is left.
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
    """Return (N,) the number of the fold that holds each row out; folds have about as many rows each."""
    fold = np.zeros(len(subjects), dtype=np.int64)
    splits = GroupKFold(min(folds, len(np.unique(subjects)))).split(subjects, groups=subjects)
    for number, (_, held_out) in enumerate(splits):
        fold[held_out] = number
    return fold


def held_out_predictions(
    features: Array, labels: Array, fold: Array, probe: Probe = "linear"
) -> Array | None:
    """Return (N,) the label of every row as read by a probe fitted on the other folds.

    None if the other folds of some row have one label only.
    """
    predicted = labels.copy()
    for number in np.unique(fold):
        held_out = fold == number
        if len(np.unique(labels[~held_out])) < 2:
            return None
        reader = fitted_probe(features[~held_out], labels[~held_out], probe)
        with threadpool_limits(1):
            predicted[held_out] = reader.predict(features[held_out].astype(np.float64))
    return predicted


def fitted_probe(features: Array, labels: Array, probe: Probe = "linear") -> Any:
    """Return a fitted probe, a scikit-learn estimator that predicts labels from (n, D) float64."""
    reader = make_pipeline(StandardScaler(), _classifier(probe))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are a probe, to the end or not
        warnings.filterwarnings("ignore", message="The number of unique classes")  # a photo or two a subject
        return reader.fit(features.astype(np.float64), labels)


def _classifier(probe: Probe) -> Any:
    if probe == "linear":
        return LogisticRegression(C=1.0, max_iter=1000)
    # L2 with C = 1 too; L-BFGS has no learning rate to choose, and 50 steps of it read more than 100 epochs of Adam
    return MLPClassifier((64,), solver="lbfgs", alpha=1.0, max_iter=50, random_state=0)
