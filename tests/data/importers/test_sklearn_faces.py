import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.utils import Bunch

from omote.data.importers import sklearn_faces
from omote.data.importers.sklearn_faces import prepare_lfw, prepare_olivetti
from omote.data.prepare import prepare_clips
from omote.errors import OmoteError


@pytest.fixture
def olivetti(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Made-up pixels of the real kind: (400, 64, 64) float32, 256 steps from 0 to 1; returned as 0 to 255."""
    values = np.random.default_rng(0).integers(0, 256, (400, 64, 64), dtype=np.uint8)
    values[0, 0, :2] = 0, 255

    def fetch_olivetti_faces(*, data_home: Any = None) -> Bunch:
        return Bunch(images=values.astype(np.float32) / np.float32(255), target=np.repeat(np.arange(40), 10))

    monkeypatch.setattr(sklearn_faces, "fetch_olivetti_faces", fetch_olivetti_faces)
    return values


def test_olivetti_has_ten_photos_of_each_of_forty_people(olivetti: np.ndarray, tmp_path: Path) -> None:
    face_set = prepare_olivetti(tmp_path / "set")
    frames = face_set.frames
    assert frames.groupby("subject").size().tolist() == [10] * 40
    assert face_set.about.counts["clips"] == 400
    assert frames.loc[[0, 9, 10, 399], "source"].tolist() == ["s01/01", "s01/10", "s02/01", "s40/10"]
    assert frames["expression"].isna().all()
    assert set(frames["use"]) == {"both"}
    assert face_set.about.found == face_set.about.published == {"subjects": 40, "files": 400}
    assert "AT&T" in face_set.about.licence


def test_the_grey_values_of_olivetti_come_back_exactly(olivetti: np.ndarray, tmp_path: Path) -> None:
    faces = prepare_olivetti(tmp_path / "set").faces
    assert np.array_equal(faces, np.repeat(olivetti[..., None], 3, axis=3))


def test_olivetti_can_be_enlarged_so_as_to_be_combined(olivetti: np.ndarray, tmp_path: Path) -> None:
    olivetti[:] = np.linspace(0, 255, 64).astype(np.uint8)  # dark on the left, light on the right
    faces = prepare_olivetti(tmp_path / "set", size=128).faces
    assert faces.shape == (400, 128, 128, 3)
    back = np.stack([cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA) for face in faces[:3]])
    assert np.abs(back[:, :, 1:-1, 0].astype(int) - olivetti[:3, :, 1:-1]).max() <= 2
    with pytest.raises(OmoteError, match="size is 32"):
        prepare_olivetti(tmp_path / "small", size=32)


Photos = dict[str, int]  # a person's name and number of photos


@pytest.fixture
def lfw(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the loader "download" photos as it unpacks them, and tells how many make the whole."""

    def download(photos: Photos, whole: int | None = None, faces: Mapping[str, Path] | None = None) -> None:
        def fetch_lfw_people(*, data_home: Path, min_faces_per_person: int) -> Bunch:
            for name, count in photos.items():
                folder = Path(data_home) / "lfw_home" / "lfw_funneled" / name
                folder.mkdir(parents=True)
                for number in range(count):
                    file = folder / f"{name}_{number + 1:04}.jpg"
                    if faces and name in faces:
                        shutil.copy(faces[name], file)
                    else:
                        Image.new("RGB", (250, 250), (40 * number, 0, 0)).save(file)
            (Path(data_home) / "lfw_home" / "lfw_funneled" / "pairs_01.txt").touch()
            return Bunch()

        files = sum(photos.values()) if whole is None else whole
        monkeypatch.setattr(sklearn_faces, "fetch_lfw_people", fetch_lfw_people)
        monkeypatch.setattr(sklearn_faces, "LFW", {"subjects": len(photos), "files": files})

    return download


@pytest.fixture
def undetected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the photos as faces, for tests of all else."""
    monkeypatch.setattr(sklearn_faces, "prepare_clips", partial(prepare_clips, cropped=True))


@pytest.mark.usefixtures("undetected")
def test_each_photo_of_lfw_is_a_clip_of_the_person_it_is_named_after(
    lfw: Callable[..., None], tmp_path: Path
) -> None:
    lfw({"Ann_Lee": 3, "Bob": 1})
    face_set = prepare_lfw(tmp_path / "set", data_home=tmp_path / "home", workers=1)
    frames = face_set.frames
    assert frames["subject"].tolist() == ["Ann_Lee"] * 3 + ["Bob"]
    assert frames["clip"].tolist() == ["Ann_Lee_0001", "Ann_Lee_0002", "Ann_Lee_0003", "Bob_0001"]
    assert frames["source"].iloc[3] == "Bob/Bob_0001.jpg"
    assert set(frames["use"]) == {"both"}
    assert frames["expression"].isna().all()
    assert face_set.about.found == face_set.about.published == {"subjects": 2, "files": 4}
    again = prepare_lfw(
        tmp_path / "again", data_home=tmp_path / "home", workers=1
    )  # nothing is downloaded anew
    assert np.array_equal(again.faces, face_set.faces)


@pytest.mark.usefixtures("undetected")
def test_people_with_few_photos_can_be_left_out(lfw: Callable[..., None], tmp_path: Path) -> None:
    lfw({"Ann_Lee": 3, "Bob": 1, "Cid": 2})
    face_set = prepare_lfw(tmp_path / "set", data_home=tmp_path / "home", min_photos=2, workers=1)
    assert face_set.subjects == ["Ann_Lee", "Cid"]
    assert face_set.about.options["min_photos"] == 2
    with pytest.raises(OmoteError, match="Nobody has 4 photos in LFW; the most are 3"):
        prepare_lfw(tmp_path / "none", data_home=tmp_path / "home", min_photos=4)


def test_half_unpacked_photos_are_refused(lfw: Callable[..., None], tmp_path: Path) -> None:
    lfw({"Ann_Lee": 3}, whole=5)
    with pytest.raises(OmoteError, match=r"has 3 photos, expected 5.*Remove that folder"):
        prepare_lfw(tmp_path / "set", data_home=tmp_path / "home")


def test_faces_of_lfw_are_detected_as_in_all_photos(
    lfw: Callable[..., None], london: Path, detector: Path, tmp_path: Path
) -> None:
    lfw({"Ann_Lee": 1, "Bob": 1}, faces={"Ann_Lee": london / "001_03.jpg"})
    face_set = prepare_lfw(tmp_path / "set", data_home=tmp_path / "home", detector=detector, workers=1)
    assert face_set.subjects == ["Ann_Lee"]
    assert face_set.frames["detection_score"].iloc[0] > 0.8
    assert face_set.about.counts["skipped"] == {"no face": 1}


@pytest.mark.parametrize("error", [URLError("Name or service not known"), TimeoutError(), EOFError("short")])
def test_without_a_network_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def fetch_nothing(**options: Any) -> Bunch:
        raise error

    monkeypatch.setattr(sklearn_faces, "fetch_olivetti_faces", fetch_nothing)
    monkeypatch.setattr(sklearn_faces, "fetch_lfw_people", fetch_nothing)
    match = rf"{type(error).__name__}: .*needs a network.*data_home.*Looked in .*home"
    with pytest.raises(OmoteError, match="Olivetti.*" + match):
        prepare_olivetti(tmp_path / "set", data_home=tmp_path / "home")
    with pytest.raises(OmoteError, match="LFW.*" + match):
        prepare_lfw(tmp_path / "set", data_home=tmp_path / "home")
    assert not list(tmp_path.glob("set*"))
