"""The encoder (Table 1 of the paper), used for identity and for expression."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from omote.models.blocks import Activation, Normalisation, block, initialise

IMAGE_SIZES = (64, 128)


class Posterior(NamedTuple):
    """A diagonal Gaussian q(z|x) per image: (B, Z) mean and (B, Z) log of the variance."""

    mean: Tensor
    logvar: Tensor


def trunk(image_size: int, width: int, activation: Activation, normalisation: Normalisation) -> nn.Sequential:
    """Return the layers of Table 1 from conv1_1 to the average pooling: (B, 3, S, S) -> (B, 8 x width).

    Args:
        image_size: S, 64 or 128; 128 adds conv5_1 and conv5_2.
        width: channels of the first block, 32 in the paper.
        activation: see `omote.models.blocks`.
        normalisation: see `omote.models.blocks`.
    Raises:
        ValueError: If ``image_size`` is neither 64 nor 128.
    """
    if image_size not in IMAGE_SIZES:
        raise ValueError(f"image size {image_size} was given; the networks of the paper take 64 or 128")
    channels = [width, 2 * width, 4 * width, 8 * width] + ([8 * width] if image_size == 128 else [])
    layers: list[nn.Module] = []
    for before, after in zip([3, *channels], channels, strict=False):
        bias = normalisation == "none"  # BatchNorm has its own bias
        layers += block(nn.Conv2d(before, after, 3, 2, 1, bias=bias), after, activation, normalisation)
        layers += block(nn.Conv2d(after, after, 3, 1, 1, bias=bias), after, activation, normalisation)
    return nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten())


class Encoder(nn.Module):
    """q(z|x): images (B, 3, S, S) in [0, 1] -> `Posterior` of (B, ``latent_size``) mean and log variance.

    Paper: Table 1. "fc_sigma" is read as the log variance.

    Args:
        condition_size: numbers in the condition (B, ``condition_size``) given with the images, the subject of a C-VAE.
            A linear map of it is added to the output of conv1_1. Away from the border this equals constant input
            channels with these values, and costs much less.
        point: return the code as a point, with a log variance of -inf.
    """

    def __init__(
        self,
        image_size: int = 64,
        *,
        latent_size: int = 64,
        width: int = 32,
        activation: Activation = "leaky_relu",
        normalisation: Normalisation = "batch",
        condition_size: int = 0,
        point: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = trunk(image_size, width, activation, normalisation)
        self.condition = nn.Linear(condition_size, width, bias=False) if condition_size else None
        self.fc_mu = nn.Linear(8 * width, latent_size)
        self.fc_sigma = None if point else nn.Linear(8 * width, latent_size)
        initialise(self, activation)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Posterior:
        features = self.trunk[0](images)
        if self.condition is not None:
            features = features + self.condition(condition)[:, :, None, None]
        features = self.trunk[1:](features)
        mean = self.fc_mu(features).float()
        if self.fc_sigma is None:
            return Posterior(mean, torch.full_like(mean, -torch.inf))
        return Posterior(mean, self.fc_sigma(features).float())
