"""Several processes, one training (torchrun): each runs the networks on a share of the batch, and all else is the same.

What a phase sees is the whole batch, in every process: the noise, the partner of Eq. 4, the frames that are compared.
Only inside a network are there shares: each of a method's modules takes its share of the rows, and what it makes is
gathered. Backwards it is the other way round (Shoeybi et al. 2019, "Megatron-LM", section 3, has such pairs), and
gradients of weights are summed. BatchNorm takes its statistics over all shares. So the weights are those of one
process, but for rounding. A process alone goes through none of this.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function


def num_processes() -> int:
    """Return how many processes train together: 1, or as many as torchrun started and `share_networks` joined."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share_networks(method: nn.Module) -> None:
    """Make every module of a method read its share of what it is given, and return the whole; nothing in one process.

    Whatever such a module is given must have the batch in its first dimension, in all its arguments.
    """
    if num_processes() == 1:
        return
    for network in method.children():
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(parent, name, SharedBatchNorm.of(child))
        counts: list[int] = []  # rows of the call that is under way
        network.register_forward_pre_hook(lambda _, given, counts=counts: _shares(given, counts))
        network.register_forward_hook(lambda _, given, made, counts=counts: _wholes(made, counts.pop()))


def sum_gradients(parameters: list[nn.Parameter]) -> None:
    """Add up the gradients of all processes, where there are several: each has what its share of the rows gave."""
    if num_processes() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    whole = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(whole)
    for gradient, total in zip(gradients, whole.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(total.view(gradient.shape))


def any_process(says: bool, device: torch.device) -> bool:
    """Return whether it is so in any process, the same in all of them."""
    if num_processes() == 1:
        return says
    votes = torch.tensor(float(says), device=device)
    dist.all_reduce(votes)
    return bool(votes)


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm of (B, C, H, W) whose batch lies in shares in several processes; nn.SyncBatchNorm would need a GPU."""

    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor
    momentum: float

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> "SharedBatchNorm":
        """Return one with the parameters and buffers of ``norm``, the same objects."""
        shared = cls(norm.num_features, norm.eps, norm.momentum)
        shared._parameters, shared._buffers, shared.training = norm._parameters, norm._buffers, norm.training
        return shared

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.float()
        count = torch.tensor(float(x.numel() // x.shape[1]), device=x.device)
        dist.all_reduce(count)
        mean = _sum(wide.sum((0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = _sum(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            for running, now in (
                (self.running_mean, mean),
                (self.running_var, variance * count / (count - 1)),
            ):
                running.lerp_(now, self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normal.to(x.dtype)


class _Share(Function):
    """Own rows of a tensor that all processes have; backwards, the gradient of all rows."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor) -> Tensor:
        ctx.count = len(whole)
        return whole[_own(len(whole))]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _gather(gradients[0], ctx.count)


class _Whole(Function):
    """All rows, of which each process has its own; backwards, the gradient of the own rows."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, count: int) -> Tensor:
        return _gather(own, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][_own(len(gradients[0]))], None


class _Sum(Function):
    """The sum over processes, of which each uses its copy for other rows; backwards, the sum of their gradients."""

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


_share: Callable[[Tensor], Tensor] = _Share.apply
_whole: Callable[[Tensor, int], Tensor] = _Whole.apply
_sum: Callable[[Tensor], Tensor] = _Sum.apply


def _shares(given: tuple[Tensor, ...], counts: list[int]) -> tuple[Tensor, ...]:
    counts.append(len(given[0]))
    return tuple(_share(whole) for whole in given)


def _wholes(made: Any, count: int) -> Any:
    if isinstance(made, Tensor):
        return _whole(made, count)
    return type(made)(*(_whole(own, count) for own in made))  # a Posterior


def _own(count: int) -> slice:
    """Return the rows of this process: they are shared out as evenly as can be, the first ones having more."""
    rank, each, more = dist.get_rank(), *divmod(count, dist.get_world_size())
    start = rank * each + min(rank, more)
    return slice(start, start + each + (rank < more))


def _gather(own: Tensor, count: int) -> Tensor:
    most = -(-count // dist.get_world_size())
    padded = own.new_zeros(most, *own.shape[1:])  # all processes send as much
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, padded)
    each, more = divmod(count, len(parts))
    return torch.cat([part[: each + (rank < more)] for rank, part in enumerate(parts)])
