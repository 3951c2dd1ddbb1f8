"""Whether a command that was killed, or met a full disk, and is given again ends as if nothing had happened.

    python benchmarks/crashes.py                         # a kill at every point of every command
    python benchmarks/crashes.py prepare train --every 7
    python benchmarks/crashes.py --full                  # instead, the disk is full from that point on
    python benchmarks/crashes.py --random 50             # instead, kills at random times

Points: a command runs once to the end, which lists its changes of the file system below the working folder (opening
for writing, writing, renaming, removing, making a folder). Then, for each of them, it runs in a fresh copy of the same
folder, is killed with SIGKILL right before that change, and runs again, undisturbed. The second run must exit with 0
and leave the same files with the same contents as the first command did; times and this machine's paths are not
compared. Of consecutive writes into one file, only the first, the middle and the last are points: between them, nothing
changes but the length of a file.

Full disk: the same, but instead of the kill, this change and all after it fail for want of room, if they need any. The
first run must then exit with 1 and say what to do.

The kill happens in the C library (crash_point.c, compiled here with cc and loaded with LD_PRELOAD; Linux only), so that
writes of pyarrow and safetensors count too. A server that has imported omote forks a process per run.

Random times: the command is killed with all its children after a random part of the time that it takes, and given again
in the same folder until a run ends by itself, after three kills at most.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, repeat
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from goldens import contents, digest

SOURCE = Path(__file__).with_name("crash_point.c")
MOST_KILLS = 3  # in one random trial
ADVICE = "Make room, and give the same command again"
NEED_NO_ROOM = ("rename", "unlink", "rmdir")
SMALL = ("--test-subjects", "1", "--epochs", "1", "--batch-size", "8", "--set", "options.width=8", "--set",
         "options.latent_size=8", "--set", "device=cpu", "--set", "precision=32-true")  # fmt: skip
# stand-ins for the converted networks, as the conversion takes most of an export's time; "conversion" is without them
EXPORT = """
import omote, omote.export.onnx as onnx
onnx._convert = lambda trained, part, path: (onnx.OnnxFile(path, part.name, [], [], 0.0), part.name.encode())
onnx.export_onnx(omote.load("run"), "model.onnx")
"""
SAVE = "import omote; omote.load('run').save_pretrained('model')"


class Command(NamedTuple):
    """A command under test, run in the folder that `before` made."""

    argv: tuple[str, ...]  # of omote; or "-c" and Python code
    before: tuple[tuple[str, ...], ...] = ()  # commands that make the folder it starts from


DRAWN = ("prepare", "drawn", "--to", "faces", "--subjects", "3", "--clips", "1", "--mixtures", "0", "--frames", "4",
         "--workers", "1")  # fmt: skip
OTHER = ("prepare", "drawn", "--to", "faces", "--subjects", "3", "--clips", "1", "--mixtures", "0", "--frames", "4",
         "--seed", "1", "--workers", "1", "--overwrite")  # fmt: skip
TRAIN = ("train", "faces", "--to", "run", "--method", "conventional", *SMALL)
COMMANDS = {
    "prepare": Command(DRAWN),
    "overwrite": Command(OTHER, (DRAWN,)),
    "train": Command(TRAIN, (DRAWN,)),
    "retrain": Command((*TRAIN, "--seed", "1", "--overwrite"), (DRAWN, TRAIN)),
    "evaluate": Command(("evaluate", "run", "faces", "--kmeans-runs", "2", "--clusters", "2"), (DRAWN, TRAIN)),
    "embed": Command(("embed", "run", "faces", "--to", "features.parquet"), (DRAWN, TRAIN)),
    "reproduce": Command(
        ("reproduce", "faces", "--to", "paper", "--scale", "tiny", "--rows", "1", "--test-subjects", "1",
         "--workers", "1"),
        (DRAWN,),
    ),
    "export": Command(("-c", EXPORT), (DRAWN, TRAIN)),
    "conversion": Command(("export", "run", "--to", "model.onnx"), (DRAWN, TRAIN)),
    "save_pretrained": Command(("-c", SAVE), (DRAWN, TRAIN)),
}  # fmt: skip


class Server:
    """Runs commands in processes of their own, each killed before a given change of the file system."""

    def __init__(self, library: Path) -> None:
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "OMP_NUM_THREADS": "1",
            "CRASH_POINT": str(library),
        }
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "--serve"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def run(
        self, argv: Sequence[str], folder: Path, at: int = 0, full: bool = False, seconds: float | None = None
    ) -> dict[str, Any]:
        """Return exit status (or minus the signal), changes (kind and path) and output of a run in a folder.

        Before change number `at`, it is killed, or the disk is full from then on; and it is killed after `seconds`.
        """
        assert self.process.stdin
        assert self.process.stdout
        asked = {"argv": list(argv), "folder": str(folder), "at": at, "full": full, "seconds": seconds}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return dict(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """End the server."""
        self.process.communicate()


def serve() -> None:
    """Answer requests on standard input until it ends; each is carried out by a forked process."""
    import ctypes

    import cv2
    import pyarrow.parquet  # noqa: F401
    import torch

    import omote
    from omote.cli.main import main as omote_main

    for name in ("prepare_drawn", "train", "evaluate", "embed", "reproduce", "export_onnx", "load"):
        getattr(omote, name)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    library = ctypes.CDLL(os.environ["CRASH_POINT"])
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        folder = Path(asked["folder"])
        output, log = (folder.with_name(f"{folder.name}.{kind}") for kind in ("output", "log"))
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.chdir(folder)
            descriptors = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in (output, log)]
            for number in (1, 2):
                os.dup2(descriptors[0], number)
            library.crash_arm(
                os.fsencode(folder), ctypes.c_long(asked["at"]), int(asked["full"]), descriptors[1]
            )
            code = 1
            try:
                if asked["argv"][0] == "-c":
                    exec(asked["argv"][1], {})
                    code = 0
                else:
                    sys.argv = ["omote", *asked["argv"]]
                    omote_main()
                    code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        with suppress(OSError):  # the child may have done it
            os.setpgid(child, child)
        status = _wait(child, asked["seconds"])
        changes = [line.split(" ", 2)[1:] for line in log.read_text(errors="replace").splitlines()]
        text = output.read_text(errors="replace")[-1000:]
        print(json.dumps({"status": status, "changes": changes, "output": text}), file=answers, flush=True)


def _wait(child: int, seconds: float | None) -> int:
    """Return the exit status of a process, or minus the signal; kill it with its children after so many seconds."""
    if seconds is not None:
        deadline = time.monotonic() + seconds
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                break
            time.sleep(0.001)
        else:
            return os.waitstatus_to_exitcode(ended[1])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def serving() -> Iterator[Server]:
    """Compile the library and give a server that uses it."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "crash_point.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        running = Server(library)
        try:
            yield running
        finally:
            running.close()


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of every part of every file below a folder, and the names of all files and folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "tensorboard" in path.parts:  # a log that goes on in another file after a kill
            continue
        found[name] = "folder" if path.is_dir() else "file"
        if path.suffix == ".onnx":
            found[name] = digest(path.read_bytes())
        if path.is_file():
            found |= {f"{name} {part}": value for part, value in contents(path).items()}
    return found


def find_points(changes: Sequence[Sequence[str]]) -> list[int]:
    """Return the numbers, from 1, of the changes to be killed at; of writes in a row, the first, middle and last."""
    points = []
    for is_write, group in groupby(enumerate(changes, 1), key=lambda item: _written(item[1])):
        numbers = [number for number, _ in group]
        points += sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]}) if is_write else numbers
    return points


def _written(change: Sequence[str]) -> str:
    """Return the file that a change writes to; "" for other changes."""
    return change[-1] if "write" in change[0] else ""


class Work:
    """A command in a folder that its predecessors made, and what it leaves when nothing disturbs it."""

    def __init__(self, running: Server, command: Command, work: Path) -> None:
        self.running, self.command, self.work = running, command, work
        self.start = work / "start"
        self.start.mkdir(parents=True)
        for argv in command.before:
            made = running.run(argv, self.start)
            assert made["status"] == 0, made["output"]
        self.changes: list[list[str]] = self.run(self.copy("whole"))["changes"]
        self.expected = digests(work / "whole")

    def copy(self, name: str) -> Path:
        """Return a fresh copy of the folder that the command starts in."""
        return Path(shutil.copytree(self.start, self.work / name))

    def run(self, folder: Path) -> dict[str, Any]:
        """Run the command to its end."""
        ended = self.running.run(self.command.argv, folder)
        assert ended["status"] == 0 or (self.work / "whole") != folder, ended["output"]
        return ended

    def crash(self, point: int) -> str:
        """Kill the command before a change, run it again, and return what is wrong then, or ""."""
        folder = self.copy(f"point{point}")
        killed = self.running.run(self.command.argv, folder, point)
        if killed["status"] not in (-signal.SIGKILL, 0):
            return f"the first run ended with {killed['status']}: {_last_line(killed['output'])}"
        if killed["status"] == 0:  # it ended before that change
            return self.judge(folder, 0, "")
        again = self.run(folder)
        return self.judge(folder, again["status"], again["output"])

    def fill(self, point: int) -> str:
        """Let the disk be full from a change on, run the command again with room, and return what is wrong, or ""."""
        folder = self.copy(f"full{point}")
        failed = self.running.run(self.command.argv, folder, point, full=True)
        if failed["status"] == 0:  # what did not fit was of no importance
            return self.judge(folder, 0, "")
        if failed["status"] != 1 or ADVICE not in " ".join(failed["output"].split()):
            return f"with a full disk, it ended with {failed['status']}: {_last_line(failed['output'])}"
        again = self.run(folder)
        return self.judge(folder, again["status"], again["output"])

    def judge(self, folder: Path, status: int, output: str) -> str:
        """Return what is wrong with a folder in which the last run ended so, or ""; remove a right one."""
        if status:
            return f"exit {status}: {_last_line(output)}"
        found = digests(folder)
        differing = [key for key in sorted(found | self.expected) if found.get(key) != self.expected.get(key)]
        if differing:
            more = f", and {len(differing) - 5} more" if len(differing) > 5 else ""
            return f"differs: {', '.join(map(self._describe, differing[:5], repeat(found)))}{more}"
        shutil.rmtree(folder)
        return ""

    def _describe(self, key: str, found: dict[str, str]) -> str:
        if key not in self.expected:
            return f"{key} is left over"
        return f"{key} is missing" if key not in found else key

    def measure_seconds(self) -> float:
        """Return how long the command takes."""
        begin = time.monotonic()
        fault = self.kill_at_random(0, float("inf"), Random(0))[1]
        assert not fault, fault
        return time.monotonic() - begin

    def kill_at_random(self, number: int, most: float, random: Random) -> tuple[int, str]:
        """Run the command, killed after at most so many seconds; return the number of kills and what is wrong."""
        folder = self.copy(f"random{number}")
        for kills in range(MOST_KILLS):
            ended = self.running.run(self.command.argv, folder, seconds=random.random() * most)
            if ended["status"] != -signal.SIGKILL:
                return kills, self.judge(folder, ended["status"], ended["output"])
            with suppress(Exception):  # of files that are half written
                if digests(folder) == self.expected:  # it was killed after its last change
                    return kills + 1, ""
        ended = self.run(folder)
        return MOST_KILLS, self.judge(folder, ended["status"], ended["output"])


def _last_line(output: str) -> str:
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")[:300]


def main() -> None:
    """Run the commands that were named, or all, and print every fault and a line a command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commands", nargs="*", help=f"some of {', '.join(COMMANDS)}; all if none is named")
    parser.add_argument("--every", type=int, default=1, help="take every N-th point")
    parser.add_argument(
        "--full", action="store_true", help="instead, fill the disk at each point that needs room"
    )
    parser.add_argument("--random", type=int, default=0, help="instead, N trials of kills at random times")
    parser.add_argument("--seed", type=int, default=0, help="of the random times")
    parser.add_argument("--keep", type=Path, help="a new folder in which the folders of faults are kept")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    wrong = 0
    with serving() as running, tempfile.TemporaryDirectory() as temporary:
        for name in given.commands or COMMANDS:
            work = Work(running, COMMANDS[name], (given.keep or Path(temporary)) / name)
            faults = kills = 0
            if given.random:
                random, what = Random(given.seed), "trials"
                seconds = min(work.measure_seconds() for _ in range(3))
                tried: Sequence[int] = range(1, given.random + 1)
            else:
                tried, what = find_points(work.changes), "points"
                if given.full:
                    tried = [point for point in tried if work.changes[point - 1][0] not in NEED_NO_ROOM]
                tried = tried[:: given.every]
            for number in tried:
                if given.random:
                    more, fault = work.kill_at_random(number, seconds, random)
                    kills += more
                elif given.full:
                    fault = work.fill(number)
                else:
                    fault = work.crash(number)
                    kills += 1
                if fault:
                    faults += 1
                    where = (
                        "trial"
                        if given.random
                        else " ".join(work.changes[number - 1]).replace(str(work.work), "")
                    )
                    print(f"  {name}, {number} ({where}): {fault}", flush=True)
            print(
                f"{name}: {len(work.changes)} changes, {len(tried)} {what}, {kills} kills, {faults} faults",
                flush=True,
            )
            wrong += faults
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
