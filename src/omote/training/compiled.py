"""Networks compiled by torch.compile: on a GPU a pass of a network is one CUDA graph instead of dozens of kernels.

Only the networks are compiled, and only in the steps of a training: the noise and the terms around them are the same
as without, so a step differs by rounding only (`benchmarks/gpu.py` measures by how much).
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.optim import Optimizer

from omote.errors import OmoteError
from omote.training.engine import Engine

BACKEND = "inductor"
MODE = "reduce-overhead"  # records CUDA graphs; on a CPU it is the default mode
MOST_VERSIONS = (
    64  # of a network: for two sizes of batches, in each stage, with and without gradients of its input
)


def compile_networks(method: nn.Module, engine: Engine) -> None:
    """Compile the networks of a method when a step first calls them, if the engine compiles.

    A network is compiled for each number of images; an epoch has two (`omote.data.sampling.epoch_batches`). What
    torch.compile cannot translate as a whole is an error, and never runs uncompiled in silence. Containers of torch
    alone, such as a classifier of codes, are a handful of kernels and stay as they are.

    Raises:
        OmoteError: If there are several processes, or nothing can be compiled here.
    """
    if not engine.compiled:
        return
    if engine.num_processes > 1:
        raise OmoteError(
            "compile is true, which is for one process only; set compile=false, or start without torchrun"
        )
    torch.compiler.reset()  # forget the networks of an earlier training
    torch._dynamo.config.recompile_limit = MOST_VERSIONS
    try:
        torch.compile(lambda x: x + 1, backend=BACKEND, mode=MODE)(torch.zeros(2, device=engine.device))
    except RuntimeError as error:
        reason = " ".join(
            str(error).strip().partition("\n\n")[0].split()
        )  # without torch's advice to developers
        raise OmoteError(
            f"compile is true, and torch.compile does not work on {engine.device.type} here ({reason}). It needs "
            "Triton on a GPU, and a C++ compiler on a CPU; install it, or set compile=false"
        ) from error
    for network in method.children():
        if not isinstance(network, nn.Sequential):
            network.compile(backend=BACKEND, mode=MODE, fullgraph=True, dynamic=False)


def begin_compiled_step(engine: Engine, optimisers: list[Optimizer]) -> None:
    """Let the CUDA graphs of a new step reuse the memory of the last one, if the engine compiles."""
    if engine.compiled:
        for optimiser in optimisers:
            optimiser.zero_grad()  # gradients lie in that memory
        torch.compiler.cudagraph_mark_step_begin()


def uncompiled(engine: Engine) -> AbstractContextManager[object]:
    """Return a context in which networks run uncompiled: outside the steps, with other numbers of images."""
    return torch.compiler.set_stance("force_eager") if engine.compiled else nullcontext()
