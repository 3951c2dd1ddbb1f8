"""Where a training computes, and with which numbers."""

from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision


def make_fabric(
    device: Literal["auto", "cpu", "cuda", "mps"], precision: Literal["auto", "bf16-mixed", "32-true"]
) -> Fabric:
    """Return Fabric on one device; "auto" takes a GPU if there is one, and bfloat16 if the device multiplies in it.

    A CPU without AMX or avx512_bf16 only converts to bfloat16, and is slower with it.
    """
    if device == "auto":
        device = (
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    if precision == "auto":
        if device == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = device == "cpu" and (
                torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
            )
        precision = "bf16-mixed" if fast else "32-true"
    plugin = Precision() if precision == "32-true" else MixedPrecision(precision, device)
    return Fabric(accelerator=device, devices=1, plugins=plugin)
