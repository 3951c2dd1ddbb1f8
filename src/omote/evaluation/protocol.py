"""The protocol that scores every method alike, given a function `faces -> codes` (`evaluate_codes`).

It scores the frames marked for evaluation, people of the training and held-out people apart. The clustering score of
the paper's Table 3 is `omote.metrics.clustering.paper_accuracy`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.files import locked, write_text
from omote.formulas import write_csv
from omote.metrics.clustering import KMeansRuns, LabelledFeatures, clustering_scores, run_kmeans
from omote.metrics.intervals import bootstrap_accuracies
from omote.metrics.leakage import leakage_scores, nearest_neighbour_leakage
from omote.metrics.probes import probe_scores
from omote.metrics.score import Array, Score, factorize, no_score
from omote.runs.info import read_scores

People = Literal["train", "test"]
Code = Literal["expression", "identity"]
SCORE_COLUMNS = {"people": "str", "code": "str", "score": "str", "value": "float64", "deviation": "float64",
                 "chance": "float64", "reason": "str"}  # fmt: skip
SUBJECT_COLUMNS = {"people": "str", "subject": "str", "images": "int64", "accuracy": "float64"}
MINIMUM = {"k": 2, "seeds": 1, "folds": 2, "batch_size": 1}
SUMMARY: dict[str, tuple[Code, str]] = {
    "accuracy": ("expression", "accuracy"),  # the paper's
    "probe": ("expression", "probe_accuracy"),
    "leakage": ("expression", "subject_nearest_neighbour"),
    "leakage_across_expressions": ("expression", "subject_nearest_neighbour_across_expressions"),
    "leakage_probe": ("expression", "subject_probe"),
    "identity": ("identity", "subject_nearest_neighbour"),
    "expression_in_identity": ("identity", "probe_accuracy"),
}
ACROSS_EXPRESSIONS = "subject_nearest_neighbour_across_expressions"
FITTED_ON_TRAIN = "_fitted_on_train"  # suffix of clustering scores of test people in clusters of train people


class Codes(NamedTuple):
    """Means of the two codes of N images; a method without one of them has width 0 there."""

    expression: Array  # (N, 64) float32
    identity: Array  # (N, Z) float32


@dataclass(frozen=True)
class Scores:
    """Tidy scores of one method on one face set.

    Attributes:
        table: one row a score: people ("train" / "test"), code ("expression" / "identity"), score, value, deviation
            (over runs, folds or subjects), chance, reason (why the value is nan, or which rule was relaxed).
        by_subject: one row a person: people, subject, images (with an expression label), accuracy (share of them
            named rightly by the paper's rule, mean over the k-means runs; nan where the accuracy is).
        about: the settings, and the numbers of subjects and images.
        resampled: "train" or "test" -> bootstrap replicates of the accuracy
            (`omote.metrics.intervals.bootstrap_accuracies`), if they were computed.
    """

    table: pd.DataFrame
    by_subject: pd.DataFrame
    about: dict[str, Any]
    resampled: dict[str, Array] = field(default_factory=dict)

    def get(self, people: People, code: Code, score: str) -> Score:
        """Return one score; raise KeyError if there is none of that name."""
        table = self.table
        row = table[(table["people"] == people) & (table["code"] == code) & (table["score"] == score)]
        if row.empty:
            raise KeyError(f"no score {score!r} of the {code} code for {people} people")
        value, deviation, chance, reason = row[["value", "deviation", "chance", "reason"]].iloc[0]
        return Score(value, deviation, chance, reason)

    def subjects(self, people: People) -> list[str]:
        """Return the people with an image that has an expression, so that they count in the accuracy."""
        return self.by_subject.loc[self.by_subject["people"] == people, "subject"].tolist()

    def summary(self) -> dict[str, float]:
        """Return the scores by which methods are compared, in [0, 1] or nan: one row of a table of methods."""
        peoples: tuple[People, ...] = ("train", "test")
        return {
            f"{name}_{people}": self.get(people, code, score).value
            for name, (code, score) in SUMMARY.items()
            for people in peoples
        }

    def save(self, folder: str | Path) -> None:
        """Write `scores.csv`, `scores_by_subject.csv`, and `scores.json` with everything (nan as null)."""
        content = {
            "about": self.about,
            "scores": _records(self.table),
            "by_subject": _records(self.by_subject),
            "resampled": {people: _records(pd.DataFrame(each)) for people, each in self.resampled.items()},
        }
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, "is writing scores"):
            write_text(folder / "scores.csv", write_csv(self.table))
            write_text(folder / "scores_by_subject.csv", write_csv(self.by_subject))
            write_text(folder / "scores.json", text)  # last, so that where it exists the others do

    @classmethod
    def load(cls, folder: str | Path) -> "Scores":
        """Return what `save` wrote into `folder`, exactly; reads only `scores.json`.

        Raises:
            OmoteError: If there are no scores in the folder, or they are damaged.
        """
        if not (Path(folder) / "scores.json").is_file():
            raise OmoteError(f"{folder} has no scores.json; score the run with `omote evaluate`")
        saved = read_scores(folder).model_dump(exclude_unset=True)
        resampled = {
            people: pd.DataFrame(each, dtype=np.float64).to_numpy()
            for people, each in saved["resampled"].items()
        }
        scores = _table(saved["scores"], SCORE_COLUMNS)
        return cls(scores, _table(saved["by_subject"], SUBJECT_COLUMNS), saved["about"], resampled)


def _table(rows: Sequence[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    """Return the table with just these columns and types; raise KeyError if a row lacks one."""
    cells = [[row[name] for name in columns] for row in rows]
    return pd.DataFrame(cells, columns=list(columns)).astype(columns)


def _records(table: pd.DataFrame) -> list[Any]:
    """Return the rows for JSON, None where a number is nan."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def evaluate_codes(
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

    For train people (all but `test_subjects`) and test people separately:

    - expression code: on frames with an expression label, the clustering scores (clusters fitted on the people scored;
      for test people also clusters of train people), the expression probe, and the nearest-neighbour leakage across
      expressions; on all frames, the other leakage scores.
    - identity code: the same probe, which shows how much of the expression it holds, and the same leakage scores, which
      should be high here.

    Args:
        represent: (n, S, S, 3) uint8 RGB -> Codes of n rows; called with at most `batch_size` faces.
        test_subjects: the people held out of the training, by their ids in the face set; may be empty.
        k: number of clusters.
        seeds: number of k-means runs, with the seeds 0 .. seeds-1.
        folds: of the probes.
    Raises:
        OmoteError: If a test subject is not in the face set, or `k`, `seeds`, `folds` or `batch_size` is
            too small.
        ValueError: If `represent` does not return two arrays of n rows.
    """
    check_settings(k=k, seeds=seeds, folds=folds, batch_size=batch_size)
    subjects = face_set.subjects
    if unknown := sorted(set(test_subjects) - set(subjects)):
        raise OmoteError(
            f"these test subjects are not in the face set: {', '.join(unknown)}. It has {len(subjects)} "
            f"subjects: {', '.join(subjects[:10])}{', ...' if len(subjects) > 10 else ''}. Score the face "
            "set that the run was trained on, or name people of this one"
        )
    used = evaluation_rows(face_set)
    codes = read_codes(lambda rows: represent(np.asarray(face_set.faces[rows])), used, batch_size)
    return score_codes(
        codes, face_set.frames.iloc[used], test_subjects=test_subjects, k=k, seeds=seeds, folds=folds
    )


def check_settings(**settings: int) -> None:
    """Raise OmoteError if one of `k`, `seeds`, `folds` and `batch_size` is too small."""
    for name, given in settings.items():
        if given < MINIMUM[name]:
            raise OmoteError(f"{name} is {given}; give at least {MINIMUM[name]}")


def evaluation_rows(face_set: FaceSet) -> Array:
    """Return the row numbers of the frames whose `use` is "evaluate" or "both"."""
    return np.flatnonzero(face_set.frames["use"].isin(["evaluate", "both"]).to_numpy(dtype=bool))


def read_codes(read: Callable[[Array], Codes], rows: Array, batch_size: int = 256) -> Codes:
    """Return the codes of the faces numbered in `rows`, read batch by batch.

    Args:
        read: (n,) face numbers -> Codes of n rows.
    Raises:
        ValueError: If `read` does not return two arrays of n rows.
    """
    batches = []
    for start in range(0, len(rows), batch_size):
        numbers = rows[start : start + batch_size]
        batch = Codes(*(np.asarray(code) for code in read(numbers)))
        if any(code.ndim != 2 or len(code) != len(numbers) for code in batch):
            raise ValueError(
                f"represent returned codes of shapes {batch.expression.shape} and {batch.identity.shape} for "
                f"{len(numbers)} faces; expected ({len(numbers)}, Z) each, Z 0 for a method without that code"
            )
        batches.append(batch)
    if not batches:
        return Codes(np.zeros((0, 1)), np.zeros((0, 1)))
    return Codes(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def score_codes(
    codes: Codes,
    frames: pd.DataFrame,
    *,
    test_subjects: Sequence[str],
    k: int = 9,
    seeds: int = 100,
    folds: int = 5,
    resamples: int = 0,
    groups: Sequence[Sequence[str]] = (),
    no_test_reason: str = "",
) -> Scores:
    """Return the scores of the codes of evaluation frames; `evaluate_codes` says which.

    Args:
        codes: of N faces.
        frames: N rows in the same order, with the columns subject, clip and expression of a face set.
        test_subjects: the people held out of the training; those not in `frames` are not scored.
        k, seeds, folds: as for `evaluate_codes`.
        resamples, groups: bootstrap samples of people, for intervals, and who are drawn among themselves (see
            `omote.metrics.intervals.bootstrap_accuracies`); 0 samples for none.
        no_test_reason: why there are no frames of held-out people, if the method cannot represent them.
    Raises:
        OmoteError: If `k`, `seeds` or `folds` is too small.
        ValueError: If codes and frames differ in length.
    """
    check_settings(k=k, seeds=seeds, folds=folds)
    if any(len(code) != len(frames) for code in codes):
        raise ValueError(
            f"{len(codes.expression)} expression and {len(codes.identity)} identity codes for {len(frames)} frames"
        )
    subject = frames["subject"].to_numpy(dtype=object).astype(str)
    expression = frames["expression"].to_numpy(dtype=object)
    clip = factorize(subject, frames["clip"].to_numpy(dtype=object).astype(str))
    has_label = frames["expression"].notna().to_numpy(dtype=bool)
    held_out = frames["subject"].isin(list(test_subjects)).to_numpy(dtype=bool)

    rows: list[dict[str, Any]] = []
    by_subject: list[dict[str, Any]] = []
    about: dict[str, Any] = {"k": k, "seeds": seeds, "folds": folds}
    kmeans: dict[str, KMeansRuns] = {}
    resampled: dict[str, Array] = {}
    for people, chosen in (("train", ~held_out), ("test", held_out)):
        labelled = chosen & has_label
        about[people] = {
            "subjects": len(np.unique(subject[chosen])),
            "images": int(chosen.sum()),
            "images_of_expression": frames["expression"][labelled].value_counts().sort_index().to_dict(),
        }
        no_images = no_labels = ""
        if not chosen.any():
            no_images = no_labels = f"no frame of {people} people is marked for evaluation"
            if people == "test" and not len(test_subjects):
                no_images = no_labels = "no people were held out"
            elif people == "test" and no_test_reason:
                no_images = no_labels = no_test_reason
        elif not labelled.any():
            no_labels = f"no frame of {people} people that is marked for evaluation has an expression"

        to_cluster = LabelledFeatures(codes.expression[labelled], expression[labelled], clip[labelled])
        kmeans[people] = run_kmeans(to_cluster, k=k, seeds=seeds)
        clustering = clustering_scores(kmeans[people])
        rows += _rows(people, "expression", clustering.scores, no_labels)
        for who in np.unique(subject[labelled]):
            right = clustering.right[subject[labelled] == who]
            by_subject.append(
                {"people": people, "subject": who, "images": len(right), "accuracy": right.mean()}
            )
        if resamples:
            resampled[people] = bootstrap_accuracies(
                to_cluster, subject[labelled], k=k, resamples=resamples, groups=groups
            )
        if people == "test":
            applied = clustering_scores(kmeans["train"], to_cluster).scores
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
            rows += _rows(people, code, {ACROSS_EXPRESSIONS: across}, no_labels or no_code)
    return Scores(_table(rows, SCORE_COLUMNS), _table(by_subject, SUBJECT_COLUMNS), about, resampled)


def _rows(people: str, code: str, scores: dict[str, Score], reason: str) -> list[dict[str, Any]]:
    """Return rows of the table; a reason given here replaces all scores, as it is more specific than the metric's."""
    return [
        {"people": people, "code": code, "score": name, **(no_score(reason) if reason else score)._asdict()}
        for name, score in scores.items()
    ]
