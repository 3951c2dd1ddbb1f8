"""Codes that nobody trained, which stand beside every feature: an untrained network and principal components.

The third baseline, components less the subject's mean, is Eq. 6 applied to the second:
`omote.evaluation.evaluate.centred_codes`.
"""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.decomposition import PCA

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.metrics.score import Array
from omote.models.encoder import Encoder
from omote.runs.trained import to_images

Represent = Callable[[Array], Array]  # (n, S, S, 3) uint8 RGB -> (n, Z) float32

FACES_AT_ONCE = 256
VALUES_FITTED = 60_000_000  # of pixels, in a fit: 240 MB; 4,882 faces of 64 px, 1,220 of 128 px


def random_network(size: int, *, seed: int = 0) -> Represent:
    """Return the paper's encoder as it is before training: a function of faces to means, (n, 64).

    The first encoder that a training with this seed begins with, BatchNorm at mean 0 and variance 1 as it begins.
    The initialisation (He et al., 2015) keeps the size of the signal from layer to layer, so that it neither
    dies out nor saturates.

    Args:
        size: S, 64 or 128.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(size).eval().requires_grad_(False)
    encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def read(faces: Array) -> Array:
        codes: Array = encoder(to_images(torch.as_tensor(faces))).mean.numpy()
        return codes

    return _by_parts(read, 64)


def pixel_pca(faces: Array, rows: Array, *, components: int = 64) -> Represent:
    """Return the projection on the principal components of some of the faces' pixels: faces to (n, Z).

    Pixels as they are, in [0, 1], not scaled by their deviation, nor are the components. Fitted on evenly chosen
    faces of `rows`, so many as have `VALUES_FITTED` pixels; no other face is looked at. The same faces give the same
    components (scikit-learn's solver draws with seed 0 where it draws).

    Args:
        faces: (N, S, S, 3) uint8 RGB; may be memory-mapped.
        rows: (M,) numbers of the faces of the training.
        components: Z; fewer where there are fewer faces, whose number less one is the most there can be.
    Raises:
        OmoteError: If there are fewer than two faces in `rows`.
    """
    if len(rows) < 2:
        raise OmoteError(f"principal components need two training faces or more; there are {len(rows)}")
    values = int(np.prod(faces.shape[1:]))
    chosen = np.asarray(rows)[evenly_spaced(len(rows), max(2, VALUES_FITTED // values))]
    fitted = PCA(min(components, len(chosen) - 1), random_state=0, copy=False)
    fitted.fit(_pixels(faces[chosen]))

    def read(faces: Array) -> Array:
        codes: Array = fitted.transform(_pixels(faces))
        return codes

    return _by_parts(read, fitted.n_components_)


def _pixels(faces: Array) -> Array:
    """Return (n, S x S x 3) float32 in [0, 1]."""
    pixels = faces.reshape(len(faces), -1).astype(np.float32)
    pixels /= 255
    return pixels


def _by_parts(read: Represent, width: int) -> Represent:
    """Return `read` with few faces at a time, however many it is given; none give (0, width)."""

    def read_all(faces: Array) -> Array:
        starts = range(0, len(faces), FACES_AT_ONCE)
        parts = [read(np.array(faces[start : start + FACES_AT_ONCE])) for start in starts]
        return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)

    return read_all
