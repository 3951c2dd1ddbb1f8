"""Speed of features from faces: PyTorch beside the exported file in ONNX Runtime and in OpenVINO, in one run.

    python benchmarks/features.py [--rounds 20]
    python benchmarks/features.py --run run --faces faces

The first: the expression encoder of the paper's width, untrained; faces of 64 and 128 px, alone and 64 together, on one
and on two threads. A number is the fastest of many calls, taken in turn, so that other work on the machine counts
little. "Plain PyTorch" is the network as it was trained, its BatchNorm apart. bf16 is measured where the processor
knows that type. The second: what bf16 does to the features of a trained run, and to its scores.
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

from omote.data.face_set import FaceSet, open_face_set
from omote.data.outputs import Faces
from omote.evaluation.evaluate import evaluate
from omote.export.onnx import export_onnx
from omote.features.onnx_reader import OnnxReader
from omote.runs.config import TrainConfig
from omote.runs.device import multiplies_in_bfloat16
from omote.runs.trained import RunInfo, Trained, build_method, load, to_images
from omote.synthetic.drawn import DrawnOptions, draw_subject

Read = Callable[[Faces], np.ndarray]
SCORES = ("accuracy", "nmi", "probe_accuracy", "subject_nearest_neighbour_across_expressions")


def untrained(size: int) -> Trained:
    """Return `omote`, the default method, with the weights it begins with."""
    info = RunInfo(TrainConfig(), size, ["somebody"], [], {})
    method = build_method(info).eval().requires_grad_(False)
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Trained(Path("untrained"), info, method)


def ways(trained: Trained, file: Path, threads: int) -> dict[str, Read]:
    """Return the functions that are compared; the first is the reference."""
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


def what_bfloat16_does(trained: Trained, face_set: FaceSet) -> None:
    """Print how far it moves the features of a run, and its scores of people who were not trained on."""
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
        what_bfloat16_does(load(args.run), open_face_set(args.faces))
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in (64, 128):
            trained, file = untrained(size), Path(folder) / f"{size}.onnx"
            export_onnx(trained, file)
            faces = draw_subject(DrawnOptions(size=64 if size == 64 else 128), 0)[0][:64]
            for threads in (1, 2):
                found = ways(trained, file, threads)
                if threads == 1:
                    right = found["plain PyTorch"](faces)
                    spread = right.std(axis=0).mean()
                    print(
                        f"{size} px, features spread by {spread:.3f}; at most so far from those of plain PyTorch:"
                    )
                    far = {name: np.abs(read(faces) - right).max() for name, read in found.items()}
                    print(f"  {', '.join(f'{name} {value:.1e}' for name, value in far.items())}")
                for count in (1, 64):
                    speed = images_per_second(found, faces[:count], args.rounds)
                    told = [
                        f"{name} {value:.0f} ({value / speed['plain PyTorch']:.1f}x)"
                        for name, value in speed.items()
                    ]
                    print(
                        f"  {threads} thread{'s' * (threads > 1)}, batch {count:2d}, images/s: {', '.join(told)}"
                    )


if __name__ == "__main__":
    main()
