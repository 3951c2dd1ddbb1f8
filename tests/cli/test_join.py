"""`--shard K/N` and `omote join`: what several commands make together is what one makes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.cli.inputs import parse_shard
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.runs.trained import Trained
from tests.cli.test_commands import omote


@pytest.fixture
def people(faces: FaceSet, tmp_path: Path) -> Path:
    """Photos of 3 people, two each."""
    for number, subject in enumerate(faces.subjects[:3]):
        for place in np.flatnonzero(faces.frames["subject"] == subject)[:2]:
            path = tmp_path / "people" / f"{number}" / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(faces.faces[place])).save(path)
    return tmp_path / "people"


def test_shards_of_an_embedding_are_joined_to_the_table_of_one_command(
    trained: Trained, people: Path, tmp_path: Path
) -> None:
    command = ("embed", trained.path, people, "--cropped")
    omote(*command, "--to", tmp_path / "whole.csv")
    printed = [omote(*command, "--to", tmp_path / "parts", "--shard", f"{number}/2") for number in (1, 2)]
    assert f"part 2 of 2 is done; when all are: omote join {tmp_path / 'parts'} --to RESULT" in printed[1]
    assert "6 faces" in omote("join", tmp_path / "parts", "--to", tmp_path / "joined.csv")
    joined, whole = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("joined", "whole"))
    pd.testing.assert_frame_equal(joined, whole, rtol=1e-4, atol=1e-5)
    assert len(joined) == 6


def test_shards_of_a_preparation_are_joined_to_the_face_set_of_one_command(
    people: Path, tmp_path: Path
) -> None:
    command = ("prepare", "folder", people, "--cropped", "--workers", 1)
    omote(*command, "--to", tmp_path / "whole")
    for number in (1, 2, 3):
        omote(*command, "--to", tmp_path / "parts", "--shard", f"{number}/3")
    printed = omote("join", tmp_path / "parts", "--to", tmp_path / "joined")
    assert "6 faces of 3 people" in printed
    joined, whole = (open_face_set(tmp_path / name) for name in ("joined", "whole"))
    assert np.array_equal(joined.faces, whole.faces)
    pd.testing.assert_frame_equal(joined.frames, whole.frames)


def test_a_missing_part_is_named_and_nothing_is_written(people: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    omote("prepare", "folder", people, "--cropped", "--workers", 1, "--to", parts, "--shard", "2/3")
    with pytest.raises(OmoteError, match=r"2 of 3 parts are missing .*: 1, 3\. .*--shard 1/3"):
        omote("join", tmp_path / "parts", "--to", tmp_path / "joined.csv")
    with pytest.raises(OmoteError, match="is no folder"):
        omote("join", tmp_path / "nowhere", "--to", tmp_path / "joined.csv")
    assert not list(tmp_path.glob("joined*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "takes K/N, such as 3/10"),
        ("a/3", "takes K/N"),
        ("1/-3", "takes K/N"),
        ("4/3", "K goes from 1 to N"),
        ("0/3", "a Slurm array counts from 1 with --array=1-N"),
        ("1/0", "K goes from 1 to N"),
    ],
)
def test_what_is_no_shard_is_refused_first(text: str, message: str) -> None:
    with pytest.raises(OmoteError, match=message):
        parse_shard(text)
    for command in (("embed", "none.mp4"), ("prepare", "folder", "none"), ("analyse", "none")):
        with pytest.raises(OmoteError, match=message):
            omote(*command, "--to", "none", "--shard", text)


def test_options_that_make_no_sense_together_are_refused_first() -> None:
    with pytest.raises(OmoteError, match="give one of them"):
        omote("embed", "none.mp4", "--to", "none", "--shard", "1/2", "--on", "ray")
    with pytest.raises(OmoteError, match="give --on ray, too"):
        omote("embed", "none.mp4", "--to", "none", "--address", "ray://head:10001")
    with pytest.raises(OmoteError, match="remove the folder of parts yourself"):
        omote("analyse", "none", "--to", "none", "--shard", "1/2", "--overwrite")
