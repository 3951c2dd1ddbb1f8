"""A run as ONNX files: its expression encoder, identity encoder and decoder, compared with PyTorch before they stay."""

import copy
import json
import logging
import os
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
from omote.models.encoder import Posterior
from omote.runs.card import card
from omote.runs.ood import Reference
from omote.runs.trained import Trained, to_images

OPSET = 18  # of the end of 2022, old enough for every runtime
TOLERANCE = 1e-4
BATCHES = (1, 2, 7)  # sizes that are compared

Arrays = dict[str, NDArray[Any]]  # by the name of an input or output


class OnnxFile(NamedTuple):
    """A file that was written."""

    path: Path
    part: str  # "expression encoder", "identity encoder" or "decoder"
    inputs: list[str]  # such as "faces uint8 (N, 64, 64, 3)"
    outputs: list[str]
    difference: float  # the largest from PyTorch's outputs


class _Graph(NamedTuple):
    """A file before it is written."""

    part: str
    suffix: str
    module: nn.Module
    inputs: Arrays  # an example
    outputs: (
        Arrays  # the method's own, of the example; images as levels from 0 to 255, before they are rounded
    )


def export_onnx(trained: Trained, to: str | Path) -> list[OnnxFile]:
    """Write a run as ONNX files, if they do as PyTorch does.

    NAME.onnx holds the expression encoder, faces -> z_e, z_e_deviation, ood (where the run knows it);
    NAME.identity.onnx the identity encoder, faces -> z_i, z_i_deviation, where the method has one; NAME.decoder.onnx
    the decoder, z_e, z_i -> images, where it has one. Faces and images are (N, S, S, 3) uint8 RGB, for any N. The files
    say what else to know: docs/export.md.

    Args:
        trained: see `omote.load`.
        to: NAME.onnx; what is there is replaced.
    Returns:
        What was written, the expression encoder first.
    Raises:
        OmoteError: If the method has to be told whose face it sees, a package is missing, ``to`` does not end in .onnx,
            a folder or, from another run, a part that this one lacks lies there, or outputs differ from PyTorch's by
            more than 1e-4. Nothing is written then.
    """
    to = check_onnx_path(to)
    if trained.needs_subject:
        raise OmoteError(
            f"{trained.path} cannot be exported: its method, {trained.name}, has to be told whose face it sees, and "
            "knows only the people of its training. Export a run of another method"
        )
    need_packages("onnx", "onnxscript", "onnxruntime")
    trained = replace(trained, method=copy.deepcopy(trained.method).cpu())
    graphs = _graphs(trained)
    for suffix in {".identity.onnx", ".decoder.onnx"} - {graph.suffix for graph in graphs}:
        if (other := to.with_suffix(suffix)).exists():
            raise OmoteError(f"{other} is of another run, and this one has no such part; remove it first")
    paths = [check_onnx_path(to.with_suffix(graph.suffix)) for graph in graphs]
    made = [_make(trained, graph, path) for graph, path in zip(graphs, paths, strict=True)]
    to.parent.mkdir(parents=True, exist_ok=True)
    beside = {file.path: file.path.with_name(file.path.name + ".partial") for file, _ in made}
    try:
        for file, content in made:
            beside[file.path].write_bytes(content)
        for path, partial in beside.items():
            os.replace(partial, path)
    finally:
        for partial in beside.values():
            partial.unlink(missing_ok=True)
    return [file for file, _ in made]


def check_onnx_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if its name does not end in .onnx or it is a folder."""
    path = Path(path)
    if path.suffix != ".onnx":
        raise OmoteError(f"{path} was given for the export; its name must end in .onnx")
    if path.is_dir():
        raise OmoteError(f"{path} was given for the export; it is a folder")
    return path


class _Encoder(nn.Module):
    """Faces (N, S, S, 3) uint8 -> mean and standard deviation of a code; with a reference, its distances too."""

    def __init__(
        self, trained: Trained, encode: Callable[[Tensor], Posterior], reference: Reference | None = None
    ) -> None:
        super().__init__()
        self.method = trained.method  # whose weights `encode` uses
        self.encode = encode
        self.reference = reference

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        posterior = self.encode(to_images(faces))
        code = posterior.mean, torch.exp(posterior.logvar / 2)
        return code if self.reference is None else (*code, self.reference(faces))


class _Decoder(nn.Module):
    """Codes -> images (N, S, S, 3) uint8."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.method = trained.method

    def levels(self, z_e: Tensor, z_i: Tensor | None = None) -> Tensor:
        """Return images (N, S, S, 3) from 0 to 255, not rounded; without ``z_i`` where there is no identity code."""
        z_i = z_e.new_zeros(z_e.shape[0], 0) if z_i is None else z_i  # its len() would fix the batch size
        images: Tensor = self.method.decode(z_i, z_e)
        return (images * 255).permute(0, 2, 3, 1)

    def forward(self, z_e: Tensor, z_i: Tensor | None = None) -> Tensor:
        return self.levels(z_e, z_i).round().to(torch.uint8)


def _graphs(trained: Trained) -> list[_Graph]:
    """Return what a run consists of, with an example: its PyTorch outputs on patterns."""
    faces = {"faces": _patterns(trained.size, max(BATCHES))}
    z_e, deviation, ood = trained.read(faces["faces"])
    known = bool(np.isfinite(ood).all())
    outputs = {"z_e": z_e, "z_e_deviation": deviation} | ({"ood": ood} if known else {})
    encoder = _Encoder(trained, trained.method.represent, trained.reference if known else None)
    graphs = [_Graph(EXPRESSION, ".onnx", encoder, faces, outputs)]
    codes = {"z_e": z_e}
    z_i, logvar = trained.identify(faces["faces"])
    if z_i.shape[1]:
        codes["z_i"] = z_i
        outputs = {"z_i": z_i, "z_i_deviation": np.exp(logvar / 2)}
        encoder = _Encoder(trained, trained.method.identify)
        graphs.append(_Graph("identity encoder", ".identity.onnx", encoder, faces, outputs))
    if trained.has_decoder:
        decoder = _Decoder(trained)
        with torch.inference_mode():
            levels = decoder.levels(*(torch.as_tensor(code) for code in codes.values())).numpy()
        graphs.append(_Graph("decoder", ".decoder.onnx", decoder, codes, {"images": levels}))
    return graphs


def _patterns(size: int, count: int) -> Faces:
    """Return (count, S, S, 3) random colours in squares of 1, 2, 4 ... pixels: detail of every size."""
    random = np.random.default_rng(0)
    images = []
    for side in (2**number for number in range(count)):
        squares = random.integers(0, 256, (size // side, size // side, 3), np.uint8)
        images.append(squares.repeat(side, 0).repeat(side, 1))
    return np.stack(images)


def _make(trained: Trained, graph: _Graph, path: Path) -> tuple[OnnxFile, bytes]:
    """Return a file and its content; raise OmoteError if it does not do as PyTorch does."""
    import onnxruntime

    content = _content(graph, _metadata(trained, graph.part))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    difference, made = 0.0, graph.outputs
    for count in BATCHES:
        inputs = {name: array[:count] for name, array in graph.inputs.items()}
        made = dict(zip(graph.outputs, session.run([*graph.outputs], inputs), strict=True))
        differences = [_difference(made[name], graph.outputs[name][:count]) for name in made]
        difference = float(np.max([difference, *differences]))
    if not difference <= TOLERANCE:  # so that NaN is refused
        raise OmoteError(
            f"{trained.path} was not exported: its {graph.part} as ONNX differs from PyTorch by {difference:.1e}, more "
            f"than {TOLERANCE:.0e}. Try other versions of torch, onnxscript or onnxruntime"
        )
    return OnnxFile(path, graph.part, _described(graph.inputs), _described(made), difference), content


def _difference(made: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return the largest difference; of numbers above 1 as a share of them, of images beyond rounding and of 255."""
    apart = np.abs(made.astype(np.float64) - expected)
    if made.dtype == np.uint8:
        return float(np.maximum(apart - 0.5, 0).max() / 255)
    return float((apart / np.maximum(np.abs(expected), 1)).max())


def _described(arrays: Arrays) -> list[str]:
    return [
        f"{name} {array.dtype} ({', '.join(['N', *map(str, array.shape[1:])])})"
        for name, array in arrays.items()
    ]


def _content(graph: _Graph, metadata: dict[str, str]) -> bytes:
    """Return the bytes of an ONNX file, its weights within."""
    with _quietly():
        program = torch.onnx.export(
            graph.module.eval(),
            tuple(torch.as_tensor(array[:2]) for array in graph.inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=[*graph.inputs],
            output_names=[*graph.outputs],
            dynamic_shapes=tuple({0: torch.export.Dim("N")} for _ in graph.inputs),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    del model.graph.value_info[:], model.graph.metadata_props[:]
    parts = (model.graph.node, model.graph.input, model.graph.output, model.graph.initializer)
    for part in (part for kind in parts for part in kind):
        del part.metadata_props[:]  # where in this machine's folders it was computed
        part.doc_string = ""
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


@contextmanager
def _quietly() -> Iterator[None]:
    """Export without a word: torch warns and logs of its own parts (pytrees, a missing torchvision)."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def _metadata(trained: Trained, part: str) -> dict[str, str]:
    """Return what a file says of itself: what its faces have to be, and where it comes from; no ids or paths."""
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
        "card": card(trained),
    }
