"""beta-VAE (Higgins et al., 2017): a VAE with a larger weight on the KL divergence."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from omote.methods.method import GenerativeOptions, MethodOptions
from omote.methods.vae import Vae
from omote.models.encoder import Posterior


class BetaVaeOptions(GenerativeOptions):
    """Options of the beta-VAE."""

    beta: float = Field(4.0, ge=0, description="factor on alpha_1; 1 makes it a VAE")


class BetaVae(Vae):
    """`Vae` with beta times the KL divergence (Higgins et al., 2017, Eq. 4). It uses no subjects either."""

    Options: ClassVar[type[MethodOptions]] = BetaVaeOptions
    options: BetaVaeOptions

    def kl(self, posterior: Posterior) -> Tensor:
        return self.options.beta * super().kl(posterior)
