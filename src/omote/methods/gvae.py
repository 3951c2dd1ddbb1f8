"""GVAE, the group-based VAE (Hosoya, 2019): `MlVae` with the mean of what the frames say of the identity."""

import torch
from torch import Tensor

from omote.methods.ml_vae import MlVae
from omote.models.encoder import Posterior


class Gvae(MlVae):
    """A sure frame weighs no more than an unsure one, and many frames make the identity no surer than one."""

    def joined(self, q: Posterior, same: Tensor) -> Posterior:
        """Return the posterior of each frame's group, (B, Z): its frames' mean mean, and the mean of their variances.

        Hosoya (2019) averages what the encoder says of each frame. The variances are averaged, not their logarithms, as
        the comparison of Locatello et al. (2020, "Weakly-Supervised Disentanglement Without Compromises") does.

        Args:
            q: each frame's own posterior, (B, Z).
            same: (B, B) whether two frames are of one subject.
        """
        logvar = torch.where(same[:, :, None], q.logvar, -torch.inf)  # (B, B, Z), over the group in dim 1
        count = same.sum(1, keepdim=True)
        return Posterior((same[:, :, None] * q.mean).sum(1) / count, logvar.logsumexp(1) - count.log())
