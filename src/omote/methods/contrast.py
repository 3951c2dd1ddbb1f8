"""Contrastive learning within a subject: an expression encoder alone, without a decoder.

Not in the paper, but with its encoder and its supervision. Two augmented views of a frame form a positive pair; the
negatives are other frames of the same subject in the batch. Identity does not distinguish them, so it is not learned.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from omote.methods.method import Batch, Method, MethodOptions, Phase, Stage, Terms
from omote.models.encoder import Encoder, Posterior
from omote.objectives.contrast import contrast_within_subject
from omote.objectives.views import augment


class ContrastOptions(MethodOptions):
    """Options of the contrast; none of them is in the paper."""

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

    @property
    def frames_together(self) -> int:
        """Frames of a subject that stand together in a batch, as a `Stage` takes them."""
        return self.frames_per_subject if self.among == "subject" else 1

    def contrast(self, one: Tensor, other: Tensor, subjects: Tensor) -> Tensor:
        """Return the contrast, (B,), of (B, Z) codes of two views of each image."""
        among = subjects if self.among == "subject" else torch.zeros_like(subjects)
        return contrast_within_subject(one, other, among, self.temperature)


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
        c = self.options
        phase = Phase("encoder", (self.encoder,), c.learning_rate, self.terms)
        return [Stage("contrast", c.epochs, (phase,), c.frames_together)]

    def terms(self, batch: Batch) -> Terms:
        """Return the contrast of two views of each image, (B,)."""
        c = self.options
        views = torch.cat([c.draw_views(batch.images), c.draw_views(batch.images)])
        one, other = self.represent(views).mean.chunk(2)
        return {"contrast": c.contrast(one, other, batch.subjects)}

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        point = self.encoder(images)
        return Posterior(normalise_length(point.mean), point.logvar)


def normalise_length(code: Tensor) -> Tensor:
    """Return (B, Z) codes scaled to length sqrt(Z), about the average length of samples of the prior N(0, I).

    The contrast compares directions only, so the length carries no information. A code of zeros is unchanged.
    """
    length: float = code.shape[1] ** 0.5
    return length * F.normalize(code, dim=1)
