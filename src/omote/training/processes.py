"""One training in several processes (torchrun), by torch's own means: each computes its own part of every batch.

A process draws the noise and the partners (Eq. 4) of its part, and compares the frames in it. DistributedDataParallel
averages the gradients over the processes. BatchNorm computes its statistics over all processes on a GPU
(nn.SyncBatchNorm), and over the process's own part on a CPU, for which torch has no such layer (as of 2.13). The
running statistics, which frozen networks use, are those of the first process. None of this runs in a single process.
"""

from dataclasses import replace

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from omote.methods.method import Batch, Phase, Stage, Terms
from omote.training.engine import Engine


def synchronise_batchnorm(method: nn.Module, engine: Engine) -> None:
    """Make the BatchNorm layers of a method compute their statistics over all processes, on a GPU."""
    if engine.num_processes > 1 and engine.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(method)


def share_buffers(method: nn.Module, engine: Engine) -> None:
    """Give all processes the running statistics of the first one, which is the one that saves them."""
    if engine.num_processes > 1:
        for buffer in method.buffers():
            dist.broadcast(buffer, 0)


def average_gradients(stage: Stage, engine: Engine) -> Stage:
    """Return the stage with phases whose backward pass averages the gradients over all processes.

    The parameters that a phase trains have to be set to require gradients (`omote.training.step.begin_stage`).
    """
    if engine.num_processes == 1:
        return stage
    phases = []
    for phase in stage.phases:
        # static: a phase uses the same parameters in every step, and may leave some unused
        terms = DistributedDataParallel(_TermsModule(phase), static_graph=True)
        phases.append(replace(phase, terms=terms))
    return replace(stage, phases=tuple(phases))


class _TermsModule(nn.Module):
    """The terms of a phase as a module whose parameters are those that the phase trains.

    It has no buffers, which DistributedDataParallel would send in every step.
    """

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.trained = nn.ParameterList(p for module in phase.trains for p in module.parameters())
        self.terms = phase.terms

    def forward(self, batch: Batch) -> Terms:
        return self.terms(batch)


def any_process(flag: bool, engine: Engine) -> bool:
    """Return whether the flag is set in any process; the result is the same in all."""
    if engine.num_processes == 1:
        return flag
    count = torch.tensor(float(flag), device=engine.device)
    dist.all_reduce(count)
    return bool(count)


def mean_over_processes(values: Tensor, engine: Engine) -> Tensor:
    """Return the mean of a tensor over all processes."""
    if engine.num_processes == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / engine.num_processes


def wait_for_all(engine: Engine) -> None:
    """Return when all processes have come here."""
    if engine.num_processes > 1:
        dist.barrier()
