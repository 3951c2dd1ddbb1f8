"""Files that nobody should upload, and what is said of each."""

import io
import pickle
import struct
import wave
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

NEITHER = "neither a photo nor a video"


def _png_bomb(side: int) -> bytes:
    """Return a small PNG file that says it has side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")


def _jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10**7))
    return stream.getvalue()


def _wav() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1000))
    return stream.getvalue()


def _video(file: Path, times: tuple[int, ...], side: int = 64) -> bytes:
    """Return a grey video with frames at these seconds."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.read_bytes()


def write_hostile(folder: Path) -> dict[str, str]:
    """Write the files to a folder, and return name -> what the sentence about it says."""
    folder.mkdir(exist_ok=True)
    film = _video(folder / "made.mp4", (0, 1, 2))
    grey = io.BytesIO()
    Image.new("RGB", (200, 200), "grey").save(grey, "PNG")
    contents = {
        "empty.mp4": (b"", "empty"),
        "empty.jpg": (b"", "empty"),
        "text.mp4": (b"not a video\n" * 50, "unreadable"),
        "page.mov": (b"<html><script>alert(1)</script></html>", "unreadable"),
        "noise.mkv": (np.random.default_rng(1).bytes(5000), "unreadable"),
        "cut.mp4": (film[:60], "unreadable"),
        "long.mp4": (_video(folder / "made.mp4", (0, 4 * 3600)), "4.0 hours long"),
        "sound.mp4": (_wav(), "unreadable"),
        "list.mp4": (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n", "unreadable"),
        "script.mp4": (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "unreadable"),
        "bomb.png": (_png_bomb(60_000), "too large"),
        "cut.jpg": (_jpeg()[:300], "unreadable"),
        "cut.gif": (b"GIF89a\x01", "unreadable"),
        "vector.svg": (
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
            NEITHER,
        ),
        "print.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n", "unreadable"),
        "paper.pdf": (b"%PDF-1.7\n1 0 obj << /JS (app.alert(1)) >> endobj", NEITHER),
        "bomb.zip": (_zip(), NEITHER),
        "weights.npy": (pickle.dumps({"a": 1}), NEITHER),
        "program.exe": (b"MZ" + bytes(500), NEITHER),
        "nobody.png": (grey.getvalue(), "no face"),
        "wall.mp4": (film, "no face"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    (folder / "made.mp4").unlink()
    return {name: said for name, (_, said) in contents.items()}
