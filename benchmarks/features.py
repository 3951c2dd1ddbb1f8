"""Compare the speed of feature extraction in PyTorch, ONNX Runtime and OpenVINO, or the effect of bfloat16.

    python benchmarks/features.py [--rounds 20]
    python benchmarks/features.py --run run --faces faces

The first command times the untrained expression encoder of the paper's width, on faces of 64 and 128 px, one at a time
and 64 at a time, on one and two threads. Each number is the fastest of many alternating calls, so other work matters
little. "Plain PyTorch" is the network as trained, with separate BatchNorm layers. bfloat16 is measured
if the processor supports it. The second command shows how bfloat16 changes the features and scores of a trained run.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from omote.data.face_set import About, FaceSet, open_face_set
from omote.data.outputs import Faces
from omote.evaluation.evaluate import evaluate
from omote.export.onnx import export_onnx
from omote.features.onnx_reader import OnnxReader
from omote.runs.config import TrainConfig
from omote.runs.device import multiplies_in_bfloat16
from omote.runs.info import RunInfo
from omote.runs.trained import Trained, build_method, load, to_images
from omote.synthetic.drawn import DrawnOptions, draw_subject

Read = Callable[[Faces], np.ndarray]
SCORES = ("accuracy", "nmi", "probe_accuracy", "subject_nearest_neighbour_across_expressions")


def untrained(size: int) -> Trained:
    """Return the default method with its initial weights."""
    info = RunInfo(TrainConfig(), size, ["somebody"], [], About())
    method = build_method(info).eval().requires_grad_(False)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(Path("untrained"), info, method)


def make_readers(trained: Trained, file: Path, threads: int) -> dict[str, Read]:
    """Return the functions to compare, by name; the first is the reference."""
    torch.set_num_threads(threads)

    def plain(faces: Faces) -> np.ndarray:
        with torch.inference_mode():
            codes: np.ndarray = trained.method.represent(to_images(torch.as_tensor(faces))).mean.numpy()
            return codes

    def read_by(reader: Trained | OnnxReader) -> Read:
        return lambda faces: reader.read(faces).mean

    bfloat16 = multiplies_in_bfloat16("cpu")
    found = {"plain PyTorch": plain, "PyTorch": read_by(trained)}
    if bfloat16:
        found["PyTorch bf16"] = read_by(replace(trained, bfloat16=True))
    found["ONNX Runtime"] = read_by(OnnxReader(file, threads=threads))
    found["OpenVINO"] = read_by(OnnxReader(file, "openvino", threads=threads))
    if bfloat16:
        found["OpenVINO bf16"] = read_by(OnnxReader(file, "openvino", threads=threads, bfloat16=True))
    return found


def images_per_second(found: dict[str, Read], faces: Faces, rounds: int) -> dict[str, float]:
    """Return the best speed of each function."""
    best = dict.fromkeys(found, np.inf)
    for turn in range(rounds + 1):
        for name, read in found.items():
            for _ in range(8 if len(faces) == 1 else 1):
                begin = time.perf_counter()
                read(faces)
                if turn:  # the first round selects kernels and allocates memory
                    best[name] = min(best[name], time.perf_counter() - begin)
    return {name: len(faces) / seconds for name, seconds in best.items()}


def print_bfloat16_effect(trained: Trained, face_set: FaceSet) -> None:
    """Print how far bfloat16 moves the features of a run, and its scores for people held out."""
    both = (trained, replace(trained, bfloat16=True))
    exact, moved = (one.represent(face_set.faces)[0] for one in both)
    share = np.sqrt(np.square(moved - exact).mean(0)) / exact.std(0)
    print(f"features move by {share.mean():.2%} of their spread (root mean square, mean of all numbers)")
    one, other = (
        NearestNeighbors(n_neighbors=1).fit(codes).kneighbors(return_distance=False)
        for codes in (exact, moved)
    )
    print(f"the nearest other frame stays the same for {(one == other).mean():.1%} of {len(one)} frames")
    exact_scores, moved_scores = (evaluate(one, face_set).table for one in both)
    scores = exact_scores.assign(moved=moved_scores["value"]).query(
        "people == 'test' and code == 'expression'"
    )
    columns = ["score", "value", "moved", "deviation"]
    print(scores.loc[scores["score"].isin(SCORES), columns].round(3).to_string(index=False))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--faces", type=Path)
    args = parser.parse_args()
    if args.run and args.faces:
        print_bfloat16_effect(load(args.run), open_face_set(args.faces))
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in (64, 128):
            trained, file = untrained(size), Path(folder) / f"{size}.onnx"
            export_onnx(trained, file)
            faces = draw_subject(DrawnOptions(size=64 if size == 64 else 128), 0)[0][:64]
            for threads in (1, 2):
                found = make_readers(trained, file, threads)
                if threads == 1:
                    right = found["plain PyTorch"](faces)
                    spread = right.std(axis=0).mean()
                    print(
                        f"{size} px, features spread by {spread:.3f}; at most so far from those of plain PyTorch:"
                    )
                    errors = {name: np.abs(read(faces) - right).max() for name, read in found.items()}
                    print(f"  {', '.join(f'{name} {value:.1e}' for name, value in errors.items())}")
                for count in (1, 64):
                    speed = images_per_second(found, faces[:count], args.rounds)
                    speeds = [
                        f"{name} {value:.0f} ({value / speed['plain PyTorch']:.1f}x)"
                        for name, value in speed.items()
                    ]
                    print(
                        f"  {threads} thread{'s' * (threads > 1)}, batch {count:2d}, images/s: {', '.join(speeds)}"
                    )


if __name__ == "__main__":
    main()
