"""The contact sheet: whom it shows, what it marks, and that it stays small."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.contact_sheet import COLUMNS, GAP, MARGIN, MOST_STRIPS, TILE, WIDTH, draw_contact_sheet
from omote.data.face_set import FaceSet

MARK = (0xD5, 0x5E, 0x00)


def plain(count: int) -> np.ndarray:
    return np.full((count, 8, 8, 3), 90, np.uint8)


def count_tiles(sheet: Image.Image) -> int:
    """Return how many plain faces a sheet shows."""
    return int((np.asarray(sheet) == 90).all(axis=2).sum() / TILE**2)


def test_a_face_set_comes_with_a_sheet_of_its_faces(faces: FaceSet) -> None:
    with Image.open(faces.path / "contact_sheet.jpg") as sheet:
        assert sheet.width == WIDTH
        shown = np.asarray(sheet.convert("RGB"))
    first = Image.fromarray(faces.faces[0]).resize((TILE, TILE), Image.Resampling.LANCZOS)
    rows = [y for y in range(len(shown) - TILE) if (shown[y, MARGIN : MARGIN + TILE] < 250).any()]
    differences = [
        np.abs(shown[y : y + TILE, MARGIN : MARGIN + TILE].astype(float) - np.asarray(first)).mean()
        for y in rows
    ]
    assert min(differences) < 6  # JPEG


def test_each_clip_has_a_strip_and_photos_share_one() -> None:
    frames = pd.DataFrame({"subject": "ann", "clip": ["a"] * 40 + ["b"] * 5 + ["photo1", "photo2", "photo3"]})
    assert count_tiles(draw_contact_sheet(plain(48), frames, {})) == COLUMNS + 5 + 3


def test_short_strips_stand_side_by_side() -> None:
    people = [f"p{number:02}" for number in range(8)]
    frames = pd.DataFrame({"subject": np.repeat(people, 2), "clip": "a"})
    sheet = draw_contact_sheet(plain(16), frames, {})
    assert count_tiles(sheet) == 16
    alone = draw_contact_sheet(plain(2), frames[:2], {})
    assert sheet.height < alone.height + 1.5 * TILE  # two lines


def test_doubted_faces_are_marked_and_shown_first_by_reason() -> None:
    frames = pd.DataFrame({"subject": ["ann"] * 6, "clip": "a", "doubt": ["", "too blurred", "", "", "", ""]})
    sheet = np.asarray(draw_contact_sheet(plain(6), frames, {}))
    marks = (sheet == MARK).all(axis=2)
    columns = np.flatnonzero(marks.any(axis=0))
    assert columns.min() == MARGIN  # in the strip of the reason
    assert columns.max() == MARGIN + 2 * TILE + GAP - 1  # and the second face of the clip
    assert (
        not (np.asarray(draw_contact_sheet(plain(6), frames[["subject", "clip"]], {})) == MARK)
        .all(axis=2)
        .any()
    )


@pytest.mark.parametrize("people", [1, 2000])
def test_the_sheet_of_thousands_of_clips_is_no_larger_than_that_of_sixty(people: int) -> None:
    number = np.arange(6000)
    frames = pd.DataFrame({"subject": (number % people).astype(str), "clip": (number // 2).astype(str)})
    frames = frames.sort_values(["subject", "clip"])
    sheet = draw_contact_sheet(plain(6000), frames, dict.fromkeys(map(str, range(500)), 1))
    assert sheet.height < 8000
    assert count_tiles(sheet) <= MOST_STRIPS * COLUMNS
