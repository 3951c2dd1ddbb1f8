"""Time `omote embed` on a video, time its parts, and measure peak memory on a short and a long video.

    python benchmarks/videos.py [--run RUN] [--seconds 60] [--rounds 3] [--long 1800] [--size 640x480]
        [--against SRC] [--detector FILE]

The video is made here, in pieces of 20 seconds: H.264, 30 frames per second, drawn people moving through a room. A
face is 200 pixels high, as in front of a laptop, or 110 pixels, which is measured at a finer scale; the last video
has both. Frames per second are for the whole command, including its start; milliseconds of processor time are those
of all its threads. The parts are timed one by one, each on a single thread. The peak is the resident memory of the
command. With --against, the folder `src` of another version of omote, the command of that version is timed in turns
with this one. Without --run, a run of the paper's width is trained briefly. The detector is found as by any other
command.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import torch

from omote.data.cut import cut_faces
from omote.data.detect import find_detector
from omote.data.trust import measure_quality
from omote.data.videos import read_video
from omote.features.embed import open_reader
from omote.features.reader import cut_for
from omote.runs.config import TrainConfig
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train

FPS = 30
SIDES = ((200,), (110,), (200, 110))  # pixels of the faces in each video
SECONDS_ONCE = 20  # length of the film that is drawn; longer films repeat it


def pictures(faces: np.ndarray, sides: Sequence[int], size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield frames of people who move through a room, each in their own part of it, with camera noise."""
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(40, 215, (6, 8, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    width, height = size[0] // len(sides), size[1]
    for number in range(SECONDS_ONCE * FPS):
        image = room.astype(np.int16)
        for person, side in enumerate(sides):
            face = cv2.resize(faces[number // 6 % len(faces)], (side, side), interpolation=cv2.INTER_CUBIC)
            x = round((width - side) * (0.5 + 0.4 * np.sin(2 * np.pi * number / 300))) + person * width
            y = round((height - side) * (0.5 + 0.3 * np.cos(2 * np.pi * number / 200)))
            image[y : y + side, x : x + side] = face
        yield np.clip(image + rng.integers(-5, 6, image.shape, dtype=np.int16), 0, 255).astype(np.uint8)


def film(faces: np.ndarray, sides: Sequence[int], size: tuple[int, int], to: Path) -> Path:
    """Write a video of `SECONDS_ONCE` with faces of so many pixels."""
    with av.open(str(to), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "veryfast"})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for image in pictures(faces, sides, size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return to


def repeated(once: Path, seconds: int, to: Path) -> Path:
    """Write the film several times in a row, without encoding it again."""
    with av.open(str(to), "w") as target:
        stream = None
        for turn in range(seconds // SECONDS_ONCE):
            with av.open(str(once)) as source:
                stream = stream or target.add_stream_from_template(source.streams.video[0])
                shift = round(
                    turn * SECONDS_ONCE / float(source.streams.video[0].time_base or Fraction(1, FPS))
                )
                for packet in source.demux(video=0):
                    if packet.dts is not None and packet.pts is not None:
                        packet.stream, packet.dts, packet.pts = stream, packet.dts + shift, packet.pts + shift
                        target.mux(packet)
    return to


COMMAND = """
import sys
from pathlib import Path
from omote.cli.main import main
sys.argv = ["omote", "embed", *sys.argv[1:]]
try:
    main()
finally:  # the resource module's figure would include the parent's peak
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    processor: float  # seconds of all threads
    peak: float  # MiB of resident memory


def embedded(run: Path, video: Path, source: Path | None = None) -> Cost:
    """Return what the command took (Linux), of this version of omote or of the one in the folder `source`."""
    environment = os.environ | ({} if source is None else {"PYTHONPATH": str(source.absolute())})
    command = [sys.executable, "-c", COMMAND, str(run), str(video), "--to", f"{video}.parquet"]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(seconds, processor, int(done.stderr.split()[-1]) / 1024)


def parts(run: Path, video: Path) -> dict[str, float]:
    """Return the milliseconds per frame of each part, on one thread each."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    reader = open_reader(run, device="cpu")
    cut, detector = cut_for(reader), find_detector()

    def detect(image: np.ndarray) -> list[np.ndarray]:
        """Do what a worker of `omote embed` does with a frame; return the crop of the first face."""
        crops = []
        for face, crop in cut_faces(image, cut, detector)[:1]:
            assert face is not None
            measure_quality(image, face)
            crops.append(crop)
        return crops

    start = time.perf_counter()
    images = [frame.image for frame in read_video(video)][:300]
    decoding = (time.perf_counter() - start) / (SECONDS_ONCE * FPS)
    detect(images[0])
    start = time.perf_counter()
    crops = [crop for image in images for crop in detect(image)]
    detecting = (time.perf_counter() - start) / len(images)
    reader.read(np.stack(crops[:64]))
    start = time.perf_counter()
    for begin in range(0, len(crops), 64):
        reader.read(np.stack(crops[begin : begin + 64]))
    reading = (time.perf_counter() - start) / len(crops)
    milliseconds = {"decode": decoding, "find, cut, blur, pose": detecting, "read codes": reading}
    return {name: 1000 * value for name, value in milliseconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs of each command, of which the best counts"
    )
    parser.add_argument("--long", type=int, default=0, help="length of the long film in seconds; 0 for none")
    parser.add_argument("--size", default="640x480", help="width and height of the frames")
    parser.add_argument("--against", type=Path, help="the folder src of another version of omote")
    parser.add_argument("--detector", type=Path)
    args = parser.parse_args()
    if args.detector:
        os.environ["OMOTE_DETECTOR"] = str(args.detector)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        drawn = prepare_drawn(here / "drawn", subjects=2, clips=3, mixtures=1, frames=6, size=128)
        small = prepare_drawn(here / "small", subjects=4, clips=3, mixtures=0, frames=6)
        run = args.run or here / "run"
        if args.run is None:
            train(small, run, TrainConfig.read(None, {"options.epochs": 1, "test_subjects": 0}))
        print(f"{os.cpu_count()} cores, torch {torch.__version__}, OpenCV {cv2.__version__}")
        width, height = map(int, args.size.split("x"))
        for sides in SIDES:
            name = " and ".join(map(str, sides))
            once = film(np.asarray(drawn.faces[:24]), sides, (width, height), here / f"once {name}.mp4")
            video = repeated(once, args.seconds, here / f"short {name}.mp4")
            frames = args.seconds * FPS
            sources = [None, args.against] if args.against else [None]
            rounds = [[embedded(run, video, source) for source in sources] for _ in range(args.rounds)]
            for source, costs in zip(sources, zip(*rounds, strict=True), strict=True):
                seconds, processor = (min(cost[part] for cost in costs) for part in (0, 1))
                print(
                    f"faces of {name} px, {args.seconds} s of {args.size}{f', {source}' if source else ''}: "
                    f"{frames / seconds:.0f} frames/s, {1000 * processor / frames:.1f} ms of processor time a frame "
                    f"(best of {args.rounds}), peak {max(cost.peak for cost in costs):.0f} MiB"
                )
            timed = parts(run, once)
            total = sum(timed.values())
            for part, value in timed.items():
                print(f"    {value:6.2f} ms a frame  {100 * value / total:3.0f} %  {part}")
            if args.long and sides == SIDES[0]:
                seconds, _, peak = embedded(run, repeated(once, args.long, here / "long.mp4"))
                print(
                    f"faces of {name} px, {args.long} s: {args.long * FPS / seconds:.0f} frames/s, peak {peak:.0f} MiB"
                )


if __name__ == "__main__":
    main()
