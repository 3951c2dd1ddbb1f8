"""What a method is: a module that says what is trained when, and nothing about loops, devices or files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from omote.models.blocks import Activation, Normalisation
from omote.models.encoder import Posterior
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import binary_cross_entropy, mean_squared_error


@dataclass
class Batch:
    """What a phase sees of a training step.

    Attributes:
        images: (B, 3, S, S) x, in [0, 1].
        same_subject: (B, 3, S, S) x_rand_id, for each image a random one of the same subject.
        partner: (B,) index into the batch of an image of another subject.
        has_partner: (B,) 1.0, or 0.0 where the whole batch is of one subject.
        subjects: (B,) int64 number of each image's subject among the people of the training.
        remembered: what the networks that the stage leaves alone say of the images, by name (see `Stage`).
        scratch: what an earlier phase of the same step leaves to a later one.
    """

    images: Tensor
    same_subject: Tensor
    partner: Tensor
    has_partner: Tensor
    subjects: Tensor
    remembered: dict[str, Posterior] = field(default_factory=dict)
    scratch: dict[str, Tensor] = field(default_factory=dict)


Terms = dict[str, Tensor]  # name -> (B,), already weighted; their sum, averaged over the batch, is minimised


@dataclass(frozen=True)
class Phase:
    """One optimiser step inside a stage.

    Attributes:
        name: unique among the phases of a stage.
        trains: the modules it moves; every other module stays as it is.
        learning_rate: of Adam, in the stage's first epoch.
        terms: the objective; reading its dict top to bottom is reading the paper's equation.
    """

    name: str
    trains: tuple[nn.Module, ...]
    learning_rate: float
    terms: Callable[[Batch], Terms]


@dataclass(frozen=True)
class Stage:
    """A part of the schedule: ``epochs`` passes over the training frames, every phase once a batch.

    Modules that no phase of the stage trains are frozen: in evaluation mode, their BatchNorm statistics included. Those
    that some phase trains are in training mode in all its phases. ``frames_per_subject`` frames of one subject come
    into a batch together, where they are to be compared; 1 mixes all frames alike. ``remembers`` names what frozen
    modules read off images: it is the same in every epoch, so the loop reads it once, when the stage begins.
    """

    name: str
    epochs: int
    phases: tuple[Phase, ...]
    frames_per_subject: int = 1
    remembers: dict[str, Callable[[Tensor], Posterior]] = field(default_factory=dict)


class MethodOptions(BaseModel):
    """Options that every method has; the defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(100, ge=1, description="epochs a stage; the paper takes 50 where stages are iterated")
    learning_rate: float = Field(
        5e-4, gt=0, description="of Adam (0.9, 0.999, 1e-8), in the first epoch of a stage"
    )
    latent_size: int = Field(64, ge=1, description="numbers in each code")
    width: int = Field(32, ge=8, multiple_of=4, description="channels of the first block; the paper's is 32")
    activation: Activation = Field("leaky_relu", description="in encoders, decoder and discriminator")
    normalisation: Normalisation = Field("batch", description="in encoders and decoder")


class GenerativeOptions(MethodOptions):
    """Options of every method that makes images; the defaults are those of Table 3 (PAPER.md names the readings)."""

    reconstruction_weight: float = Field(1e5, ge=0, description="alpha_2, on the squared error of a pixel")
    kl_weight: float = Field(0.01, ge=0, description="alpha_1, on the divergence summed over the code")
    weights: Literal["swapped", "printed"] = Field(
        "swapped",
        description='"printed" gives each of the two terms the other\'s weight, as the paper prints it',
    )
    resolution_invariant: bool = Field(
        False, description="divide the KL weight by (S / 64)^2, so that 128 px has the balance of 64 px"
    )
    kl_reduction: Literal["mean", "batch_sum"] = Field(
        "mean", description="over the batch; a Chainer default sums"
    )
    likelihood: Literal["mse", "bce"] = Field("mse", description="Gaussian or Bernoulli p(x|z)")


class Method(nn.Module):
    """A model and how it is trained.

    Args:
        image_size: S, 64 or 128.
        options: an instance of the class's ``Options``.
        num_subjects: how many people the training has; most methods do not use it.
    """

    Options: ClassVar[type[MethodOptions]] = MethodOptions
    needs_subject: ClassVar[bool] = (
        False  # whether it reads images of people of the training only, told who they are
    )
    has_decoder: ClassVar[bool] = True  # without one it reads codes and makes no images

    def __init__(self, image_size: int, options: MethodOptions, num_subjects: int = 0) -> None:
        super().__init__()
        self.image_size = image_size
        self.common = options
        self.num_subjects = num_subjects

    def stages(self) -> list[Stage]:
        """Return the schedule, in order."""
        raise NotImplementedError

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        """Return mean and log variance, (B, Z) each, of the expression code of (B, 3, S, S) images in [0, 1].

        ``subjects``, (B,) as in `Batch`, is read where ``needs_subject``, and by no other method.
        """
        raise NotImplementedError

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        """Return mean and log variance of the identity code; (B, 0) where the method has none."""
        raise NotImplementedError

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        """Return (B, 3, S, S) images in [0, 1] from identity codes and expression codes, where it ``has_decoder``."""
        raise NotImplementedError

    def network_options(self) -> dict[str, Any]:
        """Return the options that encoders and decoder share."""
        c = self.common
        return {"width": c.width, "activation": c.activation, "normalisation": c.normalisation}


class Generative(Method):
    """A method with a decoder: the two terms of the paper's Eqs. 1 and 2, with their weights."""

    Options: ClassVar[type[MethodOptions]] = GenerativeOptions

    def __init__(self, image_size: int, options: GenerativeOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.common: GenerativeOptions = options

    def kl(self, posterior: Posterior) -> Tensor:
        """Return alpha_1 KL(q(z|x) || N(0, I)), (B,): the first term of Eqs. 1 and 2."""
        c = self.common
        alpha_1 = c.kl_weight if c.weights == "swapped" else c.reconstruction_weight
        if c.resolution_invariant:
            alpha_1 /= (self.image_size / 64) ** 2
        if c.kl_reduction == "batch_sum":
            alpha_1 *= len(posterior.mean)
        return alpha_1 * gaussian_kl(posterior.mean, posterior.logvar)

    def reconstruction(self, made: Tensor, target: Tensor) -> Tensor:
        """Return -alpha_2 log p(target|z), (B,), up to a constant: the second term of Eqs. 1 and 2."""
        c = self.common
        # Departs from the paper: the two printed weights are swapped, because as printed the code collapses
        # (KL 0, nothing reconstructed); see docs/paper_map.md
        alpha_2 = c.reconstruction_weight if c.weights == "swapped" else c.kl_weight
        error = mean_squared_error if c.likelihood == "mse" else binary_cross_entropy
        return alpha_2 * error(made, target)


def sample(posterior: Posterior) -> Tensor:
    """Return (B, Z) z ~ q(z|x) by the reparameterisation trick (Kingma & Welling, 2014)."""
    return posterior.mean + (0.5 * posterior.logvar).exp() * torch.randn_like(posterior.mean)
