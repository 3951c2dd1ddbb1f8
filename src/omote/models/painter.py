"""A network that makes the images of a decoder sharp. Not in the paper.

Residual blocks, whose maps are normalised, and scaled and shifted by numbers computed from the codes (after adaptive
instance normalisation, Huang & Belongie, 2017, over groups of channels). Maps are enlarged by repeating pixels, since
transposed convolutions leave a grid (Odena et al., 2016, "Deconvolution and Checkerboard Artifacts").
"""

from itertools import pairwise
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omote.models.blocks import Activation, activation_layer, initialise

GROUP = 8  # channels that are normalised together, if their number is a multiple of it
STYLE_SPREAD = 0.5  # deviation of scales and shifts at the start, for codes of the prior
LEAST = 0.005  # coarse images are kept this far from 0 and 1, where the logit is infinite


class Painter(nn.Module):
    """Codes (B, ``latent_size``), coarse images (B, 3, S, S) in [0, 1] -> images (B, 3, S, S) in [0, 1], float32.

    It adds to the logits of the coarse image, and nothing before its training. The maps have the sizes of
    Table 2 and at most half its channels.
    """

    def __init__(
        self,
        image_size: int = 64,
        *,
        latent_size: int = 128,
        width: int = 32,
        activation: Activation = "leaky_relu",
    ) -> None:
        super().__init__()
        channels = [4 * width, 4 * width, 4 * width, 2 * width, width, width // 2]
        channels += [width // 4] if image_size == 128 else []
        self.start_channels = channels[0]
        self.fc = nn.Linear(latent_size, self.start_channels * 16)
        self.style = nn.Sequential(
            nn.Linear(latent_size, latent_size),
            activation_layer(activation),
            nn.Linear(latent_size, latent_size),
            activation_layer(activation),
        )
        self.blocks = nn.ModuleList(
            _Block(before, after, latent_size, activation, enlarge=number > 0)
            for number, (before, after) in enumerate(pairwise(channels))
        )
        self.activation = activation_layer(activation)
        self.last = nn.Conv2d(channels[-1], 3, 3, 1, 1)
        initialise(self, activation)
        for module in self.modules():
            if isinstance(module, _Modulate) and not module.numbers.weight.is_meta:
                nn.init.normal_(module.numbers.weight, std=STYLE_SPREAD / latent_size**0.5)
        nn.init.zeros_(self.last.weight)

    def forward(self, codes: Tensor, coarse: Tensor) -> Tensor:
        maps, style = self.fc(codes).reshape(-1, self.start_channels, 4, 4), self.style(codes)
        for block in self.blocks:
            maps = block(maps, style)
        added: Tensor = self.last(self.activation(maps))
        return torch.sigmoid(torch.logit(coarse.float(), LEAST) + added.float())


class _Modulate(nn.Module):
    """Normalise maps, scale and shift each channel as the style says, and apply the activation."""

    def __init__(self, channels: int, style_size: int, activation: Activation) -> None:
        super().__init__()
        groups = gcd(max(1, channels // GROUP), channels)
        self.normalise = nn.GroupNorm(groups, channels, affine=False)
        self.numbers = nn.Linear(style_size, 2 * channels)
        self.activation = activation_layer(activation)

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.numbers(style)[:, :, None, None].chunk(2, 1)
        modulated: Tensor = self.activation(self.normalise(maps) * (1 + scale) + shift)
        return modulated


class _Block(nn.Module):
    """Two convolutions beside a skip connection; ``enlarge`` doubles the side of the maps."""

    def __init__(
        self, before: int, after: int, style_size: int, activation: Activation, *, enlarge: bool
    ) -> None:
        super().__init__()
        self.enlarges = enlarge
        self.modulate1, self.modulate2 = (
            _Modulate(channels, style_size, activation) for channels in (before, after)
        )
        self.conv1, self.conv2 = nn.Conv2d(before, after, 3, 1, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        changed = self.conv1(self._enlarge(self.modulate1(maps, style)))
        changed = self.conv2(self.modulate2(changed, style))
        both: Tensor = (self._enlarge(self.skip(maps)) + changed) * 0.5**0.5  # keeps the variance
        return both

    def _enlarge(self, maps: Tensor) -> Tensor:
        return F.interpolate(maps, scale_factor=2.0, mode="nearest") if self.enlarges else maps
