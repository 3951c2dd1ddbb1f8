"""A run: the folder that holds one training's configuration, weights, log and results.

run.json               format, configuration as resolved, subjects of both sides, what the face set said of itself
weights.safetensors    the trained weights; there once the training is whole
after_N.safetensors    the weights after stage N, where they were asked for
training.json          seconds that the training took, interruptions not counted, and where its face set lay
checkpoint.*           where to go on; gone once the training is whole
tensorboard/           scalars and sample pictures
scores.csv, ...        what `omote evaluate` and the pictures add
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from omote.errors import OmoteError
from omote.files import write_text
from omote.methods.method import Method
from omote.methods.registry import METHODS
from omote.models.encoder import Posterior
from omote.training.config import TrainConfig

FORMAT_VERSION = 1
Floats = NDArray[np.float32]
Faces = NDArray[np.uint8]


class RunInfo(NamedTuple):
    """What ``run.json`` holds."""

    config: TrainConfig
    image_size: int
    train_subjects: list[str]
    test_subjects: list[str]
    face_set: dict[str, Any]


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
    content = {"format": FORMAT_VERSION, **info._asdict(), "config": info.config.model_dump(mode="json")}
    write_json(run / "run.json", content)


def read_run_info(run: str | Path) -> RunInfo:
    """Return what ``run.json`` holds.

    Raises:
        OmoteError: If the folder is not a run, is damaged, or was written by a newer omote.
    """
    run = Path(run)
    path = run / "run.json"
    if not path.is_file():
        hint = "; there is a file of that name, but a run is a folder" if run.is_file() else ""
        raise OmoteError(f"{run} is not a run: it has no run.json{hint}. A run is made by `omote train`.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("format")
        if version != FORMAT_VERSION:
            raise OmoteError(
                f"{run} has format {version}; this omote reads format {FORMAT_VERSION}. Update omote to read it."
            )
        return RunInfo(**{**content, "config": TrainConfig.model_validate(content["config"])})
    except OmoteError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OmoteError(f"{path} is damaged ({error}); train the run again") from None


def read_training(run: str | Path) -> dict[str, Any]:
    """Return what ``training.json`` says of a finished training; empty if there is no such file."""
    path = Path(run) / "training.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


@dataclass(frozen=True)
class Trained:
    """A trained method with arrays in and arrays out, whatever the device. Made by `load`."""

    path: Path
    info: RunInfo
    method: Method
    batch_size: int = 256

    @property
    def name(self) -> str:
        """The method's name in the registry."""
        return self.info.config.method

    @property
    def size(self) -> int:
        """S, the side of the faces in pixels."""
        return self.info.image_size

    @property
    def needs_subject(self) -> bool:
        """Whether the method reads faces of people of its training only, and has to be told who they are."""
        return self.method.needs_subject

    @property
    def has_decoder(self) -> bool:
        """Whether the method makes images of codes; without a decoder it only reads them, and `decode` is refused."""
        return self.method.has_decoder

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
        return self._read(faces, subjects, self.method.represent)

    def identify(self, faces: Faces, subjects: Sequence[str] | None = None) -> tuple[Floats, Floats]:
        """Return mean and log variance of the identity code, (N, 64) each; (N, 0) where the method has none."""
        return self._read(faces, subjects, self.method.identify)

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

    def _read(self, faces: Faces, subjects: Sequence[str] | None, encode: Any) -> tuple[Floats, Floats]:
        expected = (self.size, self.size, 3)
        if faces.ndim != 4 or faces.shape[1:] != expected or faces.dtype != np.uint8:
            raise OmoteError(
                f"faces of shape {faces.shape} and type {faces.dtype} were given; this run reads (N, {self.size}, "
                f"{self.size}, 3) uint8. Prepare them with --size {self.size}."
            )
        device = next(self.method.parameters()).device
        who = (
            torch.as_tensor(self._numbers(subjects, len(faces)), device=device)
            if self.needs_subject
            else None
        )
        means, logvars = [], []
        with torch.inference_mode():
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
    """Return the trained method of a run.

    Args:
        run: a folder that `train` made.
        stage: the weights as they were after this stage, counted from 1, of a training that kept them; None for the
            end.
        device: any device of torch.
    Raises:
        OmoteError: If the folder is not a run, its training is not finished, the stage was not kept, or the weights
            are damaged.
    """
    run = Path(run)
    info = read_run_info(run)
    weights = run / ("weights.safetensors" if stage is None else after_stage(stage))
    if not weights.is_file() and stage is not None:
        raise OmoteError(f"{run} has no weights of stage {stage}; train it with keep_stages to have them")
    if not weights.is_file():
        raise OmoteError(
            f"the training of {run} is not finished; give the same `omote train` command again to go on"
        )
    method = build_method(info)
    try:
        method.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise OmoteError(
            f"{weights} is damaged or of another network ({reason}); train the run again"
        ) from None
    method.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(run, info, method)


def after_stage(stage: int) -> str:
    """Return the name of the file with the weights after a stage, counted from 1."""
    return f"after_{stage}.safetensors"


def build_method(info: RunInfo) -> Method:
    """Return the method with the weights that its seed gives it; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(info.config.seed)
        cls = METHODS[info.config.method]
        return cls(info.image_size, info.config.options, len(info.train_subjects))


def _batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
