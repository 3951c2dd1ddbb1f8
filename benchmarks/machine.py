"""Measure the limits of this machine: large convolutions, matrix products and memory copies.

    python benchmarks/machine.py

A limit is the fastest of many calls on all cores and of several shapes: 3x3 forward convolutions, channels-last, and
products of square matrices. The copy moves 256 MB; bytes read and bytes written both count.
"""

import time
from collections.abc import Callable

CONVOLUTIONS = (32, 256, 16), (16, 256, 32), (64, 64, 32)  # images, input and output channels, side in pixels
MATRICES = 512, 1024, 2048  # side
LARGER = 32, 4  # factors on images and sides, on a GPU


def best(call: Callable[[], object], seconds: float, wait: Callable[[], object] = lambda: None) -> float:
    """Return the duration in seconds of the fastest call within ``seconds``; the first call is not timed.

    ``wait`` returns when the call's work is done, for calls that only start it.
    """
    call()
    wait()
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end or fastest == float("inf"):
        begin = time.perf_counter()
        call()
        wait()
        fastest = min(fastest, time.perf_counter() - begin)
    return fastest


def limits(seconds: float = 1.0, device: str = "cpu") -> dict[str, float]:
    """Return GFLOP/s of convolutions and matrix products, and GB/s of a copy, by name; each shape takes ``seconds``."""
    import torch
    from torch import Tensor
    from torch.nn import functional as F

    wait: Callable[[], object] = torch.cuda.synchronize if device == "cuda" else lambda: None
    more, wider = LARGER if device == "cuda" else (1, 1)

    def convolution(count: int, channels: int, side: int, kind: torch.dtype) -> float:
        def channels_last(*shape: int) -> Tensor:
            return torch.randn(shape, device=device).to(kind).to(memory_format=torch.channels_last)

        images, kernels = (
            channels_last(more * count, channels, side, side),
            channels_last(channels, channels, 3, 3),
        )
        taken = best(lambda: F.conv2d(images, kernels, padding=1), seconds, wait)
        return 2 * more * count * channels**2 * 9 * side**2 / taken / 1e9

    def product(side: int, kind: torch.dtype) -> float:
        matrix = torch.randn(wider * side, wider * side, device=device).to(kind)
        return 2 * len(matrix) ** 3 / best(lambda: matrix @ matrix, seconds, wait) / 1e9

    found = {}
    with torch.inference_mode():
        for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
            found[f"convolution {name}"] = max(convolution(*shape, kind) for shape in CONVOLUTIONS)
        for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32), ("fp64", torch.float64)):
            found[f"matrix product {name}"] = max(product(side, kind) for side in MATRICES)
        source, target = (torch.ones(64 * 2**20, device=device) for _ in range(2))
        found["copy"] = 2 * source.nbytes / best(lambda: target.copy_(source), seconds, wait) / 1e9
    return found


def limits_text(found: dict[str, float]) -> str:
    """Return the limits as lines of text."""
    units = {name: "GB/s" if name == "copy" else "GFLOP/s" for name in found}
    return "\n".join(f"{name:22s} {value:7.0f} {units[name]}" for name, value in found.items())


if __name__ == "__main__":
    print(limits_text(limits()))
