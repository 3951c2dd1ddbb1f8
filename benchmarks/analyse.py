"""Measure `omote analyse` on made videos of rendered people.

    python benchmarks/analyse.py --model ICT-FaceKit/FaceXModel [--run RUN] [--to FOLDER]

FOLDER/people gets two videos of each person (640 x 480 px, 25 frames a second), unless it is there already: in
talk.mp4 jaw, brows and lids move, in smile.mp4 mainly the lip corners, all of known strength. Then `omote analyse` is
timed; FOLDER/results/report.html is its page. None of these people is in a face set of `omote prepare rendered`.
"""

import argparse
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from axes import FPS, plan_moves
from omote.synthetic.rendered.factors import Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head

SEED = 9500  # of people
NAMES = ("Ann", "Bob", "Cem", "Dana", "Eve")
SIZE, FACE, X, Y = (640, 480), 240, 200, 110  # px: of the picture, and of the head in it
MOVES = {
    "talk": ["jaw open"] * 2 + ["brows up", "eyes closed"],
    "smile": ["lip corners up"] * 3 + ["brows up"],
}


def film(model: FaceModel, person: int, folder: Path) -> None:
    """Write the videos of one person, their head before a plain wall."""
    rng = np.random.default_rng([SEED, person])
    head = Head(model, np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5), random_appearance(rng))
    for name, moves in MOVES.items():
        still = random_nuisance(rng)
        weights = plan_moves(moves, rng)
        wall = np.linspace(rng.uniform(90, 200, 3), rng.uniform(90, 200, 3), SIZE[1])
        background = np.repeat(wall[:, None], SIZE[0], axis=1).astype(np.uint8)
        phases = rng.uniform(0, 2 * np.pi, 5)
        with av.open(str(folder / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"crf": "20"})
            (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
            for number, shapes in enumerate(weights):
                swing = np.sin(2 * np.pi * number / FPS / np.array([7, 5, 9, 3, 4]) + phases)
                yaw, pitch, roll, gaze_x, gaze_y = swing * [8, 5, 3, 4, 2]
                moved = {
                    "yaw": still.yaw / 2 + yaw, "pitch": still.pitch / 2 + pitch, "roll": still.roll / 2 + roll,
                    "gaze_x": gaze_x, "gaze_y": gaze_y, "grain": float(rng.uniform()),
                }  # fmt: skip
                face, _, _ = head.render(shapes, Nuisance(**vars(still) | moved), FACE)
                image = background.copy()
                image[Y : Y + FACE, X : X + FACE] = face
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="the ICT Face Model Light")
    parser.add_argument("--run", type=Path, help="run; default: the model that comes with omote")
    parser.add_argument("--to", type=Path, default=Path("analysis"))
    given = parser.parse_args()
    people = given.to / "people"
    if not people.is_dir():
        model = read_face_model(given.model)
        for number, name in enumerate(NAMES):
            (people / name).mkdir(parents=True)
            film(model, number, people / name)
    command = [sys.executable, "-m", "omote", "analyse", str(people), "--to", str(given.to / "results")]
    command += ["--conditions", "talk,smile", "--overwrite"]
    command += ["--run", str(given.run)] if given.run else []
    begin = time.monotonic()
    subprocess.run(command, check=True)
    print(f"{(time.monotonic() - begin) / 60:.1f} min")


if __name__ == "__main__":
    main()
