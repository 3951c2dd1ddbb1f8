"""Features out: photos, videos, folders, a camera or face sets in, one row per face with its expression code."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from omote.boundary import reading
from omote.data.build import Progress, Skipped, write_skipped
from omote.data.detect import ALL_FACES, DETECTOR_SHA256, Search, find_detector
from omote.data.face_set import FaceSet, open_face_set
from omote.data.parts import Parts, claim_parts, new_part
from omote.data.shards import Shard, Shares, check_folder, claim_share, record_name, share_request
from omote.data.turn import Rotate, check_rotate
from omote.data.videos import EVERY_FRAME, Excerpt, estimate_num_frames
from omote.errors import OmoteError
from omote.features.axes import Axes, gather_axes
from omote.features.extract import extract_features
from omote.features.inputs import Input, check_picture, find_sources, list_inputs
from omote.features.profile import Profile
from omote.features.reader import IN_BFLOAT16, Reader, cut_for
from omote.features.stream import SEARCHED, Piece, ResumePoint, Searched, Source, stream
from omote.features.summary import EmbedSummary, add_summaries, summarise
from omote.features.table import check_table_path, join_tables
from omote.features.usual_look import UsualLooks
from omote.files import file_state, write_json
from omote.formulas import write_csv_rows
from omote.runs.shipped import SHIPPED

FACE_SET_ROWS = 2048  # read at a time


class EmbedOptions(TypedDict, total=False):
    """Further options of `embed` and `embed_to`."""

    cropped: bool  # the pictures are faces already
    detector: str | Path | None  # a local copy of the detector's model
    excerpt: Excerpt  # which frames of videos
    largest: int | None  # the largest faces of each frame, so many; None for all
    fast: bool  # search no finer than it takes to find one clear face
    rotate: Rotate  # degrees by which pictures are turned clockwise, or "auto"
    all_frames: bool  # a row of missing values for each frame that was searched and has no face
    profile: Profile | None  # makes the features relative to a person; the codes of other faces are NaN
    face: int | None  # with a profile: the number of the person's face in each source; 0 if not given
    axes: Sequence[Axes]  # own axes, a column for each, besides those that come with the model
    relative: bool  # further columns, relative to the mean of each followed face (`usual_look.py`)
    workers: int | None  # threads that detect faces; None for one per core
    progress: Progress | None  # called with (frames done, frames in all, as far as the videos state it)


def open_reader(path: str | Path = SHIPPED, *, device: str = "auto", bfloat16: bool = False) -> Reader:
    """Return a reader of features: a run, a folder of `save_pretrained`, or an ONNX file of `omote export`.

    Args:
        path: the folder or the .onnx file; a file runs on the CPU, without loading torch. Or as `omote.load`.
        device: "auto" takes a GPU if there is one; or "cpu", "cuda", "mps".
        bfloat16: compute the codes in bfloat16, which is faster on processors that multiply in it (ONNX files: with
            OpenVINO). The codes change slightly (docs/features.md), so `model` ends in "-bf16".
    Raises:
        OmoteError: If it is none of them, is damaged, was written by a newer omote, or there is no such device.
    """
    if Path(path).suffix.lower() == ".onnx":
        from omote.features.onnx_reader import OnnxReader

        if device not in ("auto", "cpu"):
            raise OmoteError(
                f"{path} runs on the CPU; to use a GPU, give the run itself (device is {device})"
            )
        return OnnxReader(path, "openvino" if bfloat16 else "onnxruntime", bfloat16=bfloat16)
    from omote.runs.device import multiplies_in_bfloat16
    from omote.runs.trained import load

    trained = load(path, device=device)
    kind = next(trained.method.parameters()).device.type
    if bfloat16 and not multiplies_in_bfloat16(kind):
        raise OmoteError(f"bfloat16 was asked for, but the {kind} here does not multiply in it; leave it out")
    return replace(trained, model=trained.model + IN_BFLOAT16 * bfloat16, bfloat16=bfloat16)


def embed(
    reader: Reader, inputs: Sequence[Input], **options: Unpack[EmbedOptions]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of all faces, and what was left out. For tables larger than memory use `embed_to`.

    Args:
        reader: see `omote.load` and `open_reader`.
        inputs: photos, videos, folders of them, "-" for a list of them on standard input, the index of a camera ("0");
            images in memory, PIL's or arrays (H, W, 3) uint8 RGB, each a photo called "image N" by its place among the
            inputs; addresses such as s3://bucket/folder; or face sets.
        options: see `EmbedOptions`.
    Returns:
        A table with one row per face: source, frame, time (s), face (its number in the source), trusted, doubt (why
        not), model, detection_score, box and landmarks (pixels), blur (0-1), yaw, pitch, roll (degrees), ood (1 is the
        limit), axis_... (0-1) if the model comes with axes or own ones are given, z_e_00 ..., z_e_deviation_00
        ...; for face sets, the table of `extract_features`. And a table of what
        was left out: source, frame (missing for a whole file), reason. `attrs["searched"]` of the first says which
        frames were searched (see `Searched`).
    Raises:
        OmoteError: If face sets and pictures are mixed, an input is missing, an option makes no sense, or no face at
            all was found.
    """
    task = EmbedTask(reader, inputs, **options)
    pieces = list(task.pieces(ResumePoint()))
    task.check(summarise(task.skipped, map(task.describe, pieces)))
    skipped = [*task.skipped, *chain.from_iterable(piece.skipped for piece in pieces)]
    types = {"source": "str", "frame": "Int64", "reason": "str"}
    table = pd.concat([piece.table for piece in pieces], ignore_index=True)
    if task.relative:
        looks = UsualLooks()
        looks.add(table)
        table = pd.concat([table, looks.columns(table)], axis=1)
    table.attrs["searched"] = _join_searched(chain.from_iterable(piece.searched for piece in pieces))
    return (
        table,
        pd.DataFrame(skipped, columns=[*types]).astype(types),
    )


def embed_to(
    reader: Reader,
    inputs: Sequence[Input],
    to: str | Path,
    *,
    bom: bool = False,
    **options: Unpack[EmbedOptions],
) -> EmbedSummary:
    """Write the features of all faces to a table, .parquet or .csv, and return how many there are; see `embed`.

    Finished work is kept in `<to>.partial`: after an interruption, the same call resumes there; of a camera, it writes
    what was kept. Beside the table, `<to>.skipped.csv` lists what was left out, and `<to>.searched.csv` which frames of
    each source were searched. An older table is replaced.
    Parquet holds the numbers exactly, CSV to 6 significant digits, and `time` to the microsecond.

    Args:
        bom: begin the CSV files with a byte order mark, by which Excel knows UTF-8.
    Raises:
        OmoteError: As `embed`, and if `<to>.partial` holds something else or is in use by another process.
    """
    to = check_table_path(to)
    task = EmbedTask(reader, inputs, **options)
    with claim_parts(to, task.request() | {"bom": bom}, "embedding") as parts:
        if parts.outcome is None:
            summary = task.write(parts, to.name, to.name, bom=bom)
            if not task.problem(summary):
                parts.finish(summary._asdict())
        else:  # a killed process had joined them
            summary = EmbedSummary.restore(parts.outcome)
        if parts.outcome is not None:
            _put_table(parts, to, summary, searched=not task.face_sets)
    task.check(summary)
    return summary


def embed_share(
    reader: Reader,
    inputs: Sequence[Input],
    to: str | Path,
    shard: tuple[int, int],
    *,
    bom: bool = False,
    analysis: dict[str, Any] | None = None,
    **options: Unpack[EmbedOptions],
) -> EmbedSummary:
    """Write the features of a share of the inputs to a folder of parts, and return how many there are.

    `join_features` makes one table of all parts. `data/shards.py` describes the folder. Each part is a table with the
    further column `part`, its number. Like `embed_to`, the same call resumes; if the part is done, it does nothing.

    Args:
        to: the folder.
        shard: (K, N) for the K-th of N shares, from 1. See `Shard.select`.
        bom: as for `embed_to`, for the table that is made of the parts.
        analysis: JSON values of the analysis that the parts are for, the same for all of them.
    Raises:
        OmoteError: As `embed`, but that no face was found in this share; if face sets or a camera are given; if there
            is no such share; or if the folder holds parts of other inputs or options.
    """
    share = Shard(*shard)
    share.check()
    task, to = EmbedTask(reader, inputs, **options), Path(to)
    request = task.share_request(share, bom=bom, analysis=analysis)
    check_folder(to, request)
    task.select(share)
    with claim_share(to, share, request, "embedding") as claim:
        if claim.outcome is None:
            claim.finish(task.write_part(claim.parts, share)._asdict())
        return EmbedSummary.restore(claim.outcome)


def join_features(shares: Shares, to: str | Path) -> EmbedSummary:
    """Write one table of all parts, as `embed_to` would have written it, and return how many faces there are.

    Rows, skipped files and searched frames are those of one `embed_to` of the same inputs; codes may differ in their
    last digits, as they are computed in other batches. An older table is replaced.

    Raises:
        OmoteError: If no face was found in any part, or a part is damaged.
    """
    to = check_table_path(to)
    summary = add_summaries([EmbedSummary.restore(outcome) for outcome in shares.outcomes])
    if problem := _find_problem(summary, shares.request["face"]):
        raise OmoteError(problem)
    with claim_parts(to, {"parts": shares.request, "name": to.name}, "joining") as parts:
        # a killed process may have joined the parts before failed ones were made again
        if parts.outcome is None or EmbedSummary.restore(parts.outcome) != summary:
            result, bom = parts.new_result(), shares.request["bom"]
            with reading(shares.folder, "a folder of parts", "Make its parts again in a new folder"):
                join_tables(_find_tables(shares), result / to.name, bom=bom, without=["part"])
                for kind in ("skipped", "searched"):
                    files = (shares.folder / f"_{shard.name}.{kind}.csv" for shard in shares.shards)
                    _join_csv([file for file in files if file.exists()], result / f"{to.name}.{kind}.csv")
            parts.finish(summary._asdict())
        _put_table(parts, to, summary, searched=True)
    return summary


def _find_tables(shares: Shares) -> list[Path]:
    """Return the tables of the parts; a part whose inputs all failed has none."""
    found = []
    for shard, outcome in zip(shares.shards, shares.outcomes, strict=True):
        table = shares.folder / f"{shard.name}.parquet"
        if outcome["num_faces"] or not outcome["skipped_files"] or table.exists():
            remedy = f"Remove {table.with_name(record_name(shard))}, and give the command of this part again"
            with reading(table, "a part of a table", remedy):
                pq.read_metadata(table)
            found.append(table)
    return found


def _join_csv(files: Sequence[Path], to: Path) -> None:
    """Write the lines of CSV files with the same header as one file; nothing if there are none."""
    for number, file in enumerate(files):
        with file.open("rb") as source, to.open("ab") as target:
            header = source.readline()
            if number == 0:
                target.write(header)
            shutil.copyfileobj(source, target)


def _put_table(parts: Parts, to: Path, summary: EmbedSummary, *, searched: bool) -> None:
    """Put the table and the files beside it in place; those of an older table are replaced."""
    skipped = bool(summary.skipped_frames or summary.skipped_files)
    for name, is_written in (("skipped.csv", skipped), ("searched.csv", searched)):
        beside = to.with_name(f"{to.name}.{name}")
        if is_written:
            parts.replace(parts.result / beside.name, beside)
        else:
            beside.unlink(missing_ok=True)
    parts.replace(parts.result / to.name, to)


class EmbedTask:
    """The checked arguments of `embed`, and how much is done."""

    def __init__(
        self,
        reader: Reader,
        inputs: Sequence[Input],
        *,
        cropped: bool = False,
        detector: str | Path | None = None,
        excerpt: Excerpt = EVERY_FRAME,
        largest: int | None = None,
        fast: bool = False,
        rotate: Rotate = 0,
        all_frames: bool = False,
        profile: Profile | None = None,
        face: int | None = None,
        axes: Sequence[Axes] = (),
        relative: bool = False,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        excerpt.check()
        self.search = Search(largest, fast)
        self.search.check()
        check_rotate(rotate)
        self.rotate, self.all_frames = rotate, all_frames
        if workers is not None and workers < 1:
            raise OmoteError(f"workers is {workers}; expected at least 1, or none for one per core")
        if face is not None and profile is None:
            raise OmoteError("face says which face is the person of a profile, but no profile was given")
        if profile is not None:
            profile.check(reader.model)
        self.reader, self.excerpt, self.profile, self.face = reader, excerpt, profile, face or 0
        self.axes = gather_axes(reader, axes)
        if relative and profile is not None:
            raise OmoteError(
                "a profile and relative were given: codes are relative to the profile already; leave one of them out"
            )
        self.relative = relative
        self.workers = workers or os.cpu_count() or 1
        self.progress, self.cropped = progress, cropped
        self.frames_done = 0
        self.skipped: list[Skipped] = []
        self.sources: list[Source] = []
        listed = list_inputs(inputs)
        paths = [Path(given) for given in listed if isinstance(given, str)]
        self.face_sets = [open_face_set(path) for path in paths if (path / "about.json").is_file()]
        if self.face_sets:
            if len(self.face_sets) < len(listed):
                raise OmoteError("face sets and pictures were given together; embed them one after the other")
            for_pictures = (
                profile,
                excerpt != EVERY_FRAME,
                cropped,
                self.search != ALL_FACES,
                rotate,
                all_frames,
                relative,
            )
            if any(for_pictures):
                raise OmoteError(
                    "a profile, an excerpt, cropped, largest, fast, rotate, all_frames and relative are for pictures, "
                    "but face sets were given"
                )
            for face_set in self.face_sets:
                if face_set.size != reader.size:
                    raise OmoteError(
                        f"{face_set.path} has faces of {face_set.size} px, but the model {reader.model} reads "
                        f"{reader.size} px; prepare them with --size {reader.size}"
                    )
            return
        # Raises if the method needs to know the subjects.
        reader.read(np.zeros((0, reader.size, reader.size, 3), np.uint8))
        found = chain.from_iterable(
            find_sources(given, self.skipped)
            if isinstance(given, str)
            else [given if isinstance(given, Source) else check_picture(given, number)]
            for number, given in enumerate(listed)
        )
        self.sources = list({source.name: source for source in found}.values())
        self.cut = cut_for(reader, cropped=cropped)
        if rotate == "auto" and (
            self.cut.cropped or any(source.camera is not None for source in self.sources)
        ):
            raise OmoteError(
                "rotate is auto, which looks for faces in a photo or video beforehand; for a camera and for face crops "
                "give 90, 180 or 270"
            )
        self.detector = None if self.cut.cropped else find_detector(detector)

    def pieces(self, resume: ResumePoint) -> Iterator[Piece]:
        """Yield the pieces of the table that are not done."""
        if self.face_sets:
            yield from self._face_set_pieces(resume)
            return
        total = 0
        if self.progress:
            total = sum(
                estimate_num_frames(source.name, self.excerpt)
                if source.kind == "video" and source.remote is None
                else 1
                for source in self.sources
            )

        def count_frame() -> None:
            self.frames_done += 1
            if self.progress:
                self.progress(self.frames_done, max(self.frames_done, total))

        yield from stream(
            self.reader, self.sources, self.cut, self.detector, search=self.search, rotate=self.rotate,
            excerpt=self.excerpt, all_frames=self.all_frames, profile=self.profile, face=self.face, axes=self.axes,
            resume=resume, workers=self.workers, on_frame=count_frame,
        )  # fmt: skip
        if self.progress:
            self.progress(self.frames_done, self.frames_done)

    def _face_set_pieces(self, resume: ResumePoint) -> Iterator[Piece]:
        total = sum(map(len, self.face_sets))
        for index, face_set in enumerate(self.face_sets[resume.source :], resume.source):
            first = resume.frame + 1 if index == resume.source else 0
            for start in range(first, len(face_set), FACE_SET_ROWS):
                rows = slice(start, start + FACE_SET_ROWS)
                some = FaceSet(
                    face_set.path, face_set.faces[rows], face_set.frames.iloc[rows], face_set.about
                )
                self.frames_done += len(some)
                table = extract_features(self.reader, some, self.axes)
                yield Piece(table, [], [], ResumePoint(index, start + len(some) - 1))
                if self.progress:
                    self.progress(self.frames_done, total)

    def resume(self, parts: Parts) -> ResumePoint:
        """Return where to go on: at the beginning, or after the last part that is done."""
        folders = parts.resume()
        if not folders:
            return ResumePoint()
        last = _read_description(folders[-1])
        self.frames_done = last["frames_done"]
        point = ResumePoint(**last["resume"])
        in_camera = point.source < len(self.sources) and self.sources[point.source].camera is not None
        # A camera cannot be read again, so an interrupted recording ends with what was kept.
        return ResumePoint(point.source + 1) if point.frame >= 0 and in_camera else point

    def share_request(
        self, shard: Shard, *, bom: bool = False, analysis: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what all parts of these inputs are asked for; see `embed_share`."""
        if self.face_sets or any(source.camera is not None for source in self.sources):
            raise OmoteError("a share is one of photos and videos, but face sets or a camera were given")
        kind = "features" if analysis is None else "analysis"
        further = {} if analysis is None else {"analysis": analysis}
        return share_request(kind, {**self.request(), "bom": bom, **further}, shard)

    def select(self, shard: Shard) -> None:
        """Keep one share of the sources; what was left out before is listed by the first."""
        sizes = [self.size(source) for source in self.sources]
        self.sources = [self.sources[place] for place in shard.select(sizes)]
        if shard.number > 1:
            self.skipped = []

    def size(self, source: Source) -> int:
        """Return the bytes of a photo or video."""
        if source.remote is not None:
            return source.remote.size
        if source.picture is not None:
            return int(np.asarray(source.picture).nbytes)
        return (file_state(source.name) or (0, 0))[0]

    def write(
        self, parts: Parts, name: str, beside: str, *, bom: bool, part: int | None = None
    ) -> EmbedSummary:
        """Make the table in `parts.result`, unless there is no face for it, and return what it holds.

        Args:
            name: of the table.
            beside: name with which those of skipped.csv and searched.csv begin.
            part: number of a part, which is also made without a face, with the further column `part`.
        """
        resume = self.resume(parts)
        for number, piece in enumerate(self.pieces(resume), len(parts.done())):
            _write_piece(parts.part(number), piece, self)
        folders = parts.done()
        summary = summarise(self.skipped, map(_read_description, folders))
        if part is None and self.problem(summary):
            return summary
        result = parts.new_result()
        tables = [folder / "table.parquet" for folder in folders]
        looks = UsualLooks()
        if self.relative:
            for table in tables:
                looks.add(pd.read_parquet(table))

        def further(table: pd.DataFrame) -> pd.DataFrame:
            numbers = pd.DataFrame({} if part is None else {"part": np.full(len(table), part, np.int32)})
            return pd.concat([looks.columns(table), numbers], axis=1) if self.relative else numbers

        join_tables(tables, result / name, bom=bom, further=further)
        rows = (row for folder in folders for row in _read_description(folder)["skipped"])
        if summary.skipped_frames or summary.skipped_files:
            write_skipped(result / f"{beside}.skipped.csv", chain(self.skipped, rows), bom=bom)
        searched = chain.from_iterable(_read_description(folder)["searched"] for folder in folders)
        if not self.face_sets:
            _write_searched(result / f"{beside}.searched.csv", _join_searched(searched), self, bom=bom)
        return summary

    def write_part(self, parts: Parts, shard: Shard) -> EmbedSummary:
        """Make a part of a folder of parts in `parts.result`, and return what it holds."""
        bom = bool(parts.request["bom"])
        return self.write(parts, f"{shard.name}.parquet", f"_{shard.name}", bom=bom, part=shard.number)

    def describe(self, piece: Piece) -> dict[str, Any]:
        """Return the counts of a piece, what was left out, and where to resume, as JSON values."""
        table = piece.table
        if self.all_frames:
            table = table[table["face"].notna()]
        is_person = pd.Series(True, table.index) if self.profile is None else table["face"] == self.face
        doubts = (
            table["doubt"][is_person & ~table["trusted"]] if "trusted" in table else pd.Series([], dtype=str)
        )
        return {
            "faces": len(table),
            "doubted": len(doubts),
            "doubts": Counter(doubts.str.split("; ").explode()),
            "others": int((~is_person).sum()),
            "knows_ood": bool(table["ood"].notna().any()),
            "skipped": piece.skipped,
            "searched": piece.searched,
            "frames_done": self.frames_done,
            "resume": piece.resume._asdict(),
        }

    def problem(self, summary: EmbedSummary) -> str:
        """Return why there is no table to write, or ""."""
        return _find_problem(summary, self.face)

    def check(self, summary: EmbedSummary) -> None:
        """Raise OmoteError if there is no table to write."""
        if problem := self.problem(summary):
            raise OmoteError(problem)

    def request(self) -> dict[str, Any]:
        """Return what must be the same for an interrupted embedding to be resumed."""
        inputs: list[Any] = []
        for name, _, camera, picture, remote in self.sources:
            if camera is not None:
                inputs.append(name)
            elif picture is not None:
                inputs.append((name, hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()))
            elif remote is not None:
                inputs.append((name, remote.size, remote.modified))
            else:
                inputs.append((name, file_state(name)))
        for face_set in self.face_sets:
            files = (face_set.path / name for name in ("faces.npy", "frames.parquet", "about.json"))
            inputs.append((str(face_set.path), *map(file_state, files)))
        return {
            "model": self.reader.model,
            "inputs": hashlib.sha256(repr(inputs).encode()).hexdigest(),
            "number of inputs": len(inputs),
            "cropped": self.cropped,
            "detector": DETECTOR_SHA256,
            **asdict(self.search),
            "rotate": self.rotate,
            "all_frames": self.all_frames,
            "relative": self.relative,
            **self.excerpt._asdict(),
            "profile": None if self.profile is None else [self.profile.name, self.profile.neutral.tolist()],
            "face": self.face,
            **({"axes": self.axes.digest()} if self.axes else {}),
        }


def _find_problem(summary: EmbedSummary, face: int) -> str:
    """Return why there is no table to write, or ""; `face` is the number of the person's face."""
    if not summary.num_faces:
        file_reasons = Counter(row["reason"].partition(":")[0] for row in summary.skipped_files)
        counts = (file_reasons + summary.skipped_frames).most_common()
        reasons = "; ".join(f"{reason}: {count}" for reason, count in counts)
        examples = [f" For example {row['source']}: {row['reason']}." for row in summary.skipped_files[:1]]
        message = f"Not one face was found, so no table was written ({reasons or 'no frame was taken'})."
        return message + "".join(examples)
    if summary.num_others == summary.num_faces:
        return (
            f"no source has a face number {face}, so no table was written; without --profile, the column face "
            "of the table has the numbers of the faces"
        )
    return ""


def _write_piece(folder: Path, piece: Piece, task: EmbedTask) -> None:
    with new_part(folder) as part:
        piece.table.to_parquet(part / "table.parquet", index=False)
        write_json(part / "part.json", task.describe(piece))


def _read_description(folder: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((folder / "part.json").read_text(encoding="utf-8"))
    return description


def _join_searched(rows: Iterable[Searched]) -> list[Searched]:
    """Return a row for each source from those of the pieces."""
    joined: dict[str, Searched] = {}
    for row in rows:
        if (known := joined.get(row["source"])) is None:
            joined[row["source"]] = row.copy()
        else:
            known["frames"] += row["frames"]
            known["frames_with_faces"] += row["frames_with_faces"]
            known["last_frame"], known["last_time"] = row["last_frame"], row["last_time"]
    return list(joined.values())


def _write_searched(file: Path, rows: list[Searched], task: EmbedTask, *, bom: bool) -> None:
    excerpt = task.excerpt._asdict()
    with file.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as stream:
        write_csv_rows(stream, [*SEARCHED, *excerpt], ({**row, **excerpt} for row in rows))
