"""A training step in one process and in two: seconds, and the bytes exchanged between the two.

    python benchmarks/processes.py [--size 64] [--batch 64] [--steps 6]

The expression stage of `proposed`, float32, one thread per process, so two processes use twice the cores. The bytes are
those of the inputs of all_reduce and of the outputs of all_gather. In a ring of W processes, each sends 2 (W - 1) / W
of the former and (W - 1) / W of the latter.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from omote.methods.method import Batch
from omote.methods.proposed import Proposed, ProposedOptions
from omote.training.fabric import keep_freed_memory, make_fabric
from omote.training.processes import num_processes, shard_batches
from omote.training.step import begin_stage, encode_frozen, take_step

WARM_UP = 2


def count_bytes(calls: dict[str, list[int]]) -> None:
    """Record the bytes of each later call of torch.distributed."""
    all_reduce, all_gather = dist.all_reduce, dist.all_gather

    def reduce(tensor: torch.Tensor, *more: Any, **named: Any) -> Any:
        calls["all_reduce"].append(tensor.nbytes)
        return all_reduce(tensor, *more, **named)

    def gather(parts: list[torch.Tensor], *more: Any, **named: Any) -> Any:
        calls["all_gather"].append(sum(part.nbytes for part in parts))
        return all_gather(parts, *more, **named)

    setattr(dist, "all_reduce", reduce)  # noqa: B010 - mypy takes no other function for it
    setattr(dist, "all_gather", gather)  # noqa: B010


def child(size: int, count: int, steps: int) -> None:
    """Take steps in this process, and print times and bytes if it is the first one."""
    fabric = make_fabric("cpu", "32-true")
    method = Proposed(size, ProposedOptions())
    method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    shard_batches(method)
    stage = method.stages()[1]
    optimisers = begin_stage(method, stage)
    images = torch.rand(count, 3, size, size).to(memory_format=torch.channels_last)
    batch = Batch(images, images, torch.arange(count).roll(1), torch.ones(count), torch.zeros(count).long())
    batch.cached_posteriors = encode_frozen(stage, images)
    calls: dict[str, list[int]] = {"all_reduce": [], "all_gather": []}
    took = []
    with keep_freed_memory():
        for step in range(WARM_UP + steps):
            if step == WARM_UP + steps - 1 and num_processes() > 1:
                count_bytes(calls)
            began = time.perf_counter()
            take_step(fabric, stage, optimisers, batch)
            took.append(time.perf_counter() - began)
    if fabric.is_global_zero:
        found = {name: [len(sizes), sum(sizes)] for name, sizes in calls.items()}
        print(json.dumps({"seconds": sorted(took[WARM_UP:])[steps // 2], **found}))


def measure(processes: int, *arguments: str) -> dict[str, Any]:
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [
        sys.executable,
        *(several if processes > 1 else []),
        str(Path(__file__)),
        *arguments,
        "--child",
    ]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return dict(json.loads(line))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, choices=[64, 128])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        child(a.size, a.batch, a.steps)
        return
    given = ("--size", str(a.size), "--batch", str(a.batch), "--steps", str(a.steps))
    turns = [(measure(1, *given), measure(2, *given)) for _ in range(3)]
    one, two = (min(turn[side]["seconds"] for turn in turns) for side in (0, 1))
    print(
        f"expression stage of proposed, {a.size} px, batch {a.batch}, float32, one thread per process, best of 3"
    )
    print(f"  one process {a.batch / one:6.1f} images/s, two {a.batch / two:6.1f}: {one / two:.2f} times")
    for name in ("all_reduce", "all_gather"):
        calls, size = turns[0][1][name]
        print(f"  {name}: {calls} calls, {size / 1e6:.2f} MB per step")


if __name__ == "__main__":
    main()
