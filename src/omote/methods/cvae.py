"""Row 8 of Table 3: a VAE that is told whose face it sees (conditional VAE, Sohn et al., 2015)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from omote.methods.vae import Vae
from omote.models.encoder import Posterior


class Cvae(Vae):
    """`Vae` whose encoder and decoder both take the subject, one-hot; the code need not tell who it is.

    Its identity code is that one-hot vector, given and not read, so it can say nothing of a person who is not of the
    training.
    """

    needs_subject = True

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        posterior: Posterior = self.encoder(images, self.identify(images, subjects).mean)
        return posterior

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        assert subjects is not None, "whoever calls a method with needs_subject gives the subjects"
        one_hot = F.one_hot(subjects, self.num_subjects).float()
        return Posterior(one_hot, torch.full_like(one_hot, -math.inf))

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        images: Tensor = self.decoder(torch.cat([z_i, z_e], 1))
        return images
