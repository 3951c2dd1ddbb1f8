"""Altered views of an image: another light, another place, other surroundings, the same expression.

Not of the paper. After Chen et al. (2020), "A Simple Framework for Contrastive Learning of Visual Representations", but
gentle: what is cut out, blurred or moved by more than a smile moves takes the expression with it.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

BRIGHTNESS, TINT = 4 / 3, 1.2  # of light 1: factors, either way; contrast and gamma as brightness
TURN, SHIFT, SCALE = math.radians(4), 0.025, 1.04  # of placement 1: shift in image sides, scale as a factor
CENTRE = 0.1  # most by which the middle of the ellipse that keeps the face is off, in image sides
RADII = (0.55, 0.9), (0.7, 1.05)  # of the ellipse, least and most, across and down, in half image sides
EDGE = 12.0  # how sharp its edge is
REPLACED = 0.8  # share of views whose surroundings are replaced


def altered(
    images: Tensor, *, light: float, placement: float, mirror: bool = False, surroundings: bool = False
) -> Tensor:
    """Return each image as it might have been taken another time.

    Args:
        images: (B, 3, S, S) in [0, 1]; faces in the middle, as omote prepares them.
        light: 1 changes brightness, contrast and gamma by up to 4/3 and each colour by up to 1.2, either way; another
            number takes these factors to its power, 0 leaves light alone.
        placement: 1 turns the face by up to 4 degrees, moves it by up to 2.5 % of the image and scales it by up to 4 %,
            either way; another number multiplies that, 0 leaves the face where it is. What comes in repeats the border.
        mirror: mirrors every image with probability 1/2.
        surroundings: paints what is outside an ellipse round the face in one colour, in 4 of 5 images: frames of one
            clip share their background, and could be told from other clips by it.
    Returns:
        (B, 3, S, S) in [0, 1], drawn by torch's global random state.
    """
    made = _placed(images, placement, mirror) if placement or mirror else images
    made = _lit(made, light) if light else made
    return _with_other_surroundings(made) if surroundings else made


def _lit(images: Tensor, light: float) -> Tensor:
    brightness = _factors(images, BRIGHTNESS**light, 1) * _factors(images, TINT**light, 3)
    contrast, gamma = _factors(images, BRIGHTNESS**light, 1), _factors(images, BRIGHTNESS**light, 1)
    grey = images.mean((1, 2, 3), keepdim=True)
    return ((grey + contrast * (images - grey)) * brightness).clamp(1e-4, 1) ** gamma


def _placed(images: Tensor, placement: float, mirror: bool) -> Tensor:
    turn = placement * TURN * _even(images, 1)[:, 0]
    shift = 2 * placement * SHIFT * _even(images, 2)  # the grid is 2 wide
    scale = _factors(images, SCALE**placement, 1).flatten()
    side = torch.where(torch.rand_like(turn) < 0.5, -1.0, 1.0) if mirror else torch.ones_like(turn)
    cos, sin = scale * turn.cos(), scale * turn.sin()
    across = torch.stack([side * cos, -side * sin, shift[:, 0]], 1)
    down = torch.stack([sin, cos, shift[:, 1]], 1)
    with torch.autocast(images.device.type, enabled=False):  # bfloat16 places a pixel to 0.05 pixels
        grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
        last = 1 - 1 / images.shape[-1]  # the middle of the last pixel: beyond it the border is repeated
        return F.grid_sample(images, grid.clamp(-last, last), align_corners=False)


def _with_other_surroundings(images: Tensor) -> Tensor:
    count, _, size, _ = images.shape
    place = torch.linspace(-1, 1, size, device=images.device)
    middle = 2 * CENTRE * _even(images, 2)[:, :, None]
    least, most = torch.tensor(RADII, device=images.device).T
    radii = (least + (most - least) * torch.rand(count, 2, device=images.device))[:, :, None]
    across, down = (((place - middle) / radii) ** 2).unbind(1)  # (B, S) each
    radius = (across[:, None, :] + down[:, :, None]).sqrt()
    face = torch.sigmoid(EDGE * (1 - radius))[:, None]
    whole = torch.rand(count, 1, 1, 1, device=images.device) >= REPLACED
    face = torch.where(whole, 1.0, face)
    return face * images + (1 - face) * torch.rand(count, 3, 1, 1, device=images.device)


def _even(images: Tensor, numbers: int) -> Tensor:
    """Return (B, numbers) evenly drawn between -1 and 1."""
    return 2 * torch.rand(len(images), numbers, device=images.device) - 1


def _factors(images: Tensor, most: float, channels: int) -> Tensor:
    """Return (B, channels, 1, 1) factors between 1 / most and most, even on the logarithm."""
    return (_even(images, channels) * math.log(most)).exp()[:, :, None, None]
