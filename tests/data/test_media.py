"""What a file is, by its content."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omote.data.images import Unreadable
from omote.data.media import find_kind, read_frames
from tests.data.test_animations import write_animation
from tests.data.test_videos import write_video


@pytest.mark.parametrize("name", ["photo.jfif", "photo", "photo.mp4", "2024-01-01T12:30:00", "photo.ts"])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "TIFF", "WEBP"])
def test_photos_of_any_name(tmp_path: Path, name: str, format_: str) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / name, format_)
    assert find_kind(tmp_path / name) == "photo"
    (frame,) = read_frames(tmp_path / name)
    assert (frame.number, frame.image.shape) == (0, (6, 8, 3))
    assert np.isnan(frame.time)
    assert not list(read_frames(tmp_path / name, only={1}))
    assert not list(read_frames(tmp_path / name, after=0))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif", "tif"])
@pytest.mark.parametrize("name", ["moving", "moving.jpg", "moving.mp4"])
def test_animations_of_any_name(tmp_path: Path, name: str, suffix: str) -> None:
    write_animation(tmp_path / f"moving.{suffix}").rename(tmp_path / name)
    assert find_kind(tmp_path / name) == "animation"
    assert len(list(read_frames(tmp_path / name))) == 5


@pytest.mark.parametrize("format_", ["mp4", "mkv", "avi", "ts"])
@pytest.mark.parametrize("name", ["film", "film.m2ts", "film.ogv", "film.dat", "concat:film"])
def test_videos_of_any_name(tmp_path: Path, name: str, format_: str) -> None:
    write_video(tmp_path / f"clip.{format_}", frames=3).rename(tmp_path / name)
    assert find_kind(tmp_path / name) == "video"
    assert [frame.number for frame in read_frames(tmp_path / name)] == [0, 1, 2]


@pytest.mark.parametrize("name", ["notes.ts", "notes", "table.csv", "zero"])
def test_other_files_are_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("" if name == "zero" else "const a: string = 'no video';\n" * 99)
    assert find_kind(tmp_path / name) is None


def test_a_suffix_decides_if_the_content_tells_nothing(tmp_path: Path) -> None:
    """So that reading gives the reason, and the frames of a sequence keep their numbers."""
    for name, kind in (("a.jpg", "photo"), ("a.GIF", "photo"), ("a.mp4", "video")):
        (tmp_path / name).write_text("dear diary")
        assert find_kind(tmp_path / name) == kind
        with pytest.raises(Unreadable):
            list(read_frames(tmp_path / name))


def test_a_photo_with_a_second_picture_for_depth_or_light_is_a_photo(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 6))
    image.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[image])
    assert find_kind(tmp_path / "a.jpg") == "photo"
