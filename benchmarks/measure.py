"""Sides that are timed against each other: each runs in a process of its own, and they take turns.

A side is a function ``side(turn, **about)``. It sets itself up, calls ``turn()``, and from then on ``turn(count)`` each
time it has done a round of ``count`` images, frames or runs. `turn` returns when the next round may begin. So a side
may be a plain loop, and it may be a callback of somebody else's loop. Its process has the settings, the memory and
the libraries that it chose, and no other side's.

    python benchmarks/measure.py MODULE FUNCTION '{"about": ...}'     # what the processes are started with
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import IO, Any, NamedTuple


class Missing(Exception):
    """Something that a side needs is not here; the message says how to get it."""


class Turn:
    """What a side calls between two rounds.

    Attributes:
        work: floating-point operations of one image, frame or run, where they were counted.
        limit: which of the machine's limits they are held against.
        peak: MiB, where the side knows better than this process.
    """

    def __init__(self, answers: IO[str]) -> None:
        self.answers = answers
        self.work, self.limit, self.peak = 0.0, "", 0.0
        self.began = 0.0

    def __call__(self, count: float = 0) -> None:
        """Tell how much was done since the last call, and wait for the next round; leave if there is none."""
        seconds = time.perf_counter() - self.began
        told = {
            "seconds": seconds, "count": count, "work": self.work, "limit": self.limit,
            "peak": self.peak or peak_memory(),
        }  # fmt: skip
        print(json.dumps(told), file=self.answers, flush=True)
        if not sys.stdin.readline():
            sys.exit()
        self.began = time.perf_counter()


def peak_memory() -> float:
    """Return the most resident memory, MiB, that this process and its children have had, each at its own time.

    NaN where the system is not Linux. Not the resource module's figure, which begins with that of the parent.
    """
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        try:
            status = (process / "status").read_text()
            waiting += [
                int(pid) for task in process.glob("task/*/children") for pid in task.read_text().split()
            ]
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total / 1024 or float("nan")


class Side(NamedTuple):
    """One way to do what a line of the table times."""

    name: str
    function: str  # "module.function"
    about: dict[str, Any]  # its keywords


class Measured(NamedTuple):
    """What a side's rounds told."""

    rate: float  # a second, median of the rounds
    peak: float  # MiB
    work: float
    limit: str


def take_turns(
    sides: list[Side], rounds: int, progress: Callable[[float], None] = lambda share: None
) -> list[Measured | str]:
    """Return what was measured of each side, or why there is nothing.

    The first round of each is thrown away: it chooses kernels, allocates and fills caches.

    Args:
        sides: which take turns, round by round.
        rounds: that count.
        progress: called with the share that is done.
    """
    rates: list[list[float]] = [[] for _ in sides]
    told: list[dict[str, Any]] = [{} for _ in sides]
    children = [_Child(side) for side in sides]
    try:
        for child in children:  # one after the other, so that no set-up disturbs another one's
            child.answer()
        for turn in range(rounds + 1):
            for number, child in enumerate(children):
                if not child.problem:
                    child.ask()
                    answer = child.answer()
                    if turn and answer:
                        rates[number].append(answer["count"] / answer["seconds"])
                        told[number] = answer
                progress((turn + (number + 1) / len(children)) / (rounds + 1))
    finally:
        for child in children:
            child.end()
    return [
        child.problem or Measured(median(rate), answer["peak"], answer["work"], answer["limit"])
        for child, rate, answer in zip(children, rates, told, strict=True)
    ]


class _Child:
    def __init__(self, side: Side) -> None:
        module, function = side.function.split(".")
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, __file__, module, function, json.dumps(side.about, default=str)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip
        self.problem = ""

    def ask(self) -> None:
        assert self.process.stdin
        print("go", file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"problem": self.last_words()}
        self.problem = answer.pop("problem", "")
        return answer

    def last_words(self) -> str:
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().strip().splitlines()
        return f"stopped ({lines[-1] if lines else f'exit code {self.process.returncode}'})"

    def end(self) -> None:
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def main() -> None:
    """Run one side."""
    module, function, about = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a side prints is no answer
    try:
        getattr(importlib.import_module(module), function)(Turn(answers), **json.loads(about))
        raise RuntimeError("the side ended before its rounds did")
    except Missing as error:
        print(json.dumps({"problem": str(error)}), file=answers, flush=True)


if __name__ == "__main__":
    # the side's module imports this file under its own name, so that both have one `Missing`
    importlib.import_module("measure").main()
