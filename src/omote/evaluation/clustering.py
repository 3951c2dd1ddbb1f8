"""How well k-means groups of the features agree with the expressions (the paper's Recognition protocol).

k-means++ with one start a run, Euclidean, on the unscaled features; 100 seeds. Beside the paper's way of
naming a cluster (the image nearest its centroid): the majority, one-to-one names, and NMI and ARI, which
need no names.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.evaluation.score import Array, Score, as_labels, mean_score, no_score, numbered, why_not

Labels = npt.NDArray[np.int64]  # 0..L-1; -1 where a cluster has no name

CLUSTERING_SCORES = ("accuracy", "majority_accuracy", "one_to_one_accuracy", "nmi", "ari")


class Labelled(NamedTuple):
    """Features (N, D), their labels (N,) and clips (N,), or None where every frame is its own clip.

    A clip id stands for one clip only: two people's first clips need two ids.
    """

    features: Array
    labels: Any
    clips: Any = None


def clustering_scores(
    scored: Labelled, *, k: int = 9, seeds: int = 100, fitted_on: Labelled | None = None
) -> dict[str, Score]:
    """Return the five `CLUSTERING_SCORES`: mean and deviation over runs with the seeds 0 .. seeds-1.

    - accuracy: the paper's; a cluster is named by its image nearest the centroid (the first of equals).
    - majority_accuracy: a cluster is named by its most frequent label.
    - one_to_one_accuracy: every label names at most one cluster (Hungarian, most images right); images of a
      cluster without a name are wrong.
    - nmi (arithmetic mean), ari.

    Chance is what the same clusters reach when labels are dealt anew: mean over the runs, one deal a run.
    Frames of one clip with one label keep one label, as three frames of a clip lie together whoever made
    the features.

    Args:
        scored: What is scored, and clustered unless `fitted_on` is given.
        fitted_on: Clusters are fitted and named here, and `scored` goes to the nearest centroid ("fitted on
            train, applied to test").
    Returns:
        Every score, all nan with one reason if there are no images, NaN or collapsed features, one label
        only, or fewer different features than clusters.
    Raises:
        ValueError: If features and labels differ in number, or a label is missing.
    """
    fit = scored if fitted_on is None else fitted_on
    fit_labels, scored_labels = as_labels(fit.labels), as_labels(scored.labels)
    reason = why_not(scored.features, scored_labels, "expression")
    if (
        fitted_on is not None
        and reason is None
        and (reason := why_not(fit.features, fit_labels, "expression"))
    ):
        reason = f"in the set fitted on, {reason}"
    if reason is None and len(fit.features) < k:
        reason = f"{len(fit.features)} images are fewer than {k} clusters"
    if reason is not None:
        return dict.fromkeys(CLUSTERING_SCORES, no_score(reason))

    names = np.unique(np.concatenate([fit_labels, scored_labels]))
    fit_truth, scored_truth = np.searchsorted(names, fit_labels), np.searchsorted(names, scored_labels)
    fit_units = _dealt_together(fit.clips, fit_truth)
    scored_units = _dealt_together(scored.clips, scored_truth)
    fit_features, scored_features = fit.features.astype(np.float64), scored.features.astype(np.float64)

    values, chances = [], []
    with threadpool_limits(1), warnings.catch_warnings():  # one thread is as fast on sets of this size
        warnings.simplefilter("ignore", ConvergenceWarning)  # empty clusters: seen to below
        for seed in range(seeds):
            model = KMeans(k, init="k-means++", n_init=1, random_state=seed)
            distances = model.fit_transform(fit_features)
            fit_clusters = model.labels_
            if (found := len(np.unique(fit_clusters))) < k:
                reason = f"there are fewer different features than clusters ({found} of {k} found)"
                return dict.fromkeys(CLUSTERING_SCORES, no_score(reason))
            distances[fit_clusters[:, None] != np.arange(k)] = np.inf
            nearest = distances.argmin(axis=0)  # (k,) image of the cluster nearest its centroid
            scored_clusters = fit_clusters if fitted_on is None else model.predict(scored_features)
            values.append(_agreement(fit_clusters, fit_truth, nearest, scored_clusters, scored_truth))
            rng = np.random.default_rng(seed)
            fit_dealt = _dealt(fit_truth, fit_units, rng)
            scored_dealt = fit_dealt if fitted_on is None else _dealt(scored_truth, scored_units, rng)
            chances.append(_agreement(fit_clusters, fit_dealt, nearest, scored_clusters, scored_dealt))
    return {
        name: mean_score(of_runs, float(chance))
        for name, of_runs, chance in zip(
            CLUSTERING_SCORES, np.array(values).T, np.mean(chances, axis=0), strict=True
        )
    }


def _dealt_together(clips: Any, truth: Labels) -> Labels:
    """Return (N,) the number of each frame's unit: the frames of one clip that share a label."""
    return np.arange(len(truth)) if clips is None else numbered(as_labels(clips), truth)


def _dealt(truth: Labels, units: Labels, rng: np.random.Generator) -> Labels:
    """Return (N,) labels after the units have swapped theirs at random."""
    of_unit = np.zeros(units.max() + 1, dtype=np.int64)
    of_unit[units] = truth
    return rng.permutation(of_unit)[units]


def _agreement(
    fit_clusters: Labels, fit_truth: Labels, nearest: Labels, clusters: Labels, truth: Labels
) -> tuple[float, ...]:
    """Return the five scores of one run; clusters are named on the fit images and scored on the others."""
    counts = np.zeros((len(nearest), max(fit_truth.max(), truth.max()) + 1), dtype=np.int64)  # (k, labels)
    np.add.at(counts, (fit_clusters, fit_truth), 1)
    one_to_one = np.full(len(nearest), -1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    one_to_one[rows] = columns
    return (
        float(np.mean(fit_truth[nearest][clusters] == truth)),
        float(np.mean(counts.argmax(axis=1)[clusters] == truth)),
        float(np.mean(one_to_one[clusters] == truth)),
        float(normalized_mutual_info_score(truth, clusters)),
        float(adjusted_rand_score(truth, clusters)),
    )
