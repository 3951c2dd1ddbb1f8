"""The one protocol that scores every method alike: from a function `faces -> codes`, never from a model.

Scored are the frames marked for evaluation, the people of the training and those held out apart.
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.clustering import Labelled, clustering_scores
from omote.evaluation.leakage import leakage_scores, nearest_neighbour_leakage
from omote.evaluation.probes import probe_scores
from omote.evaluation.score import Array, Score, no_score, numbered

People = Literal["train", "test"]
Code = Literal["expression", "identity"]
COLUMNS = ["people", "code", "score", "value", "deviation", "chance", "reason"]
SUMMARY: dict[str, tuple[Code, str]] = {
    "accuracy": ("expression", "accuracy"),  # the paper's
    "probe": ("expression", "probe_accuracy"),
    "leakage": ("expression", "subject_nearest_neighbour"),
    "leakage_across_expressions": ("expression", "subject_nearest_neighbour_across_expressions"),
    "leakage_probe": ("expression", "subject_probe"),
    "identity": ("identity", "subject_nearest_neighbour"),
    "expression_in_identity": ("identity", "probe_accuracy"),
}
ACROSS = "subject_nearest_neighbour_across_expressions"
FITTED_ON_TRAIN = "_fitted_on_train"  # ends the names of the clustering scores of that reading


class Codes(NamedTuple):
    """Means of the two codes of N images; width 0 says that the method has no such code."""

    expression: Array  # (N, 64) float32
    identity: Array  # (N, Z) float32


@dataclass(frozen=True)
class Scores:
    """Tidy scores of one method on one face set.

    `table` has one row a score: people ("train" / "test"), code ("expression" / "identity"), score, value,
    deviation (over runs, folds or subjects), chance, reason (why the value is nan, or which part of a rule
    had to give). `about` has the settings and the numbers of subjects and images.
    """

    table: pd.DataFrame
    about: dict[str, Any]

    def get(self, people: People, code: Code, score: str) -> Score:
        """Return one score; KeyError if there is none of that name."""
        table = self.table
        row = table[(table["people"] == people) & (table["code"] == code) & (table["score"] == score)]
        if row.empty:
            raise KeyError(f"no score {score!r} of the {code} code for {people} people")
        value, deviation, chance, reason = row[["value", "deviation", "chance", "reason"]].iloc[0]
        return Score(value, deviation, chance, reason)

    def summary(self) -> dict[str, float]:
        """Return the numbers that compare methods, in [0, 1] or nan: one row of a table of methods."""
        peoples: tuple[People, ...] = ("train", "test")
        return {
            f"{name}_{people}": self.get(people, code, score).value
            for name, (code, score) in SUMMARY.items()
            for people in peoples
        }

    def save(self, folder: str | Path) -> None:
        """Write `scores.csv` and `scores.json` (nan as null) into `folder`, each beside, then renamed."""
        rows = [
            {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in row.items()
            }
            for row in self.table.to_dict("records")
        ]
        texts = {
            "scores.csv": self.table.to_csv(index=False),
            "scores.json": json.dumps({"about": self.about, "scores": rows}, indent=1, allow_nan=False)
            + "\n",
        }
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            beside = Path(folder) / f"{name}.partial"
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, Path(folder) / name)


def evaluate(
    represent: Callable[[Array], Codes],
    face_set: FaceSet,
    *,
    test_subjects: Sequence[str],
    k: int = 9,
    seeds: int = 100,
    folds: int = 5,
    batch_size: int = 256,
) -> Scores:
    """Return the scores of a method on the frames of `face_set` whose `use` is "evaluate" or "both".

    For train people (all but `test_subjects`) and for test people alike:
    - expression code: the clustering scores (fitted on the people scored; for test people also fitted on
      train people and applied to test people), the expression probe, and the nearest-neighbour leakage across
      expressions, on the frames with an expression label; the other leakage scores, on all frames.
    - identity code: the same probe, which shows what it tells of the expression, and leakage, here wanted
      high.

    Args:
        represent: (n, S, S, 3) uint8 RGB -> Codes of n rows; called with at most `batch_size` faces.
        test_subjects: The people held out of the training, by their ids in the face set; may be empty.
        k: Number of clusters.
        seeds: Number of k-means runs, with the seeds 0 .. seeds-1.
        folds: Of the probes.
    Raises:
        OmoteError: If a test subject is not in the face set, or `k`, `seeds`, `folds` or `batch_size` is
            too small.
        ValueError: If `represent` does not return two tables of n rows.
    """
    least_of = {"k": 2, "seeds": 1, "folds": 2, "batch_size": 1}
    for name, given in {"k": k, "seeds": seeds, "folds": folds, "batch_size": batch_size}.items():
        if given < (least := least_of[name]):
            raise OmoteError(f"{name} is {given}; give at least {least}")
    subjects = face_set.subjects
    if unknown := sorted(set(test_subjects) - set(subjects)):
        raise OmoteError(
            f"these test subjects are not in the face set: {', '.join(unknown)}. It has {len(subjects)} "
            f"subjects: {', '.join(subjects[:10])}{', ...' if len(subjects) > 10 else ''}. Score the face "
            "set that the run was trained on, or name people of this one"
        )

    used = np.flatnonzero(face_set.frames["use"].isin(["evaluate", "both"]).to_numpy(dtype=bool))
    frames = face_set.frames.iloc[used]
    codes = _codes(represent, face_set.faces, used, batch_size)
    subject = frames["subject"].to_numpy(dtype=object)
    expression = frames["expression"].to_numpy(dtype=object)
    clip = numbered(subject.astype(str), frames["clip"].to_numpy(dtype=object).astype(str))
    has_label = frames["expression"].notna().to_numpy(dtype=bool)
    held_out = frames["subject"].isin(list(test_subjects)).to_numpy(dtype=bool)

    def set_to_cluster(chosen: Array) -> Labelled:
        return Labelled(codes.expression[chosen], expression[chosen], clip[chosen])

    rows: list[dict[str, Any]] = []
    about: dict[str, Any] = {"k": k, "seeds": seeds, "folds": folds}
    for people, chosen in (("train", ~held_out), ("test", held_out)):
        labelled = chosen & has_label
        about[people] = {
            "subjects": len(np.unique(subject[chosen].astype(str))),
            "images": int(chosen.sum()),
            "images_of_expression": frames["expression"][labelled].value_counts().sort_index().to_dict(),
        }
        no_images = no_labels = ""
        if not chosen.any():
            no_images = no_labels = f"no frame of {people} people is marked for evaluation"
            if people == "test" and not len(test_subjects):
                no_images = no_labels = "no people were held out"
        elif not labelled.any():
            no_labels = f"no frame of {people} people that is marked for evaluation has an expression"

        clusters = clustering_scores(set_to_cluster(labelled), k=k, seeds=seeds)
        rows += _rows(people, "expression", clusters, no_labels)
        if people == "test":
            train = set_to_cluster(~held_out & has_label)
            applied = clustering_scores(set_to_cluster(labelled), k=k, seeds=seeds, fitted_on=train)
            renamed = {name + FITTED_ON_TRAIN: score for name, score in applied.items()}
            rows += _rows(people, "expression", renamed, no_labels)
        for code, features in codes._asdict().items():
            no_code = "" if features.shape[1] else f"this method has no {code} code"
            probe = probe_scores(features[labelled], expression[labelled], subject[labelled], folds=folds)
            leakage = leakage_scores(features[chosen], subject[chosen], clip[chosen], folds=folds)
            rows += _rows(people, code, probe, no_labels or no_code)
            across = nearest_neighbour_leakage(
                features[labelled], subject[labelled], clip[labelled], expression[labelled]
            )
            rows += _rows(people, code, leakage, no_images or no_code)
            rows += _rows(people, code, {ACROSS: across}, no_labels or no_code)
    return Scores(pd.DataFrame(rows, columns=COLUMNS), about)


def _rows(people: str, code: str, scores: dict[str, Score], reason: str) -> list[dict[str, Any]]:
    """Return the table's rows; a reason known here is plainer than the metric's own."""
    return [
        {"people": people, "code": code, "score": name, **(no_score(reason) if reason else score)._asdict()}
        for name, score in scores.items()
    ]


def _codes(represent: Callable[[Array], Codes], faces: Array, used: Array, batch_size: int) -> Codes:
    """Return the codes of the faces numbered in `used`; only one batch of faces is in memory at a time."""
    batches = []
    for start in range(0, len(used), batch_size):
        numbers = used[start : start + batch_size]
        batch = Codes(*(np.asarray(code) for code in represent(np.asarray(faces[numbers]))))
        if any(code.ndim != 2 or len(code) != len(numbers) for code in batch):
            raise ValueError(
                f"represent returned codes of shapes {batch.expression.shape} and {batch.identity.shape} for "
                f"{len(numbers)} faces; expected ({len(numbers)}, Z) each, Z 0 where there is no such code"
            )
        batches.append(batch)
    if not batches:
        return Codes(np.zeros((0, 1)), np.zeros((0, 1)))
    return Codes(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))
