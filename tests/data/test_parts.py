"""Resumable part folders; what `build_face_set` and `embed_to` make of them is tested there."""

from pathlib import Path
from typing import Any

import pytest

from omote.data.parts import Parts, claim_parts, new_part
from omote.errors import OmoteError


def write_parts(to: Path, texts: list[str], stop: bool = False, **request: Any) -> Parts:
    """Write one file per part that is not done, and join them; or stop before that."""
    with claim_parts(to, {"texts": len(texts), **request}, "work") as parts:
        for number, text in enumerate(texts):
            if not parts.part(number).is_dir():
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
