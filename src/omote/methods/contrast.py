"""Contrast within a subject: an expression encoder alone, trained to know a frame again among others of its person.

Not of the paper, but with its encoder and its supervision. Two altered views of each frame; each must find its twin
among the frames of the same subject in the batch. Whose face it is does not tell them apart, so nothing asks for it.
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
from omote.objectives.views import altered


class ContrastOptions(MethodOptions):
    """Options of the contrast; the paper has none of them."""

    temperature: float = Field(
        0.2, gt=0, description="of the contrast: lower asks to tell the most alike frames apart"
    )
    among: Literal["subject", "everyone"] = Field(
        "subject",
        description='where a view looks for its twin; "everyone" lets identity help, and be learned',
    )
    frames_per_subject: int = Field(8, ge=2, description="frames of a subject that meet in a batch")
    light: float = Field(
        1.0, ge=0, description="how much the views alter light, tint and contrast; 0 not at all"
    )
    placement: float = Field(1.0, ge=0, description="how much the views turn, shift and scale; 0 not at all")
    mirror: bool = Field(
        True, description="whether views may be mirrored: left and right become one expression"
    )
    surroundings: bool = Field(True, description="whether views paint over what surrounds the face")

    def view(self, images: Tensor) -> Tensor:
        """Return an altered view of each image."""
        light, placement = self.light, self.placement
        return altered(
            images, light=light, placement=placement, mirror=self.mirror, surroundings=self.surroundings
        )


class Contrast(Method):
    """One encoder, one code of length sqrt(Z) without a posterior. It reads expressions, and makes no images."""

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
        return on_the_sphere(self.encoder(images))

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        nothing = images.new_zeros(len(images), 0)
        return Posterior(nothing, nothing)


def contrast_stage(encoder: nn.Module, terms: Callable[[Batch], Terms], options: ContrastOptions) -> Stage:
    """Return the stage that trains an encoder by the contrast."""
    together = options.frames_per_subject if options.among == "subject" else 1
    phase = Phase("encoder", (encoder,), options.learning_rate, terms)
    return Stage("contrast", options.epochs, (phase,), together)


def contrast_terms(represent: Callable[[Tensor], Posterior], batch: Batch, options: ContrastOptions) -> Terms:
    """Return the contrast of two views of each image, (B,)."""
    views = torch.cat([options.view(batch.images), options.view(batch.images)])
    one, other = represent(views).mean.chunk(2)
    among = batch.subjects if options.among == "subject" else torch.zeros_like(batch.subjects)
    return {"contrast": contrast_within_subject(one, other, among, options.temperature)}


def on_the_sphere(point: Posterior) -> Posterior:
    """Return a posterior with its (B, Z) mean moved to the length `to_length` gives it."""
    return Posterior(to_length(point.mean), point.logvar)


def to_length(code: Tensor) -> Tensor:
    """Return (B, Z) codes with the length that samples of the prior N(0, I) have on average, about sqrt(Z).

    The contrast sees only directions, so the length would say nothing. A code of zeros stays.
    """
    length: float = code.shape[1] ** 0.5
    return length * F.normalize(code, dim=1)
