"""What a code really holds: identity, expression, true factors, continuity and swaps, each beside its chance.

"Identity-free" and "continuous" are claims of the paper; here they are measured, for a run, for any table of features,
and for baselines that were never trained. People of the training and people held out are scored apart.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed

from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.evaluation.feature import (
    Feature,
    as_face_set,
    baseline_features,
    read_feature_table,
    run_features,
)
from omote.evaluation.feature_scores import NO_APEX, Scored, feature_scores, image_scores
from omote.evaluation.protocol import check_settings
from omote.files import write_text
from omote.metrics.continuity import rising_by_factors, rising_by_pixels
from omote.metrics.score import Array
from omote.runs.hub import check_people
from omote.runs.trained import Trained, load, read_training

COLUMNS = ["people", "feature", "reading", "group", "score", "value", "low", "high", "chance", "reason"]
APEX_BY_FACTORS = "the apex of a clip is found by the true action units"
APEX_BY_PIXELS = "the apex of a clip is found in its pictures: neutral clips cannot be told from the others"

NOT_AN_EXPRESSION = (
    "au_eyeLook",
    "au_eyeBlink",
    "au_Pupil",
)  # of rendered faces: they move in a neutral clip too
ABOUT_FACES = ("dataset", "importer", "options", "counts")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    `table` has one row a score: people ("train", "test", or "everyone" where nobody said who was held out), feature,
    reading ("mean" of the posterior, or a "sample" of it), group ("identity", "expression", "factors", "continuity",
    "swap", "posterior"), score, value, low and high (95 % interval over people), chance, reason (why the value or its
    interval is missing, or which part of a rule had to give). `about` says what was audited. `features` are the codes
    of the frames in `frames`; `rising` (N,) is true from the first frame of a clip to its apex, nowhere if that is not
    known.
    """

    table: pd.DataFrame
    about: dict[str, Any]
    features: list[Feature]
    frames: pd.DataFrame
    rising: Array

    def save(self, folder: str | Path) -> None:
        """Write `audit.csv`, and `audit.json`, which has `about` too (nan as null)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        table = self.table.astype(object).where(self.table.notna(), None)
        content = {"about": self.about, "scores": table.to_dict("records")}
        write_text(folder / "audit.csv", self.table.to_csv(index=False))
        write_text(folder / "audit.json", json.dumps(content, indent=1, allow_nan=False) + "\n")


def audit(
    inputs: Sequence[str | Path],
    faces: FaceSet | None = None,
    *,
    judge: str | Path | None = None,
    test_subjects: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    k: int = 9,
    seeds: int = 100,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Return what is in the codes of runs and in tables of features.

    With faces, baselines stand beside them: a random network, principal components of the pixels, and those less the
    subject's mean.

    Args:
        inputs: runs, and tables (.parquet or .csv, see `omote.evaluation.feature.read_feature_table`), all of the same
            faces.
        faces: the face set; None for the one that the first run was trained on. A table alone needs none, but then
            there are no baselines.
        judge: another run, trained with another seed or method, that reads the swapped images.
        test_subjects: who was held out; None for those whom the runs held out. Of a table alone None says that nobody
            knows, and everyone is scored together.
        columns: of a table whose codes are not called `z_e_00` and so on: their names, or how they begin.
        k: number of clusters, for the paper's accuracy.
        seeds: number of k-means runs.
        workers: processes; None for one a core. The scores do not depend on it.
        progress: called with (parts done, parts in all).
    Raises:
        OmoteError: If an input is neither run nor table, runs differ in size or in whom they were trained on, faces do
            not fit, a test subject is unknown, or a table lacks what is needed.
    """
    check_settings(k=k, seeds=seeds)
    folders = [Path(given) for given in inputs if Path(given).is_dir()]
    runs = {folder.name: load(folder) for folder in folders}
    if len(runs) < len(folders):
        raise OmoteError("two runs have the same folder name, so their scores could not be told apart")
    tables = [read_feature_table(given, columns) for given in inputs if not Path(given).is_dir()]
    if faces is None and folders:
        faces = faces_of_run(folders[0])
    reader = None if judge is None else load(judge)
    _check(list(runs.values()), reader, len(tables), faces, test_subjects)
    if faces is not None:
        for run in runs.values():
            check_people(run.info, faces.about)

    frames = tables[0][1] if faces is None else faces.frames
    of_people = _people(frames, list(runs.values()), test_subjects)
    test_subjects = sorted(frames["subject"][of_people["test"]].unique()) if "test" in of_people else []
    scored = (frames["use"] != "train").to_numpy(dtype=bool)
    features = tables[0][0] if faces is None else _features(runs, tables, faces, test_subjects)
    names = [feature.name for feature in features]
    if twice := {name for name in names if names.count(name) > 1}:
        raise OmoteError(f"two features are called {min(twice)}; rename one of the folders or tables")
    rising, apex = _rising(frames, faces)

    parts = list(product(of_people.items(), features))
    images = list(product(of_people.items(), runs.items() if faces is not None else ()))

    def found() -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of the table, those of a feature or of a run's images at a time."""
        tasks = (
            delayed(feature_scores)(
                feature.of(rows), frames[rows], None if rising is None else rising[rows], k=k, seeds=seeds
            )
            for (_, rows), feature in parts
        )
        done = Parallel(n_jobs=workers or cpu_count(), return_as="generator")(tasks)
        for ((people, _), feature), scores in zip(parts, done, strict=True):
            yield _rows(people, feature.name, scores)
        for (people, rows), (name, trained) in images:
            assert faces is not None
            shown = image_scores(name, trained, reader, faces, np.flatnonzero(rows & scored))
            yield [row for feature, scores in shown for row in _rows(people, feature, scores)]

    table: list[dict[str, Any]] = []
    for done, rows in enumerate(found()):
        table += rows
        if progress:
            progress(done + 1, len(parts) + len(images))
    moving = np.zeros(len(frames), dtype=bool) if rising is None else rising
    about = {
        "inputs": [str(given) for given in inputs],
        "face_set": None
        if faces is None
        else {name: faces.about.to_json().get(name) for name in ABOUT_FACES},
        "judge": None if judge is None else str(judge),
        "test_subjects": test_subjects,
        "columns": {feature.name: list(feature.columns) for feature in features if feature.columns},
        "apex": apex,
        "k": k,
        "seeds": seeds,
        "people": {people: frames["subject"][rows].nunique() for people, rows in of_people.items()},
        "frames": {people: int(rows.sum()) for people, rows in of_people.items()},
        "frames_scored": {people: int((rows & scored).sum()) for people, rows in of_people.items()},
    }
    return Audit(pd.DataFrame(table, columns=COLUMNS), about, features, frames, moving)


def _people(
    frames: pd.DataFrame, runs: Sequence[Trained], test_subjects: Sequence[str] | None
) -> dict[str, Array]:
    """Return the frames (N,) of each kind of people that there is."""
    subjects = frames["subject"]
    if test_subjects is not None:
        if unknown := sorted(set(test_subjects) - set(subjects)):
            raise OmoteError(f"nobody in what is audited is called {', '.join(unknown[:10])}")
        is_test = subjects.isin(list(test_subjects)).to_numpy(dtype=bool)
    elif runs:
        is_test = ~subjects.isin(runs[0].info.train_subjects).to_numpy(dtype=bool)
    else:
        return {"everyone": np.ones(len(frames), dtype=bool)}
    return {name: rows for name, rows in (("test", is_test), ("train", ~is_test)) if rows.any()}


def _features(
    runs: dict[str, Trained],
    tables: Sequence[tuple[list[Feature], pd.DataFrame]],
    faces: FaceSet,
    test_subjects: Sequence[str],
) -> list[Feature]:
    of_runs = [feature for name, trained in runs.items() for feature in run_features(trained, faces, name)]
    of_tables = [feature for found, frames in tables for feature in as_face_set(found, frames, faces)]
    return of_runs + of_tables + baseline_features(faces, sorted(set(faces.subjects) - set(test_subjects)))


def _rows(people: str, feature: str, found: Sequence[Scored]) -> list[dict[str, Any]]:
    about = {"people": people, "feature": feature}
    return [
        {**about, "group": group, "reading": reading, "score": name, **score._asdict()}
        for group, reading, scores in found
        for name, score in scores.items()
    ]


def faces_of_run(run: str | Path) -> FaceSet:
    """Return the face set that a run was trained on.

    Raises:
        OmoteError: If the run does not know where that was, or it is not there any more.
    """
    path = read_training(run).get("faces")
    if not path or not (Path(path) / "about.json").is_file():
        where = f"; it was trained on {path}, which is gone" if path else ""
        raise OmoteError(
            f"{run} does not say which faces to audit it on{where}. Name the face set with --faces"
        )
    return open_face_set(path)


def _check(
    runs: Sequence[Trained],
    judge: Trained | None,
    num_tables: int,
    faces: FaceSet | None,
    test_subjects: Sequence[str] | None,
) -> None:
    """Raise OmoteError where the inputs cannot be audited together."""
    if not runs and not num_tables:
        raise OmoteError("nothing was given to audit; name runs, or tables of features")
    if faces is None:
        if num_tables > 1:
            raise OmoteError(
                "several tables can be audited together only on one face set; name it with --faces"
            )
        return
    for trained in [*runs, judge] if judge and runs else runs:
        if trained.size != faces.size:
            raise OmoteError(
                f"{trained.path} reads faces of {trained.size} px and {faces.path} has {faces.size} px; name a face "
                f"set prepared with --size {trained.size}"
            )
    for trained in runs:
        same_people = trained.info.train_subjects == runs[0].info.train_subjects
        if not same_people or trained.info.face_set != runs[0].info.face_set:
            raise OmoteError(
                f"{trained.path} and {runs[0].path} were trained on different people, so neither kind of people is "
                "the same for both; audit them one by one"
            )
    if runs and runs[0].info.face_set != faces.about and test_subjects is None:
        raise OmoteError(
            f"{runs[0].path} was trained on another face set than {faces.path}, so that ids do not tell who was held "
            "out. Name them with --test-subjects; or everyone, if the run has seen none of them"
        )
    known = set(runs[0].info.train_subjects if runs and runs[0].info.face_set == faces.about else ())
    if wrong := sorted(known & set(test_subjects or ())):
        raise OmoteError(f"{runs[0].path} was trained on {', '.join(wrong[:10])}: they were not held out")


def _rising(frames: pd.DataFrame, faces: FaceSet | None) -> tuple[Array | None, str]:
    """Return (N,) bool or None, and how the apex of a clip was found."""
    order = frames["subject"], frames["clip"], frames["frame"].to_numpy()
    action_units = [
        name for name in map(str, frames) if name.startswith("au_") and not name.startswith(NOT_AN_EXPRESSION)
    ]
    if action_units:
        return rising_by_factors(frames[action_units].to_numpy(np.float64), *order), APEX_BY_FACTORS
    if faces is not None:
        return rising_by_pixels(faces.faces, *order), APEX_BY_PIXELS
    return None, NO_APEX
