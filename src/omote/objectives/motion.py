"""Motion within a subject: the change of the code from one frame to another has to move the one face into the other.

Not in the paper. That images of a face can be predicted by moving another one, without labels, is from Wiles et al.
(2018), "Self-supervised learning of a facial attribute embedding from video". There, a network moves them, and it may
treat each face in its own way; here the map from the change of the code is linear (`omote.models.motion`), so that the
same change is the same movement in everybody.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# Half width and half height of the ellipse that counts, in half image sides. It fits faces cut out with the default
# margin; with a wider one, some background counts, too.
FACE = (0.62, 0.9)
BELOW = 0.05  # how far its centre lies below the middle, in half image sides
EDGE = 12.0  # steepness of its soft edge


def other_frames(subjects: Tensor) -> tuple[Tensor, Tensor]:
    """Return a random other frame of the same subject for each frame of a batch.

    Args:
        subjects: (B,) subject number of each frame.
    Returns:
        (B,) indices into the batch, and (B,) 1.0, or 0.0 where a frame is its subject's only one and its own index is
        given. Uses torch's global random state.
    """
    same = (subjects[:, None] == subjects).fill_diagonal_(False)
    has_other = same.any(1)
    # no torch.multinomial, which makes a GPU wait
    other = torch.where(same, torch.rand(same.shape, device=same.device), -1).argmax(1)
    return torch.where(has_other, other, torch.arange(len(same), device=same.device)), has_other.float()


def motion_error(moved: Tensor, faces: Tensor) -> Tensor:
    """Return the mean absolute difference of colours, plus that of their means over 2x2 pixels, (B,).

    Differences outside an ellipse round the face count as 0. The second mean sees a movement that is wrong by more than
    a pixel better than the first.

    Args:
        moved: (B, 3, M, M) faces that were moved to look like ``faces``, M even.
        faces: (B, 3, M, M) in [0, 1].
    """
    size = faces.shape[-1]
    centre = (torch.arange(size, device=faces.device) + 0.5) * (2 / size) - 1
    radius = ((centre / FACE[0]) ** 2 + ((centre - BELOW) / FACE[1]).square()[:, None]).sqrt()
    error = (moved - faces) * torch.sigmoid(EDGE * (1 - radius))
    return error.abs().mean((1, 2, 3)) + F.avg_pool2d(error, 2).abs().mean((1, 2, 3))
