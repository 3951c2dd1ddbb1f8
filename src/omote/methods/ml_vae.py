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
        8, le=10**4, ge=1, description="frames of a subject to put into a batch together"
    )


class MlVae(TwoCodes):
    """The identity posteriors of a subject's frames are multiplied; each frame has its own expression code.

    A group is the frames of one subject in a batch. An image that is encoded alone is a group of one.
    """

    Options: ClassVar[type[MethodOptions]] = GroupOptions
    options: GroupOptions

    def stages(self) -> list[Stage]:
        trains = (self.identity_encoder, self.expression_encoder, self.decoder)
        phase = Phase("generator", trains, self.options.learning_rate, self.terms)
        return [Stage("groups", self.options.epochs, (phase,), self.options.frames_per_subject)]

    def terms(self, batch: Batch) -> Terms:
        """Return the negative ELBO of each group (Bouchacourt et al., 2018), divided among its frames, each term (B,).

        z_i is sampled once per group. Sampling it per frame would have the same expectation, but would add noise to z_i
        that differs between frames of one person.
        """
        same = batch.subjects[:, None] == batch.subjects  # (B, B)
        q_i = self.group_posterior(self.identify(self.to_encode(batch.images)), same)
        q_e = self.represent(self.to_encode(batch.images))
        first = same.int().argmax(1)  # index of the first frame of each frame's group
        z_i, z_e = sample(q_i)[first], sample(q_e)
        return {
            "kl_identity": self.kl(q_i) / same.sum(1),  # once per group
            "kl": self.kl(q_e),
            "reconstruction": self.reconstruction(self.decode(z_i, z_e), batch.images),
        }

    def group_posterior(self, q: Posterior, same: Tensor) -> Posterior:
        """Return the posterior of each frame's group, (B, Z): the normalised product of its frames' Gaussians.

        Its precision is the sum of theirs, and its mean their precision-weighted mean (Bouchacourt et al., 2018,
        section 3).

        Args:
            q: the posterior of each frame, (B, Z).
            same: (B, B) whether two frames are of one subject.
        """
        # (B, B, Z), over the group in dim 1
        log_precision = torch.where(same[:, :, None], -q.logvar, -torch.inf)
        return Posterior((log_precision.softmax(1) * q.mean).sum(1), -log_precision.logsumexp(1))
