"""Exports a run as ONNX files: expression encoder, identity encoder and decoder, each verified against PyTorch."""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omote import __version__
from omote.data.cut import Cut
from omote.data.detect import DETECTOR_NAME, DETECTOR_SHA256
from omote.data.outputs import Faces
from omote.errors import OmoteError
from omote.features.onnx_reader import EXPRESSION, FORMAT_VERSION, need_packages
from omote.files import move, staged
from omote.models.encoder import Posterior
from omote.runs.ood import OodModel
from omote.runs.trained import Trained, to_images

OPSET = 18  # ONNX operator set of late 2022, which every current runtime supports
TOLERANCE = 1e-4  # largest allowed difference from PyTorch; see `_difference`
BATCH_SIZES = (1, 2, 7)  # on which a file is compared with PyTorch

Arrays = dict[str, NDArray[Any]]  # by the name of the input or output


class OnnxFile(NamedTuple):
    """A file that was written."""

    path: Path
    part: str  # "expression encoder", "identity encoder" or "decoder"
    inputs: list[str]  # such as "faces uint8 (N, 64, 64, 3)"
    outputs: list[str]
    difference: float  # largest difference from PyTorch's outputs


class _Part(NamedTuple):
    """A network to be exported, with an example."""

    name: str  # "expression encoder", "identity encoder" or "decoder"
    suffix: str
    module: nn.Module
    inputs: Arrays
    outputs: Arrays  # of PyTorch for these inputs; images as levels from 0 to 255, not rounded


def export_onnx(trained: Trained, to: str | Path) -> list[OnnxFile]:
    """Write a run as ONNX files that compute what PyTorch does.

    NAME.onnx holds the expression encoder: faces -> z_e, z_e_deviation and, if the run has an out-of-distribution
    model, ood. NAME.identity.onnx holds the identity encoder: faces -> z_i, z_i_deviation. NAME.decoder.onnx holds the
    decoder: z_e, z_i -> images. Parts that the method lacks are not written. Faces and images are (N, S, S, 3) uint8
    RGB for any N. docs/export.md describes the files and their metadata.

    Args:
        trained: see `omote.load`.
        to: NAME.onnx; existing files are replaced.
    Returns:
        The files written, the expression encoder first.
    Raises:
        OmoteError: If the method needs to know the subject of a face; a package is missing; ``to`` does not end in
            .onnx; a target is a folder; a part that this run lacks exists there from another run; or outputs differ
            from PyTorch's by more than 1e-4. Nothing is written then.
    """
    to = check_onnx_path(to)
    if trained.needs_subject:
        raise OmoteError(
            f"{trained.path} cannot be exported: its method, {trained.name}, needs to know whose face it sees, and "
            "knows only its training subjects. Export a run of another method"
        )
    need_packages("onnx", "onnxscript")
    trained = replace(trained, method=copy.deepcopy(trained.method).cpu())
    parts = _build_parts(trained)
    for suffix in {".identity.onnx", ".decoder.onnx"} - {part.suffix for part in parts}:
        if (other := to.with_suffix(suffix)).exists():
            raise OmoteError(f"{other} is of another run, and this one has no such part; remove it first")
    paths = [check_onnx_path(to.with_suffix(part.suffix)) for part in parts]
    converted = [_convert(trained, part, path) for part, path in zip(parts, paths, strict=True)]
    with staged(to, "is exporting a run") as stage:
        for file, content in converted:
            (stage / file.path.name).write_bytes(content)
        to.unlink(missing_ok=True)  # where it is, the others are of the same export
        for file, _ in reversed(converted):
            move(stage / file.path.name, file.path)
    return [file for file, _ in converted]


def check_onnx_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if its name does not end in .onnx or it is a folder."""
    path = Path(path)
    if path.suffix != ".onnx":
        raise OmoteError(f"{path} was given for the export; its name must end in .onnx")
    if path.is_dir():
        raise OmoteError(f"{path} was given for the export; it is a folder")
    return path


class _Encoder(nn.Module):
    """Faces (N, S, S, 3) uint8 -> mean and standard deviation of a code, and with an ``ood_model`` its score."""

    def __init__(
        self, trained: Trained, encode: Callable[[Tensor], Posterior], ood_model: OodModel | None = None
    ) -> None:
        super().__init__()
        self.method = trained.method  # owns the weights that `encode` uses
        self.encode = encode
        self.ood_model = ood_model

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        posterior = self.encode(to_images(faces))
        code = posterior.mean, torch.exp(posterior.logvar / 2)
        return code if self.ood_model is None else (*code, self.ood_model(faces))


class _Decoder(nn.Module):
    """Codes -> images (N, S, S, 3) uint8."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.method = trained.method

    def levels(self, z_e: Tensor, z_i: Tensor | None = None) -> Tensor:
        """Return images (N, S, S, 3) from 0 to 255, not rounded; ``z_i`` is None if there is no identity code."""
        z_i = z_e.new_zeros(z_e.shape[0], 0) if z_i is None else z_i  # len(z_e) would fix the batch size
        images: Tensor = self.method.decode(z_i, z_e)
        return (images * 255).permute(0, 2, 3, 1)

    def forward(self, z_e: Tensor, z_i: Tensor | None = None) -> Tensor:
        return self.levels(z_e, z_i).round().to(torch.uint8)


def _build_parts(trained: Trained) -> list[_Part]:
    inputs = {"faces": _make_example_faces(trained.size, max(BATCH_SIZES))}
    z_e, deviation, ood = trained.read(inputs["faces"])
    has_ood = bool(np.isfinite(ood).all())
    outputs = {"z_e": z_e, "z_e_deviation": deviation} | ({"ood": ood} if has_ood else {})
    encoder = _Encoder(trained, trained.method.represent, trained.ood_model if has_ood else None)
    parts = [_Part(EXPRESSION, ".onnx", encoder, inputs, outputs)]
    codes = {"z_e": z_e}
    z_i, logvar = trained.identify(inputs["faces"])
    if z_i.shape[1]:
        codes["z_i"] = z_i
        outputs = {"z_i": z_i, "z_i_deviation": np.exp(logvar / 2)}
        encoder = _Encoder(trained, trained.method.identify)
        parts.append(_Part("identity encoder", ".identity.onnx", encoder, inputs, outputs))
    if trained.has_decoder:
        decoder = _Decoder(trained)
        with torch.inference_mode():
            levels = decoder.levels(*(torch.as_tensor(code) for code in codes.values())).numpy()
        parts.append(_Part("decoder", ".decoder.onnx", decoder, codes, {"images": levels}))
    return parts


def _make_example_faces(size: int, count: int) -> Faces:
    """Return (count, S, S, 3) random colours in squares of 1, 2, 4 ... pixels: detail at every scale."""
    random = np.random.default_rng(0)
    images = []
    for side in (2**number for number in range(count)):
        squares = random.integers(0, 256, (size // side, size // side, 3), np.uint8)
        images.append(squares.repeat(side, 0).repeat(side, 1))
    return np.stack(images)


def _convert(trained: Trained, part: _Part, path: Path) -> tuple[OnnxFile, bytes]:
    """Return a file and its content; raise OmoteError if its outputs differ from PyTorch's."""
    import onnxruntime

    content = _serialise(part, _make_metadata(trained, part.name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    difference, outputs = 0.0, part.outputs
    for count in BATCH_SIZES:
        inputs = {name: array[:count] for name, array in part.inputs.items()}
        outputs = dict(zip(part.outputs, session.run([*part.outputs], inputs), strict=True))
        differences = [_difference(outputs[name], part.outputs[name][:count]) for name in outputs]
        difference = float(np.max([difference, *differences]))
    if not difference <= TOLERANCE:  # refuses NaN too
        raise OmoteError(
            f"{trained.path} was not exported: its {part.name} as ONNX differs from PyTorch by {difference:.1e}, more "
            f"than {TOLERANCE:.0e}. Try other versions of torch, onnxscript or onnxruntime"
        )
    return OnnxFile(path, part.name, _describe(part.inputs), _describe(outputs), difference), content


def _difference(outputs: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return the largest difference: relative to numbers above 1; of images, beyond rounding and divided by 255."""
    difference = np.abs(outputs.astype(np.float64) - expected)
    if outputs.dtype == np.uint8:
        return float(np.maximum(difference - 0.5, 0).max() / 255)
    return float((difference / np.maximum(np.abs(expected), 1)).max())


def _describe(arrays: Arrays) -> list[str]:
    return [
        f"{name} {array.dtype} ({', '.join(['N', *map(str, array.shape[1:])])})"
        for name, array in arrays.items()
    ]


def _serialise(part: _Part, metadata: dict[str, str]) -> bytes:
    """Return the content of an ONNX file, with the weights."""
    with _silence():
        program = torch.onnx.export(
            part.module.eval(),
            tuple(torch.as_tensor(array[:2]) for array in part.inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=[*part.inputs],
            output_names=[*part.outputs],
            dynamic_shapes=tuple({0: torch.export.Dim("N")} for _ in part.inputs),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    del model.graph.value_info[:], model.graph.metadata_props[:]
    kinds = (model.graph.node, model.graph.input, model.graph.output, model.graph.initializer)
    for item in (item for kind in kinds for item in kind):
        del item.metadata_props[:]  # paths of source files on this machine
        item.doc_string = ""
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress what torch warns of and logs about its own internals (pytrees, a missing torchvision)."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def _make_metadata(trained: Trained, part: str) -> dict[str, str]:
    """Return the metadata of a file: what its faces must be and where it comes from, without ids or paths."""
    about = trained.face_set.without_names()
    how = Cut.of(about, trained.size)
    cut: dict[str, Any] = {"cropped": how.cropped, "align": how.align}
    if not how.cropped:
        cut |= {"margin": how.margin, "detector": DETECTOR_NAME, "detector_sha256": DETECTOR_SHA256}
    return {
        "omote_format": str(FORMAT_VERSION),
        "omote_version": __version__,
        "part": part,
        "method": trained.name,
        "model": trained.model,
        "size": str(trained.size),
        "pixels": "uint8 (N, size, size, 3), RGB, 0 to 255; the graph scales them itself",
        "cut": json.dumps(cut),
        "face_set": json.dumps(about.to_json(), ensure_ascii=False),
        "card": trained.model_card(),
    }
