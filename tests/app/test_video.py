"""The tab Video, in a browser."""

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.app.conftest import PATIENCE, Served
from tests.app.hostile import write_hostile
from tests.cli.test_commands import omote

FPS = 10
NAME = "button => button.getAttribute('aria-label') || button.title || button.textContent.trim()"


def write_video(file: Path, images: Sequence[np.ndarray]) -> Path:
    """Write a video that browsers play (H.264)."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


@pytest.fixture(scope="session")
def video(scenes: Sequence[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames with two drawn people."""
    return write_video(tmp_path_factory.mktemp("video") / "film.mp4", scenes)


def upload(page: Page, *files: Path) -> None:
    """Choose files and start, as a user does."""
    page.locator("#files input[type=file]").set_input_files(files)
    expect(page.locator("#files").get_by_text(files[-1].stem).first).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Find the faces").click()


def first_chart(page: Page) -> Locator:
    """Return the first chart, drawn."""
    chart = page.locator(".timelines .block").first
    chart.scroll_into_view_if_needed()
    chart.locator(".cursor").wait_for(state="attached")
    return chart


def read_download(page: Page, name: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    return download.value.path().read_bytes()


def box(place: Locator) -> FloatRect:
    """Return where something is on the page, in pixels."""
    found = place.bounding_box()
    assert found is not None
    return found


def video_time(page: Page) -> float:
    return float(page.locator("video").evaluate("video => video.currentTime"))


def test_a_video_is_watched_beside_its_timeline_named_and_taken_home(
    page: Page, open_page: Callable[..., Page], video: Path, tmp_path: Path
) -> None:
    upload(page, video)
    chart = first_chart(page)
    assert page.get_by_text("2 tracked faces").is_visible()

    # A click on the timeline moves the video, ...
    stage = chart.locator(".stage")
    width = box(stage)["width"]
    stage.click(position={"x": width * 0.8, "y": 120})
    page.wait_for_function("document.querySelector('video').currentTime > 1.5")
    shown = chart.get_by_role("slider").get_attribute("aria-valuetext")
    assert shown == f"0:0{video_time(page):.1f}"
    # ... the video moves the cursor, ...
    before = box(chart.locator(".cursor"))["x"]
    page.locator("video").evaluate("video => { video.currentTime = 0.4; }")
    expect(chart.get_by_role("slider")).to_have_attribute("aria-valuetext", "0:00.4")
    assert box(chart.locator(".cursor"))["x"] < before - 100
    # ... and the keyboard moves both.
    chart.get_by_role("slider").press("ArrowLeft")
    page.wait_for_function("Math.abs(document.querySelector('video').currentTime - 0.3) < 0.01")

    # The numbers are those of the command.
    omote("embed", video, "--to", tmp_path / "command.parquet", "--relative")
    command = pd.read_parquet(tmp_path / "command.parquet")
    table = pd.read_parquet(io.BytesIO(read_download(page, "features.parquet")))
    assert set(table["source"]) == {"film.mp4"}
    pd.testing.assert_frame_equal(table.drop(columns="source"), command.drop(columns="source"))
    text = pd.read_csv(io.BytesIO(read_download(page, "features.csv")))
    np.testing.assert_allclose(text["z_e_00"], command["z_e_00"], rtol=1e-5)

    # A name for each face; the same for both would be wrong, since one picture shows both.
    for number in range(2):
        page.get_by_label(f"Name of face {number} in film.mp4").fill("Ann")
    page.get_by_role("button", name="Save the names").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "two faces of one picture have this name", timeout=PATIENCE
    )
    page.get_by_label("Name of face 1 in film.mp4").fill("<b>Bob</b>")
    page.get_by_role("button", name="Save the names").click()
    expect(page.locator(".part summary b")).to_have_text(["Ann", "<b>Bob</b>"], timeout=PATIENCE)
    named = pd.read_parquet(io.BytesIO(read_download(page, "features.parquet")))
    assert named.groupby("face")["person"].unique().map(list).to_dict() == {0: ["Ann"], 1: ["<b>Bob</b>"]}
    book = load_workbook(io.BytesIO(read_download(page, "results.xlsx")))
    assert book["faces"]["C2"].value == "Ann"
    assert book["axes"].max_row == 1 + len(command)

    # On a phone nothing is wider than the page, and everything has a name that a screen reader says.
    page.set_viewport_size({"width": 420, "height": 800})
    expect(page.locator(".player")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.locator(".timelines .block").first.evaluate("chart => chart.scrollIntoView()")
    assert box(page.locator("video"))["y"] >= 0  # it stays in view
    unnamed = (
        "input:not([type=file]):not([aria-label]):not(label input), img:not([alt]), video:not([aria-label])"
    )
    assert page.locator(".results").locator(unnamed).count() == 0
    assert not [one for one in page.get_by_role("button").all() if not one.evaluate(NAME)]

    # It is found again when the page is opened again, and by nobody else.
    page.reload()
    expect(page.locator(".part summary b")).to_have_text(["Ann", "<b>Bob</b>"], timeout=PATIENCE)
    other = open_page()
    other.wait_for_timeout(1000)
    assert other.locator(".part").count() == 0

    page.get_by_role("button", name="Write the report").click()
    page.get_by_role("link", name="report.html").wait_for()
    assert b"&lt;b&gt;Bob&lt;/b&gt;" in read_download(page, "report.html")


def test_a_face_that_was_lost_is_one_person_again_by_one_name(
    page: Page, scenes: Sequence[np.ndarray], tmp_path: Path
) -> None:
    alone = [scene for k, scene in enumerate(scenes[:10]) if k not in (5, 6)]  # one face
    upload(page, write_video(tmp_path / "one.mp4", alone), write_video(tmp_path / "two.mp4", alone))
    first_chart(page)
    assert page.locator(".part").count() == 2
    for name in ("one.mp4", "two.mp4"):
        page.get_by_label(f"Name of face 0 in {name}").fill("Ann")
    page.get_by_role("button", name="Save the names").click()
    expect(page.locator(".part summary b")).to_have_text(["Ann"], timeout=PATIENCE)
    # The player takes the video whose timeline is touched.
    second = page.locator(".timelines .block").nth(1)
    second.scroll_into_view_if_needed()
    second.locator(".stage").click(position={"x": 200, "y": 120})
    expect(page.locator("video")).to_have_attribute("aria-label", "two.mp4")


def test_cancel_ends_a_job_and_the_next_one_starts(
    page: Page, server: Served, scenes: Sequence[np.ndarray], tmp_path: Path
) -> None:
    upload(page, write_video(tmp_path / "long.mp4", [*scenes] * 40))
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Find the faces").click()
    expect(page.get_by_role("alert")).to_contain_text("long.mp4 is not done yet", timeout=PATIENCE)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("long.mp4: cancelled.")).to_be_visible(timeout=PATIENCE)
    assert not list((server.folder).glob("omote-app-*/jobs/*/media/long.mp4"))


def test_hostile_files_get_a_sentence_each_and_the_server_lives_on(
    page: Page, video: Path, tmp_path: Path
) -> None:
    hostile = write_hostile(tmp_path / "hostile")
    files = [tmp_path / "hostile" / name for name in hostile]
    upload(page, *files, video)
    first_chart(page)
    for name, said in hostile.items():
        if name not in ("nobody.png", "wall.mp4"):  # which are read, and show nobody
            assert (
                page.locator(".results > .small", has_text=f"{name}: ").filter(has_text=said).count() == 1
            ), name
    expect(page.locator("video")).to_have_attribute("aria-label", "wall.mp4")


def test_a_photo_needs_no_timeline(page: Page, scenes: Sequence[np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(scenes[0]).save(tmp_path / "photo.png")
    upload(page, tmp_path / "photo.png")
    expect(page.get_by_text("A timeline needs at least two faces")).to_be_visible(timeout=PATIENCE)
    assert page.get_by_alt_text("face 0 in photo.png").is_visible()
    assert page.locator("video").count() == 0
    page.get_by_text("Axes, 0 to 1").click()
    assert page.get_by_label("lip corners up").is_visible()
