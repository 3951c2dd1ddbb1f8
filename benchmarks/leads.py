"""Ablation of everything that makes a training step fast: the step without it, compared with the step as it is.

    python benchmarks/leads.py [--size 64] [--rounds 8] [--lead NAME]

The expression stage of `proposed`, at the paper's width, on the CPU, with faces in memory. Each line comes from its own
process, in which both steps alternate. Its last number is the median time of the other step over that of the step as it
is: 1.10 means that the optimisation saves a tenth. The last lines add something instead of leaving it out.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.optim import Adam

from omote.methods.method import Batch
from omote.methods.proposed import Proposed, ProposedOptions
from omote.runs.trained import copy_for_inference, to_images
from omote.training.engine import keep_freed_memory, make_engine
from omote.training.step import begin_stage, encode_frozen, take_step

WARM_UP = 2
FREED = "freed memory given back"
Step = Callable[[], None]


class ThreeDecoderCalls(Proposed):
    """`Proposed` with a decoder call for each use."""

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        count = len(z_i) // 3
        parts = zip(z_i.split(count), z_e.split(count), strict=True)
        return torch.cat([super(ThreeDecoderCalls, self).decode(*part) for part in parts])


class UncachedIdentity(Proposed):
    """`Proposed` that runs the frozen identity encoder in every step."""

    def frozen_identity(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            return self.identify(batch.images).mean


def make(
    size: int,
    count: int = 64,
    cls: type[Proposed] = Proposed,
    *,
    precision: str = "auto",
    channels_last: bool = True,
    fused: bool = True,
    compiled: bool = False,
    folded: bool = False,
    matmul: str = "highest",
) -> Step:
    """Return a function that takes the step, with one change."""
    engine = make_engine("cpu", precision)  # type: ignore[arg-type]
    method = cls(size, ProposedOptions())
    if channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if folded:
        setattr(method, "identity_encoder", copy_for_inference(method, bfloat16=False).identity_encoder)  # noqa: B010
    if compiled:
        for network in method.children():
            network.compile()
    stage = method.stages()[1]
    optimisers = begin_stage(method, stage)
    if not fused:
        optimisers = [Adam(each.param_groups[0]["params"], 5e-4) for each in optimisers]
    faces = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8)
    partner, ones = torch.arange(count).roll(1), torch.ones(count)
    posteriors = encode_frozen(stage, to_images(faces))

    def step() -> None:
        torch.set_float32_matmul_precision(matmul)
        images = to_images(faces)
        if not channels_last:
            images = images.contiguous()
        take_step(engine, stage, optimisers, Batch(images, images, partner, ones, partner, posteriors))

    return step


def leads(size: int) -> dict[str, tuple[Callable[[], Step], int]]:
    """Return, for each other step, the function that makes it and its number of images."""
    return {
        "float32": (lambda: make(size, precision="32-true"), 64),
        "NCHW": (lambda: make(size, channels_last=False), 64),
        FREED: (lambda: make(size), 64),
        "identity codes read in every step": (lambda: make(size, cls=UncachedIdentity), 64),
        "one call of the decoder a use": (lambda: make(size, cls=ThreeDecoderCalls), 64),
        "Adam not fused": (lambda: make(size, fused=False), 64),
        "frozen BatchNorm folded": (lambda: make(size, folded=True), 64),
        "float32, matmul precision medium": (lambda: make(size, precision="32-true", matmul="medium"), 64),
        "with torch.compile": (lambda: make(size, compiled=True), 64),
        "batches of 16": (lambda: make(size, 16), 16),
        "batches of 256": (lambda: make(size, 256), 256),
    }


def compare(size: int, rounds: int, name: str) -> None:
    """Print one line: the other step and the step as it is, alternating."""
    other, count = leads(size)[name]
    steps = [(make(size), 64, True), (other(), count, name != FREED)]
    took: list[list[float]] = [[], []]
    for turn in range(WARM_UP + rounds):
        for (step, images, keep), seconds in zip(steps, took, strict=True):
            with keep_freed_memory() if keep else nullcontext():
                step()  # not timed: the allocator has just been switched
                began = time.perf_counter()
                step()
                if turn >= WARM_UP:
                    seconds.append((time.perf_counter() - began) / images)
    here, there = (statistics.median(seconds) for seconds in took)
    print(f"  {name:38s} {1000 * there:7.2f} ms beside {1000 * here:7.2f} ms {there / here:6.2f}", flush=True)


def main() -> None:
    """Print the table, each line from its own process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, choices=[64, 128])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--lead", help="this line only")
    a = parser.parse_args()
    if a.lead:
        compare(a.size, a.rounds, a.lead)
        return
    precision = make_engine("cpu", "auto").precision
    print(
        f"expression stage of proposed, {a.size} px, {precision}, {torch.get_num_threads()} threads: time per image"
    )
    sys.stdout.flush()
    for name in leads(a.size):
        given = ["--size", str(a.size), "--rounds", str(a.rounds), "--lead", name]
        subprocess.run([sys.executable, __file__, *given], check=True)


if __name__ == "__main__":
    main()
