"""The decoder (Table 2 of the paper)."""

import torch
from torch import Tensor, nn

from omote.models.blocks import Activation, Normalisation, block, initialise
from omote.models.encoder import IMAGE_SIZES


class Decoder(nn.Module):
    """p(x|z): codes (B, ``latent_size``) -> images (B, 3, S, S) in [0, 1], float32.

    Paper: Table 2, with ``output_padding=1`` in the 3x3 transposed convolutions (without it, 16 -> 31). The sigmoid at
    the output is computed in float32, because bfloat16 has steps of 1/256 near 1.
    """

    def __init__(
        self,
        image_size: int = 64,
        *,
        latent_size: int = 128,
        width: int = 32,
        activation: Activation = "leaky_relu",
        normalisation: Normalisation = "batch",
    ) -> None:
        super().__init__()
        if image_size not in IMAGE_SIZES:
            raise ValueError(f"image size {image_size} was given; the networks of the paper take 64 or 128")
        self.start_channels = 8 * width
        self.fc1 = nn.Linear(latent_size, self.start_channels * 16)
        # (output channels, kernel) of deconv1_1, deconv2_1, ...
        table = [(4 * width, 4), (2 * width, 4), (width, 3), (width // 2, 3)]
        table += [(width // 4, 3)] if image_size == 128 else []
        layers: list[nn.Module] = []
        before, bias = self.start_channels, normalisation == "none"
        for after, kernel in table:
            up = nn.ConvTranspose2d(before, after, kernel, 2, 1, output_padding=4 - kernel, bias=bias)
            layers += block(up, after, activation, normalisation)
            layers += block(nn.Conv2d(after, after, 3, 1, 1, bias=bias), after, activation, normalisation)
            before = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 3, 3, 1, 1))
        initialise(self, activation)

    def forward(self, codes: Tensor) -> Tensor:
        start = self.fc1(codes).reshape(-1, self.start_channels, 4, 4)
        logits: Tensor = self.layers(start)
        return torch.sigmoid(logits.float())
