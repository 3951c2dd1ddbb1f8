"""Tone mapping of HDR video (PQ and HLG, ITU-R BT.2100) to the SDR pixels that detector and networks know.

The light of the picture keeps its level up to half of reference white (203 cd/m2, ITU-R BT.2408), where faces lie, and
rolls off to white at PEAK above it, by the extended curve of Reinhard et al. (2002) on luminance. Colours outside
BT.709 are clipped. Pixels are then coded for a BT.1886 display (gamma 2.4), as SDR video is.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18  # transfer characteristics, ITU-T H.273
WHITE, PEAK = 203.0, 1000.0  # cd/m2
KNEE = 0.5  # of WHITE
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # BT.2020
TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # of linear BT.2020 RGB, ITU-R BT.2087


def map_tones(pixels: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """Return HDR pixels as SDR pixels.

    Args:
        pixels: (H, W, 3) R'G'B' of BT.2020, full range.
        transfer: PQ or HLG.
    Returns:
        (H, W, 3) R'G'B' of BT.709, full range.
    """
    light_of, gain_of = _tables(transfer)
    light = light_of.take(pixels)
    luminance = cv2.transform(light, LUMINANCE[None])
    light *= gain_of.take((np.sqrt(luminance) * len(gain_of) - 0.5).astype(np.int32), mode="clip")[..., None]
    light = np.maximum(cv2.transform(light, TO_BT709), 0)
    coded = cv2.pow(light, 1 / 2.4) * 255
    return np.minimum(np.rint(coded), 255).astype(np.uint8)


@cache
def _tables(transfer: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return coded value -> light, and root of luminance -> gain; light and luminance have PEAK as 1."""
    coded = np.arange(65536) / 65535
    root = np.arange(1, 4097) / 4096  # dense near black, as the eye is
    if transfer == PQ:
        light = np.minimum(_pq_light(coded) / PEAK, 1)
        shown = root**2
    else:
        light = _hlg_light(coded)
        shown = root**2.4  # the system gamma of a display of 1000 cd/m2 is 1.2, BT.2100
    gain = _roll_off(shown * PEAK / WHITE) / root**2
    return light.astype(np.float32), gain.astype(np.float32)


def _pq_light(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cd/m2, by the EOTF of BT.2100, table 4."""
    root = coded ** (32 / 2523)
    return 10_000 * (np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610)


def _hlg_light(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scene light from 0 to 1, by the inverse OETF of BT.2100, table 5."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)


def _roll_off(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the SDR light from 0 to 1 of HDR light (1 is WHITE): the same up to KNEE, and 1 at PEAK."""
    above = np.maximum(light - KNEE, 0) / (1 - KNEE)
    white = (PEAK / WHITE - KNEE) / (1 - KNEE)
    return np.minimum(light, KNEE) + (1 - KNEE) * above * (1 + above / white**2) / (1 + above)
