"""Where a method computes, and with which numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch

from omote.errors import OmoteError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def choose_device(device: str) -> str:
    """Return the device, or for "auto" a GPU if there is one and else the CPU.

    Raises:
        OmoteError: If it is none of "auto", "cpu", "cuda" and "mps", or not there.
    """
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": torch.cpu.is_available,
    }
    if device == "auto":
        return next(name for name in there if there[name]())
    if device not in there:
        raise OmoteError(f"device is {device!r}; expected auto, cpu, cuda or mps")
    if not there[device]():
        raise OmoteError(f"there is no such device here: {device}")
    return device


def make_fabric(device: str, precision: Literal["auto", "bf16-mixed", "32-true"]) -> "Fabric":
    """Return Fabric on the device that `choose_device` gives; precision "auto" is bfloat16 if it multiplies in it.

    A CPU without AMX or avx512_bf16 only converts to bfloat16, and is slower with it.

    Raises:
        OmoteError: As `choose_device`.
    """
    from lightning_fabric import Fabric  # takes seconds, and only training needs it
    from lightning_fabric.plugins.precision import MixedPrecision, Precision

    device = choose_device(device)
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
