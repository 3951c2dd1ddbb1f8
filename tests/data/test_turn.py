"""Turning pictures upright: the turn asked for, and the one found by the faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from omote.data.images import read_photo
from omote.data.prepare import prepare
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


def test_prepare_turns_photos_and_videos_upright(london: Path, detector: Path, tmp_path: Path) -> None:
    upright = cv2.resize(read_photo(london / "005_08.jpg"), (256, 256), interpolation=cv2.INTER_AREA)
    folder = tmp_path / "photos" / "ann"
    folder.mkdir(parents=True)
    Image.fromarray(upright).save(folder / "upright.png")
    Image.fromarray(turn(upright, 270)).save(folder / "lying.png")
    lying = Image.fromarray(turn(upright, 180))
    lying.save(folder / "over.gif", save_all=True, append_images=[lying.copy()], duration=500)

    found = prepare(folder.parent, tmp_path / "auto", rotate="auto", detector=detector, workers=1)
    turned = dict(zip(found.frames["source"], found.frames["turned"], strict=True))
    assert turned == {"ann/lying.png": 90, "ann/over.gif": 180, "ann/upright.png": 0}
    faces = {source: found.faces[row] for row, source in enumerate(found.frames["source"])}
    np.testing.assert_array_equal(faces["ann/lying.png"], faces["ann/upright.png"])
    assert found.about.options["rotate"] == "auto"

    over = prepare(folder.parent, tmp_path / "over", rotate=270, detector=detector, workers=1)
    assert (over.frames["turned"] == 270).all()
    plain = prepare(folder.parent, tmp_path / "plain", detector=detector, workers=1)
    assert "turned" not in plain.frames
    with pytest.raises(OmoteError, match="rotate is auto, which needs whole pictures"):
        prepare(folder.parent, tmp_path / "cropped", rotate="auto", cropped=True)
