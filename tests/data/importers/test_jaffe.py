from pathlib import Path

import pytest

from omote.data.importers.jaffe import list_jaffe
from omote.data.prepare import prepare_dataset
from omote.errors import OmoteError
from tests.data.test_prepare import photo

NAMES = ("KA.AN1.39.tiff", "KA.HA2.30.tiff", "NA.SU1.208.tiff", "TM.NE3.179.tiff")


@pytest.fixture
def jaffe(tmp_path: Path) -> Path:
    root = tmp_path / "jaffedbase"
    for value, name in enumerate(NAMES):
        photo(root / name, 50 * value, (64, 64))
    (root / "README").write_text("please cite")
    return root


def test_every_photo_is_a_clip_with_its_expression(jaffe: Path) -> None:
    listing = list_jaffe(jaffe)
    described = [
        (clip.subject, clip.name, clip.files[0].expression, clip.files[0].use) for clip in listing.clips
    ]
    assert described == [
        ("KA", "AN1.39", "anger", "both"),
        ("KA", "HA2.30", "happiness", "both"),
        ("NA", "SU1.208", "surprise", "both"),
        ("TM", "NE3.179", "neutral", "both"),
    ]
    assert [item["source"] for item in listing.skipped] == ["README"]
    assert listing.counts() == {"subjects": 3, "clips": 4, "labelled clips": 4, "files": 4}


@pytest.mark.parametrize(
    "name", ["UYDI1149.jpg", "UY.DI1149.png", "UY-DI1-149.tif", "uy.di1.149.TIFF", "UY.DI1.149.tiff.bmp"]
)
def test_missing_dots_and_other_suffixes_are_accepted(jaffe: Path, name: str) -> None:
    photo(jaffe / "UY.DI1.149.png").rename(jaffe / name)
    listing = list_jaffe(jaffe)
    clip = listing.clips[-1]
    assert (clip.subject, clip.name, clip.files[0].expression) == ("UY", "DI1.149", "disgust")
    assert clip.files[0].path == name
    assert [item["source"] for item in listing.skipped] == ["README"]


def test_other_names_and_duplicates_are_listed(jaffe: Path) -> None:
    photo(jaffe / "KA.AN1.39.jpg")
    photo(jaffe / "KA.XX1.39.jpg")
    photo(jaffe / "group.png")
    listing = list_jaffe(jaffe)
    assert len(listing.clips) == 4
    assert {item["source"]: item["reason"].partition(":")[0] for item in listing.skipped} == {
        "KA.AN1.39.tiff": "the same photo again",
        "README": "name does not fit",
        "KA.XX1.39.jpg": "name does not fit",
        "group.png": "name does not fit",
    }


def test_a_wrong_folder_is_refused_and_the_one_above_accepted(jaffe: Path, tmp_path: Path) -> None:
    assert len(list_jaffe(jaffe.parent).clips) == 4
    photo(tmp_path / "photos" / "ann" / "smile.png")
    with pytest.raises(OmoteError, match=r"for KA.AN1.39.tiff.*; found ann\."):
        list_jaffe(tmp_path / "photos")


def test_jaffe_becomes_a_face_set(jaffe: Path, tmp_path: Path) -> None:
    faces = prepare_dataset("jaffe", jaffe, tmp_path / "set", cropped=True, workers=1)
    frames = faces.frames
    assert frames["subject"].tolist() == ["KA", "KA", "NA", "TM"]
    assert frames["expression"].tolist() == ["anger", "happiness", "surprise", "neutral"]
    assert frames["frame"].tolist() == [0] * 4
    assert frames["source"].tolist() == [*NAMES]
    assert faces.faces[:, 0, 0, 0].tolist() == [0, 50, 100, 150]
    assert faces.about.found == {"subjects": 3, "files": 4}
    assert faces.about.published == {"subjects": 10, "files": 213}


def test_unknown_data_sets_and_options_are_named(jaffe: Path, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="no data set 'faces'; expected one of ckplus, "):
        prepare_dataset("faces", jaffe, tmp_path / "set")
    with pytest.raises(OmoteError, match="jaffe has no option train_frames; it has none"):
        prepare_dataset("jaffe", jaffe, tmp_path / "set", train_frames=3)
    with pytest.raises(OmoteError, match="mug has no option frames; it has train_frames, evaluate_frames"):
        prepare_dataset("mug", jaffe, tmp_path / "set", frames=3)
