"""Print how many faces one core renders per second, at 64 and at 128 px.

    python benchmarks/rendered.py [MODEL] [--seconds 5]

MODEL: the ICT Face Model Light, as for `omote prepare rendered --model`; without it nothing is measured.
Expressions and nuisance factors are random. Time is the processor time of one thread. A person is prepared once for all
of their images.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from omote.synthetic.rendered.factors import random_appearance, random_nuisance
from omote.synthetic.rendered.model import FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head


def measure_speed(model: FaceModel, size: int, seconds: float) -> tuple[float, float]:
    """Return images per second, and the seconds to prepare a person."""
    people = 5
    images, preparing, rendering = 0, 0.0, 0.0
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
            images += 1
        rendering += time.process_time() - start
    return images / rendering, preparing / people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", nargs="?", help="folder FaceXModel, or an .npz file of its arrays")
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time per size")
    options = parser.parse_args()
    if options.model is None:
        print("rendered faces: not measured, because no face model was given")
        return
    cv2.setNumThreads(1)
    model = read_face_model(options.model)
    for size, aim in ((64, "no aim"), (128, "at least 40")):
        rate, preparing = measure_speed(model, size, options.seconds)
        print(
            f"{size:>4} px: {rate:6.0f} faces per second and core ({aim}); {preparing:.2f} s to prepare a person"
        )


if __name__ == "__main__":
    main()
