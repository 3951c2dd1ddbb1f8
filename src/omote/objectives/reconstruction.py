"""-log p(x|z) up to a constant: how far a made image is from its target (Eqs. 1 and 2, second term)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def mean_squared_error(made: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of each image, averaged over all its numbers: a Gaussian p(x|z) of fixed variance.

    Paper: Eqs. 1 and 2, second term.

    Args:
        made: (B, ...) images or codes.
        target: the same shape.
    Returns:
        (B,) non-negative.
    Raises:
        ValueError: If the shapes differ.
    """
    _same_shape(made, target)
    return (made - target).square().flatten(1).mean(1)


def binary_cross_entropy(made: Tensor, target: Tensor) -> Tensor:
    """Return the cross entropy of each image, averaged over all its numbers: a Bernoulli p(x|z), in nats.

    Paper: Eqs. 1 and 2, second term, in its other reading (PAPER.md, "Pixels, output, likelihood").

    Args:
        made: (B, ...) in [0, 1].
        target: the same shape, in [0, 1].
    Returns:
        (B,) non-negative; least, but not 0, where ``made`` equals ``target``.
    Raises:
        ValueError: If the shapes differ.
    """
    _same_shape(made, target)
    with torch.autocast(made.device.type, enabled=False):  # the logarithm needs float32
        return F.binary_cross_entropy(made.float(), target.float(), reduction="none").flatten(1).mean(1)


def _same_shape(made: Tensor, target: Tensor) -> None:
    if made.shape != target.shape:
        raise ValueError(
            f"shapes {tuple(made.shape)} and {tuple(target.shape)} were given; they must be the same"
        )
