"""The adversarial loss L_gan (Eq. 3) from the logits of D, and a penalty that keeps D from being certain.

log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit).
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

GeneratorLoss = Literal["non_saturating", "minimax"]


def discriminator_loss_on_real(logits: Tensor) -> Tensor:
    """Return -log D(x) for each real image x (Eq. 3, first term).

    Args:
        logits: (B,) output of D before its sigmoid.
    Returns:
        (B,) non-negative; log 2 at logit 0.
    """
    return F.softplus(-logits)


def discriminator_loss_on_fake(logits: Tensor) -> Tensor:
    """Return -log(1 - D(x')) for each fake image x' (Eq. 3, second and third term).

    Args:
        logits: (B,) output of D before its sigmoid.
    Returns:
        (B,) non-negative; log 2 at logit 0.
    """
    return F.softplus(logits)


def generator_loss_on_fake(logits: Tensor, loss: GeneratorLoss = "non_saturating") -> Tensor:
    """Return the generator's loss for each fake image x' (Eq. 3, minimum over G).

    Args:
        logits: (B,) output of D before its sigmoid.
        loss: "non_saturating" for -log D(x'); "minimax" for log(1 - D(x')) as printed, whose gradient vanishes where
            D is certain that x' is fake.
    Returns:
        (B,).
    """
    return F.softplus(-logits) if loss == "non_saturating" else -F.softplus(logits)


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Return half the squared gradient of D at each real image: R1 of Mescheder et al. (2018), Eq. 8.

    Args:
        logits: (B,) D(x) before its sigmoid.
        images: (B, 3, S, S) x; they require a gradient, and D was computed from them.
    Returns:
        (B,) non-negative, with a gradient of its own.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)) / 2
