from pathlib import Path
from typing import Any
from urllib.error import URLError

import cv2
import numpy as np
import pytest
from sklearn.utils import Bunch

from omote.data.prepare import prepare_dataset
from omote.errors import OmoteError
from tests.data.test_prepare import counts_of


@pytest.fixture
def olivetti(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Random pixels in the form of the real ones, (400, 64, 64) float32, 256 steps from 0 to 1; given as 0 to 255."""
    values = np.random.default_rng(0).integers(0, 256, (400, 64, 64), dtype=np.uint8)
    values[0, 0, :2] = 0, 255

    def fetch_olivetti_faces(*, data_home: Any = None) -> Bunch:
        return Bunch(images=values.astype(np.float32) / np.float32(255), target=np.repeat(np.arange(40), 10))

    monkeypatch.setattr("sklearn.datasets.fetch_olivetti_faces", fetch_olivetti_faces)
    return values


def test_olivetti_has_ten_photos_of_each_of_forty_people(olivetti: np.ndarray, tmp_path: Path) -> None:
    face_set = prepare_dataset("olivetti", None, tmp_path / "set", workers=1)
    frames = face_set.frames
    assert frames.groupby("subject").size().tolist() == [10] * 40
    assert counts_of(face_set).clips == 400
    assert frames.loc[[0, 9, 10, 399], "source"].tolist() == ["s01/01", "s01/10", "s02/01", "s40/10"]
    assert frames["clip"].tolist() == [f"{number + 1:02}" for number in range(10)] * 40
    assert frames["expression"].isna().all()
    assert frames["time"].isna().all()
    assert set(frames["use"]) == {"both"}
    assert face_set.about.found == face_set.about.published == {"subjects": 40, "files": 400}
    assert face_set.about.is_cropped
    assert "AT&T" in str(face_set.about.licence)


def test_the_grey_values_of_olivetti_come_back_exactly(olivetti: np.ndarray, tmp_path: Path) -> None:
    faces = prepare_dataset("olivetti", None, tmp_path / "set", workers=2).faces
    assert np.array_equal(faces, np.repeat(olivetti[..., None], 3, axis=3))


def test_olivetti_can_be_enlarged_so_as_to_be_combined(olivetti: np.ndarray, tmp_path: Path) -> None:
    olivetti[:] = np.linspace(0, 255, 64).astype(np.uint8)  # dark on the left, light on the right
    faces = prepare_dataset("olivetti", None, tmp_path / "set", size=128, workers=1).faces
    assert faces.shape == (400, 128, 128, 3)
    back = np.stack([cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA) for face in faces[:3]])
    assert np.abs(back[:, :, 1:-1, 0].astype(int) - olivetti[:3, :, 1:-1]).max() <= 2
    with pytest.raises(OmoteError, match="size is 32"):
        prepare_dataset("olivetti", None, tmp_path / "small", size=32)


def test_other_pictures_do_not_resume_an_interrupted_preparation(
    olivetti: np.ndarray, tmp_path: Path
) -> None:
    def stop(done: int, jobs: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_dataset("olivetti", None, tmp_path / "set", workers=1, progress=stop)
    olivetti[-1, -1, -1] ^= 1
    with pytest.raises(OmoteError, match="interrupted preparation"):
        prepare_dataset("olivetti", None, tmp_path / "set", workers=1)


@pytest.mark.parametrize("error", [URLError("Name or service not known"), TimeoutError(), EOFError("short")])
@pytest.mark.parametrize(
    ("name", "loader"), [("olivetti", "fetch_olivetti_faces"), ("lfw", "fetch_lfw_people")]
)
def test_without_a_network_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, loader: str, error: Exception
) -> None:
    def fetch_nothing(**options: Any) -> Bunch:
        raise error

    monkeypatch.setattr(f"sklearn.datasets.{loader}", fetch_nothing)
    match = rf"(?i){name}.*{type(error).__name__}: .*needs a network.*{loader}.*data_home.*Looked in .*home"
    with pytest.raises(OmoteError, match=match):
        prepare_dataset(name, tmp_path / "home", tmp_path / "set")
    assert not list(tmp_path.glob("set*"))
