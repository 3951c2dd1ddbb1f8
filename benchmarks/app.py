"""Measure `omote app`: the time to the first page, and memory over many jobs; and take the pictures of docs/app.md.

    python benchmarks/app.py --model ict_facekit.npz [--jobs 30] [--pictures docs/app]

A video of two rendered people (960 x 480 px, 25 frames a second) is made, none of whom is in a face set of `omote
prepare rendered`. Then the app is started as its command starts it, and used in a Chromium without a window. Memory
"over an hour" is accelerated: one short job follows another, and memory after each fifth of them is printed.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from axes import FPS, plan_moves
from omote.synthetic.rendered.factors import Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel
from omote.synthetic.rendered.scene import Head

SEED = 9700  # of people
SIDE, PEOPLE = 480, 2  # px of each picture, and how many are side by side, as in a video call
SECONDS = 16
MOVES = (["lip corners up"] * 2 + ["brows up"], ["jaw open", "lip corners up", "eyes closed"])


def film(model: FaceModel, to: Path) -> Path:
    """Write a video of two people before a plain wall."""
    rng = np.random.default_rng(SEED)
    heads = [
        Head(model, np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5), random_appearance(rng))
        for _ in range(PEOPLE)
    ]
    stills = [random_nuisance(rng) for _ in range(PEOPLE)]
    moves = [plan_moves(names, rng) for names in MOVES]
    phases = rng.uniform(0, 2 * np.pi, (PEOPLE, 5))
    with av.open(str(to), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = PEOPLE * SIDE, SIDE, "yuv420p"
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
            image = np.concatenate(pictures, axis=1)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return to
