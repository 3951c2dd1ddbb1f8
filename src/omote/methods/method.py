"""The contract of a method: a module that states what is trained when, without loops, devices or files."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from omote.models.blocks import Activation, Normalisation
from omote.models.encoder import Posterior
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import binary_cross_entropy, mean_squared_error
from omote.objectives.views import augment


@dataclass
class Batch:
    """The input of every phase of a training step.

    Attributes:
        images: (B, 3, S, S) x, in [0, 1].
        same_subject: (B, 3, S, S) x_rand_id, a random image of the same subject for each image.
        partner: (B,) index into the batch of an image of another subject.
        has_partner: (B,) 1.0, or 0.0 if the whole batch is of one subject.
        subjects: (B,) int64 index of each image's subject in the list of training subjects.
        cached_posteriors: posteriors of the images by the stage's ``frozen_encoders``, by name.
        subject_means: (B, Z) mean of the posterior means over all training frames of each image's subject, by name.
        scratch: tensors that an earlier phase of the same step leaves for a later one.
    """

    images: Tensor
    same_subject: Tensor
    partner: Tensor
    has_partner: Tensor
    subjects: Tensor
    cached_posteriors: dict[str, Posterior] = field(default_factory=dict)
    subject_means: dict[str, Tensor] = field(default_factory=dict)
    scratch: dict[str, Tensor] = field(default_factory=dict)


Encode = Callable[[Tensor], Posterior]  # images -> their codes
Terms = dict[str, Tensor]  # name -> (B,), weighted; the loop minimises the batch mean of their sum


@dataclass(frozen=True)
class Phase:
    """One optimiser step inside a stage.

    Attributes:
        name: unique among the phases of a stage.
        trains: the modules to update; all others are unchanged.
        learning_rate: of Adam, in the stage's first epoch.
        betas: of Adam: how fast its averages of the gradient and of its square forget.
        decay: how fast the learning rate falls from epoch to epoch, 1 as the configuration says; 0 keeps it constant.
        average: a module with the parameters of `trains`, which become a moving average of theirs over the steps.
        terms: the objective; reading its dict top to bottom is reading the paper's equation.
    """

    name: str
    trains: tuple[nn.Module, ...]
    learning_rate: float
    terms: Callable[[Batch], Terms]
    betas: tuple[float, float] = (0.9, 0.999)  # paper: section 5.1
    decay: float = 1.0
    average: nn.Module | None = None


@dataclass(frozen=True)
class Stage:
    """A part of the schedule.

    Modules that no phase trains are frozen: they are in evaluation mode, so their BatchNorm statistics do not change
    either. Modules that some phase trains are in training mode in all phases.

    Attributes:
        name: used in logs and messages.
        epochs: passes over the training frames.
        phases: the optimiser steps for each batch, in order.
        frames_per_subject: number of frames of a subject that are put into a batch together, for terms that compare
            them; 1 shuffles all frames.
        frozen_encoders: frozen encoders by name. Their posteriors do not change during the stage, so the loop computes
            them once, for `Batch.cached_posteriors` and `Batch.subject_means`.
        during: a context that the stage runs in, for modules that exist only then. It is entered before the posteriors
            are computed and before a checkpoint of the stage is read.
    """

    name: str
    epochs: int
    phases: tuple[Phase, ...]
    frames_per_subject: int = 1
    frozen_encoders: Mapping[str, Encode] = field(default_factory=dict)
    during: Callable[[], AbstractContextManager[None]] = nullcontext


class MethodOptions(BaseModel):
    """Options of every method; the defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(
        100, ge=1, le=10**6, description="epochs per stage; 50 in the paper if stages are repeated"
    )
    learning_rate: float = Field(5e-4, gt=0, description="of Adam, in the first epoch of a stage")
    latent_size: int = Field(64, ge=1, le=4096, description="numbers in each code")
    width: int = Field(
        32, ge=8, le=1024, multiple_of=4, description="channels of the first block; 32 in the paper"
    )
    activation: Activation = Field("leaky_relu", description="in encoders, decoder and discriminator")
    normalisation: Normalisation = Field("batch", description="in encoders and decoder")


class GenerativeOptions(MethodOptions):
    """Options of every method with a decoder; the defaults are those of Table 3 (see docs/paper_map.md)."""

    reconstruction_weight: float = Field(1e5, ge=0, description="alpha_2, on the squared error per pixel")
    # the paper's 0.01 on the sum over its batch of 64; as a mean, samples of the prior are no faces (docs/log.md)
    kl_weight: float = Field(0.64, ge=0, description="alpha_1, on the KL divergence summed over the code")
    weights: Literal["swapped", "printed"] = Field(
        "swapped", description='"printed" exchanges the two weights, as the paper prints them'
    )
    resolution_invariant: bool = Field(
        False, description="divide the KL weight by (S / 64)^2, so that 128 px has the balance of 64 px"
    )
    kl_reduction: Literal["mean", "batch_sum"] = Field("mean", description="over the batch")
    likelihood: Literal["mse", "bce"] = Field("mse", description="Gaussian or Bernoulli p(x|z)")
    encode_views: bool = Field(
        False, description="encode an altered view of each image, and reconstruct the image as it is"
    )


class Method(nn.Module):
    """A model and its training schedule.

    Args:
        image_size: S, 64 or 128.
        options: an instance of the class's ``Options``.
        num_subjects: number of training subjects; most methods do not use it.
    """

    Options: ClassVar[type[MethodOptions]] = MethodOptions
    options: MethodOptions  # a subclass that has its own Options declares it again
    needs_subject: ClassVar[bool] = False  # whether encoding needs the subject, one of the training subjects
    has_identity: ClassVar[bool] = False  # whether there is an identity code
    has_decoder: ClassVar[bool] = True  # whether codes can be decoded to images

    def __init__(self, image_size: int, options: MethodOptions, num_subjects: int = 0) -> None:
        super().__init__()
        self.image_size = image_size
        self.options = options
        self.num_subjects = num_subjects

    def stages(self) -> list[Stage]:
        """Return the schedule, in order."""
        raise NotImplementedError

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        """Return mean and log variance, (B, Z) each, of the expression code of (B, 3, S, S) images in [0, 1].

        ``subjects``, (B,) as in `Batch`, is ignored unless ``needs_subject``.
        """
        raise NotImplementedError

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        """Return mean and log variance of the identity code, (B, Z) each; (B, 0) unless ``has_identity``."""
        nothing = images.new_zeros(len(images), 0)
        return Posterior(nothing, nothing)

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        """Return (B, 3, S, S) images in [0, 1] from identity and expression codes, if ``has_decoder``."""
        raise NotImplementedError

    def decode_coarse(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        """Return images as `decode`, without the detail that a method adds last."""
        return self.decode(z_i, z_e)

    def network_options(self) -> dict[str, Any]:
        """Return the options shared by encoders and decoder."""
        c = self.options
        return {"width": c.width, "activation": c.activation, "normalisation": c.normalisation}


class Generative(Method):
    """A method with a decoder: provides the two terms of Eqs. 1 and 2, weighted."""

    Options: ClassVar[type[MethodOptions]] = GenerativeOptions
    options: GenerativeOptions

    def to_encode(self, images: Tensor) -> Tensor:
        """Return what an encoder reads of (B, 3, S, S) images: the images, or views with ``options.encode_views``.

        Not in the paper. It gives every method the views of `Contrast`, with the default strength.
        """
        if not self.options.encode_views:
            return images
        return augment(images, light=1.0, placement=1.0, mirror=True, surroundings=True)

    def kl(self, posterior: Posterior) -> Tensor:
        """Return alpha_1 KL(q(z|x) || N(0, I)), (B,). Paper: Eqs. 1 and 2, first term."""
        c = self.options
        alpha_1 = c.kl_weight if c.weights == "swapped" else c.reconstruction_weight
        if c.resolution_invariant:
            alpha_1 /= (self.image_size / 64) ** 2
        if c.kl_reduction == "batch_sum":
            alpha_1 *= len(posterior.mean)
        return alpha_1 * gaussian_kl(posterior.mean, posterior.logvar)

    def reconstruction(self, output: Tensor, target: Tensor) -> Tensor:
        """Return -alpha_2 log p(target|z) up to a constant, (B,). Paper: Eqs. 1 and 2, second term."""
        c = self.options
        # Departs from the paper: the two printed weights are swapped, because as printed the code collapses
        # (KL 0, nothing reconstructed); see docs/paper_map.md
        alpha_2 = c.reconstruction_weight if c.weights == "swapped" else c.kl_weight
        error = mean_squared_error if c.likelihood == "mse" else binary_cross_entropy
        return alpha_2 * error(output, target)


def sample(posterior: Posterior) -> Tensor:
    """Return z ~ q(z|x), (B, Z), by the reparameterisation trick (Kingma & Welling, 2014)."""
    return posterior.mean + (0.5 * posterior.logvar).exp() * torch.randn_like(posterior.mean)
