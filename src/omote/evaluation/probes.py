"""What a linear probe reads from a code: expressions of people it was not fitted on.

The probe is a multinomial logistic regression (L2, C = 1) on features standardised by the fitting part.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.evaluation.score import Array, Score, as_labels, mean_score, no_score, why_not

PROBE_SCORES = ("probe_accuracy", "probe_balanced_accuracy")


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
    reason = why_not(features, labels, "expression") or why_not(features, subjects, "subject")
    if reason is None:
        fold = subject_folds(subjects, folds)
        predicted = held_out_predictions(features, labels, fold)
        if predicted is None:
            reason = "without the people of one fold all images have the same expression"
    if reason is not None:
        return dict.fromkeys(PROBE_SCORES, no_score(reason))
    right = predicted == labels
    parts = [fold == number for number in np.unique(fold)]
    balanced = [
        np.mean([right[part & (labels == label)].mean() for label in np.unique(labels[part])])
        for part in parts
    ]
    counts = np.unique(labels, return_counts=True)[1]
    return {
        "probe_accuracy": mean_score(
            [right[part].mean() for part in parts], float(counts.max() / len(labels))
        ),
        "probe_balanced_accuracy": mean_score(balanced, 1 / len(counts)),
    }


def subject_folds(subjects: Array, folds: int) -> Array:
    """Return (N,) the number of the fold that holds each row out; folds have about as many rows each."""
    fold = np.zeros(len(subjects), dtype=np.int64)
    splits = GroupKFold(min(folds, len(np.unique(subjects)))).split(subjects, groups=subjects)
    for number, (_, held_out) in enumerate(splits):
        fold[held_out] = number
    return fold


def held_out_predictions(features: Array, labels: Array, fold: Array) -> Array | None:
    """Return (N,) the label of every row as read by a probe fitted on the other folds.

    None if the other folds of some row have one label only.
    """
    predicted = labels.copy()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1000 steps are a probe, to the end or not
        warnings.filterwarnings("ignore", message="The number of unique classes")  # a photo or two a subject
        for number in np.unique(fold):
            held_out = fold == number
            if len(np.unique(labels[~held_out])) < 2:
                return None
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
            probe.fit(features[~held_out].astype(np.float64), labels[~held_out])
            predicted[held_out] = probe.predict(features[held_out].astype(np.float64))
    return predicted
