"""Turning pictures upright: the turn asked for, and the one found by the faces."""

from pathlib import Path

import numpy as np
import pytest

from omote.data.images import read_photo
from omote.data.turn import TURNS, check_rotate, find_turn, turn
from omote.errors import OmoteError


def test_pictures_turn_clockwise() -> None:
    image = np.array([[1, 2], [3, 4]])[..., None]
    assert turn(image, 90)[..., 0].tolist() == [[3, 1], [4, 2]]
    assert turn(turn(image, 90), 270).tolist() == image.tolist()
    with pytest.raises(OmoteError, match="rotate is 45; expected one of 0, 90, 180, 270, auto"):
        check_rotate(45)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["001_03", "005_08", "070_03", "102_08"])
@pytest.mark.parametrize("degrees", TURNS)
def test_the_turn_of_a_photo_is_found_by_its_face(
    london: Path, detector: Path, name: str, degrees: int
) -> None:
    turned = turn(read_photo(london / f"{name}.jpg"), -degrees % 360)
    assert find_turn([turned], detector) == degrees


def test_pictures_without_a_face_stay_as_they_are(detector: Path) -> None:
    assert find_turn([np.full((240, 320, 3), 128, np.uint8)], detector) == 0
