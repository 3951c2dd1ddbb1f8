"""Videos to embed, and a reader."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from omote.data.face_set import FaceSet
from omote.runs.trained import Trained
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train
from tests.conftest import Configure

HEIGHT, WIDTH, FACE = 240, 320, 110  # pixels


def write_film(file: Path, images: Sequence[np.ndarray], fps: int = 10) -> Path:
    """Write a lossless video of the pictures."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("png", rate=fps)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "rgb24"
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def scene(*faces: tuple[np.ndarray, int, int]) -> np.ndarray:
    """Return a grey picture with faces (S, S, 3), each with its upper left corner at (x, y)."""
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for face, x, y in faces:
        image[y : y + FACE, x : x + FACE] = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_CUBIC)
    return image


@pytest.fixture(scope="session")
def cast(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """3 drawn people, 3 clips each, 36 frames."""
    folder = tmp_path_factory.mktemp("cast")
    return prepare_drawn(folder / "drawn", subjects=3, clips=2, mixtures=1, frames=4, seed=5, workers=1)


@pytest.fixture(scope="session")
def scenes(cast: FaceSet) -> list[np.ndarray]:
    """30 frames of a moving, talking face. Frames 5 and 6 have no face; from frame 10 on there is a second person."""
    first, second = (cast.frames["subject"] == subject for subject in cast.subjects[:2])
    ones, others = np.asarray(cast.faces[first.to_numpy()]), np.asarray(cast.faces[second.to_numpy()])
    pictures = []
    for number in range(30):
        x, y = 20 + 2 * number, 60 + number
        faces = [] if number in (5, 6) else [(ones[number % len(ones)], x, y)]
        if number >= 10:
            faces.append((others[number % len(others)], 200, 20))
        pictures.append(scene(*faces))
    return pictures


@pytest.fixture(scope="session")
def film(scenes: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenes as a lossless video with 10 frames per second."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mov", scenes)


@pytest.fixture(scope="session")
def reader(faces: FaceSet, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The method `omote`, trained for one epoch."""
    run = tmp_path_factory.mktemp("reader") / "run"
    return train(faces, run, configure(method="omote", options__epochs=1))
