"""A run: the folder that holds one training's configuration, weights, log and results.

run.json               format, configuration as resolved, subjects of both sides, what the face set said of itself
weights.safetensors    the trained weights; there once the training is whole
reference.safetensors  what the training's faces look like; runs of an older omote lack it
after_N.safetensors    the weights after stage N, where they were asked for
training.json          frames that were trained on, seconds that it took, interruptions not counted, and where the
                       face set lay
README.md              the model card, made of all that is here
checkpoint.*           where to go on; gone once the training is whole
tensorboard/           scalars and sample pictures
scores.csv, ...        what `omote evaluate` and the pictures add

A model that `Trained.save_pretrained` wrote is opened like a run: see `omote.runs.hub`.
"""

import copy
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from omote.data.face_set import About
from omote.data.outputs import Outputs, code_columns
from omote.errors import OmoteError
from omote.files import write_text
from omote.methods.method import Method
from omote.methods.registry import method_class
from omote.models.encoder import Encoder, Posterior
from omote.runs.config import TrainConfig, explain
from omote.runs.device import choose_device
from omote.runs.ood import Reference

FORMAT_VERSION = 1
LIBRARY = "omote"  # in config.json: whose model it is
UNNAMED = "unnamed/"  # begins what stands for the id of someone that was left out
Floats = NDArray[np.float32]
Faces = NDArray[np.uint8]


class RunInfo(NamedTuple):
    """What ``run.json`` holds, and ``config.json`` of a published model."""

    config: TrainConfig
    image_size: int
    train_subjects: list[str]
    test_subjects: list[str]
    face_set: About

    @property
    def named(self) -> bool:
        """Whether the people are told by their ids; a published model may have left them out."""
        return not any(subject.startswith(UNNAMED) for subject in self.train_subjects)


def write_json(path: Path, content: Any) -> None:
    """Write JSON beside ``path`` and rename it into place."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors beside ``path`` and rename them into place."""
    beside = path.with_name(path.name + ".partial")
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, beside, metadata
    )
    os.replace(beside, path)


def write_run_info(run: Path, info: RunInfo) -> None:
    """Write ``run.json``."""
    write_json(run / "run.json", info_content(info))


def info_content(info: RunInfo) -> dict[str, Any]:
    """Return what ``run.json`` holds, as plain JSON."""
    return {"format": FORMAT_VERSION, **info._asdict(), "config": info.config.model_dump(mode="json"),
            "face_set": info.face_set.to_json()}  # fmt: skip


def read_run_info(run: str | Path) -> RunInfo:
    """Return what ``run.json`` holds, or ``config.json`` of a published model.

    Raises:
        OmoteError: If the folder is neither, is damaged, or was written by a newer omote.
    """
    return _read_info(Path(run))[0]


def _read_info(run: Path) -> tuple[RunInfo, str | None]:
    """Return what the folder says of its model, and the SHA-256 of the weights where it does (a published model)."""
    is_run = (run / "run.json").is_file()
    path = run / ("run.json" if is_run else "config.json")
    if not path.is_file():
        raise OmoteError(_no_run(run))
    again = "train the run again" if is_run else "get the model again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not is_run and content.pop("library_name", None) != LIBRARY:
            raise OmoteError(f"{run} is not a run, and its config.json is not of a model of omote")
        version = content.pop("format")
        if version != FORMAT_VERSION:
            raise OmoteError(
                f"{run} has format {version}; this omote reads format {FORMAT_VERSION}. Update omote to read it."
            )
        digest = None if is_run else str(content.pop("weights_sha256"))
        return TypeAdapter(RunInfo).validate_python(content), digest
    except OmoteError:
        raise
    except ValidationError as error:
        raise OmoteError(f"{path} is damaged or of another omote ({explain(error)}); {again}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OmoteError(f"{path} is damaged ({error}); {again}") from None


def _no_run(run: Path) -> str:
    """Return the sentence for what is neither a run nor a published model."""
    if run.is_file():
        return f"{run} is not a run: it is a file, and a run is a folder, made by `omote train`."
    made = f"{run} is not a run: it has no run.json. A run is made by `omote train`"
    if run.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", run.as_posix()):
        return f"{made}."
    return (
        f"{made}; if it is a model of the Hugging Face hub, download it first (`hf download {run.as_posix()} "
        "--local-dir folder`) and name the folder."
    )


def read_training(run: str | Path) -> dict[str, Any]:
    """Return what ``training.json`` says of a finished training; empty if there is no such file."""
    path = Path(run) / "training.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


@dataclass(frozen=True)
class Trained:
    """A trained method with arrays in and arrays out, whatever the device. Made by `load`.

    Codes are read with a copy of the method, made at the first reading: whoever changes the method calls `load` again,
    or `dataclasses.replace`.
    """

    path: Path
    info: RunInfo
    method: Method
    model: str = ""  # method and first digits of the weights' SHA-256: tells whose features can be compared
    reference: Reference | None = (
        None  # what the training's faces look like; None where the run does not know
    )
    batch_size: int = 64  # more at once do not fit a processor's cache, and are slower
    bfloat16: bool = False  # whether codes are computed in it; set by `omote.open_reader`, with `model`

    @property
    def name(self) -> str:
        """The method's name in the registry."""
        return self.info.config.method

    @property
    def size(self) -> int:
        """S, the side of the faces in pixels."""
        return self.info.image_size

    @property
    def face_set(self) -> About:
        """Metadata of the face set that it was trained on."""
        return self.info.face_set

    @property
    def needs_subject(self) -> bool:
        """Whether the method reads faces of people of its training only, and has to be told who they are."""
        return self.method.needs_subject

    @property
    def has_decoder(self) -> bool:
        """Whether the method makes images of codes; without a decoder it only reads them, and `decode` is refused."""
        return self.method.has_decoder

    @property
    def has_identity(self) -> bool:
        """Whether the method has a code of who it is."""
        nobody = np.zeros((0, self.size, self.size, 3), np.uint8)
        return self.needs_subject or self.identify(nobody)[0].shape[1] > 0

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return what is read off the faces: the code's mean and deviation, and how far they are from the training's.

        Args:
            faces: (N, S, S, 3) uint8, RGB; may be memory-mapped.
            subjects: as of `represent`.
        Raises:
            OmoteError: As `represent`.
        """
        mean, logvar = self.represent(faces, subjects)
        unknown = np.full(len(mean), np.nan, np.float32)
        return Outputs(
            mean, np.exp(logvar / 2), self.reference.distance(faces) if self.reference else unknown
        )

    def transform(self, faces: Faces) -> pd.DataFrame:
        """Return the features of (N, S, S, 3) uint8 RGB faces, one row a face: z_e_00, z_e_01, ...

        Raises:
            OmoteError: As `represent`.
        """
        return code_columns(self.represent(faces)[0], "z_e")

    def swap(self, identity_faces: Faces, expression_faces: Faces) -> Faces:
        """Return faces (m, n, S, S, 3): row r and column c has the expression of face r and the identity of face c.

        A method without an identity code decodes the expression alone, so all columns are equal.

        Args:
            identity_faces: (n, S, S, 3) uint8 RGB.
            expression_faces: (m, S, S, 3) likewise.
        Raises:
            OmoteError: As `represent`, and if the method has no decoder.
        """
        self.check_decoder()
        z_i, z_e = self.identify(identity_faces)[0], self.represent(expression_faces)[0]
        made = self.decode(np.tile(z_i, (len(z_e), 1)), np.repeat(z_e, len(z_i), axis=0))
        return made.reshape(len(z_e), len(z_i), *made.shape[1:])

    def interpolate(self, source: Faces, target: Faces, steps: int = 9) -> Faces:
        """Return faces (steps, S, S, 3): the source's identity, and equal steps from its expression to the target's.

        Args:
            source: (S, S, 3) uint8 RGB, the first.
            target: (S, S, 3) likewise, the last.
            steps: both ends included; at least 2.
        Raises:
            OmoteError: As `represent`, and if the method has no decoder or there are fewer than 2 steps.
        """
        self.check_decoder()
        if steps < 2:
            raise OmoteError(f"steps is {steps}; an interpolation has at least 2, its ends")
        self._check(source[None])
        self._check(target[None])
        (start, end), _ = self.represent(np.stack([source, target]))
        z_i = self.identify(source[None])[0]
        t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return self.decode(np.repeat(z_i, steps, axis=0), (1 - t) * start + t * end)

    def represent(self, faces: Faces, subjects: Sequence[str] | None = None) -> tuple[Floats, Floats]:
        """Return mean and log variance of the expression code.

        Args:
            faces: (N, S, S, 3) uint8, RGB; may be memory-mapped.
            subjects: whose face each is, N ids; needed where `needs_subject`, and read nowhere else.
        Returns:
            (N, 64) and (N, 64) float32; the mean is the feature. The log variance is -inf where the code is a point.
        Raises:
            OmoteError: If the faces have another size or type, or the subjects are needed and are not there or not
                of the training.
        """
        return self._read(faces, subjects, self._reading_method.represent)

    def identify(self, faces: Faces, subjects: Sequence[str] | None = None) -> tuple[Floats, Floats]:
        """Return mean and log variance of the identity code, (N, 64) each; (N, 0) where the method has none."""
        return self._read(faces, subjects, self._reading_method.identify)

    def decode(self, z_i: Floats, z_e: Floats) -> Faces:
        """Return (N, S, S, 3) uint8 RGB images from (N, 64) identity codes and (N, 64) expression codes.

        Raises:
            OmoteError: If the method has no decoder.
        """
        self.check_decoder()
        device = next(self.method.parameters()).device
        images = []
        with torch.inference_mode():
            for part in _batches(len(z_e), self.batch_size):
                codes = (torch.as_tensor(np.ascontiguousarray(z[part]), device=device) for z in (z_i, z_e))
                made = self.method.decode(*codes)
                images.append((made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(images) if images else np.zeros((0, self.size, self.size, 3), np.uint8)

    def check_decoder(self) -> None:
        """Raise OmoteError if the method makes no images."""
        if not self.has_decoder:
            raise OmoteError(
                f"the run {self.path} makes no images, which swapping and interpolating take: its method, {self.name}, "
                f"reads codes and has no decoder. Use a run of a method that has one, such as {TrainConfig().method}"
            )

    def save_pretrained(self, folder: str | Path, *, names: bool = False) -> Path:
        """Write the model as the Hugging Face hub keeps one, and return the folder; `omote.load` opens it too.

        Its files are config.json, model.safetensors, README.md (the model card) and, where there are, training.json,
        scores.json and reference.safetensors. Names of people, files and folders are left out, numbers stay; of made
        people the names stay, as they are nobody's.

        Args:
            folder: a new or empty folder, a repository of the hub that holds nothing but its own files, or an earlier
                such model, which is replaced. A README.md that was written by hand stays.
            names: keep the ids of the people and what tells of the folders their pictures came from.
        Raises:
            OmoteError: If the folder holds something else.
        """
        from omote.runs.hub import save_pretrained  # which needs what is here

        return save_pretrained(self, Path(folder), names=names)

    @staticmethod
    def from_pretrained(folder: str | Path, *, device: str = "cpu") -> "Trained":
        """Return the model in a folder that `save_pretrained` wrote, or a run: as `omote.load`.

        Raises:
            OmoteError: As `load`. A name on the hub is not a folder: download the model first.
        """
        return load(folder, device=device)

    def _check(self, faces: Faces) -> None:
        """Raise OmoteError if the faces are not as the run reads them."""
        expected = (self.size, self.size, 3)
        if faces.ndim != 4 or faces.shape[1:] != expected or faces.dtype != np.uint8:
            raise OmoteError(
                f"faces of shape {faces.shape} and type {faces.dtype} were given; this run reads (N, {self.size}, "
                f"{self.size}, 3) uint8. Prepare them with --size {self.size}."
            )

    @cached_property
    def _reading_method(self) -> Method:
        """The method as codes are read with it, made when the first is read."""
        return made_for_reading(self.method, bfloat16=self.bfloat16)

    def _read(self, faces: Faces, subjects: Sequence[str] | None, encode: Any) -> tuple[Floats, Floats]:
        self._check(faces)
        device = next(self._reading_method.parameters()).device
        who = (
            torch.as_tensor(self._numbers(subjects, len(faces)), device=device)
            if self.needs_subject
            else None
        )
        means, logvars = [], []
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            for part in _batches(max(len(faces), 1), self.batch_size):
                images = to_images(torch.as_tensor(np.array(faces[part]), device=device))
                posterior: Posterior = encode(images, None if who is None else who[part])
                means.append(posterior.mean.float().cpu().numpy())
                logvars.append(posterior.logvar.float().cpu().numpy())
        return np.concatenate(means), np.concatenate(logvars)

    def _numbers(self, subjects: Sequence[str] | None, count: int) -> NDArray[np.int64]:
        """Return the (N,) numbers of the subjects among the people of the training."""
        if subjects is None:
            raise OmoteError(
                f"{self.name} has to be told who is in each picture, and knows only the people of its training; use it "
                "on a face set it was trained on, or another method"
            )
        if len(subjects) != count:
            raise OmoteError(f"{len(subjects)} subjects were given for {count} faces; give one a face")
        numbers = {subject: number for number, subject in enumerate(self.info.train_subjects)}
        if unknown := sorted(set(subjects) - numbers.keys()):
            raise OmoteError(
                f"{self.name} knows only the people of its training; {', '.join(unknown[:5])} "
                f"{'is' if len(unknown) == 1 else 'are'} not of them"
            )
        return np.array([numbers[subject] for subject in subjects], dtype=np.int64)


def to_images(faces: Tensor) -> Tensor:
    """Return (B, 3, S, S) images in [0, 1], channels last in memory, from (B, S, S, 3) uint8 faces."""
    return faces.permute(0, 3, 1, 2).float().div(255)


def load(run: str | Path, *, stage: int | None = None, device: str = "cpu") -> Trained:
    """Return the trained method of a run, or a model that `Trained.save_pretrained` wrote.

    Args:
        run: a folder that `train` or `Trained.save_pretrained` made.
        stage: the weights as they were after this stage, counted from 1, of a training that kept them; None for the
            end.
        device: "cpu", "cuda" or "mps"; "auto" takes a GPU if there is one.
    Raises:
        OmoteError: If the folder is neither, its training is not finished, the stage was not kept, the weights are
            damaged or not those that it was published with, or there is no such device.
    """
    run, device = Path(run), choose_device(device)
    info, published = _read_info(run)
    at_end = "model.safetensors" if published else "weights.safetensors"
    weights = run / (at_end if stage is None else after_stage(stage))
    if not weights.is_file():
        if stage is not None:
            raise OmoteError(f"{run} has no weights of stage {stage}; train it with keep_stages to have them")
        if published:
            raise OmoteError(f"{run} has no {weights.name}; get the model again, with all its files")
        raise OmoteError(
            f"the training of {run} is not finished; give the same `omote train` command again to go on"
        )
    digest = file_digest(weights)
    if published and stage is None and digest != published:
        raise OmoteError(
            f"{weights} is damaged or was changed: it is not the file that config.json was written with; get the "
            "model again"
        )
    try:
        method = build_method(info)
        method.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        again = "get the model again" if published else "train the run again"
        raise OmoteError(f"{weights} is damaged or of another network ({reason}); {again}") from None
    method.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    known = run / "reference.safetensors"
    reference = Reference.load(known) if known.is_file() else None
    return Trained(run, info, method, f"{info.config.method}-{digest[:8]}", reference)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def after_stage(stage: int) -> str:
    """Return the name of the file with the weights after a stage, counted from 1."""
    return f"after_{stage}.safetensors"


def build_method(info: RunInfo) -> Method:
    """Return the method with the weights that its seed gives it; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(info.config.seed)
        cls = method_class(info.config.method)
        return cls(info.image_size, info.config.options, len(info.train_subjects))


def made_for_reading(method: Method, *, bfloat16: bool) -> Method:
    """Return a copy of a trained method whose encoders are faster: their BatchNorm is in the convolutions' weights.

    The codes are the same to rounding. With ``bfloat16`` weights are held in it, which spares autocast the conversion.
    """
    made = copy.deepcopy(method).eval()
    for encoder in made.modules():
        if isinstance(encoder, Encoder) and encoder.condition is None:  # which is added before the BatchNorm
            for i, (before, layer) in enumerate(pairwise(encoder.trunk)):
                if isinstance(before, nn.Conv2d) and isinstance(layer, nn.BatchNorm2d):
                    encoder.trunk[i], encoder.trunk[i + 1] = fuse_conv_bn_eval(before, layer), nn.Identity()
    if bfloat16:
        for layer in made.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.to(torch.bfloat16)
    return made


def _batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
