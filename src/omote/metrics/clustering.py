"""The paper's clustering score (Table 3), which is `paper_accuracy`, and four other scores of the same clusters."""

import warnings
from collections.abc import Callable, Sequence
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

from omote.metrics.score import Array, Score, as_labels, factorize, mean_score, no_score, why_unscorable

Labels = npt.NDArray[np.int64]  # 0..L-1; -1 for a cluster without a name

MAX_THREADS = 16  # each holds a copy of the features
CLUSTERING_SCORES = ("accuracy", "majority_accuracy", "one_to_one_accuracy", "nmi", "ari")


class LabelledFeatures(NamedTuple):
    """Features (N, D), their labels (N,) and clips (N,), or None where every frame is its own clip.

    Clip ids must be unique across people.
    """

    features: Array
    labels: Any
    clips: Any = None


class Clusters(NamedTuple):
    """One run of k-means: the fitted model, and (k,) the row nearest each centroid among those of its cluster."""

    model: KMeans
    nearest: Labels


class KMeansRuns(NamedTuple):
    """Runs of k-means on one set; `reason` says why there are none."""

    fitted: LabelledFeatures
    runs: list[Clusters]
    reason: str = ""


class Clustering(NamedTuple):
    """The scores of a set, and how often each image was labelled correctly.

    `right` is (N,) the share of the runs in which the paper's rule names the image's label; nan without a score.
    """

    scores: dict[str, Score]
    right: Array


def paper_accuracy(labelled: LabelledFeatures, *, k: int = 9, seeds: int = 100) -> Score:
    """Return the clustering score of the paper's Table 3: the mean accuracy over runs of k-means, and its deviation.

    The rule, for each seed 0 .. seeds-1: cluster the unscaled codes (Euclidean, k-means++, one initialisation); name
    each cluster after the expression of the image nearest its centroid (`fit_clusters`); the accuracy is the share of
    images whose expression is their cluster's name. The clusters are fitted on the images that are scored.

    Args:
        labelled: codes (N, 64) and expressions (N,) of the images; clips matter for the chance level alone.
    Returns:
        See `clustering_scores`, of which this is "accuracy".
    """
    return clustering_scores(run_kmeans(labelled, k=k, seeds=seeds), names=("accuracy",)).scores["accuracy"]


def fit_clusters(features: Array, k: int, seed: int, weights: Array | None = None) -> Clusters:
    """Return one run of k-means++ and the images that name its clusters by the paper's rule.

    A cluster has the label of its image nearest the centroid (Euclidean; of equally near ones, the first).

    Args:
        features: (N, D) float64, N at least k.
        weights: (N,) of the images, all 1 if not given.
    """
    model = KMeans(k, init="k-means++", n_init=1, random_state=seed)
    distances = model.fit_transform(features, sample_weight=weights)
    distances[model.labels_[:, None] != np.arange(k)] = np.inf
    return Clusters(model, distances.argmin(axis=0))


def run_kmeans(labelled: LabelledFeatures, *, k: int = 9, seeds: int = 100) -> KMeansRuns:
    """Return the runs of k-means on a set, with the seeds 0 .. seeds-1.

    Returns:
        No runs, with the reason, if there are no images, NaN or collapsed features, one label only, or fewer
        distinct features than clusters.
    Raises:
        ValueError: If features and labels differ in length, or a label is missing.
    """
    reason = why_unscorable(labelled.features, as_labels(labelled.labels), "expression")
    if reason is None and len(labelled.features) < k:
        reason = f"{len(labelled.features)} images are fewer than {k} clusters"
    if reason is not None:
        return KMeansRuns(labelled, [], reason)
    features = labelled.features.astype(np.float64)

    # Parallel runs of one thread each are faster than one run on all threads; neither changes the result.
    pool = ThreadPoolExecutor(min(cpu_count(), MAX_THREADS), initializer=threadpool_limits, initargs=(1,))
    with threadpool_limits(1), warnings.catch_warnings(), pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # empty clusters are checked for below
        runs = list(pool.map(lambda seed: fit_clusters(features, k, seed), range(seeds)))
    for model, _ in runs:
        if (found := len(np.unique(model.labels_))) < k:
            reason = f"there are fewer different features than clusters ({found} of {k} found)"
            return KMeansRuns(labelled, [], reason)
    return KMeansRuns(labelled, runs)


def clustering_scores(
    kmeans: KMeansRuns,
    applied_to: LabelledFeatures | None = None,
    *,
    names: Sequence[str] = CLUSTERING_SCORES,
) -> Clustering:
    """Return the named `CLUSTERING_SCORES`, mean and deviation over the runs, and how often each image was right.

    - accuracy: the paper's; a cluster has the label of its image nearest the centroid (`fit_clusters`).
    - majority_accuracy: a cluster has its most frequent label (of equally frequent ones, the first in sorted order).
    - one_to_one_accuracy: each label names at most one cluster, assigned to get most images right (Hungarian
      algorithm); images of a cluster without a name count as wrong.
    - nmi: normalised mutual information (arithmetic mean); ari: adjusted Rand index. These need no names.

    The chance level is the score of the same clusters with shuffled labels: one shuffle for each run, mean over the
    runs. Frames of one clip with the same label are shuffled together, since they lie close together in any code.

    Args:
        kmeans: the runs; clusters are named on the set they were fitted on.
        applied_to: the set to score ("fitted on train, applied to test"), each image in the cluster of the nearest
            centroid; without it, the set the clusters were fitted on.
        names: of the scores; the paper's alone takes a tenth of the time.
    Returns:
        The scores; all nan with one reason if there are no runs, or `applied_to` has no images, NaN or collapsed
        features, or one label only.
    Raises:
        ValueError: If features and labels differ in length, or a label is missing.
    """
    fitted, runs, reason = kmeans
    scored = fitted if applied_to is None else applied_to
    fit_labels, scored_labels = as_labels(fitted.labels), as_labels(scored.labels)
    if applied_to is not None:
        not_fitted = f"in the set fitted on, {reason}" if reason else ""
        reason = why_unscorable(scored.features, scored_labels, "expression") or not_fitted
    if reason:
        nothing = dict.fromkeys(names, no_score(reason))
        return Clustering(nothing, np.full(len(scored_labels), np.nan))

    both = np.unique(np.concatenate([fit_labels, scored_labels]))
    fit_truth, scored_truth = np.searchsorted(both, fit_labels), np.searchsorted(both, scored_labels)
    fit_units = _shuffle_units(fitted.clips, fit_truth)
    scored_units = _shuffle_units(scored.clips, scored_truth)
    features = scored.features.astype(np.float64)

    rights, values, chances = [], [], []
    with threadpool_limits(1):
        for seed, (model, nearest) in enumerate(runs):
            fit_assigned = model.labels_
            clusters = fit_assigned if applied_to is None else model.predict(features)
            right, of_run = _score_run(names, fit_assigned, fit_truth, nearest, clusters, scored_truth)
            rights.append(right)
            values.append(of_run)
            rng = np.random.default_rng(seed)
            fit_shuffled = _shuffle(fit_truth, fit_units, rng)
            shuffled = fit_shuffled if applied_to is None else _shuffle(scored_truth, scored_units, rng)
            chances.append(_score_run(names, fit_assigned, fit_shuffled, nearest, clusters, shuffled)[1])
    scores = {
        name: mean_score(of_runs, float(chance))
        for name, of_runs, chance in zip(names, np.array(values).T, np.mean(chances, axis=0), strict=True)
    }
    return Clustering(scores, np.mean(rights, axis=0))


def _shuffle_units(clips: Any, truth: Labels) -> Labels:
    """Return (N,) unit numbers: frames of one clip with the same label share one."""
    return np.arange(len(truth)) if clips is None else factorize(as_labels(clips), truth)


def _shuffle(truth: Labels, units: Labels, rng: np.random.Generator) -> Labels:
    """Return (N,) labels after a random permutation between units."""
    of_unit = np.zeros(units.max() + 1, dtype=np.int64)
    of_unit[units] = truth
    return rng.permutation(of_unit)[units]


def _score_run(
    names: Sequence[str],
    fit_assigned: Labels,
    fit_truth: Labels,
    nearest: Labels,
    clusters: Labels,
    truth: Labels,
) -> tuple[npt.NDArray[np.bool_], tuple[float, ...]]:
    """Return which images the paper's rule names rightly, and the named scores, of one run.

    Clusters are named on the fitted images (`fit_*`) and scored on `clusters` and `truth`, which
    may be the same images.
    """
    counts = np.zeros((len(nearest), max(fit_truth.max(), truth.max()) + 1), dtype=np.int64)  # (k, labels)
    np.add.at(counts, (fit_assigned, fit_truth), 1)
    right = fit_truth[nearest][clusters] == truth

    def share_one_to_one() -> float:
        one_to_one = np.full(len(nearest), -1)
        rows, columns = linear_sum_assignment(counts, maximize=True)
        one_to_one[rows] = columns
        return float(np.mean(one_to_one[clusters] == truth))

    score: dict[str, Callable[[], float]] = {
        "accuracy": lambda: float(np.mean(right)),
        "majority_accuracy": lambda: float(np.mean(counts.argmax(axis=1)[clusters] == truth)),
        "one_to_one_accuracy": share_one_to_one,
        "nmi": lambda: float(normalized_mutual_info_score(truth, clusters)),
        "ari": lambda: float(adjusted_rand_score(truth, clusters)),
    }
    return right, tuple(score[name]() for name in names)
