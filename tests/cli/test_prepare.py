"""The commands `omote prepare ...`, except those for a folder and drawn faces, which are in test_commands."""

from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from omote.data import prepare as preparing
from omote.data.clips import Listing
from omote.data.face_set import FaceSet, open_face_set
from omote.data.importers.registry import IMPORTERS, load_importer
from omote.data.importers.sequences import EVALUATE_FRAMES, TRAIN_FRAMES
from omote.errors import OmoteError
from tests.cli.test_commands import omote
from tests.data.test_prepare import photo


@pytest.fixture
def mug(tmp_path: Path) -> Path:
    for number in range(9):
        photo(tmp_path / "mug" / "001" / "anger" / "take000" / f"img_{number:04d}.jpg", 20 * number, (64, 64))
    return tmp_path / "mug"


@pytest.fixture
def jaffe(tmp_path: Path) -> Path:
    photo(tmp_path / "jaffe" / "KA.AN1.39.tiff", 50, (64, 64))
    return tmp_path / "jaffe"


def test_the_commands_are_listed_with_the_first_sentence_of_their_help() -> None:
    printed = omote("prepare", "--help")
    for name in ("folder", "drawn", "rendered", "combined", *IMPORTERS):
        assert f" {name} " in printed
    assert "MUG: sequences from neutral to an expression and back." in printed


@pytest.mark.parametrize("name", IMPORTERS)
def test_a_command_says_what_it_expects_and_where_to_get_it(name: str) -> None:
    importer = load_importer(name)
    printed = " ".join(omote("prepare", name, "--help").replace("│", "").split())
    if importer.downloaded:
        assert "Downloaded through scikit-learn" in printed
        assert "--data-home" in printed
    else:
        assert "Expects " in printed
        assert "https://" in printed
    assert (f"[default: {TRAIN_FRAMES}]" in printed) == ("train_frames" in importer.options)
    assert (f"[default: {EVALUATE_FRAMES}]" in printed) == ("evaluate_frames" in importer.options)
    for option in ("train-frames", "evaluate-frames", "min-photos"):
        assert (f"--{option}" in printed) == (option.replace("-", "_") in importer.options)
    for option in ("align", "margin", "cropped", "detector", "workers"):
        assert (f"--{option}" in printed) == (option in importer.shared)


@pytest.mark.parametrize("name", IMPORTERS)
def test_an_importer_describes_all_its_options_and_counts_what_is_published(name: str) -> None:
    importer = load_importer(name)
    parameters = signature(importer.list_clips).parameters.values()
    assert list(importer.options) == [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    assert importer.published.keys() <= Listing(Path(), []).counts().keys()
    assert importer.licence


def test_a_data_set_is_prepared_and_its_counts_are_printed_beside_the_published_ones(
    mug: Path, tmp_path: Path
) -> None:
    more = ["--cropped", "--train-frames", 2, "--workers", 1]
    printed = omote("prepare", "mug", mug, "--to", tmp_path / "set", *more)
    assert "5 faces of 1 people, 64 px" in printed
    assert "anger 3" in printed
    assert "found 1 subjects, 1 clips; published: 52 subjects, 1,462 clips" in printed
    face_set = open_face_set(tmp_path / "set")
    assert face_set.frames["frame"].tolist() == [0, 3, 4, 5, 8]
    assert face_set.about.options["train_frames"] == 2
    assert face_set.about.options["evaluate_frames"] == EVALUATE_FRAMES


def test_a_wrong_folder_or_option_is_refused_and_nothing_is_made(
    mug: Path, jaffe: Path, tmp_path: Path
) -> None:
    with pytest.raises(OmoteError, match=r"Looked in .* for cohn-kanade-images"):
        omote("prepare", "ckplus", mug, "--to", tmp_path / "set")
    with pytest.raises(AssertionError, match="No such option: --train-frames"):
        omote("prepare", "jaffe", jaffe, "--to", tmp_path / "set", "--train-frames", 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jaffe", "mug"]


def test_prepared_data_sets_are_combined(mug: Path, jaffe: Path, tmp_path: Path) -> None:
    for name, path in (("mug", mug), ("jaffe", jaffe)):
        omote("prepare", name, path, "--to", tmp_path / f"{name}-set", "--cropped", "--workers", 1)
    sets = [tmp_path / "mug-set", tmp_path / "jaffe-set"]
    printed = omote("prepare", "combined", *sets, "--to", tmp_path / "both")
    assert "8 faces of 2 people" in printed
    assert open_face_set(tmp_path / "both").subjects == ["jaffe/KA", "mug/001"]
    omote("prepare", "combined", *sets, "--to", tmp_path / "named", "--names", "one,two")
    assert open_face_set(tmp_path / "named").subjects == ["one/001", "two/KA"]


def test_data_sets_that_are_downloaded_get_every_option(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, dict[str, Any]] = {}

    def stand_in(name: str, path: Path | None, to: Path, **options: Any) -> FaceSet:
        del options["progress"]
        given[name] = {"path": path, "to": to, **options}
        return faces

    monkeypatch.setattr(preparing, "prepare_dataset", stand_in)
    to = tmp_path / "set"
    assert "40 faces" in omote("prepare", "olivetti", "--to", to, "--size", 128, "--data-home", tmp_path)
    omote("prepare", "lfw", "--to", to, "--min-photos", 20, "--align", "eyes", "--margin", 0.1, "--overwrite")
    assert given["olivetti"] == {
        "path": tmp_path, "to": to, "size": 128, "align": "none", "cropped": None, "overwrite": False
    }  # fmt: skip
    assert given["lfw"] == {
        "path": None, "to": to, "min_photos": 20, "size": 64, "align": "eyes", "margin": 0.1, "cropped": None,
        "detector": None, "workers": None, "overwrite": True,
    }  # fmt: skip


def test_the_command_for_rendered_faces_says_which_model_it_needs_and_where_to_get_it(tmp_path: Path) -> None:
    printed = " ".join(omote("prepare", "rendered", "--help").replace("│", "").split())
    assert "git clone https://github.com/ICT-VGL/ICT-FaceKit" in printed
    for option in (
        "--model",
        "--subjects",
        "--clips",
        "--mixtures",
        "--frames",
        "--total",
        "--size",
        "--seed",
    ):
        assert option in printed
    with pytest.raises(
        OmoteError, match=r"no face model at .*nowhere. Get it from https://github.com/ICT-VGL"
    ):
        omote("prepare", "rendered", "--model", tmp_path / "nowhere", "--to", tmp_path / "faces")
    with pytest.raises(OmoteError, match="rendered faces: total is 8 frames, but 1 people with 10 clips"):
        omote(
            "prepare",
            "rendered",
            "--model",
            tmp_path,
            "--to",
            tmp_path / "faces",
            "--subjects",
            1,
            "--total",
            8,
        )
    assert not list(tmp_path.iterdir())


def test_faces_are_rendered_and_their_counts_are_printed(model_file: Path, tmp_path: Path) -> None:
    how = ["--subjects", 1, "--clips", 2, "--mixtures", 0, "--total", 9, "--seed", 5, "--workers", 1]
    printed = omote("prepare", "rendered", "--model", model_file, "--to", tmp_path / "faces", *how)
    assert "9 faces of 1 people, 64 px" in printed
    assert "anger" in printed
    options = open_face_set(tmp_path / "faces").about.options
    assert (options["subjects"], options["clips"], options["total"], options["seed"]) == (1, 2, 9, 5)
