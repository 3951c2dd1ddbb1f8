"""Every method by its name in the configuration."""

from omote.methods.adversarial_vae import AdversarialVae
from omote.methods.beta_vae import BetaVae
from omote.methods.contrast import Contrast
from omote.methods.conventional import Conventional
from omote.methods.cvae import Cvae
from omote.methods.gvae import Gvae
from omote.methods.method import Method
from omote.methods.ml_vae import MlVae
from omote.methods.omote import Omote
from omote.methods.proposed import Proposed
from omote.methods.vae import Vae

METHODS: dict[str, type[Method]] = {
    "omote": Omote,
    "contrast": Contrast,
    "proposed": Proposed,
    "conventional": Conventional,
    "vae": Vae,
    "cvae": Cvae,
    "beta_vae": BetaVae,
    "ml_vae": MlVae,
    "gvae": Gvae,
    "adversarial_vae": AdversarialVae,
}
