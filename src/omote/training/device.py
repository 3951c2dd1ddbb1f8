"""Where a training computes, and with which numbers."""

from typing import Literal

import torch
from lightning_fabric.plugins.precision import MixedPrecision, Precision


def choose_device(device: Literal["auto", "cpu", "cuda", "mps"]) -> str:
    """Return the device itself, or for "auto" the GPU if there is one."""
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def precision_plugin(device: str, precision: Literal["auto", "bf16-mixed", "32-true"]) -> Precision:
    """Return Fabric's plugin; "auto" takes bfloat16 where the device multiplies in it, else float32.

    A CPU without AMX or avx512_bf16 only converts, and is slower with it.
    """
    if precision == "auto":
        if device == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = device == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
        precision = "bf16-mixed" if fast else "32-true"
    return Precision() if precision == "32-true" else MixedPrecision(precision, device)
