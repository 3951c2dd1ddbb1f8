"""Methods side by side: the scores of each run, means over seeds, and differences to one method, with intervals.

Each score of a run is kept with its replicates, its values on other samples of people. All runs are scored on the same
people, so the errors over people of the mean over seeds and of the difference of two methods follow from the
replicates. A difference counts the spread of the trainings too.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from omote.data.face_set import FaceSet
from omote.data.sampling import evenly_spaced
from omote.evaluation.audit_scores import (
    MAX_FACTOR_FRAMES,
    add_note,
    expression_probe_accuracy,
    identity_probe_accuracies,
    leakage_across_expressions,
    paper_accuracy_with_interval,
    prepare_audit_input,
)
from omote.evaluation.representation import Representation, centre, represent_expressions
from omote.evaluation.swaps import score_swaps
from omote.metrics.intervals import (
    CONFIDENCE,
    NORMAL_QUANTILE,
    Comparison,
    add_interval,
    bootstrap_error,
    compare_trainings,
    holm,
    jackknife,
    jackknife_error,
    jackknife_mean,
)
from omote.metrics.readout import mean_r2, read_factors
from omote.metrics.score import AT_MOST_1, Array, Score, mean_score
from omote.runs.trained import Trained

KMEANS_SEEDS = 4  # k-means runs of each bootstrap sample, the default of `bootstrap_accuracies`
PAPER = "accuracy"  # the only score with bootstrap replicates; all others have jackknife replicates
KEYS = ["people", "centred", "score"]
RUN_COLUMNS = [*KEYS, "value", "chance", "reason", "subjects", "others"]
METHOD_COLUMNS = [
    *("people", "method", "centred", "score", "trainings", "mean", "low", "high", "deviation", "chance"),
    *("difference", "difference_low", "difference_high", "p", "same_sign", "pairs", "reason"),
]


def score_run(
    trained: Trained,
    faces: FaceSet,
    held_out: Sequence[str],
    *,
    judge: Trained | None = None,
    k: int = 9,
    seeds: int = 20,
    resamples: int = 100,
) -> pd.DataFrame:
    """Return the scores of a run by which methods are compared, computed as in the audit, with their replicates.

    Of z_e, as it is and less its subject's mean (Eq. 6): the paper's accuracy, a linear probe of other people's
    expressions, how often the nearest code of another expression and a linear probe name the person, and the mean R2 of
    the action units (`au_*`) in the face set. Of images: swaps read back by the run itself and by the judge.

    Args:
        faces: the face set that was trained on, or another.
        held_out: the people the run never saw; on another face set, everyone.
        judge: another run that reads the swaps.
        k: number of clusters.
        seeds: k-means runs.
        resamples: bootstrap samples for the interval of the accuracy.
    Returns:
        `RUN_COLUMNS`, one row a score: people ("test" or "train", those that there are), centred (bool), score, value,
        chance, reason, subjects (number of people with a labelled frame), and others, its replicates: of the accuracy
        those of `omote.metrics.intervals.bootstrap_accuracies`, flattened, of the rest those of
        `omote.metrics.intervals.jackknife`; empty where there are none.
    Raises:
        OmoteError: If the faces have another size than the run or the judge reads.
    """
    frames = faces.frames
    is_test = frames["subject"].isin(list(held_out)).to_numpy(dtype=bool)
    evaluated = (frames["use"] != "train").to_numpy(dtype=bool)
    labelled = evaluated & frames["expression"].notna().to_numpy(dtype=bool)
    z_e = represent_expressions(trained, faces, sorted(set(faces.subjects) - set(held_out)), "z_e")
    table: list[dict[str, Any]] = []

    def add(people: str, centred: bool, scores: dict[str, Score]) -> None:
        for name, score in scores.items():
            row = {"people": people, "centred": centred, "score": name, "subjects": count}
            row |= {"value": score.value, "chance": score.chance, "reason": score.reason}
            table.append({**row, "others": list(score.replicates)})

    for people, rows in (("test", is_test), ("train", ~is_test)):
        if not rows.any():
            continue
        count = frames["subject"][rows & labelled].nunique()
        for codes in (z_e, centre(z_e, frames)):
            add(people, codes.centred, _code_scores(codes.of(rows), frames[rows], k, seeds, resamples))
        scored = np.flatnonzero(rows & evaluated)
        for reader, by in ((trained, "itself"), (judge, "judge")):
            if reader is not None:
                results, pairs = score_swaps(trained, reader, faces, scored)
                swaps = {f"{name}_by_{by}": jackknife_mean(each, pairs) for name, each in results.items()}
                add(people, False, swaps)
    return pd.DataFrame(table, columns=RUN_COLUMNS)


def _code_scores(
    representation: Representation, frames: pd.DataFrame, k: int, seeds: int, resamples: int
) -> dict[str, Score]:
    given = prepare_audit_input(representation, frames)
    labelled = given.coded.of(given.labelled)
    (probe,) = identity_probe_accuracies(given.coded.of(given.scored), ["linear"]).values()

    units = [name for name in given.frames if str(name).startswith("au_")]
    rows = np.array(evenly_spaced(len(given.frames), MAX_FACTOR_FRAMES), dtype=np.int64)
    codes, subjects, *_ = given.coded.of(rows)
    readouts = read_factors(codes, given.frames[units].iloc[rows], subjects)
    scores = {
        PAPER: paper_accuracy_with_interval(labelled, k=k, seeds=seeds, resamples=resamples),
        "expression_probe": expression_probe_accuracy(labelled),
        **add_note({**leakage_across_expressions(labelled), "subject_probe": probe}, given.pushed),
        **jackknife(lambda chosen: {"r2_au": mean_r2(readouts, "au", chosen)}, subjects),
    }
    return add_note(scores, given.note)


def compare_methods(scores: pd.DataFrame, reference: str = "proposed") -> pd.DataFrame:
    """Return each method's scores over its seeds, and their differences to those of the reference.

    Args:
        scores: the tables of `score_run` for runs on the same people, with the further columns method and seed.
    Returns:
        `METHOD_COLUMNS`, one row for each score of a method: the number of trainings; the mean over them, its 95 %
        interval over people (without the deviation between trainings) and that deviation (ddof 1); the mean difference
        to the reference with the same seed, its 95 % interval over people and trainings, its p-value, corrected by
        Holm's procedure for the other differences of the same score to the same people, and how many of the pairs
        differ in the same direction. A mean is nan, with the reason, where the score of one training is.
    """
    rows: list[dict[str, Any]] = []
    for (people, centred, name), of_score in scores.groupby(KEYS, sort=False):
        score = str(name)
        trainings = {
            method: dict(zip(of["seed"], zip(of["value"], of["others"], strict=True), strict=True))
            for method, of in of_score.groupby("method", sort=False)
        }
        for method, own in trainings.items():
            of_method = of_score[of_score["method"] == method]
            people_count = int(of_method["subjects"].min())
            mean = _mean_over_seeds(score, list(own.values()), people_count)
            base = trainings.get(reference, {})
            seeds = [seed for seed in own if seed in base and method != reference]
            differences = [_subtract(own[seed], base[seed]) for seed in seeds]
            difference = _compare(score, differences, people_count)
            reasons = [reason for reason in [*of_method["reason"], mean.reason] if reason]
            rows.append(
                {
                    "people": people,
                    "method": method,
                    "centred": centred,
                    "score": score,
                    "trainings": len(own),
                    "mean": mean.value,
                    "low": mean.low,
                    "high": mean.high,
                    "deviation": mean.deviation,
                    "chance": of_method["chance"].mean(),
                    "difference": difference.value,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    "p": difference.p,
                    "same_sign": sum(np.sign(each) == np.sign(difference.value) for each, _ in differences),
                    "pairs": len(differences),
                    "reason": reasons[0] if reasons else "",
                }
            )
    table = pd.DataFrame(rows, columns=METHOD_COLUMNS)
    compared = table["difference"].notna()
    table.loc[~compared, "p"] = math.nan
    families = table[compared].groupby(["people", "score"])["p"]
    table.loc[compared, "p"] = families.transform(lambda p: holm(p.tolist()))
    return table


def _subtract(one: tuple[float, Array], other: tuple[float, Array]) -> tuple[float, Array]:
    """Return the difference of two values and of their replicates; no replicates where one has none."""
    mine, theirs = (np.asarray(replicates, dtype=np.float64) for _, replicates in (one, other))
    return one[0] - other[0], mine - theirs if len(mine) == len(theirs) else np.zeros(0)


def _compare(score: str, differences: Sequence[tuple[float, Array]], people: int) -> Comparison:
    """Return the mean difference, with its interval over people and trainings."""
    if not differences:
        return Comparison(math.nan)
    error, _, samples = _error_over_people(score, [each for _, each in differences], people)
    return compare_trainings([value for value, _ in differences], error, samples)


def _mean_over_seeds(score: str, trainings: Sequence[tuple[float, Array]], people: int) -> Score:
    """Return the mean, the deviation between trainings and the interval over people."""
    mean = mean_score([value for value, _ in trainings], math.nan)
    if score.startswith("r2"):
        mean = mean._replace(range=AT_MOST_1)
    error, quantile, _ = _error_over_people(score, [each for _, each in trainings], people)
    return add_interval(mean, error, quantile, people)


def _error_over_people(score: str, replicates: Sequence[Array], people: int) -> tuple[float, float, int]:
    """Return the standard error of the mean over trainings, the quantile of its 95 % interval, and on how many people
    or groups of people it rests; the first is nan where a training has no replicates."""
    if len({len(each) for each in replicates}) > 1 or not len(replicates[0]):
        return math.nan, math.nan, people
    values = [np.asarray(each, dtype=np.float64) for each in replicates]
    if score == PAPER:
        error = bootstrap_error([each.reshape(-1, KMEANS_SEEDS) for each in values])
        return error, NORMAL_QUANTILE, people
    groups = len(values[0])
    return jackknife_error(np.mean(values, axis=0)), float(t.ppf((1 + CONFIDENCE) / 2, groups - 1)), groups
