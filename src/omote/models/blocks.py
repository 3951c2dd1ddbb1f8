"""Convolution blocks of Tables 1 and 2 of the paper, and their initialisation.

The paper names neither activation nor normalisation; both are options (docs/paper_map.md).
"""

from typing import Literal

from torch import nn

Activation = Literal["leaky_relu", "relu"]
Normalisation = Literal["batch", "none"]

LEAK = 0.2  # slope of LeakyReLU below zero


def activation_layer(activation: Activation) -> nn.Module:
    """Return LeakyReLU(0.2) or ReLU, in place, as nothing else uses its input."""
    return nn.LeakyReLU(LEAK, inplace=True) if activation == "leaky_relu" else nn.ReLU(inplace=True)


def block(
    convolution: nn.Module, channels: int, activation: Activation, normalisation: Normalisation
) -> list[nn.Module]:
    """Return the layers convolution -> normalisation -> activation.

    Args:
        convolution: any layer with ``channels`` output channels.
        channels: number of channels.
        activation: see `Activation`.
        normalisation: "batch" for BatchNorm, "none" for no layer.
    """
    norm = [nn.BatchNorm2d(channels)] if normalisation == "batch" else []
    return [convolution, *norm, activation_layer(activation)]


def initialise(network: nn.Module, activation: Activation) -> None:
    """Draw all convolution and linear weights as He et al. (2015), "Delving Deep into Rectifiers"; set biases to 0.

    The distribution is normal with variance 2 / ((1 + leak^2) fan_in). The fan-in of a transposed convolution is the
    number of inputs that reach one output pixel: kernel area x input channels / stride^2. On the device "meta", where
    weights have no values, nothing is drawn: torch would load its compiler for it.
    """
    leak = LEAK if activation == "leaky_relu" else 0.0
    for layer in network.modules():
        if any(weight.is_meta for weight in layer.parameters(recurse=False)):
            continue
        if isinstance(layer, nn.ConvTranspose2d):
            area, stride = layer.kernel_size[0] * layer.kernel_size[1], layer.stride[0] * layer.stride[1]
            fan_in = layer.in_channels * area / stride
            nn.init.normal_(layer.weight, std=(2 / ((1 + leak**2) * fan_in)) ** 0.5)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=leak)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
