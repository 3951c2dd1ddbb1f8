"""omote's own method: first the expression encoder by contrast, then the identity encoder, then the decoder.

Not in the paper, but with its networks and its supervision. In the paper, the expression code receives everything the
decoder needs beside the identity code, including what the identity code lacks of the person. Here the expression code
is learned first, and no decoder shapes it. The identity code is then learned as in Eq. 1, from another image of the
person, but the decoder gets the expression code where Eq. 1 has z_e = 0. Finally the decoder learns to decode each
image from its own two codes.
"""

import torch
from pydantic import Field
from torch import Tensor

from omote.methods.contrast import ContrastOptions, contrast_stage, normalise_length, normalise_mean
from omote.methods.method import Batch, GenerativeOptions, Phase, Stage, Terms, sample
from omote.methods.two_codes import TwoCodes
from omote.models.encoder import Posterior
from omote.objectives.switch import code_distance


class OmoteOptions(GenerativeOptions, ContrastOptions):
    """Options of the three stages."""

    switch_weight: float = Field(0.0, ge=0, description="gamma; 0 leaves L_switch out")


class Omote(TwoCodes):
    """Three stages: the contrast for the expression encoder, Eq. 1 for the identity encoder, Eq. 2 for the decoder."""

    Options = OmoteOptions
    options: OmoteOptions
    expression_is_point = True

    def stages(self) -> list[Stage]:
        c = self.options
        trains = (self.identity_encoder, self.decoder)
        face = Phase("generator", trains, c.learning_rate, self.face_terms)
        decoder = Phase("decoder", (self.decoder,), c.learning_rate, self.decoder_terms)
        expression, identity = {"z_e": self.represent}, {"z_i": self.identify}
        return [
            contrast_stage(self.expression_encoder, self.represent, c),
            Stage("face", c.epochs, (face,), frozen_encoders=expression),
            Stage("decoder", c.epochs, (decoder,), frozen_encoders=identity | expression),
        ]

    def face_terms(self, batch: Batch) -> Terms:
        """Return L_i given z_e, each term (B,). Paper: Eq. 1.

        z_i comes from a random image of the subject, hardly ever the decoded one, so the decoder can get the expression
        from z_e only.
        """
        q_i, z_e = self.identify(batch.same_subject), batch.cached_posteriors["z_e"].mean
        output = self.decode(sample(q_i), z_e)
        return {"kl": self.kl(q_i), "reconstruction": self.reconstruction(output, batch.images)}

    def decoder_terms(self, batch: Batch) -> Terms:
        """Return the objective of the decoder given both codes, each term (B,). Paper: Eqs. 2 and 4."""
        gamma = self.options.switch_weight
        z_i, z_e = batch.cached_posteriors["z_i"].mean, batch.cached_posteriors["z_e"].mean
        z_ed = z_e[batch.partner]
        codes = [(z_i, z_e), (z_i, z_ed)] if gamma else [(z_i, z_e)]
        outputs = self.decode(*(torch.cat(z) for z in zip(*codes, strict=True))).chunk(len(codes))
        terms = {"reconstruction": self.reconstruction(outputs[0], batch.images)}
        if gamma:
            identity = code_distance(self.identify(outputs[1]).mean, z_i)
            expression = code_distance(self.represent(outputs[1]).mean, z_ed)
            terms["switch_identity"] = gamma * batch.has_partner * identity
            terms["switch_expression"] = gamma * batch.has_partner * expression
        return terms

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        return normalise_mean(self.expression_encoder(images))

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        # normalised again because z_e may be interpolated
        return super().decode(z_i, normalise_length(z_e))
