import math
from pathlib import Path

import numpy as np
import pytest

from omote.data.cut import Square, cut_square
from omote.data.face_set import FaceSet
from omote.data.outputs import Faces, Floats
from omote.errors import OmoteError
from omote.figures.paper.interpolate import plot_interpolation
from omote.figures.paper.on_photo import (
    FIELD_SIZE,
    FLOW_GAIN,
    NUM_IDENTITIES,
    Change,
    apply_change,
    estimate_change,
    face_window,
    interpolate_on_photo,
    similar_identities,
    swap_on_photos,
)
from omote.figures.paper.sheet import ON_PHOTO, Sheet
from omote.figures.paper.swap import plot_swap
from omote.training.loop import train
from tests.conftest import Configure
from tests.figures.conftest import Painter, plain

SIZE = 64
RNG = np.random.default_rng(0)
SPOTS = np.kron(RNG.integers(0, 256, (16, 16, 1)), np.ones((4, 4, 3))).astype(np.uint8)  # (64, 64, 3)


class Mover(Painter):
    """Green says by how many pixels the decoded face, a texture, is moved down, and red how much brighter it is."""

    def __init__(self, texture: Faces = SPOTS, has_identity: bool = True) -> None:
        super().__init__("mover", SIZE, has_identity=has_identity)
        self.texture = texture

    def represent(self, faces: Faces) -> tuple[Floats, Floats]:
        codes = faces[:, 0, 0, :2].astype(np.float32)
        return codes, codes

    def identify(self, faces: Faces) -> tuple[Floats, Floats]:
        codes = faces[:, SIZE // 2, SIZE // 2].astype(np.float32)
        return codes, codes

    def decode_coarse(self, z_i: Floats, z_e: Floats) -> Faces:
        moved = [np.roll(self.texture, round(float(down)), axis=0) + red for red, down in z_e]
        return np.stack(moved).clip(0, 255).round().astype(np.uint8)


def still(size: int = SIZE, texture: int = 0) -> Faces:
    """Return a (size, size, 3) photo of noise whose expression is that of the code (0, 0)."""
    photo = np.random.default_rng(texture).integers(60, 190, (size, size, 3), np.uint8)
    corner = -(-size // SIZE)  # what becomes the first pixel of the face that the model reads
    photo[:corner, :corner] = 0
    return photo


def outside(size: int) -> np.ndarray:
    """Return which pixels lie outside the circle that fits into the crop."""
    position = (np.arange(size) + 0.5) / size * 2 - 1
    return np.asarray(np.hypot(position, position[:, None]) >= 1)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_with_its_own_expression_a_photo_stays_the_same(size: int) -> None:
    photos = np.stack([still(size, texture) for texture in range(2)])
    same = swap_on_photos(Mover(), photos, plain((0, 0, 9), size=SIZE))
    np.testing.assert_array_equal(same[0], photos)


@pytest.mark.parametrize("size", [64, 100, 256])
def test_the_pixels_move_a_fixed_factor_farther_than_the_decoded_face_in_proportion_to_the_size(
    size: int,
) -> None:
    photo = np.full((size, size, 3), 100, np.uint8)
    middle = slice(size // 2 - size // 16, size // 2 + size // 16)
    photo[middle, middle] = 200
    change = estimate_change(SPOTS[None], np.roll(SPOTS, 3, axis=0)[None])
    moved = apply_change(photo, change._replace(shading=np.zeros_like(change.shading)))

    def height(image: Faces) -> float:
        return float(np.average(np.arange(size), weights=(image[..., 0] > 150).sum(1)))

    assert height(moved) - height(photo) == pytest.approx(FLOW_GAIN * 3 * size / SIZE, abs=0.6 * size / SIZE)
    np.testing.assert_array_equal(moved[outside(size)], photo[outside(size)])


def test_what_moves_nothing_is_added_as_shading_and_fades_out_towards_the_border() -> None:
    grey = np.full((SIZE, SIZE, 3), 100, np.uint8)
    photo = still(256)
    (changed,) = swap_on_photos(Mover(grey), photo[None], plain((20, 0, 0), size=SIZE))[0]

    added = changed.astype(int) - photo
    np.testing.assert_array_equal(added[96:160, 96:160], 20)
    np.testing.assert_array_equal(added[outside(256)], 0)
    assert ((added >= 0) & (added <= 20)).all()


def test_a_strip_starts_with_the_photo_itself_and_changes_in_equal_steps() -> None:
    grey = np.full((SIZE, SIZE, 3), 100, np.uint8)
    photo = still()
    strip = interpolate_on_photo(Mover(grey), photo, plain((40, 0, 0), size=SIZE)[0], steps=5)

    np.testing.assert_array_equal(strip[0], photo)
    middle = strip[:, 30:34, 30:34].astype(int) - photo[30:34, 30:34]
    assert [set(each.ravel()) for each in middle] == [{0}, {10}, {20}, {30}, {40}]


def test_colours_stay_between_0_and_255() -> None:
    change = Change(np.zeros((FIELD_SIZE, FIELD_SIZE, 2), np.float32),
                    np.full((FIELD_SIZE, FIELD_SIZE, 3), 99, np.float32))  # fmt: skip
    assert (apply_change(np.full((70, 70, 3), 200, np.uint8), change) == 255).all()


@pytest.mark.parametrize(
    ("faces", "codes"), [(1, 14), (2, 24), (5, 20), (12, 24), (13, 13), (24, 24), (99, 24)]
)
def test_a_change_is_averaged_over_the_people_and_if_they_are_few_over_views_of_them(
    faces: int, codes: int
) -> None:
    identities = similar_identities(Mover(), RNG.integers(0, 256, (faces, SIZE, SIZE, 3), np.uint8))
    assert len(identities) == codes <= NUM_IDENTITIES


def test_the_pictures_say_that_they_are_drawn_on_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(Sheet, "heading", lambda self, title, note: notes.append(note))
    photo, target = still(256), plain((0, 1, 0), size=SIZE)
    swapped = plot_swap([Mover()], photo[None], target, on_photo=True)
    strip = plot_interpolation([Mover()], photo, target[0], steps=3, on_photo=True)

    assert notes == [ON_PHOTO, ON_PHOTO]
    assert swapped.width > 2 * 256  # the photo is shown at its own size
    assert strip.width > 3 * 256


def test_what_cannot_be_changed_is_refused() -> None:
    target = plain((0, 0, 0), size=SIZE)
    with pytest.raises(OmoteError, match=r"no identity code.*Leave out --on-photo"):
        swap_on_photos(Mover(has_identity=False), still()[None], target)
    with pytest.raises(OmoteError, match="reads faces of 64 px, but these have 63"):
        swap_on_photos(Mover(), still(63)[None], target)
    with pytest.raises(OmoteError, match=r"expected \(N, S, S, 3\) uint8"):
        swap_on_photos(Mover(), still()[None, :, :-1], target)
    with pytest.raises(OmoteError, match=r"expected \(N, S, S, 3\) uint8"):
        swap_on_photos(Mover(), still()[None].astype(np.float32), target)
    for photos, faces in ((still()[None][:0], target), (still()[None], target[:0])):
        with pytest.raises(OmoteError, match="at least one identity face and one expression face"):
            swap_on_photos(Mover(), photos, faces)


def shaded(colour: float, flow: tuple[float, float] = (0, 0)) -> Change:
    """Return a change that adds a colour and moves, the same everywhere but at the border."""
    window = face_window()
    return Change(window * np.array(flow, np.float32), np.repeat(window * np.float32(colour), 3, axis=2))


def test_a_whole_photo_changes_in_its_square_and_nowhere_else() -> None:
    picture = np.random.default_rng(0).integers(60, 190, (500, 400, 3), np.uint8)
    square = Square((60 + 128, 80 + 128), 256, 0.0)
    changed = apply_change(picture, shaded(30, (2, -5)), square)

    face = picture[80 : 80 + 256, 60 : 60 + 256]
    np.testing.assert_array_equal(
        changed[80 : 80 + 256, 60 : 60 + 256], apply_change(face, shaded(30, (2, -5)))
    )
    changed[80 : 80 + 256, 60 : 60 + 256] = face
    np.testing.assert_array_equal(changed, picture)


def test_the_change_turns_with_the_face() -> None:
    picture = np.full((300, 300, 3), 100, np.uint8)
    picture[140:160, 140:160] = 200
    square = Square((150, 150), 256, math.pi / 2)  # its lower edge is the picture's left one
    columns = np.tile(np.arange(300).clip(max=255).astype(np.uint8)[:, None], (300, 1, 3))
    assert cut_square(columns, *square, 256)[-1].max() <= 150 - 127
    changed = apply_change(picture, shaded(0, (0, -12)), square)  # from 12 pixels above: down, so to the left

    y, x = np.nonzero(changed[..., 0] > 150)
    assert (x.mean(), y.mean()) == (149.5 - 12, 149.5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (90, 20)])
@pytest.mark.parametrize("middle", [(0.0, 0.0), (-500.0, 30.0), (15.0, 70.0), (1e4, 1e4)])
def test_a_face_may_reach_beyond_the_picture(shape: tuple[int, int], middle: tuple[float, float]) -> None:
    picture = np.full((*shape, 3), 100, np.uint8)
    changed = apply_change(picture, shaded(30, (3, 3)), Square(middle, 80, 0.3))
    assert changed.shape == picture.shape
    assert ((changed >= 100) & (changed <= 130)).all()


def test_a_change_is_estimated_without_the_detail_of_the_last_stage(
    faces: FaceSet, run: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = train(faces, run, configure(method="omote", options__epochs=1, options__sharpening=1.0))
    photo, target = np.array(faces.faces[:1]), np.array(faces.faces[3:4])
    changed = swap_on_photos(trained, photo, target)
    monkeypatch.setattr(trained.method.average_painter, "forward", lambda codes, coarse: 1 - coarse)
    np.testing.assert_array_equal(swap_on_photos(trained, photo, target), changed)
    codes = trained.identify(photo)[0], trained.represent(target)[0]
    assert not np.array_equal(trained.decode_coarse(*codes), trained.decode(*codes))
