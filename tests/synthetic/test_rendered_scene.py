"""FaceImage images are deterministic, each factor changes what it should, and landmarks and box are true."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omote.data.detect import find_faces
from omote.synthetic.plan import FaceImage
from omote.synthetic.rendered import light, raster
from omote.synthetic.rendered.factors import Appearance, Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head
from omote.synthetic.rendered.wild import Wild

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH_RIGHT, MOUTH_LEFT = range(5)
PLAIN = Appearance()
STUDIO = Nuisance(light_x=0.0, noise=0.0)
SIZE = 96


@pytest.fixture(scope="module")
def model(model_file: Path) -> FaceModel:
    return read_face_model(model_file)


@pytest.fixture(scope="module")
def head(model: FaceModel) -> Head:
    return Head(model, np.zeros(100), PLAIN)


def show(head: Head, nuisance: Nuisance = STUDIO, **shapes: float) -> FaceImage:
    """Return an image of shapes by name; a name without a side means both sides."""
    expression = [shapes.get(name, shapes.get(name[:-2], 0.0)) for name in head.names]
    return head.render(np.array(expression), nuisance, SIZE)


def patch(
    rendered: FaceImage, landmark: int, move: tuple[float, float] = (0, 0), radius: int = 3
) -> np.ndarray:
    """Return the pixels round a landmark, or round a point `move` image sizes away from it."""
    x, y = (rendered.landmarks[landmark] + np.array(move) * SIZE).astype(int)
    part: np.ndarray = rendered.image[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(float)
    return part


def change(a: FaceImage, b: FaceImage) -> float:
    return float(np.abs(a.image.astype(float) - b.image).mean())


def test_the_same_factors_give_the_same_image(model: FaceModel, head: Head) -> None:
    again = show(Head(model, np.zeros(100), PLAIN), mouthSmile=0.7)
    np.testing.assert_array_equal(again.image, show(head, mouthSmile=0.7).image)


def test_an_image_is_square_uint8_with_the_landmarks_inside_the_box(head: Head) -> None:
    rendered = show(head)
    assert rendered.image.shape == (SIZE, SIZE, 3)
    assert rendered.image.dtype == np.uint8
    x, y, width, height = rendered.box
    assert ((rendered.landmarks > (x, y)) & (rendered.landmarks < (x + width, y + height))).all()
    assert 0 < x < x + width < SIZE
    # The box of the neutral face fills the image, except for a margin of 0.05 of its height on each side.
    assert height == pytest.approx(SIZE / 1.1, rel=0.02)


def test_right_and_left_are_those_of_the_person(head: Head) -> None:
    x, y = show(head).landmarks.T
    assert x[RIGHT_EYE] < x[NOSE] < x[LEFT_EYE]
    assert x[MOUTH_RIGHT] < x[NOSE] < x[MOUTH_LEFT]
    assert y[RIGHT_EYE] < y[NOSE] < y[MOUTH_LEFT]


def test_eye_landmarks_are_on_the_dark_pupils(head: Head) -> None:
    rendered = show(head)
    for eye in (RIGHT_EYE, LEFT_EYE):
        assert patch(rendered, eye).min() < 0.5 * patch(rendered, NOSE).mean()


def test_rotation_moves_the_nose_relative_to_the_eyes(head: Head) -> None:
    def nose(**pose: float) -> np.ndarray:
        marks = show(head, replace(STUDIO, **pose)).landmarks
        middle: np.ndarray = (marks[NOSE] - marks[:2].mean(0)) / SIZE
        return middle

    assert nose(yaw=12.0)[0] > 0.02 > -0.02 > nose(yaw=-12.0)[0]
    assert nose(pitch=12.0)[1] > nose()[1] + 0.02
    assert nose(pitch=-12.0)[1] < nose()[1] - 0.02
    across = np.subtract(*show(head, replace(STUDIO, roll=10.0)).landmarks[[LEFT_EYE, RIGHT_EYE]])
    assert np.rad2deg(np.arctan2(across[1], across[0])) == pytest.approx(10, abs=0.5)


def test_scale_and_shift_move_the_landmarks_by_their_amount(head: Head) -> None:
    marks = show(head).landmarks
    moved = show(head, replace(STUDIO, shift_x=0.05, shift_y=-0.02)).landmarks
    np.testing.assert_allclose(moved - marks, np.tile((0.05 * SIZE, -0.02 * SIZE), (5, 1)), atol=0.5)
    larger = show(head, replace(STUDIO, scale=1.1)).landmarks
    assert np.ptp(larger[:, 0]) == pytest.approx(1.1 * np.ptp(marks[:, 0]), rel=0.01)


def test_opening_the_jaw_shows_a_dark_mouth_and_does_not_move_the_eyes(head: Head) -> None:
    neutral, opened = show(head), show(head, jawOpen=1.0, mouthUpperUp=0.6)
    assert (opened.landmarks[MOUTH_LEFT:, 1] > neutral.landmarks[MOUTH_LEFT:, 1] + 0.02 * SIZE).all()
    np.testing.assert_allclose(opened.landmarks[:2], neutral.landmarks[:2], atol=0.05)
    below = (0.0, 0.24)  # the nose, where the mouth opens
    assert patch(opened, NOSE, below).min() < 0.6 * patch(neutral, NOSE, below).min()


def test_smiling_widens_the_mouth_and_shows_white_teeth(head: Head) -> None:
    neutral, laughing = show(head), show(head, mouthSmile=1.0, jawOpen=0.4, mouthUpperUp=0.5)
    corners = [MOUTH_RIGHT, MOUTH_LEFT]
    assert np.ptp(laughing.landmarks[corners, 0]) > 1.1 * np.ptp(neutral.landmarks[corners, 0])

    def white(face: FaceImage) -> int:
        """Return how many pixels between the mouth corners are bright and grey, unlike skin."""
        middle = face.landmarks[corners].mean(0).astype(int)
        mouth = face.image[middle[1] - 6 : middle[1] + 7, middle[0] - 8 : middle[0] + 9].astype(int)
        return int(((mouth.min(2) > 130) & (np.ptp(mouth, axis=2) < 30)).sum())

    assert white(neutral) == 0
    assert white(laughing) > 20


def test_closing_the_eyes_hides_them(head: Head) -> None:
    opened, closed = show(head), show(head, eyeBlink=1.0)
    for eye in (RIGHT_EYE, LEFT_EYE):
        assert patch(closed, eye, radius=2).min() > 1.5 * patch(opened, eye, radius=2).min()


@pytest.mark.parametrize(
    ("shapes", "way"),
    [
        ({"eyeLookOut_L": 1.0, "eyeLookIn_R": 1.0}, 1),
        ({"eyeLookIn_L": 1.0, "eyeLookOut_R": 1.0}, -1),
    ],
)
def test_looking_sideways_moves_both_irises(head: Head, shapes: dict[str, float], way: int) -> None:
    def iris(rendered: FaceImage, eye: int) -> float:
        """Return the mean column of the dark pixels between the lids."""
        x, y = rendered.landmarks[eye].astype(int)
        dark = 255.0 - rendered.image[y - 2 : y + 2, x - 7 : x + 8].mean((0, 2))
        dark = np.maximum(dark - np.median(dark), 0)
        return float((dark * np.arange(len(dark))).sum() / dark.sum())

    for eye in (RIGHT_EYE, LEFT_EYE):
        assert way * (iris(show(head, STUDIO, **shapes), eye) - iris(show(head), eye)) > 0.5


def test_every_shape_changes_the_image_by_more_than_rounding(head: Head) -> None:
    neutral = show(head)
    unchanged = [name for name in head.names if change(show(head, STUDIO, **{name: 1.0}), neutral) < 0.01]
    assert unchanged == []


def test_light_from_a_side_brightens_that_side(head: Head) -> None:
    def left_over_right(light_x: float) -> float:
        rendered = show(head, replace(STUDIO, light_x=light_x, light_hardness=0.8))
        return float(patch(rendered, NOSE, (-0.2, 0.0)).mean() / patch(rendered, NOSE, (0.2, 0.0)).mean())

    assert left_over_right(-0.9) > 1.1
    assert left_over_right(0.9) < 0.9


def test_a_higher_skin_tone_is_darker(model: FaceModel) -> None:
    cheeks = [
        patch(show(Head(model, np.zeros(100), replace(PLAIN, skin_tone=tone))), NOSE, (0.15, 0.0)).mean()
        for tone in (0.0, 0.5, 1.0)
    ]
    assert cheeks[0] > cheeks[1] + 15 > cheeks[2] + 30


def test_another_person_changes_the_image_more_than_another_expression_or_noise(
    model: FaceModel, head: Head
) -> None:
    rng = np.random.default_rng(0)
    other = show(Head(model, rng.standard_normal(100), random_appearance(rng)))
    expression = change(show(head, mouthSmile=1.0), show(head))
    noisy = change(show(head, replace(STUDIO, noise=2.0)), show(head))
    assert change(other, show(head)) > 2 * expression > 2 * noisy > 0


def test_hair_with_a_fringe_covers_the_forehead(model: FaceModel) -> None:
    above = (0.0, -0.5)  # the nose
    people = (replace(PLAIN, hair_cover=0.0), replace(PLAIN, hair_cover=1.0, fringe=1.0, hair_tone=0.0))
    bald, haired = (patch(show(Head(model, np.zeros(100), person)), NOSE, above).mean() for person in people)
    assert haired < 0.6 * bald


def test_the_framing_depends_on_the_person_and_not_on_the_expression(head: Head) -> None:
    neutral, opened = show(head), show(head, jawOpen=1.0, browInnerUp=1.0)
    corner = np.s_[:8, :8]  # the wall behind
    np.testing.assert_array_equal(opened.image[corner], neutral.image[corner])
    assert opened.box[3] > neutral.box[3]


def test_the_detector_agrees_with_the_true_box_and_landmarks(model: FaceModel, detector: Path) -> None:
    for seed in range(2):
        rng = np.random.default_rng([1, seed])
        head = Head(model, rng.standard_normal(100), random_appearance(rng))
        rendered = head.render(np.zeros(57), replace(random_nuisance(rng), scale=0.6), 256)
        found = find_faces(rendered.image, detector)
        assert len(found) == 1
        between_eyes = np.linalg.norm(rendered.landmarks[0] - rendered.landmarks[1])
        assert np.abs(found[0].landmarks - rendered.landmarks).max() < 0.35 * between_eyes
        assert np.abs(found[0].box - rendered.box).max() < 0.5 * between_eyes


def test_wild_factors_change_the_image_where_they_belong_and_by_default_nothing(head: Head) -> None:
    def shown(wild: Wild | None) -> FaceImage:
        return head.render(np.zeros(len(head.names)), STUDIO, SIZE, wild)

    plain = shown(None)
    np.testing.assert_array_equal(shown(Wild()).image, plain.image)

    def changed(wild: Wild) -> np.ndarray:
        image = shown(wild).image.astype(float)
        return np.asarray(np.abs(image - plain.image).max(2) > 8)

    glasses, hat = changed(Wild(glasses=0.3)), changed(Wild(hat=0.3))
    cover = changed(Wild(cover=0.3, cover_x=0.0, cover_y=0.2))
    eyes, chin = int(plain.landmarks[:2, 1].mean()), int(plain.box[1] + plain.box[3])
    assert glasses[eyes - 12 : eyes + 14].sum() > 0.95 * glasses.sum() > 0
    assert hat[: eyes - 4].sum() > 0.95 * hat.sum() > 0
    assert cover[eyes:].sum() > 0.99 * cover.sum() > 0
    assert cover[chin - 12 : chin].any()
    reddish = shown(Wild(cast=1.0, cast_hue=0.0, cast_angle=0.0)).image.astype(float)
    change_of_red, change_of_blue = (reddish - plain.image).mean((0, 1))[[0, 2]]
    assert change_of_red > 10 > -10 > change_of_blue
    sharp, soft = (
        np.abs(np.diff(shown(w).image.astype(float), axis=1)).mean() for w in (None, Wild(blur=1.5))
    )
    assert soft < 0.8 * sharp


def test_random_people_and_nuisance_factors_are_in_range() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        for name, value in vars(random_appearance(rng)).items():
            assert (-1 if name == "hair_part" else 0) <= value <= 1, name
        nuisance = random_nuisance(rng)
        assert max(abs(nuisance.yaw), abs(nuisance.pitch), abs(nuisance.roll)) <= 15


def test_the_rasteriser_projects_a_point_as_a_pinhole_camera_does() -> None:
    size, view = 128, 0.2
    place = np.array((3.0, -4.0, -110.0))
    triangle = place + np.array([(-0.4, -0.4, 0), (0.4, -0.4, 0), (0.0, 0.8, 0)])
    picture, depth = raster.rasterise(triangle, np.array([[0, 1, 2]], np.int32), np.ones((3, 3)), size, view)
    rows, columns = np.nonzero(picture[..., 0] > 0.5)
    scale = size / 2 / np.tan(view / 2) / 110
    assert columns.mean() + 0.5 == pytest.approx(size / 2 + 3 * scale, abs=0.6)
    assert rows.mean() + 0.5 == pytest.approx(size / 2 + 4 * scale, abs=0.6)
    assert depth[rows, columns] == pytest.approx(110, rel=1e-3)


def test_a_roof_hides_the_sky_above_but_not_the_sky_in_front() -> None:
    floor = np.array([(-1.0, 0, 0), (1, 0, 0), (0, 0, 1)])
    roof = np.array([(-15.0, 4, -15), (15, 4, -15), (0, 4, 15)])
    seen = light.bake_visibility(np.concatenate([floor, roof]), np.array([[0, 1, 2], [3, 4, 5]], np.int32))[
        :3
    ]
    up = light.sky_directions()[:, 1]
    assert (seen[:, up > 0.9] < 0.1).all()
    assert (seen[:, np.abs(up) < 0.05] > 0.9).all()
