"""The tab Live in Chromium, whose camera shows made films."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from omote.data.outputs import code_names
from omote.features.axes import axis_columns, say_axis
from omote.features.embed import embed, open_reader
from omote.features.profile import Profile
from tests.app.conftest import PATIENCE, Served
from tests.app.test_camera import jpeg, people, scene

__all__ = ["people"]

expect.set_options(timeout=PATIENCE)
SECONDS = 60  # to wait for what the server does after a page was closed


faults: list[str] = []  # of the scripts of all pages


@pytest.fixture(autouse=True)
def _no_faults() -> Iterator[None]:
    yield
    assert not faults


def launch(browser: Browser, film: Path | None) -> Browser:
    """Start another Chromium, whose camera shows a film again and again; without one, it has no camera."""
    camera = (
        ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"] if film else []
    )
    return browser.browser_type.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", *camera]
    )


def write_y4m(file: Path, images: list[np.ndarray]) -> Path:
    """Write a film in the form that Chromium's camera takes, 20 frames a second."""
    height, width = images[0].shape[:2]
    frames = [b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes() for image in images]
    file.write_bytes(f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode() + b"".join(frames))
    return file


def open_live(context: BrowserContext, server: Served) -> Page:
    """Open the tab Live as a new user."""
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_default_timeout(PATIENCE)
    page.goto(server.address)
    page.get_by_role("tab", name="Live").click()
    return page


def start(page: Page) -> None:
    """Start the camera, and wait for values."""
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".axis output").first).not_to_have_text("–")


def leave(page: Page) -> None:
    """Close the page as a user does: what it still has to say is sent only while its browser stays open."""
    page.close()
    page.context.close()


def numbers(page: Page) -> list[float]:
    """Return the values that the page shows now."""
    return [float(text) for text in page.locator(".axis output").all_text_contents()]


def download(page: Page, name: str, to: Path) -> Path:
    with page.expect_download() as started:
        page.get_by_role("link", name=name).click()
    file = to / started.value.suggested_filename
    started.value.save_as(file)
    return file


@pytest.fixture(scope="module")
def pictures(people: list[np.ndarray]) -> list[np.ndarray]:
    """A drawn person with two expressions."""
    return [scene(face) for face in people[0]]


@pytest.fixture(scope="module")
def filmed(
    browser: Browser, pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Chromium in front of this person."""
    started = launch(browser, write_y4m(tmp_path_factory.mktemp("film") / "person.y4m", pictures))
    yield started
    started.close()


def test_the_camera_is_read_and_recorded_as_embed_reads_the_film(
    filmed: Browser, server: Served, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    expected = embed(open_reader(), pictures, fast=True)[0]
    page = open_live(filmed.new_context(permissions=["camera"]), server)
    start(page)
    axes = expected[axis_columns(list(expected.columns))]
    assert page.locator(".axis .name").all_text_contents() == [say_axis(column) for column in axes.columns]
    shown = np.array(numbers(page))
    assert (shown >= axes.min().to_numpy() - 0.1).all()
    assert (shown <= axes.max().to_numpy() + 0.1).all()
    bar = page.get_by_role("meter", name="lip corners up")
    assert axes["axis_lip_corners_up"].min() - 0.1 <= float(bar.get_attribute("aria-valuenow") or "nan")
    # A frame is drawn round the face, mirrored: the face is on the left of the picture, so on the right of the page.
    drawn = page.locator(".stage canvas").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        ".flatMap((v, k) => k % 4 == 3 && v ? [(k >> 2) % c.width / c.width] : [])"
    )
    box = expected[["box_x", "box_width"]].mean()
    assert min(drawn) == pytest.approx(1 - (box["box_x"] + box["box_width"]) / 320, abs=0.03)
    assert max(drawn) == pytest.approx(1 - box["box_x"] / 320, abs=0.03)

    page.get_by_role("button", name="Record").click()
    expect(page.locator(".running")).to_have_text(
        re.compile(r"^Recording: 0:\d\d, (\d{2}|[5-9]) rows from \d+ pictures\.$")
    )
    for hidden in ("true", "false"):  # as when another tab is opened
        page.evaluate(f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(1000)
    expect(page.locator(".note")).to_contain_text(
        "This page was hidden for 1 second, of which the recording has nothing."
    )
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator(".recordings li")).to_have_text(
        re.compile(r"^Recording 1: 0:\d\d, \d+ rows from \d+ pictures\.")
    )
    table = pd.read_parquet(download(page, "recording 1 as Parquet", tmp_path))
    assert len(pd.read_csv(download(page, "recording 1 as CSV", tmp_path))) == len(table) >= 5
    assert table.columns.tolist() == expected.columns.tolist()
    assert table["trusted"].all()
    assert (table["time"].diff().dropna() > 0).all()
    codes = code_names(list(expected.columns))
    apart = np.linalg.norm(table[codes].to_numpy()[:, None] - expected[codes].to_numpy(), axis=2)
    spread = np.linalg.norm(expected[codes] - expected[codes].mean(), axis=1).mean()
    assert (
        apart.min(axis=1).max() < 0.5 * spread
    )  # each row is of a picture of the film, but for its compression
    leave(page)


def test_a_usual_look_gives_the_distance_and_is_saved_forgotten_and_taken_again(
    filmed: Browser, server: Served, tmp_path: Path
) -> None:
    page = open_live(filmed.new_context(permissions=["camera"]), server)
    start(page)
    distance = page.locator(".distance output")
    expect(distance).to_have_text("–")
    expect(page.locator(".say")).to_be_empty()
    for _ in range(100):
        page.get_by_role("button", name="Make this my usual look").click()
        page.wait_for_timeout(300)
        if page.locator(".usual-look .state").text_content() == "set":
            break
        # until then there were too few pictures
    expect(page.locator(".sentences")).to_contain_text("Usual look of me")
    expect(distance).to_have_text(re.compile(r"^\d+\.\d$"))
    file = download(page, "Save it", tmp_path)
    assert Profile.load(file).num_frames >= 5
    page.get_by_role("button", name="Forget it").click()
    expect(distance).to_have_text("–")
    page.locator(".load input").set_input_files(file)
    expect(distance).to_have_text(re.compile(r"^\d+\.\d$"))
    page.locator(".load input").set_input_files({"name": "a.json", "mimeType": "", "buffer": b"[1"})
    expect(page.locator(".note")).to_contain_text("The file")
    page.get_by_role("button", name="Stop the camera").click()
    expect(distance).to_have_text("–")
    leave(page)


def test_two_users_have_separate_sessions_that_end_with_their_pages(filmed: Browser, server: Served) -> None:
    first, second = (open_live(filmed.new_context(permissions=["camera"]), server) for _ in range(2))
    others = sessions(server)
    start(first)
    (mine,) = sessions(server) - others
    start(second)
    (theirs,) = sessions(server) - others - {mine}
    first.get_by_role("button", name="Record").click()
    expect(first.locator(".running")).to_contain_text("row")
    assert second.locator(".running").is_hidden()
    assert not second.locator(".recordings li").count()
    second.close()
    wait_until(lambda: theirs not in sessions(server))
    expect(first.locator(".running")).to_contain_text("rows")
    assert mine in sessions(server)
    first.close()
    wait_until(lambda: mine not in sessions(server))
    for page in (first, second):
        page.context.close()


def sessions(server: Served) -> set[str]:
    """Return the sessions that the server holds, by their folders."""
    return {folder.name for folder in server.folder.glob("omote-app-*/live/*")}


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_what_is_wrong_with_the_picture_is_said(
    browser: Browser, server: Served, people: list[np.ndarray], tmp_path: Path
) -> None:
    one, other = people[0][0], people[1][0]
    shown = [scene(None), scene(None, 0.1), scene(one, other=other)]
    film = [picture for picture in shown for _ in range(20)]  # a second each
    opened = launch(browser, write_y4m(tmp_path / "odd.y4m", film))
    page = open_live(opened.new_context(permissions=["camera"]), server)
    start(page)
    for sentence in ("no face in the picture", "too dark to find a face", "There are 2 faces"):
        expect(page.locator(".say")).to_contain_text(sentence)
    opened.close()


def test_without_a_camera_or_leave_to_use_it_the_page_says_what_to_do(
    browser: Browser, filmed: Browser, server: Served
) -> None:
    without = launch(browser, None)
    for opened, permissions, sentence in (
        (without, ["camera"], "No camera was found."),
        (filmed, [], "The browser does not let this page use the camera."),
    ):
        page = open_live(opened.new_context(permissions=permissions), server)
        page.get_by_role("button", name="Start the camera").click()
        expect(page.locator(".say")).to_contain_text(sentence)
        assert page.get_by_role("button", name="Start the camera").is_enabled()
        assert page.get_by_role("button", name="Record").is_disabled()
        leave(page)
    without.close()


def test_a_page_whose_server_is_gone_says_so(filmed: Browser, server: Served) -> None:
    page = open_live(filmed.new_context(permissions=["camera"]), server)
    start(page)
    page.route("**/frame", lambda route: route.abort())
    expect(page.locator(".say")).to_contain_text("omote does not answer any more.")
    assert page.get_by_role("button", name="Start the camera").is_enabled()
    leave(page)


def post(address: str, data: bytes = b"", **headers: str) -> tuple[int, str]:
    """Return status and text of the answer to a POST."""
    request = Request(address, data, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_hostile_requests_are_refused_in_a_sentence(server: Served, pictures: list[np.ndarray]) -> None:
    live = f"{server.address}live"
    status, refusal = post(live, origin="https://elsewhere.example")
    assert (status, refusal) == (403, "This app answers only its own pages; open its address itself.")
    address = f"{live}/{json.loads(post(live)[1])['session']}"
    for request, status, sentence in (
        ((f"{live}/unknown/frame", b"", "1"), 410, "The session of this page has ended."),
        ((f"{address}/frame", b"0" * 1_000_001, "1"), 413, "More than 1000000 bytes were sent"),
        ((f"{address}/frame", b"dear diary", "1"), 400, "A picture of the camera could not be read"),
        ((f"{address}/frame", jpeg(pictures[0]), "nan"), 400, "expected a time after"),
        ((f"{address}/frame", jpeg(pictures[0]), "soon"), 422, "valid number"),
        ((f"{address}/recording/stop", b"", "1"), 400, "No recording runs."),
        ((f"{address}/usual-look", b"", "1"), 400, "There is no face in the picture"),
    ):
        found = post(request[0], request[1], time=request[2])
        assert found[0] == status, found
        assert sentence in found[1]
    assert post(f"{address}/frame", jpeg(pictures[0]), time="1")[0] == 200
    assert post(f"{address}/end")[0] == 200
    assert post(f"{address}/alive")[0] == 410
