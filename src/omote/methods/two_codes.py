"""Base class of the methods with an identity code and an expression code: the networks of Tables 1 and 2."""

import torch
from torch import Tensor

from omote.methods.method import Generative, GenerativeOptions
from omote.models.decoder import Decoder
from omote.models.encoder import Encoder, Posterior


class TwoCodes(Generative):
    """An encoder of each code and one decoder of both; subclasses define how they are trained."""

    has_identity = True

    def __init__(self, image_size: int, options: GenerativeOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        size, shared = options.latent_size, self.network_options()
        self.identity_encoder = Encoder(image_size, latent_size=size, **shared)
        self.expression_encoder = Encoder(image_size, latent_size=size, **shared)
        self.decoder = Decoder(image_size, latent_size=2 * size, **shared)

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        posterior: Posterior = self.expression_encoder(images)
        return posterior

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        posterior: Posterior = self.identity_encoder(images)
        return posterior

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        return self.decode_coarse(z_i, z_e)

    def decode_coarse(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        """Return (B, 3, S, S) images in [0, 1] of the decoder that the codes are trained with."""
        images: Tensor = self.decoder(torch.cat([z_i, z_e], 1))
        return images
