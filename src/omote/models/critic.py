"""The discriminator of the last stage (`omote.methods.sharpening`).

Not in the paper, whose discriminator averages over all places of a face.
"""

import torch
from torch import Tensor, nn

from omote.models.blocks import Activation, initialise
from omote.models.encoder import trunk

SIDE = 4  # of the last maps


class Critic(nn.Module):
    """D(x, z_i) before its sigmoid: images (B, 3, S, S) in [0, 1] and identity codes -> logits (B,), float32.

    High means real, and of the person whom the code describes (a projection discriminator, Miyato & Koyama, 2018). The
    convolutions of Table 1 without normalisation, and a linear map of their last maps: each place counts by itself, so
    that a mouth has to be where mouths are. It also sees how much the images that are given together differ, so that
    not everybody is drawn alike (Karras et al., 2018, "Progressive Growing of GANs").
    """

    def __init__(
        self,
        image_size: int = 64,
        *,
        latent_size: int = 64,
        width: int = 32,
        activation: Activation = "leaky_relu",
    ) -> None:
        super().__init__()
        layers = trunk(image_size, width, activation, "none")
        self.trunk = layers[:-2]  # without pooling
        size = 8 * width * SIDE**2
        self.fc = nn.Linear(size + 1, 1)
        self.of_person = nn.Linear(latent_size, size, bias=False)
        initialise(self, activation)
        nn.init.zeros_(self.of_person.weight)

    def forward(self, images: Tensor, z_i: Tensor) -> Tensor:
        maps = self.trunk(2 * images - 1).flatten(1)
        deviation = (maps.var(0, correction=0) + 1e-8).sqrt().mean()  # 0 has no gradient of its root
        real = self.fc(torch.cat([maps, deviation.expand(len(maps), 1)], 1)).squeeze(1)
        logits: Tensor = real + (self.of_person(z_i) * maps).sum(1)
        return logits.float()
