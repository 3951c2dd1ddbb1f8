"""Device selection, and whether a device computes in bfloat16."""

from collections.abc import Callable

import torch

from omote.errors import OmoteError


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


def multiplies_in_bfloat16(device: str) -> bool:
    """Return whether the device ("cpu", "cuda" or "mps") computes in bfloat16, rather than only converting to it."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
