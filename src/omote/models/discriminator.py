"""The discriminator: the encoder with one output (paper, section 5.1)."""

from torch import Tensor, nn

from omote.models.blocks import Activation, Normalisation, initialise
from omote.models.encoder import trunk


class Discriminator(nn.Module):
    """D(x) before its sigmoid: images (B, 3, S, S) in [0, 1] -> logits (B,), float32; high means real.

    It has no normalisation by default. With BatchNorm, an image would get one logit in the discriminator's phase, where
    real and fake images share a batch, and another one in the generator's (docs/paper_map.md).
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
