"""The adversarial loss (Eq. 3), from the logits of D.

log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit).
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

GeneratorLoss = Literal["non_saturating", "minimax"]


def real_as_real(logits: Tensor) -> Tensor:
    """Return -log D(x) per image: what the discriminator pays for a real image (Eq. 3, first term).

    Args:
        logits: (B,) output of D before its sigmoid.
    Returns:
        (B,) non-negative; log 2 at logit 0.
    """
    return F.softplus(-logits)


def made_as_made(logits: Tensor) -> Tensor:
    """Return -log(1 - D(x')) per image: what the discriminator pays for a made image (Eq. 3, second and third term).

    Args:
        logits: (B,) output of D before its sigmoid.
    Returns:
        (B,) non-negative; log 2 at logit 0.
    """
    return F.softplus(logits)


def made_as_real(logits: Tensor, loss: GeneratorLoss = "non_saturating") -> Tensor:
    """Return what the generator pays for a made image (Eq. 3, min over G).

    Args:
        logits: (B,) output of D before its sigmoid.
        loss: "non_saturating" -log D(x'), the default reading; "minimax" log(1 - D(x')) as printed, whose gradient
            vanishes where D is sure.
    Returns:
        (B,).
    """
    return F.softplus(-logits) if loss == "non_saturating" else -F.softplus(logits)
