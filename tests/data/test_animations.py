"""Animated images and pages of a TIFF as the frames of a clip."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omote.data import animations
from omote.data.animations import read_animation
from omote.data.images import Unreadable
from omote.data.videos import Excerpt, VideoFrame

LEVELS = [0, 50, 100, 150, 200]  # of the frames


def write_animation(file: Path, durations: list[int] | None = None, **options: Any) -> Path:
    """Write a frame for each of LEVELS; durations in ms."""
    first, *others = (Image.new("RGB", (40, 30), (level, 255 - level, 90)) for level in LEVELS)
    if durations:
        options["duration"] = durations
    first.save(file, save_all=True, append_images=others, **options)
    return file


def levels(frames: list[VideoFrame]) -> list[int]:
    """The level of each frame, as the nearest of LEVELS."""
    return [min(LEVELS, key=lambda level: abs(level - int(frame.image[15, 20, 0]))) for frame in frames]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_an_animation_gives_all_frames_with_their_times(tmp_path: Path, suffix: str) -> None:
    frames = list(read_animation(write_animation(tmp_path / f"a.{suffix}", [100, 200, 50, 40, 70])))
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.3, 0.35, 0.39])
    assert levels(frames) == LEVELS
    assert frames[0].image.shape == (30, 40, 3)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_frames_of_no_duration_last_as_long_as_in_browsers(tmp_path: Path, suffix: str) -> None:
    frames = read_animation(write_animation(tmp_path / f"a.{suffix}", [0, 10, 20, 0, 0]))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.22, 0.32])


def test_a_picture_for_programs_without_animation_is_no_frame(tmp_path: Path) -> None:
    file = write_animation(tmp_path / "a.png", [100] * 4, default_image=True)
    frames = list(read_animation(file))
    assert levels(frames) == LEVELS[1:]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_pages_have_no_times_and_their_thumbnails_are_no_frames(tmp_path: Path) -> None:
    pages = []
    for level in LEVELS:
        page = Image.new("RGB", (40, 30), (level, 0, 0))
        pages += [page, page.resize((4, 3))]
        pages[-1].encoderinfo = {"tiffinfo": {254: 1}}  # NewSubfileType: reduced resolution
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    frames = list(read_animation(tmp_path / "a.tif", Excerpt(fps=1, start=5)))
    assert levels(frames) == LEVELS
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert np.isnan([frame.time for frame in frames]).all()


def test_pages_are_turned_upright_each_by_its_tag(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (40, 30)), Image.new("RGB", (40, 30))]
    pages[1].encoderinfo = {"tiffinfo": {274: 6}}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert [frame.image.shape for frame in read_animation(tmp_path / "a.tif")] == [(30, 40, 3), (40, 30, 3)]


@pytest.mark.parametrize(
    ("excerpt", "numbers"),
    [
        (Excerpt(every=2), [0, 2, 4]),
        (Excerpt(start=0.1, end=0.3), [1, 2, 3]),
        (Excerpt(start=0.1, every=2), [1, 3]),
        (Excerpt(fps=5), [0, 2, 4]),
        (Excerpt(fps=100), [0, 1, 2, 3, 4]),
    ],
)
def test_an_excerpt_of_an_animation(tmp_path: Path, excerpt: Excerpt, numbers: list[int]) -> None:
    file = write_animation(tmp_path / "a.gif", [100] * 5)
    assert [frame.number for frame in read_animation(file, excerpt)] == numbers
    assert [frame.number for frame in read_animation(file, excerpt, after=1)] == [n for n in numbers if n > 1]
    assert levels(list(read_animation(file, only={3, 1}))) == [50, 150]


@pytest.mark.parametrize("suffix", ["gif", "png", "tif"])
def test_a_damaged_animation_gives_the_frames_before(tmp_path: Path, suffix: str) -> None:
    file = write_animation(tmp_path / f"a.{suffix}")
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])
    frames: list[VideoFrame] = []
    with pytest.raises(Unreadable, match="damaged after these frames: "):
        frames.extend(read_animation(file))  # keeps what came before the error
    assert levels(frames) == LEVELS[: len(frames)]
    assert 1 < len(frames) < 5


def test_there_are_limits_to_number_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animations, "MAX_FRAMES", 3)
    frames: list[VideoFrame] = []
    with pytest.raises(Unreadable, match="too long: more than 3 frames; convert it to a video"):
        frames.extend(read_animation(write_animation(tmp_path / "a.gif")))
    assert len(frames) == 3
    Image.new("1", (8, 8)).save(
        tmp_path / "b.tif", save_all=True, append_images=[Image.new("1", (10_100, 10_100))]
    )
    with pytest.raises(Unreadable, match="too large: 10100 x 10100 pixels"):
        list(read_animation(tmp_path / "b.tif"))
