"""The face set: prepared frames on disk, the one form that everything after `data` reads.

A folder with `faces.npy` (N, S, S, 3) uint8 RGB, `frames.parquet` (one row a frame, same order), `about.json`
and `skipped.csv` (source, frame, reason of everything left out). `build.py` writes it, this file opens and
checks it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from omote.errors import OmoteError

FORMAT = "omote face set"
FORMAT_VERSION = 1
USES = ("train", "evaluate", "both")
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
        pa.field("expression", pa.string()),  # missing where not known
        pa.field("use", pa.string(), nullable=False),  # one of USES
        pa.field("source", pa.string(), nullable=False),  # path in the prepared folder, or a description
        pa.field(
            "detection_score", pa.float64()
        ),  # 0-1; NaN where no detector was used, like all that follows
        *(pa.field(name, pa.float64()) for name in BOX + LANDMARKS),  # pixels of the source
    ]
)
REQUIRED = tuple(field.name for field in SCHEMA if not field.nullable)


MADE = ("drawn", "rendered")  # importers of faces that show no person


class Counts(BaseModel):
    """How many subjects, clips and frames a face set has, and frames by expression and by reason left out."""

    model_config = ConfigDict(frozen=True)

    subjects: int
    clips: int
    frames: int
    expressions: dict[str, int] = {}
    skipped: dict[str, int] = {}


class Origin(BaseModel):
    """The face set that another one was resized from."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None  # of its folder
    size: int
    versions: dict[str, str] | None = None
    by: str = ""  # how


class About(BaseModel):
    """Metadata of a face set: its `about.json`. A field that was not recorded has its default."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    name: str | None = None  # as a source of a combined face set: of its folder
    size: int | None = None  # side of a face in pixels
    dataset: str | None = None
    importer: str | None = None  # "folder", "arrays", "drawn", "rendered", "combined", or a data set's name
    options: dict[str, Any] = {}  # of the importer
    align: Literal["none", "eyes"] = "none"
    margin: float | None = (
        None  # share of the detected square added on each side; None where nothing was detected
    )
    detector_sha256: str | None = None
    licence: str | None = None
    found: dict[str, int] | None = None  # counts of a published data set, as found
    published: dict[str, int] | None = None  # and as its authors give them
    made_from: Origin | None = None
    sources: list["About"] | None = None  # of a combined face set
    counts: Counts | None = None
    versions: dict[str, str] | None = None  # of omote and OpenCV

    @property
    def is_made(self) -> bool:
        """Whether the faces are drawn or rendered, so that no person is shown."""
        return self.importer in MADE

    @property
    def is_cropped(self) -> bool:
        """Whether the pictures were faces already, so that none was detected."""
        return bool(self.options.get("cropped"))

    @property
    def parts(self) -> list["About"]:
        """The sources of a combined face set; of any other the face set itself."""
        return self.sources or [self]

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were given, as plain JSON."""
        return self.model_dump(mode="json", exclude_unset=True)

    def without_names(self) -> "About":
        """Return the metadata without what may tell whose pictures they are: names of people, folders and files."""
        kept = {name: value for name, value in self.to_json().items() if name in NAMELESS}
        # a number tells of nobody; a pattern or a file's name may
        kept["options"] = {
            name: value
            for name, value in self.options.items()
            if self.is_made or isinstance(value, int | float)
        }
        if self.counts is not None:
            kept["counts"] = self.counts.model_dump(exclude={"skipped"})
        if self.made_from is not None:
            kept["made_from"] = self.made_from.model_dump(exclude={"name"}, exclude_unset=True)
        if self.sources:  # each with its own terms; those of all begin with the folders' names
            kept["sources"] = [source.without_names().to_json() for source in self.sources]
            kept.pop("licence", None)
        return About.model_validate(kept)


NAMELESS = ("format", "format_version", "size", "importer", "align", "margin", "detector_sha256", "licence", "found",
            "published", "versions")  # fmt: skip


@dataclass(frozen=True, eq=False)
class FaceSet:
    """An opened face set; `faces[i]` and `frames.iloc[i]` are the same frame."""

    path: Path
    faces: np.ndarray  # (N, S, S, 3) uint8 RGB, memory-mapped, read-only
    frames: pd.DataFrame  # N rows, the columns of SCHEMA first, then any others
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
        """Return what was left out, as columns source, frame (missing for a whole file), reason."""
        table = pd.read_csv(self.path / "skipped.csv", dtype=str, keep_default_na=False)
        table["frame"] = pd.to_numeric(table["frame"], errors="coerce").astype("Int64")
        return table


def open_face_set(path: str | Path) -> FaceSet:
    """Return the face set in the folder `path`, its faces memory-mapped.

    Raises:
        OmoteError: If `path` is no face set, is of a newer format, or is damaged (a file missing or
            truncated, another number of rows than faces, a wrong type, a column missing).
    """
    path = Path(path)
    about = read_about(path)
    faces = _open_faces(path / "faces.npy")
    frames = _read_frames(path / "frames.parquet")
    if len(frames) != len(faces):
        raise _damaged(path, f"frames.parquet has {len(frames)} rows and faces.npy {len(faces)} faces")
    if about.size != faces.shape[1]:
        raise _damaged(path, f"about.json says size {about.size} and faces.npy holds {faces.shape[1]} px")
    if not (path / "skipped.csv").is_file():
        raise _damaged(path, "skipped.csv is missing")
    return FaceSet(path, faces, frames, about)


def read_about(path: Path) -> About:
    """Return the checked about.json of the face set in `path`; raise OmoteError as `open_face_set`."""
    file = path / "about.json"
    if not file.is_file():
        raise OmoteError(_no_face_set(path))
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, f"about.json cannot be read ({error})") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise OmoteError(f"{path} is not a face set: its about.json does not say '{FORMAT}'.")
    if about.get("format_version") != FORMAT_VERSION:
        raise OmoteError(
            f"{path} is a face set of format version {about.get('format_version')!r}; this omote reads "
            f"version {FORMAT_VERSION}. Update omote, or prepare the face set again with this one."
        )
    try:
        return About.model_validate(about)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise _damaged(path, f"about.json: {key}: {problem['msg']}") from error


def _no_face_set(path: Path) -> str:
    if not path.exists():
        partial = Path(f"{path}.partial")
        if partial.exists():
            return (
                f"{path} is not there yet: its preparation was interrupted ({partial} holds what is done). "
                "Run the same `omote prepare` command again to finish it."
            )
        return f"There is no face set at {path}. Make one with `omote prepare`, or check the path."
    if not path.is_dir():
        return f"{path} is a file; a face set is a folder, as made by `omote prepare`."
    return (
        f"{path} is not a face set: it has no about.json. Make one with `omote prepare`, or check the path."
    )


def _open_faces(file: Path) -> np.ndarray:
    if not file.is_file():
        raise _damaged(file.parent, "faces.npy is missing")
    try:
        with file.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(stream)
            start = stream.tell()
    except ValueError as error:
        raise _damaged(file.parent, f"the header of faces.npy cannot be read ({error})") from error
    if dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise _damaged(file.parent, f"faces.npy holds {dtype} {shape}; expected uint8 (N, S, S, 3)")
    if shape[0] == 0:
        raise _damaged(file.parent, "faces.npy holds no face")
    expected, found = start + int(np.prod(shape, dtype=np.int64)), file.stat().st_size
    if found != expected:
        raise _damaged(
            file.parent, f"faces.npy is {found} bytes, its header asks for {expected}; it is truncated"
        )
    faces: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    return faces


def _read_frames(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise _damaged(file.parent, "frames.parquet is missing")
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(file.parent, f"frames.parquet cannot be read ({error})") from error
    problem = schema_problem(table)
    if problem:
        raise _damaged(file.parent, f"frames.parquet: {problem}")
    frames: pd.DataFrame = table.to_pandas()
    uses: Sequence[Any] = sorted(set(frames["use"]) - set(USES))
    if uses:
        raise _damaged(file.parent, f"frames.parquet: use is {uses[0]!r}; expected one of {', '.join(USES)}")
    return frames


def schema_problem(table: pa.Table) -> str | None:
    """Return how a table of frames departs from SCHEMA (further columns are allowed), or None."""
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        return f"missing columns {', '.join(missing)}"
    for field in SCHEMA:
        column = table[field.name]
        long_text = pa.types.is_large_string(column.type) and field.type == pa.string()  # as pandas writes it
        if column.type != field.type and not long_text:
            return f"column {field.name} is {column.type}; expected {field.type}"
        if not field.nullable and column.null_count:
            return f"column {field.name} has {column.null_count} missing values"
    return None


def _damaged(path: Path, problem: str) -> OmoteError:
    return OmoteError(f"The face set {path} is damaged: {problem}. Prepare it again with `omote prepare`.")
