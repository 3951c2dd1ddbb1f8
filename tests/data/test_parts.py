"""Resumable part folders; what `build_face_set` and `embed_to` make of them is tested there."""

import json
from pathlib import Path
from typing import Any

import pytest

from omote.data.parts import Parts, claim_parts, is_pending, is_whole, new_part
from omote.errors import OmoteError


def write_parts(to: Path, texts: list[str], stop: bool = False, **request: Any) -> Parts:
    """Write one file per part that is not done, and join them; or stop before that."""
    with claim_parts(to, {"texts": len(texts), **request}, "work") as parts:
        for number, text in enumerate(texts):
            if not is_whole(parts.part(number)):
                with new_part(parts.part(number)) as part:
                    (part / "text.txt").write_text(text)
        if stop:
            raise KeyboardInterrupt
        result = parts.new_result()
        joined = "".join((part / "text.txt").read_text() for part in parts.done())
        (result / "all.txt").write_text(joined)
        parts.replace(result, to)
    return parts


def test_an_interrupted_job_is_resumed_with_what_is_done(tmp_path: Path) -> None:
    to = tmp_path / "result"
    with pytest.raises(KeyboardInterrupt):
        write_parts(to, ["a", "b"], stop=True)
    assert not to.exists()
    write_parts(to, ["other", "other"])  # both are done already
    assert (to / "all.txt").read_text() == "ab"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_an_exception_within_a_part_leaves_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), new_part(tmp_path / "part_000000") as part:
        part.write_text("no text for a folder")
    assert not list(tmp_path.iterdir())


def test_another_request_is_refused_and_only_short_values_are_shown(tmp_path: Path) -> None:
    request = {"size": 1, "digest": "0" * 64}
    with pytest.raises(KeyboardInterrupt):
        write_parts(tmp_path / "result", ["a"], stop=True, **request)
    with pytest.raises(OmoteError, match=r"interrupted work with other .*\(digest; size: was 1, now 2\)"):
        write_parts(tmp_path / "result", ["a"], size=2, digest="1" * 64)


def test_what_finished_work_left_behind_is_removed_but_no_file_of_anyone_else(tmp_path: Path) -> None:
    folder = tmp_path / "result.partial"
    (folder / "part_000000").mkdir(parents=True)  # without a request: killed while it was removed
    (folder / "part_000001.4711").mkdir()
    (folder / "lock").touch()
    assert write_parts(tmp_path / "result", ["a"]).folder == folder
    assert (tmp_path / "result" / "all.txt").read_text() == "a"
    folder.mkdir()
    (folder / "part_of_my_thesis.txt").write_text("mine")
    with pytest.raises(OmoteError, match="in the way"):
        write_parts(tmp_path / "result", ["a"])
    assert (folder / "part_of_my_thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "damage", ["record removed", "file removed", "file emptied", "file changed", "record cut short"]
)
def test_a_part_that_is_not_whole_is_made_anew(tmp_path: Path, damage: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_parts(tmp_path / "result", ["a", "b"], stop=True)
    part = tmp_path / "result.partial" / "part_000000"
    name, action = damage.split(maxsplit=1)
    file = part / {"record": "whole.json", "file": "text.txt"}[name]
    texts = {"emptied": "", "changed": "x", "cut short": "{"}  # as long as it was, but for the emptied one
    file.unlink() if action == "removed" else file.write_text(texts[action])
    assert not is_whole(part)
    write_parts(tmp_path / "result", ["c", "d"])  # only the first is made anew
    assert (tmp_path / "result" / "all.txt").read_text() == "cb"


def test_parts_after_one_that_is_not_done_are_removed_when_work_in_order_resumes(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_parts(tmp_path / "result", ["a", "b", "c"], stop=True)
    parts = Parts(tmp_path / "result.partial", None)
    (parts.part(1) / "text.txt").unlink()
    assert parts.resume() == [parts.part(0)]
    assert sorted(parts.folder.glob("part_*")) == [parts.part(0)]


class Finished:
    """Work that is killed at a step after the result is whole."""

    def __init__(self, to: Path) -> None:
        self.to, self.times_made = to, 0

    def __call__(self, request: str = "this", killed_at: str = "") -> Any:
        with claim_parts(self.to, {"request": request}, "work", self.check) as parts:
            if parts.outcome is None:
                self.times_made += 1
                (parts.new_result() / "all.txt").write_text(request)
                parts.finish({"made": self.times_made})
            if killed_at == "before it is in place":
                raise KeyboardInterrupt
            parts.replace(parts.result, self.to)
            if killed_at == "in place":
                raise KeyboardInterrupt
        return parts.outcome

    def check(self) -> None:
        if self.to.exists():
            raise OmoteError("it exists already")


@pytest.mark.parametrize("killed_at", ["before it is in place", "in place"])
def test_a_kill_after_the_result_is_whole_costs_no_work_and_is_no_fault_of_the_same_call(
    tmp_path: Path, killed_at: str
) -> None:
    work = Finished(tmp_path / "result")
    with pytest.raises(KeyboardInterrupt):
        work(killed_at=killed_at)
    assert is_pending(work.to)
    assert work() == {"made": 1}
    assert work.times_made == 1
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
    with pytest.raises(OmoteError, match="exists already"):  # nobody was killed this time
        work()
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_kill_during_clean_up_is_no_fault_of_the_same_call_but_another_is_told_that_a_result_is_there(
    tmp_path: Path,
) -> None:
    work, record = Finished(tmp_path / "result"), tmp_path / "result.partial.json"
    work()
    record.write_text(json.dumps({"request": {"request": "this"}, "outcome": {"made": 1}}))
    with pytest.raises(OmoteError, match="exists already"):
        work("another")
    record.write_text(json.dumps({"request": {"request": "this"}, "outcome": {"made": 1}}))
    (tmp_path / "result.partial").mkdir()
    assert work() == {"made": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
