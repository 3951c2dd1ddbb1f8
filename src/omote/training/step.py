"""One step of a stage: every phase once."""

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Adam, Optimizer

from omote.methods.method import Batch, Method, Stage
from omote.models.encoder import Posterior
from omote.training.processes import sum_gradients


def begin_stage(method: Method, stage: Stage) -> list[Optimizer]:
    """Freeze every module that the stage does not train, and return new optimisers, one a phase.

    Paper: section 5.1, Adam with 0.9, 0.999 and 1e-8. A frozen module is in evaluation mode: the running statistics of
    its BatchNorm do not move.
    """
    method.eval().requires_grad_(False)
    optimisers: list[Optimizer] = []
    for phase in stage.phases:
        for module in phase.trains:
            module.train().requires_grad_(True)
        parameters = [parameter for module in phase.trains for parameter in module.parameters()]
        fused = parameters[0].device.type != "mps"
        optimisers.append(Adam(parameters, phase.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=fused))
    return optimisers


def remember(stage: Stage, images: Tensor) -> dict[str, Posterior]:
    """Return what the stage's frozen modules say of (B, 3, S, S) images, for `Batch.remembered`."""
    with torch.no_grad():
        return {name: read(images) for name, read in stage.remembers.items()}


def take_step(fabric: Fabric, stage: Stage, optimisers: list[Optimizer], batch: Batch) -> dict[str, Tensor]:
    """Take one step of every phase, and return the mean of each term over the batch, as "phase/term"."""
    means: dict[str, Tensor] = {}
    for phase, optimiser in zip(stage.phases, optimisers, strict=True):
        parameters = [parameter for module in phase.trains for parameter in module.parameters()]
        optimiser.zero_grad()
        with fabric.autocast():
            terms = phase.terms(batch)
        total = torch.stack(list(terms.values())).sum(0).mean()
        fabric.backward(
            total, inputs=parameters
        )  # other modules' gradients are neither computed nor added to
        sum_gradients(parameters)
        optimiser.step()
        means |= {f"{phase.name}/{name}": term.detach().mean() for name, term in terms.items()}
    return means
