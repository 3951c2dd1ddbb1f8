"""ML-VAE, the multi-level VAE (Bouchacourt et al., 2018): one identity code for all frames of a subject in a batch."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from omote.methods.method import Batch, GenerativeOptions, MethodOptions, Phase, Stage, Terms, sample
from omote.methods.two_codes import TwoCodes
from omote.models.encoder import Posterior


class GroupOptions(GenerativeOptions):
    """Options of the methods that learn from groups of frames of one subject."""

    frames_per_subject: int = Field(
        8, ge=1, description="frames of a subject that come into a batch together, for methods that join them"
    )


class MlVae(TwoCodes):
    """What the frames of a subject say of its identity is multiplied; what is left of each frame is expression.

    A group is the frames of one subject in a batch. An image that is read alone is all there is of its group.
    """

    Options: ClassVar[type[MethodOptions]] = GroupOptions

    def __init__(self, image_size: int, options: GroupOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options = options

    def stages(self) -> list[Stage]:
        trains = (self.identity_encoder, self.expression_encoder, self.decoder)
        phase = Phase("generator", trains, self.options.learning_rate, self.terms)
        return [Stage("groups", self.options.epochs, (phase,), self.options.frames_per_subject)]

    def terms(self, batch: Batch) -> Terms:
        """Return the bound of each group (Bouchacourt et al., 2018), shared out over its frames, each term (B,).

        Its expectation is over one code that the whole group has, so one sample of z_i is drawn a group; one a frame
        would have the same mean, but make of z_i a noise that differs between frames of the same person.
        """
        same = batch.subjects[:, None] == batch.subjects  # (B, B)
        q_i, q_e = self.joined(self.identify(batch.images), same), self.represent(batch.images)
        first = same.int().argmax(1)  # of each frame's group in the batch
        z_i, z_e = sample(q_i)[first], sample(q_e)
        return {
            "kl_identity": self.kl(q_i) / same.sum(1),  # once a group
            "kl": self.kl(q_e),
            "reconstruction": self.reconstruction(self.decode(z_i, z_e), batch.images),
        }

    def joined(self, q: Posterior, same: Tensor) -> Posterior:
        """Return the posterior of each frame's group, (B, Z): the product of its frames' Gaussians, normalised.

        Precisions add up, and weigh the means: the more frames, the surer (Bouchacourt et al., 2018, section 3).

        Args:
            q: each frame's own posterior, (B, Z).
            same: (B, B) whether two frames are of one subject.
        """
        log_precision = torch.where(
            same[:, :, None], -q.logvar, -torch.inf
        )  # (B, B, Z), over the group in dim 1
        return Posterior((log_precision.softmax(1) * q.mean).sum(1), -log_precision.logsumexp(1))
