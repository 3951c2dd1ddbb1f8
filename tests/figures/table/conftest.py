"""Synthetic feature tables and the videos they name."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.face_set import BOX, FaceSet

STEP = 8  # grey levels from frame to frame


def make_rows(
    source: object, codes: NDArray[Any], *, face: int = 0, fps: float = 10, first: int = 0, **other: object
) -> pd.DataFrame:
    """Return one row per frame, as `omote embed` writes them; face 0 is in the left half of 64 x 32 pixels, 1 right."""
    number = np.arange(first, first + len(codes))
    box = dict(zip(BOX, (8 + 32 * face, 8, 16, 16), strict=True))
    given = {"source": str(source), "frame": number, "time": number / fps, "face": face, "trusted": True, "doubt": "",
             "model": "omote-1", **box, **other}  # fmt: skip
    return pd.DataFrame(given).join(
        pd.DataFrame(codes, columns=[f"z_e_{i:02d}" for i in range(codes.shape[1])])
    )


def write_video(file: Path, frames: int, fps: int = 10) -> Path:
    """Write a video whose left half gets lighter and whose right half gets darker by `STEP` per frame."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps, options={"qmin": "2", "qmax": "2"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 32, "yuv420p", 1
        for number in range(frames):
            image = np.full((32, 64, 3), 20 + STEP * number, np.uint8)
            image[:, 32:] = 235 - STEP * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return file


def wave(frames: int, size: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """Return codes that oscillate slowly along the first axis, less along the second, and hardly along the others."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(0, 0.01, (frames, size))
    codes[:, 0] += 3 * np.sin(np.arange(frames) / 7)
    codes[:, 1] += np.cos(np.arange(frames) / 11)
    return codes


def concatenate(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def all_true(count: int) -> NDArray[np.bool_]:
    return np.ones(count, bool)


def make_face_set_rows(faces: FaceSet) -> pd.DataFrame:
    codes = pd.DataFrame(wave(len(faces)), columns=[f"z_e_{i:02d}" for i in range(4)])
    return pd.concat([faces.frames, codes], axis=1)
