from pathlib import Path
from typing import Any

import pytest

from measure import Measurement, Side, take_turns

SIDES = """
import sys, time
from measure import Missing

def report(turn, log, name, megabytes=0, counts=(1,)):
    held = b"x" * (megabytes * 2**20)
    turn.work, turn.limit = 5.0, "copy"
    turn()
    for count in [*counts, *[counts[-1]] * 100]:
        with open(log, "a") as file:
            print(name, file=file)
        print("this is not an answer")
        time.sleep(0.01)
        turn(count)

def broken(turn):
    turn()
    raise ValueError("it broke")

def missing(turn):
    raise Missing("no package here")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "made_sides.py").write_text(SIDES, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def side(folder: Path, name: str, **about: Any) -> Side:
    return Side(name, "made_sides.report", {"log": folder / "log", "name": name, **about})


def test_the_sides_take_turns_and_only_one_runs_at_a_time(folder: Path) -> None:
    shares: list[float] = []
    found = take_turns([side(folder, "a"), side(folder, "b")], 2, shares.append)
    assert (folder / "log").read_text().split() == ["a", "b"] * 3
    assert shares == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    for each in found:
        assert isinstance(each, Measurement)
        assert (each.work, each.limit) == (5.0, "copy")


def test_the_rate_is_the_median_of_all_rounds_but_the_first(folder: Path) -> None:
    (found,) = take_turns([side(folder, "a", counts=[1e12, 1, 1e9, 1])], 3)
    assert isinstance(found, Measurement)
    assert 0 < found.rate <= 100  # 1 in a round of at least 0.01 s


def test_peak_memory_is_measured_per_side(folder: Path) -> None:
    small, large = take_turns([side(folder, "a"), side(folder, "b", megabytes=200)], 1)
    assert isinstance(small, Measurement)
    assert isinstance(large, Measurement)
    assert 190 < large.peak - small.peak < 210 + small.peak


def test_a_side_that_fails_gives_the_reason_and_the_others_are_measured(folder: Path) -> None:
    broken, missing = Side("broken", "made_sides.broken", {}), Side("missing", "made_sides.missing", {})
    found = take_turns([broken, side(folder, "a"), missing], 1)
    assert found[0] == "stopped (ValueError: it broke)"
    assert isinstance(found[1], Measurement)
    assert found[2] == "no package here"
