"""Features out: photos, videos, folders, a camera or face sets in, one row a face with its expression code."""

import csv
import hashlib
import io
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
import pandas as pd

from omote.data.build import Progress, Skipped
from omote.data.detect import DETECTOR_SHA256, find_detector
from omote.data.face_set import FaceSet, open_face_set
from omote.data.images import EVERY_FRAME, PHOTO_SUFFIXES, VIDEO_SUFFIXES, Excerpt, is_video, estimate_num_frames
from omote.data.importers.folder import find_media_files
from omote.errors import OmoteError
from omote.features.extract import extract_features
from omote.features.profile import Profile
from omote.features.reader import IN_BFLOAT16, Reader, cut_for
from omote.features.stream import Piece, ResumePoint, Source, stream
from omote.features.table import check_table_path, join_tables
from omote.files import locked, write_text

ROWS_OF_A_FACE_SET = 2048  # read at a time


class Embedded(NamedTuple):
    """What an embedding gave."""

    num_faces: int
    num_doubted: int  # of them, those not to be trusted; with a profile, of the person's
    num_others: int  # with a profile: rows of other people, without codes
    knows_ood: bool  # whether the model knows the faces of its training
    skipped_frames: Counter[str]  # reason -> frames of videos
    skipped_files: list[Skipped]  # whole files


class Options(TypedDict, total=False):
    """What else can be said to `embed` and `embed_to`."""

    cropped: bool  # the pictures are faces already
    detector: str | Path | None  # a local copy of the detector's model
    excerpt: Excerpt  # which frames of videos
    profile: Profile | None  # makes the features relative to a person; the codes of other faces are NaN
    face: int | None  # with a profile: the number of the person's face in each source; 0 if not given
    workers: int | None  # threads that look for faces; None for one a core
    progress: Progress | None  # called with (frames done, frames in all, as far as the videos tell)


def open_reader(path: str | Path, *, device: str = "auto", bfloat16: bool = False) -> Reader:
    """Return what reads features: a run, a folder of `save_pretrained`, or a file of `omote export`.

    Args:
        path: the folder, or a file that ends in .onnx, which is read on the CPU and for which torch is not loaded.
        device: "auto" takes a GPU if there is one; "cpu", "cuda", "mps".
        bfloat16: compute codes in it, faster where the processor multiplies in it (an ONNX file: by OpenVINO). It moves
            them a little (docs/features.md), so `model` ends in "-bf16".
    Raises:
        OmoteError: If it is none of them, is damaged, was written by a newer omote, or there is no such device.
    """
    if Path(path).suffix == ".onnx":
        from omote.features.onnx_reader import OnnxReader

        if device not in ("auto", "cpu"):
            raise OmoteError(f"{path} is read on the CPU; a GPU takes the run itself (device is {device})")
        return OnnxReader(path, "openvino" if bfloat16 else "onnxruntime", bfloat16=bfloat16)
    from omote.runs.device import multiplies_in_bfloat16
    from omote.runs.trained import load

    trained = load(path, device=device)
    kind = next(trained.method.parameters()).device.type
    if bfloat16 and not multiplies_in_bfloat16(kind):
        raise OmoteError(f"bfloat16 was asked for, and the {kind} here does not multiply in it; leave it out")
    return replace(trained, model=trained.model + IN_BFLOAT16 * bfloat16, bfloat16=bfloat16)


def embed(
    reader: Reader, inputs: Sequence[str | Path], **options: Unpack[Options]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of all faces, and what was left out. `embed_to` writes a table of any length instead.

    Args:
        reader: see `omote.load` and `open_reader`.
        inputs: photos, videos, folders of them, "-" for a list of them on standard input, the index of a camera ("0");
            or face sets.
        options: see `Options`.
    Returns:
        A table, one row a face: source, frame, time (s), face (its number in the source), trusted, doubt (why not),
        model, detection_score, box and landmarks (pixels), blur (0-1), yaw, pitch, roll (degrees), ood (1 is the
        limit), z_e_00 ..., z_e_deviation_00 ...; of face sets as `extract_features` makes it. And one of what was left out:
        source, frame (missing for a whole file), reason.
    Raises:
        OmoteError: If face sets and pictures are mixed, an input is missing, an option makes no sense, or no face at
            all was found.
    """
    work = _Work(reader, inputs, **options)
    tables, skipped = [], list(work.skipped)
    for piece in work.pieces(ResumePoint()):
        tables.append(piece.table)
        skipped += piece.skipped
    done = _counted([(table, work.person(table)) for table in tables], skipped)
    work.check(done)
    return pd.concat(tables, ignore_index=True), _skipped_table(skipped)


def embed_to(
    reader: Reader, inputs: Sequence[str | Path], to: str | Path, **options: Unpack[Options]
) -> Embedded:
    """Write the features of all faces to a table, .parquet or .csv, and return how many there are; see `embed`.

    What is done is kept in `<to>.partial` while it goes on: killed and called again with the same arguments, it goes on
    from there; of a camera it writes what was kept. What was left out is written beside the table, as
    `<to>.skipped.csv`. An older table is replaced.

    Raises:
        OmoteError: As `embed`, and if `<to>.partial` holds something else, or another process is at it.
    """
    to = check_table_path(to)
    work = _Work(reader, inputs, **options)
    partial = to.with_name(f"{to.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    with locked(partial, "is writing this table"):
        place = _begin_or_go_on(partial, work)
        done_before = len(_parts(partial))
        for number, piece in enumerate(work.pieces(place), done_before):
            _keep(partial / f"part_{number:06d}", piece, work)
        done = _written(partial, work)
        if not work.problem(done):
            whole = partial / f"whole{to.suffix}"
            join_tables(_parts(partial), whole)
            os.replace(whole, to)
            listed = to.with_name(f"{to.name}.skipped.csv")
            if done.skipped_frames or done.skipped_files:
                os.replace(partial / "skipped.csv", listed)
            else:
                listed.unlink(missing_ok=True)
        (partial / "asked.json").unlink()  # first: what is left of the folder if this is killed is nobody's
        shutil.rmtree(partial, ignore_errors=True)
    work.check(done)
    return done


class _Work:
    """What was asked for, checked."""

    def __init__(
        self,
        reader: Reader,
        inputs: Sequence[str | Path],
        *,
        cropped: bool = False,
        detector: str | Path | None = None,
        excerpt: Excerpt = EVERY_FRAME,
        profile: Profile | None = None,
        face: int | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        excerpt.check()
        if workers is not None and workers < 1:
            raise OmoteError(f"workers is {workers}; expected at least 1, or none for one a core")
        if face is not None and profile is None:
            raise OmoteError("face says which face is the person of a profile, and no profile was given")
        if profile is not None:
            profile.check(reader.model)
        self.reader, self.excerpt, self.profile, self.face = reader, excerpt, profile, face or 0
        self.workers = workers or os.cpu_count() or 1
        self.progress, self.cropped = progress, cropped
        self.looked = 0  # frames
        self.skipped: list[Skipped] = []
        self.sources: list[Source] = []
        listed = _listed(inputs)
        self.face_sets = [open_face_set(path) for path in listed if (Path(path) / "about.json").is_file()]
        if self.face_sets:
            if len(self.face_sets) < len(listed):
                raise OmoteError("face sets and pictures were given together; embed them one after the other")
            if profile is not None or excerpt != EVERY_FRAME or cropped:
                raise OmoteError("a profile, an excerpt and cropped are for pictures; face sets were given")
            for face_set in self.face_sets:
                if face_set.size != reader.size:
                    raise OmoteError(
                        f"{face_set.path} has faces of {face_set.size} px, and the model {reader.model} reads "
                        f"{reader.size}; prepare them with --size {reader.size}"
                    )
            return
        reader.read(
            np.zeros((0, reader.size, reader.size, 3), np.uint8)
        )  # refused by a method that has to be told who
        for path in listed:
            self.sources += _sources(path, self.skipped)
        self.sources = list(dict.fromkeys(self.sources))
        self.cut = cut_for(reader, cropped=cropped)
        self.detector = None if self.cut.cropped else find_detector(detector)

    def pieces(self, place: ResumePoint) -> Iterator[Piece]:
        """Yield what is still to do from `place` on."""
        if self.face_sets:
            yield from self._pieces_of_face_sets(place)
            return
        total = 0
        if self.progress:
            total = sum(estimate_num_frames(name, self.excerpt) if is_video(name) else 1 for name, _ in self.sources)

        def looked() -> None:
            self.looked += 1
            if self.progress:
                self.progress(self.looked, max(self.looked, total))

        yield from stream(
            self.reader, self.sources, self.cut, self.detector, excerpt=self.excerpt, profile=self.profile, face=self.face,
            resume=place, workers=self.workers, on_frame=looked,
        )  # fmt: skip
        if self.progress:
            self.progress(self.looked, self.looked)

    def _pieces_of_face_sets(self, place: ResumePoint) -> Iterator[Piece]:
        total = sum(map(len, self.face_sets))
        for index, face_set in enumerate(self.face_sets[place.source :], place.source):
            first = place.frame + 1 if index == place.source else 0
            for start in range(first, len(face_set), ROWS_OF_A_FACE_SET):
                rows = slice(start, start + ROWS_OF_A_FACE_SET)
                some = FaceSet(
                    face_set.path, face_set.faces[rows], face_set.frames.iloc[rows], face_set.about
                )
                self.looked += len(some)
                yield Piece(
                    extract_features(self.reader, some), [], ResumePoint(index, start + len(some) - 1)
                )
                if self.progress:
                    self.progress(self.looked, total)

    def is_camera(self, source: int) -> bool:
        return source < len(self.sources) and self.sources[source].camera is not None

    def person(self, table: pd.DataFrame) -> pd.Series:
        """Return which rows are the profile's person; without a profile all are somebody."""
        if self.profile is None:
            return pd.Series(True, table.index)
        return table["face"] == self.face

    def problem(self, done: Embedded) -> str:
        """Return why there is nothing to write; "" where there is."""
        if not done.num_faces:
            counts = (
                Counter(one["reason"].partition(":")[0] for one in done.skipped_files) + done.skipped_frames
            )
            reasons = "; ".join(f"{reason}: {count}" for reason, count in counts.most_common())
            files = [f" For example {one['source']}: {one['reason']}." for one in done.skipped_files[:1]]
            said = f"Not one face was found, so no table was written ({reasons or 'no frame was taken'})."
            return said + "".join(files)
        if done.num_others == done.num_faces:
            return (
                f"no source has a face number {self.face}, so no table was written; the table without --profile "
                "has the numbers of the faces in its column face"
            )
        return ""

    def check(self, done: Embedded) -> None:
        """Raise OmoteError if there is nothing to write."""
        if problem := self.problem(done):
            raise OmoteError(problem)

    def asked(self) -> dict[str, Any]:
        """Return what tells this work from another."""
        inputs: list[Any] = []
        for name, camera in self.sources:
            inputs.append(name if camera is not None else (name, *_stamp(Path(name))))
        for face_set in self.face_sets:
            stamps = (_stamp(face_set.path / name) for name in ("faces.npy", "frames.parquet", "about.json"))
            inputs.append((str(face_set.path), *stamps))
        return {
            "model": self.reader.model,
            "inputs": hashlib.sha256(repr(inputs).encode()).hexdigest(),
            "number of inputs": len(inputs),
            "cropped": self.cropped,
            "detector": DETECTOR_SHA256,
            **self.excerpt._asdict(),
            "profile": None if self.profile is None else [self.profile.name, self.profile.neutral.tolist()],
            "face": self.face,
        }


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def _listed(inputs: Sequence[str | Path]) -> list[str]:
    listed: list[str] = []
    for given in map(str, inputs):
        if given != "-":
            listed.append(given)
            continue
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # names that are not UTF-8 are told below
        listed += [line for line in (line.rstrip("\r\n") for line in sys.stdin) if line.strip()]
    if not listed:
        raise OmoteError("no input was given; name a face set, or photos, videos or folders of them")
    return listed


def _sources(given: str, skipped: list[Skipped]) -> list[Source]:
    path = Path(given)
    printable = given.encode(errors="backslashreplace").decode()
    if printable != given:
        skipped.append(Skipped(source=printable, frame=None, reason="file name is not UTF-8"))
        return []
    if path.is_dir():
        inside: list[Skipped] = []
        found = [Source(str(path / name)) for name in find_media_files(path, inside)]
        skipped += [
            Skipped(source=str(path / one["source"]), frame=None, reason=one["reason"]) for one in inside
        ]
        if not found:
            raise OmoteError(f"{given} holds no photos or videos")
        return found
    if not path.exists() and given.isdecimal():
        return [Source(f"camera {given}", int(given))]
    if not path.exists():
        raise OmoteError(f"{given} does not exist")
    if path.suffix.lower() not in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
        raise OmoteError(
            f"{given} is neither a photo nor a video that omote reads, nor a face set or a folder"
        )
    return [Source(str(path))]


def _begin_or_go_on(partial: Path, work: _Work) -> ResumePoint:
    """Return where to go on: at the beginning, or behind the last part that is there."""
    file, asked = partial / "asked.json", json.loads(json.dumps(work.asked()))
    if not file.is_file():
        for old in partial.glob("part_*"):
            old.unlink()
        write_text(file, json.dumps(asked))
        return ResumePoint()
    found = json.loads(file.read_text(encoding="utf-8"))
    if found != asked:
        differing = ", ".join(sorted(key for key in asked if found.get(key) != asked[key]))
        raise OmoteError(
            f"An embedding that was interrupted lies in {partial}, of other inputs or options ({differing}). Give that "
            "command again to finish it, or remove the folder to start afresh."
        )
    parts = _parts(partial)
    if not parts:
        return ResumePoint()
    last = _described(parts[-1])
    work.looked = last["looked"]
    place = ResumePoint(**last["place"])
    # what a camera saw does not come again: its recording ends with what was kept
    return ResumePoint(place.source + 1) if place.frame >= 0 and work.is_camera(place.source) else place


def _parts(partial: Path) -> list[Path]:
    """Return the parts that are whole, in order: the description is written last."""
    return [file.with_suffix(".parquet") for file in sorted(partial.glob("part_*.json"))]


def _described(part: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(part.with_suffix(".json").read_text(encoding="utf-8"))
    return content


def _keep(part: Path, piece: Piece, work: _Work) -> None:
    piece.table.to_parquet(part.with_suffix(".parquet"), index=False)
    counts = _counted([(piece.table, work.person(piece.table))], [])
    content = {
        "faces": counts.num_faces,
        "doubted": counts.num_doubted,
        "others": counts.num_others,
        "knows_ood": counts.knows_ood,
        "looked": work.looked,
        "skipped": piece.skipped,
        "place": piece.resume._asdict(),
    }
    write_text(part.with_suffix(".json"), json.dumps(content))


def _written(partial: Path, work: _Work) -> Embedded:
    """Return what all parts hold together, and write what was left out to skipped.csv; part by part."""
    done = Embedded(0, 0, 0, False, Counter(), [])
    with (partial / "skipped.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["source", "frame", "reason"], lineterminator="\n")
        writer.writeheader()
        contents = (_described(part) for part in _parts(partial))
        for content in chain([{"skipped": work.skipped}], contents):
            writer.writerows(content["skipped"])
            done = Embedded(
                done.num_faces + content.get("faces", 0),
                done.num_doubted + content.get("doubted", 0),
                done.num_others + content.get("others", 0),
                done.knows_ood or content.get("knows_ood", False),
                done.skipped_frames
                + Counter(one["reason"] for one in content["skipped"] if one["frame"] is not None),
                done.skipped_files + [one for one in content["skipped"] if one["frame"] is None],
            )
    return done


def _counted(tables: Sequence[tuple[pd.DataFrame, pd.Series]], skipped: list[Skipped]) -> Embedded:
    """Return what is in tables, of each of which (N,) rows are the person's, and in a list."""
    faces = sum(len(table) for table, _ in tables)
    doubted = sum(int((person & ~table["trusted"]).sum()) for table, person in tables if "trusted" in table)
    others = sum(int((~person).sum()) for _, person in tables)
    knows_ood = any(bool(table["ood"].notna().any()) for table, _ in tables)
    frames = Counter(one["reason"] for one in skipped if one["frame"] is not None)
    return Embedded(
        faces, doubted, others, knows_ood, frames, [one for one in skipped if one["frame"] is None]
    )


def _skipped_table(skipped: list[Skipped]) -> pd.DataFrame:
    table = pd.DataFrame(skipped, columns=["source", "frame", "reason"])
    return table.astype({"source": "str", "frame": "Int64", "reason": "str"})
