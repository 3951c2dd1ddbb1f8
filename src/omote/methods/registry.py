"""All methods by name. To add one: a file in this folder, a line here, and a test.

Methods are given as "module:Class", so that their names can be listed without loading torch.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omote.methods.method import Method

METHODS = {
    "omote": "omote.methods.omote:Omote",
    "contrast": "omote.methods.contrast:Contrast",
    "proposed": "omote.methods.proposed:Proposed",
    "conventional": "omote.methods.conventional:Conventional",
    "vae": "omote.methods.vae:Vae",
    "cvae": "omote.methods.cvae:Cvae",
    "beta_vae": "omote.methods.beta_vae:BetaVae",
    "ml_vae": "omote.methods.ml_vae:MlVae",
    "gvae": "omote.methods.gvae:Gvae",
    "adversarial_vae": "omote.methods.adversarial_vae:AdversarialVae",
}
DEFAULT_METHOD = "omote"


def method_class(name: str) -> "type[Method]":
    """Return the class of the method called ``name``.

    Raises:
        KeyError: If there is no such method.
    """
    cls: type[Method] = resolve_name(METHODS[name])
    return cls
