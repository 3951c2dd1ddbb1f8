"""One training step of a stage: each phase once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from omote.methods.method import Batch, Method, Stage
from omote.models.encoder import Posterior
from omote.training.compiled import begin_compiled_step
from omote.training.engine import Engine

KEPT = 0.998  # of a moving average of weights, in a step


def begin_stage(method: Method, stage: Stage) -> list[Optimizer]:
    """Freeze all modules that the stage does not train, and return a new optimiser for each phase.

    Paper: section 5.1, Adam with 1e-8, and with 0.9 and 0.999 unless the phase says otherwise. Frozen modules are in
    evaluation mode, so the running statistics of their BatchNorm do not change.
    """
    method.eval().requires_grad_(False)
    optimisers: list[Optimizer] = []
    for phase in stage.phases:
        for module in phase.trains:
            module.train().requires_grad_(True)
        parameters = [parameter for module in phase.trains for parameter in module.parameters()]
        fused = parameters[0].device.type != "mps"
        optimisers.append(Adam(parameters, phase.learning_rate, betas=phase.betas, eps=1e-8, fused=fused))
    return optimisers


def encode_frozen(stage: Stage, images: Tensor) -> dict[str, Posterior]:
    """Return the posteriors of (B, 3, S, S) images by the stage's frozen encoders, for `Batch.cached_posteriors`."""
    with torch.no_grad():
        return {name: encode(images) for name, encode in stage.frozen_encoders.items()}


def subject_means(codes: Tensor, subjects: Tensor) -> Tensor:
    """Return the mean of each subject's codes, (S, Z), of (N, Z) codes and the (N,) numbers of their subjects."""
    counts = subjects.bincount().clamp(min=1)  # a number without frames has zeros
    sums = codes.new_zeros(len(counts), codes.shape[1]).index_add_(0, subjects, codes)
    return sums / counts[:, None]


@torch.no_grad()
def follow(average: nn.Module, parameters: Sequence[Tensor], step: Tensor) -> None:
    """Move the parameters of a module towards those that a phase trains, after its step number ``step``, from 1.

    The average is over about the last tenth of the steps, and over at most about 1 / (1 - `KEPT`) of them, so that the
    first ones are soon forgotten.
    """
    step = step.to(parameters[0].device)  # Adam keeps it on the CPU where it is not fused
    kept = ((step - 1) / (step + 9)).clamp(max=KEPT)
    for mean, parameter in zip(average.parameters(), parameters, strict=True):
        mean.lerp_(parameter, 1 - kept)


def take_step(engine: Engine, stage: Stage, optimisers: list[Optimizer], batch: Batch) -> dict[str, Tensor]:
    """Run one optimiser step of each phase, and return the batch mean of each term, as "phase/term"."""
    means: dict[str, Tensor] = {}
    begin_compiled_step(engine, optimisers)
    for phase, optimiser in zip(stage.phases, optimisers, strict=True):
        parameters = [parameter for module in phase.trains for parameter in module.parameters()]
        optimiser.zero_grad()
        with engine.autocast():
            terms = phase.terms(batch)
        total = torch.stack(list(terms.values())).sum(0).mean()
        total.backward(inputs=parameters)  # computes no gradients of other modules
        optimiser.step()
        if phase.average is not None:
            follow(phase.average, parameters, optimiser.state[parameters[0]]["step"])
        means |= {f"{phase.name}/{name}": term.detach().mean() for name, term in terms.items()}
    return means
