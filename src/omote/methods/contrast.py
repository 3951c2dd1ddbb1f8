"""Contrastive learning within a subject: an expression encoder alone, without a decoder.

Not in the paper, but with its encoder and its supervision. Two augmented views of a frame form a positive pair; the
negatives are other frames of the same subject in the batch. Identity does not distinguish them, so it is not learned.
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from omote.methods.method import Batch, Method, MethodOptions, Phase, Stage, Terms
from omote.models.encoder import Encoder, Posterior
from omote.objectives.contrast import contrast_within_subject
from omote.objectives.views import augment


class ContrastOptions(MethodOptions):
    """Options of the contrastive stage; none of them is in the paper."""

    temperature: float = Field(
        0.2, gt=0, description="of the contrast; a lower one puts more weight on the most similar frames"
    )
    among: Literal["subject", "everyone"] = Field(
        "subject", description='whose frames are negatives; with "everyone", identity is learned too'
    )
    frames_per_subject: int = Field(
        8, ge=2, description="number of frames of a subject that are put into a batch together"
    )
    light: float = Field(
        1.0, ge=0, description="how much views change brightness, tint and contrast; 0 for none"
    )
    placement: float = Field(
        1.0, ge=0, description="how much views rotate, shift and scale the face; 0 for none"
    )
    mirror: bool = Field(
        True, description="whether views may be mirrored; then left and right become one expression"
    )
    surroundings: bool = Field(True, description="whether views replace the background")

    def draw_views(self, images: Tensor) -> Tensor:
        """Return a random view of each image."""
        light, placement = self.light, self.placement
        return augment(
            images, light=light, placement=placement, mirror=self.mirror, surroundings=self.surroundings
        )


class Contrast(Method):
    """One encoder of the expression. Its code is a point of length sqrt(Z), not a distribution."""

    Options = ContrastOptions
    has_decoder = False

    def __init__(self, image_size: int, options: ContrastOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options = options
        size = options.latent_size
        self.encoder = Encoder(image_size, latent_size=size, point=True, **self.network_options())

    def stages(self) -> list[Stage]:
        return [contrast_stage(self.encoder, self.terms, self.options)]

    def terms(self, batch: Batch) -> Terms:
        return contrast_terms(self.represent, batch, self.options)

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        return normalise_mean(self.encoder(images))


def contrast_stage(encoder: nn.Module, terms: Callable[[Batch], Terms], options: ContrastOptions) -> Stage:
    """Return the stage that trains an encoder by the contrast."""
    together = options.frames_per_subject if options.among == "subject" else 1
    phase = Phase("encoder", (encoder,), options.learning_rate, terms)
    return Stage("contrast", options.epochs, (phase,), together)


def contrast_terms(represent: Callable[[Tensor], Posterior], batch: Batch, options: ContrastOptions) -> Terms:
    """Return the contrast of two views of each image, (B,)."""
    views = torch.cat([options.draw_views(batch.images), options.draw_views(batch.images)])
    one, other = represent(views).mean.chunk(2)
    among = batch.subjects if options.among == "subject" else torch.zeros_like(batch.subjects)
    return {"contrast": contrast_within_subject(one, other, among, options.temperature)}


def normalise_mean(point: Posterior) -> Posterior:
    """Return a posterior whose (B, Z) mean has length sqrt(Z)."""
    return Posterior(normalise_length(point.mean), point.logvar)


def normalise_length(code: Tensor) -> Tensor:
    """Return (B, Z) codes scaled to length sqrt(Z), about the average length of samples of the prior N(0, I).

    The contrast compares directions only, so the length carries no information. A code of zeros is unchanged.
    """
    length: float = code.shape[1] ** 0.5
    return length * F.normalize(code, dim=1)
