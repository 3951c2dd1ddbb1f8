"""Row 8 of Table 3: a conditional VAE (Sohn et al., 2015), which is given the subject of each image."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from omote.methods.vae import Vae
from omote.models.encoder import Posterior


class Cvae(Vae):
    """`Vae` whose encoder and decoder also get the subject, one-hot, so that the code need not contain it.

    The identity code is this one-hot vector, so the method cannot be used on other people than the training subjects.
    """

    needs_subject = True
    has_identity = True

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        posterior: Posterior = self.encoder(images, self.identify(images, subjects).mean)
        return posterior

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        assert subjects is not None, "a method with needs_subject has to be given the subjects"
        one_hot = F.one_hot(subjects, self.num_subjects).float()
        return Posterior(one_hot, torch.full_like(one_hot, -math.inf))

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        images: Tensor = self.decoder(torch.cat([z_i, z_e], 1))
        return images
