"""Moving a face by a change of its code: values by hand, and the laws of a linear map."""

import torch
from torch import Tensor

from omote.models.motion import GRID, SCALE, Motion
from omote.objectives.motion import motion_error, other_frames

SIZE = 32


def faces(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def shifting() -> Motion:
    """Return a motion whose first code number moves by a pixel to the right, and whose second makes red brighter."""
    motion = Motion(2)
    with torch.no_grad():
        motion.displacement[: GRID**2, 0] = -2 / SIZE / SCALE  # colours come from a pixel on the left
        motion.colour[: GRID**2, 1] = 0.1 / SCALE
    return motion


def test_a_change_of_zero_leaves_a_face_as_it_is_and_so_does_any_before_training() -> None:
    torch.testing.assert_close(shifting()(faces(), torch.zeros(2, 2)), faces(), rtol=0, atol=1e-5)
    torch.testing.assert_close(Motion(2)(faces(), torch.randn(2, 2)), faces(), rtol=0, atol=1e-5)


def test_a_change_moves_and_tints_by_as_much_as_it_is_long() -> None:
    moved = shifting()(faces(), torch.tensor([[1.0, 0.0], [3.0, 2.0]]))
    expected = [faces()[0].roll(1, 2), faces()[1].roll(3, 2) + torch.tensor([0.2, 0, 0])[:, None, None]]
    for found, face, by in zip(moved, expected, (1, 3), strict=True):
        torch.testing.assert_close(found[:, :, by:], face[:, :, by:], rtol=0, atol=1e-4)
    border = faces()[1, 1, :, :1].expand(-1, 3)  # repeated where the face moved away
    torch.testing.assert_close(moved[1, 1, :, :3], border, rtol=0, atol=1e-4)


def test_the_error_is_of_the_face_and_not_of_its_surroundings() -> None:
    grey = torch.full((1, 3, SIZE, SIZE), 0.5)
    assert float(motion_error(grey, grey)) == 0
    corner, middle = grey.clone(), grey.clone()
    corner[:, :, :4, :4] = 1
    middle[:, :, 14:18, 14:18] = 1
    assert float(motion_error(corner, grey)) < 1e-5
    # 16 of 1,024 pixels are off by 0.5, and as many of their means over 2x2
    torch.testing.assert_close(
        motion_error(middle, grey), torch.tensor([2 * 16 / 1024 * 0.5]), rtol=1e-3, atol=0
    )


def test_means_over_2x2_pixels_do_not_see_a_pattern_of_pixels() -> None:
    board = 0.1 * (torch.arange(SIZE)[:, None] + torch.arange(SIZE)).remainder(2).float() - 0.05
    grey = torch.full((1, 3, SIZE, SIZE), 0.5)
    everywhere, pattern = motion_error(grey + 0.05, grey), motion_error(grey + board, grey)
    assert 0.5 < float(pattern / everywhere) < 0.55


def test_other_frames_are_of_the_same_person_and_never_the_frame_itself() -> None:
    subjects = torch.tensor([4, 7, 4, 7, 4, 9])
    torch.manual_seed(0)
    drawn = [other_frames(subjects) for _ in range(60)]
    assert all(has.tolist() == [1, 1, 1, 1, 1, 0] for _, has in drawn)
    seen = [sorted({int(other[place]) for other, _ in drawn}) for place in range(6)]
    assert seen == [[2, 4], [3], [0, 4], [1], [0, 2], [5]]
