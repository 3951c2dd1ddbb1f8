"""GVAE, the group-based VAE (Hosoya, 2019): `MlVae` with averaged instead of multiplied identity posteriors."""

import torch
from torch import Tensor

from omote.methods.ml_vae import MlVae
from omote.models.encoder import Posterior


class Gvae(MlVae):
    """All frames of a group have equal weight, and more frames do not make the identity posterior narrower."""

    def group_posterior(self, q: Posterior, same: Tensor) -> Posterior:
        """Return the posterior of each frame's group, (B, Z): the averages of its frames' means and variances.

        Hosoya (2019) averages the encoder's outputs. Here the variances are averaged, not their logarithms, as in the
        comparison by Locatello et al. (2020, "Weakly-Supervised Disentanglement Without Compromises").

        Args:
            q: the posterior of each frame, (B, Z).
            same: (B, B) whether two frames are of one subject.
        """
        logvar = torch.where(same[:, :, None], q.logvar, -torch.inf)  # (B, B, Z), over the group in dim 1
        count = same.sum(1, keepdim=True)
        return Posterior((same[:, :, None] * q.mean).sum(1) / count, logvar.logsumexp(1) - count.log())
