"""Summarise the scores of all trainings: means, spreads and paired differences."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.boundary import reading
from omote.data.face_set import FaceSet
from omote.data.splits import describe_subjects
from omote.errors import OmoteError
from omote.evaluation.protocol import People, Scores
from omote.metrics.intervals import NORMAL_QUANTILE, add_interval, bootstrap_error, compare_trainings
from omote.metrics.score import Array, Score
from omote.reproduction.claims import ORDERS, PEOPLE
from omote.reproduction.plan import Plan, Training
from omote.reproduction.results import Difference, Estimate, Results, RowResult
from omote.reproduction.rows import ONE_PASS, ROWS
from omote.runs.info import read_training

# scores in addition to the accuracy of the paper
OTHER_SCORES = (
    "majority_accuracy",
    "one_to_one_accuracy",
    "nmi",
    "ari",
    "probe_accuracy",
    "subject_nearest_neighbour_across_expressions",
)
ByTraining = dict[tuple[int, int], Scores]  # (seed, fold) -> scores


def summarise(plan: Plan) -> Results:
    """Return the results of a plan after `execute`.

    Raises:
        OmoteError: If scores or the record of a training are damaged, or are not of a reproduction.
    """
    scores: defaultdict[int, ByTraining] = defaultdict(dict)
    repetitions: list[tuple[Any, ...]] = []
    for training in plan.trainings:
        for row, folder in training.scores(plan.rows).items():
            scores[row][training.seed, training.fold or 0] = _read_scores(folder, PEOPLE)
        for repetition, (_, folder) in enumerate(training.repetition_scores(), 1):
            found, place = _read_scores(folder), (training.row, training.seed, repetition)
            accuracies = {people: found.get(people, "expression", "accuracy") for people in PEOPLE}
            repetitions += [
                (*place, people, each.value, each.deviation) for people, each in accuracies.items()
            ]
    trained = [each for row in plan.rows for each in scores[row].values()]
    if len({each.resampled[people].shape for each in trained for people in PEOPLE}) > 1:
        folder = plan.to / "scores"
        raise OmoteError(
            f"The scores in {folder} do not fit together. Remove it, and give the same command again."
        )
    rows = [
        RowResult(
            ROWS[row],
            {people: _accuracy(scores[row], people) for people in PEOPLE},
            {
                people: {name: _estimate(scores[row], people, name) for name in OTHER_SCORES}
                for people in PEOPLE
            },
        )
        for row in plan.rows
    ]
    pairs = [(order.low, high) for order in ORDERS for high in order.high]
    differences = [
        _difference(first, second, people, scores)
        for first, second in pairs
        if {first, second} <= set(plan.rows)
        for people in PEOPLE
        if not np.isnan([_value(scores[row], people) for row in (first, second)]).any()
    ]
    columns = ["row", "seed", "repetition", "people", "value", "deviation"]
    table = pd.DataFrame(repetitions, columns=columns)
    table = table.groupby(columns[:4], sort=False).agg(_mean).reset_index()  # over the folds
    return Results(rows, differences, table, _about(plan, scores))


def _read_scores(folder: Path, resampled: Sequence[People] = ()) -> Scores:
    """Return scores that have what is summarised; those of people `resampled` with replicates for the intervals."""
    scores = Scores.load(folder)
    with reading(
        folder / "scores.json",
        "the scores of a training",
        f"Remove {folder}, and give the same command again",
    ):
        for people, name in product(PEOPLE, ("accuracy", *OTHER_SCORES)):
            scores.get(people, "expression", name)
        for people in resampled:
            _ = scores.resampled[people]
    return scores


def _accuracy(trainings: ByTraining, people: People) -> Estimate:
    """Return the paper's accuracy with its interval over people."""
    estimate = _estimate(trainings, people, "accuracy")
    if np.isnan(estimate.value):
        return estimate
    error = bootstrap_error(_resampled(trainings, people))
    score = Score(estimate.value, reason=estimate.reason)
    score = add_interval(score, error, NORMAL_QUANTILE, _count_people(trainings, people))
    return estimate._replace(low=score.low, high=score.high, reason=score.reason)


def _count_people(trainings: ByTraining, people: People) -> int:
    return len({who for scores in trainings.values() for who in scores.subjects(people)})


def _estimate(trainings: ByTraining, people: People, name: str) -> Estimate:
    """Return a score of the expression code over the trainings, without its interval over people."""
    each = {key: scores.get(people, "expression", name) for key, scores in trainings.items()}
    by_seed = _by_seed(each)
    known = list(each.values())
    return Estimate(
        value=float(np.mean(by_seed)),
        kmeans_deviation=float(np.mean([score.deviation for score in known])),
        training_deviation=float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else float("nan"),
        low=float("nan"),
        high=float("nan"),
        chance=float(np.mean([score.chance for score in known])),
        reason=_reason(known),
    )


def _mean(values: "pd.Series[float]") -> float:
    return float(values.mean(skipna=False))  # a collapsed training must not be ignored


def _reason(scores: list[Score]) -> str:
    """Return the first reason; if only some trainings have one, also their number."""
    given = [score.reason for score in scores if score.reason]
    if not given or len(given) == len(scores):
        return given[0] if given else ""
    return f"{len(given)} of {len(scores)} trainings: {given[0]}"


def _by_seed(each: dict[tuple[int, int], Score]) -> list[float]:
    """Return one value per training seed: the mean over its folds."""
    seeds = sorted({seed for seed, _ in each})
    return [float(np.mean([score.value for (s, _), score in each.items() if s == seed])) for seed in seeds]


def _value(trainings: ByTraining, people: People) -> float:
    return _estimate(trainings, people, "accuracy").value


def _resampled(trainings: ByTraining, people: People) -> list[Array]:
    return [trainings[key].resampled[people] for key in sorted(trainings)]


def _difference(first: int, second: int, people: People, scores: Mapping[int, ByTraining]) -> Difference:
    one, other = scores[first], scores[second]
    by_seed = [
        _by_seed({key: s.get(people, "expression", "accuracy") for key, s in row.items()})
        for row in (one, other)
    ]
    by_training = tuple(b - a for a, b in zip(*by_seed, strict=True))
    pairs = zip(_resampled(one, people), _resampled(other, people), strict=True)
    error = bootstrap_error([b - a for a, b in pairs])
    found = compare_trainings(by_training, error, _count_people(one, people))
    return Difference(first, second, people, *found, by_training)


def _about(plan: Plan, scores: Mapping[int, ByTraining]) -> dict[str, Any]:
    face_set = plan.face_set
    trained = {training.row: training for training in plan.trainings}
    held_out = face_set.frames["subject"].isin(plan.held_out[0]) if plan.folds == 1 else None
    sides = {
        "train": _side(face_set, None if held_out is None else ~held_out),
        "test": _side(face_set, held_out),
    }
    return {
        "scale": plan.scale,
        "faces": f"{face_set.about.dataset or face_set.about.importer} faces",
        **sides,
        "seeds": plan.seeds,
        "folds": plan.folds,
        "trainings": {row: len(scores[row]) for row in plan.rows},
        "seconds": {
            training.name: seconds
            for training in plan.trainings
            if (seconds := read_training(training.run).seconds)
        },
        "one_pass": _one_pass(scores),
        "settings": {row: _settings(trained[ROWS[row].trained_as]) for row in plan.rows},
        "commands": [_command(plan)],
        "caveats": _caveats(plan),
    }


def _side(face_set: FaceSet, chosen: "pd.Series[bool] | None") -> dict[str, int]:
    """Return the numbers of people and images on one side; in a cross-validation everybody is on both sides in turn."""
    frames = face_set.frames if chosen is None else face_set.frames[chosen]
    return {
        "subjects": frames["subject"].nunique(),
        "images": int(((frames["use"] != "train") & frames["expression"].notna()).sum()),
        "training_images": int((frames["use"] != "evaluate").sum()),
    }


def _one_pass(scores: Mapping[int, ByTraining]) -> dict[int, dict[str, float]]:
    """Return the accuracies of the single pass that Figure 3 compares with row 5."""
    if ONE_PASS.number not in scores:
        return {}
    return {5: {people: _value(scores[ONE_PASS.number], people) for people in PEOPLE}}


def _settings(training: Training) -> str:
    config = training.config
    options = config.options.model_dump()
    stages = f"{options['epochs']} epochs a stage"
    if options.get("repetitions", 1) > 1:
        stages += f", {options['repetitions']} times two stages"
    return (
        f"{config.method}, {stages}, batches of {config.batch_size}, learning rate {options['learning_rate']:g} "
        f"falling by {config.learning_rate_decay:g} an epoch, width {options['width']}, weight of the divergence "
        f"{options['kl_weight']:g}"
    )


def _command(plan: Plan) -> str:
    words = ["omote reproduce FACES --to DIR"]
    if len(plan.rows) < len(ROWS):
        words.append("--rows " + ",".join(map(str, plan.rows)))
    words.append(f"--scale {plan.scale} --seeds {plan.seeds}")
    words += [f"--set {name}={json.dumps(value)}" for name, value in plan.settings.items()]
    if plan.folds > 1:
        words.append(f"--folds {plan.folds}")
    elif len(plan.held_out[0]) != plan.face_set.frames["subject"].nunique() // 5:
        words.append("--test-subjects " + ",".join(plan.held_out[0]))
    return " ".join(words)


def _caveats(plan: Plan) -> list[str]:
    caveats = []
    if plan.scale != "paper":
        config = plan.trainings[0].config
        caveats.append(
            f"The scale {plan.scale} trains a network of width {config.options.width} with batches of "
            f"{config.batch_size} for far fewer steps than the paper; the paper's training is --scale paper."
        )
    if plan.folds == 1:
        who = describe_subjects(plan.face_set.frames, plan.held_out[0])
        caveats.append(f"Held out are {who}.")
    if plan.face_set.about.is_synthetic:
        made = plan.face_set.about.importer
        caveats.append(
            f"The faces are {made}, so they are not the paper's data, and its figures need not come out."
        )
    return caveats
