"""Row 1 of Table 3: two stages, the paper's section 3."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from omote.methods.method import Batch, GenerativeOptions, MethodOptions, Phase, Stage, Terms, sample
from omote.methods.two_codes import TwoCodes


class ConventionalOptions(GenerativeOptions):
    """Options of the two stages."""

    repetitions: int = Field(1, ge=1, description="how often the stages alternate (section 4.1.3)")
    identity_code: Literal["mean", "sample"] = Field(
        "mean",
        description="z_i in the stages after the first; a sample makes the expression encoder repair identity",
    )


class Conventional(TwoCodes):
    """Identity first, from any image of the subject; then the expression, as what identity leaves unexplained."""

    Options: ClassVar[type[MethodOptions]] = ConventionalOptions

    def __init__(self, image_size: int, options: ConventionalOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options = options

    def stages(self) -> list[Stage]:
        identity = Phase(
            "generator",
            (self.identity_encoder, self.decoder),
            self.options.learning_rate,
            self.identity_terms,
        )
        pair = [
            Stage("identity", self.options.epochs, (identity,)),
            Stage(
                "expression", self.options.epochs, self.expression_phases(), remembers={"z_i": self.identify}
            ),
        ]
        return pair * self.options.repetitions

    def expression_phases(self) -> tuple[Phase, ...]:
        """Return the phases of the expression stage."""
        trains = (self.expression_encoder, self.decoder)
        return (Phase("generator", trains, self.options.learning_rate, self.expression_terms),)

    def identity_terms(self, batch: Batch) -> Terms:
        """Return L_i, each term (B,). Paper: Eq. 1."""
        q_i = self.identify(batch.images)
        z_i = sample(q_i)
        made = self.decode(z_i, torch.zeros_like(z_i))
        return {"kl": self.kl(q_i), "reconstruction": self.reconstruction(made, batch.same_subject)}

    def expression_terms(self, batch: Batch) -> Terms:
        """Return L_e, each term (B,). Paper: Eq. 2."""
        z_i, q_e = self.frozen_identity(batch), self.represent(batch.images)
        made = self.decode(z_i, sample(q_e))
        return {"kl": self.kl(q_e), "reconstruction": self.reconstruction(made, batch.images)}

    def frozen_identity(self, batch: Batch) -> Tensor:
        """Return z_i, (B, Z), as the expression stage takes it: without gradient."""
        q_i = batch.remembered["z_i"]
        return q_i.mean if self.options.identity_code == "mean" else sample(q_i)
