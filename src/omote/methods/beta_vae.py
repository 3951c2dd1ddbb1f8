"""beta-VAE (Higgins et al., 2017): a VAE that pays more for its code."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from omote.methods.method import GenerativeOptions, MethodOptions
from omote.methods.vae import Vae
from omote.models.encoder import Posterior


class BetaVaeOptions(GenerativeOptions):
    """Options of the beta-VAE."""

    beta: float = Field(4.0, ge=0, description="of the beta-VAE, on alpha_1; 1 is a VAE")


class BetaVae(Vae):
    """`Vae` with beta times the divergence (Higgins et al., 2017, Eq. 4). Like it, it knows nothing of subjects."""

    Options: ClassVar[type[MethodOptions]] = BetaVaeOptions

    def __init__(self, image_size: int, options: BetaVaeOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options = options

    def kl(self, posterior: Posterior) -> Tensor:
        return self.options.beta * super().kl(posterior)
