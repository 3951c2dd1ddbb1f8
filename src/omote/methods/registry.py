"""Every method by its name in the configuration."""

from omote.methods.conventional import Conventional
from omote.methods.cvae import Cvae
from omote.methods.method import Method
from omote.methods.proposed import Proposed
from omote.methods.vae import Vae

METHODS: dict[str, type[Method]] = {
    "vae": Vae,
    "cvae": Cvae,
    "conventional": Conventional,
    "proposed": Proposed,
}
