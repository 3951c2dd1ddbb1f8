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
from omote.data.parts import Parts, claim_parts, is_whole, new_part
from omote.data.shards import Shard, Shares, check_folder, claim_share, share_request
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
    if not to.name or (to.exists() and not to.is_dir()):
        raise OmoteError(f"Cannot write a face set to {to}: it is no folder. Name a new folder.")
    _check_workers(workers)
    about, request = _complete(about, size, jobs)
    problem = ""
    with claim_parts(to, request, "preparation", lambda: _check_target(to, overwrite)) as parts:
        if parts.outcome is None:
            folders = _run_jobs(parts, range(len(jobs)), jobs, make, size, workers, progress)
            problem = _join_jobs(folders, parts.new_result(), size, about)
            if not problem:
                parts.finish({})
        elif progress:  # joined by a process that was killed afterwards
            progress(len(jobs), len(jobs))
        if not problem:
            parts.replace(parts.result, to)
    if problem:
        raise OmoteError(problem)
    return open_face_set(to)


def build_share(
    to: str | Path,
    jobs: Sequence[Job],
    make: Callable[[Job], Iterator[FaceBatch]],
    shard: tuple[int, int],
    sizes: Sequence[int],
    *,
    size: int,
    about: About,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FaceSet:
    """Run `make` over a share of the jobs and return their face set, a part in the folder `to`; it may be empty.

    `join_face_sets` makes one face set of all parts. Like `build_face_set`, the same call resumes; if the part is done,
    it does nothing.

    Args:
        shard: (K, N) for the K-th of N shares, from 1. See `Shard.select`.
        sizes: bytes of the jobs' files, by which they are shared.
    Raises:
        OmoteError: If there is no such share, or the folder holds parts of other options or other files.
    """
    share, to = Shard(*shard), Path(to)
    share.check()
    _check_workers(workers)
    about, request = _complete(about, size, jobs)
    request = share_request("faces", request, share)
    check_folder(to, request)
    with claim_share(to, share, request, "preparation") as claim:
        if claim.outcome is None:
            folders = _run_jobs(claim.parts, share.select(sizes), jobs, make, size, workers, progress)
            part = claim.parts.new_result() / share.name
            part.mkdir()
            _join_jobs(folders, part, size, about)
            claim.finish({"faces": 0 if _is_empty(part) else len(open_face_set(part))})
    return _open_part(to / share.name, size, about)


def join_face_sets(shares: Shares, to: str | Path, *, overwrite: bool = False) -> FaceSet:
    """Return one face set of all parts, written to the folder `to`, as `build_face_set` would have written it.

    Args:
        overwrite: replace a face set at `to`, once the new one is whole.
    Raises:
        OmoteError: If `to` exists (and `overwrite` is not given, or it is not a face set), a part is damaged, or no
            face was kept in any part.
    """
    to, size, about = Path(to), shares.request["size"], About.model_validate(shares.request["about"])
    found = [_open_part(shares.folder / shard.name, size, about) for shard in shares.shards]
    for part, outcome in zip(found, shares.outcomes, strict=True):
        if len(part) != outcome["faces"]:
            raise OmoteError(
                f"{part.path} holds {len(part)} faces, but {outcome['faces']} were prepared. Remove it with "
                f"_{part.path.name}.json, and give the command of that part again."
            )

    def skipped() -> Iterator[Skipped]:
        for part in found:
            for row in part.skipped().to_dict("records"):
                frame = None if pd.isna(row["frame"]) else int(row["frame"])
                yield Skipped(source=row["source"], frame=frame, reason=row["reason"])

    problem = ""
    with claim_parts(to, {"parts": shares.request}, "joining", lambda: _check_target(to, overwrite)) as parts:
        if parts.outcome is None:
            files = [(part.path / "faces.npy", part.path / "frames.parquet") for part in found if len(part)]
            problem = _join(files, skipped, parts.new_result(), size, about)
            if not problem:
                parts.finish({})
        if not problem:
            parts.replace(parts.result, to)
    if problem:
        raise OmoteError(problem)
    return open_face_set(to)


def _check_workers(workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise OmoteError(f"workers is {workers}; expected at least 1, or none for one per core.")


def _complete(about: About, size: int, jobs: Sequence[Any]) -> tuple[About, dict[str, Any]]:
    """Return the metadata with a licence, and what must be the same for a preparation to be resumed."""
    about = about.model_copy(update={"licence": about.licence or DEFAULT_LICENCE})
    digest = hashlib.sha256("\n".join(map(repr, jobs)).encode()).hexdigest()
    return about, {
        "size": size,
        "about": about.to_json(),
        "jobs": {"count": len(jobs), "sha256": digest},
    }


def _is_empty(part: Path) -> bool:
    return not (part / "faces.npy").exists()


def _open_part(part: Path, size: int, about: About) -> FaceSet:
    """Return the face set of a part, which may be empty."""
    if (part / "skipped.csv").is_file() and _is_empty(part):
        frames = SCHEMA.empty_table().to_pandas()
        return FaceSet(part, np.empty((0, size, size, 3), np.uint8), frames, about)
    return open_face_set(part)


def _run_jobs(
    parts: Parts,
    chosen: Sequence[int],
    jobs: Sequence[Job],
    make: Callable[[Job], Iterator[FaceBatch]],
    size: int,
    workers: int | None,
    progress: Progress | None,
) -> list[Path]:
    """Run the chosen jobs that are not done, and return the folders of all chosen ones."""
    folders = [parts.part(number) for number in chosen]
    pending = [place for place, folder in enumerate(folders) if not is_whole(folder)]
    done = len(folders) - len(pending)
    workers = min(workers or cpu_count(), max(len(pending), 1))
    if progress:
        progress(done, len(folders))
    tasks = (delayed(_run_job)(jobs[chosen[place]], make, folders[place], size) for place in pending)
    with _run_tasks(tasks, workers) as finished:
        for _ in finished:
            done += 1
            if progress:
                progress(done, len(folders))
    return folders


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


def _join_jobs(folders: Sequence[Path], result: Path, size: int, about: About) -> str:
    """Write the batches of all jobs, in order, as one face set to `result`; return why there is none, or ""."""
    tables = [path for folder in folders for path in sorted(folder.glob("batch_*.parquet"))]

    def skipped() -> Iterator[Skipped]:
        for folder in folders:
            for file in sorted(folder.glob("batch_*.json")):
                yield from json.loads(file.read_text(encoding="utf-8"))

    return _join([(table.with_suffix(".npy"), table) for table in tables], skipped, result, size, about)


def _join(
    files: Sequence[tuple[Path, Path]],
    skipped: Callable[[], Iterator[Skipped]],
    result: Path,
    size: int,
    about: About,
) -> str:
    """Write faces (.npy) and their frames (.parquet), in order, as one face set; return why there is none, or ""."""
    reasons: Counter[str] = Counter()

    def counted() -> Iterator[Skipped]:
        for row in skipped():
            reasons[row["reason"].partition(":")[0]] += 1
            yield row

    write_skipped(result / "skipped.csv", counted())
    tables = [table for _, table in files]
    num_frames = sum(pq.read_metadata(table).num_rows for table in tables)
    if num_frames == 0:
        said = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        examples = ", ".join(f"{row['source']} ({row['reason']})" for row in islice(skipped(), 3))
        return (
            f"Not one face was kept, so no face set was written ({said or 'there was nothing to read'})."
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
        for images, path in files:
            faces.write(memoryview(np.load(images, mmap_mode="r", allow_pickle=False)).cast("B"))
            for table in _read_row_groups(path):
                writer.write_table(_fit_schema(table, schema))
                subjects.update(table["subject"].to_pylist())
                expressions.update(name for name in table["expression"].to_pylist() if name is not None)
                clips.update(zip(table["subject"].to_pylist(), table["clip"].to_pylist(), strict=True))
    counts = Counts(
        subjects=len(subjects),
        clips=len(clips),
        frames=num_frames,
        expressions=dict(sorted(expressions.items())),
        skipped=dict(sorted(reasons.items())),
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


def _read_row_groups(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


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
