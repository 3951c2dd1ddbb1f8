"""A subject-adversarial VAE: a classifier predicts the subject from the expression code, and the encoder prevents it.

Gradient reversal (Ganin et al., 2016, "Domain-Adversarial Training of Neural Networks") as two phases, in an
autoencoder as in Fader Networks (Lample et al., 2017). The classifier is not used after training.
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

    adversarial_weight: float = Field(1000.0, ge=0, description="on the term that hides the subject")


class AdversarialVae(TwoCodes):
    """z_i comes from another image of the subject, so it has little expression; z_e is trained to hide the subject."""

    Options: ClassVar[type[MethodOptions]] = AdversarialVaeOptions
    options: AdversarialVaeOptions

    def __init__(self, image_size: int, options: AdversarialVaeOptions, num_subjects: int = 0) -> None:
        super().__init__(image_size, options, num_subjects)
        self.classifier = nn.Sequential(
            # normalises the length, because otherwise a short code could hide the subject
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
        """Return the objective of encoders and decoder, each term (B,).

        The adversarial term is KL(uniform || p(subject | z_e)), which has its minimum, 0, where the classifier cannot
        tell the subjects apart. Gradient reversal uses the negative cross entropy of the classifier instead, which has
        no minimum: it keeps falling as the classifier becomes more certain of one wrong subject.
        """
        q_i = self.identify(self.to_encode(batch.same_subject))
        q_e = self.represent(self.to_encode(batch.images))
        batch.scratch["z_e"] = q_e.mean.detach()
        output = self.decode(sample(q_i), sample(q_e))
        return {
            "kl_identity": self.kl(q_i),
            "kl": self.kl(q_e),
            "reconstruction": self.reconstruction(output, batch.images),
            "recognised": self.options.adversarial_weight * kl_from_uniform(self.classifier(q_e.mean)),
        }

    def classifier_terms(self, batch: Batch) -> Terms:
        """Return -log p(subject | z_e), (B,), for the mean codes that the generator's phase left in the batch."""
        logits = self.classifier(batch.scratch["z_e"])
        return {"subject": F.cross_entropy(logits.float(), batch.subjects, reduction="none")}


def kl_from_uniform(logits: Tensor) -> Tensor:
    """Return KL(uniform || softmax(logits)) in nats, (B,), of (B, N) logits; 0 if all N are equally likely."""
    log_probs = logits.float().log_softmax(1)
    return -log_probs.mean(1) - math.log(logits.shape[1])
