"""A subject-adversarial VAE: a classifier looks for the subject in the expression code, and the encoder hides it.

Gradient reversal (Ganin et al., 2016, "Domain-Adversarial Training of Neural Networks") as two phases, in an
autoencoder as in Fader Networks (Lample et al., 2017). Its classifier is of no use after the training.
"""

import math
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from omote.methods.method import Batch, GenerativeOptions, MethodOptions, Phase, Stage, Terms, sample
from omote.methods.two_codes import TwoCodes
from omote.models.blocks import activation_layer, initialise

CLASSIFIER_WIDTH = 256


class AdversarialVaeOptions(GenerativeOptions):
    """Options of the subject-adversarial VAE."""

    adversarial_weight: float = Field(
        1000.0, ge=0, description="of a subject-adversarial VAE, on being recognised by its expression code"
    )


class AdversarialVae(TwoCodes):
    """z_i is of a random image of the subject, so says little of the expression; z_e pays where it tells who it is."""

    Options: ClassVar[type[MethodOptions]] = AdversarialVaeOptions

    def __init__(self, image_size: int, options: AdversarialVaeOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.options = options
        self.classifier = nn.Sequential(
            # of the code's direction: else the encoder could hide by making all of it small
            nn.RMSNorm(options.latent_size, elementwise_affine=False),
            nn.Linear(options.latent_size, CLASSIFIER_WIDTH),
            activation_layer(options.activation),
            nn.Linear(CLASSIFIER_WIDTH, num_subjects),
        )
        initialise(self.classifier, options.activation)

    def stages(self) -> list[Stage]:
        c = self.options
        trains = (self.identity_encoder, self.expression_encoder, self.decoder)
        generator = Phase("generator", trains, c.learning_rate, self.generator_terms)
        classifier = Phase("classifier", (self.classifier,), c.learning_rate, self.classifier_terms)
        return [Stage("adversarial", c.epochs, (generator, classifier))]

    def generator_terms(self, batch: Batch) -> Terms:
        """Return what encoders and decoder pay, each term (B,).

        Being recognised is KL(uniform || p(subject | z_e)), which is least, 0, where the classifier cannot say. Less
        the classifier's own cross entropy, which gradient reversal takes, has no least value: being mistaken ever more
        surely for one and the same stranger would pay for ever.
        """
        q_i, q_e = self.identify(batch.same_subject), self.represent(batch.images)
        batch.scratch["z_e"] = q_e.mean.detach()
        made = self.decode(sample(q_i), sample(q_e))
        return {
            "kl_identity": self.kl(q_i),
            "kl": self.kl(q_e),
            "reconstruction": self.reconstruction(made, batch.images),
            "recognised": self.options.adversarial_weight * told_apart(self.classifier(q_e.mean)),
        }

    def classifier_terms(self, batch: Batch) -> Terms:
        """Return -log p(subject | z_e), (B,), of the mean codes of the generator's phase, made before its step."""
        logits = self.classifier(batch.scratch["z_e"])
        return {"subject": F.cross_entropy(logits.float(), batch.subjects, reduction="none")}


def told_apart(logits: Tensor) -> Tensor:
    """Return KL(uniform || softmax(logits)) in nats, (B,), of (B, N) logits: 0 where all N are as likely."""
    log_probs = logits.float().log_softmax(1)
    return -log_probs.mean(1) - math.log(logits.shape[1])
