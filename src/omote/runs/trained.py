"""A trained method: arrays in, arrays out. `load` opens a run folder or a published model."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from omote.boundary import reading
from omote.data.face_set import About
from omote.data.outputs import Faces, Floats, Outputs, code_columns
from omote.errors import OmoteError
from omote.methods.method import Method
from omote.models.encoder import Encoder, Posterior
from omote.runs.card import model_card, state_terms
from omote.runs.config import TrainConfig
from omote.runs.device import choose_device
from omote.runs.hub import find_model, push, save_pretrained
from omote.runs.info import RunInfo, file_digest, model_id, read_info_and_digest, read_tensors, weights_file
from omote.runs.ood import OodModel
from omote.runs.shipped import SHIPPED

MAX_LOGVAR = 80.0  # a deviation above 1e17 is none


@dataclass(frozen=True)
class Trained:
    """A trained method with arrays in and arrays out on any device. Made by `load`.

    The first encoding makes an inference copy of the method. After changing the method, call `load` again or use
    `dataclasses.replace`.
    """

    path: Path
    info: RunInfo
    method: Method
    model: str = ""  # see `omote.runs.info.model_id`
    ood_model: OodModel | None = None  # None where the run has none
    batch_size: int = 64  # larger batches no longer fit the cache of a CPU and are slower
    bfloat16: bool = False  # whether to encode in bfloat16; `omote.open_reader` sets it, and changes `model`

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
        """Metadata of the face set used in training."""
        return self.info.face_set

    @property
    def needs_subject(self) -> bool:
        """Whether encoding a face needs its subject, which must be one of the training subjects."""
        return self.method.needs_subject

    @property
    def has_decoder(self) -> bool:
        """Whether the method can make images from codes."""
        return self.method.has_decoder

    @property
    def has_identity(self) -> bool:
        """Whether the method has an identity code."""
        return self.method.has_identity

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return mean and deviation of the expression code and the out-of-distribution score of each face.

        Args:
            faces: (N, S, S, 3) uint8 RGB; may be memory-mapped.
            subjects: see `represent`.
        Raises:
            OmoteError: As `represent`.
        """
        mean, logvar = self.represent(faces, subjects)
        unknown = np.full(len(mean), np.nan, np.float32)
        ood = self.ood_model.distance(faces) if self.ood_model else unknown
        return Outputs(mean, np.exp(logvar / 2), ood)

    def transform(self, faces: Faces) -> pd.DataFrame:
        """Return the features of (N, S, S, 3) uint8 RGB faces, one row a face: z_e_00, z_e_01, ...

        Raises:
            OmoteError: As `represent`.
        """
        return code_columns(self.represent(faces)[0], "z_e")

    def swap(self, identity_faces: Faces, expression_faces: Faces) -> Faces:
        """Return faces (m, n, S, S, 3): row r, column c has expression of face r and identity of face c.

        A method without an identity code decodes the expression alone, so all columns are equal.

        Args:
            identity_faces: (n, S, S, 3) uint8 RGB.
            expression_faces: (m, S, S, 3) uint8 RGB.
        Raises:
            OmoteError: As `represent`, or if the method has no decoder.
        """
        self.check_decoder()
        z_i, z_e = self.identify(identity_faces)[0], self.represent(expression_faces)[0]
        images = self.decode(np.tile(z_i, (len(z_e), 1)), np.repeat(z_e, len(z_i), axis=0))
        return images.reshape(len(z_e), len(z_i), *images.shape[1:])

    def interpolate(self, source: Faces, target: Faces, steps: int = 9) -> Faces:
        """Return faces (steps, S, S, 3) with the identity of ``source``, from its expression to that of ``target``.

        Args:
            source: (S, S, 3) uint8 RGB.
            target: (S, S, 3) uint8 RGB.
            steps: number of faces, both ends included; at least 2. The expression codes are equally spaced.
        Raises:
            OmoteError: As `represent`, or if the method has no decoder or ``steps`` is below 2.
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
            faces: (N, S, S, 3) uint8 RGB; may be memory-mapped.
            subjects: the subject of each face, N ids; ignored unless `needs_subject`.
        Returns:
            (N, Z) and (N, Z) float32. The mean is the feature; the log variance is -inf where the code is a point.
        Raises:
            OmoteError: If shape or type of the faces is wrong, or the method needs subjects and they are missing or
                not among the training subjects.
        """
        return self._encode(faces, subjects, self._inference_method.represent)

    def identify(self, faces: Faces, subjects: Sequence[str] | None = None) -> tuple[Floats, Floats]:
        """Return mean and log variance of the identity code, (N, Z) each; (N, 0) if the method has none."""
        return self._encode(faces, subjects, self._inference_method.identify)

    def decode(self, z_i: Floats, z_e: Floats) -> Faces:
        """Return (N, S, S, 3) uint8 RGB images from (N, Z) identity codes and (N, Z) expression codes.

        Raises:
            OmoteError: If the method has no decoder.
        """
        return self._decode(self.method.decode, z_i, z_e)

    def decode_coarse(self, z_i: Floats, z_e: Floats) -> Faces:
        """Return images as `decode`, without the detail that the last stage of `omote` adds (`Sharpened`).

        Invented detail is another one in each image, so images that are compared with each other are better without it.

        Raises:
            OmoteError: If the method has no decoder.
        """
        return self._decode(self.method.decode_coarse, z_i, z_e)

    def _decode(self, decode: Callable[[Tensor, Tensor], Tensor], z_i: Floats, z_e: Floats) -> Faces:
        self.check_decoder()
        device = next(self.method.parameters()).device
        images = [np.zeros((0, self.size, self.size, 3), np.uint8)]
        with torch.inference_mode():
            for part in _slices(len(z_e), self.batch_size):
                codes = (torch.as_tensor(np.ascontiguousarray(z[part]), device=device) for z in (z_i, z_e))
                output = decode(*codes)
                images.append((output * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(images)

    def check_decoder(self) -> None:
        """Raise OmoteError if the method cannot make images."""
        if not self.has_decoder:
            raise OmoteError(
                f"the run {self.path} makes no images, which swapping and interpolating need: its method, {self.name}, "
                f"has no decoder. Use a run of a method that has one, such as {TrainConfig().method}"
            )

    def model_card(self) -> str:
        """Return the text of the model card."""
        return model_card(self.path, self.info, self.model, has_ood=self.ood_model is not None)

    def save_pretrained(self, folder: str | Path, *, names: bool = False) -> Path:
        """Write the model in the form of the Hugging Face hub and return the folder; `omote.load` opens it too.

        The folder gets config.json, model.safetensors, README.md (the model card) and, where the run has them,
        training.json, scores.json and reference.safetensors. Names of people, files and folders are left out, except
        the ids of drawn or rendered people; counts stay.

        Args:
            folder: a new or empty folder, an empty repository of the hub, or a folder with an earlier such model, which
                is replaced. A README.md written by hand is kept.
            names: keep the ids of people and the names of their folders.
        Raises:
            OmoteError: If the folder holds anything else.
        """
        weights = self.method.state_dict()
        return save_pretrained(Path(folder), self.path, self.info, weights, self.ood_model, names=names)

    def push_to_hub(
        self,
        name: str,
        *,
        licence: str,
        datasets: Sequence[str] = (),
        private: bool = False,
        revision: str | None = None,
        names: bool = False,
    ) -> str:
        """Upload the model to the Hugging Face hub, as `save_pretrained` writes it, and return the commit's address.

        Needs the extra `hub`, and an access token that may write (`hf auth login`, or the variable HF_TOKEN).

        Args:
            name: ORG/NAME; the repository is created if there is none.
            licence: of the weights, as the hub writes it: "cc-by-4.0", "other". It stands in the head of the card.
            datasets: names on the hub of the data sets of the training, for the head of the card.
            private: whether a new repository is private.
            revision: an existing branch to upload to; None for the main branch.
            names: see `save_pretrained`.
        Raises:
            OmoteError: If the hub refuses it, cannot be reached, or as `save_pretrained`.
        """
        with TemporaryDirectory() as folder:
            model = self.save_pretrained(Path(folder) / "model", names=names)
            state_terms(model, licence, datasets)
            return push(model, name, private=private, revision=revision)

    @staticmethod
    def from_pretrained(name: str | Path, *, revision: str | None = None, device: str = "cpu") -> "Trained":
        """Return the model of a folder or of the hub, as `omote.load` does.

        Raises:
            OmoteError: As `load`.
        """
        return load(name, revision=revision, device=device)

    def _check(self, faces: Faces) -> None:
        """Raise OmoteError if shape or type of the faces is wrong."""
        expected = (self.size, self.size, 3)
        if faces.ndim != 4 or faces.shape[1:] != expected or faces.dtype != np.uint8:
            raise OmoteError(
                f"faces of shape {faces.shape} and type {faces.dtype} were given; this run reads (N, {self.size}, "
                f"{self.size}, 3) uint8. Prepare them with --size {self.size}."
            )

    @cached_property
    def _inference_method(self) -> Method:
        return copy_for_inference(self.method, bfloat16=self.bfloat16)

    def _encode(self, faces: Faces, subjects: Sequence[str] | None, encode: Any) -> tuple[Floats, Floats]:
        self._check(faces)
        device = next(self._inference_method.parameters()).device
        numbers = None
        if self.needs_subject:
            numbers = torch.as_tensor(self._subject_numbers(subjects, len(faces)), device=device)
        means, logvars = [], []
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            for part in _slices(max(len(faces), 1), self.batch_size):
                images = to_images(torch.as_tensor(np.array(faces[part]), device=device))
                posterior: Posterior = encode(images, None if numbers is None else numbers[part])
                means.append(posterior.mean.float().cpu().numpy())
                logvars.append(posterior.logvar.float().cpu().numpy())
        mean, logvar = np.concatenate(means), np.concatenate(logvars)
        if not (np.isfinite(mean).all() and (logvar < MAX_LOGVAR).all()):  # NaN is not below it
            raise OmoteError(
                f"{self.path} gives codes that are not finite: its weights are damaged, or its training diverged. "
                "Train the run again, with a lower learning rate if it diverged"
            )
        return mean, logvar

    def _subject_numbers(self, subjects: Sequence[str] | None, count: int) -> NDArray[np.int64]:
        """Return the (N,) index of each subject in the list of training subjects."""
        if subjects is None:
            raise OmoteError(
                f"{self.name} has to be told who is in each picture, and knows only its training subjects; use it on "
                "the face set it was trained on, or use another method"
            )
        if len(subjects) != count:
            raise OmoteError(f"{len(subjects)} subjects were given for {count} faces; give one per face")
        numbers = {subject: number for number, subject in enumerate(self.info.train_subjects)}
        if unknown := sorted(set(subjects) - numbers.keys()):
            raise OmoteError(
                f"{self.name} knows only its training subjects; {', '.join(unknown[:5])} "
                f"{'is' if len(unknown) == 1 else 'are'} not among them"
            )
        return np.array([numbers[subject] for subject in subjects], dtype=np.int64)


def to_images(faces: Tensor) -> Tensor:
    """Return (B, 3, S, S) images in [0, 1], channels last in memory, from (B, S, S, 3) uint8 faces."""
    return faces.permute(0, 3, 1, 2).float().div(255)


def load(
    run: str | Path = SHIPPED, *, revision: str | None = None, stage: int | None = None, device: str = "cpu"
) -> Trained:
    """Return the trained method of a run, or a published model.

    Args:
        run: a folder that `train` or `Trained.save_pretrained` made; or, if there is no such folder, "shipped" for the
            model that comes with omote, or the name ORG/NAME of a model on the Hugging Face hub, which is downloaded
            once (extra `hub`).
        revision: branch, tag or commit of a model on the hub; None for its main branch.
        stage: load the weights after this stage, counted from 1, if `train` kept them; None for the final weights.
        device: "cpu", "cuda" or "mps"; "auto" takes a GPU if there is one.
    Raises:
        OmoteError: If the folder is neither, training has not finished, the stage was not kept, the weights are damaged
            or not the published ones, the device is not available, or the hub does not give the model.
    """
    run, device = find_model(run, revision), choose_device(device)
    info, published = read_info_and_digest(run)
    weights = run / weights_file(stage, published=published is not None)
    if not weights.is_file():
        if stage is not None:
            raise OmoteError(f"{run} has no weights of stage {stage}; train it with keep_stages to have them")
        if published:
            raise OmoteError(f"{run} has no {weights.name}; get the model again, with all its files")
        raise OmoteError(
            f"the training of {run} is not finished; give the same `omote train` command again to resume it"
        )
    digest = file_digest(weights)
    if published and stage is None and digest != published:
        raise OmoteError(
            f"{weights} is damaged or was changed: its SHA-256 is not the one in config.json; get the model again"
        )
    with reading(
        weights, "the weights of this method", f"{'Get the model' if published else 'Train the run'} again"
    ):
        method = _fill_method(info, read_tensors(weights))
    method.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    ood_file = run / "reference.safetensors"
    ood_model = OodModel.load(ood_file) if ood_file.is_file() else None
    return Trained(run, info, method, model_id(info, digest), ood_model)


def build_method(info: RunInfo) -> Method:
    """Return the method with initial weights drawn by its seed; the global random state is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(info.config.seed)
        return info.method_class(info.image_size, info.config.options, len(info.train_subjects))


def _fill_method(info: RunInfo, weights: dict[str, Tensor]) -> Method:
    """Return the method with these weights; raise ValueError if they do not fit. It takes memory only if they do."""
    with torch.device("meta"):
        method = info.method_class(info.image_size, info.config.options, len(info.train_subjects))
    for name, expected in method.state_dict().items():
        found = weights.get(name)
        if found is not None and (found.dtype, expected.dtype) == (torch.float16, torch.float32):
            weights[name] = found = (
                found.float()
            )  # kept in half the space, as in the model that comes with omote
        if found is None or (found.shape, found.dtype) != (expected.shape, expected.dtype):
            what = "missing" if found is None else f"{found.dtype} {tuple(found.shape)}"
            raise ValueError(f"{name} is {what}; expected {expected.dtype} {tuple(expected.shape)}")
    method.load_state_dict(weights, assign=True)
    return method


def copy_for_inference(method: Method, *, bfloat16: bool) -> Method:
    """Return a copy of a trained method with BatchNorm folded into the convolutions of its encoders.

    Its codes are equal up to rounding. With ``bfloat16`` it holds its weights in bfloat16, so that autocast need not
    convert them.
    """
    method = copy.deepcopy(method).eval()
    for encoder in method.modules():
        # a condition is added between convolution and BatchNorm, so the two cannot be merged
        if isinstance(encoder, Encoder) and encoder.condition is None:
            for i, (layer, norm) in enumerate(pairwise(encoder.trunk)):
                if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    encoder.trunk[i], encoder.trunk[i + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
    if bfloat16:
        for layer in method.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.to(torch.bfloat16)
    return method


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
