"""One training in two processes compared with one: what a step exchanges, its speed, and whether the scores differ.

    python benchmarks/processes.py [--size 64] [--batch 64] [--steps 6]
    python benchmarks/processes.py FACES --to FOLDER [--seeds 3] [--epochs 6] [--method omote]

The first command takes steps of the expression stage of `proposed`, in float32, with one thread per process, so two
processes use twice the cores. It counts the collective calls of a step. On a GPU, nn.SyncBatchNorm adds two for each
pass of a BatchNorm layer; these are counted as passes, since the layer does not run on a CPU.

The second trains small networks with each seed in one process and in two, on the CPU, and tests whether the scores of
held-out people differ by more than the seeds do, as `precision.py` does. Runs go to FOLDER/N-seedS and are resumed if
interrupted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from methods import configuration, score_one
from omote.data.face_set import open_face_set
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.methods.method import Batch
from omote.methods.proposed import Proposed, ProposedOptions
from omote.training.engine import keep_freed_memory, make_engine
from omote.training.loop import train_or_load
from omote.training.processes import average_gradients
from omote.training.step import begin_stage, encode_frozen, take_step
from precision import page

WARM_UP = 2
PROCESSES = ("1", "2")
SMALL = {
    "device": "cpu",
    "precision": "32-true",
    "batch_size": 32,
    "options.width": 8,
    "options.learning_rate": 2e-3,
}


def take_steps(size: int, count: int, steps: int) -> None:
    """Take steps in this process, and print what was measured if it is the first one."""
    engine = make_engine("cpu", "32-true")
    method = Proposed(size, ProposedOptions())
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    stage = method.stages()[1]
    optimisers = begin_stage(method, stage)
    count //= engine.num_processes
    images = torch.rand(count, 3, size, size).to(memory_format=torch.channels_last)
    batch = Batch(images, images, torch.arange(count).roll(1), torch.ones(count), torch.zeros(count).long())
    batch.cached_posteriors = encode_frozen(stage, images)
    stage = average_gradients(stage, engine)
    took = []
    with keep_freed_memory():
        for _ in range(WARM_UP + steps):
            began = time.perf_counter()
            take_step(engine, stage, optimisers, batch)
            took.append(time.perf_counter() - began)
    passes = 0

    def count_pass(layer: nn.Module, *_: object) -> None:
        nonlocal passes
        passes += layer.training

    for layer in method.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(count_pass)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        take_step(engine, stage, optimisers, batch)
    if engine.rank == 0:
        calls = Counter(event.name for event in recorded.events() if event.name.startswith("gloo:"))
        trained = sum(
            p.nbytes for phase in stage.phases for module in phase.trains for p in module.parameters()
        )
        found = {"calls": calls, "bytes": trained, "passes": passes}
        print(json.dumps({"seconds": sorted(took[WARM_UP:])[steps // 2], **found}))


def run_self(processes: str, *arguments: str) -> str:
    """Run this script in one process or in several, with one thread each, and return what it prints."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
    command = [sys.executable, *(torchrun if processes != "1" else []), __file__, *arguments, "--child"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def measure_step(a: argparse.Namespace) -> None:
    """Print the speed of both, and the calls of a step."""
    given = ("--size", str(a.size), "--batch", str(a.batch), "--steps", str(a.steps))
    turns: list[list[dict[str, Any]]] = []
    for _ in range(3):
        lines = [run_self(processes, *given).splitlines() for processes in PROCESSES]
        turns.append([json.loads(next(line for line in each if line.startswith("{"))) for each in lines])
    one, two = (a.batch / min(turn[side]["seconds"] for turn in turns) for side in (0, 1))
    found = turns[0][1]
    print(f"expression stage of proposed, {a.size} px, batch {a.batch}, float32, one thread each, best of 3")
    print(f"  one process {one:6.1f} images/s, two {two:6.1f}: {two / one:.2f} times")
    calls = ", ".join(f"{number} {name.removeprefix('gloo:')}" for name, number in found["calls"].items())
    print(f"  calls in a step: {calls}; gradients {found['bytes'] / 1e6:.2f} MB")
    total = sum(found["calls"].values()) + 2 * found["passes"]
    print(f"  with nn.SyncBatchNorm: {found['passes']} passes of BatchNorm, so {total} calls")


def train_run(a: argparse.Namespace) -> None:
    """Train the run --to, with the seed --seeds, in this process or together with others."""
    faces = open_face_set(a.faces)
    changes = {**SMALL, "seed": a.seeds, "test_subjects": held_out(a), "options.epochs": a.epochs}
    train_or_load(faces, a.to, configuration(a.method, faces.size, None, **changes))


def held_out(a: argparse.Namespace) -> list[str]:
    faces = open_face_set(a.faces)
    return split_subjects(faces.frames, max(1, len(faces.subjects) // 5), 0)[1]


def compare_scores(a: argparse.Namespace) -> None:
    """Train and score all runs, and print the table."""
    if a.seeds < 2:
        raise OmoteError(f"--seeds is {a.seeds}; seed noise takes at least 2")
    found = []
    for seed in range(a.seeds):
        for processes in PROCESSES:
            run = a.to / f"{processes}-seed{seed}"
            given = ["--to", str(run), "--seeds", str(seed), "--method", a.method]
            given += ["--epochs", str(a.epochs)]
            run_self(processes, str(a.faces), *given)
            scores = a.to / "scores" / f"{run.name}.parquet"
            score_one(a.faces, run, held_out(a), None, scores)
            found.append(pd.read_parquet(scores).assign(method=a.method, processes=processes, seed=seed))
    rows = pd.concat(found)
    print(page(rows[(rows["people"] == "test") & ~rows["centred"]], "processes", PROCESSES))


def main() -> None:
    """Measure a step, or compare scores if faces are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", nargs="?", type=Path)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6, help="per stage of `proposed`")
    parser.add_argument("--method", default="omote")
    parser.add_argument("--size", type=int, default=64, choices=[64, 128])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.faces and not a.to:
        parser.error("name the folder for runs and scores with --to")
    try:
        if a.child and a.faces:
            train_run(a)
        elif a.child:
            take_steps(a.size, a.batch, a.steps)
        elif a.faces:
            compare_scores(a)
        else:
            measure_step(a)
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
