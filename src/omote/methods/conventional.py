"""The conventional method (section 3 of the paper; row 1 of Table 3): L_i (Eq. 1), then L_e (Eq. 2), in two stages."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from omote.methods.method import Batch, GenerativeOptions, MethodOptions, Phase, Stage, Terms, sample
from omote.methods.two_codes import TwoCodes


class ConventionalOptions(GenerativeOptions):
    """Options of the two stages."""

    repetitions: int = Field(
        1, ge=1, le=10**4, description="how often the two stages are repeated (section 4.1.3)"
    )
    # with a sample, z_e has to compensate the noise of z_i
    identity_code: Literal["mean", "sample"] = Field("mean", description="z_i in the expression stage")


class Conventional(TwoCodes):
    """First identity, from any image of the subject; then expression, as the rest that identity does not explain."""

    Options: ClassVar[type[MethodOptions]] = ConventionalOptions
    options: ConventionalOptions

    def stages(self) -> list[Stage]:
        """Return the identity stage and the expression stage, repeated. Paper: sections 3 and 4.1.3."""
        c = self.options
        trains = (self.identity_encoder, self.decoder)
        identity = Phase("generator", trains, c.learning_rate, self.identity_terms)
        frozen = {"z_i": self.identify}
        pair = [
            Stage("identity", c.epochs, (identity,)),
            Stage("expression", c.epochs, self.expression_phases(), frozen_encoders=frozen),
        ]
        return pair * c.repetitions

    def expression_phases(self) -> tuple[Phase, ...]:
        """Return the phases of the expression stage."""
        trains = (self.expression_encoder, self.decoder)
        return (Phase("generator", trains, self.options.learning_rate, self.expression_terms),)

    def identity_terms(self, batch: Batch) -> Terms:
        """Return L_i, each term (B,): decode x_rand_id from the identity code of x. Paper: Eq. 1."""
        q_i = self.identify(self.to_encode(batch.images))
        z_i = sample(q_i)
        output = self.decode_coarse(z_i, torch.zeros_like(z_i))
        return {"kl": self.kl(q_i), "reconstruction": self.reconstruction(output, batch.same_subject)}

    def expression_terms(self, batch: Batch) -> Terms:
        """Return L_e, each term (B,): decode x from both its codes, z_i frozen. Paper: Eq. 2."""
        z_i, q_e = self.frozen_identity(batch), self.represent(self.to_encode(batch.images))
        output = self.decode_coarse(z_i, sample(q_e))
        return {"kl": self.kl(q_e), "reconstruction": self.reconstruction(output, batch.images)}

    def frozen_identity(self, batch: Batch) -> Tensor:
        """Return z_i, (B, Z), of the frozen identity encoder, without gradient."""
        q_i = batch.cached_posteriors["z_i"]
        return q_i.mean if self.options.identity_code == "mean" else sample(q_i)
