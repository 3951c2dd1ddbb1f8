"""What a change of the expression code does to a face: a linear map, the same for everybody. Not in the paper."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

GRID = 16  # places along a side that have a displacement and a change of colour of their own


class Motion(nn.Module):
    """A change of the expression code -> how far each place of a face moves, and how its colour changes.

    Both maps are linear and have no bias: no change of the code leaves a face as it is, and the same change moves all
    faces alike. Before its training, no change moves anything.
    """

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.displacement, self.colour = (
            skip_init(nn.Linear, latent_size, count * GRID**2, bias=False) for count in (2, 3)
        )
        nn.init.zeros_(self.displacement.weight)
        nn.init.zeros_(self.colour.weight)

    def forward(self, faces: Tensor, change: Tensor) -> Tensor:
        """Return (B, 3, M, M) faces in [0, 1], moved as (B, Z) changes of their codes say.

        Displacements are in half sides of an image, and say for each place where its colour comes from; beyond the
        border, the border is repeated. The result may leave [0, 1] where colours change.
        """
        size = faces.shape[-1]
        with torch.autocast(faces.device.type, enabled=False):  # bfloat16 is off by up to 0.05 pixels
            displacement, colour = (
                F.interpolate(
                    values.float().unflatten(1, (-1, GRID, GRID)), size=(size, size), mode="bilinear"
                )
                for values in (self.displacement(change.float()), self.colour(change.float()))
            )
            centre = (torch.arange(size, device=faces.device) + 0.5) * (2 / size) - 1
            down, across = torch.meshgrid(centre, centre, indexing="ij")
            grid = torch.stack([across, down], 2) + displacement.permute(0, 2, 3, 1)
            last = 1 - 1 / size  # the centre of the last pixel
            moved = F.grid_sample(faces.float(), grid.clamp(-last, last), align_corners=False)
        return moved + colour
