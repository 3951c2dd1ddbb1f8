"""The audit: what a code holds of identity, expression and true factors, its continuity, and its swaps.

The paper claims that its features are free of identity and continuous. The audit measures both, beside chance, for
runs, for tables of features from any tool, and for untrained baselines. People of the training and held-out people are
scored separately.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed

from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.evaluation.audit_scores import NO_APEX, ScoreGroup, score_images, score_representation
from omote.evaluation.judge_table import read_judge_table, write_swaps
from omote.evaluation.protocol import check_settings
from omote.evaluation.representation import (
    Representation,
    align_with_faces,
    read_feature_table,
    represent_by_baselines,
    represent_by_run,
)
from omote.evaluation.swaps import draw_prior, why_no_images
from omote.files import write_text
from omote.formulas import write_csv
from omote.metrics.continuity import rising_by_factors, rising_by_pixels
from omote.metrics.score import Array
from omote.runs.hub import check_people, find_model
from omote.runs.info import read_training
from omote.runs.shipped import SHIPPED
from omote.runs.trained import Trained, load

AUDIT_COLUMNS = ["people", "feature", "reading", "group", "score", "value", "low", "high", "chance", "reason"]
PRIORS = 8  # faces of random codes shown of each run
APEX_BY_FACTORS = "the apex of a clip is found by the true action units"
APEX_BY_PIXELS = "the apex of a clip is found in its pictures: neutral clips cannot be told from the others"

# Prefixes of action units of rendered faces that move in neutral clips too.
NOT_AN_EXPRESSION = ("au_eyeLook", "au_eyeBlink", "au_Pupil")
ABOUT_FACES = ("dataset", "importer", "options", "counts")


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    `table` has one row a score: people ("train", "test", or "everyone" where it is unknown who was held out), feature
    (the name of the representation), reading ("mean" of the posterior, or a "sample" of it), group ("identity",
    "expression", "factors", "continuity", "swap", "posterior"), score, value, low and high (95 % interval over people),
    chance, reason (why the value or its interval is missing, or which rule was relaxed).
    """

    table: pd.DataFrame
    about: dict[str, Any]  # what was audited, and the settings
    representations: list[Representation]  # codes of N frames
    frames: pd.DataFrame  # the N frames
    rising: Array  # (N,) true from the first frame of a clip to its apex; all false if the apex is not known
    priors: dict[str, Array] = field(
        default_factory=dict
    )  # run -> (8, S, S, 3) uint8 RGB faces of random codes

    def save(self, folder: str | Path) -> None:
        """Write `audit.csv`, and `audit.json` with `about` too (nan as null)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        table = self.table.astype(object).where(self.table.notna(), None)
        content = {"about": self.about, "scores": table.to_dict("records")}
        write_text(folder / "audit.csv", write_csv(self.table))
        write_text(folder / "audit.json", json.dumps(content, indent=1, allow_nan=False) + "\n")


def audit(
    inputs: Sequence[str | Path],
    faces: FaceSet | None = None,
    *,
    judge: str | Path | None = None,
    judge_table: str | Path | None = None,
    test_subjects: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    k: int = 9,
    seeds: int = 100,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Return the audit of runs and tables of features.

    With faces, baselines are scored beside them: a random network, principal components of the pixels, and these less
    the subject's mean.

    Args:
        inputs: runs ("shipped" for the model that comes with omote), and tables (.parquet or .csv, see
            `omote.evaluation.representation.read_feature_table`), all of the same faces.
        faces: the face set; None for the one that the first run was trained on. A table alone needs none, but then
            there are no baselines.
        judge: another run, trained with another seed or method, that reads the swapped images.
        judge_table: answers of any other judge to the images that `write_audit_swaps` writes
            (`omote.evaluation.judge_table.read_judge_table`).
        test_subjects: the people held out; None for those the runs held out. For tables alone, None scores everyone
            together.
        columns: names or prefixes of the columns of codes, for tables in which they are not called `z_e_00` ....
        k: number of clusters, for the paper's accuracy.
        seeds: number of k-means runs.
        workers: processes; None for one per core. The scores do not depend on it.
        progress: called with (parts done, parts in all).
    Raises:
        OmoteError: If an input is neither run nor table, runs differ in image size or training people, faces do not
            fit, a test subject is unknown, or a table lacks what is needed.
    """
    check_settings(k=k, seeds=seeds)
    inputs = [find_model() if str(given) == SHIPPED else given for given in inputs]
    runs, faces = _open_runs(inputs, faces)
    tables = [read_feature_table(given, columns) for given in inputs if not Path(given).is_dir()]
    reader = None if judge is None else load(judge)
    judges = [each for each in (reader, judge_table and read_judge_table(judge_table)) if each]
    if judge_table and not runs:
        raise OmoteError(
            f"{judge_table} holds what a judge saw in swapped images; name the run that made them"
        )
    _check(list(runs.values()), reader, len(tables), faces, test_subjects)

    frames = tables[0][1] if faces is None else faces.frames
    of_people = _split_people(frames, list(runs.values()), test_subjects)
    test_subjects = sorted(frames["subject"][of_people["test"]].unique()) if "test" in of_people else []
    scored = _is_scored(frames)
    representations = tables[0][0] if faces is None else _represent(runs, tables, faces, test_subjects)
    names = [each.name for each in representations]
    if twice := {name for name in names if names.count(name) > 1}:
        raise OmoteError(f"two representations are called {min(twice)}; rename one of the folders or tables")
    rising, apex = _find_rising(frames, faces)

    parts = list(product(of_people.items(), representations))
    images = list(product(of_people.items(), runs.items() if faces is not None else ()))

    def score_parts() -> Iterator[list[dict[str, Any]]]:
        """Yield batches of table rows: one per representation, then one per run for its decoded images."""
        tasks = (
            delayed(score_representation)(
                each.of(rows), frames[rows], None if rising is None else rising[rows], k=k, seeds=seeds
            )
            for (_, rows), each in parts
        )
        done = Parallel(n_jobs=workers or cpu_count(), return_as="generator")(tasks)
        for ((people, _), each), groups in zip(parts, done, strict=True):
            yield _table_rows(people, each.name, groups)
        for (people, rows), (name, trained) in images:
            assert faces is not None
            of_images = score_images(name, trained, judges, faces, np.flatnonzero(rows & scored))
            yield [row for title, groups in of_images for row in _table_rows(people, title, groups)]

    table: list[dict[str, Any]] = []
    for done, rows in enumerate(score_parts()):
        table += rows
        if progress:
            progress(done + 1, len(parts) + len(images))
    all_rising = np.zeros(len(frames), dtype=bool) if rising is None else rising
    about = {
        "inputs": [str(given) for given in inputs],
        "face_set": None
        if faces is None
        else {name: faces.about.to_json().get(name) for name in ABOUT_FACES},
        "judge": None if judge is None else str(judge),
        "judge_table": None if judge_table is None else str(judge_table),
        "test_subjects": test_subjects,
        "columns": {each.name: list(each.columns) for each in representations if each.columns},
        "apex": apex,
        "k": k,
        "seeds": seeds,
        "people": {people: frames["subject"][rows].nunique() for people, rows in of_people.items()},
        "frames": {people: int(rows.sum()) for people, rows in of_people.items()},
        "frames_scored": {people: int((rows & scored).sum()) for people, rows in of_people.items()},
    }
    priors = {
        name: draw_prior(trained, PRIORS) for name, trained in runs.items() if not why_no_images(trained)
    }
    scores = pd.DataFrame(table, columns=AUDIT_COLUMNS)
    return Audit(scores, about, representations, frames, all_rising, priors)


def write_audit_swaps(
    inputs: Sequence[str | Path],
    folder: str | Path,
    faces: FaceSet | None = None,
    *,
    test_subjects: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the swaps that `audit` scores, and the real images, for a judge outside omote; return their number.

    Args:
        inputs: runs.
        folder: see `omote.evaluation.judge_table.write_swaps`.
        faces: as for `audit`.
        test_subjects: as for `audit`.
        progress: called with (groups of people done, groups in all).
    Raises:
        OmoteError: As `audit` and `omote.evaluation.judge_table.write_swaps`.
    """
    inputs = [find_model() if str(given) == SHIPPED else given for given in inputs]
    if tables := [given for given in inputs if not Path(given).is_dir()]:
        raise OmoteError(f"{tables[0]} is a table of features, which makes no images; name runs only")
    runs, faces = _open_runs(inputs, faces)
    _check(list(runs.values()), None, 0, faces, test_subjects)
    assert faces is not None
    groups = _split_people(faces.frames, list(runs.values()), test_subjects).values()
    scored = _is_scored(faces.frames)
    chosen = [np.flatnonzero(rows & scored) for rows in groups]
    return write_swaps(list(runs.values()), faces, chosen, Path(folder), progress)


def _open_runs(
    inputs: Sequence[str | Path], faces: FaceSet | None
) -> tuple[dict[str, Trained], FaceSet | None]:
    """Return the runs among the inputs by name, and the face set: by default that of the first run."""
    folders = [Path(given) for given in inputs if Path(given).is_dir()]
    runs = {folder.name: load(folder) for folder in folders}
    if len(runs) < len(folders):
        raise OmoteError("two runs have the same folder name, so their scores would be mixed up; rename one")
    if faces is None and folders:
        faces = faces_of_run(folders[0])
    return runs, faces


def _is_scored(frames: pd.DataFrame) -> Array:
    """Return (N,) bool: the frames for evaluation."""
    return (frames["use"] != "train").to_numpy(dtype=bool)


def _split_people(
    frames: pd.DataFrame, runs: Sequence[Trained], test_subjects: Sequence[str] | None
) -> dict[str, Array]:
    """Return masks (N,) of the frames of "test" and "train" people, where there are any, or of "everyone"."""
    subjects = frames["subject"]
    if test_subjects is not None:
        if unknown := sorted(set(test_subjects) - set(subjects)):
            raise OmoteError(
                f"these test subjects are not in the faces or the table: {', '.join(unknown[:10])}"
            )
        is_test = subjects.isin(list(test_subjects)).to_numpy(dtype=bool)
    elif runs:
        is_test = ~subjects.isin(runs[0].info.train_subjects).to_numpy(dtype=bool)
    else:
        return {"everyone": np.ones(len(frames), dtype=bool)}
    return {name: rows for name, rows in (("test", is_test), ("train", ~is_test)) if rows.any()}


def _represent(
    runs: dict[str, Trained],
    tables: Sequence[tuple[list[Representation], pd.DataFrame]],
    faces: FaceSet,
    test_subjects: Sequence[str],
) -> list[Representation]:
    of_runs = [each for name, trained in runs.items() for each in represent_by_run(trained, faces, name)]
    of_tables = [each for table, frames in tables for each in align_with_faces(table, frames, faces)]
    return (
        of_runs + of_tables + represent_by_baselines(faces, sorted(set(faces.subjects) - set(test_subjects)))
    )


def _table_rows(people: str, feature: str, groups: Sequence[ScoreGroup]) -> list[dict[str, Any]]:
    keys = {"people": people, "feature": feature}
    return [
        {**keys, "group": group, "reading": reading, "score": name, **score._asdict()}
        for group, reading, scores in groups
        for name, score in scores.items()
    ]


def faces_of_run(run: str | Path) -> FaceSet:
    """Return the face set that a run was trained on.

    Raises:
        OmoteError: If the run does not say where it was, or it is no longer there.
    """
    path = read_training(run).faces
    if not path or not (Path(path) / "about.json").is_file():
        why = f"{path}, which {run} was trained on, is gone" if path else f"{run} does not name its face set"
        raise OmoteError(f"{why}; name a face set with --faces")
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
        raise OmoteError("nothing to audit was given; name runs, or tables of features")
    if faces is None:
        if num_tables > 1:
            raise OmoteError(
                "several tables can be audited together only on one face set; name it with --faces"
            )
        return
    for trained in [*runs, judge] if judge and runs else runs:
        check_size(trained, faces)
    check_same_training(runs)
    for trained in runs:
        check_people(trained.info, faces.about)
    if runs and runs[0].info.face_set != faces.about and test_subjects is None:
        raise OmoteError(
            f"{runs[0].path} was trained on another face set than {faces.path}, so ids do not tell who was held out. "
            "Name the people it never saw with --test-subjects"
        )
    known = set(runs[0].info.train_subjects if runs and runs[0].info.face_set == faces.about else ())
    if wrong := sorted(known & set(test_subjects or ())):
        raise OmoteError(
            f"{runs[0].path} was trained on {', '.join(wrong[:10])}, who cannot be test subjects"
        )


def check_size(trained: Trained, faces: FaceSet) -> None:
    """Raise OmoteError if faces have another size than the run reads."""
    if trained.size != faces.size:
        raise OmoteError(
            f"{trained.path} reads faces of {trained.size} px and {faces.path} has {faces.size} px; name a face set "
            f"prepared with --size {trained.size}"
        )


def check_same_training(runs: Sequence[Trained]) -> None:
    """Raise OmoteError unless all runs were trained on the same people of the same faces."""
    for trained in runs:
        people, face_set = trained.info.train_subjects, trained.info.face_set
        if (people, face_set) != (runs[0].info.train_subjects, runs[0].info.face_set):
            raise OmoteError(
                f"{trained.path} and {runs[0].path} were trained on different people, so they have no held-out people "
                "in common; name runs of the same faces and the same held-out people, or one run at a time"
            )


def _find_rising(frames: pd.DataFrame, faces: FaceSet | None) -> tuple[Array | None, str]:
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
