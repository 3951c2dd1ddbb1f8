"""The KL divergence of a posterior from the prior (Eqs. 1 and 2, first term)."""

from torch import Tensor


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(q(z|x) || N(0, I)) per image, in nats.

    Paper: Eqs. 1 and 2, first term. Closed form for a diagonal Gaussian q, summed over the code.

    Args:
        mean: (B, Z) posterior mean.
        logvar: (B, Z) log of the posterior variance (not of the deviation).
    Returns:
        (B,) non-negative; not averaged over the batch.
    Raises:
        ValueError: If the shapes differ.
    """
    if mean.shape != logvar.shape:
        raise ValueError(
            f"shapes {tuple(mean.shape)} and {tuple(logvar.shape)} were given; they must be the same"
        )
    mu, s = mean, logvar  # mu, log sigma^2
    return 0.5 * (mu.square() + s.exp() - 1 - s).sum(1)
