"""The switch loss (Eq. 4): the codes of a swapped image, read back, are the codes it was made from."""

from torch import Tensor

from omote.objectives.reconstruction import mean_squared_error


def code_distance(read_back: Tensor, code: Tensor, *, target_gradient: bool = False) -> Tensor:
    """Return MSE(z, z') per image; Eq. 4 is the sum of two, one for z_i and one for z_e^d.

    Args:
        read_back: (B, Z) z', the code that an encoder reads from the swapped image.
        code: (B, Z) z, the code that the image was made from.
        target_gradient: whether ``code`` is moved too. Off by default: shrinking the code would lower the loss
            (PAPER.md, "z_e^d").
    Returns:
        (B,) non-negative, averaged over the code.
    """
    return mean_squared_error(read_back, code if target_gradient else code.detach())
