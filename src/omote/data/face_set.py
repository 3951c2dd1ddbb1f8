"""The face set: prepared faces on disk, the one form that training, evaluation and features read.

A folder with `faces.npy` (N, S, S, 3) uint8 RGB, `frames.parquet` (one row per frame, in the same order), `about.json`
(metadata) and `skipped.csv` (source, frame and reason of everything left out). `build.py` writes it; this file opens
and checks it.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, field_validator

from omote.boundary import read_json, read_parquet, reading, to_frame
from omote.data.outputs import Faces
from omote.errors import OmoteError
from omote.formulas import restore_formulas

FORMAT = "omote face set"
FORMAT_VERSION = 1
USES = ("train", "evaluate", "both")  # what a frame may be used for
BOX = ("box_x", "box_y", "box_width", "box_height")
LANDMARKS = tuple(
    f"{point}_{axis}"
    for point in ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")  # YuNet's order
    for axis in "xy"
)
SCHEMA = pa.schema(
    [
        pa.field("subject", pa.string(), nullable=False),
        pa.field("clip", pa.string(), nullable=False),
        pa.field("frame", pa.int64(), nullable=False),  # index in the clip
        pa.field("time", pa.float64()),  # s from the start of the clip; NaN for a photo
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("expression", pa.string()),  # null if unknown
        pa.field("use", pa.string(), nullable=False),  # one of USES
        pa.field("source", pa.string(), nullable=False),  # path in the prepared folder, or a description
        # Detection: score from 0 to 1, box and landmarks in pixels of the source; NaN if no detector was used.
        *(pa.field(name, pa.float64()) for name in ("detection_score", *BOX, *LANDMARKS)),
    ]
)
SYNTHETIC = ("drawn", "rendered")  # importers whose faces show no real person


class Counts(BaseModel):
    """Numbers of subjects, clips and frames in a face set."""

    model_config = ConfigDict(frozen=True)

    subjects: int
    clips: int
    frames: int
    expressions: dict[str, int] = {}  # labelled frames by expression
    skipped: dict[str, int] = {}  # frames and files left out, by reason


class Origin(BaseModel):
    """The face set that another face set was resized from."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None  # of its folder
    size: int  # pixels
    versions: dict[str, str] | None = None  # of omote and OpenCV that prepared it
    by: str = ""  # how it was resized: "area averaging"


class About(BaseModel):
    """Metadata of a face set: the content of its `about.json`.

    Files of an older omote may lack fields. Unknown fields are kept, so that resizing, combining and training carry
    them along; `without_names` drops them.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    name: str | None = None  # folder of a source of a combined face set
    size: int | None = None  # side of a face in pixels
    licence: str | None = None  # terms of use of the faces
    dataset: str | None = None
    importer: str | None = (
        None  # "folder", "arrays", "drawn", "rendered", "combined", or the name of a data set
    )
    options: dict[str, Any] = {}  # of the importer; {} if the file says null
    align: Literal["none", "eyes"] = "none"  # see `omote.data.cut.Cut`
    margin: float | None = None  # likewise; None if no detector was used
    detector_sha256: str | None = None  # of the face detector's model file; None if no detector was used
    made_from: Origin | None = None  # of a resized face set
    sources: list["About"] | None = None  # of a combined face set
    found: dict[str, int] | None = None  # counts of a published data set, as found on disk
    published: dict[str, int] | None = None  # the same counts as its authors state them
    counts: Counts | None = None
    versions: dict[str, str] | None = None  # of omote and OpenCV

    @field_validator("options", mode="before")
    @classmethod
    def _options_or_empty(cls, options: Any) -> Any:
        return {} if options is None else options

    @property
    def is_synthetic(self) -> bool:
        """Whether the faces are drawn or rendered, so that they show no real person."""
        return self.importer in SYNTHETIC

    @property
    def is_cropped(self) -> bool:
        """Whether the source pictures were face crops already, so that no face was detected."""
        return bool(self.options.get("cropped"))

    @property
    def parts(self) -> list["About"]:
        """The sources of a combined face set; else the face set itself."""
        return self.sources or [self]

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were set, as plain JSON."""
        return self.model_dump(mode="json", exclude_unset=True)

    def without_names(self) -> "About":
        """Return the metadata that cannot identify people: no names of people, data sets, folders or files."""
        kept = self.model_dump(include=ANONYMOUS, exclude_unset=True)
        # Numbers identify nobody; a file name or a pattern of file names may.
        kept["options"] = {
            name: value
            for name, value in self.options.items()
            if self.is_synthetic or isinstance(value, int | float)
        }
        if self.counts:
            kept["counts"] = self.counts.model_dump(exclude={"skipped"}, exclude_unset=True)
        if self.made_from:
            kept["made_from"] = self.made_from.model_dump(exclude={"name"}, exclude_unset=True)
        if self.sources:  # each states its own terms; the combined text names the data sets
            kept["sources"] = [source.without_names().to_json() for source in self.sources]
            kept.pop("licence", None)
        return About.model_validate(kept)


# Fields that `About.without_names` keeps as they are.
ANONYMOUS = {"format", "format_version", "size", "importer", "align", "margin", "detector_sha256", "licence", "found",
             "published", "versions"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FaceSet:
    """An opened face set; `faces[i]` and `frames.iloc[i]` belong to the same frame."""

    path: Path
    faces: Faces  # (N, S, S, 3) RGB, memory-mapped, read-only
    frames: pd.DataFrame  # N rows: the columns of SCHEMA, then any others
    about: About

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def size(self) -> int:
        """Side of a face in pixels."""
        return int(self.faces.shape[1])

    @property
    def subjects(self) -> list[str]:
        """The subjects, sorted."""
        return sorted(self.frames["subject"].unique())

    def skipped(self) -> pd.DataFrame:
        """Return what was left out: columns source, frame (missing for a whole file) and reason."""
        with _reading(self.path / "skipped.csv"):
            table = pd.read_csv(self.path.absolute() / "skipped.csv", dtype=str, keep_default_na=False)
            table["frame"] = pd.to_numeric(table["frame"], errors="coerce").astype("Int64")
            return restore_formulas(table[["source", "frame", "reason"]])


def open_face_set(path: str | Path) -> FaceSet:
    """Return the face set in the folder `path`, with its faces memory-mapped.

    Raises:
        OmoteError: If `path` is no face set, has a newer format, or is damaged: a file is missing or truncated, a
            column is missing or has the wrong type, or the numbers of rows and faces differ.
    """
    path = Path(path)
    about = read_about(path)
    with _reading(path / "faces.npy"):
        faces = _open_faces(path / "faces.npy")
    with _reading(path / "frames.parquet"):
        frames = _read_frames(path / "frames.parquet")
    if len(frames) != len(faces):
        raise _damaged(path, f"frames.parquet has {len(frames)} rows and faces.npy {len(faces)} faces")
    if about.size != faces.shape[1]:
        raise _damaged(path, f"about.json says size {about.size} and faces.npy holds {faces.shape[1]} px")
    if not (path / "skipped.csv").is_file():
        raise _damaged(path, "skipped.csv is missing")
    return FaceSet(path, faces, frames, about)


def read_about(path: Path) -> About:
    """Return the metadata of the face set in the folder `path`; raise OmoteError as `open_face_set`."""
    file = path / "about.json"
    if not file.is_file():
        raise OmoteError(_why_no_face_set(path))
    with _reading(file):
        about = read_json(file)
        if about.get("format") != FORMAT:
            raise OmoteError(f"{path} is not a face set: its about.json does not say '{FORMAT}'.")
        if about.get("format_version") != FORMAT_VERSION:
            raise OmoteError(
                f"{path} is a face set of format version {about.get('format_version')!r}; this omote reads "
                f"version {FORMAT_VERSION}. Update omote, or prepare the face set again with this one."
            )
        return About.model_validate(about)


def _reading(file: Path) -> AbstractContextManager[None]:
    return reading(file, "a file of a face set", "Prepare the face set again with `omote prepare`")


def _why_no_face_set(path: Path) -> str:
    partial = Path(f"{path}.partial")
    if path.exists() and not path.is_dir():
        return f"{path} is a file; a face set is a folder, as made by `omote prepare`."
    if path.exists():
        reason = f"{path} is not a face set: it has no about.json."
    elif partial.exists():
        return (
            f"{path} does not exist yet: its preparation was interrupted (the finished part is in {partial}). Run the "
            "same `omote prepare` command again to finish it."
        )
    else:
        reason = f"There is no face set at {path}."
    return f"{reason} Make one with `omote prepare`, or check the path."


def _open_faces(file: Path) -> Faces:
    faces = np.lib.format.open_memmap(file, "r")
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1] != faces.shape[2] or faces.shape[3] != 3:
        raise ValueError(f"it holds {faces.dtype} {faces.shape}; expected uint8 (N, S, S, 3)")
    if not len(faces):
        raise ValueError("it holds no face")
    if not faces.flags.c_contiguous:
        raise ValueError("its order is that of Fortran")
    if file.stat().st_size != faces.offset + faces.nbytes:
        raise ValueError("it is longer than its header says")
    return faces


def _read_frames(file: Path) -> pd.DataFrame:
    table = read_parquet(file)
    if problem := find_schema_problem(table):
        raise ValueError(problem)
    frames = to_frame(table)
    if unknown := sorted(set(frames["use"]) - set(USES)):
        raise ValueError(f"use is {unknown[0]!r}; expected one of {', '.join(USES)}")
    return frames


def find_schema_problem(table: pa.Table) -> str | None:
    """Return how a table of frames violates SCHEMA, or None if it does not; further columns are allowed."""
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        return f"missing columns {', '.join(missing)}"
    for field in SCHEMA:
        column = table[field.name]
        is_text = pa.types.is_large_string(column.type) and field.type == pa.string()  # as pandas writes text
        if column.type != field.type and not is_text:
            return f"column {field.name} is {column.type}; expected {field.type}"
        if not field.nullable and column.null_count:
            return f"column {field.name} has {column.null_count} missing values"
    return None


def _damaged(path: Path, problem: str) -> OmoteError:
    return OmoteError(f"The face set {path} is damaged: {problem}. Prepare it again with `omote prepare`.")
