"""A command that is killed at any change of the file system, and given again, ends as if nothing had happened."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashes import COMMANDS, NEED_NO_ROOM, Server, Work, find_points, serving

SAMPLES = 2  # points beside the first, the last two and one of each kind
CASES = ("prepare", "overwrite", "train", "embed", "export", "save_pretrained")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the kills need Linux (LD_PRELOAD)"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="the library that kills needs a C compiler, cc"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A process that runs commands, each in a fork of its own."""
    with serving() as running:
        yield running


@pytest.mark.parametrize("name", CASES)
def test_a_killed_command_given_again_ends_as_if_nothing_had_happened(
    server: Server, tmp_path: Path, name: str
) -> None:
    work = Work(server, COMMANDS[name], tmp_path / name)
    faults = {point: work.crash(point) for point in _sample(work.changes)}
    assert not any(faults.values()), faults


@pytest.mark.parametrize("name", ["prepare", "embed", "export"])
def test_a_full_disk_is_a_sentence_and_the_command_given_again_ends_as_if_nothing_had_happened(
    server: Server, tmp_path: Path, name: str
) -> None:
    work = Work(server, COMMANDS[name], tmp_path / name)
    needs_room = [
        point for point in find_points(work.changes) if work.changes[point - 1][0] not in NEED_NO_ROOM
    ]
    faults = {point: work.fill(point) for point in needs_room[:: len(needs_room) // 5]}
    assert not any(faults.values()), faults


def _sample(changes: list[list[str]]) -> list[int]:
    """Return the first points, the last ones, and the first of each kind of change, spread evenly if they are many."""
    points = find_points(changes)
    kinds = {changes[point - 1][0]: point for point in reversed(points)}
    spread = points[:: len(points) // SAMPLES]
    return sorted({*points[-2:], *kinds.values(), *spread})


def test_of_writes_in_a_row_into_one_file_the_first_the_middle_and_the_last_are_points() -> None:
    changes = [["mkdir", "/a"], *[["write", "/a/b"]] * 9, ["rename", "/a/c"], ["write", "/d"]]
    assert find_points(changes) == [1, 2, 6, 10, 11, 12]
