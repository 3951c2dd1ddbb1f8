"""Device selection and bfloat16 support."""

from collections.abc import Callable

import torch

from omote.errors import OmoteError


def choose_device(device: str) -> str:
    """Return the name of the device; for "auto" a GPU if there is one, else the CPU.

    Raises:
        OmoteError: If the name is none of "auto", "cpu", "cuda" and "mps", or the device is not available.
    """
    is_available: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": torch.cpu.is_available,
    }
    if device == "auto":
        return next(name for name, available in is_available.items() if available())
    if device not in is_available:
        raise OmoteError(f"device is {device!r}; expected auto, cpu, cuda or mps")
    if not is_available[device]():
        raise OmoteError(f"device {device} is not available on this machine")
    return device


def multiplies_in_bfloat16(device: str) -> bool:
    """Return whether the device ("cpu", "cuda" or "mps") multiplies in bfloat16 instead of only storing it."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
