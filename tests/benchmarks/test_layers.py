"""Other ways to compute the layers of a training step give the same numbers."""

import pytest
import torch

import layers


@pytest.mark.parametrize("kind", layers.TOLERANCE)
def test_every_other_way_agrees_with_the_layer(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    names = []
    for name, layer, other in layers.lines(2, kind):
        layers.check_agreement(layer, other, kind)
        names.append(name)
    assert len(names) == len(set(names)) == 16
