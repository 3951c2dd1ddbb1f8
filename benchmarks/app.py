"""Measure `omote app`: the time to the first page, and memory over many jobs; and take the pictures of docs/app.md.

    python benchmarks/app.py --model ICT-FaceKit/FaceXModel [--film call.mp4] [--jobs 40] [--pictures docs/app]

A film of two rendered people is made (960 x 480 px, 25 frames a second, 16 s), unless it is there; none of them is in a
face set of `omote prepare rendered`. The app is started as its command starts it, and used in a Chromium without a
window. Memory "over an hour" is accelerated: its first second is analysed again and again, as fast as it goes. Printed
is the memory of the server (resident, Linux) after each fifth of these jobs. `benchmarks/live.py` measures the camera.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from axes import FPS, plan_moves
from live import processor_seconds
from omote.data.videos import Excerpt, read_video
from omote.errors import OmoteError
from omote.synthetic.rendered.factors import Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head

SEED = 9700  # of people
SIDE, PEOPLE = 480, 2  # px of each picture, and how many are side by side, as in a video call
SECONDS = 16
MOVES = (["lip corners up"] * 2 + ["brows up"], ["jaw open", "lip corners up", "eyes closed"])
NAMES = ("Ann", "Bob")
WIDTHS = {"": 1200, "-phone": 420}  # px, of the pictures of the page
PATIENCE = 600_000  # ms


def film(model: FaceModel) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of two people side by side."""
    rng = np.random.default_rng(SEED)
    heads = [
        Head(model, np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5), random_appearance(rng))
        for _ in range(PEOPLE)
    ]
    stills = [random_nuisance(rng) for _ in range(PEOPLE)]
    moves = [plan_moves(names, rng) for names in MOVES]
    phases = rng.uniform(0, 2 * np.pi, (PEOPLE, 5))
    for number in range(SECONDS * FPS):
        pictures = []
        for head, still, weights, phase in zip(heads, stills, moves, phases, strict=True):
            swing = np.sin(2 * np.pi * number / FPS / np.array([7, 5, 9, 3, 4]) + phase)
            yaw, pitch, roll, gaze_x, gaze_y = swing * [8, 5, 3, 4, 2]
            moved = {
                "yaw": still.yaw / 2 + yaw, "pitch": still.pitch / 2 + pitch, "roll": still.roll / 2 + roll,
                "gaze_x": gaze_x, "gaze_y": gaze_y, "grain": float(rng.uniform()),
            }  # fmt: skip
            shapes = weights[min(number, len(weights) - 1)]
            pictures.append(head.render(shapes, Nuisance(**vars(still) | moved), SIDE)[0])
        yield np.concatenate(pictures, axis=1)


def write_film(pictures: Iterator[NDArray[np.uint8]], to: Path) -> Path:
    """Write pictures as a video that browsers play."""
    with av.open(str(to), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = PEOPLE * SIDE, SIDE, "yuv420p"
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return to


@contextmanager
def app_page(chromium: str) -> Iterator[tuple[Page, int]]:
    """Start the app, print the time to its first page, and give the page and the number of the server's process."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTHS[""], "height": 900})
        page.set_default_timeout(PATIENCE)
        begin = time.monotonic()
        command = [sys.executable, "-m", "omote", "app", "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None
            print(f"{time.monotonic() - begin:.1f} s from the command to the address", flush=True)
            page.goto(found[0])
            page.get_by_role("button", name="Find the faces").wait_for()
            taken = processor_seconds(server.pid)
            print(
                f"{time.monotonic() - begin:.1f} s from the command to the first page, in which the server took "
                f"{taken:.1f} s of one core",
                flush=True,
            )
            yield page, server.pid
            browser.close()
        finally:
            server.terminate()
            server.wait()


def resident(number: int, which: str = "VmRSS") -> float:
    """Return the memory of a process, MB; of `VmHWM` the most so far."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{number}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000


def find_faces(page: Page) -> None:
    """Press the button, and wait for the result."""
    page.locator("[data-page]").evaluate_all("places => places.forEach(place => place.remove())")
    page.get_by_role("button", name="Find the faces").click()
    page.locator(".timelines .block").first.wait_for()


def use_for_long(page: Page, server: int, short: Path, jobs: int) -> None:
    """Print the memory of the server over many jobs."""
    page.locator("#files input[type=file]").set_input_files(short)
    page.locator("#files").get_by_text(short.stem).first.wait_for()
    begin = time.monotonic()
    for number in range(1, jobs + 1):
        find_faces(page)
        if number == 1 or number % max(1, jobs // 5) == 0:
            print(
                f"{resident(server):.0f} MB after {number} jobs, {time.monotonic() - begin:.0f} s", flush=True
            )
    print(f"{resident(server, 'VmHWM'):.0f} MB at most", flush=True)


def take_pictures(page: Page, call: Path, folder: Path) -> None:
    """Analyse the film, name the people, go to a moment, and take pictures of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page.reload()
    page.locator("#files input[type=file]").set_input_files(call)
    page.locator("#files").get_by_text(call.stem).first.wait_for()
    page.get_by_role("button", name="Find the faces").click()
    for number, name in enumerate(NAMES):
        page.get_by_label(f"Name of face {number} in").fill(name)
    page.get_by_role("button", name="Save the names").click()
    page.locator(".part summary b", has_text=NAMES[1]).wait_for()
    page.locator(".part summary").nth(1).click()
    for kind, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 1000 if kind == "" else 860})
        for stage in page.locator(".timelines .block").all():
            stage.scroll_into_view_if_needed()
            page.wait_for_timeout(1500)
        stage = page.locator(".timelines .stage").first
        size = stage.bounding_box()
        assert size is not None
        stage.click(position={"x": size["width"] * 0.27, "y": 120})
        page.locator(".watch").evaluate("place => place.scrollIntoView()")
        page.mouse.wheel(0, -24)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"video{kind}.png")
    page.set_viewport_size({"width": WIDTHS[""], "height": 1000})
    page.locator("#people").evaluate("place => place.scrollIntoView()")
    page.mouse.wheel(0, -24)
    page.wait_for_timeout(1500)
    page.screenshot(path=folder / "people.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="the ICT Face Model Light")
    parser.add_argument("--film", type=Path, default=Path("call.mp4"), help="film; made if it is not there")
    parser.add_argument("--jobs", type=int, default=40, help="how many jobs for the memory")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the page")
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise OmoteError("Chromium is missing (Debian: apt-get install chromium)")
    if not given.film.is_file():
        write_film(film(read_face_model(given.model)), given.film)
    with TemporaryDirectory() as folder, app_page(chromium) as (page, server):
        frames = (frame.image for frame in read_video(given.film, Excerpt(end=1)))
        if given.jobs:
            use_for_long(page, server, write_film(frames, Path(folder) / "short.mp4"), given.jobs)
        if given.pictures:
            take_pictures(page, given.film, given.pictures)


if __name__ == "__main__":
    main()
