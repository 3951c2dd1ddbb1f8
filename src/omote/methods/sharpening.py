"""A last stage for sharp images: both encoders are frozen, so that no code changes, and a critic judges swaps.

Not in the paper, whose L_gan is a term of the expression stage. The squared error alone makes the decoder draw the mean
of all images that two codes may stand for, which is blurred. So a second network, the painter, adds to its images what
they lack. It is trained by the squared error, the switch loss (Eq. 4), and L_gan on swapped images: the critic judges
whether an image is real and shows the person of an identity code. A gradient penalty keeps the critic from
being certain, and it sees altered views, so that it does not learn few photos by heart.
"""

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from omote.methods.method import Batch, MethodOptions, Phase, Stage, Terms
from omote.methods.proposed import Proposed, ProposedOptions
from omote.models.critic import Critic
from omote.models.painter import Painter
from omote.objectives.adversarial import (
    discriminator_loss_on_fake,
    discriminator_loss_on_real,
    generator_loss_on_fake,
    gradient_penalty,
)
from omote.objectives.judged_views import draw_judged_views

BETAS = (0.0, 0.99)  # of Adam: with two networks against each other, old gradients mislead
PENALISED = 4  # one in how many real images is penalised: the penalty of an image takes three times as long as the rest


class SharpeningOptions(ProposedOptions):
    """Options of the last stage; none of them is in the paper."""

    sharpening: float = Field(
        0.0,
        ge=0,
        le=100,
        description="length of the last stage, in epochs per epoch of the first two; 0 leaves it out",
    )
    sharpening_weight: float = Field(1e4, ge=0, description="beta in the last stage")
    sharpening_switch_weight: float = Field(3e3, ge=0, description="gamma in the last stage")
    sharpening_learning_rate: float = Field(
        1e-3, gt=0, description="of Adam in the last stage at 64 px, half of it at 128 px; it does not decay"
    )
    gradient_penalty: float = Field(0.015, ge=0, description="R1 at 64 px, of the critic in the last stage")


class Sharpened(Proposed):
    """`Proposed` with a last stage, which trains the painter and the critic only."""

    Options: ClassVar[type[MethodOptions]] = SharpeningOptions
    options: SharpeningOptions

    def __init__(self, image_size: int, options: SharpeningOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        if not options.sharpening:
            return
        size, latent_size = image_size, options.latent_size
        shared: dict[str, Any] = {"width": options.width, "activation": options.activation}
        self.painter, self.average_painter = (
            Painter(size, latent_size=2 * latent_size, **shared) for _ in range(2)
        )
        self.critic = Critic(size, latent_size=latent_size, **shared)

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        coarse = self.decode_coarse(z_i, z_e)
        if not self.options.sharpening:
            return coarse
        images: Tensor = self.average_painter(torch.cat([z_i, z_e], 1), coarse)
        return images

    def stages(self) -> list[Stage]:
        c = self.options
        if not c.sharpening:
            return super().stages()
        rate = c.sharpening_learning_rate * 64 / self.image_size  # at 128 px, 1e-3 made the critic diverge
        painter = Phase(
            "generator",
            (self.painter,),
            rate,
            self.sharpening_terms,
            BETAS,
            decay=0,  # instead, the weights are averaged
            average=self.average_painter,
        )
        critic = Phase("discriminator", (self.critic,), rate, self.judging_terms, BETAS, decay=0)
        epochs = max(1, round(c.sharpening * c.epochs))
        return [*super().stages(), Stage("sharpening", epochs, (painter, critic))]

    def sharpening_terms(self, batch: Batch) -> Terms:
        """Return the painter's terms, each (B,): squared error of x', L_gan and L_switch of the swapped images."""
        c = self.options
        mirrored = torch.rand(len(batch.images), 1, 1, 1, device=batch.images.device) < 0.5
        images = torch.where(mirrored, batch.images.flip(3), batch.images)  # twice as many faces
        with torch.no_grad():
            z_i, z_e = self.identify(images).mean, self.represent(images).mean
            z_ed = z_e[batch.partner]
            codes = torch.cat([z_i, z_i]), torch.cat([z_e, z_ed])
            coarse = self.decode_coarse(*codes)
        rebuilt, swapped = self.painter(torch.cat(codes, 1), coarse).chunk(2)
        batch.scratch |= {"images": images, "swapped": swapped.detach(), "z_i": z_i}
        judged = generator_loss_on_fake(self.critic(draw_judged_views(swapped), z_i), c.generator_loss)
        return {
            "reconstruction": self.reconstruction(rebuilt, images),
            "adversarial": c.sharpening_weight * judged,
            **self.switch_terms(swapped, z_i, z_ed, c.sharpening_switch_weight * batch.has_partner),
        }

    def judging_terms(self, batch: Batch) -> Terms:
        """Return the critic's terms, each (B,): real images, swapped images and the gradient penalty.

        Only a part of the real images is penalised. Their penalty is multiplied by B over their number, so that the
        batch mean is that of a penalty of all images. It also grows with S^2: the same judgement of an image with more
        pixels has smaller gradients.
        """
        z_i = batch.scratch["z_i"]  # the swapped images have it too
        real, swapped = (draw_judged_views(batch.scratch[name]) for name in ("images", "swapped"))
        part = real[: -(-len(real) // PENALISED)].detach().requires_grad_()
        # not through __call__: a compiled network has no gradient of its gradient
        penalty = gradient_penalty(self.critic.forward(part, z_i[: len(part)]), part) * len(real) / len(part)
        weight = self.options.gradient_penalty * (self.image_size / 64) ** 2
        return {
            "real": discriminator_loss_on_real(self.critic(real, z_i)),
            "swapped": discriminator_loss_on_fake(self.critic(swapped, z_i)),
            "penalty": weight * F.pad(penalty, (0, len(real) - len(part))),
        }
