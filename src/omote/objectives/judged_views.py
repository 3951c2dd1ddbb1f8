"""Altered views of images for the critic, through which a gradient reaches the painter.

After Zhao et al. (2020), "Differentiable Augmentation for Data-Efficient GAN Training": with few photos, a
critic that sees them unaltered learns them by heart. Each change leaves some images as they are, so that the painter
does not learn to draw the changes (Karras et al., 2020, "Training GANs with Limited Data"). No change
interpolates between pixels, which would blur the detail that is to be judged.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

CHANGED = 0.7  # proportion of images whose colours change, and whose position does
BRIGHTNESS, SATURATION, CONTRAST = 0.3, 1.0, 0.5  # largest changes: added, as a factor, as a factor
SHIFT = 0.1  # largest shift, in image sides
CUT, CUT_SIDE = 0.5, 0.375  # proportion of images with a grey square, and its side in image sides


def draw_judged_views(images: Tensor) -> Tensor:
    """Return a random view of each image: other colours, shifted, a part hidden, mirrored.

    Args:
        images: (B, 3, S, S) in [0, 1].
    Returns:
        (B, 3, S, S), about from -0.5 to 1.7, as changed colours are not cut. Uses torch's global random state.
    """
    mirrored = torch.where(_chosen(images, 0.5), images.flip(3), images)
    return _cut(_shift(_change_colours(mirrored)))


def _change_colours(images: Tensor) -> Tensor:
    brightness, saturation, contrast = (
        most * (2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1)
        for most in (BRIGHTNESS, SATURATION, CONTRAST)
    )
    grey = images.mean(1, keepdim=True)
    changed = grey + (1 + saturation) * (images - grey)
    mean = changed.mean((1, 2, 3), keepdim=True)
    changed = mean + (1 + contrast) * (changed - mean) + brightness
    return torch.where(_chosen(images, CHANGED), changed, images)


def _shift(images: Tensor) -> Tensor:
    count, _, size, _ = images.shape
    most = round(SHIFT * size)
    by = torch.randint(0, 2 * most + 1, (2, count), device=images.device)
    by = torch.where(_chosen(images, CHANGED).flatten(), by, most)
    padded = F.pad(images, (most,) * 4, mode="reflect")
    across, down = by[:, :, None] + torch.arange(size, device=images.device)  # (B, S) each
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)


def _cut(images: Tensor) -> Tensor:
    count, _, size, _ = images.shape
    position = torch.arange(size, device=images.device) / size
    centre = torch.rand(2, count, 1, device=images.device)
    across, down = (position - centre).abs() < CUT_SIDE / 2  # (B, S) each
    square = (across[:, None, :] & down[:, :, None])[:, None]
    return torch.where(square & _chosen(images, CUT), 0.5, images)


def _chosen(images: Tensor, proportion: float) -> Tensor:
    """Return (B, 1, 1, 1): for each image, true with a probability of ``proportion``."""
    return torch.rand(len(images), 1, 1, 1, device=images.device) < proportion
