"""How well k-means groups of the features agree with the expressions (the paper's Recognition protocol).

k-means++ with one start a run, Euclidean, on the unscaled features; 100 seeds. Beside the paper's way of
naming a cluster (the image nearest its centroid): the majority, one-to-one names, and NMI and ARI, which
need no names.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from joblib import cpu_count
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.score import Array, Score, as_labels, mean_score, no_score, numbered, why_not

Labels = npt.NDArray[np.int64]  # 0..L-1; -1 where a cluster has no name

MOST_THREADS = 16  # each has a copy of the features
CLUSTERING_SCORES = ("accuracy", "majority_accuracy", "one_to_one_accuracy", "nmi", "ari")


class Labelled(NamedTuple):
    """Features (N, D), their labels (N,) and clips (N,), or None where every frame is its own clip.

    A clip id stands for one clip only: two people's first clips need two ids.
    """

    features: Array
    labels: Any
    clips: Any = None


class KMeansRuns(NamedTuple):
    """What `kmeans_runs` found: each run's clusters, and the images that name them by the paper's rule."""

    fitted: Labelled
    runs: list[tuple[KMeans, Labels]]  # the fitted model, and (k,) the image nearest each centroid
    reason: str = ""  # why there are no runs


class Clustering(NamedTuple):
    """The scores of a set's images, and how often each of them was right."""

    scores: dict[str, Score]
    right: (
        Array  # (N,) share of the runs that name the image rightly, by the paper's rule; nan without a score
    )


def kmeans_runs(fitted: Labelled, *, k: int = 9, seeds: int = 100) -> KMeansRuns:
    """Return the runs of k-means on a set, with the seeds 0 .. seeds-1.

    Returns:
        No runs and the reason if there are no images, NaN or collapsed features, one label only, or fewer
        different features than clusters.
    Raises:
        ValueError: If features and labels differ in number, or a label is missing.
    """
    reason = why_not(fitted.features, as_labels(fitted.labels), "expression")
    if reason is None and len(fitted.features) < k:
        reason = f"{len(fitted.features)} images are fewer than {k} clusters"
    if reason is not None:
        return KMeansRuns(fitted, [], reason)
    features = fitted.features.astype(np.float64)

    def run(seed: int) -> tuple[KMeans, Labels]:
        model = KMeans(k, init="k-means++", n_init=1, random_state=seed)
        distances = model.fit_transform(features)
        distances[model.labels_[:, None] != np.arange(k)] = np.inf
        return model, distances.argmin(axis=0)

    # runs side by side on one thread each: faster than one run on all threads, and the result depends on neither
    pool = ThreadPoolExecutor(min(cpu_count(), MOST_THREADS), initializer=threadpool_limits, initargs=(1,))
    with threadpool_limits(1), warnings.catch_warnings(), pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # empty clusters: seen to below
        runs = list(pool.map(run, range(seeds)))
    for model, _ in runs:
        if (found := len(np.unique(model.labels_))) < k:
            reason = f"there are fewer different features than clusters ({found} of {k} found)"
            return KMeansRuns(fitted, [], reason)
    return KMeansRuns(fitted, runs)


def clustering_scores(kmeans: KMeansRuns, applied_to: Labelled | None = None) -> Clustering:
    """Return the five `CLUSTERING_SCORES`, mean and deviation over the runs, and how often each image was right.

    - accuracy: the paper's; a cluster is named by its image nearest the centroid (the first of equals).
    - majority_accuracy: a cluster is named by its most frequent label.
    - one_to_one_accuracy: every label names at most one cluster (Hungarian, most images right); images of a
      cluster without a name are wrong.
    - nmi (arithmetic mean), ari.

    Chance is what the same clusters reach when labels are dealt anew: mean over the runs, one deal a run.
    Frames of one clip with one label keep one label, as three frames of a clip lie together whoever made
    the features.

    Args:
        kmeans: The runs; clusters are named on the set that they were fitted on.
        applied_to: What is scored, each image in the cluster of the nearest centroid ("fitted on train,
            applied to test"); without it, the set that the clusters were fitted on.
    Returns:
        Every score, all nan with one reason if there are no runs, or `applied_to` has no images, NaN or
        collapsed features, or one label only.
    Raises:
        ValueError: If features and labels differ in number, or a label is missing.
    """
    fitted, runs, reason = kmeans
    scored = fitted if applied_to is None else applied_to
    fit_labels, scored_labels = as_labels(fitted.labels), as_labels(scored.labels)
    if applied_to is not None:
        not_fitted = f"in the set fitted on, {reason}" if reason else ""
        reason = why_not(scored.features, scored_labels, "expression") or not_fitted
    if reason:
        nothing = dict.fromkeys(CLUSTERING_SCORES, no_score(reason))
        return Clustering(nothing, np.full(len(scored_labels), np.nan))

    names = np.unique(np.concatenate([fit_labels, scored_labels]))
    fit_truth, scored_truth = np.searchsorted(names, fit_labels), np.searchsorted(names, scored_labels)
    fit_units = _dealt_together(fitted.clips, fit_truth)
    scored_units = _dealt_together(scored.clips, scored_truth)
    features = scored.features.astype(np.float64)

    rights, values, chances = [], [], []
    with threadpool_limits(1):
        for seed, (model, nearest) in enumerate(runs):
            fit_clusters = model.labels_
            clusters = fit_clusters if applied_to is None else model.predict(features)
            right, of_run = _agreement(fit_clusters, fit_truth, nearest, clusters, scored_truth)
            rights.append(right)
            values.append(of_run)
            rng = np.random.default_rng(seed)
            fit_dealt = _dealt(fit_truth, fit_units, rng)
            dealt = fit_dealt if applied_to is None else _dealt(scored_truth, scored_units, rng)
            chances.append(_agreement(fit_clusters, fit_dealt, nearest, clusters, dealt)[1])
    scores = {
        name: mean_score(of_runs, float(chance))
        for name, of_runs, chance in zip(
            CLUSTERING_SCORES, np.array(values).T, np.mean(chances, axis=0), strict=True
        )
    }
    return Clustering(scores, np.mean(rights, axis=0))


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
) -> tuple[npt.NDArray[np.bool_], tuple[float, ...]]:
    """Return which images the paper's rule names rightly, and the five scores, of one run.

    Clusters are named on the fit images and scored on the others.
    """
    counts = np.zeros((len(nearest), max(fit_truth.max(), truth.max()) + 1), dtype=np.int64)  # (k, labels)
    np.add.at(counts, (fit_clusters, fit_truth), 1)
    one_to_one = np.full(len(nearest), -1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    one_to_one[rows] = columns
    right = fit_truth[nearest][clusters] == truth
    return right, (
        float(np.mean(right)),
        float(np.mean(counts.argmax(axis=1)[clusters] == truth)),
        float(np.mean(one_to_one[clusters] == truth)),
        float(normalized_mutual_info_score(truth, clusters)),
        float(adjusted_rand_score(truth, clusters)),
    )
