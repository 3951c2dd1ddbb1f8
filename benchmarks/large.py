"""Training speed on a large face set read from disk, compared with a small one in memory.

    python benchmarks/large.py [--gib 4] [--size 64] [--steps 24] [--folder FOLDER]

The identity stage of `conventional`, which reads two faces per image. The large set repeats the frames of the small
one. Before each of its steps its pages are dropped from memory, so that every face is read from disk, as most would be
if the set were many times as large as memory. The two sets alternate.
"""

import argparse
import json
import mmap
import os
import shutil
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet, open_face_set
from omote.runs.config import TrainConfig
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import TrainingProgress, train

TURNS, WARM_UP = 3, 4


class Enough(Exception):
    """Raised after the last timed step."""


def repeat(small: FaceSet, to: Path, gib: float) -> FaceSet:
    """Write a face set of about this size that repeats the frames of the small one."""
    to.mkdir()
    times = max(1, round(gib * 2**30 / small.faces.nbytes))
    block = np.ascontiguousarray(small.faces)
    shape = (times * len(block), *block.shape[1:])
    with (to / "faces.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for _ in range(times):
            block.tofile(file)
        os.fsync(file.fileno())  # unwritten pages cannot be dropped
    pd.concat([small.frames] * times, ignore_index=True).to_parquet(to / "frames.parquet", index=False)
    (to / "about.json").write_text(json.dumps(small.about.to_json()))
    shutil.copy(small.path / "skipped.csv", to)
    return open_face_set(to)


def drop_pages(face_set: FaceSet) -> None:
    """Drop the pages of the faces from this process and from the page cache."""
    pages: Any = face_set.faces.base
    assert isinstance(pages, mmap.mmap)
    pages.madvise(mmap.MADV_DONTNEED)
    with (face_set.path / "faces.npy").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds_of_steps(face_set: FaceSet, to: Path, steps: int, *, from_disk: bool) -> list[float]:
    """Return the seconds of each step after the first ones, without the dropping of pages."""
    config = TrainConfig.read(None, {"method": "conventional"})
    took: list[float] = []
    began = time.perf_counter()

    def listen(progress: TrainingProgress) -> None:
        nonlocal began
        took.append(time.perf_counter() - began)
        if progress.step == steps:
            raise Enough
        if from_disk:
            drop_pages(face_set)
        began = time.perf_counter()

    if from_disk:
        drop_pages(face_set)
    with suppress(Enough):
        train(face_set, to, config, progress=listen, overwrite=True)
    return took[WARM_UP:]


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--size", type=int, default=64, choices=[64, 128])
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--folder", type=Path, help="where to write the large set; removed at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        small = prepare_drawn(folder / "small", subjects=10, size=arguments.size)
        large = repeat(small, folder / "large", arguments.gib)
        sets = {"small, in memory": (small, False), "large, from the disk": (large, True)}
        took: dict[str, list[float]] = {name: [] for name in sets}
        for _ in range(TURNS):
            for name, (face_set, from_disk) in sets.items():
                took[name] += seconds_of_steps(face_set, folder / "run", arguments.steps, from_disk=from_disk)
        batch = TrainConfig().batch_size
        median = {name: statistics.median(values) for name, values in took.items()}
        for name, (face_set, _) in sets.items():
            size = f"{len(face_set)} faces, {face_set.faces.nbytes / 2**30:.2f} GiB"
            print(f"{name:22s} {size:28s} {batch / median[name]:6.1f} images/s")
        print(f"ratio {median['small, in memory'] / median['large, from the disk']:.3f}")


if __name__ == "__main__":
    main()
