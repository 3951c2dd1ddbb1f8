"""The trainings of a reproduction (rows x seeds x folds), and the folders of their runs and scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omote.boundary import read_json, reading
from omote.data.face_set import FaceSet, open_face_set
from omote.data.parts import is_pending
from omote.data.resize import resize_face_set
from omote.data.splits import alternate_datasets
from omote.errors import OmoteError
from omote.files import is_in_use, locked, write_text
from omote.reproduction.rows import NO_SETTINGS, ONE_PASS, ROWS, SCALES, Row, row_config
from omote.runs.config import TrainConfig

PLAN = "reproduce.json"
FIXED = {"method", "seed", "test_subjects"}  # settings that the rows and the other arguments determine
IN_WORK = "is carrying out this reproduction"


class Training(NamedTuple):
    """One training of one row, and its folder."""

    row: int  # of Table 3; 0 for the single pass at 128 px in Figure 3
    seed: int
    fold: int | None  # of the cross-validation; None for a single split
    run: Path
    faces: Path
    config: TrainConfig
    groups: tuple[tuple[str, ...], ...]  # people held out by each fold; one group for a single split

    @property
    def name(self) -> str:
        """The name of the run's folder and of the folder of its scores."""
        return self.run.name

    def scores(self, rows: Sequence[int]) -> dict[int, Path]:
        """Return the score folder of each of ``rows`` that uses this training: row 7 uses that of row 6.

        Scores are not in the run's folder, because `omote evaluate` writes there.
        """
        own = self.run.parents[1] / "scores" / self.name
        others = [row for row in rows if row != self.row and ROWS[row].trained_as == self.row]
        names = {row: self.name.replace(f"row{self.row}", f"row{row}", 1) for row in others}
        return {self.row: own} | {row: own.with_name(name) for row, name in names.items()}

    def repetition_scores(self) -> list[tuple[int, Path]]:
        """Return the last stage (from 1) of each repetition, with the folder of the scores after it, for Figure 3."""
        repetitions = self.config.options.model_dump().get("repetitions", 1)
        if repetitions == 1:
            return []
        stages = [2 * n for n in range(1, repetitions + 1)]
        own = self.scores([])[self.row]  # also the scores after the last repetition
        return [(stage, own / f"after_{stage}") for stage in stages[:-1]] + [(stages[-1], own)]


class Plan(NamedTuple):
    """All trainings of a reproduction."""

    to: Path
    rows: tuple[int, ...]
    scale: str
    seeds: int
    folds: int
    trainings: list[Training]
    held_out: tuple[tuple[str, ...], ...]  # people, one group per fold
    face_set: FaceSet  # as given, at the largest size
    settings: Mapping[str, Any]  # that override those of the rows


def make_plan(
    face_set: FaceSet,
    to: str | Path,
    *,
    rows: Sequence[int] | None = None,
    scale: str = "small",
    seeds: int = 1,
    folds: int = 1,
    test_subjects: int | Sequence[str] | None = None,
    settings: Mapping[str, Any] = NO_SETTINGS,
) -> Plan:
    """Return the trainings. If the face set has 128 px, also write the 64 px version that some rows need.

    Args:
        rows: rows of Table 3; None for all that the size of the faces allows.
        scale: a key of `SCALES`.
        seeds: number of trainings per row, with seeds 0 .. seeds-1. All hold out the same people.
        folds: number of folds of a cross-validation by subject, which holds out everybody once; 1 for a single split.
        test_subjects: number of people to hold out, or their names; None for a fifth of them. A number is spread
            evenly over the data sets (the paper holds out 2 or 3 people of each, 7 in all). People without a labelled
            frame for evaluation are only held out if nobody in their data set has one.
        settings: settings that override those of every row, such as ``{"options.kl_weight": 0.01}``.
    Raises:
        OmoteError: If a row, scale, number or setting is not possible, or ``to`` holds a reproduction with other faces,
            another scale, other settings or other people held out.
    """
    to = Path(to)
    chosen = _check_rows(rows, face_set)
    if scale not in SCALES:
        raise OmoteError(f'scale is "{scale}"; there are {", ".join(SCALES)}')
    if seeds < 1:
        raise OmoteError(f"seeds is {seeds}; give 1 or more")
    if fixed := sorted(set(settings) & FIXED):
        raise OmoteError(
            f"{fixed[0]} cannot be set: rows, seeds and people held out have options of their own"
        )
    groups = _hold_out(face_set, folds, test_subjects)
    for row in _rows_to_train(chosen):  # before anything is written
        row_config(row, scale, num_frames=1, seed=0, test_subjects=[], settings=settings)
    _claim_folder(
        to,
        {
            "scale": scale,
            "settings": dict(settings),
            "held_out": groups,
            "face_set": face_set.about.to_json(),
        },
    )
    faces = {face_set.size: face_set.path}
    if 64 not in faces and any(ROWS[row].size == 64 for row in chosen):
        smaller = to / "faces-64"
        faces[64] = (
            open_face_set(smaller)
            if smaller.is_dir() and not is_pending(smaller)
            else resize_face_set(face_set, smaller, size=64)
        ).path
    trainings = [
        Training(
            row.number,
            seed,
            None if folds == 1 else fold,
            to / "runs" / (f"{_name(row)}-seed{seed}" + ("" if folds == 1 else f"-fold{fold}")),
            faces[row.size],
            row_config(
                row,
                scale,
                num_frames=_training_frames(face_set, held_out),
                seed=seed,
                test_subjects=held_out,
                settings=settings,
            ),
            groups,
        )
        for row in _rows_to_train(chosen)
        for seed in range(seeds)
        for fold, held_out in enumerate(groups)
    ]
    trainings.sort(key=_cost, reverse=True)  # longest first, so that the processes end at about the same time
    return Plan(to, chosen, scale, seeds, folds, trainings, groups, face_set, settings)


def _rows_to_train(rows: Sequence[int]) -> list[Row]:
    """Return the rows whose trainings these rows of the table need."""
    needed = [ROWS[number] for number in {ROWS[row].trained_as for row in rows}]
    return [*needed, ONE_PASS] if 5 in rows else needed


def _name(row: Row) -> str:
    return f"row{row.number}" if row.number else f"one-pass-{row.size}px"


def _check_rows(rows: Sequence[int] | None, face_set: FaceSet) -> tuple[int, ...]:
    if unknown := [row for row in rows or () if row not in ROWS]:
        raise OmoteError(f"row {unknown[0]} was asked for; Table 3 has the rows 1 to {max(ROWS)}")
    possible = [row for row in ROWS if ROWS[row].size <= face_set.size]
    if rows is None:
        return tuple(possible)
    if impossible := sorted(set(rows) - set(possible)):
        raise OmoteError(
            f"row {impossible[0]} needs faces of {ROWS[impossible[0]].size} px and {face_set.path} has "
            f"{face_set.size}; prepare them with --size 128, which serves all rows"
        )
    return tuple(sorted(set(rows)))


def _hold_out(
    face_set: FaceSet, folds: int, test_subjects: int | Sequence[str] | None
) -> tuple[tuple[str, ...], ...]:
    """Return the people held out, one group per fold. All trainings share them, so that they differ in nothing else."""
    frames = face_set.frames
    scored = (frames["use"] != "train") & frames["expression"].notna()
    # of each data set those who can be scored, or everyone if nobody can, as in RAVDESS
    unscored_sets = ~frames["dataset"].isin(frames["dataset"][scored])
    people = alternate_datasets(frames[scored | unscored_sets], 0)
    everybody = len(face_set.subjects)
    if folds == 1:
        if isinstance(test_subjects, Sequence):
            if unknown := sorted(set(test_subjects) - set(face_set.subjects)):
                raise OmoteError(f"test subjects {', '.join(unknown)} are not in {face_set.path}")
            return (tuple(sorted(set(test_subjects))),)
        count = max(1, everybody // 5) if test_subjects is None else test_subjects
        if not 1 <= count <= min(len(people), everybody - 2):
            raise OmoteError(
                f"{count} people were to be held out; {face_set.path} has {everybody}, of whom {len(people)} can be "
                "held out and two have to be left to train on"
            )
        return (tuple(sorted(people[:count])),)
    if test_subjects is not None:
        raise OmoteError("both folds and test_subjects were given; folds hold out everybody once")
    if not 2 <= folds <= len(people):
        raise OmoteError(f"folds is {folds}; give 1, or 2 to {len(people)}, the number of people to hold out")
    dataset_of = dict(zip(frames["subject"], frames["dataset"], strict=True))
    people.sort(key=lambda subject: str(dataset_of[subject]))  # so that each data set is dealt to all folds
    return tuple(tuple(sorted(people[fold::folds])) for fold in range(folds))


def _training_frames(face_set: FaceSet, held_out: Sequence[str]) -> int:
    frames = face_set.frames
    return int((~frames["subject"].isin(list(held_out)) & (frames["use"] != "evaluate")).sum())


def _claim_folder(to: Path, asked: dict[str, Any]) -> None:
    """Create the folder, or check that it belongs to this reproduction."""
    asked = json.loads(json.dumps(asked, default=str))
    file = to / PLAN
    if file.is_file():
        with reading(file, "the record of a reproduction", "Choose another folder (--to)"):
            found = {"settings": {}, **read_json(file)}  # records of before have none
        if differing := [key for key in asked if found.get(key) != asked[key]]:
            what = {
                "scale": "another scale",
                "settings": "other settings",
                "held_out": "other people held out",
                "face_set": "other faces",
            }
            raise OmoteError(
                f"{to} holds a reproduction with {what[differing[0]]}; another --scale, --set, --folds or "
                "--test-subjects needs a folder of its own (--to)"
            )
        return
    if to.exists() and (not to.is_dir() or is_in_use(to)):
        raise OmoteError(f"{to} has other files in it; name a new folder (--to)")
    to.mkdir(parents=True, exist_ok=True)
    with locked(to, IN_WORK):
        write_text(file, json.dumps(asked, indent=1, ensure_ascii=False) + "\n")


def _cost(training: Training) -> int:
    options = training.config.options.model_dump()
    size = ONE_PASS.size if training.row == ONE_PASS.number else ROWS[training.row].size
    return int(size**2 * options["epochs"] * options.get("repetitions", 1))
