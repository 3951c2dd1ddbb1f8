"""Launch of Lightning Fabric with device and precision; tuning of the glibc allocator."""

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
    """Return Fabric on a device; in a process started by torchrun it joins the others (`omote.training.processes`).

    Args:
        device: see `choose_device`.
        precision: "auto" is bfloat16 if the device multiplies in it. A CPU without AMX or avx512_bf16 only converts to
            bfloat16, and would be slower with it.
    Raises:
        OmoteError: As `choose_device`.
    """
    from lightning_fabric import Fabric  # imported here because it takes seconds and only training needs it
    from lightning_fabric.plugins.precision import MixedPrecision, Precision

    device = choose_device(device)
    if precision == "auto":
        precision = "bf16-mixed" if multiplies_in_bfloat16(device) else "32-true"
    plugin = Precision() if precision == "32-true" else MixedPrecision(precision, device)
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Fabric(accelerator=device, devices=1, plugins=plugin)
    local, world = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device, strategy="ddp", devices=local, num_nodes=world // local, plugins=plugin
    )
    fabric.launch()
    return fabric


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Keep freed memory in the process for the next step; does nothing unless the C library is glibc.

    By default glibc returns large blocks to the system at once, and every step faults them in again page by page, which
    takes a sixth of a training step on a CPU (docs/log.md).
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
    finally:  # 65536 is the default; glibc adjusts the other two to these values when large blocks are freed
        libc.mallopt(mmap_max, 65536)
        libc.mallopt(mmap_threshold, 32 * 2**20)
        libc.mallopt(trim_threshold, 64 * 2**20)
        libc.malloc_trim(0)
