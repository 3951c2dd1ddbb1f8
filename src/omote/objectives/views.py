"""Augmented views of a face image: other light, placement and background, the same expression.

Not in the paper. After Chen et al. (2020), "A Simple Framework for Contrastive Learning of Visual Representations", but
milder: strong crops, blur and shifts would change the expression too.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# At light 1: the largest factors, up or down; contrast and gamma change by up to the first one too.
BRIGHTNESS, TINT = 4 / 3, 1.2
# At placement 1: the largest rotation, shift in image sides, and scaling, up or down.
TURN, SHIFT, SCALE = math.radians(4), 0.025, 1.04
CENTRE = 0.1  # largest offset of the face ellipse from the image centre, in image sides
RADII = (
    (0.55, 0.9),
    (0.7, 1.05),
)  # smallest and largest, horizontal and vertical, of the ellipse, in half image sides
EDGE = 12.0  # steepness of the ellipse's soft edge
REPLACED = 0.8  # proportion of views whose background is replaced


def augment(
    images: Tensor, *, light: float, placement: float, mirror: bool = False, surroundings: bool = False
) -> Tensor:
    """Return a random view of each image.

    Args:
        images: (B, 3, S, S) in [0, 1]; faces in the middle, as omote prepares them.
        light: 1 scales brightness, contrast and gamma by factors of up to 4/3 and each colour by up to 1.2, up or down;
            other values are exponents of these factors, so 0 changes nothing.
        placement: 1 rotates by up to 4 degrees, shifts by up to 2.5 % of the image and scales by up to 4 %; other
            values multiply these, so 0 changes nothing. Border pixels are repeated where the image is moved in.
        mirror: mirror each image with probability 1/2.
        surroundings: in 4 of 5 images, replace everything outside an ellipse round the face by one colour. Frames of a
            clip share their background, so the background alone would identify the clip.
    Returns:
        (B, 3, S, S) in [0, 1]. Uses torch's global random state.
    """
    views = _jitter_placement(images, placement, mirror) if placement or mirror else images
    views = _jitter_light(views, light) if light else views
    return _replace_surroundings(views) if surroundings else views


def _jitter_light(images: Tensor, light: float) -> Tensor:
    brightness = _factors(images, BRIGHTNESS**light, 1) * _factors(images, TINT**light, 3)
    contrast, gamma = _factors(images, BRIGHTNESS**light, 1), _factors(images, BRIGHTNESS**light, 1)
    grey = images.mean((1, 2, 3), keepdim=True)
    # (grey + contrast * (images - grey)) * brightness, in one pass
    changed = torch.addcmul(grey * (1 - contrast) * brightness, images, contrast * brightness)
    return changed.clamp_(1e-4, 1).pow_(gamma)


def _jitter_placement(images: Tensor, placement: float, mirror: bool) -> Tensor:
    turn = placement * TURN * _uniform(images, 1)[:, 0]
    shift = 2 * placement * SHIFT * _uniform(images, 2)  # the grid is 2 wide
    scale = _factors(images, SCALE**placement, 1).flatten()
    side = torch.where(torch.rand_like(turn) < 0.5, -1.0, 1.0) if mirror else torch.ones_like(turn)
    cos, sin = scale * turn.cos(), scale * turn.sin()
    across = torch.stack([side * cos, -side * sin, shift[:, 0]], 1)
    down = torch.stack([sin, cos, shift[:, 1]], 1)
    with torch.autocast(images.device.type, enabled=False):  # bfloat16 is off by up to 0.05 pixels
        grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
        last = 1 - 1 / images.shape[-1]  # the centre of the last pixel; beyond it the border is repeated
        return F.grid_sample(images, grid.clamp(-last, last), align_corners=False)


def _replace_surroundings(images: Tensor) -> Tensor:
    count, _, size, _ = images.shape
    position = torch.linspace(-1, 1, size, device=images.device)
    centre = 2 * CENTRE * _uniform(images, 2)[:, :, None]
    least, most = torch.tensor(RADII, device=images.device).T
    radii = (least + (most - least) * torch.rand(count, 2, device=images.device))[:, :, None]
    across, down = (((position - centre) / radii) ** 2).unbind(1)  # (B, S) each
    radius = (across[:, None, :] + down[:, :, None]).sqrt()
    face = torch.sigmoid(EDGE * (1 - radius))[:, None]
    unchanged = torch.rand(count, 1, 1, 1, device=images.device) >= REPLACED
    face = torch.where(unchanged, 1.0, face)
    return torch.lerp(torch.rand(count, 3, 1, 1, device=images.device), images, face)


def _uniform(images: Tensor, numbers: int) -> Tensor:
    """Return (B, numbers) uniform draws from [-1, 1]."""
    return 2 * torch.rand(len(images), numbers, device=images.device) - 1


def _factors(images: Tensor, most: float, channels: int) -> Tensor:
    """Return (B, channels, 1, 1) factors from 1 / most to most, log-uniform."""
    return (_uniform(images, channels) * math.log(most)).exp()[:, :, None, None]
