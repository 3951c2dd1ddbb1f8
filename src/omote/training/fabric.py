"""Precision selection and the launch of Fabric; glibc allocator tuning."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from omote.runs.device import choose_device, multiplies_in_bfloat16

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(device: str, precision: Literal["auto", "bf16-mixed", "32-true"]) -> "Fabric":
    """Return Fabric on the device that `choose_device` gives; precision "auto" is bfloat16 if it multiplies in it.

    A CPU without AMX or avx512_bf16 only converts to bfloat16, and is slower with it. Processes that torchrun started
    are joined (`omote.training.processes`).

    Raises:
        OmoteError: As `choose_device`.
    """
    from lightning_fabric import Fabric  # takes seconds, and only training needs it
    from lightning_fabric.plugins.precision import MixedPrecision, Precision

    device = choose_device(device)
    if precision == "auto":
        precision = "bf16-mixed" if multiplies_in_bfloat16(device) else "32-true"
    plugin = Precision() if precision == "32-true" else MixedPrecision(precision, device)
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Fabric(accelerator=device, devices=1, plugins=plugin)
    here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device, strategy="ddp", devices=here, num_nodes=everywhere // here, plugins=plugin
    )
    fabric.launch()
    return fabric


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep what is freed for the next step, where the C library is glibc; others are left as they are.

    As it comes, glibc gives large blocks back to the system at once, and every step faults them in again page by
    page: a sixth of a training step on a CPU (docs/log.md).
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    trim_threshold, mmap_threshold, mmap_max = -1, -3, -4  # M_... of malloc.h
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, -1)
    try:
        yield
    finally:  # where glibc's own adjustment ends when large blocks come and go; 65536 is its default
        libc.mallopt(mmap_max, 65536)
        libc.mallopt(mmap_threshold, 32 * 2**20)
        libc.mallopt(trim_threshold, 64 * 2**20)
        libc.malloc_trim(0)
