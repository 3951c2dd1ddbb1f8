"""The convolution blocks that Tables 1 and 2 of the paper are made of, and their initialisation.

The paper names neither activation nor normalisation; both are options (PAPER.md, "Activation, normalisation").
"""

from typing import Literal

from torch import nn

Activation = Literal["leaky_relu", "relu"]
Normalisation = Literal["batch", "none"]

LEAK = 0.2  # slope of LeakyReLU below zero


def activation_layer(activation: Activation) -> nn.Module:
    """Return LeakyReLU(0.2) or ReLU, in place: nothing needs the input of an activation again."""
    return nn.LeakyReLU(LEAK, inplace=True) if activation == "leaky_relu" else nn.ReLU(inplace=True)


def block(
    convolution: nn.Module, channels: int, activation: Activation, normalisation: Normalisation
) -> list[nn.Module]:
    """Return the layers convolution -> normalisation -> activation.

    Args:
        convolution: any layer with ``channels`` output channels.
        channels: number of channels that are normalised.
        activation: see `Activation`.
        normalisation: "batch" for BatchNorm, "none" for no layer at all.
    """
    norm = [nn.BatchNorm2d(channels)] if normalisation == "batch" else []
    return [convolution, *norm, activation_layer(activation)]


def initialise(network: nn.Module, activation: Activation) -> None:
    """Set every convolution and linear weight by He et al. (2015), "Delving Deep into Rectifiers"; biases to 0.

    A normal distribution of variance 2 / ((1 + leak^2) fan_in). The fan-in of a transposed convolution is the number
    of inputs that reach one output pixel: kernel area x input channels / stride^2.
    """
    leak = LEAK if activation == "leaky_relu" else 0.0
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            area, stride = layer.kernel_size[0] * layer.kernel_size[1], layer.stride[0] * layer.stride[1]
            fan_in = layer.in_channels * area / stride
            nn.init.normal_(layer.weight, std=(2 / ((1 + leak**2) * fan_in)) ** 0.5)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=leak)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
