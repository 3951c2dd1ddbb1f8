"""Device, precision and processes of a training; tuning of the glibc allocator."""

import atexit
import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal, NamedTuple

import torch
import torch.distributed as dist

from omote.errors import OmoteError
from omote.runs.device import choose_device, multiplies_in_bfloat16

Precision = Literal["bf16-mixed", "32-true"]
PATIENCE = timedelta(hours=2)  # that processes wait for each other, for one that writes the end of a run


class Engine(NamedTuple):
    """What a training computes on.

    Attributes:
        device: of this process.
        precision: "bf16-mixed" is float32 weights, and bfloat16 where `torch.autocast` takes it.
        rank: number of this process, from 0; the first one writes the files.
        num_processes: that train together (torchrun).
        compiled: whether networks are compiled (`omote.training.compiled`).
    """

    device: torch.device
    precision: Precision
    rank: int = 0
    num_processes: int = 1
    compiled: bool = False

    def autocast(self) -> torch.autocast:
        """Return a context in which networks compute in the precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed")


def make_engine(
    device: str, precision: Literal["auto", "bf16-mixed", "32-true"], *, compiled: bool = False
) -> Engine:
    """Return the engine on a device; a process started by torchrun joins the others (`omote.training.processes`).

    Args:
        device: see `choose_device`.
        precision: "auto" is bfloat16 if the device multiplies in it. A CPU without AMX or avx512_bf16 only converts to
            bfloat16, and would be slower with it.
        compiled: whether networks are to be compiled (`omote.training.compiled`).
    Raises:
        OmoteError: As `choose_device`; or torchrun starts processes on a device other than CPUs and NVIDIA's GPUs, or
            more of them than there are GPUs.
    """
    device = choose_device(device)
    if precision == "auto":
        precision = "bf16-mixed" if multiplies_in_bfloat16(device) else "32-true"
    own = torch.device("cuda", 0) if device == "cuda" else torch.device(device)
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Engine(own, precision, compiled=compiled)
    if device == "mps":
        raise OmoteError("torchrun trains on cuda or cpu, and the device is mps; start without torchrun")
    if device == "cuda":
        if torch.cuda.device_count() < (local := int(os.environ["LOCAL_WORLD_SIZE"])):
            raise OmoteError(
                f"torchrun started {local} processes here, and the number of GPUs is {torch.cuda.device_count()}; "
                "start one for each GPU, or train with --set device=cpu"
            )
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(own)
    if not dist.is_initialized():
        backend, gpu = ("nccl", own) if device == "cuda" else ("gloo", None)
        dist.init_process_group(backend, timeout=PATIENCE, device_id=gpu)
        atexit.register(dist.destroy_process_group)
    return Engine(own, precision, dist.get_rank(), dist.get_world_size(), compiled)


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
