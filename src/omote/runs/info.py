"""The files of a run folder, and how `run.json` and the others are read and written.

run.json                format version, resolved configuration, training and test subjects, metadata of the face set
weights.safetensors     trained weights; written when training has finished
reference.safetensors   out-of-distribution model of the training faces; missing in runs of older versions
axes.json               axes of the expression code, if somebody put them there (`omote.features.axes`)
after_N.safetensors     weights after stage N, if `train` was asked to keep them
training.json           number of training frames, seconds of training without interruptions, path of the face set
README.md               model card, generated from the other files
checkpoint.safetensors  state to resume from; removed when training has finished
tensorboard/            scalars and sample pictures
scores.csv, ...         results of `omote evaluate` and other commands

A published model (`omote.runs.hub`) has config.json and model.safetensors instead of the first two.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, field_validator
from safetensors.torch import load_file, save
from torch import Tensor

from omote.boundary import read_json, reading
from omote.data.face_set import About
from omote.errors import OmoteError
from omote.files import write_beside
from omote.methods.method import Method
from omote.methods.registry import method_class
from omote.runs.config import TrainConfig
from omote.runs.shipped import explain_missing

FORMAT_VERSION = 1
LIBRARY = "omote"  # library_name in config.json
UNNAMED = "unnamed/"  # prefix of the ids that replace the ids of people in a published model


Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class RunInfo(NamedTuple):
    """The content of ``run.json``, or of ``config.json`` of a published model."""

    config: TrainConfig
    image_size: Annotated[int, Field(ge=1, le=1024)]
    train_subjects: list[str]
    test_subjects: list[str]
    face_set: About
    start: Annotated[str, Field(pattern=r"^[a-z_]+-[0-9a-f]{8}$")] | None = (
        None  # `model_id` of the first weights
    )

    @property
    def named(self) -> bool:
        """Whether the subjects have their own ids; a published model may have replaced them."""
        return not any(subject.startswith(UNNAMED) for subject in self.train_subjects)

    @property
    def method_class(self) -> type[Method]:
        """The class of the trained method."""
        return method_class(self.config.method)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors beside ``path`` and rename them into place."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)
    with write_beside(path) as beside:
        beside.write_bytes(content)


def read_tensors(path: Path, *, unknown: str = "") -> dict[str, Tensor]:
    """Return what `write_tensors` wrote.

    Raises:
        ValueError: If a number is not finite; but the tensor ``unknown`` may be NaN throughout.
        safetensors.SafetensorError, OSError: If the file is damaged.
    """
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if tensor.isfinite().all() or (name == unknown and tensor.isnan().all()):
            continue
        raise ValueError(f"{name} has numbers that are not finite")
    return tensors


def info_to_json(info: RunInfo) -> dict[str, Any]:
    """Return the content of ``run.json`` as plain JSON."""
    return {"format": FORMAT_VERSION, **info._asdict(), "config": info.config.model_dump(mode="json"),
            "face_set": info.face_set.to_json()}  # fmt: skip


def read_run_info(run: str | Path) -> RunInfo:
    """Return the content of ``run.json``, or of ``config.json`` of a published model.

    Raises:
        OmoteError: If the folder has neither, the file is damaged, or a newer omote wrote it.
    """
    return read_info_and_digest(Path(run))[0]


def read_info_and_digest(run: Path) -> tuple[RunInfo, str | None]:
    """Return the same, and the SHA-256 of the weights that a published model states; None for a run.

    Raises:
        OmoteError: As `read_run_info`.
    """
    is_run = (run / "run.json").is_file()
    path = run / ("run.json" if is_run else "config.json")
    if not path.is_file():
        raise OmoteError(explain_missing(run) or f"{run} is not a run: there is no such folder.")
    what, remedy = (
        ("of this omote", "Train the run again") if is_run else ("of a model", "Get the model again")
    )
    with reading(path, what, remedy):
        content = read_json(path)
        if not is_run and content.pop("library_name", None) != LIBRARY:
            raise OmoteError(f"{run} is not a run, and its config.json is not that of an omote model")
        version = content.pop("format")
        if version != FORMAT_VERSION:
            raise OmoteError(
                f"{run} has format {version}; this omote reads format {FORMAT_VERSION}. Update omote to read it."
            )
        match content:
            case {"config": {"method": "omote", "options": dict() as options}}:
                options.setdefault("relative", 0)  # older versions had no such stage
        digest = None if is_run else str(content.pop("weights_sha256"))
        return TypeAdapter(RunInfo).validate_python(content), digest


class TrainingRecord(BaseModel, extra="allow"):
    """The content of ``training.json``; None where it says nothing."""

    frames: Count | None = None  # number of training frames
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # without interruptions
    faces: str | None = None  # path of the face set


def read_training(run: str | Path) -> TrainingRecord:
    """Return the content of ``training.json``; empty if there is no such file."""
    path = Path(run) / "training.json"
    with reading(path, "the record of a training", "Train the run again, or remove the file"):
        return TrainingRecord.model_validate(read_json(path) if path.is_file() else {})


class ScoreRow(BaseModel):
    """One score; None where there is none."""

    people: str
    code: str
    score: str
    value: Number | None
    deviation: Number | None
    chance: Number | None
    reason: str


class SubjectRow(BaseModel):
    """The accuracy of one person."""

    people: str
    subject: str
    images: Count
    accuracy: Number | None


class ScoredPeople(BaseModel, extra="allow"):
    """How many people and images were scored."""

    subjects: Count
    images: Count


class AboutScores(BaseModel, extra="allow"):
    """What was scored, and how."""

    k: Count
    seeds: Count
    train: ScoredPeople
    test: ScoredPeople
    face_set: dict[str, Any] | None = None

    @field_validator("face_set")
    @classmethod
    def _check_face_set(cls, face_set: dict[str, Any] | None) -> dict[str, Any] | None:
        About.model_validate(face_set or {})
        return face_set


class ScoresFile(BaseModel):
    """The content of ``scores.json``, written by `omote.evaluation.protocol.Scores.save`."""

    about: AboutScores
    scores: list[ScoreRow]
    by_subject: list[SubjectRow]
    resampled: dict[str, list[dict[str, Number | None]]]


def read_scores(folder: str | Path) -> ScoresFile:
    """Return the content of ``scores.json``; raise OmoteError if it is missing or damaged."""
    path = Path(folder) / "scores.json"
    with reading(path, "the scores of this omote", "Score the run again with `omote evaluate`"):
        return ScoresFile.model_validate(read_json(path))


def weights_file(stage: int | None = None, *, published: bool = False) -> str:
    """Return the file name of the final weights, or of those after a stage, counted from 1."""
    if stage is not None:
        return f"after_{stage}.safetensors"
    return "model.safetensors" if published else "weights.safetensors"


def model_id(info: RunInfo, digest: str) -> str:
    """Return method and first digits of the weights' SHA-256; only features with the same id can be compared."""
    return f"{info.config.method}-{digest[:8]}"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
