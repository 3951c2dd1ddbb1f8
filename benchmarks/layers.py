"""Layers of a training step beside other ways to compute them: explicit products, more channels, fused activations.

    python benchmarks/layers.py [--images 96] [--rounds 9]

Each line prints the milliseconds of processor time of a layer as PyTorch computes it and of the other way, and their
ratio: 1.10 means that the other way saves a tenth. The two alternate in this process; the median counts, and they have
to agree before they are timed. In float32, and in bfloat16 if the processor multiplies in it. Shapes are those of the
paper's networks at 64 px. What was measured: docs/log.md.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from omote.models.blocks import LEAK
from omote.runs.device import multiplies_in_bfloat16
from omote.training.engine import keep_freed_memory
from speed import about_processor

Way = Callable[[], Tensor]
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}  # as a share of the largest number
EPSILON = 1e-5  # of BatchNorm


def make(*shape: int, kind: torch.dtype) -> Tensor:
    """Return a random tensor, channels last if it has four dimensions."""
    tensor = torch.randn(shape).to(kind)
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def backward(
    gradient: Tensor, inputs: Tensor, weights: Tensor, stride: int, part: int, transposed: bool = False
) -> Tensor:
    """Return the gradient of the inputs (part 0) or the weights (1) of a convolution with padding 1."""
    mask = [part == 0, part == 1, False]
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        gradient, inputs, weights, None, [stride] * 2, [1, 1], [1, 1], transposed, [0, 0], 1, mask
    )
    return gradients[part]


def unfold(images: Tensor, side: int, kernel: int, stride: int) -> Tensor:
    """Return the patches of (B, C, H, W) images with padding 1, (B x side^2, kernel^2 x C)."""
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    of_image, of_row, of_pixel, one = padded.stride()
    count, channels = images.shape[:2]
    shape = (count, side, side, kernel, kernel, channels)
    strides = (of_image, stride * of_row, stride * of_pixel, of_row, of_pixel, one)
    return padded.as_strided(shape, strides).reshape(count * side**2, kernel**2 * channels)


def as_matrix(images: Tensor) -> Tensor:
    """Return (B, C, H, W) images as (B x H x W, C)."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def small_maps(count: int, channels: int, side: int, kind: torch.dtype) -> Iterator[tuple[str, Way, Way]]:
    """Yield the passes of a 3x3 convolution beside explicit products of its unfolded maps."""
    images, gradient = (make(count, channels, side, side, kind=kind) for _ in range(2))
    weights = make(channels, channels, 3, 3, kind=kind)
    matrix = weights.permute(2, 3, 1, 0).reshape(9 * channels, channels).contiguous()

    def product_inputs() -> Tensor:
        patches = (as_matrix(gradient) @ matrix.T).view(count, side, side, 3, 3, channels)
        padded = torch.zeros(count, side + 2, side + 2, channels, dtype=kind)
        for row in range(3):
            for column in range(3):
                padded[:, row : row + side, column : column + side] += patches[:, :, :, row, column]
        return as_matrix(padded[:, 1:-1, 1:-1].permute(0, 3, 1, 2))

    def product_weights() -> Tensor:
        return unfold(images, side, 3, 1).T @ as_matrix(gradient)

    name = f"3x3, {channels} channels, {side}x{side}"
    yield (
        f"{name}, forward",
        lambda: as_matrix(F.conv2d(images, weights, padding=1)),
        lambda: unfold(images, side, 3, 1) @ matrix,
    )
    yield f"{name}, inputs", lambda: as_matrix(backward(gradient, images, weights, 1, 0)), product_inputs
    yield (
        f"{name}, weights",
        lambda: backward(gradient, images, weights, 1, 1).permute(2, 3, 1, 0).reshape(matrix.shape),
        product_weights,
    )


def transposed_weights(count: int, channels: int, side: int, kind: torch.dtype) -> tuple[str, Way, Way]:
    """Return the weight gradient of a transposed 4x4 convolution beside an explicit product."""
    images, gradient = (
        make(count, channels, side, side, kind=kind),
        make(count, channels // 2, 2 * side, 2 * side, kind=kind),
    )
    weights = make(channels, channels // 2, 4, 4, kind=kind)

    def layer() -> Tensor:
        found = backward(gradient, images, weights, 2, 1, transposed=True)
        return found.permute(0, 2, 3, 1).reshape(channels, -1)

    name = f"transposed 4x4, {channels} channels, {side}x{side}, weights"
    return name, layer, lambda: as_matrix(images).T @ unfold(gradient, side, 4, 2)


def more_channels(count: int, channels: int, kind: torch.dtype) -> Iterator[tuple[str, Way, Way]]:
    """Yield the passes of the first layer, of 3 channels, beside those with channels of zeros added."""
    images, weights = make(count, 3, 64, 64, kind=kind), make(32, 3, 3, 3, kind=kind)
    gradient = make(count, 32, 32, 32, kind=kind)
    wide = F.pad(images, (0, 0, 0, 0, 0, channels - 3)).contiguous(memory_format=torch.channels_last)
    wide_weights = F.pad(weights, (0, 0, 0, 0, 0, channels - 3)).contiguous(memory_format=torch.channels_last)
    name = f"3 channels as {channels}, 64x64"
    yield (
        f"{name}, forward",
        lambda: F.conv2d(images, weights, None, 2, 1),
        lambda: F.conv2d(wide, wide_weights, None, 2, 1),
    )
    for part, what in enumerate(("inputs", "weights")):
        yield (
            f"{name}, {what}",
            lambda part=part: backward(gradient, images, weights, 2, part),  # type: ignore[misc]
            lambda part=part: backward(gradient, wide, wide_weights, 2, part)[:, :3],  # type: ignore[misc]
        )


class BatchNormLeakyReLU(torch.autograd.Function):
    """BatchNorm over the batch and LeakyReLU as one function, whose backward pass writes over its gradient."""

    @staticmethod
    def forward(ctx: object, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        outputs, mean, scale = torch.native_batch_norm(inputs, weight, bias, None, None, True, 0.1, EPSILON)
        F.leaky_relu_(outputs, LEAK)
        ctx.save_for_backward(inputs, weight, mean, scale, outputs)  # type: ignore[attr-defined]
        return outputs

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> tuple[Tensor, ...]:
        inputs, weight, mean, scale, outputs = ctx.saved_tensors  # type: ignore[attr-defined]
        (gradient,) = gradients
        torch.ops.aten.leaky_relu_backward.grad_input(gradient, outputs, LEAK, True, grad_input=gradient)
        found: tuple[Tensor, ...] = torch.ops.aten.native_batch_norm_backward(
            gradient, inputs, weight, None, None, mean, scale, True, EPSILON, [True, True, True]
        )
        return found


def fused(count: int, channels: int, side: int, kind: torch.dtype) -> tuple[str, Way, Way]:
    """Return both passes of BatchNorm and LeakyReLU beside those of `BatchNormLeakyReLU`."""
    images = make(count, channels, side, side, kind=kind).requires_grad_()
    gradient = make(count, channels, side, side, kind=kind)
    weight, bias = (torch.rand(channels).requires_grad_() for _ in range(2))

    def apart(inputs: Tensor) -> Tensor:
        normalised = F.batch_norm(inputs, None, None, weight, bias, True, 0.1, EPSILON)
        return F.leaky_relu(normalised, LEAK, inplace=True)

    def both_passes(layers: Callable[[Tensor], Tensor]) -> Tensor:
        # The copy stands for the gradient that the layer after hands over.
        return torch.autograd.grad(layers(images), images, gradient.clone())[0]

    name = f"BatchNorm and LeakyReLU, {channels} channels, {side}x{side}"
    return (
        name,
        lambda: both_passes(apart),
        lambda: both_passes(lambda inputs: BatchNormLeakyReLU.apply(inputs, weight, bias)),  # type: ignore[no-untyped-call]
    )


def lines(count: int, kind: torch.dtype) -> Iterator[tuple[str, Way, Way]]:
    """Yield every line: its name, the layer as it is, and the other way."""
    yield from small_maps(count, 256, 4, kind)
    yield from small_maps(count, 128, 8, kind)
    yield transposed_weights(count, 256, 4, kind)
    yield transposed_weights(count, 128, 8, kind)
    yield from more_channels(count, 16, kind)
    yield from more_channels(count, 32, kind)
    yield fused(count, 32, 32, kind)
    yield fused(count, 16, 64, kind)


def check_agreement(layer: Way, other: Way, kind: torch.dtype) -> None:
    """Raise AssertionError unless both ways give the same numbers up to rounding."""
    expected, found = layer().float(), other().float()
    torch.testing.assert_close(found, expected, atol=TOLERANCE[kind] * float(expected.abs().max()), rtol=0)


def compare(layer: Way, other: Way, rounds: int) -> tuple[float, float]:
    """Return the median milliseconds of processor time of each way."""
    took: list[list[float]] = [[], []]
    for _ in range(rounds):
        for way, seconds in zip((layer, other), took, strict=True):
            start = time.process_time()
            way()
            seconds.append(1000 * (time.process_time() - start))
    return statistics.median(took[0]), statistics.median(took[1])


def main() -> None:
    """Print the lines of both precisions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=96, help="images in a batch")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    print(f"{about_processor()}, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    kinds = [torch.float32, torch.bfloat16] if multiplies_in_bfloat16("cpu") else [torch.float32]
    with keep_freed_memory():
        for kind in kinds:
            print(f"{str(kind).removeprefix('torch.'):54s}{'as it is':>10s}{'other':>10s}{'ratio':>8s}")
            for name, layer, other in lines(args.images, kind):
                check_agreement(layer, other, kind)
                here, there = compare(layer, other, args.rounds)
                print(f"  {name:52s}{here:10.2f}{there:10.2f}{here / there:8.2f}", flush=True)


if __name__ == "__main__":
    main()
