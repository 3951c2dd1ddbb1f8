"""Features relative to the mean of each followed face."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.data.outputs import code_columns
from omote.errors import OmoteError
from omote.features.embed import embed, embed_to
from omote.features.profile import Profile
from omote.features.table import read_table
from omote.features.usual_look import LEAST_ROWS, UsualLooks
from omote.runs.trained import Trained


def table_of(
    faces: list[int], codes: np.ndarray, source: str = "a.mp4", trusted: bool = True
) -> pd.DataFrame:
    columns = {
        "source": pd.array([source] * len(faces), "str"),
        "face": pd.array(faces, "Int64"),
        "trusted": [trusted] * len(faces),
    }
    return pd.concat([pd.DataFrame(columns), code_columns(codes.astype(np.float32), "z_e")], axis=1)


def test_codes_are_relative_to_the_mean_of_the_same_face_in_the_same_source() -> None:
    codes = np.arange(4 * LEAST_ROWS).reshape(-1, 2).astype(float)
    parts = [
        table_of([0] * LEAST_ROWS, codes[:LEAST_ROWS]),
        table_of([1] * LEAST_ROWS, codes[LEAST_ROWS:]),
        table_of([0] * LEAST_ROWS, codes[LEAST_ROWS:], "b.mp4"),
    ]
    looks = UsualLooks()
    for part in parts:
        looks.add(part)
    for part, own in zip(parts, (codes[:LEAST_ROWS], codes[LEAST_ROWS:], codes[LEAST_ROWS:]), strict=True):
        found = looks.columns(part)
        assert list(found) == ["from_usual", "z_e_relative_00", "z_e_relative_01"]
        np.testing.assert_allclose(found.iloc[:, 1:], own - own.mean(0), atol=1e-4)
        np.testing.assert_allclose(found["from_usual"], np.linalg.norm(own - own.mean(0), axis=1), atol=1e-4)


def test_a_face_in_two_parts_has_one_usual_look() -> None:
    codes = np.random.default_rng(0).normal(size=(LEAST_ROWS, 3))
    looks = UsualLooks()
    for rows in (slice(0, 10), slice(10, None)):
        looks.add(table_of([0] * len(codes[rows]), codes[rows]))
    found = looks.columns(table_of([0] * 10, codes[:10]))
    np.testing.assert_allclose(found.iloc[:, 1:], codes[:10] - codes.mean(0), atol=1e-5)


def test_doubted_rows_do_not_shape_the_usual_look_but_have_the_columns() -> None:
    looks = UsualLooks()
    looks.add(table_of([0] * LEAST_ROWS, np.zeros((LEAST_ROWS, 2))))
    doubted = table_of([0] * 3, np.full((3, 2), 3.0), trusted=False)
    looks.add(doubted)
    np.testing.assert_allclose(looks.columns(doubted)["from_usual"], 18**0.5, rtol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, LEAST_ROWS - 1])
def test_of_few_rows_there_is_no_usual_look(rows: int) -> None:
    looks = UsualLooks()
    table = table_of([0] * rows, np.ones((rows, 2)))
    looks.add(table)
    assert looks.columns(table).isna().all(axis=None)
    assert len(looks.columns(table)) == rows


def test_rows_without_a_face_or_a_code_have_no_relative_code() -> None:
    codes = np.ones((LEAST_ROWS + 2, 2))
    codes[1] = np.nan
    table = table_of([0] * len(codes), codes)
    table.loc[0, "face"] = pd.NA
    looks = UsualLooks()
    looks.add(table)
    found = looks.columns(table)
    assert found.iloc[:2].isna().all(axis=None)
    np.testing.assert_allclose(found.iloc[2:], 0)


def test_embed_gives_the_same_columns_in_memory_and_in_both_kinds_of_file(
    reader: Trained, film: Path, detector: Path, tmp_path: Path
) -> None:
    expected, _ = embed(reader, [film], relative=True, detector=detector)
    assert (expected.loc[expected["face"] == 0, "from_usual"].notna()).all()
    for name in ("table.parquet", "table.csv"):
        embed_to(reader, [film], tmp_path / name, relative=True, detector=detector)
        found = read_table(tmp_path / name)
        assert list(found) == list(expected)
        numbers = expected.filter(regex="relative|from_usual")
        np.testing.assert_allclose(found[list(numbers)], numbers, rtol=1e-4, atol=1e-4)


def test_relative_is_for_pictures_and_without_a_profile(reader: Trained, faces: FaceSet) -> None:
    with pytest.raises(OmoteError, match="are for pictures, but face sets were given"):
        embed(reader, [faces.path], relative=True)
    profile = Profile("ann", reader.model, 1, 1, 1.0, 0.0, 0.0, 0.0, np.zeros(8))
    with pytest.raises(OmoteError, match="relative to the profile already"):
        embed(reader, ["a.jpg"], relative=True, profile=profile)
