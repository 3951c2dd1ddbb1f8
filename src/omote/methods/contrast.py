"""Contrastive learning within a subject: an expression encoder alone, without a decoder.

Not in the paper, but with its encoder and its supervision. Two augmented views of a frame form a positive pair; the
negatives are other frames of the same subject in the batch. Identity does not distinguish them, so it is not learned.
"""

from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from omote.methods.method import Batch, Encode, Method, MethodOptions, Phase, Stage, Terms
from omote.models.encoder import Encoder, Posterior
from omote.objectives.contrast import contrast_within_subject
from omote.objectives.views import augment


class ContrastOptions(MethodOptions):
    """Options of the contrastive stage; none of them is in the paper."""

    temperature: float = Field(0.2, gt=0, description="of the contrast; lower weights similar frames more")
    among: Literal["subject", "everyone"] = Field("subject", description="whose frames are the negatives")
    frames_per_subject: int = Field(
        8, le=10**4, ge=2, description="frames of a subject to put into a batch together"
    )
    light: float = Field(1.0, ge=0, description="strength of changes of brightness, tint and contrast")
    placement: float = Field(1.0, ge=0, description="strength of rotation, shift and scaling")
    mirror: bool = Field(True, description="whether views may be mirrored, which makes left and right equal")
    surroundings: bool = Field(True, description="whether views replace the background")

    def draw_views(self, images: Tensor) -> Tensor:
        """Return a random view of each image."""
        return augment(images, **self.model_dump(include={"light", "placement", "mirror", "surroundings"}))


class Contrast(Method):
    """One encoder of the expression. Its code is a point of length sqrt(Z), not a distribution."""

    Options = ContrastOptions
    options: ContrastOptions
    has_decoder = False

    def __init__(self, image_size: int, options: ContrastOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        size = options.latent_size
        self.encoder = Encoder(image_size, latent_size=size, point=True, **self.network_options())

    def stages(self) -> list[Stage]:
        return [contrast_stage(self.encoder, self.represent, self.options)]

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        return normalise_mean(self.encoder(images))


def contrast_stage(encoder: nn.Module, represent: Encode, options: ContrastOptions) -> Stage:
    """Return the stage that trains an encoder, used by ``represent``, by the contrast."""
    together = options.frames_per_subject if options.among == "subject" else 1
    terms = partial(contrast_terms, represent, options)
    phase = Phase("encoder", (encoder,), options.learning_rate, terms)
    return Stage("contrast", options.epochs, (phase,), together)


def contrast_terms(represent: Encode, options: ContrastOptions, batch: Batch) -> Terms:
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
