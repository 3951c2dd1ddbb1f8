"""Reads photos (Pillow) as upright RGB pixels; photos and videos that cannot be read raise Unreadable.

Colour profiles and non-square pixels are ignored. Files may come from anyone: only the formats listed here are decoded,
whatever a file's name says, so that none starts a program, reads another file or opens a connection.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_MEGAPIXELS = 100  # of a photo or a video frame; a photo then takes 700 MB while it is read
MAX_SIDE = 30_000  # pixels of a photo or a video frame; OpenCV's warps take less than 32,767
PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2", ".avif"),
    *(".heic", ".heif"),
}  # fmt: skip
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".3gp",
}  # fmt: skip
# Pillow's names; raster formats only. Others start a program (EPS: Ghostscript) or are rarely tested.
PHOTO_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")
# "major brands" of HEIC files (ISO/IEC 23008-12, annex B), the last two shared with AVIF
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
Picture = Image.Image | NDArray[np.uint8]  # (H, W, 3) RGB, (H, W) grey, (H, W, 4) RGB with opacity
STRIP_ROWS = 256  # rows of a photo that are converted at a time


class Unreadable(Exception):
    """A photo or video, or the rest of it, cannot be read; the message is the reason in `skipped.csv`."""


class UnknownFormat(Unreadable):
    """The content of a file is of no known format."""


def read_photo(path: str | Path) -> np.ndarray:
    """Return the photo as (H, W, 3) uint8 RGB, turned upright by its EXIF tag.

    Transparency is laid over white, 16 bits are scaled to 8, and grey, palette and CMYK are converted. An animation or
    a file of several pages gives its first picture (`read_animation` gives all), a HEIC file its main one.

    Raises:
        Unreadable: If the file is damaged, no photo, too large, or has values of unknown range; or if it is HEIC and
            pillow-heif is not installed.
    """
    with open_image(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return _convert(image)


def to_rgb(image: Picture) -> np.ndarray:
    """Return an image in memory, or the frame at which it stands, as `read_photo` does; the image stays as it is.

    Raises:
        Unreadable: As `read_photo`; of a damaged file, Pillow raises what it likes (see `refuse_damage`).
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    check_size(*image.size)
    return _convert(ImageOps.exif_transpose(image))


def _convert(image: Image.Image) -> np.ndarray:
    _check_values(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP_ROWS):  # converting all at once would take three more copies
        bottom = min(top + STRIP_ROWS, image.height)
        pixels[top:bottom] = _rgb(image.crop((0, top, image.width, bottom)))
    return pixels


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Give a photo as Pillow's image, not decoded yet.

    Raises:
        Unreadable: If it is neither of PHOTO_FORMATS nor HEIC, too large or damaged; errors of the block raise it too.
    """
    with refuse_damage("unreadable: {}".format), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large or odd files; `check_size` decides
        with Image.open(check_file(path), formats=_find_formats(Path(path))) as image:
            check_size(*image.size)
            yield image


def _find_formats(path: Path) -> tuple[str, ...]:
    """Return the formats that a file is opened as, by Pillow's names; HEIC needs pillow-heif."""
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] != b"ftyp" or head[8:12] not in HEIC_BRANDS or b"avif" in head:
        return PHOTO_FORMATS
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise Unreadable(
            "unreadable: HEIC needs the package pillow-heif (pip install 'omote[heic]'); or save the photo as JPEG"
        ) from None
    register_heif_opener()
    return ("HEIF",)


@contextmanager
def refuse_damage(describe: Callable[[str], str]) -> Iterator[None]:
    """Raise Unreadable for any error of the block: on damaged files, Pillow and PyAV raise errors of any kind."""
    try:
        yield
    except Unreadable:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("far too many pixels") from error
    except UnidentifiedImageError as error:
        known = ", ".join(PHOTO_FORMATS)
        raise UnknownFormat(f"unreadable: not an image of a format that omote reads ({known})") from error
    except Exception as error:
        raise Unreadable(describe(_first_line(error))) from error


def check_file(path: str | Path) -> Path:
    """Return the path unless it is a pipe, a device or a folder; reading a pipe would wait for ever."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise Unreadable("unreadable: not a file")
    return path


def check_size(width: int, height: int) -> None:
    if width * height >= MAX_MEGAPIXELS * 1_000_000 or max(width, height) > MAX_SIDE:
        raise _too_large(f"{width} x {height} pixels")


def _too_large(size: str) -> Unreadable:
    return Unreadable(
        f"too large: {size}; omote reads less than {MAX_MEGAPIXELS} megapixels, and at most {MAX_SIDE} a side; reduce "
        "it, or cut out the part with the face"
    )


def _check_values(image: Image.Image) -> None:
    """Raise Unreadable if it is not known which value is white."""
    # a 16-bit PGM has mode "I" too
    if image.mode == "I" and not 255 < np.max(image.getextrema()) <= 65535:
        raise Unreadable("unreadable: 32-bit values of unknown range; save the photo with 8 or 16 bits")
    if image.mode == "F":
        raise Unreadable(
            "unreadable: floating-point values of unknown range; save the photo with 8 or 16 bits"
        )


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        return np.repeat(np.round(values / 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return np.asarray(image.convert("RGB"))


def _first_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = str(text).splitlines()[0][:200]
    # these are meant to be read; others come from code that stumbled over a damaged file
    return (
        line
        if isinstance(error, OSError | ValueError | SyntaxError)
        else f"damaged ({type(error).__name__}: {line})"
    )
