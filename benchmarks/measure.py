"""Time several implementations ("sides") against each other: each in its own process, taking turns.

A side is a function ``side(turn, **about)``. It sets itself up, calls ``turn()``, and then calls ``turn(count)`` after
each round of ``count`` images, frames or runs. `turn` returns when the next round may begin. A side can therefore be a
plain loop or a callback inside somebody else's loop. Settings, memory and libraries of one side do not affect another.

    python benchmarks/measure.py MODULE FUNCTION '{"about": ...}'     # how each process is started
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
    """Raised by a side if a package or file is missing; the message says how to get it."""


class Turn:
    """Called by a side between two rounds.

    Attributes:
        work: floating-point operations per image, frame or run; 0 if not counted.
        limit: name of the machine limit to compare them with.
        peak: peak memory in MiB, if the side measures it itself.
    """

    def __init__(self, answers: IO[str]) -> None:
        self.answers = answers
        self.work, self.limit, self.peak = 0.0, "", 0.0
        self.began = 0.0

    def __call__(self, count: float = 0) -> None:
        """Report the work done since the last call and wait for the next round; exit if there is none."""
        seconds = time.perf_counter() - self.began
        answer = {
            "seconds": seconds, "count": count, "work": self.work, "limit": self.limit,
            "peak": self.peak or peak_memory(),
        }  # fmt: skip
        print(json.dumps(answer), file=self.answers, flush=True)
        if not sys.stdin.readline():
            sys.exit()
        self.began = time.perf_counter()


def peak_memory() -> float:
    """Return the sum of the peak resident memory of this process and its children in MiB; NaN if not on Linux.

    The figure of the resource module is not usable: it starts with the peak of the parent.
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
    """One implementation of a job."""

    name: str
    function: str  # "module.function"
    about: dict[str, Any]  # keyword arguments


class Measurement(NamedTuple):
    """The result of a side."""

    rate: float  # per second, median of the rounds
    peak: float  # MiB
    work: float
    limit: str


def take_turns(
    sides: list[Side], rounds: int, progress: Callable[[float], None] = lambda share: None
) -> list[Measurement | str]:
    """Return the measurement of each side, or the reason why there is none.

    The first round of each side does not count: it selects kernels, allocates memory and fills caches.

    Args:
        sides: take turns, round by round.
        rounds: number of rounds that count.
        progress: called with the share of rounds that are done.
    """
    rates: list[list[float]] = [[] for _ in sides]
    answers: list[dict[str, Any]] = [{} for _ in sides]
    children = [_Child(side) for side in sides]
    try:
        for child in children:  # one after the other, so that set-ups do not disturb each other
            child.answer()
        for turn in range(rounds + 1):
            for number, child in enumerate(children):
                if not child.problem:
                    child.ask()
                    answer = child.answer()
                    if turn and answer:
                        rates[number].append(answer["count"] / answer["seconds"])
                        answers[number] = answer
                progress((turn + (number + 1) / len(children)) / (rounds + 1))
    finally:
        for child in children:
            child.end()
    return [
        child.problem or Measurement(median(rate), answer["peak"], answer["work"], answer["limit"])
        for child, rate, answer in zip(children, rates, answers, strict=True)
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
    os.dup2(2, 1)  # text that a side prints must not be read as an answer
    try:
        getattr(importlib.import_module(module), function)(Turn(answers), **json.loads(about))
        raise RuntimeError("the side ended before its rounds did")
    except Missing as error:
        print(json.dumps({"problem": str(error)}), file=answers, flush=True)


if __name__ == "__main__":
    # import this file under its own name, as the side's module does, so that there is only one `Missing`
    importlib.import_module("measure").main()
