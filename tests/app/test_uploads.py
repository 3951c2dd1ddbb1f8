"""Hostile uploads: each gets a sentence."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from omote.app import uploads, video
from omote.app.state import State
from omote.app.uploads import MAX_FILES, check_uploads, show_name, stored_bytes
from omote.errors import OmoteError
from omote.runs.shipped import SHIPPED
from tests.app.hostile import write_hostile


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    state = State(SHIPPED, tmp_path_factory.mktemp("state"))
    yield state
    state.jobs.close()


def refuse(state: State, file: Path) -> str:
    """Return what is said of a file, at once or when its job has failed."""
    try:
        job = state.jobs.find(video.start(state, [str(file)]))
    except OmoteError as error:
        return str(error)
    assert job is not None
    while not job.is_over:
        time.sleep(0.05)
    assert job.status == "failed"
    assert not job.folder.exists()
    return f"{job.name}: {job.error}"  # as the page says it


def test_each_of_20_hostile_files_gets_a_sentence(state: State) -> None:
    expected = write_hostile(state.uploads)
    assert len(expected) >= 20
    for name, said in expected.items():
        sentence = refuse(state, state.uploads / name)
        assert said in sentence, (name, sentence)
        assert name in sentence, (name, sentence)
        assert "fault" not in sentence
        assert str(state.folder) not in sentence
        assert "\n" not in sentence


def test_only_files_that_lie_among_the_uploads_are_read(state: State, tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"x")
    state.uploads.mkdir(exist_ok=True)
    link = state.uploads / "link.png"
    link.symlink_to(outside)
    os.mkfifo(state.uploads / "pipe.mp4")
    for path in (outside, link, state.uploads / ".." / ".." / "x", "/etc/passwd"):
        with pytest.raises(OmoteError, match="a link or a file from elsewhere"):
            check_uploads([path], state.uploads)
    for path in (state.uploads, state.uploads / "pipe.mp4", state.uploads / "gone.mp4"):
        with pytest.raises(OmoteError, match="no file; choose it again"):
            check_uploads([path], state.uploads)


def test_numbers_and_sizes_are_limited(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OmoteError, match="no file was chosen"):
        check_uploads([], state.uploads)
    with pytest.raises(OmoteError, match="201 files were chosen; at most 200"):
        check_uploads([state.uploads / "x"] * (MAX_FILES + 1), state.uploads)
    big = state.uploads / "big.png"
    big.write_bytes(bytes(1001))
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    with pytest.raises(OmoteError, match=r"big.png: .* are taken"):
        check_uploads([big], state.uploads)


def test_names_are_shown_as_one_line() -> None:
    assert show_name(Path("a\nb\x1b[31m.mp4")) == "a�b�[31m.mp4"
    assert show_name(Path("x" * 200 + ".mp4")) == "x" * 77 + "..."


def test_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    files = [tmp_path / folder / name for folder in "ab" for name in ("film.mp4", "x" * 100 + ".mp4")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(str(file))
    kept = video._keep(files, tmp_path / "media")
    assert [*kept.values()] == ["film.mp4", "x" * 77 + "...", "film 2.mp4", "x" * 77 + "... 2"]
    assert [Path(path).read_text() for path in kept] == [*map(str, files)]


def test_the_bytes_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(bytes(10))
    (tmp_path / "two").write_bytes(bytes(5))
    assert stored_bytes(tmp_path) == 15


def test_a_file_that_goes_while_bytes_are_counted_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").write_bytes(bytes(10))
    monkeypatch.setattr(os, "walk", lambda folder: [(str(folder), [], ["gone", "one"])])
    assert stored_bytes(tmp_path) == 10
