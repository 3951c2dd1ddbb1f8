"""Time the clustering, leakage and probe scores beside scikit-learn's k-means, at the paper's number of images.

    python benchmarks/evaluation.py [--images 2037] [--runs 100]

Prints the best of three times each, in seconds; the three passes alternate. Beyond k-means itself, the clustering
scores name the clusters in three ways and compute NMI, ARI and the chance level of each.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.metrics.clustering import LabelledFeatures, clustering_scores, run_kmeans
from omote.metrics.leakage import leakage_scores
from omote.metrics.probes import probe_scores

SUBJECTS, EXPRESSIONS, FRAMES_OF_CLIP = 195, 8, 3


def make_features(images: int, width: int = 64) -> tuple[LabelledFeatures, np.ndarray]:
    """Return features that hold some of the expression and some of the subject, and the subjects."""
    rng = np.random.default_rng(0)
    clips = np.arange(images) // FRAMES_OF_CLIP
    subjects = clips % SUBJECTS
    expressions = (clips // SUBJECTS) % EXPRESSIONS
    features = (
        rng.normal(size=(images, width))
        + rng.normal(size=(EXPRESSIONS, width))[expressions]
        + 0.5 * rng.normal(size=(SUBJECTS, width))[subjects]
    )
    return LabelledFeatures(features.astype(np.float32), expressions, clips), subjects


def measure_seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2037)
    parser.add_argument("--runs", type=int, default=100)
    args = parser.parse_args()
    labelled, subjects = make_features(args.images)
    wide = labelled.features.astype(np.float64)

    def plain() -> None:
        with threadpool_limits(1):
            for seed in range(args.runs):
                KMeans(9, n_init=1, random_state=seed).fit(wide)

    calls: dict[str, Callable[[], object]] = {
        "k-means alone, plain loop (scikit-learn)": plain,
        "clustering_scores: five scores with chance": lambda: clustering_scores(
            run_kmeans(labelled, seeds=args.runs)
        ),
        "leakage_scores (nearest neighbour, probe)": lambda: leakage_scores(
            labelled.features, subjects, labelled.clips
        ),
        "probe_scores": lambda: probe_scores(labelled.features, labelled.labels, subjects),
    }
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(3):
        for name, call in calls.items():
            best[name] = min(best[name], measure_seconds(call))
    print(f"{args.images} x {wide.shape[1]}, {args.runs} runs")
    for name, taken in best.items():
        print(f"{taken:8.2f} s  {name}")


if __name__ == "__main__":
    main()
