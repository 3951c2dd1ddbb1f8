"""The contrastive loss within a subject, and its views."""

import math

import pytest
import torch
from torch import Tensor

from omote.objectives.contrast import contrast_within_subject
from omote.objectives.views import augment

EYE = torch.eye(4)


def test_contrast_by_hand() -> None:
    subjects = torch.tensor([0, 0, 1, 1])
    # each has its positive (cosine 1) and one negative of its subject (cosine 0)
    expected = math.log(1 + math.exp(-1 / 0.5))
    torch.testing.assert_close(
        contrast_within_subject(EYE, EYE, subjects, 0.5), torch.full((4,), expected), rtol=1e-6, atol=0
    )


def test_equal_codes_give_the_logarithm_of_the_number_of_frames() -> None:
    same = torch.ones(5, 3)
    subjects = torch.tensor([0, 0, 0, 1, 2])
    expected = torch.tensor([3, 3, 3, 1, 1]).log()
    torch.testing.assert_close(contrast_within_subject(same, same, subjects, 0.2), expected)


def test_codes_of_other_people_do_not_change_the_loss() -> None:
    one, other = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    subjects = torch.tensor([0, 1, 0, 1, 0, 1])
    moved = other.clone()
    moved[subjects == 1] = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    before, after = (contrast_within_subject(one, each, subjects, 0.2) for each in (other, moved))
    assert torch.equal(before[subjects == 0], after[subjects == 0])
    assert not torch.isclose(before[subjects == 1], after[subjects == 1]).any()


def test_order_and_length_of_the_codes_do_not_matter_nor_which_view_comes_first() -> None:
    one, other = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    subjects = torch.tensor([0, 0, 0, 1, 1, 1])
    terms = contrast_within_subject(one, other, subjects, 0.2)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    torch.testing.assert_close(
        contrast_within_subject(one[order], other[order], subjects[order], 0.2), terms[order]
    )
    torch.testing.assert_close(contrast_within_subject(3 * one, other / 7, subjects, 0.2), terms)
    torch.testing.assert_close(contrast_within_subject(other, one, subjects, 0.2), terms)


def test_a_direction_shared_by_all_frames_of_a_person_does_not_lower_the_loss() -> None:
    """Codes of identity alone give the logarithm of the number of frames."""
    person = torch.randn(2, 8, generator=torch.Generator().manual_seed(0)).repeat_interleave(3, 0)
    subjects = torch.tensor([0, 0, 0, 1, 1, 1])
    torch.testing.assert_close(
        contrast_within_subject(person, person, subjects, 0.2), torch.full((6,), math.log(3))
    )


def test_codes_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"codes \(4, 4\) and \(3, 4\) of 4 subjects"):
        contrast_within_subject(EYE, EYE[:3], torch.arange(4), 0.2)


def face(size: int = 64) -> Tensor:
    """Return (1, 3, S, S): a bright spot left of the middle on a dark ground."""
    image = torch.full((1, 3, size, size), 0.2)
    image[:, :, size // 2 - 2 : size // 2 + 2, size // 4 - 2 : size // 4 + 2] = 0.9
    return image


def spots(images: Tensor) -> Tensor:
    """Return (B, 2) horizontal and vertical offset of the bright spot from the centre, in image sides."""
    size = images.shape[-1]
    weight = (images.mean(1) - 0.3).clamp(0)
    place = (torch.arange(size) + 0.5) / size - 0.5
    total = weight.sum((1, 2))
    return torch.stack([(weight.sum(1) @ place) / total, (weight.sum(2) @ place) / total], 1)


def test_views_are_images_and_strength_0_changes_nothing() -> None:
    images = torch.rand(50, 3, 64, 64)
    made = augment(images, light=2, placement=3, mirror=True, surroundings=True)
    assert made.shape == images.shape
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1
    assert torch.equal(augment(images, light=0, placement=0), images)


def test_placement_moves_the_face_as_far_as_documented() -> None:
    torch.manual_seed(0)
    found = spots(augment(face().repeat(400, 1, 1, 1), light=0, placement=1))
    across, down = (found - spots(face())).abs().max(0).values.tolist()
    # the shift is up to 2.5 %; for this spot scaling adds 1 % horizontally, and rotation 1.75 % vertically
    assert 0.025 < across < 0.036
    assert 0.032 < down < 0.046


def test_half_of_the_views_are_mirrored_if_asked_for() -> None:
    torch.manual_seed(0)
    right = spots(augment(face().repeat(400, 1, 1, 1), light=0, placement=0, mirror=True))[:, 0] > 0
    assert 0.4 < float(right.float().mean()) < 0.6


def test_light_changes_brightness_and_tint_of_the_whole_image() -> None:
    torch.manual_seed(0)
    made = augment(face().repeat(200, 1, 1, 1), light=1, placement=0)
    corner, spot = made[:, :, 0, 0], made[:, :, 32, 16]
    assert bool((spot > corner).all())
    assert torch.equal(made[:, :, 0, 0], made[:, :, -1, -1])
    assert float(corner.std(0).mean()) > 0.03  # brightness
    assert float((corner / corner.mean(1, keepdim=True)).std(0).mean()) > 0.03  # tint


def test_light_follows_its_formula() -> None:
    images = torch.rand(6, 3, 8, 8)
    torch.manual_seed(0)
    made = augment(images, light=1, placement=0)
    torch.manual_seed(0)
    brightness, tint, contrast, gamma = (
        most ** (2 * torch.rand(6, channels) - 1)[:, :, None, None]
        for most, channels in ((4 / 3, 1), (1.2, 3), (4 / 3, 1), (4 / 3, 1))
    )
    grey = images.mean((1, 2, 3), keepdim=True)
    expected = ((grey + contrast * (images - grey)) * brightness * tint).clamp(1e-4, 1) ** gamma
    torch.testing.assert_close(made, expected)


def test_replaced_surroundings_change_the_corners_and_keep_the_middle() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 64, 64).repeat(300, 1, 1, 1)
    made = augment(images, light=0, placement=0, surroundings=True)
    torch.testing.assert_close(made[:, :, 28:36, 28:36], images[:, :, 28:36, 28:36], atol=0.03, rtol=0)
    replaced = (made[:, :, 0, 0] - images[:, :, 0, 0]).abs().amax(1) > 1e-3
    assert 0.7 < float(replaced.float().mean()) < 0.9


def test_views_are_drawn_from_the_global_random_state() -> None:
    images, options = torch.rand(3, 3, 64, 64), {"light": 1, "placement": 1}
    torch.manual_seed(3)
    first = augment(images, mirror=True, surroundings=True, **options)
    torch.manual_seed(3)
    assert torch.equal(augment(images, mirror=True, surroundings=True, **options), first)
    assert not torch.equal(augment(images, mirror=True, surroundings=True, **options), first)
