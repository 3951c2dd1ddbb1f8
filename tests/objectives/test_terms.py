"""The terms of Eqs. 1 to 5: values computed by hand, and mathematical properties."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from omote.objectives.adversarial import (
    discriminator_loss_on_fake,
    discriminator_loss_on_real,
    generator_loss_on_fake,
    gradient_penalty,
)
from omote.objectives.divergence import gaussian_kl
from omote.objectives.reconstruction import binary_cross_entropy, mean_squared_error
from omote.objectives.switch import code_distance


def test_kl_by_hand() -> None:
    # KL(N(1, 1) || N(0, 1)) = 1/2; KL(N(0, e) || N(0, 1)) = (e - 1 - 1) / 2; summed over the code
    mean, logvar = (
        torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]),
        torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
    )
    torch.testing.assert_close(gaussian_kl(mean, logvar), torch.tensor([0, 0.5, 0.5 + (math.e - 2) / 2]))


@given(st.floats(-5, 5), st.floats(-5, 3))
def test_kl_equals_that_of_torch_and_is_never_negative(mean: float, logvar: float) -> None:
    ours = gaussian_kl(torch.tensor([[mean]]), torch.tensor([[logvar]]))
    theirs = kl_divergence(Normal(mean, math.exp(logvar / 2)), Normal(0.0, 1.0))
    assert ours.item() == pytest.approx(float(theirs), abs=1e-4)
    assert ours.item() >= -1e-6


def test_squared_error_is_the_mean_over_all_values_of_an_image() -> None:
    made, target = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    made[1, 0] = 3  # a third of the values are off by 3
    torch.testing.assert_close(mean_squared_error(made, target), torch.tensor([0.0, 3.0]))


def test_cross_entropy_by_hand() -> None:
    made, target = torch.full((1, 3, 2, 2), 0.25), torch.full((1, 3, 2, 2), 1.0)
    assert binary_cross_entropy(made, target).item() == pytest.approx(math.log(4))


def test_adversarial_terms_by_hand() -> None:
    # D(x) = sigmoid(0) = 1/2 and sigmoid(log 3) = 3/4
    logits = torch.tensor([0.0, math.log(3)])
    torch.testing.assert_close(discriminator_loss_on_real(logits), -torch.tensor([0.5, 0.75]).log())
    torch.testing.assert_close(discriminator_loss_on_fake(logits), -torch.tensor([0.5, 0.25]).log())
    torch.testing.assert_close(generator_loss_on_fake(logits), -torch.tensor([0.5, 0.75]).log())
    torch.testing.assert_close(generator_loss_on_fake(logits, "minimax"), torch.tensor([0.5, 0.25]).log())


def test_only_the_minimax_gradient_vanishes_where_the_discriminator_is_certain() -> None:
    gradient = {}
    for loss in ("minimax", "non_saturating"):
        logit = torch.tensor([-20.0], requires_grad=True)
        generator_loss_on_fake(logit, loss).sum().backward()
        assert logit.grad is not None
        gradient[loss] = -logit.grad.item()
    assert 0 <= gradient["minimax"] < 1e-6
    assert gradient["non_saturating"] == pytest.approx(1)


@pytest.mark.parametrize("target_gradient", [False, True])
def test_the_switch_target_gets_a_gradient_only_if_asked_for(target_gradient: bool) -> None:
    encoded, code = torch.ones(2, 4, requires_grad=True), torch.zeros(2, 4, requires_grad=True)
    distance = code_distance(encoded, code, target_gradient=target_gradient)
    torch.testing.assert_close(distance, torch.ones(2))
    distance.sum().backward()
    assert encoded.grad is not None
    assert (code.grad is not None) == target_gradient


@pytest.mark.parametrize("term", [mean_squared_error, binary_cross_entropy, gaussian_kl])
def test_each_image_has_its_own_value_whatever_the_order(term: object) -> None:
    assert callable(term)
    a, b = torch.rand(5, 8), torch.rand(5, 8)
    order = torch.tensor([3, 1, 4, 0, 2])
    whole = term(a, b)
    assert whole.shape == (5,)
    torch.testing.assert_close(term(a[order], b[order]), whole[order])
    torch.testing.assert_close(term(a[:1], b[:1]), whole[:1])


@pytest.mark.parametrize("term", [mean_squared_error, binary_cross_entropy, gaussian_kl])
def test_different_shapes_are_refused(term: object) -> None:
    assert callable(term)
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2, 4\)"):
        term(torch.rand(2, 3), torch.rand(2, 4))


def test_the_gradient_penalty_by_hand() -> None:
    images = torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1).expand(2, 3, 2, 2).clone().requires_grad_()
    slope = torch.tensor(5.0, requires_grad=True)
    penalty = gradient_penalty(slope * images.square().sum((1, 2, 3)), images)  # gradient 10 x at 12 values
    torch.testing.assert_close(penalty, torch.tensor([12 * 100 / 2, 12 * 400 / 2]))
    penalty.sum().backward()
    assert slope.grad is not None
    assert slope.grad.item() == pytest.approx(2 * 3000 / 5)  # it grows with the square of the slope
