"""How often the 95 % interval over people holds the truth, on made codes whose truth is known.

Each trial makes codes of new people with 8 expressions, 3 frames each; a person shifts all their codes, and two methods
of equal worth share half of that shift. The truth is the mean accuracy over all trials, and no difference. Beside it,
what an interval over people in clusters that stay as they are holds.

    python benchmarks/intervals.py [trials]       # 40 trials take some minutes
"""

import sys

import numpy as np
from numpy.typing import NDArray

from omote.evaluation.bootstrap import interval_over_people, resampled_accuracies
from omote.evaluation.clustering import Labelled, clustering_scores, kmeans_runs

EXPRESSIONS, FRAMES, SIZE = 8, 3, 8
CENTRES = 1.2 * np.random.default_rng(0).normal(size=(EXPRESSIONS, SIZE))


def two_methods(seed: int, people: int) -> tuple[list[Labelled], NDArray[np.str_]]:
    """Return the codes of the same people by two methods, and who each frame is of."""
    rng = np.random.default_rng(seed)
    expression = np.tile(np.repeat(np.arange(EXPRESSIONS), FRAMES), people)
    who = np.repeat(np.arange(people), EXPRESSIONS * FRAMES)
    shared = rng.normal(0, 0.56, (people, SIZE))
    methods = []
    for _ in range(2):
        shift = shared + rng.normal(0, 0.56, (people, SIZE))
        clip = rng.normal(0, 0.5, (people * EXPRESSIONS, SIZE)).repeat(FRAMES, 0)
        codes = CENTRES[expression] + shift[who] + clip + rng.normal(0, 0.2, (len(who), SIZE))
        methods.append(Labelled(codes, expression.astype(str)))
    return methods, who.astype(str)


def fixed_clusters(right: NDArray[np.float64], who: NDArray[np.str_]) -> float:
    """Return the standard error if only who is counted changes, (resampled shares of right images by person)."""
    each = np.array([right[who == person].mean() for person in np.unique(who)])
    drawn = np.random.default_rng(0).choice(each, (1000, len(each)))
    return float(drawn.mean(1).std(ddof=1))


def main(trials: int) -> None:
    print("people  accuracy  holds the truth  no difference held  with fixed clusters (accuracy)")
    for people in (12, 48):
        values, errors, fixed, differences = [], [], [], []
        for seed in range(trials):
            methods, who = two_methods(seed, people)
            drawn = [resampled_accuracies(codes, who) for codes in methods]
            found = [clustering_scores(kmeans_runs(codes, seeds=50)) for codes in methods]
            of_trial = [each.scores["accuracy"].value for each in found]
            values += of_trial
            errors += [interval_over_people(0.0, [each]).high for each in drawn]
            fixed += [1.96 * fixed_clusters(each.right, who) for each in found]
            low, high = interval_over_people(of_trial[1] - of_trial[0], [drawn[1] - drawn[0]])
            differences.append(low <= 0 <= high)
        away = np.abs(np.array(values) - np.mean(values))
        print(
            f"{people:6}  {np.mean(values):8.2f}  {np.mean(away <= errors):15.0%}  {np.mean(differences):18.0%}  "
            f"{np.mean(away <= fixed):19.0%}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
