"""Speed of features from faces: PyTorch beside the exported file in ONNX Runtime and in OpenVINO, in one run.

    python benchmarks/features.py [--rounds 8]

The expression encoder of the paper's width, untrained; faces of 64 and 128 px, alone and 64 together, on one and on two
threads. A number is the fastest of many calls, taken in turn, so that other work on the machine counts little. bf16 is
PyTorch's autocast, where the processor knows that type; what it moves the features by is printed beside their spread.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from omote.data.drawn import DrawnOptions, draw_subject
from omote.data.reading import Faces
from omote.export.onnx_file import export_onnx
from omote.export.onnx_reader import OnnxReader
from omote.training.config import TrainConfig
from omote.training.run import RunInfo, Trained, build_method

Read = Callable[[Faces], np.ndarray]


def untrained(size: int) -> Trained:
    """Return `omote`, the default method, with the weights it begins with."""
    info = RunInfo(TrainConfig(), size, ["somebody"], [], {})
    method = build_method(info).eval().requires_grad_(False)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(Path("untrained"), info, method)


def ways(trained: Trained, file: Path, threads: int) -> dict[str, Read]:
    """Return the functions that are compared; the first is the reference."""
    torch.set_num_threads(threads)

    def half(faces: Faces) -> np.ndarray:
        with torch.autocast("cpu", torch.bfloat16):
            return trained.represent(faces)[0]

    def read_by(reader: OnnxReader) -> Read:
        return lambda faces: reader.read(faces).mean

    found: dict[str, Read] = {"PyTorch": lambda faces: trained.represent(faces)[0]}
    if torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        found["PyTorch bf16"] = half
    for name, runtime in (("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino")):
        found[name] = read_by(OnnxReader(file, runtime, threads=threads))  # type: ignore[arg-type]
    return found


def images_per_second(found: dict[str, Read], faces: Faces, rounds: int) -> dict[str, float]:
    """Return the best speed of each."""
    best = dict.fromkeys(found, np.inf)
    for turn in range(rounds + 1):
        for name, read in found.items():
            for _ in range(8 if len(faces) == 1 else 1):
                begin = time.perf_counter()
                read(faces)
                if turn:  # the first round chooses kernels and allocates
                    best[name] = min(best[name], time.perf_counter() - begin)
    return {name: len(faces) / seconds for name, seconds in best.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        for size in (64, 128):
            trained, file = untrained(size), Path(folder) / f"{size}.onnx"
            export_onnx(trained, file)
            faces = draw_subject(DrawnOptions(size=64 if size == 64 else 128), 0)[0][:64]
            for threads in (1, 2):
                found = ways(trained, file, threads)
                if threads == 1:
                    right = found["PyTorch"](faces)
                    spread = right.std(axis=0).mean()
                    print(
                        f"{size} px; how far features are from PyTorch's, at most, where they spread by {spread:.3f}:"
                    )
                    far = {name: np.abs(read(faces) - right).max() for name, read in found.items()}
                    print(f"  {', '.join(f'{name} {value:.1e}' for name, value in far.items())}")
                for count in (1, 64):
                    speed = images_per_second(found, faces[:count], rounds)
                    told = [
                        f"{name} {value:.0f} ({value / speed['PyTorch']:.1f}x)"
                        for name, value in speed.items()
                    ]
                    print(
                        f"  {threads} thread{'s' * (threads > 1)}, batch {count:2d}, images/s: {', '.join(told)}"
                    )


if __name__ == "__main__":
    main()
