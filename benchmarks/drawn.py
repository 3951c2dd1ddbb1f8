"""Print how many faces one core draws per second, at 64 and at 128 px.

    python benchmarks/drawn.py [--seconds 5]

Faces come with their true factors, as in `omote prepare drawn`. Time is the processor time of one thread.
"""

import argparse
import time

import cv2

from omote.synthetic.drawn import DrawnOptions, draw_subject


def faces_per_second(size: int, seconds: float) -> float:
    options = DrawnOptions(size=64 if size == 64 else 128)
    draw_subject(options, 0)
    faces, index, start = 0, 0, time.process_time()
    while time.process_time() - start < seconds:
        index += 1
        faces += len(draw_subject(options, index)[0])
    return faces / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time per size")
    seconds = parser.parse_args().seconds
    cv2.setNumThreads(1)
    for size, aim in ((64, "at least 200"), (128, "no aim")):
        print(f"{size:>4} px: {faces_per_second(size, seconds):6.0f} faces per second and core ({aim})")


if __name__ == "__main__":
    main()
