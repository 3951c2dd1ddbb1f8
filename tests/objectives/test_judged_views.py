"""Views for the discriminator: what they change, what they leave, and that a gradient passes."""

import torch

from omote.objectives.judged_views import draw_judged_views


def faces(count: int, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_views_of_an_image_differ_and_keep_its_shape() -> None:
    torch.manual_seed(0)
    views = draw_judged_views(faces(1).repeat(64, 1, 1, 1))
    assert views.shape == (64, 3, 32, 32)
    assert len({view.sum().item() for view in views}) > 40


def test_some_views_are_the_image_itself_or_its_mirror_image() -> None:
    """Unchanged in colour and position (0.3 each) and whole (0.5): 4.5 %."""
    torch.manual_seed(0)
    images = faces(4000, 8)
    views = draw_judged_views(images)
    same = (views == images).flatten(1).all(1) | (views == images.flip(3)).flatten(1).all(1)
    assert 0.03 < same.float().mean().item() < 0.07


def test_no_view_blurs() -> None:
    """A black and white pattern has two values a channel in a view, and the grey of the hidden square."""
    torch.manual_seed(0)
    pattern = (faces(200) > 0.5).float().mean(1, keepdim=True).round().expand(-1, 3, -1, -1)
    for view in draw_judged_views(pattern):
        assert len(view[0].unique()) <= 3


def test_a_view_passes_a_gradient_to_all_that_it_shows() -> None:
    torch.manual_seed(0)
    images = faces(50).requires_grad_()
    draw_judged_views(images).sum().backward()
    assert images.grad is not None
    assert ((images.grad != 0).float().mean((1, 2, 3)) > 0.5).all()
