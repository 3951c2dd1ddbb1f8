"""Writing a face set: jobs run by several workers, resumable, and renamed into place when whole.

Each job is a part of `<to>.partial` (see `parts.py`), so a killed preparation resumes with the jobs that are not done.
A worker holds one batch of a few hundred faces in memory at a time, and so does joining the batches.
"""

import hashlib
import io
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from joblib import Parallel, cpu_count, delayed

from omote.data.contact_sheet import write_contact_sheet
from omote.data.face_set import (
    FORMAT,
    FORMAT_VERSION,
    SCHEMA,
    About,
    Counts,
    FaceSet,
    find_schema_problem,
    open_face_set,
)
from omote.data.parts import claim_parts, is_whole, new_part
from omote.errors import OmoteError
from omote.files import write_json
from omote.formulas import write_csv_rows

Job = TypeVar("Job")
Progress = Callable[[int, int], None]  # called with jobs done, jobs in all
DEFAULT_LICENCE = "Not stated. The terms of the source images hold for these faces too."


class Skipped(TypedDict):
    """A frame or file that was left out."""

    source: str
    frame: int | None  # index in the clip; None for a whole file
    reason: str


@dataclass
class FaceBatch:
    """Some frames of a job, in order; a job with many frames yields several."""

    faces: np.ndarray  # (n, S, S, 3) uint8 RGB; n may be 0
    frames: (
        pd.DataFrame
    )  # n rows; subject, clip and frame at least; other columns of SCHEMA take their default
    skipped: list[Skipped] = field(default_factory=list)


def build_face_set(
    to: str | Path,
    jobs: Sequence[Job],
    make: Callable[[Job], Iterator[FaceBatch]],
    *,
    size: int,
    about: About,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Run `make` over the jobs and return the face set written to the folder `to`, in the order of the jobs.

    Args:
        jobs: descriptions with distinct `repr`s that are the same in the next process (no addresses).
        make: yields the batches of one job, in order; must be picklable (a module's function or a partial of one).
        size: side S of the faces in pixels.
        about: importer, options and terms; the same when a preparation is resumed. A missing `licence` is filled in.
        workers: number of processes; None for one per core. The result does not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all) at the start and after every job.
    Raises:
        OmoteError: If `to` exists (and `overwrite` is not given, or it is not a face set), if `<to>.partial` comes from
            other options or is in use, or if no frame at all was kept.
    """
    to = Path(to)
    if workers is not None and workers < 1:
        raise OmoteError(f"workers is {workers}; expected at least 1, or none for one per core.")
    if not to.name or (to.exists() and not to.is_dir()):
        raise OmoteError(f"Cannot write a face set to {to}: it is no folder. Name a new folder.")
    about = about.model_copy(update={"licence": about.licence or DEFAULT_LICENCE})
    digest = hashlib.sha256("\n".join(map(repr, jobs)).encode()).hexdigest()
    request = {"size": size, "about": about.to_json(), "jobs": {"count": len(jobs), "sha256": digest}}
    problem = ""
    with claim_parts(to, request, "preparation", lambda: _check_target(to, overwrite)) as parts:
        folders = [parts.part(i) for i in range(len(jobs))]
        is_joined = parts.outcome is not None  # by a process that was killed afterwards
        pending = [i for i, folder in enumerate(folders) if not is_joined and not is_whole(folder)]
        done = len(jobs) - len(pending)
        workers = min(workers or cpu_count(), max(len(pending), 1))
        if progress:
            progress(done, len(jobs))
        tasks = (delayed(_run_job)(jobs[i], make, folders[i], size) for i in pending)
        with _run_tasks(tasks, workers) as finished:
            for _ in finished:
                done += 1
                if progress:
                    progress(done, len(jobs))
        if not is_joined:
            problem = _join_parts(folders, parts.new_result(), size, about)
            if not problem:
                parts.finish({})
        if not problem:
            parts.replace(parts.result, to)
    if problem:
        raise OmoteError(problem)
    return open_face_set(to)


def _check_target(to: Path, overwrite: bool) -> None:
    if not to.is_dir() or not any(to.iterdir()):
        return
    if not overwrite:
        raise OmoteError(f"{to} exists already. Name a new folder, or ask to overwrite it (--overwrite).")
    about = to / "about.json"
    if not about.is_file() or f'"{FORMAT}"' not in about.read_text("utf-8", "replace"):
        raise OmoteError(
            f"{to} is not a face set, so it is not overwritten. Name a new folder, or remove it yourself."
        )


@contextmanager
def _run_tasks(tasks: Iterator[Any], workers: int) -> Iterator[Iterator[None]]:
    """Give a None for every task that is finished; a single worker runs in this process."""
    finished = Parallel(n_jobs=workers, return_as="generator_unordered")(tasks)
    with warnings.catch_warnings():
        # After an error or Ctrl-C; the jobs that were not finished are done again next time.
        warnings.filterwarnings("ignore", ".*have been cancelled", UserWarning)
        try:
            yield finished
        finally:
            finished.close()


def _run_job(job: Job, make: Callable[[Job], Iterator[FaceBatch]], folder: Path, size: int) -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the workers share the cores
    try:
        with new_part(folder) as part:
            for number, batch in enumerate(make(job)):
                _write_batch(part / f"batch_{number:06d}", batch, size)
    finally:
        cv2.setNumThreads(threads)


def _write_batch(stem: Path, batch: FaceBatch, size: int) -> None:
    shape = (len(batch.frames), size, size, 3)
    assert batch.faces.dtype == np.uint8, f"faces are {batch.faces.dtype}, expected uint8"
    if len(batch.frames):
        assert batch.faces.shape == shape, f"faces are {batch.faces.shape}, expected {shape}"
        npy = io.BytesIO()  # written straight to a file, numpy does not say that the disk is full
        np.save(npy, batch.faces)
        stem.with_suffix(".npy").write_bytes(npy.getbuffer())
        pq.write_table(_arrow_table(batch.frames), stem.with_suffix(".parquet"))
    if batch.skipped:
        write_json(stem.with_suffix(".json"), batch.skipped)


def _arrow_table(frames: pd.DataFrame) -> pa.Table:
    """Return the frames with SCHEMA's columns first, in its types; missing columns take their default."""
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


def _join_parts(folders: Sequence[Path], result: Path, size: int, about: About) -> str:
    """Write the batches of all jobs, in order, as one face set to `result`; return why there is none, or ""."""
    tables = [path for folder in folders for path in sorted(folder.glob("batch_*.parquet"))]
    skipped: Counter[str] = Counter()

    def skipped_rows() -> Iterator[Skipped]:
        for folder in folders:
            for file in sorted(folder.glob("batch_*.json")):
                for row in json.loads(file.read_text(encoding="utf-8")):
                    skipped[row["reason"].partition(":")[0]] += 1
                    yield row

    write_skipped(result / "skipped.csv", skipped_rows())
    num_frames = sum(pq.read_metadata(table).num_rows for table in tables)
    if num_frames == 0:
        reasons = "; ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
        examples = ", ".join(f"{row['source']} ({row['reason']})" for row in islice(skipped_rows(), 3))
        return (
            f"Not one face was kept, so no face set was written ({reasons or 'there was nothing to read'})."
            + (f" For example {examples}." if examples else "")
        )
    schemas = dict.fromkeys(pq.read_schema(table) for table in tables)
    schema = pa.unify_schemas(list(schemas), promote_options="permissive")
    subjects: set[str] = set()
    expressions: Counter[str] = Counter()
    clips: set[tuple[str, str]] = set()
    header = {"descr": "|u1", "fortran_order": False, "shape": (num_frames, size, size, 3)}
    with (
        (result / "faces.npy").open("wb") as faces,
        pq.ParquetWriter(result / "frames.parquet", schema) as writer,
    ):
        np.lib.format.write_array_header_1_0(faces, header)
        for path in tables:
            faces.write(np.load(path.with_suffix(".npy"), allow_pickle=False).tobytes())
            table = pq.read_table(path)
            writer.write_table(_fit_schema(table, schema))
            subjects.update(table["subject"].to_pylist())
            expressions.update(name for name in table["expression"].to_pylist() if name is not None)
            clips.update(zip(table["subject"].to_pylist(), table["clip"].to_pylist(), strict=True))
    counts = Counts(
        subjects=len(subjects),
        clips=len(clips),
        frames=num_frames,
        expressions=dict(sorted(expressions.items())),
        skipped=dict(sorted(skipped.items())),
    )
    versions = {"omote": version("omote"), "opencv": cv2.__version__}
    whole = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "size": size,
        "counts": counts,
        "versions": versions,
    }
    write_json(result / "about.json", about.model_copy(update=whole).to_json())
    write_contact_sheet(result, counts.skipped)
    return ""


def _fit_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns and types of the schema; a column that it lacks is empty."""
    columns = [
        table[name].cast(schema.field(name).type)
        if name in table.column_names
        else pa.nulls(table.num_rows, schema.field(name).type)
        for name in schema.names
    ]
    return pa.table(columns, schema=schema)


def write_skipped(file: Path, rows: Iterable[Skipped], *, bom: bool = False) -> None:
    """Write what was left out as CSV; `bom` as for `join_tables`."""
    with file.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as stream:
        write_csv_rows(stream, ["source", "frame", "reason"], rows)
