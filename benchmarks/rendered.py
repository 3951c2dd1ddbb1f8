"""Print how many faces a second one core renders, at 64 and at 128 px.

    python benchmarks/rendered.py [MODEL] [--seconds 5]

MODEL: the ICT Face Model Light, as `omote prepare rendered --model` takes it; nothing is measured without.
Mixed expressions and circumstances; time is processor time of one thread. Preparing a person comes once for all of its
pictures.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is there
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from omote.synthetic.rendered.factors import random_appearance, random_nuisance
from omote.synthetic.rendered.model import FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head


def speed(model: FaceModel, size: int, seconds: float) -> tuple[float, float]:
    """Return pictures a second, and the seconds that preparing a person takes."""
    people = 5
    pictures, preparing, rendering = 0, 0.0, 0.0
    for number in range(people):
        rng = np.random.default_rng(number)
        start = time.process_time()
        head = Head(model, rng.standard_normal(len(model.identity)), random_appearance(rng))
        preparing += time.process_time() - start
        start = time.process_time()
        while time.process_time() - start < seconds / people:
            expression = rng.uniform(0, 1, len(model.expression)) * (
                rng.uniform(size=len(model.expression)) < 0.2
            )
            head.render(expression, random_nuisance(rng), size)
            pictures += 1
        rendering += time.process_time() - start
    return pictures / rendering, preparing / people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", nargs="?", help="folder FaceXModel, or an .npz file of it")
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time to spend on each size")
    options = parser.parse_args()
    if options.model is None:
        print("rendered faces: not measured, as no face model was named")
        return
    cv2.setNumThreads(1)
    model = read_face_model(options.model)
    for size, aim in ((64, "no aim"), (128, "at least 40")):
        rate, preparing = speed(model, size, options.seconds)
        print(
            f"{size:>4} px: {rate:6.0f} faces a second a core ({aim}); {preparing:.2f} s to prepare a person"
        )


if __name__ == "__main__":
    main()
