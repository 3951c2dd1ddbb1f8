"""Training on a GPU: equal to the CPU, plain and compiled, how fast, and which share of the GPU's limit.

    python benchmarks/gpu.py [--device cuda] [--minutes 12]

1. Gradients of one step in float32 on the device and on the CPU, from the same weights, faces and noise; and the terms
   of a few steps with compiled networks and without (`compile`: CUDA graphs).
2. Two processes on the device that exchange through gloo, with nn.SyncBatchNorm (on a CPU without any): the gradient of
   one process that has both parts.
3. Trainings of rows 4 and 5 of the paper's Table 3 on noise, by `omote.train`, without and with `compile`: images a
   second, the hours of the whole row on the paper's 29,085 faces, memory, and the share of the device's fastest
   convolution, in operations that the step computes.

A check that fails ends the script with the exit code 1. After --minutes it stops and says what is left out. With
--tiny, row 4 alone is trained with networks, batches and steps so small that the times mean nothing: it shows that the
script runs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from machine import limits, limits_text
from omote.data.arrays import prepare_arrays
from omote.data.face_set import FaceSet
from omote.methods.method import Batch, Method, Stage
from omote.methods.proposed import Proposed, ProposedOptions
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info
from omote.training.compiled import compile_networks, uncompiled
from omote.training.engine import Engine
from omote.training.loop import TrainingProgress, train
from omote.training.processes import average_gradients, synchronise_batchnorm
from omote.training.step import begin_stage, encode_frozen, take_step

FACES, PEOPLE = 29_085, 195  # in the paper
CHECKED = 16  # faces in a step whose gradients are compared
CLOSE, APART = (
    1e-4,
    0.05,
)  # largest median and largest difference; rounding moves units across the kink of LeakyReLU


class Scale(NamedTuple):
    """How large everything is."""

    width: int
    batch: int
    warm_up: int  # steps that are not timed; networks are compiled in the first
    steps: int  # of a stage, those included
    seconds: float  # to measure each limit
    rows: dict[str, int]  # name of the configuration -> face size


FULL = Scale(32, 64, 50, 200, 0.5, {"row4": 64, "row5": 128})
TINY = Scale(8, 6, 2, 4, 0.01, {"row4": 64})


class TimeIsUp(Exception):
    """Raised when --minutes are over."""


@contextmanager
def noise_of(rows: slice, count: int) -> Iterator[None]:
    """Draw the noise of ``count`` images on the CPU, and give each call of randn_like these rows of it."""
    draw, generator = torch.randn, torch.Generator().manual_seed(2)

    def randn_like(like: Tensor) -> Tensor:
        return draw(count, *like.shape[1:], generator=generator)[rows].to(like)

    with patch("torch.randn_like", randn_like):
        yield


def make_batch(engine: Engine, stage: Stage, size: int, rows: slice) -> Batch:
    """Return rows of a batch of `CHECKED` images of noise."""
    images, same = torch.rand(2, CHECKED, 3, size, size, generator=torch.Generator().manual_seed(1))[:, rows]
    device = engine.device
    images, same = (each.to(device).to(memory_format=torch.channels_last) for each in (images, same))
    count = len(images)
    batch = Batch(images, same, torch.arange(count, device=device).roll(1), torch.ones(count, device=device),
                  torch.arange(count, device=device) % 3)  # fmt: skip
    with uncompiled(engine):
        batch.cached_posteriors = encode_frozen(stage, images)
    return batch


def make_method(size: int, width: int, device: torch.device, **options: Any) -> Method:
    torch.manual_seed(0)
    method = Proposed(size, ProposedOptions(width=width, **options))
    return method.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def gradients(
    engine: Engine, size: int, width: int, number: int, rows: slice, **options: Any
) -> dict[str, Tensor]:
    """Return the gradients of one step of a stage, by parameter, on the CPU."""
    method = make_method(size, width, engine.device, **options)
    synchronise_batchnorm(method, engine)
    stage = method.stages()[number]
    optimisers = begin_stage(method, stage)
    batch = make_batch(engine, stage, size, rows)
    with noise_of(rows, CHECKED):
        take_step(engine, average_gradients(stage, engine), optimisers, batch)
    return {name: p.grad.cpu() for name, p in method.named_parameters() if p.grad is not None}


def terms(engine: Engine, size: int, width: int, number: int) -> list[Tensor]:
    """Return the terms of six steps of a stage, for two sizes of batches in turn: CUDA graphs replay a third step.

    The learning rate is low, because Adam makes a large step of a gradient that is rounding alone.
    """
    method = make_method(size, width, engine.device, learning_rate=1e-5)
    compile_networks(method, engine)
    stage = method.stages()[number]
    optimisers = begin_stage(method, stage)
    found: list[Tensor] = []
    for step in range(6):
        batch = make_batch(engine, stage, size, slice(None, CHECKED - step % 2))
        with noise_of(slice(len(batch.images)), CHECKED):
            found += take_step(engine, stage, optimisers, batch).values()
    return found


def differences(one: list[Tensor], other: list[Tensor]) -> list[float]:
    """Return the norm of each difference, relative to the norm of the first."""
    return [
        float((a.cpu().double() - b.cpu().double()).norm() / a.cpu().double().norm().clamp(min=1e-12))
        for a, b in zip(one, other, strict=True)
    ]


class Report:
    """Prints results and remembers whether a check failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def check(self, what: str, apart: list[float]) -> None:
        """Print the median and the largest of relative differences, and whether they are rounding."""
        middle, largest = float(np.median(apart)), float(np.max(apart))
        close = middle <= CLOSE and largest <= APART  # never of a number that is not one
        if not close:
            self.failed.append(what)
        print(
            f"  {what:56s} median {middle:.0e}, largest {largest:.0e}: {'equal' if close else 'DIFFERS'}",
            flush=True,
        )


def compare_devices(report: Report, device: torch.device, scale: Scale) -> None:
    """Check the gradients of the device with those of the CPU, and compiled steps with plain ones."""
    plain = Engine(device, "32-true")
    for row, size in scale.rows.items():
        for number, name in enumerate(("identity", "expression")):
            here = gradients(Engine(torch.device("cpu"), "32-true"), size, scale.width, number, slice(None))
            there = gradients(plain, size, scale.width, number, slice(None))
            what = f"{row}, {name}: gradients on {device.type} and on the CPU"
            report.check(what, differences(list(here.values()), [there[key] for key in here]))
            of_plain = terms(plain, size, scale.width, number)
            of_compiled = terms(plain._replace(compiled=True), size, scale.width, number)
            report.check(f"{row}, {name}: terms compiled and plain", differences(of_plain, of_compiled))


def compare_processes(report: Report, device: torch.device, scale: Scale) -> None:
    """Check the gradient of two processes with that of one that has both parts of the batch."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__,
               "--device", device.type, "--width", str(scale.width), "--pair"]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    apart = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    report.check("two processes and one, identity stage", apart)


def run_pair(device: torch.device, width: int) -> None:
    """Run as one of two processes on the same device, and print the differences to a single process."""
    dist.init_process_group("gloo")
    rank, half = dist.get_rank(), CHECKED // 2
    own, whole = slice(rank * half, (rank + 1) * half), slice(None)
    options = {"normalisation": "batch" if device.type == "cuda" else "none"}
    both = gradients(Engine(device, "32-true", rank, 2), 64, width, 0, own, **options)
    alone = gradients(Engine(device, "32-true"), 64, width, 0, whole, **options)
    if rank == 0:
        print(json.dumps(differences(list(alone.values()), [both[key] for key in alone])))
    dist.destroy_process_group()


class Timing(NamedTuple):
    """What a training took."""

    rates: dict[str, float]  # stage -> images/s
    work: dict[str, float]  # stage -> floating-point operations per image; empty if compiled
    start: float  # s, from the first step to the end of the warm-up of the first stage
    memory: float  # GiB


def time_training(
    faces: FaceSet, to: Path, config: TrainConfig, scale: Scale, device: torch.device
) -> Timing:
    """Train one epoch per stage, and time the steps after the warm-up."""
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    counter = FlopCounterMode(display=False)
    rates: dict[str, float] = {}
    work: dict[str, float] = {}
    start = began = 0.0
    first = time.perf_counter()

    def listen(now: TrainingProgress) -> None:
        nonlocal began, start
        if now.step == 1 and not config.compile:
            counter.__enter__()
        elif now.step == 2 and not config.compile:
            counter.__exit__(None, None, None)
            work[now.stage] = counter.get_total_flops() / now.num_images
        if now.step == scale.warm_up:
            wait()
            began = time.perf_counter()
            start = start or began - first
        elif now.step == now.num_steps:
            wait()
            rates[now.stage] = (
                (now.num_steps - scale.warm_up) * now.num_images / (time.perf_counter() - began)
            )

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    train(faces, to, config, progress=listen)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")
    return Timing(rates, work, start, memory)


def time_rows(folder: Path, device: torch.device, scale: Scale) -> None:
    """Print the limits of the device, and the speed of both rows without and with compiled networks."""
    found = limits(scale.seconds, device.type)
    print(limits_text(found))
    print("  row   stage       compile  images/s  of the limit  GFLOP an image  start    GiB")
    for row, size in scale.rows.items():
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (scale.batch * scale.steps, size, size, 3), dtype=np.uint8)
        who = [f"{number % PEOPLE:03d}" for number in range(len(noise))]
        faces = prepare_arrays(noise, who, folder / row)
        once = {"options.epochs": 1, "options.repetitions": 1, "options.width": scale.width}
        shared: dict[str, Any] = {**once, "batch_size": scale.batch, "device": device.type}
        work: dict[str, float] = {}
        for compiled in (False, True):
            config = TrainConfig.read(row, {**shared, "compile": compiled})
            timing = time_training(faces, folder / f"{row}-{compiled}", config, scale, device)
            work = work or timing.work
            precision = read_run_info(folder / f"{row}-{compiled}").config.precision
            limit = found[f"convolution {'bf16' if precision == 'bf16-mixed' else 'fp32'}"] * 1e9
            for stage, rate in timing.rates.items():
                print(
                    f"  {row}  {stage:10s}  {'yes' if compiled else 'no':7s}  {rate:8,.0f}"
                    f"  {work[stage] * rate / limit:12.1%}  {work[stage] / 1e9:14.2f}  {timing.start:3.0f} s"
                    f"  {timing.memory:5.1f}",
                    flush=True,
                )
            options: Any = TrainConfig.read(row).options
            passes = options.epochs * options.repetitions * FACES
            hours = sum(passes / rate for rate in timing.rates.values()) / 3600
            print(
                f"  {row}, all {options.repetitions} x 2 stages of {options.epochs} epochs: {hours:.2f} hours",
                flush=True,
            )


def main() -> None:
    """Print everything, and exit with 1 if a check fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--pair", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--width", type=int, default=FULL.width, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU here; --device cpu --tiny shows that the script runs")
    device, scale = torch.device(a.device), TINY if a.tiny else FULL
    torch.backends.cudnn.allow_tf32 = False  # convolutions in float32 are compared with the CPU's
    if a.pair:
        run_pair(device, a.width)
        return
    report, left = Report(), ["gradients and compiled steps", "two processes", "times of rows 4 and 5"]
    name = torch.cuda.get_device_name() if a.device == "cuda" else "CPU"
    print(
        f"{name}, torch {torch.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores",
        flush=True,
    )

    def stop(*_: object) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * a.minutes)
    try:
        with tempfile.TemporaryDirectory() as folder:
            compare_devices(report, device, scale)
            left.pop(0)
            compare_processes(report, device, scale)
            left.pop(0)
            time_rows(Path(folder), device, scale)
            left.pop(0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except TimeIsUp:
        print(f"{a.minutes:g} minutes are over; left out, or not finished: {', '.join(left)}")
    if report.failed:
        sys.exit(f"{len(report.failed)} checks failed: {'; '.join(report.failed)}")


if __name__ == "__main__":
    main()
