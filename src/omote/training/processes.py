"""One training in several processes (torchrun): each runs the networks on its shard of every batch.

Every process has the whole batch in its phases: the same noise, partners (Eq. 4) and frames to compare. Only inside the
modules of a method is the batch sharded: each module takes its process's rows, and its outputs are gathered. The
backward pass does the opposite (operator pairs as in Shoeybi et al. 2019, "Megatron-LM", section 3), and the gradients
of the weights are summed. BatchNorm computes its statistics over all shards. The weights are therefore those
of a single process up to rounding. None of this runs in a single process.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function


def num_processes() -> int:
    """Return the number of processes that train together, 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def shard_batches(method: nn.Module) -> None:
    """Make each module of a method compute on its process's shard of the batch and return the outputs of all shards.

    The batch has to be the first dimension of all its arguments. Does nothing in a single process.
    """
    if num_processes() == 1:
        return
    for network in method.children():
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(parent, name, ShardedBatchNorm.convert(child))
        counts: list[int] = []  # number of rows in the current call
        network.register_forward_pre_hook(lambda _, inputs, counts=counts: _shard_inputs(inputs, counts))
        network.register_forward_hook(
            lambda _, __, output, counts=counts: _gather_output(output, counts.pop())
        )


def all_reduce_gradients(parameters: list[nn.Parameter]) -> None:
    """Sum the gradients over processes; each has those of its shard. Does nothing in a single process."""
    if num_processes() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(total.view(gradient.shape))


def any_process(flag: bool, device: torch.device) -> bool:
    """Return whether the flag is set in any process; the result is the same in all."""
    if num_processes() == 1:
        return flag
    count = torch.tensor(float(flag), device=device)
    dist.all_reduce(count)
    return bool(count)


class ShardedBatchNorm(nn.BatchNorm2d):
    """BatchNorm of (B, C, H, W) over the shards of all processes; unlike nn.SyncBatchNorm it works on a CPU."""

    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor
    momentum: float

    @classmethod
    def convert(cls, norm: nn.BatchNorm2d) -> "ShardedBatchNorm":
        """Return a layer that shares the parameters and buffers of ``norm``."""
        sharded = cls(norm.num_features, norm.eps, norm.momentum)
        sharded._parameters, sharded._buffers, sharded.training = (
            norm._parameters,
            norm._buffers,
            norm.training,
        )
        return sharded

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.float()
        count = torch.tensor(float(x.numel() // x.shape[1]), device=x.device)
        dist.all_reduce(count)
        mean = _all_reduce(wide.sum((0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = _all_reduce(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normal.to(x.dtype)


class _Scatter(Function):
    """Forward: this process's rows of a tensor that all processes have. Backward: the gathered gradients."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor) -> Tensor:
        ctx.count = len(whole)
        return whole[_own_rows(len(whole))]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _gather_rows(gradients[0], ctx.count)


class _Gather(Function):
    """Forward: the rows of all processes. Backward: the gradient of this process's rows."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, count: int) -> Tensor:
        return _gather_rows(own, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][_own_rows(len(gradients[0]))], None


class _AllReduce(Function):
    """Forward: the sum over processes. Backward: the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


_scatter: Callable[[Tensor], Tensor] = _Scatter.apply
_gather: Callable[[Tensor, int], Tensor] = _Gather.apply
_all_reduce: Callable[[Tensor], Tensor] = _AllReduce.apply


def _shard_inputs(inputs: tuple[Tensor, ...], counts: list[int]) -> tuple[Tensor, ...]:
    counts.append(len(inputs[0]))
    return tuple(_scatter(whole) for whole in inputs)


def _gather_output(output: Any, count: int) -> Any:
    if isinstance(output, Tensor):
        return _gather(output, count)
    return type(output)(*(_gather(own, count) for own in output))  # a Posterior


def _own_rows(count: int) -> slice:
    """Return this process's rows; shards differ by at most one row, the first ones are larger."""
    rank, each, more = dist.get_rank(), *divmod(count, dist.get_world_size())
    start = rank * each + min(rank, more)
    return slice(start, start + each + (rank < more))


def _gather_rows(own: Tensor, count: int) -> Tensor:
    most = -(-count // dist.get_world_size())
    padded = own.new_zeros(most, *own.shape[1:])  # all_gather needs equal shapes
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, padded)
    each, more = divmod(count, len(parts))
    return torch.cat([part[: each + (rank < more)] for rank, part in enumerate(parts)])
