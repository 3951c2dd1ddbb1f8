"""Reading frames one at a time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.errors import OmoteError
from omote.features.embed import embed
from omote.features.live import LiveReader, is_dark
from omote.features.profile import apply_profile, make_profile
from omote.runs.trained import Trained
from tests.features.conftest import HEIGHT, WIDTH


def test_frames_read_one_at_a_time_have_the_rows_of_a_video(
    reader: Trained, film: Path, scenes: list[np.ndarray]
) -> None:
    live = LiveReader(reader)
    tables = [live.read(scene, number / 10) for number, scene in enumerate(scenes[:14])]
    expected = embed(reader, [film], fast=True)[0].query("frame < 14")
    assert [len(table) for table in tables] == [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    found = pd.concat(tables, ignore_index=True)
    assert set(found["source"]) == {"camera"}
    pd.testing.assert_frame_equal(
        found.drop(columns="source"),
        expected.drop(columns="source").reset_index(drop=True),
        atol=1e-4,
        rtol=1e-4,
    )


def test_a_profile_changes_a_table_as_it_changes_the_reading_of_a_video(reader: Trained, film: Path) -> None:
    plain = embed(reader, [film])[0]
    profile = make_profile(plain, "ann", face=1)
    relative = embed(reader, [film], profile=profile, face=1)[0]
    pd.testing.assert_frame_equal(apply_profile(plain, profile, 1), relative)
    assert apply_profile(plain[:0], profile, 1).columns.tolist() == relative.columns.tolist()


def test_a_picture_is_dark_without_a_face_and_a_face_is_dark_if_it_is_not_trusted() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    image[60:160, 40:140] = 29
    face = {"box_x": 40.2, "box_y": 59.8, "box_width": 99.9, "box_height": 100.0, "trusted": False}
    assert is_dark(image, face)
    assert not is_dark(image + np.uint8(1), face)
    assert not is_dark(image, {**face, "trusted": True})
    assert not is_dark(image, None)
    assert is_dark(image // 4, None)


def test_a_model_of_face_crops_is_refused(reader: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    about = reader.face_set.model_copy(update={"options": {"cropped": True}})
    monkeypatch.setattr(type(reader), "face_set", about)
    with pytest.raises(OmoteError, match="was trained on face crops"):
        LiveReader(reader)
