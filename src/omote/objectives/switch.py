"""The switch loss L_switch (Eq. 4): encoding a swapped image has to return the codes it was decoded from."""

from torch import Tensor

from omote.objectives.reconstruction import mean_squared_error


def code_distance(encoded: Tensor, code: Tensor, *, target_gradient: bool = False) -> Tensor:
    """Return MSE(z, z') per image; Eq. 4 is the sum of two, one for z_i and one for z_e^d.

    Args:
        encoded: (B, Z) z', the code of the swapped image.
        code: (B, Z) z, the code that the swapped image was decoded from.
        target_gradient: whether ``code`` gets a gradient too. Not by default, because shrinking the code would lower
            the loss (docs/paper_map.md).
    Returns:
        (B,) non-negative, averaged over the code.
    """
    return mean_squared_error(encoded, code if target_gradient else code.detach())
