"""Features from a file that `omote export` wrote, with ONNX Runtime or OpenVINO. No torch here."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from omote.data.face_set import About
from omote.data.outputs import Faces, Floats, Outputs
from omote.errors import OmoteError
from omote.features.reader import IN_BFLOAT16

FORMAT_VERSION = 1
EXPRESSION = "expression encoder"  # what the file does whose features are read
BATCH_SIZE = 32  # faces at once; more take more memory and are no faster

Runtime = Literal["onnxruntime", "openvino"]
Network = Callable[[Faces], dict[str, Floats]]  # faces -> outputs by name


class OnnxReader:
    """Reads expression features off faces as the run does that the file was exported from.

    Attributes:
        name: the method.
        size: S, the side of the faces in pixels.
        model: method and first digits of the weights' SHA-256, as of the run; "-bf16" behind them if in bfloat16.
        face_set: metadata of the face set that the model was trained on.
        metadata: all that the file says of itself, as text.
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
            path: the file that was named to `omote export`.
            runtime: which package runs it.
            threads: cores to use; if None, as many as the environment variable OMP_NUM_THREADS says, else all.
            bfloat16: see `omote.open_reader`; OpenVINO alone computes in it.
        Raises:
            OmoteError: If the runtime is unknown, not installed or does not know bfloat16, there is no such file,
                or it is no ONNX file, not from omote, of a newer format, or reads no expressions.
        """
        self.path = Path(path)
        if runtime not in _OPEN:
            raise OmoteError(f"runtime is {runtime!r}; expected {' or '.join(_OPEN)}")
        if bfloat16 and runtime != "openvino":
            raise OmoteError(f"{runtime} does not compute in bfloat16; give openvino")
        need_packages(runtime)
        if not self.path.is_file():
            kind = "is a folder" if self.path.is_dir() else "does not exist"
            raise OmoteError(f"{self.path} {kind}; give a file that `omote export` wrote")
        cores = threads or _threads_of_environment()
        self._network, self.metadata = _OPEN[runtime](self.path, cores, bfloat16)
        _check_metadata(self.path, self.metadata)
        self.name = self.metadata["method"]
        self.size = int(self.metadata["size"])
        self.model = self.metadata["model"] + IN_BFLOAT16 * bfloat16
        self.face_set = About.model_validate_json(self.metadata["face_set"])

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return the features of faces; memory does not grow with their number, but for the result.

        Args:
            faces: (N, S, S, 3) uint8, RGB; may be memory-mapped.
            subjects: not read: no method that has to be told is exported.
        Raises:
            OmoteError: If the faces have another size or type.
        """
        if faces.ndim != 4 or faces.shape[1:] != (self.size, self.size, 3) or faces.dtype != np.uint8:
            raise OmoteError(
                f"faces of shape {faces.shape} and type {faces.dtype} were given; {self.path} reads (N, {self.size}, "
                f"{self.size}, 3) uint8. Prepare them with --size {self.size}."
            )
        some = faces if len(faces) else np.zeros((1, *faces.shape[1:]), np.uint8)  # no runtime takes none
        batches = (some[start : start + BATCH_SIZE] for start in range(0, len(some), BATCH_SIZE))
        parts = [self._network(np.ascontiguousarray(batch)) for batch in batches]
        whole = {name: np.concatenate([part[name] for part in parts])[: len(faces)] for name in parts[0]}
        unknown = np.full(len(faces), np.nan, np.float32)
        return Outputs(whole["z_e"], whole["z_e_deviation"], whole.get("ood", unknown))


def need_packages(*packages: str) -> None:
    """Raise OmoteError if one of the packages, which only ONNX files take, is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise OmoteError(
            f"ONNX files need {' and '.join(missing)}, which is not installed: pip install 'omote[export]'"
        )


def _check_metadata(path: Path, metadata: dict[str, str]) -> None:
    version = metadata.get("omote_format", "")
    if not version.isdecimal():
        raise OmoteError(f"{path} is an ONNX file, but none that `omote export` wrote")
    if int(version) > FORMAT_VERSION:
        raise OmoteError(
            f"{path} has format {version}; this omote reads format {FORMAT_VERSION}. Update omote to read it."
        )
    if metadata["part"] != EXPRESSION:
        raise OmoteError(
            f"{path} is the {metadata['part']} of an export; give the file of its {EXPRESSION}, "
            f"{path.with_suffix('').with_suffix('.onnx').name}"
        )


def _threads_of_environment() -> int:
    """Return what OMP_NUM_THREADS says, which neither runtime reads; 0 where it says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def _open_onnxruntime(path: Path, threads: int, _: bool) -> tuple[Network, dict[str, str]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # a thread that waits leaves its core to who needs it, such as the face detector
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise _unreadable(path, error) from None
    names = [output.name for output in session.get_outputs()]
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    return lambda faces: dict(zip(names, session.run(names, {"faces": faces}), strict=True)), metadata


def _open_openvino(path: Path, threads: int, bfloat16: bool) -> tuple[Network, dict[str, str]]:
    with _unreported():
        import openvino
        from openvino.frontend import FrontEndManager

    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        frontend = FrontEndManager().load_by_framework(
            "onnx"
        )  # no other: TensorFlow's would print its complaints
        model = frontend.convert(frontend.load(str(path)))
        # said of each, as its own choice is bf16 where the processor has it; ood, a small difference, needs f32
        hints: dict[str, list[Any]] = {"f32": [], "bf16": []}
        for result in model.get_results():
            hints["bf16" if bfloat16 and "ood" not in result.output(0).names else "f32"].append(result)
        core = openvino.Core()
        can = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        networks = [
            core.compile_model(
                openvino.Model(results, model.get_parameters(), ""),
                "CPU",
                {**options, "INFERENCE_PRECISION_HINT": hint},
            )
            for hint, results in hints.items()
            if results
        ]
    except Exception as error:  # likewise
        raise _unreadable(path, error) from None
    if bfloat16 and not can:
        raise OmoteError(
            "bfloat16 was asked for, and the processor here does not multiply in it; leave it out"
        )
    told = model.get_rt_info(["framework"]).value if model.has_rt_info(["framework"]) else {}

    def read(faces: Faces) -> dict[str, Floats]:
        made = (network([faces], share_inputs=True) for network in networks)
        return {name: array for part in made for output, array in part.items() for name in output.names}

    return read, {key: str(value) for key, value in told.items()}


_OPEN: dict[str, Callable[[Path, int, bool], tuple[Network, dict[str, str]]]] = {
    "onnxruntime": _open_onnxruntime,
    "openvino": _open_openvino,
}


@contextmanager
def _unreported() -> Iterator[None]:
    """Import openvino without its telemetry: it tells Google Analytics of every import, unless that part is missing."""
    name = "openvino_telemetry"
    hidden = name not in sys.modules
    if hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[name]


def _unreadable(path: Path, error: Exception) -> OmoteError:
    reason = str(error).strip().splitlines()[-1]
    return OmoteError(
        f"{path} cannot be read as an ONNX file ({reason}); export it again with `omote export`"
    )
