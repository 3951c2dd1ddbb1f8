"""Untrained baselines for every audit: a random network, and principal components of the pixels.

The third baseline, these components less the subject's mean, is Eq. 6: `omote.evaluation.evaluate.centre_codes`.
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
MAX_FITTED_VALUES = 60_000_000  # pixel values of a fit, 240 MB: 4,882 faces of 64 px, 1,220 of 128 px


def random_network(size: int, *, seed: int = 0) -> Represent:
    """Return the paper's encoder before training, as a function from faces to means, (n, 64).

    It equals the first encoder of a training with this seed, with BatchNorm statistics at mean 0 and variance 1. The
    initialisation (He et al., 2015) preserves the variance from layer to layer, so the signal neither vanishes nor
    saturates.

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

    return _in_batches(read, 64)


def pixel_pca(faces: Array, rows: Array, *, components: int = 64) -> Represent:
    """Return the projection of pixels on their principal components, as a function from faces to (n, Z).

    Pixels are in [0, 1]; neither they nor the components are standardised. Fitted on evenly spaced faces of `rows`, at
    most `MAX_FITTED_VALUES` numbers; other faces are not read. The same faces give the same components (a randomised
    solver has seed 0).

    Args:
        faces: (N, S, S, 3) uint8 RGB; may be memory-mapped.
        rows: (M,) row numbers of the training faces.
        components: Z, cut to the number of fitted faces less one.
    Raises:
        OmoteError: If there are fewer than two faces in `rows`.
    """
    if len(rows) < 2:
        raise OmoteError(f"principal components need two training faces or more; there are {len(rows)}")
    values = int(np.prod(faces.shape[1:]))
    chosen = np.asarray(rows)[evenly_spaced(len(rows), max(2, MAX_FITTED_VALUES // values))]
    fitted = PCA(min(components, len(chosen) - 1), random_state=0, copy=False)
    fitted.fit(_pixels(faces[chosen]))

    def read(faces: Array) -> Array:
        codes: Array = fitted.transform(_pixels(faces))
        return codes

    return _in_batches(read, fitted.n_components_)


def _pixels(faces: Array) -> Array:
    """Return (n, S x S x 3) float32 in [0, 1]."""
    pixels = faces.reshape(len(faces), -1).astype(np.float32)
    pixels /= 255
    return pixels


def _in_batches(read: Represent, width: int) -> Represent:
    """Return `read` applied to `FACES_AT_ONCE` faces at a time; no faces give (0, width)."""

    def read_all(faces: Array) -> Array:
        starts = range(0, len(faces), FACES_AT_ONCE)
        parts = [read(np.array(faces[start : start + FACES_AT_ONCE])) for start in starts]
        return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)

    return read_all
