"""The tab Faces, in a browser."""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from omote.app.faces import _save
from omote.app.faces_map import OpenedFaces, describe_face, draw_map, name_frame
from omote.app.faces_swap import read_photos, save_swaps
from omote.app.state import State
from omote.data.cut import cut_photos
from omote.data.detect import find_detector
from omote.data.face_set import FaceSet
from omote.data.outputs import Faces
from omote.errors import OmoteError
from omote.features.extract import extract_features
from omote.features.nearest import find_nearest
from omote.features.reader import cut_for
from omote.figures.code_map import project_codes
from omote.figures.page import encode_picture
from omote.figures.paper.on_photo import CHANGED, PHOTO_SIZE
from omote.figures.paper.sheet import resize_faces
from omote.figures.style import COLOURS, GREY
from omote.runs.trained import Trained
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train
from tests.app.conftest import PATIENCE, Served, serving
from tests.conftest import Configure
from tests.features.conftest import scene

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the app is started: with a face set, a run that was trained on it, and four files."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def people(home: Path) -> FaceSet:
    """3 drawn people, 3 clips each, 36 frames."""
    return prepare_drawn(home / "people", subjects=3, clips=2, mixtures=1, frames=4, seed=5, workers=1)


@pytest.fixture(scope="module")
def model(people: FaceSet, home: Path, configure: Configure) -> Trained:
    return train(people, home / "run", configure(method="proposed", options__epochs=1, test_subjects=0))


@pytest.fixture(scope="module")
def photos(people: FaceSet, home: Path) -> list[Path]:
    """A photo of each of two people, one of both, and one of nobody."""
    first, second = (
        np.asarray(people.faces[(people.frames["subject"] == each).argmax()]) for each in people.subjects[:2]
    )
    scenes = {
        "first.png": scene((first, 60, 60)),
        "second.png": scene((second, 140, 90)),
        "both.png": scene((first, 20, 60), (second, 190, 60)),
        "nobody.png": scene(),
    }
    for name, picture in scenes.items():
        Image.fromarray(picture).save(home / name)
    return [home / name for name in scenes]


@pytest.fixture(scope="module")
def server(home: Path, model: Trained) -> Iterator[Served]:
    with serving(home, str(model.path)) as served:
        yield served


@pytest.fixture
def tab(page: Page) -> Page:
    page.get_by_role("tab", name="Faces").click()
    return page


def give(page: Page, number: int, photo: Path) -> None:
    page.locator("input[type=file][accept^='image']").nth(number - 1).set_input_files(photo)


def see(picture: Locator) -> Faces:
    """Return the picture that the page shows, (S, S, 3)."""
    source = picture.get_attribute("src")
    assert source is not None
    return decompress(source)


def decompress(source: str) -> Faces:
    """Return the (S, S, 3) picture in the source of an image."""
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def find_like(picture: Faces, faces: Faces) -> int | None:
    """Return which of the (N, S, S, 3) faces, compressed as the page does it, a picture is; None if it is none."""
    compressed = np.stack([decompress(encode_picture(Image.fromarray(face))) for face in faces])
    far = np.abs(picture.astype(float) - compressed).mean(axis=(1, 2, 3))
    return int(far.argmin()) if far.min() < 8 else None


def test_two_photos_exchange_their_expressions_by_the_share_of_the_slider(
    tab: Page, photos: list[Path], model: Trained
) -> None:
    give(tab, 1, photos[0])
    give(tab, 2, photos[1])
    faces = cut_photos(photos[:2], replace(cut_for(model), size=PHOTO_SIZE), find_detector())
    first, second = small = resize_faces(model, faces)
    swapped = model.swap(small, small).reshape(
        4, *small.shape[1:]
    )  # expression and identity: 1 1, 1 2, 2 1, 2 2
    for name, expected in (
        ("Photo 1, decoded, with 100 % of the expression of photo 2", 2),
        ("Photo 2, decoded, with 100 % of the expression of photo 1", 1),
    ):
        assert find_like(see(tab.get_by_alt_text(name)), swapped) == expected
    on_photo = tab.get_by_alt_text("Photo 2, on the photo, with 100 % of the expression of photo 1")
    on_photo.wait_for()

    slider = tab.get_by_role("slider", name="Share of the other expression")
    slider.focus()
    tab.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0 %"
    expect(on_photo).to_be_hidden()
    shown = tab.get_by_alt_text("Photo 1, decoded, with 0 % of the expression of photo 2")
    expect(shown).to_be_visible()
    assert find_like(see(shown), model.interpolate(first, second, 2)) == 0
    before = see(tab.get_by_alt_text("Photo 2, on the photo, with 0 % of the expression of photo 1"))
    assert find_like(before, faces) == 1


def test_the_changed_photos_say_so_and_change_nothing_beside_the_face(
    tab: Page, photos: list[Path], tmp_path: Path
) -> None:
    give(tab, 1, photos[0])
    give(tab, 2, photos[1])
    tab.get_by_role("button", name="Save the changed photos").click()
    link = tab.get_by_role("link", name=re.compile("KB")).first
    link.wait_for()
    with tab.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "changed.png")
    with Image.open(tmp_path / "changed.png") as changed, Image.open(photos[0]) as photo:
        assert changed.info["Description"] == CHANGED
        difference = np.abs(np.asarray(changed).astype(int) - np.asarray(photo)).max(axis=2)
    assert difference[70:160, 70:160].max() > 0  # on the face
    assert difference[:, 200:].max() == 0


def test_saving_twice_keeps_one_set_and_photos_that_are_gone_get_a_sentence(
    model: Trained, photos: list[Path], tmp_path: Path
) -> None:
    state = State(str(model.path), tmp_path)
    given = [state.uploads / photo.stem / photo.name for photo in photos[:2]]
    for photo, upload in zip(photos, given, strict=False):
        upload.parent.mkdir(parents=True)
        upload.write_bytes(photo.read_bytes())
    read = read_photos(state, [*map(str, given)])
    assert read is not None
    assert save_swaps(state, read) == save_swaps(state, read)
    assert len([*state.uploads.rglob("* with the expression of *.png")]) == 2
    given[1].unlink()
    said, _ = _save(state, read)
    assert "second.png cannot be used" in said
    assert 'role="alert"' in said


def test_a_photo_that_cannot_be_used_gets_a_sentence(tab: Page, photos: list[Path], home: Path) -> None:
    (home / "text.png").write_text("This is no picture.")
    (home / "cut.png").write_bytes(photos[0].read_bytes()[:3000])
    for photo, sentence in {
        "nobody.png": "Nobody.png cannot be used: no face found; give a photo that shows one person",
        "both.png": "Both.png cannot be used: two people found; give a photo that shows one person",
        "text.png": "Text.png cannot be used: unreadable: not an image",
        "cut.png": "Cut.png cannot be used: unreadable",
    }.items():
        give(tab, 1, home / photo)
        expect(tab.get_by_role("alert")).to_contain_text(sentence, ignore_case=True)
        tab.get_by_role("button", name="Remove Image").click()
        expect(tab.get_by_role("alert")).to_have_count(0)


def test_a_dot_of_the_map_shows_its_face_and_the_nearest_faces_of_other_people(
    tab: Page, model: Trained, people: FaceSet
) -> None:
    assert tab.get_by_label("Face set (folder)").input_value() == str(people.path)
    tab.get_by_role("button", name="Show its map").click()
    dots = tab.locator(".faces-map circle")
    expect(dots).to_have_count(len(people))
    dots.nth(7).click(force=True)
    tab.get_by_role("heading", name=name_frame(people.frames.iloc[7])).wait_for()
    row = int(tab.locator(".faces-map .chosen").get_attribute("data-row") or -1)
    assert row == 7
    assert (
        find_like(
            see(tab.get_by_alt_text(f"The face of {name_frame(people.frames.iloc[row])}")), people.faces
        )
        == row
    )

    features = extract_features(model, people)
    others = features[features["subject"] != features["subject"][row]]
    expected = [
        name_frame(each)
        for _, each in find_nearest(others, model.represent(people.faces[row : row + 1])[0][0], 6).iterrows()
    ]
    assert [each.get_attribute("alt") for each in tab.locator(".nearest img").all()] == expected

    tab.get_by_role("application").focus()
    tab.keyboard.press("ArrowRight")
    expect(tab.locator(".faces-map .chosen")).not_to_have_attribute("data-row", "7")
    chosen = int(tab.locator(".faces-map .chosen").get_attribute("data-row") or -1)
    tab.get_by_role("heading", name=name_frame(people.frames.iloc[chosen])).wait_for()


def test_the_faces_nearest_to_a_photo_are_found_when_the_page_is_opened_again(
    tab: Page, photos: list[Path]
) -> None:
    tab.get_by_role("button", name="Show its map").click()
    tab.locator(".faces-map circle").first.wait_for()
    tab.reload()  # as if the page had been closed
    tab.get_by_role("tab", name="Faces").click()
    tab.locator(".faces-map circle").first.wait_for()
    find = tab.get_by_role("button", name="Find the faces nearest to the photos")
    find.click()
    expect(tab.get_by_role("alert")).to_contain_text("No photo was given", ignore_case=True)
    give(tab, 2, photos[1])
    tab.get_by_text("The face is found.").wait_for()
    find.click()
    tab.get_by_role("heading", name="Nearest to photo 2").wait_for()
    assert tab.locator(".nearest-faces .nearest li").count() == 6


def test_a_folder_that_is_no_face_set_gets_a_sentence(tab: Page) -> None:
    for folder, sentence in {
        "": "No folder was named",
        "nothing": "There is no face set at",
        "run": "is not a face set: it has no about.json",
        "/": "lies outside",
        "people/../../..": "lies outside",
    }.items():
        tab.get_by_label("Face set (folder)").fill(folder)
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("alert")).to_contain_text(sentence, ignore_case=True)


@pytest.fixture
def opened(model: Trained, people: FaceSet) -> OpenedFaces:
    features = extract_features(model, people)
    return OpenedFaces(people, features, project_codes(model.represent(people.faces)[0]))


def test_names_of_people_are_text_on_the_map(opened: OpenedFaces) -> None:
    opened.features["subject"] = "<script>alert(1)</script>"
    page = draw_map(opened, "person")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_map_is_coloured_by_expression_with_the_neutral_one_first(opened: OpenedFaces) -> None:
    opened.features["expression"] = ["anger", "neutral", None] * (len(opened.features) // 3)
    page = draw_map(opened, "expression")
    assert re.findall(r"</span>(.*)</li>", page) == ["neutral", "anger"]
    assert page.count(f'fill="{COLOURS[0]}"') == page.count(f'fill="{GREY}"') == len(opened.features) // 3


def test_faces_without_any_difference_have_no_map(opened: OpenedFaces) -> None:
    assert "all faces have the same code" in draw_map(
        OpenedFaces(opened.face_set, opened.features, None), "person"
    )


@pytest.mark.parametrize("row", [None, -1, 10**9, "1", 1.5, [1]])
def test_a_page_that_asks_for_a_face_that_is_not_there_gets_a_sentence(
    opened: OpenedFaces, row: object, tmp_path: Path
) -> None:
    with pytest.raises(OmoteError, match="no such face"):
        describe_face(State("shipped", tmp_path), opened, row)
