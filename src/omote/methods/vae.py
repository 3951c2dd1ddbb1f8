"""Row 6 of Table 3: a plain VAE, which uses no subjects."""

from torch import Tensor

from omote.methods.method import Batch, Generative, GenerativeOptions, Phase, Stage, Terms, sample
from omote.models.decoder import Decoder
from omote.models.encoder import Encoder, Posterior


class Vae(Generative):
    """One encoder, one code and one decoder. The code is scored as the expression code."""

    def __init__(self, image_size: int, options: GenerativeOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        size, shared = options.latent_size, self.network_options()
        condition_size = num_subjects if self.needs_subject else 0  # for `Cvae`
        self.encoder = Encoder(image_size, latent_size=size, condition_size=condition_size, **shared)
        self.decoder = Decoder(image_size, latent_size=condition_size + size, **shared)

    def stages(self) -> list[Stage]:
        phase = Phase("generator", (self.encoder, self.decoder), self.options.learning_rate, self.terms)
        return [Stage("vae", self.options.epochs, (phase,))]

    def terms(self, batch: Batch) -> Terms:
        """Return Eq. 2 with z_e alone, each term (B,)."""
        posterior = self.represent(self.to_encode(batch.images), batch.subjects)
        output = self.decode(self.identify(batch.images, batch.subjects).mean, sample(posterior))
        return {"kl": self.kl(posterior), "reconstruction": self.reconstruction(output, batch.images)}

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        posterior: Posterior = self.encoder(images)
        return posterior

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        images: Tensor = self.decoder(z_e)
        return images
