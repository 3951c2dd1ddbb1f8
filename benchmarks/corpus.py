"""Embed a corpus of short made videos by one command, by shards, and on Ray, with a kill in the middle of the last two.

    python benchmarks/corpus.py [--clips 200] [--frames 12] [--shards 4] [--to FOLDER]

The clips are those of videos.py, 320x240, of 20 drawn people; FOLDER/videos is used again if it is there. Two commands
of the shards run at a time, each with one thread, as in a queue with two places; the second is killed with SIGKILL
after a few seconds, and given again at the end. On Ray (extra `ray`), two workers share the cores of this machine; one
of them is killed when half of the parts are there. Seconds are those of all commands of a side, with their starts and
`omote join`. Printed is also how far the joined table is from that of one command: columns of text and whole numbers
have to be equal.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pandas as pd

from omote.synthetic.prepare import prepare_drawn
from videos import FPS, pictures

PEOPLE, SIZE, FACE = 20, (320, 240), 110  # px
OMOTE = [sys.executable, "-m", "omote"]
PLACES = 2  # commands or workers at a time
KILL_AFTER = 15.0  # s


def make_clips(folder: Path, clips: int, frames: int) -> None:
    """Write the videos, each of one person."""
    drawn = folder.with_name("drawn")
    faces = prepare_drawn(drawn, subjects=PEOPLE, clips=2, mixtures=1, frames=12, overwrite=True)
    folder.mkdir(parents=True)
    for number in range(clips):
        person = faces.subjects[number % PEOPLE]
        own = np.asarray(faces.faces[np.flatnonzero(faces.frames["subject"] == person)])
        own = np.roll(own, -(number // PEOPLE), axis=0)
        with av.open(str(folder / f"{person}_{number:03d}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
            (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
            for image in islice(pictures(own, (FACE,), SIZE), frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    """Start a command of omote with one thread."""
    return subprocess.Popen([*OMOTE, *arguments, "--quiet"], env=os.environ | {"OMP_NUM_THREADS": "1"})


def finish(command: "subprocess.Popen[bytes]") -> None:
    """Wait for a command that has to end well."""
    if command.wait():
        raise SystemExit(f"{' '.join(map(str, command.args))} ended with {command.returncode}")  # type: ignore[arg-type]


def embed_alone(videos: Path, table: Path) -> None:
    """One command, with a thread for each core."""
    finish(start("embed", str(videos), "--to", str(table)))


def embed_by_shards(videos: Path, table: Path, count: int) -> None:
    """Several commands, of which one is killed and given again, and `omote join`."""
    parts = table.with_suffix("")
    waiting = list(range(1, count + 1))
    running: dict[int, subprocess.Popen[bytes]] = {}
    begin, killed = time.monotonic(), False
    while waiting or running:
        while waiting and len(running) < PLACES:
            number = waiting.pop(0)
            shard = ("--shard", f"{number}/{count}", "--workers", "1")
            running[number] = start("embed", str(videos), "--to", str(parts), *shard)
        if not killed and time.monotonic() - begin > KILL_AFTER and 2 in running:
            running[2].kill()
            running.pop(2).wait()
            waiting.append(2)
            killed = True
        for number in [number for number, command in running.items() if command.poll() is not None]:
            finish(running.pop(number))
        time.sleep(0.1)
    assert killed, "the second command had ended before it could be killed; give more clips"
    finish(start("join", str(parts), "--to", str(table)))


def embed_on_ray(videos: Path, table: Path) -> None:
    """One command that starts a cluster of two workers here, of which one is killed, and `omote join`."""
    parts, clips = table.with_suffix(""), len(list(videos.iterdir()))
    command = start("embed", str(videos), "--to", str(parts), "--on", "ray", "--workers", "1")
    killed = False
    while command.poll() is None:
        if not killed and len(list(parts.glob("part-*.parquet"))) >= clips // 2:
            os.kill(next(find_workers(command.pid)), signal.SIGKILL)
            killed = True
        time.sleep(0.1)
    finish(command)
    assert killed, "the command had ended before a worker could be killed; give more clips"
    finish(start("join", str(parts), "--to", str(table)))


def find_workers(command: int) -> Iterator[int]:
    """Yield the ids of the processes that hold the model, of a command (Linux)."""
    parents: dict[int, int] = {}
    workers = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, line = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        if line.startswith(b"ray::_Worker"):
            workers.append(int(folder.name))
    for worker in workers:
        above = worker
        while above in parents and above != command:
            above = parents[above]
        if above == command:
            yield worker


def compare(table: pd.DataFrame, whole: pd.DataFrame) -> str:
    """Return in words how far a table is from that of one command."""
    if list(table.columns) != list(whole.columns) or len(table) != len(whole):
        return f"{len(table):,} rows of {len(whole):,}"
    numbers = [name for name in whole.columns if whole[name].dtype.kind == "f"]
    others = [name for name in whole.columns if name not in numbers]
    if not table[others].equals(whole[others]):
        return "other text or whole numbers"
    missing = (table[numbers].isna() != whole[numbers].isna()).to_numpy().sum()
    largest = np.nanmax(np.abs(table[numbers].to_numpy(float) - whole[numbers].to_numpy(float)))
    return "other missing numbers" if missing else f"equal up to {largest:.1g}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--frames", type=int, default=12, help="of each clip")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--to", type=Path, default=Path("corpus"))
    given = parser.parse_args(arguments)
    videos = given.to / "videos"
    if not videos.is_dir():
        make_clips(videos, given.clips, given.frames)
    sides: dict[str, tuple[str, Callable[[Path], None]]] = {
        "whole": ("one command", lambda table: embed_alone(videos, table)),
        "shards": (
            f"{given.shards} shards, {PLACES} at a time, one killed",
            lambda table: embed_by_shards(videos, table, given.shards),
        ),
        "ray": ("Ray, 2 workers, one killed", lambda table: embed_on_ray(videos, table)),
    }
    print(f"{len(list(videos.iterdir()))} clips of {given.frames} frames, {os.cpu_count()} cores\n")
    print("|  | seconds | rows | beside one command |\n| --- | --- | --- | --- |")
    whole = pd.DataFrame()
    for name, (title, make) in sides.items():
        table = given.to / f"{name}.parquet"
        table.unlink(missing_ok=True)
        shutil.rmtree(table.with_suffix(""), ignore_errors=True)
        begin = time.monotonic()
        make(table)
        seconds = time.monotonic() - begin
        found = pd.read_parquet(table)
        whole = found if name == "whole" else whole
        told = "" if name == "whole" else compare(found, whole)
        print(f"| {title} | {seconds:.0f} | {len(found):,} | {told} |", flush=True)


if __name__ == "__main__":
    main()
