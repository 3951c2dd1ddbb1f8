"""The discriminator: "the encoder with one output" (paper, section 5.1)."""

from torch import Tensor, nn

from omote.models.blocks import Activation, Normalisation, initialise
from omote.models.encoder import trunk


class Discriminator(nn.Module):
    """D(x) before its sigmoid: images (B, 3, S, S) in [0, 1] -> logits (B,), float32; high means real.

    No normalisation by default: with BatchNorm it would see other statistics in its own step, where real and made
    images are mixed, than in the generator's (PAPER.md, "Activation, normalisation").
    """

    def __init__(
        self,
        image_size: int = 64,
        *,
        width: int = 32,
        activation: Activation = "leaky_relu",
        normalisation: Normalisation = "none",
    ) -> None:
        super().__init__()
        self.trunk = trunk(image_size, width, activation, normalisation)
        self.fc = nn.Linear(8 * width, 1)
        initialise(self, activation)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.trunk(images))
        return logits.float().squeeze(1)
