import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.utils import Bunch

from omote.data.face_set import FaceSet
from omote.data.importers import lfw as importer
from omote.data.media import NO_KIND
from omote.data.prepare import prepare_dataset
from omote.errors import OmoteError
from tests.data.test_prepare import counts_of

Photos = dict[str, int]  # a person's name and number of photos


@pytest.fixture
def lfw(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes scikit-learn's loader "download" photos as it unpacks them, and sets how many are expected."""

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

        published = {"subjects": len(photos), "files": sum(photos.values()) if whole is None else whole}
        monkeypatch.setattr("sklearn.datasets.fetch_lfw_people", fetch_lfw_people)
        monkeypatch.setattr(importer, "LFW", importer.LFW._replace(published=published))

    return download


def prepare_undetected(folder: Path, name: str, min_photos: int = 1) -> FaceSet:
    """Prepare the photos as if they were faces already."""
    return prepare_dataset(
        "lfw", folder / "home", folder / name, min_photos=min_photos, cropped=True, workers=1
    )


def test_each_photo_of_lfw_is_a_clip_of_the_person_it_is_named_after(
    lfw: Callable[..., None], tmp_path: Path
) -> None:
    lfw({"Ann_Lee": 3, "Bob": 1})
    face_set = prepare_undetected(tmp_path, "set")
    frames = face_set.frames
    assert frames["subject"].tolist() == ["Ann_Lee"] * 3 + ["Bob"]
    assert frames["clip"].tolist() == ["Ann_Lee_0001", "Ann_Lee_0002", "Ann_Lee_0003", "Bob_0001"]
    assert frames["source"].iloc[3] == "Bob/Bob_0001.jpg"
    assert set(frames["use"]) == {"both"}
    assert frames["expression"].isna().all()
    assert face_set.about.found == face_set.about.published == {"subjects": 2, "files": 4}
    again = prepare_undetected(tmp_path, "again")  # without another download
    assert np.array_equal(again.faces, face_set.faces)


def test_people_with_few_photos_can_be_left_out(lfw: Callable[..., None], tmp_path: Path) -> None:
    lfw({"Ann_Lee": 3, "Bob": 1, "Cid": 2})
    face_set = prepare_undetected(tmp_path, "set", min_photos=2)
    assert face_set.subjects == ["Ann_Lee", "Cid"]
    assert face_set.about.options["min_photos"] == 2
    with pytest.raises(OmoteError, match="Nobody has 4 photos in LFW; the most are 3"):
        prepare_undetected(tmp_path, "none", min_photos=4)


def test_half_unpacked_photos_are_refused(lfw: Callable[..., None], tmp_path: Path) -> None:
    lfw({"Ann_Lee": 3}, whole=5)
    with pytest.raises(OmoteError, match=r"has 3 photos, expected 5.*Remove that folder"):
        prepare_dataset("lfw", tmp_path / "home", tmp_path / "set")


def test_faces_of_lfw_are_detected_as_in_all_photos(
    lfw: Callable[..., None], london: Path, detector: Path, tmp_path: Path
) -> None:
    lfw({"Ann_Lee": 1, "Bob": 1}, faces={"Ann_Lee": london / "001_03.jpg"})
    face_set = prepare_dataset("lfw", tmp_path / "home", tmp_path / "set", detector=detector, workers=1)
    assert face_set.subjects == ["Ann_Lee"]
    assert face_set.frames["detection_score"].iloc[0] > 0.8
    assert counts_of(face_set).skipped == {NO_KIND: 1, "no face": 1}  # the first is pairs.txt
