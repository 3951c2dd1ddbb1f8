"""omote's own method: who as in the paper, which expression by contrast within a subject, and a decoder of both.

Not of the paper, but with its networks and its supervision. The paper's expression code is what a decoder lacks beside
the identity, the person included where the identity code falls short. Here no decoder shapes it: the decoder learns
last, to draw a face from the two codes as they are.
"""

import torch
from pydantic import Field
from torch import Tensor

from omote.methods.contrast import ContrastOptions, contrast_terms, on_the_sphere
from omote.methods.conventional import Conventional, ConventionalOptions
from omote.methods.method import Batch, Phase, Stage, Terms
from omote.models.encoder import Posterior
from omote.objectives.switch import code_distance


class OmoteOptions(ConventionalOptions, ContrastOptions):
    """Options of the three stages."""

    switch_weight: float = Field(10.0, ge=0, description="gamma; 0 leaves L_switch out")


class Omote(Conventional):
    """Eq. 1, then the contrast, then Eqs. 2 and 4 for the decoder alone."""

    Options = OmoteOptions
    expression_is_point = True

    def __init__(self, image_size: int, options: OmoteOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options: OmoteOptions = options

    def stages(self) -> list[Stage]:
        c = self.options
        identity = super().stages()[0]
        encoder = Phase("encoder", (self.expression_encoder,), c.learning_rate, self.contrast_terms)
        decoder = Phase("decoder", (self.decoder,), c.learning_rate, self.decoder_terms)
        contrast = Stage("contrast", c.epochs, (encoder,), c.frames_per_subject)
        return [identity, contrast, Stage("decoder", c.epochs, (decoder,))] * c.repetitions

    def contrast_terms(self, batch: Batch) -> Terms:
        """Return the contrast of two views of each image, (B,)."""
        return contrast_terms(self.represent, batch, self.options)

    def decoder_terms(self, batch: Batch) -> Terms:
        """Return what a decoder of both codes pays, each term (B,). Paper: Eqs. 2 and 4, with codes that are given."""
        c = self.options
        z_i, z_e = self.frozen_identity(batch.images), self.represent(batch.images).mean
        z_ed = z_e[batch.partner]
        made, swapped = self.decode(torch.cat([z_i, z_i]), torch.cat([z_e, z_ed])).chunk(2)
        gamma = c.switch_weight * batch.has_partner
        return {
            "reconstruction": self.reconstruction(made, batch.images),
            "switch_identity": gamma * code_distance(self.identify(swapped).mean, z_i),
            "switch_expression": gamma * code_distance(self.represent(swapped).mean, z_ed),
        }

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        return on_the_sphere(self.expression_encoder(images))
