"""Preparation by shares: the joined parts are the face set of one command."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omote.data import prepare as preparing
from omote.data.build import join_face_sets
from omote.data.face_set import FaceSet
from omote.data.prepare import prepare
from omote.data.shards import read_shares
from omote.errors import OmoteError


@pytest.fixture
def photos(faces: FaceSet, tmp_path: Path) -> Path:
    """Photos of 5 people, one clip each, of which one cannot be read."""
    for number, subject in enumerate(faces.subjects):
        rows = np.flatnonzero(faces.frames["subject"] == subject)[: 2 + number]
        for place in rows:
            path = tmp_path / "photos" / subject / "clip" / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(faces.faces[place])).save(path)
    (tmp_path / "photos" / faces.subjects[1] / "clip" / "99.jpg").write_text("no picture")
    (tmp_path / "photos" / "notes.txt").write_text("not a picture")
    return tmp_path / "photos"


def test_joined_parts_are_the_face_set_of_one_command_byte_by_byte(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "PHOTOS_PER_JOB", 3)
    whole = prepare(photos, tmp_path / "whole", cropped=True, workers=1)
    parts = [
        prepare(photos, tmp_path / "parts", cropped=True, workers=1, shard=(number, 9))
        for number in range(1, 10)
    ]
    assert sum(map(len, parts)) == len(whole) == 20
    assert min(map(len, parts)) == 0 < max(map(len, parts)) < 20
    joined = join_face_sets(read_shares(tmp_path / "parts"), tmp_path / "joined")
    assert len(joined) == 20
    for path in whole.path.iterdir():
        assert (joined.path / path.name).read_bytes() == path.read_bytes(), path.name
    assert not list(tmp_path.rglob("*.partial"))


def test_a_part_that_is_done_is_not_made_again(photos: Path, tmp_path: Path) -> None:
    first = prepare(photos, tmp_path / "parts", cropped=True, workers=1, shard=(1, 1))
    state = (first.path / "faces.npy").stat()
    again = prepare(photos, tmp_path / "parts", cropped=True, workers=1, shard=(1, 1))
    assert (again.path / "faces.npy").stat() == state
    assert len(again) == len(first) == 20


def test_bad_parts_and_options_are_refused(photos: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    prepare(photos, parts, cropped=True, workers=1, shard=(1, 2))
    with pytest.raises(OmoteError, match=r"parts of other inputs or options \(.*size: was 64, now 128"):
        prepare(photos, parts, cropped=True, workers=1, shard=(2, 2), size=128)
    with pytest.raises(OmoteError, match="overwrite and shard were given"):
        prepare(photos, parts, cropped=True, workers=1, shard=(2, 2), overwrite=True)
    prepare(photos, parts, cropped=True, workers=1, shard=(2, 2))
    joined = join_face_sets(read_shares(parts), tmp_path / "joined")
    with pytest.raises(OmoteError, match="exists already"):
        join_face_sets(read_shares(parts), joined.path)
    assert len(join_face_sets(read_shares(parts), joined.path, overwrite=True)) == 20
    found = next(path for path in sorted(parts.glob("part-*")) if (path / "faces.npy").exists())
    (found / "faces.npy").unlink()
    with pytest.raises(OmoteError, match=r"holds 0 faces, but \d+ were prepared"):
        join_face_sets(read_shares(parts), tmp_path / "again")
    shutil.rmtree(found)
    with pytest.raises(OmoteError, match="no face set at"):
        join_face_sets(read_shares(parts), tmp_path / "again")
