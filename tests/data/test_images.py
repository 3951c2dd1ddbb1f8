"""Photos and videos of all kinds, damaged ones too."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from omote.data import images
from omote.data.images import Unreadable, read_photo
from omote.data.media import find_kind
from omote.data.videos import read_video

# Four quarters, so that any turn or flip shows: red, green / blue, white.
RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (250, 250, 250)


def quarters(width: int = 48, height: int = 32) -> np.ndarray:
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = RED, GREEN
    image[height // 2 :, : width // 2], image[height // 2 :, width // 2 :] = BLUE, WHITE
    return image


def corners(image: np.ndarray) -> list[tuple[int, ...]]:
    """The colours of the four quarters, row by row, as the nearest of the four above."""
    height, width = image.shape[:2]
    colours = np.array([RED, GREEN, BLUE, WHITE])
    found = []
    for y, x in (
        (height // 4, width // 4),
        (height // 4, -width // 4),
        (-height // 4, width // 4),
        (-height // 4, -width // 4),
    ):
        nearest = np.abs(colours - image[y, x].astype(int)).sum(1).argmin()
        found.append(tuple(int(value) for value in colours[nearest]))
    return found


# What the camera stored when the upright picture is `quarters()`, by EXIF orientation.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_photos_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](quarters())))
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    image = read_photo(tmp_path / "photo.jpg")
    assert image.shape == (32, 48, 3)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


KINDS = ["RGB.png", "RGB.webp", "RGB.bmp", "RGBA.png", "P.png", "P.gif", "CMYK.jpg", "CMYK.tif", "YCbCr.jpg"]


@pytest.mark.parametrize(("mode", "suffix"), [kind.split(".") for kind in KINDS])
def test_colours_survive_every_kind_of_file(tmp_path: Path, mode: str, suffix: str) -> None:
    file = tmp_path / f"photo.{suffix}"
    Image.fromarray(quarters()).convert(mode).save(file)
    image = read_photo(file)
    assert image.dtype == np.uint8
    assert image.shape == (32, 48, 3)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_becomes_three_equal_channels(tmp_path: Path, mode: str) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    Image.fromarray(ramp).convert(mode).save(tmp_path / "photo.png")
    assert np.array_equal(read_photo(tmp_path / "photo.png"), np.repeat(ramp[..., None], 3, 2))


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "photo.png")
    assert np.array_equal(read_photo(tmp_path / "photo.png")[..., 0], 255 * np.eye(8, dtype=np.uint8))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_of_grey_are_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (4, 1))
    Image.fromarray(ramp).save(tmp_path / f"photo.{suffix}")
    assert np.array_equal(read_photo(tmp_path / f"photo.{suffix}")[0, :, 1], np.arange(256))


def test_sixteen_bits_of_colour_are_scaled(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), quarters()[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(read_photo(tmp_path / "photo.png"), quarters())


def test_transparency_becomes_white(tmp_path: Path) -> None:
    image = np.dstack([quarters(), np.full((32, 48), 255, np.uint8)])
    image[:, :10, 3] = 0
    image[:, 10:20, 3] = 128
    Image.fromarray(image).save(tmp_path / "photo.png")
    found = read_photo(tmp_path / "photo.png")
    assert (found[:, :10] == 255).all()
    assert np.abs(found[0, 15].astype(int) - (np.array(RED) + 255) / 2).max() <= 1
    assert np.array_equal(found[:, 20:], quarters()[:, 20:])


def test_an_animation_gives_its_first_picture(tmp_path: Path) -> None:
    first, second = Image.fromarray(quarters()), Image.new("RGB", (48, 32))
    first.save(tmp_path / "photo.gif", save_all=True, append_images=[second])
    first.save(tmp_path / "photo.tif", save_all=True, append_images=[second])
    assert corners(read_photo(tmp_path / "photo.gif")) == [RED, GREEN, BLUE, WHITE]
    assert corners(read_photo(tmp_path / "photo.tif")) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_truncated_photo_is_unreadable(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = tmp_path / f"photo.{suffix}"
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(Unreadable, match=r"unreadable: .*truncated"):
        read_photo(file)


def test_a_file_that_is_no_photo_is_unreadable(tmp_path: Path) -> None:
    for content in (b"", b"dear diary"):
        (tmp_path / "photo.jpg").write_bytes(content)
        with pytest.raises(Unreadable, match="not an image"):
            read_photo(tmp_path / "photo.jpg")
    with pytest.raises(Unreadable, match="No such file"):
        read_photo(tmp_path / "other.jpg")


def test_values_of_unknown_range_are_refused_and_not_guessed(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "photo.tif")
    with pytest.raises(Unreadable, match="unknown range"):
        read_photo(tmp_path / "photo.tif")


def test_too_large_photos_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    for side in (10_100, 15_000):  # 102 megapixels, and 225, which Pillow itself refuses as a bomb
        Image.new("1", (side, side)).save(tmp_path / "photo.png")
        with pytest.raises(Unreadable, match="too large"):
            read_photo(tmp_path / "photo.png")


def test_postscript_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would run Ghostscript on it, whatever its name."""
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path / 'was_run'}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    postscript = (
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(out) (w) file\nshowpage\n%%EOF\n"
    )
    (tmp_path / "photo.jpg").write_text(postscript)
    with pytest.raises(Unreadable, match=r"not an image of a format that omote reads \(JPEG, PNG"):
        read_photo(tmp_path / "photo.jpg")
    assert not (tmp_path / "was_run").exists()


def test_pictures_and_videos_are_opened_with_a_list_of_formats() -> None:
    """Files in one place each; the app also opens bytes of one format."""
    sources = Path(images.__file__).parents[1].rglob("*.py")
    text = "".join(file.read_text(encoding="utf-8") for file in sources)
    found = re.findall(
        r"Image\.open\(.*formats=\(?\w*|Image\.open\(|av\.open\(.*options=\w+|av\.open\(|imread\(", text
    )
    assert sorted(found) == [
        "Image.open(check_file(path), formats=_find_formats",
        "Image.open(io.BytesIO(content), formats=(",
        "Image.open(io.BytesIO(data), formats=(",
        "av.open(url, options=options",
    ]


def heic(file: Path, orientation: int = 1) -> Path:
    """Write `quarters()` as HEIC, stored so that the orientation makes it upright."""
    register_heif_opener = pytest.importorskip("pillow_heif", reason="needs pillow-heif").register_heif_opener
    register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation](quarters()))).save(
        file, format="HEIF", exif=exif.tobytes()
    )
    return file


@pytest.mark.parametrize("orientation", STORED)
def test_heic_is_read_upright_with_pillow_heif(tmp_path: Path, orientation: int) -> None:
    image = read_photo(heic(tmp_path / "photo.heic", orientation))
    assert image.shape == (32, 48, 3)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


def test_heic_without_pillow_heif_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(99))
    with pytest.raises(
        Unreadable, match=r"HEIC needs the package pillow-heif \(pip install 'omote\[heic\]'\)"
    ):
        read_photo(tmp_path / "photo.heic")
    assert find_kind(tmp_path / "photo.heic") == "photo"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name, read in (("photo.jpg", read_photo), ("clip.mp4", lambda file: next(read_video(file)))):
        os.mkfifo(tmp_path / name)
        with pytest.raises(Unreadable, match="not a file"):
            read(tmp_path / name)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_photos_are_converted_in_strips_without_a_seam(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Converting all at once would take three times the memory."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 20, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).convert(mode).save(tmp_path / "photo.png", exif=exif)
    whole = read_photo(tmp_path / "photo.png")
    assert np.array_equal(whole, np.rot90(np.asarray(Image.open(tmp_path / "photo.png").convert("RGB")), -1))
    monkeypatch.setattr(images, "STRIP_ROWS", 7)
    assert np.array_equal(read_photo(tmp_path / "photo.png"), whole)
