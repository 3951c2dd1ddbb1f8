"""Measure the coverage of the 95 % intervals, and the rate of false verdicts, on synthetic codes and scores.

First the bootstrap interval of the clustering accuracy. Each trial makes codes of new people with 8 expressions, 3
frames each. Each person shifts all their codes; two equally good methods share half of that shift. The true accuracy is
the mean over all trials, the true difference is 0. For comparison: an interval that resamples people but keeps the
clusters.

Then the jackknife intervals of the audit's scores, in twice as many trials: one code, 8 clips of one frame per person.
The deviation between people is small or large ("apart"), and each person has a scatter of their own. For comparison:
how far the score scatters between trials, and the standard error by the intervals (root mean square). "a mean" is the
reference: the mean over people of a normally distributed number.

    python benchmarks/intervals.py [trials]             # 40 trials take some minutes
    python benchmarks/intervals.py verdicts [reports]   # 5000 reports take some minutes

With "verdicts": reports of ten claims each, whose people and trainings scatter as those of
docs/results/paper_small.md. How often is a claim settled, and a report with any claim wrong, if all rows are equally
good; how many claims are settled if each true difference is 5, 10 or 20 points. The rules: that of omote,
`compare_trainings` with `holm`; the same without `holm`; Satterthwaite's degrees of freedom, with `holm`; and an
interval over people alone, with the same sign in all trainings.
"""

import math
import sys

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from omote.metrics.clustering import LabelledFeatures, clustering_scores, run_kmeans
from omote.metrics.intervals import (
    GROUPS,
    bootstrap_accuracies,
    bootstrap_error,
    compare_trainings,
    holm,
    jackknife,
    jackknife_error,
    jackknife_mean,
)
from omote.metrics.leakage import identity_probe, nearest_neighbour_leakage
from omote.metrics.probes import expression_probe
from omote.metrics.retrieval import retrieval_scores
from omote.metrics.score import PerRowResults, Score
from omote.metrics.verification import verification_scores

EXPRESSIONS, FRAMES, SIZE = 8, 3, 8
CENTRES = 1.2 * np.random.default_rng(0).normal(size=(EXPRESSIONS, SIZE))


def two_methods(seed: int, people: int) -> tuple[list[LabelledFeatures], NDArray[np.str_]]:
    """Return the codes of the same people by two methods, and the subject of each frame."""
    rng = np.random.default_rng(seed)
    expression = np.tile(np.repeat(np.arange(EXPRESSIONS), FRAMES), people)
    who = np.repeat(np.arange(people), EXPRESSIONS * FRAMES)
    shared = rng.normal(0, 0.56, (people, SIZE))
    methods = []
    for _ in range(2):
        shift = shared + rng.normal(0, 0.56, (people, SIZE))
        clip = rng.normal(0, 0.5, (people * EXPRESSIONS, SIZE)).repeat(FRAMES, 0)
        codes = CENTRES[expression] + shift[who] + clip + rng.normal(0, 0.2, (len(who), SIZE))
        methods.append(LabelledFeatures(codes, expression.astype(str)))
    return methods, who.astype(str)


def fixed_clusters_error(right: NDArray[np.float64], who: NDArray[np.str_]) -> float:
    """Return the standard error over people in fixed clusters: of resampled shares of right images per person."""
    each = np.array([right[who == person].mean() for person in np.unique(who)])
    drawn = np.random.default_rng(0).choice(each, (1000, len(each)))
    return float(drawn.mean(1).std(ddof=1))


def audit_scores(seed: int, people: int, apart: float) -> dict[str, Score]:
    """Return the audit's scores of a code of new people, with intervals."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), EXPRESSIONS)
    expression = np.tile(np.arange(EXPRESSIONS), people)
    middle = rng.normal(0, apart, (people, SIZE))
    scatter = rng.lognormal(-0.7, 0.3, people)
    codes = 0.5 * CENTRES[expression] + middle[who] + scatter[who, None] * rng.normal(size=(len(who), SIZE))

    def scores(rows: NDArray[np.int64]) -> dict[str, Score]:
        x, subject, shown = codes[rows], who[rows], expression[rows]
        return {
            "nearest neighbour": nearest_neighbour_leakage(x, subject, shown),
            **verification_scores(x, subject, shown),
            **retrieval_scores(x, shown, subject, ks=(1, 5)),
        }

    def probe(rows: NDArray[np.int64]) -> dict[str, Score]:
        results = identity_probe(codes[rows], who[rows], expression[rows])
        return {"linear identity probe": jackknife_mean(results, who[rows])}

    return {
        **jackknife(scores, who),
        **(jackknife(probe, who) if people <= GROUPS else probe(np.arange(len(who)))),  # as in the audit
        "linear expression probe": jackknife_mean(expression_probe(codes, expression, who), who),
        "a mean": jackknife_mean(PerRowResults(rng.normal(0.5, 0.1, people)[who]), who),
    }


def print_jackknife_coverage(trials: int) -> None:
    print("people  apart  score                       value  scatters by  intervals say  holds the truth")
    for people, apart in ((12, 0.25), (12, 0.8), (48, 0.25), (48, 0.8)):
        found = [audit_scores(seed, people, apart) for seed in range(trials)]
        for name in found[0]:
            of_name = [each[name] for each in found]
            value, errors = np.array(
                [(score.value, jackknife_error(score.replicates)) for score in of_name]
            ).T
            if not np.isfinite(value).all():
                continue  # too few impostor pairs among so few people
            reach = errors * t.ppf(0.975, min(people, GROUPS) - 1)
            held = np.abs(value - value.mean()) <= reach
            print(
                f"{people:6}  {apart:5.2f}  {name:23}  {value.mean():8.3f}  {value.std(ddof=1):11.3f}  "
                f"{np.sqrt(np.mean(errors**2)):13.3f}  {np.mean(held):15.0%}"
            )


# Claims of docs/results/paper_small.md: people, standard error over people, deviation of trainings, in points
SPREADS = (
    (48, 0.86, 2.87), (48, 1.15, 1.76), (48, 1.73, 1.74), (48, 1.85, 2.08), (48, 0.71, 1.20),
    (12, 0.97, 2.39), (12, 1.17, 1.24), (12, 2.14, 3.84), (12, 1.33, 0.86), (12, 2.93, 3.49),
)  # fmt: skip


def settled(trainings: int, apart: float, rng: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """Return, for each rule, which of ten claims of a new report are settled."""
    ours, satterthwaite, people_only = [], [], []
    for people, over_people, over_trainings in SPREADS:
        own = rng.normal(0, over_people * math.sqrt(people), people)  # of each person, in every training
        means = apart + own.mean() + rng.normal(0, over_trainings, trainings)
        error = own.std(ddof=1) / math.sqrt(people)
        ours.append(compare_trainings(means.tolist(), error, people).p)
        variances = np.array([error**2, means.var(ddof=1) / trainings])
        degrees = variances.sum() ** 2 / (variances**2 / [people - 1, trainings - 1]).sum()
        satterthwaite.append(2 * t.sf(abs(means.mean()) / math.sqrt(variances.sum()), degrees))
        people_only.append(abs(means.mean()) > 1.96 * error and abs(np.sign(means).sum()) == trainings)
    return {
        "omote": np.array(holm(ours)) <= 0.05,
        "omote, without Holm": np.array(ours) <= 0.05,
        "Satterthwaite": np.array(holm(satterthwaite)) <= 0.05,
        "people alone": np.array(people_only),
    }


def print_verdicts(reports: int) -> None:
    print(
        "trainings  rule                  false claims  reports with one  settled at 5  at 10  at 20 points"
    )
    for trainings in (3, 5, 10):
        rng = np.random.default_rng(0)
        found = {
            apart: [settled(trainings, apart, rng) for _ in range(reports if apart == 0 else reports // 5)]
            for apart in (0, 5, 10, 20)
        }
        for rule in found[0][0]:
            wrong = np.array([each[rule] for each in found[0]])
            rates = [np.mean([each[rule] for each in found[apart]]) for apart in (5, 10, 20)]
            shown = "  ".join(f"{rate:6.0%}" for rate in rates)
            print(
                f"{trainings:9}  {rule:20}  {wrong.mean():12.2%}  {wrong.any(axis=1).mean():16.1%}  {shown}",
                flush=True,
            )


def main(trials: int) -> None:
    print("people  accuracy  holds the truth  no difference held  with fixed clusters (accuracy)")
    for people in (12, 48):
        values, errors, fixed, differences = [], [], [], []
        for seed in range(trials):
            methods, who = two_methods(seed, people)
            drawn = [bootstrap_accuracies(codes, who) for codes in methods]
            found = [clustering_scores(run_kmeans(codes, seeds=50)) for codes in methods]
            of_trial = [each.scores["accuracy"].value for each in found]
            values += of_trial
            errors += [1.96 * bootstrap_error([each]) for each in drawn]
            fixed += [1.96 * fixed_clusters_error(each.right, who) for each in found]
            apart = abs(of_trial[1] - of_trial[0])
            differences.append(apart <= 1.96 * bootstrap_error([drawn[1] - drawn[0]]))
        away = np.abs(np.array(values) - np.mean(values))
        print(
            f"{people:6}  {np.mean(values):8.2f}  {np.mean(away <= errors):15.0%}  {np.mean(differences):18.0%}  "
            f"{np.mean(away <= fixed):19.0%}"
        )
    print()
    print_jackknife_coverage(2 * trials)


if __name__ == "__main__":
    if sys.argv[1:2] == ["verdicts"]:
        print_verdicts(int(sys.argv[2]) if len(sys.argv) > 2 else 5000)
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
