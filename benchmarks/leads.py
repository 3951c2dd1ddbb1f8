"""What each of the things that make a training step fast is worth: the step without it, beside the step as it is.

    python benchmarks/leads.py [--size 64] [--rounds 8] [--compile]

The expression stage of `proposed`, at the paper's width, on the CPU, faces in memory. All steps take turns in this process;
a number is the step's median time over that of the step as it is, so 1.10 says that the lead gains a tenth. The last
lines are not without something but with something else.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext

import torch
from torch import Tensor
from torch.optim import Adam

from omote.methods.method import Batch, Terms
from omote.methods.proposed import Proposed, ProposedOptions
from omote.objectives.adversarial import made_as_made, real_as_real
from omote.training.device import kept_memory, make_fabric
from omote.training.run import to_images
from omote.training.step import begin_stage, remember, take_step

WARM_UP = 2
Step = Callable[[], None]


class LogitsAnew(Proposed):
    """The discriminator reads the made images again in its own phase."""

    def discriminator_terms(self, batch: Batch) -> Terms:
        x, x_made, x_p = self.discriminator(torch.cat([batch.images, batch.scratch["made"]])).chunk(3)
        return {"real": real_as_real(x), "reconstructed": made_as_made(x_made), "prior": made_as_made(x_p)}


class ThreeDecodings(Proposed):
    """One call of the decoder a use."""

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        count = len(z_i) // 3
        parts = zip(z_i.split(count), z_e.split(count), strict=True)
        return torch.cat([super(ThreeDecodings, self).decode(*part) for part in parts])


class IdentityAnew(Proposed):
    """The frozen identity encoder reads the images in every step."""

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
) -> Step:
    """Return the step, without or with one thing."""
    fabric = make_fabric("cpu", precision)  # type: ignore[arg-type]
    method = cls(size, ProposedOptions())
    if channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compiled:
        for network in method.children():
            network.compile()
    stage = method.stages()[1]
    optimisers = begin_stage(method, stage)
    if not fused:
        optimisers = [Adam(each.param_groups[0]["params"], 5e-4) for each in optimisers]
    faces = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8)
    partner, ones = torch.arange(count).roll(1), torch.ones(count)
    known = remember(stage, to_images(faces))

    def step() -> None:
        images = to_images(faces)
        if not channels_last:
            images = images.contiguous()
        take_step(fabric, method, stage, optimisers, Batch(images, images, partner, ones, partner, known))

    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, choices=[64, 128])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument(
        "--compile", action="store_true", help="also torch.compile, which takes a minute first"
    )
    a = parser.parse_args()
    whole = make(a.size)
    # name -> the step, the images it takes, whether freed memory is kept
    steps: dict[str, tuple[Step, int, bool]] = {
        "as it is": (whole, 64, True),
        "float32": (make(a.size, precision="32-true"), 64, True),
        "NCHW": (make(a.size, channels_last=False), 64, True),
        "freed memory given back": (whole, 64, False),
        "identity codes read in every step": (make(a.size, cls=IdentityAnew), 64, True),
        "logits of made images computed twice": (make(a.size, cls=LogitsAnew), 64, True),
        "one call of the decoder a use": (make(a.size, cls=ThreeDecodings), 64, True),
        "Adam not fused": (make(a.size, fused=False), 64, True),
        "batches of 16": (make(a.size, 16), 16, True),
        "batches of 256": (make(a.size, 256), 256, True),
    }
    if a.compile:
        steps["with torch.compile"] = make(a.size, compiled=True), 64, True
    took: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(WARM_UP + a.rounds):
        for name, (step, count, keep) in steps.items():
            with ExitStack() as held:
                held.enter_context(kept_memory() if keep else nullcontext())
                step()  # the memory that the step before left may be of other sizes
                began = time.perf_counter()
                step()
                if turn >= WARM_UP:
                    took[name].append((time.perf_counter() - began) / count)
    median = {name: statistics.median(values) for name, values in took.items()}
    told = make_fabric("cpu", "auto").strategy.precision.precision
    print(
        f"expression stage of proposed, {a.size} px, {told}, {torch.get_num_threads()} threads: time an image"
    )
    for name, value in median.items():
        print(f"  {name:38s} {1000 * value:7.2f} ms  {value / median['as it is']:5.2f}")


if __name__ == "__main__":
    main()
