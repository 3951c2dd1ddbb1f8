"""How unlike the faces of a training a face is: what `omote embed` writes as ``ood``.

Distance from face space (Turk & Pentland 1991, "Eigenfaces for recognition"): how much of a small, evened-out picture
of the face the principal components of the training's faces leave over. Beside it stand what evening out takes away,
brightness and contrast, and how sharp the picture is. The distance of these four numbers from those of the training
(Mahalanobis) is the score, divided by a limit that 1 in 100 faces of people left out exceed. No label is used, and
no code: distances in z_e notice less (docs/results/unfamiliar.md).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from omote.errors import OmoteError
from omote.training.faces import TrainingFaces

SIDE = 32  # of the small picture, in pixels
# Across and down, in half image sides, of the ellipse that counts: hair and background differ freely.
RADII = (0.55, 0.75)
EDGE = 12.0  # how sharp its edge is
COMPONENTS = 32  # at most; and at most one for 10 faces
FINEST = 0.05  # of the four numbers, which are logarithms: a difference of 5 % may always be
MOST = 3_000  # faces that are looked at, evenly over people
MOST_COMPARED = 600  # of them, for the components
PARTS = 10  # into which people are divided, to be left out
QUANTILE = 0.99  # of people left out that is not doubted
BATCH = 256


class Reference(nn.Module):
    """What the faces of a training look like. Made by `make_reference`."""

    window: Tensor  # (32, 32), 1 on average: how much each pixel counts
    mean: Tensor  # (P,) mean small picture
    components: Tensor  # (K, P) unit vectors
    middle: Tensor  # (4,) mean of the four numbers
    scale: Tensor  # (4, 4): how far from the middle is far; the limit is in it

    def __init__(
        self, window: Tensor, mean: Tensor, components: Tensor, middle: Tensor, scale: Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("window", window)
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)
        self.register_buffer("middle", middle)
        self.register_buffer("scale", scale)

    def forward(self, faces: Tensor) -> Tensor:
        """Return (N,) distances of (N, S, S, 3) uint8 RGB faces; S is a multiple of 32. Can be exported to ONNX."""
        return self.compare(*evened(faces, self.window))

    def distance(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how unlike the training's each face is: 0 and above, 1 is the limit; NaN where it is not known.

        Args:
            faces: (N, S, S, 3) uint8 RGB, S as in the training; may be memory-mapped.
        Returns:
            (N,) float32.
        """
        with torch.no_grad():
            parts = [self(_tensor(faces[i : i + BATCH])).numpy() for i in range(0, len(faces), BATCH)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def compare(self, pictures: Tensor, traits: Tensor) -> Tensor:
        """Return (N,) distances of what `evened` returned."""
        numbers = torch.cat([left_over(pictures, self.mean, self.components), traits], 1)
        return ((numbers - self.middle) @ self.scale).square().sum(1).sqrt()

    def save(self, path: str | Path) -> None:
        """Write the reference beside ``path`` and rename it into place; about 0.4 MB."""
        path = Path(path)
        beside = path.with_name(path.name + ".partial")
        save_file({name: tensor.cpu().contiguous() for name, tensor in self.state_dict().items()}, beside)
        os.replace(beside, path)

    @classmethod
    def load(cls, path: str | Path) -> "Reference":
        """Return what `save` wrote.

        Raises:
            OmoteError: If the file is not there, is damaged or is something else.
        """
        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise _damaged(path, str(error)) from None
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        size, count = 3 * SIDE**2, found.get("components", ())[:1]
        shapes = {"window": (SIDE, SIDE), "mean": (size,), "components": (*count, size)}
        shapes |= {"middle": (4,), "scale": (4, 4)}
        if found != shapes or any(tensor.dtype != torch.float32 for tensor in tensors.values()):
            raise _damaged(path, "it holds other arrays than it should")
        return cls(**tensors)


def make_reference(faces: NDArray[np.uint8] | TrainingFaces, subjects: Sequence[str]) -> Reference:
    """Return what faces look like, with a limit that 1 in 100 faces of other people are to exceed.

    People are left out in turn, a tenth each time; their distances from the others give the limit. Of more than 3,000
    faces as many are looked at, evenly over people. With few people the limit is wide, as it must be: two, each left
    out once, are compared with one person. With one it cannot be known, and all distances are NaN.

    Args:
        faces: (N, S, S, 3) uint8 RGB, S a multiple of 32; may be memory-mapped.
        subjects: N ids: whose face each is.
    """
    rows, who = _evenly(np.asarray(subjects))
    window = _window()
    seen = [evened(_tensor(faces[rows[i : i + BATCH]]), window) for i in range(0, len(rows), BATCH)]
    pictures, traits = (torch.cat(parts) for parts in zip(*seen, strict=True))
    keep = min(COMPONENTS, len(rows) // 10)
    left_out = torch.full((len(rows),), torch.nan)
    part, people = torch.as_tensor(who % PARTS), who.max() + 1
    for number in range(min(PARTS, people) if people > 1 else 0):
        out = part == number
        left_out[out] = _fit(pictures[~out], traits[~out], window, keep).compare(pictures[out], traits[out])
    reference = _fit(pictures, traits, window, keep)
    reference.scale /= torch.quantile(left_out, QUANTILE).clamp(min=1)  # NaN stays
    return reference


def evened(faces: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Return the small pictures of (N, S, S, 3) uint8 faces, all as bright and as rich in contrast, and what that took.

    Returns:
        (N, 3,072), and (N, 3): logarithms of brightness, contrast and sharpness (mean square difference of
        neighbours), each a little above that of nothing.
    """
    step = faces.shape[1] // SIDE
    colours = torch.nn.functional.avg_pool2d(faces.permute(0, 3, 1, 2).float(), step) / 255  # (N, 3, 32, 32)
    brightness = (colours * window).mean((1, 2, 3))
    apart = colours - brightness[:, None, None, None]
    contrast = (apart.square() * window).mean((1, 2, 3)).sqrt()
    even = apart / contrast.clamp(min=0.02)[:, None, None, None]
    grey = colours.mean(1)
    across = ((grey[:, :, 1:] - grey[:, :, :-1]).square() * window[:, 1:]).mean((1, 2))
    down = ((grey[:, 1:] - grey[:, :-1]).square() * window[1:]).mean((1, 2))
    traits = torch.stack([brightness + 0.02, contrast + 0.01, across + down + 1e-5], 1).log()
    return (even * window.sqrt()).flatten(1), traits


def left_over(pictures: Tensor, mean: Tensor, components: Tensor) -> Tensor:
    """Return (N, 1): the logarithm of the mean square of what the components leave over."""
    apart = pictures - mean
    inside = apart @ components.T
    left = apart.square().mean(1) - inside.square().sum(1) / apart.shape[1]
    return left.clamp(min=1e-5).log()[:, None]


def _fit(pictures: Tensor, traits: Tensor, window: Tensor, keep: int) -> Reference:
    """Return the reference of some faces, with a limit of one standard deviation."""
    mean = pictures.mean(0)
    count = len(pictures)
    some = pictures[torch.linspace(0, count - 1, min(count, MOST_COMPARED)).long()] - mean
    strength, turned = (each.flip(-1) for each in torch.linalg.eigh(some @ some.T))
    distinct = int((strength > 1e-6 * some.numel()).sum())  # faces that are equal have none
    keep = min(keep, distinct)
    components = (turned[:, :keep] / strength[:keep].sqrt()).T @ some
    numbers = torch.cat([left_over(pictures, mean, components), traits], 1)
    middle = numbers.mean(0)
    spread = torch.cov(numbers.T, correction=0) + FINEST**2 * torch.eye(4)
    scale = torch.linalg.inv(torch.linalg.cholesky(spread)).T.contiguous()
    return Reference(window, mean, components, middle, scale)


def _evenly(subjects: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return at most MOST rows, evenly over people and over the rows of each, and whose each is as a number."""
    people, who = np.unique(subjects, return_inverse=True)
    most = max(1, MOST // len(people))
    of_each = [np.flatnonzero(who == number) for number in range(min(len(people), MOST))]
    picked = [rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)] for rows in of_each]
    rows = np.sort(np.concatenate(picked))
    return rows, who[rows]


def _window() -> Tensor:
    """Return (SIDE, SIDE) weights of the pixels, 1 on average: an ellipse round the middle with a soft edge."""
    place = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    across, down = (place / radius for radius in RADII)
    inside = torch.sigmoid(EDGE * (1 - (across.square() + down[:, None].square()).sqrt()))
    return inside / inside.mean()


def _tensor(faces: NDArray[np.uint8]) -> Tensor:
    return torch.as_tensor(np.array(faces))  # a copy: torch takes no read-only arrays


def _damaged(path: str | Path, problem: str) -> OmoteError:
    return OmoteError(f"{path} is damaged or something else ({problem}); train the run again")
