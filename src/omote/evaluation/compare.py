"""Methods side by side: scores of each run, means over seeds, and differences to one method, with intervals.

A run's score is kept together with what it would be with other people. All runs are asked about the same people, so a
mean over seeds, or the difference of two methods, has its interval over people without scoring anything again.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.data.sampling import evenly_spaced
from omote.evaluation.evaluate import KNOWS_ONLY_ITS_PEOPLE
from omote.evaluation.feature import Feature, less_subject_mean
from omote.evaluation.feature_scores import FACTOR_FRAMES, MOST_SCORED, PUSHED_APART
from omote.evaluation.protocol import ACROSS
from omote.evaluation.swaps import audit_swaps
from omote.metrics.bootstrap import interval_over_people, resampled_accuracies
from omote.metrics.clustering import Labelled, clustering_scores, kmeans_runs
from omote.metrics.jackknife import GROUPS, anew, mean
from omote.metrics.leakage import identity_probe, nearest_neighbour_leakage
from omote.metrics.probes import expression_probe
from omote.metrics.readout import mean_r2, readouts
from omote.metrics.score import Answers, Array, Score, numbered
from omote.runs.trained import Trained

KMEANS_PER_DRAW = 4  # k-means seeds for each draw of people
PAPER = "accuracy"  # the one score whose interval is over draws of people; all others leave people out
KEYS = ["people", "centred", "score"]
COLUMNS = [*KEYS, "value", "chance", "reason", "others"]
JOINED = [
    *("people", "method", "centred", "score", "trainings", "mean", "low", "high", "deviation", "chance"),
    *("difference", "difference_low", "difference_high", "same_sign", "pairs", "reason"),
]

Scores = Callable[[Array], dict[str, Score]]


def run_scores(
    trained: Trained,
    faces: FaceSet,
    held_out: Sequence[str],
    *,
    judge: Trained | None = None,
    k: int = 9,
    seeds: int = 20,
    resamples: int = 100,
) -> pd.DataFrame:
    """Return the scores of a run that tell methods apart, as the audit has them, with what other people would make.

    Of z_e, as it is and less its subject's mean (Eq. 6): the paper's accuracy, what a linear probe reads of other
    people's expressions, how often the nearest code of another expression and a linear probe name the person, and the
    mean R2 of the action units (`au_*`) that the face set knows. Of images: swaps read back by the run itself and by
    the judge.

    Args:
        faces: the face set that was trained on, or another.
        held_out: whom the run never saw: on another face set everyone.
        judge: another run that reads the swaps.
        k: number of clusters.
        seeds: k-means runs.
        resamples: draws of people for the interval of the accuracy.
    Returns:
        `COLUMNS`, a row a score: people ("test" or "train", those that there are), centred (bool), score, value,
        chance, reason, and others: what the value would be with other people. Of the accuracy (flat) what
        `omote.metrics.bootstrap.resampled_accuracies` returns, of all else without each group of people of
        `omote.metrics.jackknife.anew`; empty where there is nothing to be had.
    Raises:
        OmoteError: If the faces have another size than the run or the judge reads.
    """
    frames = faces.frames
    is_test = frames["subject"].isin(list(held_out)).to_numpy(dtype=bool)
    known = ~is_test if trained.needs_subject else np.ones(len(frames), dtype=bool)
    codes = np.full((len(frames), trained.info.config.options.latent_size), np.nan, np.float32)
    read = faces.faces if known.all() else faces.faces[known]
    codes[known] = trained.represent(read, frames["subject"][known].tolist())[0]
    z_e = Feature("z_e", codes, missing="" if known.all() else KNOWS_ONLY_ITS_PEOPLE)
    found: list[dict[str, Any]] = []
    for people, rows in (("test", is_test), ("train", ~is_test)):
        if not rows.any():
            continue
        for feature in (z_e, less_subject_mean(z_e, frames)):
            of_code = _code_scores(feature.of(rows), frames[rows], k, seeds, resamples)
            found += [{"people": people, "centred": feature.centred, **score} for score in of_code]
        scored = np.flatnonzero(rows & (frames["use"] != "train").to_numpy(dtype=bool))
        for reader, by in ((trained, "itself"), (judge, "judge")):
            if reader is not None:
                answers, pairs = audit_swaps(trained, reader, faces, scored)
                for name, each in answers.items():
                    of_swaps = _mean_of(f"{name}_by_{by}", each, pairs)
                    found.append({"people": people, "centred": False, **of_swaps})
    return pd.DataFrame(found, columns=COLUMNS)


def _code_scores(
    feature: Feature, frames: pd.DataFrame, k: int, seeds: int, resamples: int
) -> list[dict[str, Any]]:
    known = np.isfinite(feature.mean).all(axis=1)
    note = "" if known.all() else feature.missing or "some frames have no code"
    codes, frames = feature.mean[known].astype(np.float64), frames.iloc[np.flatnonzero(known)]
    subjects, clips = (frames[name].to_numpy(dtype=object).astype(str) for name in ("subject", "clip"))
    expressions = frames["expression"].to_numpy(dtype=object)
    scored = np.flatnonzero(frames["use"] != "train")
    scored = scored[evenly_spaced(len(scored), MOST_SCORED)]
    labelled = scored[pd.notna(expressions[scored])]

    def nearest(rows: Array) -> dict[str, Score]:
        rows = labelled[rows]
        return {
            ACROSS: nearest_neighbour_leakage(codes[rows], subjects[rows], clips[rows], expressions[rows])
        }

    def probed(rows: Array) -> Answers:
        return identity_probe(codes[scored[rows]], subjects[scored[rows]], clips[scored[rows]])

    # with few people the interval has to count what the probe was fitted on, as in the audit
    if len(np.unique(subjects[scored])) <= GROUPS:
        of_probe = _with_others(lambda rows: {"subject_probe": mean(probed(rows))}, subjects[scored])
    else:
        of_probe = [_mean_of("subject_probe", probed(np.arange(len(scored))), subjects[scored])]
    leaks = _with_others(nearest, subjects[labelled]) + of_probe
    if feature.centred and (frames["use"] == "both").any():
        leaks = [_noted(leak, PUSHED_APART) for leak in leaks]

    units = [name for name in frames if str(name).startswith("au_")]
    rows = np.array(evenly_spaced(len(frames), FACTOR_FRAMES), dtype=np.int64)
    read = readouts(codes[rows], frames[units].iloc[rows], subjects[rows])
    return [
        _noted(score, note)
        for score in (
            _accuracy(
                codes[labelled],
                expressions[labelled],
                subjects[labelled],
                clips[labelled],
                k,
                seeds,
                resamples,
            ),
            _mean_of(
                "expression_probe",
                expression_probe(codes[labelled], expressions[labelled], subjects[labelled]),
                subjects[labelled],
            ),
            *leaks,
            *_with_others(lambda chosen: {"r2_au": mean_r2(read, "au", chosen)}, subjects[rows]),
        )
    ]


def _accuracy(
    codes: Array, expressions: Array, subjects: Array, clips: Array, k: int, seeds: int, resamples: int
) -> dict[str, Any]:
    to_cluster = Labelled(codes, expressions, numbered(subjects, clips) if len(codes) else clips)
    score = clustering_scores(kmeans_runs(to_cluster, k=k, seeds=seeds)).scores[PAPER]
    drawn = resampled_accuracies(to_cluster, subjects, k=k, resamples=resamples, seeds=KMEANS_PER_DRAW)
    return _row(PAPER, score, drawn.ravel().tolist())


def _with_others(scores: Scores, subjects: Array) -> list[dict[str, Any]]:
    """Return rows of the table, with the values without each group of people that `anew` leaves out."""
    found: list[dict[str, Score]] = []

    def kept(rows: Array) -> dict[str, Score]:
        found.append(scores(rows))
        return found[-1]

    whole = anew(kept, subjects)  # which says where there is no interval, and why
    return [_row(name, score, [each[name].value for each in found[1:]]) for name, score in whole.items()]


def _mean_of(name: str, answers: Answers, subjects: Array) -> dict[str, Any]:
    """Return the row of the mean of the answers, as `omote.metrics.jackknife.mean_of`."""
    asked = np.isfinite(answers.values)
    if not asked.any():
        return _row(name, mean(answers), [])
    values = answers.values[asked]
    return _with_others(lambda rows: {name: mean(answers._replace(values=values[rows]))}, subjects[asked])[0]


def _row(name: str, score: Score, others: list[float]) -> dict[str, Any]:
    return {
        "score": name,
        "value": score.value,
        "chance": score.chance,
        "reason": score.reason,
        "others": others,
    }


def _noted(row: dict[str, Any], note: str) -> dict[str, Any]:
    return {**row, "reason": "; ".join(filter(None, (note, row["reason"])))}


class _Estimate(NamedTuple):
    """A mean over trainings, with its interval over people, and the values of each training."""

    value: float
    low: float
    high: float
    each: Array


def joined(scores: pd.DataFrame, reference: str = "proposed") -> pd.DataFrame:
    """Return each method's scores over its seeds, and how far they are from those of the reference.

    Args:
        scores: what `run_scores` returned for each run, of the same people, with the columns method and seed.
    Returns:
        `JOINED`, a row a score of a method: how many trainings; mean over them, its 95 % interval over people (the
        deviation between trainings is not in it), deviation between trainings (ddof 1); the mean of the differences to
        the reference of the same seed, with its interval over people, and for how many of the pairs the difference
        has the sign of that mean. A mean is nan, with the reason, where it is so for one of the trainings.
    """
    rows = []
    for (people, centred, name), of_score in scores.groupby(KEYS, sort=False):
        score = str(name)
        trainings = {
            method: dict(zip(of["seed"], zip(of["value"], of["others"], strict=True), strict=True))
            for method, of in of_score.groupby("method", sort=False)
        }
        for method, own in trainings.items():
            of_method = of_score[of_score["method"] == method]
            found = _over_seeds(score, list(own.values()))
            base = trainings.get(reference, {})
            pairs = [(own[seed], base[seed]) for seed in own if seed in base and method != reference]
            less = _over_seeds(score, [_less(*pair) for pair in pairs])
            reasons = [reason for reason in of_method["reason"] if reason]
            rows.append(
                {
                    "people": people,
                    "method": method,
                    "centred": centred,
                    "score": score,
                    "trainings": len(own),
                    "mean": found.value,
                    "low": found.low,
                    "high": found.high,
                    "deviation": found.each.std(ddof=1) if len(own) > 1 else math.nan,
                    "chance": of_method["chance"].mean(),
                    "difference": less.value,
                    "difference_low": less.low,
                    "difference_high": less.high,
                    "same_sign": int((np.sign(less.each) == np.sign(less.value)).sum()),
                    "pairs": len(pairs),
                    "reason": reasons[0] if reasons else "",
                }
            )
    return pd.DataFrame(rows, columns=JOINED)


def _less(one: tuple[float, Array], other: tuple[float, Array]) -> tuple[float, Array]:
    """Return the difference of two values with other people; no others where one of them has none."""
    mine, theirs = (np.asarray(others, dtype=np.float64) for _, others in (one, other))
    return one[0] - other[0], mine - theirs if len(mine) == len(theirs) else np.zeros(0)


def _over_seeds(score: str, trainings: Sequence[tuple[float, Array]]) -> _Estimate:
    each = np.array([value for value, _ in trainings])
    if not len(each) or not np.isfinite(each).all():
        return _Estimate(math.nan, math.nan, math.nan, each)
    value = float(each.mean())
    others = [np.asarray(others, dtype=np.float64) for _, others in trainings]
    if len({len(of_one) for of_one in others}) > 1 or not len(others[0]):
        return _Estimate(value, math.nan, math.nan, each)
    if score == PAPER:
        drawn = [of_one.reshape(-1, KMEANS_PER_DRAW) for of_one in others]
        return _Estimate(value, *interval_over_people(value, drawn), each)
    values = iter([value, *np.mean(others, axis=0)])  # in the order in which `anew` asks
    found = anew(lambda rows: {score: Score(float(next(values)))}, np.arange(len(others[0])))[score]
    return _Estimate(value, found.low, found.high, each)
