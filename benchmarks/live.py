"""Measure the tab Live of `omote app`: pictures a second, and time of the processor for each; and take its picture.

    python benchmarks/live.py --model ICT-FaceKit/FaceXModel [--seconds 20] [--picture docs/app]

A film of a rendered person is made, 640 x 480 px and 25 pictures a second, whom no face set of `omote prepare rendered`
holds. Chromium shows it, again and again, as its camera. The app is started as its command starts it. Printed are the
pictures a second that the page reaches, and the time of the processor that the server and all processes of the browser
take for each (Linux). The browser has no window and no graphics card, so it draws on the processor.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from axes import FPS, plan_moves
from omote.errors import OmoteError
from omote.synthetic.rendered.factors import Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head

SEED = 9804  # of the person
SIZE = (640, 480)  # px
RENDERED = 480  # px, side of what is rendered; its middle is enlarged to the picture
MOVES = ["lip corners up", "brows up", "upper lip up"]
WARM_UP, TRACE = 5, 32  # s; before the measurement, and before the picture of the page
WIDTHS = {"live": 1200, "live-phone": 420}  # px, of the pictures of the page


def film(model: FaceModel) -> list[NDArray[np.uint8]]:
    """Return the pictures of a person before a camera."""
    rng = np.random.default_rng(SEED)
    head = Head(model, np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5), random_appearance(rng))
    still = random_nuisance(rng)
    moves = plan_moves(MOVES, rng)
    pictures = []
    top, height = 62, RENDERED * SIZE[1] // SIZE[0]
    for number, shapes in enumerate(moves):
        turn = 2 * np.pi * number / len(moves)  # the film ends as it begins
        moved = {
            "yaw": 6 * np.sin(turn), "pitch": 2 * np.sin(2 * turn), "roll": 2 * np.cos(turn), "scale": 0.72,
            "shift_x": 0.02 * np.sin(turn), "shift_y": 0.04, "gaze_x": 0.0, "gaze_y": 0.0,
            "grain": float(rng.uniform()), "noise": 1.0,
        }  # fmt: skip
        image = head.render(shapes, Nuisance(**vars(still) | moved), RENDERED)[0][top : top + height]
        pictures.append(np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC), np.uint8))
    return pictures


def write_y4m(file: Path, images: list[NDArray[np.uint8]]) -> Path:
    """Write a film in the form that Chromium's camera takes."""
    frames = [b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes() for image in images]
    head = f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{FPS}:1 Ip A1:1 C420jpeg\n".encode()
    file.write_bytes(head + b"".join(frames))
    return file


def processor_seconds(number: int) -> float:
    """Return the time of the processor that a process and those that it started have taken."""
    processes = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        processes[int(stat.parent.name)] = int(fields[1]), int(fields[11]) + int(fields[12])
    family, found = {number}, 0
    while found < len(family):
        found = len(family)
        family |= {one for one, (parent, _) in processes.items() if parent in family}
    return sum(processes[one][1] for one in family if one in processes) / os.sysconf("SC_CLK_TCK")


def measure(page: Page, server: int, seconds: float) -> None:
    """Print the pictures a second of a page whose camera runs, and what they take."""
    answered = []
    page.on(
        "response", lambda response: answered.append(response.ok) if response.url.endswith("/frame") else None
    )
    names = {"server": server, "browser": os.getpid()}  # the browser is started from here
    page.wait_for_timeout(1000 * WARM_UP)
    answered.clear()
    begin, before = time.monotonic(), {name: processor_seconds(number) for name, number in names.items()}
    page.wait_for_timeout(1000 * seconds)
    lasted, count = time.monotonic() - begin, len(answered)
    taken = {name: processor_seconds(number) - before[name] for name, number in names.items()}
    taken["browser"] -= taken["server"]  # which is started from here, too
    assert all(answered)
    print(f"{count / lasted:.1f} pictures a second, {count} in {lasted:.0f} s")
    for name, number in taken.items():
        print(
            f"{name}: {1000 * number / count:.0f} ms of the processor for each, {number / lasted:.2f} cores"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="ICT Face Model Light")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to measure")
    parser.add_argument("--picture", type=Path, help="folder for pictures of the page")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise OmoteError("Chromium is missing (Debian: apt-get install chromium)")
    with TemporaryDirectory() as folder, sync_playwright() as started:
        camera = write_y4m(Path(folder) / "camera.y4m", film(read_face_model(arguments.model)))
        command = [sys.executable, "-m", "omote", "app", "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None
            browser = started.chromium.launch(
                executable_path=chromium,
                args=[
                    "--no-sandbox",
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-video-capture={camera}",
                ],
            )
            page = browser.new_context(permissions=["camera"]).new_page()
            page.goto(found[0])
            page.get_by_role("tab", name="Live").click()
            page.get_by_role("button", name="Start the camera").click()
            measure(page, server.pid, arguments.seconds)
            if arguments.picture:
                page.wait_for_timeout(1000 * max(0, TRACE - WARM_UP - arguments.seconds))
                page.get_by_role("button", name="Make this my usual look").click()
                page.wait_for_timeout(1000 * TRACE)
                for name, width in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": 900})
                    page.wait_for_timeout(1000)
                    page.screenshot(path=arguments.picture / f"{name}.png", full_page=name == "live")
            browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
