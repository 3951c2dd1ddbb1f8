"""What a change of the expression code does to a face: a linear map, the same for everybody. Not in the paper."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GRID = 16  # places along a side that have a displacement and a change of colour of their own
# Times the change of the code. With 1, the codes became so small that the decoder and the switch loss hardly saw them.
SCALE = 0.1


class Motion(nn.Module):
    """A change of the expression code -> how far each place of a face moves, and how its colour changes.

    Both maps are linear and have no bias, so a change of zero leaves the face as it is, and the same change moves all
    faces alike. Before training, both maps are zero.
    """

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.displacement, self.colour = (
            nn.Parameter(torch.zeros(count * GRID**2, latent_size)) for count in (2, 3)
        )

    def forward(self, faces: Tensor, change: Tensor) -> Tensor:
        """Return (B, 3, M, M) faces in [0, 1], moved as (B, Z) changes of their codes say.

        Displacements are in half sides of an image, and say for each place where its colour comes from; beyond the
        border, the border is repeated. The result may leave [0, 1] where colours change.
        """
        size = faces.shape[-1]
        with torch.autocast(faces.device.type, enabled=False):  # bfloat16 is off by up to 0.05 pixels
            displacement, colour = (
                F.interpolate(
                    F.linear(SCALE * change.float(), weight).unflatten(1, (-1, GRID, GRID)),
                    size=(size, size),
                    mode="bilinear",
                )
                for weight in (self.displacement, self.colour)
            )
            still = torch.eye(2, 3, device=faces.device).expand(len(faces), 2, 3)
            grid = F.affine_grid(still, list(faces.shape), align_corners=False)
            last = 1 - 1 / size  # the centre of the last pixel
            grid = (grid + displacement.permute(0, 2, 3, 1)).clamp(-last, last)
            moved = F.grid_sample(faces.float(), grid, align_corners=False)
        return moved + colour
