"""Speed of one expression-stage step of `proposed`, beside the same step in plain PyTorch, in one run.

    python benchmarks/training.py [--size 64] [--batch 64] [--rounds 10]

The reference has the same networks and computes Eqs. 2 to 5 as one would write them down: float32, NCHW, one network
call per use, the standard Adam. Both run on the CPU; they are timed in turn, and the ratio is that of the medians.
Before that, both compute their terms from the same weights and the same noise in float32 with frozen BatchNorm, and
must agree.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from omote.methods.method import Batch
from omote.methods.proposed import Proposed, ProposedOptions
from omote.training.device import make_fabric
from omote.training.run import to_images
from omote.training.step import begin_stage, take_step


def plain_generator_terms(
    m: Proposed, x: Tensor, partner: Tensor
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Return the terms of Eq. 5, and the images x' and x_p."""
    with torch.no_grad():
        z_i = m.identity_encoder(x).mean
    mu, logvar = m.expression_encoder(x)
    z_e = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    prior = torch.randn_like(z_i), torch.randn_like(z_e)
    x_made = m.decoder(torch.cat([z_i, z_e], 1))
    x_p = m.decoder(torch.cat(prior, 1))
    z_ed = z_e[partner]
    swapped = m.decoder(torch.cat([z_i, z_ed], 1))
    kl = -0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp(), 1)
    terms = {
        "kl": 0.01 * kl,
        "reconstruction": 1e5 * F.mse_loss(x_made, x, reduction="none").mean((1, 2, 3)),
        "adversarial": F.softplus(-m.discriminator(x_made)) + F.softplus(-m.discriminator(x_p)),
        "switch_identity": 10 * F.mse_loss(m.identity_encoder(swapped).mean, z_i, reduction="none").mean(1),
        "switch_expression": 10
        * F.mse_loss(m.expression_encoder(swapped).mean, z_ed.detach(), reduction="none").mean(1),
    }
    return terms, x_made.detach(), x_p.detach()


def plain_step(m: Proposed) -> Callable[[Tensor, Tensor], None]:
    """Return the reference: a function that takes one step."""
    m.eval()
    m.identity_encoder.requires_grad_(False)
    made_by = [m.expression_encoder.train(), m.decoder.train()]
    generator = torch.optim.Adam([p for module in made_by for p in module.parameters()], 5e-4)
    discriminator = torch.optim.Adam(m.discriminator.parameters(), 5e-4)

    def step(faces: Tensor, partner: Tensor) -> None:
        x = (faces.permute(0, 3, 1, 2).float() / 255).contiguous()
        generator.zero_grad()
        m.discriminator.requires_grad_(False)
        terms, x_made, x_p = plain_generator_terms(m, x, partner)
        sum(term.mean() for term in terms.values()).backward()  # type: ignore[union-attr]
        generator.step()
        discriminator.zero_grad()
        m.discriminator.requires_grad_(True)
        real, made = F.softplus(-m.discriminator(x)), F.softplus(m.discriminator(x_made))
        (real + made + F.softplus(m.discriminator(x_p))).mean().backward()
        discriminator.step()

    return step


def fast_step(m: Proposed) -> Callable[[Tensor, Tensor], None]:
    """Return the product's step, as the loop takes it."""
    fabric = make_fabric("cpu", "auto")
    m.to(device=fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stage = m.stages()[1]
    optimisers = begin_stage(m, stage)

    def step(faces: Tensor, partner: Tensor) -> None:
        x = to_images(faces)
        take_step(fabric, m, stage, optimisers, Batch(x, x, partner, torch.ones(len(x)), partner))

    return step


def check_agreement(size: int, faces: Tensor, partner: Tensor) -> float:
    """Return the largest relative difference between the terms of the two, in float32 and evaluation mode."""
    torch.manual_seed(0)
    m = Proposed(size, ProposedOptions()).eval()
    x = to_images(faces)
    torch.manual_seed(1)
    plain, _, _ = plain_generator_terms(m, x, partner)
    torch.manual_seed(1)
    ours = m.expression_terms(Batch(x, x, partner, torch.ones(len(x)), partner))
    return max(
        float(((ours[name] - plain[name]).abs() / plain[name].abs().clamp(min=1e-6)).max()) for name in plain
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, choices=[64, 128])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    size, batch = arguments.size, arguments.batch

    faces = torch.as_tensor(np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8))
    partner = torch.arange(batch).roll(1)
    with torch.no_grad():
        print(f"terms of the two differ by at most {check_agreement(size, faces, partner):.1e} of themselves")
    steps = {
        "plain": plain_step(Proposed(size, ProposedOptions())),
        "omote": fast_step(Proposed(size, ProposedOptions())),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(arguments.rounds + 2):
        for name, step in steps.items():
            begin = time.perf_counter()
            step(faces, partner)
            if turn >= 2:  # the first steps choose kernels and allocate
                seconds[name].append(time.perf_counter() - begin)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"expression stage of proposed, {size} px, batch {batch}, {torch.get_num_threads()} threads, "
          f"{make_fabric('cpu', 'auto').strategy.precision.precision}")  # fmt: skip
    for name, value in median.items():
        print(f"  {name:6s} {1e3 * value:7.0f} ms a step  {batch / value:7.1f} images/s")
    print(f"  ratio  {median['plain'] / median['omote']:.2f}")


if __name__ == "__main__":
    main()
