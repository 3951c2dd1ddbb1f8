"""Writing a face set: jobs run by several workers, resumable, and renamed into place when whole.

Every finished job leaves its parts in `<to>.partial/job_NNNNNN/`; a killed preparation goes on with the jobs
that are not there. Only one part (a few hundred faces) is in a worker's memory at a time, and assembling
copies part by part.
"""

import csv
import hashlib
import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, cpu_count, delayed

from omote.data.face_set import (
    FORMAT,
    FORMAT_VERSION,
    SCHEMA,
    About,
    FaceSet,
    open_face_set,
    find_schema_problem,
)
from omote.errors import OmoteError
from omote.files import locked, write_text

Job = TypeVar("Job")
Progress = Callable[[int, int], None]  # called with jobs done, jobs in all
DEFAULT_LICENCE = "Not stated. The terms of the source images hold for these faces too."


class Skipped(TypedDict):
    """A frame or file that was left out."""

    source: str
    frame: int | None  # index in the clip; None for a whole file
    reason: str


@dataclass
class Part:
    """Some frames of a job, in order; a job with many frames yields several."""

    faces: np.ndarray  # (n, S, S, 3) uint8 RGB; n may be 0
    frames: (
        pd.DataFrame
    )  # n rows; subject, clip and frame at least, other columns of SCHEMA take their default
    skipped: list[Skipped] = field(default_factory=list)


def build_face_set(
    to: str | Path,
    jobs: Sequence[Job],
    make: Callable[[Job], Iterator[Part]],
    *,
    size: int,
    about: About,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Run `make` over the jobs and return the face set written to the folder `to`, in the order of the jobs.

    Args:
        jobs: descriptions whose `repr` tells them apart and is the same in the next process (no addresses).
        make: yields the parts of one job, in order; must be picklable (a module's function or a partial of
            one).
        size: side S of the faces in pixels.
        about: importer, options and terms; a resumed preparation must have the same. `licence` is filled in if it
            is missing.
        workers: number of processes; None for one a core. The result does not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all) at the start and after every job.
    Raises:
        OmoteError: If `to` exists (and `overwrite` is not given, or it is not a face set), if `<to>.partial`
            comes from other options or is in use, or if no frame at all was kept.
    """
    to = Path(to)
    if workers is not None and workers < 1:
        raise OmoteError(f"workers is {workers}; expected at least 1, or none for one a core.")
    _check_target(to, overwrite)
    partial = to.with_name(f"{to.name}.partial")
    about = About.model_validate({"licence": DEFAULT_LICENCE, **about.to_json()})
    with _claimed(partial, _wanted(about, jobs, size)):
        pending = [i for i in range(len(jobs)) if not _job_folder(partial, i).is_dir()]
        done = len(jobs) - len(pending)
        workers = min(workers or cpu_count(), max(len(pending), 1))
        if progress:
            progress(done, len(jobs))
        tasks = (delayed(_run_job)(jobs[i], make, _job_folder(partial, i), size) for i in pending)
        with _finished(tasks, workers) as finished:
            for _ in finished:
                done += 1
                if progress:
                    progress(done, len(jobs))
        whole = _assemble(partial, len(jobs), size, about)
        _replace(to, whole, partial / "old")
        shutil.rmtree(partial, ignore_errors=True)  # a worker of a killed run may still be writing there
    return open_face_set(to)


def _check_target(to: Path, overwrite: bool) -> None:
    if not to.name or (to.exists() and not to.is_dir()):
        raise OmoteError(f"Cannot write a face set to {to}: it is no folder. Name a new folder.")
    if not to.is_dir() or not any(to.iterdir()):
        return
    if not overwrite:
        raise OmoteError(f"{to} exists already. Name a new folder, or ask to overwrite it (--overwrite).")
    if not (to / "about.json").is_file() or f'"{FORMAT}"' not in (to / "about.json").read_text(
        "utf-8", "replace"
    ):
        raise OmoteError(
            f"{to} is not a face set, so it is not overwritten. Name a new folder, or remove it yourself."
        )


def _wanted(about: About, jobs: Sequence[Any], size: int) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(map(repr, jobs)).encode()).hexdigest()
    return {"size": size, "about": about.to_json(), "jobs": {"count": len(jobs), "sha256": digest}}


@contextmanager
def _claimed(partial: Path, wanted: dict[str, Any]) -> Iterator[None]:
    """Hold `partial` for this process: made, or found with the same options; locked against a second one."""
    again = f"Remove that folder to start afresh, or choose another folder for the face set: {partial}"
    file = partial / "preparation.json"
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OmoteError(f"Cannot make the folder {partial}: {error.strerror}.") from error
    with locked(partial, "is preparing this face set"):
        if file.is_file():
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
            except json.JSONDecodeError:
                found = {}
            differing = _differences(found, wanted)
            if differing:
                raise OmoteError(
                    "An interrupted preparation is there, made with other options or other source files "
                    f"({'; '.join(differing)}). Run that one again to finish it. {again}"
                )
        elif any(entry.name != "lock" for entry in partial.iterdir()):
            raise OmoteError(f"A folder is in the way that no preparation of this omote has made. {again}")
        else:
            _write_json(file, wanted)
        yield


def _differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            line
            for key in sorted(found.keys() | wanted.keys())
            for line in _differences(found.get(key), wanted.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if found == wanted else [f"{name}: was {json.dumps(found)}, now {json.dumps(wanted)}"]


@contextmanager
def _finished(tasks: Iterator[Any], workers: int) -> Iterator[Iterator[None]]:
    """Give a None for every task that is finished; one worker runs in this process."""
    finished = Parallel(n_jobs=workers, return_as="generator_unordered")(tasks)
    with warnings.catch_warnings():
        # After an error or Ctrl-C; the jobs that were not finished are done again next time.
        warnings.filterwarnings("ignore", ".*have been cancelled", UserWarning)
        try:
            yield finished
        finally:
            finished.close()


def _run_job(job: Job, make: Callable[[Job], Iterator[Part]], folder: Path, size: int) -> None:
    """Write the parts of one job beside its folder, then rename: a job's folder is always whole."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the workers share the cores
    beside = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        for number, part in enumerate(make(job)):
            _write_part(beside / f"part_{number:06d}", part, size)
        with suppress(OSError):  # it is there if a worker of a killed run has finished the same job meanwhile
            beside.rename(folder)
        assert folder.is_dir()
    finally:
        cv2.setNumThreads(threads)
        shutil.rmtree(beside, ignore_errors=True)


def _write_part(stem: Path, part: Part, size: int) -> None:
    shape = (len(part.frames), size, size, 3)
    assert part.faces.dtype == np.uint8, f"faces are {part.faces.dtype}, expected uint8"
    if len(part.frames):
        assert part.faces.shape == shape, f"faces are {part.faces.shape}, expected {shape}"
        np.save(stem.with_suffix(".npy"), part.faces)
        pq.write_table(_table(part.frames), stem.with_suffix(".parquet"))
    if part.skipped:
        _write_json(stem.with_suffix(".json"), part.skipped)


def _table(frames: pd.DataFrame) -> pa.Table:
    """Return the frames with SCHEMA's columns first, of its types; what is missing takes its default."""
    defaults = {"dataset": "", "use": "both", "source": ""}
    frames = frames.reset_index(drop=True)
    given = pa.Table.from_pandas(frames, preserve_index=False).replace_schema_metadata(None)
    columns = {}
    for column in SCHEMA:
        if column.name in given.column_names:
            columns[column.name] = given[column.name].cast(column.type)
        else:
            columns[column.name] = pa.array([defaults.get(column.name)] * len(frames), column.type)
    for column in given.schema:
        if column.name not in columns:
            text = pa.types.is_large_string(column.type)
            columns[column.name] = given[column.name].cast(pa.string()) if text else given[column.name]
    fields = [
        SCHEMA.field(name) if name in SCHEMA.names else (name, data.type) for name, data in columns.items()
    ]
    table = pa.table(list(columns.values()), schema=pa.schema(fields))
    problem = find_schema_problem(table)
    assert problem is None, f"an importer made bad frames: {problem}"
    return table


def _assemble(partial: Path, num_jobs: int, size: int, about: About) -> Path:
    """Copy the parts of all jobs, in order, into one face set in `partial / "whole"`; return that folder."""
    whole = partial / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    folders = [_job_folder(partial, i) for i in range(num_jobs)]
    parts = [path.with_suffix("") for folder in folders for path in sorted(folder.glob("part_*.parquet"))]
    skipped = _write_skipped(
        whole / "skipped.csv", [p for folder in folders for p in sorted(folder.glob("part_*.json"))]
    )
    num_frames = sum(pq.read_metadata(part.with_suffix(".parquet")).num_rows for part in parts)
    if num_frames == 0:
        raise _nothing_kept(partial, whole / "skipped.csv", skipped)
    schemas = dict.fromkeys(pq.read_schema(part.with_suffix(".parquet")) for part in parts)
    schema = pa.unify_schemas(list(schemas), promote_options="permissive")
    subjects: Counter[str] = Counter()
    expressions: Counter[str] = Counter()
    clips: set[tuple[str, str]] = set()
    header = {"descr": "|u1", "fortran_order": False, "shape": (num_frames, size, size, 3)}
    with (
        (whole / "faces.npy").open("wb") as faces,
        pq.ParquetWriter(whole / "frames.parquet", schema) as writer,
    ):
        np.lib.format.write_array_header_1_0(faces, header)
        for part in parts:
            faces.write(np.load(part.with_suffix(".npy"), allow_pickle=False).tobytes())
            table = pq.read_table(part.with_suffix(".parquet"))
            writer.write_table(_widened(table, schema))
            subjects.update(table["subject"].to_pylist())
            expressions.update(name for name in table["expression"].to_pylist() if name is not None)
            clips.update(zip(table["subject"].to_pylist(), table["clip"].to_pylist(), strict=True))
    counts = {
        "subjects": len(subjects),
        "clips": len(clips),
        "frames": num_frames,
        "expressions": dict(sorted(expressions.items())),
        "skipped": dict(sorted(skipped.items())),
    }
    versions = {"omote": version("omote"), "opencv": cv2.__version__}
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "size": size}
    _write_json(whole / "about.json", {**head, **about.to_json(), "counts": counts, "versions": versions})
    return whole


def _widened(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[name].cast(schema.field(name).type)
        if name in table.column_names
        else pa.nulls(table.num_rows, schema.field(name).type)
        for name in schema.names
    ]
    return pa.table(columns, schema=schema)


def _write_skipped(file: Path, parts: list[Path]) -> Counter[str]:
    counts: Counter[str] = Counter()
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["source", "frame", "reason"], lineterminator="\n")
        writer.writeheader()
        for part in parts:
            rows: list[Skipped] = json.loads(part.read_text(encoding="utf-8"))
            writer.writerows(rows)
            counts.update(row["reason"].partition(":")[0] for row in rows)
    return counts


def _nothing_kept(partial: Path, skipped_file: Path, skipped: Counter[str]) -> OmoteError:
    reasons = (
        "; ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
        or "there was nothing to read"
    )
    with skipped_file.open(encoding="utf-8", newline="") as stream:
        examples = [
            f"{row['source']} ({row['reason']})"
            for row, _ in zip(csv.DictReader(stream), range(3), strict=False)
        ]
    shutil.rmtree(partial)
    first = f" For example {', '.join(examples)}." if examples else ""
    return OmoteError(f"Not one face was kept, so no face set was written ({reasons}).{first}")


def _replace(to: Path, whole: Path, old: Path) -> None:
    """Put `whole` at `to`; an older face set waits in `old`, in the partial folder, until that is done."""
    if to.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(to, old)
    os.replace(whole, to)


def _job_folder(partial: Path, index: int) -> Path:
    return partial / f"job_{index:06d}"


def _write_json(file: Path, content: Any) -> None:
    write_text(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
