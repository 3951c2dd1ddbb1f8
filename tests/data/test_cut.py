"""The crop rule: geometry of squares, alignment, and the same crop for `prepare` and `embed`."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from omote.data import cut
from omote.data.cut import Cut, cut_middle, cut_out, cut_photos, cut_square, refine_landmarks
from omote.data.detect import Face, find_only_face
from omote.data.face_set import About
from omote.data.images import read_photo
from omote.data.outputs import Faces, Outputs
from omote.data.prepare import prepare
from omote.errors import OmoteError
from omote.features.embed import embed
from omote.features.reader import cut_for


@pytest.fixture(scope="module")
def photo(london: Path) -> np.ndarray:
    return read_photo(london / "001_03.jpg")


def found(image: np.ndarray, model: Path) -> Face:
    face = find_only_face(image, model)
    assert isinstance(face, Face), face
    return face


def ramp(height: int = 40, width: int = 60) -> np.ndarray:
    """Red counts columns, green counts rows."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x, y, 0 * x]).astype(np.uint8)


def test_a_square_at_the_scale_of_the_source_has_its_pixels() -> None:
    image = ramp()
    assert np.array_equal(cut_square(image, (30, 20), 16, 0.0, 16), image[12:28, 22:38])


def test_the_border_is_repeated_outside_the_picture() -> None:
    square = cut_square(ramp(), (0, 0), 16, 0.0, 16)
    assert square[:, :, 0].max() == 7
    assert (square[:8, :8, :2] == 0).all()


def test_shrinking_averages_over_areas() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (cut_square(stripes, (32, 32), 64, 0.0, 8) == 100).all()


def test_a_rotated_square_shows_a_tilted_picture_upright() -> None:
    image = ramp(60, 60)
    square = cut_square(
        image, (30, 30), 20, math.pi / 2, 20
    )  # its upper edge is the right edge of the source
    assert np.array_equal(square, np.rot90(image[20:40, 20:40]))


def test_the_middle_of_a_square_picture_is_all_of_it() -> None:
    image = ramp(40, 60)
    assert np.array_equal(cut_middle(image, 40), image[:, 10:50])
    assert np.array_equal(cut_middle(image[:, :40], 40), image[:, :40])
    assert cut_middle(image, 8).shape == (8, 8, 3)


def test_the_margin_is_added_on_each_side() -> None:
    face = Face(1.0, np.array([20.0, 10, 12, 20]), np.zeros((5, 2)))
    assert np.array_equal(cut_out(ramp(), face, 20, "none", 0.0), ramp()[10:30, 16:36])
    assert np.array_equal(cut_out(ramp(), face, 24, "none", 0.1), ramp()[8:32, 14:38])


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (20, 1.0), (-15, 0.6)])
def test_aligned_eyes_lie_level_at_fixed_positions(
    photo: np.ndarray, detector: Path, degrees: float, scale: float
) -> None:
    turn = cv2.getRotationMatrix2D((256, 256), degrees, scale)
    image = cv2.warpAffine(photo, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    face = refine_landmarks(image, found(image, detector), detector)
    crop = cut_out(image, face, 128, "eyes", 0.25)
    right_eye, left_eye = refine_landmarks(crop, found(crop, detector), detector).landmarks[:2] / 128
    apart, above = cut.EYES_APART / 1.5, cut.EYES_ABOVE_MIDDLE / 1.5
    assert right_eye == pytest.approx([0.5 - apart / 2, 0.5 - above], abs=0.02)
    assert left_eye == pytest.approx([0.5 + apart / 2, 0.5 - above], abs=0.02)


def test_refining_steadies_the_landmarks(photo: np.ndarray, detector: Path) -> None:
    rough, steady = [], []
    for shift in (0, 3, 7, 11, 17):
        image = np.roll(photo, shift, axis=(0, 1))
        face = found(image, detector)
        rough.append(face.landmarks - shift)
        steady.append(refine_landmarks(image, face, detector).landmarks - shift)
    assert np.std(steady, axis=0).mean() < 0.6 * np.std(rough, axis=0).mean()


class Recorder:
    """A reader that keeps the faces it is given."""

    name, model = "recorder", "recorder-1"

    def __init__(self, face_set: About, size: int) -> None:
        self.face_set, self.size = face_set, size
        self.faces: list[Faces] = []

    def read(self, faces: Faces, subjects: Any = None) -> Outputs:
        self.faces.append(faces)
        codes = np.zeros((len(faces), 2), np.float32)
        return Outputs(codes, codes, codes[:, 0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"margin": 0.3},
        {"align": "eyes"},
        {"align": "eyes", "margin": -0.1, "size": 128},
        {"cropped": True},
    ],
)
def test_prepare_and_embed_cut_the_same_crop_of_a_photo(
    options: dict[str, Any], london: Path, detector: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / "someone"
    folder.mkdir(parents=True)
    photos = [folder / name for name in ("001_03.jpg", "005_08.jpg")]
    for file in photos:
        file.symlink_to(london / file.name)
    face_set = prepare(folder.parent, tmp_path / "faces", detector=detector, workers=1, **options)
    reader = Recorder(face_set.about, face_set.size)
    embed(reader, photos, detector=detector, workers=1, cropped="cropped" in options)
    np.testing.assert_array_equal(np.concatenate(reader.faces), face_set.faces)
    assert len(face_set) == 2
    np.testing.assert_array_equal(
        cut_photos(photos, Cut.of(face_set.about, face_set.size), detector), face_set.faces
    )


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({}, Cut(64)),
        ({"importer": "folder", "margin": 0.2, "align": "eyes"}, Cut(64, "eyes", 0.2)),
        ({"importer": "drawn", "margin": 0.0}, Cut(64)),
        ({"importer": "folder", "options": {"cropped": True}, "margin": None}, Cut(64, cropped=True)),
    ],
)
def test_pictures_are_cut_as_the_metadata_of_the_training_faces_says(
    about: dict[str, Any], expected: Cut
) -> None:
    assert Cut.of(About.model_validate(about), 64) == expected


def test_a_model_of_face_crops_asks_for_face_crops() -> None:
    reader = Recorder(About(options={"cropped": True}), 64)
    assert cut_for(reader, cropped=True) == Cut(64, cropped=True)
    with pytest.raises(OmoteError, match="give --cropped"):
        cut_for(reader)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Cut(65), "size is 65"),
        (Cut(64, margin=-0.4), "margin is -0.4"),
        (Cut(64, margin=math.nan), "margin is nan"),
        (Cut(64, "eyes", cropped=True), "cannot be aligned"),
        (Cut(64, "nose"), "align is 'nose'"),  # type: ignore[arg-type]
    ],
)
def test_an_invalid_cut_is_refused(wrong: Cut, message: str) -> None:
    with pytest.raises(OmoteError, match=message):
        wrong.check()


def test_a_photo_that_cannot_be_cut_is_named(london: Path, detector: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("dear diary")
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64, 3), 128, np.uint8))
    for name, message in (
        ("broken.jpg", "broken.jpg cannot be used: unreadable"),
        ("grey.png", "grey.png .*no face"),
    ):
        with pytest.raises(OmoteError, match=message):
            cut_photos([london / "001_03.jpg", tmp_path / name], Cut(64), detector)
