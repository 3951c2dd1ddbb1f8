"""omote's own method: which expression by contrast within a subject, then whose face it is and how both are drawn.

Not of the paper, but with its networks and its supervision. The paper's expression code is what a decoder lacks beside
the identity, the person included where the identity code falls short. Here the expression comes first, and no decoder
shapes it. Identity is then, as in Eq. 1, what any image of a person tells of any other, but the decoder is told the
other's expression, where Eq. 1 has z_e = 0. Last, the decoder learns to draw each face from its own two codes.
"""

import torch
from pydantic import Field
from torch import Tensor

from omote.methods.contrast import ContrastOptions, contrast_stage, contrast_terms, on_the_sphere, to_length
from omote.methods.method import Batch, GenerativeOptions, Phase, Stage, Terms, sample
from omote.methods.two_codes import TwoCodes
from omote.models.encoder import Posterior
from omote.objectives.switch import code_distance


class OmoteOptions(GenerativeOptions, ContrastOptions):
    """Options of the three stages."""

    switch_weight: float = Field(0.0, ge=0, description="gamma; 0 leaves L_switch out")


class Omote(TwoCodes):
    """The contrast for the expression encoder; Eq. 1 with its code for the identity encoder; Eq. 2 for the decoder."""

    Options = OmoteOptions
    expression_is_point = True

    def __init__(self, image_size: int, options: OmoteOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options = options

    def stages(self) -> list[Stage]:
        c = self.options
        trains = (self.identity_encoder, self.decoder)
        face = Phase("generator", trains, c.learning_rate, self.face_terms)
        decoder = Phase("decoder", (self.decoder,), c.learning_rate, self.decoder_terms)
        return [
            contrast_stage(self.expression_encoder, self.contrast_terms, c),
            Stage("face", c.epochs, (face,), remembers={"z_e": self.represent}),
            Stage("decoder", c.epochs, (decoder,), remembers={"z_i": self.identify, "z_e": self.represent}),
        ]

    def contrast_terms(self, batch: Batch) -> Terms:
        """Return the contrast of two views of each image, (B,)."""
        return contrast_terms(self.represent, batch, self.options)

    def face_terms(self, batch: Batch) -> Terms:
        """Return L_i with z_e given, each term (B,). Paper: Eq. 1.

        z_i is read from a random image of the subject, hardly ever the one that is drawn, so the decoder has the
        expression from z_e alone.
        """
        q_i, z_e = self.identify(batch.same_subject), batch.remembered["z_e"].mean
        made = self.decode(sample(q_i), z_e)
        return {"kl": self.kl(q_i), "reconstruction": self.reconstruction(made, batch.images)}

    def decoder_terms(self, batch: Batch) -> Terms:
        """Return what a decoder of both codes pays, each term (B,). Paper: Eqs. 2 and 4, with codes that are given."""
        gamma = self.options.switch_weight
        z_i, z_e = batch.remembered["z_i"].mean, batch.remembered["z_e"].mean
        z_ed = z_e[batch.partner]
        codes = [(z_i, z_e), (z_i, z_ed)] if gamma else [(z_i, z_e)]
        made = self.decode(*(torch.cat(z) for z in zip(*codes, strict=True))).chunk(len(codes))
        terms = {"reconstruction": self.reconstruction(made[0], batch.images)}
        if gamma:
            identity = code_distance(self.identify(made[1]).mean, z_i)
            expression = code_distance(self.represent(made[1]).mean, z_ed)
            terms["switch_identity"] = gamma * batch.has_partner * identity
            terms["switch_expression"] = gamma * batch.has_partner * expression
        return terms

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        return on_the_sphere(self.expression_encoder(images))

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        return super().decode(z_i, to_length(z_e))  # a code half way between two as well
