"""The proposed method (section 4 of the paper; rows 2 to 5 of Table 3): L_e' (Eq. 5) adds L_gan and L_switch to L_e."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from omote.methods.conventional import Conventional, ConventionalOptions
from omote.methods.method import Batch, MethodOptions, Phase, Terms, sample
from omote.models.blocks import Normalisation
from omote.models.discriminator import Discriminator
from omote.models.encoder import Posterior
from omote.objectives.adversarial import (
    GeneratorLoss,
    discriminator_loss_on_fake,
    discriminator_loss_on_real,
    generator_loss_on_fake,
)
from omote.objectives.switch import code_distance


class ProposedOptions(ConventionalOptions):
    """Options of Eq. 5; row 2 has ``switch_weight = 0``, row 4 ``repetitions = 5`` and ``epochs = 50``."""

    adversarial_weight: float = Field(1.0, ge=0, description="beta; 0 leaves L_gan and the discriminator out")
    switch_weight: float = Field(10.0, ge=0, description="gamma; 0 leaves out L_switch")
    generator_loss: GeneratorLoss = Field("non_saturating", description='"minimax" is Eq. 3 as printed')
    discriminator_normalisation: Normalisation = Field("none", description="in the discriminator")
    switch_code: Literal["sample", "mean"] = Field(
        "sample",
        description="in the expression stage: whether z_e^d is a sample from its posterior or its mean",
    )
    switch_target_gradient: bool = Field(
        False, description="in the expression stage: whether the target z_e^d gets a gradient too"
    )


class Proposed(Conventional):
    """`Conventional` with L_e' (Eq. 5) instead of L_e (Eq. 2) in the expression stage."""

    Options: ClassVar[type[MethodOptions]] = ProposedOptions
    options: ProposedOptions

    def __init__(self, image_size: int, options: ProposedOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        if options.adversarial_weight:
            self.discriminator = Discriminator(
                image_size,
                width=options.width,
                activation=options.activation,
                normalisation=options.discriminator_normalisation,
            )

    def expression_phases(self) -> tuple[Phase, ...]:
        phases = super().expression_phases()
        if self.options.adversarial_weight:
            trains: tuple[nn.Module, ...] = (self.discriminator,)
            phases += (Phase("discriminator", trains, self.options.learning_rate, self.discriminator_terms),)
        return phases

    def expression_terms(self, batch: Batch) -> Terms:
        """Return L_e' for the generator, each term (B,). Paper: Eq. 5."""
        return self.generator_terms(batch, self.represent(self.to_encode(batch.images)))

    def generator_terms(self, batch: Batch, q_e: Posterior) -> Terms:
        """Return L_e' = L_e + beta L_gan + gamma L_switch, each term (B,), given q(z_e|x). Paper: Eq. 5."""
        c = self.options
        z_i, z_e = self.frozen_identity(batch), sample(q_e)
        codes = [(z_i, z_e)]  # of x'
        if c.adversarial_weight:
            codes.append((torch.randn_like(z_i), torch.randn_like(z_e)))  # of x_p
        if c.switch_weight:
            z_ed = (z_e if c.switch_code == "sample" else q_e.mean)[batch.partner]
            codes.append((z_i, z_ed))
        # one call, so that all images share BatchNorm statistics and enter the decoder's running averages
        outputs = list(
            self.decode_coarse(*(torch.cat(z) for z in zip(*codes, strict=True))).chunk(len(codes))
        )

        terms = {"kl": self.kl(q_e), "reconstruction": self.reconstruction(outputs[0], batch.images)}
        if c.adversarial_weight:
            fakes = torch.cat(outputs[:2])
            batch.scratch["fakes"] = fakes.detach()
            x_rec, x_p = self.discriminator(fakes).chunk(2)
            loss = generator_loss_on_fake(x_rec, c.generator_loss) + generator_loss_on_fake(
                x_p, c.generator_loss
            )
            terms["adversarial"] = c.adversarial_weight * loss
        if c.switch_weight:
            terms |= self.switch_terms(outputs[-1], z_i, z_ed, c.switch_weight * batch.has_partner)
        return terms

    def switch_terms(self, swapped: Tensor, z_i: Tensor, z_ed: Tensor, gamma: Tensor) -> Terms:
        """Return gamma L_switch, each term (B,), of (B, 3, S, S) images decoded from (z_i, z_e^d). Paper: Eq. 4."""
        target_gradient = self.options.switch_target_gradient
        identity = code_distance(self.identify(swapped).mean, z_i)
        expression = code_distance(self.represent(swapped).mean, z_ed, target_gradient=target_gradient)
        return {"switch_identity": gamma * identity, "switch_expression": gamma * expression}

    def discriminator_terms(self, batch: Batch) -> Terms:
        """Return -L_gan for the discriminator, each term (B,). Paper: Eq. 3.

        The fake images x' and x_p are those that the generator's phase decoded before its step.
        """
        logits = self.discriminator(torch.cat([batch.images, batch.scratch["fakes"]]))
        x, x_rec, x_p = logits.chunk(3)
        return {
            "real": discriminator_loss_on_real(x),
            "reconstructed": discriminator_loss_on_fake(x_rec),
            "prior": discriminator_loss_on_fake(x_p),
        }
