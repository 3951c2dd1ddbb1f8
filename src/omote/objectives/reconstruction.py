"""-log p(x|z) up to a constant: the reconstruction error of an image (Eqs. 1 and 2, second term)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of each image over its values: a Gaussian p(x|z) with fixed variance.

    Paper: Eqs. 1 and 2, second term.

    Args:
        output: (B, ...) images or codes.
        target: the same shape.
    Returns:
        (B,) non-negative.
    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(output, target)
    return (output - target).square().flatten(1).mean(1)


def binary_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross entropy of each image over its values, in nats: a Bernoulli p(x|z).

    Paper: Eqs. 1 and 2, second term, in its other reading (docs/paper_map.md).

    Args:
        output: (B, ...) in [0, 1].
        target: the same shape, in [0, 1].
    Returns:
        (B,) non-negative; minimal, but not 0, where ``output`` equals ``target``.
    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(output, target)
    with torch.autocast(output.device.type, enabled=False):  # logarithms need float32
        return F.binary_cross_entropy(output.float(), target.float(), reduction="none").flatten(1).mean(1)


def _check_shapes(output: Tensor, target: Tensor) -> None:
    if output.shape != target.shape:
        raise ValueError(
            f"shapes {tuple(output.shape)} and {tuple(target.shape)} were given; they must be the same"
        )
