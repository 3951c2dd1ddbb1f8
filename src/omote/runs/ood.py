"""Out-of-distribution score of a face image: the column ``ood`` that `omote embed` writes.

Distance from face space (Turk & Pentland 1991, "Eigenfaces for recognition"): the residual of a small, light-normalised
thumbnail of the face after projection onto the principal components of the training faces. Three more numbers describe
brightness, contrast and sharpness. The score is the Mahalanobis distance of these four numbers from those of the
training faces, divided by a limit that at most about 1 % of the faces of left-out people exceed. It uses neither labels
nor codes: distances in z_e detect less (docs/results/unfamiliar.md).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omote.boundary import reading
from omote.data.sampling import evenly_spaced
from omote.runs.info import read_tensors, write_tensors

SIDE = 32  # of a thumbnail, in pixels
# Horizontal and vertical radius, in half image sides, of the ellipse round the face; hair and background may vary.
RADII = (0.55, 0.75)
EDGE = 12.0  # steepness of the ellipse's soft edge
COMPONENTS = 32  # at most; and at most one for 10 faces
FINEST = (
    0.05  # standard deviation added to each of the four numbers; they are logarithms, so a difference of 5 %
)
MAX_FACES = 3_000  # number of faces to fit, chosen evenly over people
MAX_COMPONENT_FACES = 600  # number of these to compute the components from
FOLDS = 10  # groups of people, left out one at a time
QUANTILE = 0.99  # of the distances of left-out people; the limit
BATCH = 256  # faces processed at once


class FaceRows(Protocol):
    """Faces that can be selected by row, such as an array or `omote.training.faces.TrainingFaces`."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]: ...


class OodModel(nn.Module):
    """The distribution of training faces. Made by `fit_ood_model`."""

    window: Tensor  # (32, 32) pixel weights, 1 on average
    mean: Tensor  # (P,) mean thumbnail
    components: Tensor  # (K, P) unit vectors
    middle: Tensor  # (4,) mean of the four numbers
    scale: Tensor  # (4, 4) whitening matrix of the four numbers, divided by the limit

    def __init__(self, **buffers: Tensor) -> None:
        super().__init__()
        for name in ("window", "mean", "components", "middle", "scale"):
            self.register_buffer(name, buffers[name])

    def forward(self, faces: Tensor) -> Tensor:
        """Return (N,) distances of (N, S, S, 3) uint8 RGB faces; S is a multiple of 32. Can be exported to ONNX."""
        return self.score(*normalise_light(faces, self.window))

    def distance(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the out-of-distribution score of each face: 0 and above, 1 is the limit; NaN where it is unknown.

        Args:
            faces: (N, S, S, 3) uint8 RGB, S as in training; may be memory-mapped.
        Returns:
            (N,) float32.
        """
        with torch.no_grad():
            parts = [self(_to_tensor(faces[i : i + BATCH])).numpy() for i in range(0, len(faces), BATCH)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def score(self, thumbnails: Tensor, traits: Tensor) -> Tensor:
        """Return (N,) distances from the output of `normalise_light`."""
        numbers = torch.cat([log_residual(thumbnails, self.mean, self.components), traits], 1)
        return ((numbers - self.middle) @ self.scale).square().sum(1).sqrt()

    def save(self, path: str | Path) -> None:
        """Write the model beside ``path`` and rename it into place; about 0.4 MB."""
        write_tensors(Path(path), self.state_dict())

    @classmethod
    def load(cls, path: str | Path) -> "OodModel":
        """Return the model that `save` wrote.

        Raises:
            OmoteError: If the file is missing, damaged or something else.
        """
        with reading(path, "an out-of-distribution model", "Train the run again"):
            tensors = read_tensors(Path(path), unknown="scale")  # with one person in training
            found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
            size, count = 3 * SIDE**2, found.get("components", ())[:1]
            shapes = {"window": (SIDE, SIDE), "mean": (size,), "components": (*count, size)}
            shapes |= {"middle": (4,), "scale": (4, 4)}
            if found != shapes or any(tensor.dtype != torch.float32 for tensor in tensors.values()):
                raise ValueError("it holds other arrays than it should")
            return cls(**tensors)


def fit_ood_model(faces: FaceRows, subjects: Sequence[str]) -> OodModel:
    """Return the distribution of faces, with a limit that 1 % of the faces of other people are expected to exceed.

    The limit comes from leaving out a tenth of the people at a time and taking their distances from the rest. At most
    3,000 faces are used, chosen evenly over people. With few people the limit is wide, as it must be: of two, each is
    compared with the other alone. With one person it is unknown, and all distances are NaN.

    Args:
        faces: (N, S, S, 3) uint8 RGB, S a multiple of 32; may be memory-mapped.
        subjects: the subject of each face, N ids.
    """
    rows, numbers = _choose_rows(np.asarray(subjects))
    window = _make_window()
    batches = [
        normalise_light(_to_tensor(faces[rows[i : i + BATCH]]), window) for i in range(0, len(rows), BATCH)
    ]
    thumbnails, traits = (torch.cat(parts) for parts in zip(*batches, strict=True))
    num_components = min(COMPONENTS, len(rows) // 10)
    distances = torch.full((len(rows),), torch.nan)
    fold, num_people = torch.as_tensor(numbers % FOLDS), numbers.max() + 1
    for number in range(min(FOLDS, num_people) if num_people > 1 else 0):
        out = fold == number
        rest = _fit(thumbnails[~out], traits[~out], window, num_components)
        distances[out] = rest.score(thumbnails[out], traits[out])
    model = _fit(thumbnails, traits, window, num_components)
    model.scale /= torch.quantile(distances, QUANTILE).clamp(min=1)  # NaN stays NaN
    return model


def normalise_light(faces: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Return thumbnails of (N, S, S, 3) uint8 faces with equal brightness and contrast, and what was normalised.

    Returns:
        (N, 3,072) thumbnails, and (N, 3) logarithms of brightness, contrast and sharpness (mean squared difference of
        neighbouring pixels), each with a small constant added before the logarithm.
    """
    step = faces.shape[1] // SIDE
    colours = torch.nn.functional.avg_pool2d(faces.permute(0, 3, 1, 2).float(), step) / 255  # (N, 3, 32, 32)
    brightness = (colours * window).mean((1, 2, 3))
    centred = colours - brightness[:, None, None, None]
    contrast = (centred.square() * window).mean((1, 2, 3)).sqrt()
    normalised = centred / contrast.clamp(min=0.02)[:, None, None, None]
    grey = colours.mean(1)
    across = ((grey[:, :, 1:] - grey[:, :, :-1]).square() * window[:, 1:]).mean((1, 2))
    down = ((grey[:, 1:] - grey[:, :-1]).square() * window[1:]).mean((1, 2))
    traits = torch.stack([brightness + 0.02, contrast + 0.01, across + down + 1e-5], 1).log()
    return (normalised * window.sqrt()).flatten(1), traits


def log_residual(thumbnails: Tensor, mean: Tensor, components: Tensor) -> Tensor:
    """Return (N, 1) logarithms of the mean square that the components do not explain."""
    centred = thumbnails - mean
    projection = centred @ components.T
    residual = centred.square().mean(1) - projection.square().sum(1) / centred.shape[1]
    return residual.clamp(min=1e-5).log()[:, None]


def _fit(thumbnails: Tensor, traits: Tensor, window: Tensor, num_components: int) -> OodModel:
    """Return the model of some faces, with a limit of one standard deviation."""
    mean = thumbnails.mean(0)
    some = thumbnails[evenly_spaced(len(thumbnails), MAX_COMPONENT_FACES)] - mean
    strength, turned = (each.flip(-1) for each in torch.linalg.eigh(some @ some.T))
    distinct = int((strength > 1e-6 * some.numel()).sum())  # equal faces have no components
    kept = min(num_components, distinct)
    components = (turned[:, :kept] / strength[:kept].sqrt()).T @ some
    numbers = torch.cat([log_residual(thumbnails, mean, components), traits], 1)
    middle = numbers.mean(0)
    spread = torch.cov(numbers.T, correction=0) + FINEST**2 * torch.eye(4)
    scale = torch.linalg.inv(torch.linalg.cholesky(spread)).T.contiguous()
    return OodModel(window=window, mean=mean, components=components, middle=middle, scale=scale)


def _choose_rows(subjects: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return at most MAX_FACES rows, evenly over people and over the rows of each, and the person's number of each."""
    people, numbers = np.unique(subjects, return_inverse=True)
    most = max(1, MAX_FACES // len(people))
    own_rows = [np.flatnonzero(numbers == number) for number in range(min(len(people), MAX_FACES))]
    rows = np.sort(np.concatenate([own[evenly_spaced(len(own), most)] for own in own_rows]))
    return rows, numbers[rows]


def _make_window() -> Tensor:
    """Return (SIDE, SIDE) pixel weights, 1 on average: an ellipse round the middle with a soft edge."""
    position = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    across, down = (position / radius for radius in RADII)
    inside = torch.sigmoid(EDGE * (1 - (across.square() + down[:, None].square()).sqrt()))
    return inside / inside.mean()


def _to_tensor(faces: NDArray[np.uint8]) -> Tensor:
    return torch.as_tensor(np.array(faces))  # a copy: torch refuses read-only arrays
