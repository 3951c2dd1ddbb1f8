"""Features from a file of `omote export`, with ONNX Runtime or OpenVINO and without torch."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, Json

from omote.boundary import reading
from omote.data.face_set import About
from omote.data.outputs import Faces, Floats, Outputs
from omote.errors import OmoteError
from omote.features.reader import IN_BFLOAT16

FORMAT_VERSION = 1
EXPRESSION = "expression encoder"  # the part of an export that has features
BATCH_SIZE = 32  # faces; larger batches take more memory and are no faster

Runtime = Literal["onnxruntime", "openvino"]
Network = Callable[[Faces], dict[str, Floats]]  # faces -> outputs by name


class OnnxReader:
    """Computes the features that the exported run computes; a `Reader`.

    Attributes:
        name: of the method.
        size: S, side of the faces in pixels.
        model: method and first digits of the weights' SHA-256, like the run's; ends in "-bf16" for bfloat16.
        face_set: metadata of the training faces.
        metadata: all metadata of the file.
    """

    def __init__(
        self,
        path: str | Path,
        runtime: Runtime = "onnxruntime",
        *,
        threads: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        """Open a file.

        Args:
            path: NAME.onnx of `omote export`.
            runtime: the package that runs it.
            threads: cores to use; None takes the environment variable OMP_NUM_THREADS, else all.
            bfloat16: see `omote.open_reader`; needs OpenVINO.
        Raises:
            OmoteError: If the runtime is unknown, not installed or does not support bfloat16; or if the file is
                missing, no ONNX file, not from omote, of a newer format, or another part of an export.
        """
        self.path = Path(path)
        if runtime not in _OPEN:
            raise OmoteError(f"runtime is {runtime!r}; expected {' or '.join(_OPEN)}")
        if bfloat16 and runtime != "openvino":
            raise OmoteError(f"{runtime} does not compute in bfloat16; give openvino")
        if runtime == "openvino":
            need_packages(runtime)
        if not self.path.is_file():
            kind = "is a folder" if self.path.is_dir() else "does not exist"
            raise OmoteError(f"{self.path} {kind}; give a file that `omote export` wrote")
        cores = threads or _read_thread_limit()
        with self._reading():
            self._network, self.metadata = _OPEN[runtime](self.path, cores, bfloat16)
            _check_metadata(self.path, self.metadata)
            stated = _Metadata.model_validate(self.metadata)
        self.name, self.size, self.face_set = stated.method, stated.size, stated.face_set
        self.model = stated.model + IN_BFLOAT16 * bfloat16
        self.read(np.zeros((1, self.size, self.size, 3), np.uint8))  # refuses other networks at once

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return the features of faces, batch by batch.

        Args:
            faces: (N, S, S, 3) uint8 RGB; may be memory-mapped.
            subjects: ignored, because methods that need it are not exported.
        Raises:
            OmoteError: If the faces have another size or type, or the file does not give finite features.
        """
        if faces.ndim != 4 or faces.shape[1:] != (self.size, self.size, 3) or faces.dtype != np.uint8:
            raise OmoteError(
                f"faces of shape {faces.shape} and type {faces.dtype} were given; {self.path} reads (N, {self.size}, "
                f"{self.size}, 3) uint8. Prepare them with --size {self.size}."
            )
        rows = (
            faces if len(faces) else np.zeros((1, *faces.shape[1:]), np.uint8)
        )  # runtimes refuse empty input
        batches = (rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE))
        with self._reading():
            parts = [self._network(np.ascontiguousarray(batch)) for batch in batches]
            outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            outputs.setdefault("ood", np.full(len(rows), np.nan, np.float32))
            z_e, deviation, ood = (outputs[name][: len(faces)] for name in ("z_e", "z_e_deviation", "ood"))
            if z_e.ndim != 2 or deviation.shape != z_e.shape or ood.shape != z_e.shape[:1]:
                raise ValueError("its outputs do not have the shapes of features")
            if not (np.isfinite(z_e).all() and np.isfinite(deviation).all()):
                raise ValueError("some features are not finite numbers")
        return Outputs(z_e, deviation, ood)

    def _reading(self) -> AbstractContextManager[None]:
        return reading(self.path, "an ONNX file of `omote export`", "Export it again with `omote export`")


class _Metadata(BaseModel):
    """The part of an ONNX file's metadata that reading needs."""

    method: str
    model: str
    size: int = Field(ge=1, le=1024)
    face_set: Json[About]


def need_packages(*packages: str) -> None:
    """Raise OmoteError if one of these packages of the extra `export` is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise OmoteError(
            f"ONNX files need {' and '.join(missing)}, which is not installed: pip install 'omote[export]'"
        )


def _check_metadata(path: Path, metadata: dict[str, str]) -> None:
    version = metadata.get("omote_format", "")
    if not version.isdecimal():
        raise OmoteError(f"{path} is an ONNX file, but none that `omote export` wrote")
    if len(version) > 9 or int(version) > FORMAT_VERSION:
        raise OmoteError(
            f"{path} has format {version}; this omote reads format {FORMAT_VERSION}. Update omote to read it."
        )
    if metadata.get("part") != EXPRESSION:
        raise OmoteError(
            f"{path} is the {metadata.get('part')} of an export; give the file of its {EXPRESSION}, "
            f"{path.with_suffix('').with_suffix('.onnx').name}"
        )


def _read_thread_limit() -> int:
    """Return OMP_NUM_THREADS, which the runtimes do not read; 0 if it is not set."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def _open_onnxruntime(path: Path, threads: int, _: bool) -> tuple[Network, dict[str, str]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # waiting threads do not spin, so that their cores are free, for example for face detection
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors are raised and need no log
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    return lambda faces: dict(zip(names, session.run(names, {"faces": faces}), strict=True)), metadata


def _open_openvino(path: Path, threads: int, bfloat16: bool) -> tuple[Network, dict[str, str]]:
    with _no_telemetry():
        import openvino
        from openvino.frontend import FrontEndManager

    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    # not openvino.Core.read_model, whose TensorFlow frontend prints errors
    frontend = FrontEndManager().load_by_framework("onnx")
    model = frontend.convert(frontend.load(str(path)))
    # Precision is set for each network, as OpenVINO's default is bf16 if the processor has it. `ood` is a small
    # difference and needs f32.
    hints: dict[str, list[Any]] = {"f32": [], "bf16": []}
    for result in model.get_results():
        hints["bf16" if bfloat16 and "ood" not in result.output(0).names else "f32"].append(result)
    core = openvino.Core()
    has_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    networks = [
        core.compile_model(
            openvino.Model(results, model.get_parameters(), ""),
            "CPU",
            {**options, "INFERENCE_PRECISION_HINT": hint},
        )
        for hint, results in hints.items()
        if results
    ]
    if bfloat16 and not has_bfloat16:
        raise OmoteError("bfloat16 was given, but this processor does not multiply in it; leave it out")
    metadata = model.get_rt_info(["framework"]).value if model.has_rt_info(["framework"]) else {}

    def run(faces: Faces) -> dict[str, Floats]:
        results = (network([faces], share_inputs=True) for network in networks)
        return {
            name: array for result in results for output, array in result.items() for name in output.names
        }

    return run, {key: str(value) for key, value in metadata.items()}


_OPEN: dict[str, Callable[[Path, int, bool], tuple[Network, dict[str, str]]]] = {
    "onnxruntime": _open_onnxruntime,
    "openvino": _open_openvino,
}


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Hide openvino's telemetry package while openvino is imported: it would report each import to Google Analytics."""
    name = "openvino_telemetry"
    hidden = name not in sys.modules
    if hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[name]
