"""Tables of features: reading whole or in batches, joining, and files that are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omote.data.face_set import FaceSet
from omote.data.outputs import is_code
from omote.errors import OmoteError
from omote.features import table as tables
from omote.features.extract import extract_features
from omote.features.table import check_table_path, join_tables, read_batches, read_table
from omote.runs.trained import Trained
from tests.conftest import save_table

CODE = [f"z_e_{i:02d}" for i in range(8)]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".parquet", ".PARQUET"])
def test_a_table_joined_from_parts_reads_back_as_it_was(
    suffix: str, trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    table = extract_features(trained, faces)
    parts = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for part, rows in zip(parts, (table[:3], table[3:]), strict=True):
        rows.to_parquet(part, index=False)
    path = tmp_path / f"new/features{suffix}"
    path.parent.mkdir()
    join_tables(parts, path)
    again = read_table(path, types={"subject": str})
    if suffix.lower() == ".csv":  # 6 significant digits; Parquet is exact
        assert path.read_bytes().startswith(b"subject,")
        np.testing.assert_allclose(again[CODE], table[CODE], rtol=5e-6)
    else:
        np.testing.assert_array_equal(again[CODE], table[CODE])
    assert again["subject"].tolist() == table["subject"].tolist()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_csv_has_six_digits_and_times_to_the_microsecond(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"frame": [1234567, 2], "time": [12345.678901234, np.nan], "z_e_00": [1.23456789, np.nan]}
    )
    table.to_parquet(tmp_path / "part.parquet")
    join_tables([tmp_path / "part.parquet"], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "frame,time,z_e_00\n1234567,12345.678901,1.23457\n2,,\n"


def test_a_byte_order_mark_is_written_on_request_and_read_over(tmp_path: Path) -> None:
    table = pd.DataFrame({"source": ["jürgen.jpg", "ann.jpg"]})
    table.to_parquet(tmp_path / "part.parquet")
    join_tables([tmp_path / "part.parquet"] * 2, tmp_path / "t.csv", bom=True)
    assert (tmp_path / "t.csv").read_bytes().count(b"\xef\xbb\xbf") == 1
    assert (tmp_path / "t.csv").read_bytes().startswith(b"\xef\xbb\xbfsource\n")
    assert read_table(tmp_path / "t.csv")["source"].tolist() == table["source"].tolist() * 2


@pytest.mark.parametrize(
    "name", ["file:t.csv", "http:t.csv", "file:t.parquet", "s3:t.parquet", "mock:t.parquet"]
)
def test_a_colon_in_a_relative_name_makes_no_protocol(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    TABLE.to_parquet(tmp_path / "part.parquet")
    join_tables([Path("part.parquet")], Path(name).absolute())
    read = read_table(name, types={"subject": str})
    pd.testing.assert_frame_equal(read, TABLE)
    assert len(pd.concat(read_batches(name, is_code, {}))) == 3


def test_a_path_where_no_table_can_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"must end in .parquet or .csv"):
        check_table_path(tmp_path / "features.xlsx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OmoteError, match="it is a folder"):
        check_table_path(tmp_path / "folder.csv")


TABLE = pd.DataFrame(
    {"subject": ["007", "007", "008"], "z_e_00": [0.5, 1.5, 2.5], "z_e_deviation_00": [0.0, 0.1, 0.2]}
)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_read_whole_or_by_columns(suffix: str, tmp_path: Path) -> None:
    save_table(TABLE, tmp_path / f"table{suffix}")
    whole = read_table(tmp_path / f"table{suffix}", types={"subject": str})
    pd.testing.assert_frame_equal(whole, TABLE)
    code = read_table(tmp_path / f"table{suffix}", is_code)
    pd.testing.assert_frame_equal(code, TABLE[["z_e_00"]])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_batches_are_the_table_in_order(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_ROWS", 2)
    file = tmp_path / f"table{suffix}"
    if suffix == ".csv":
        save_table(TABLE, file)
    else:
        pq.write_table(pa.Table.from_pandas(TABLE), file, row_group_size=2)
    batches = list(read_batches(file, is_code, {"z_e_00": np.float64}))
    assert [len(batch) for batch in batches] == [2, 1]
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), TABLE[["z_e_00"]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "there is no table .*none.csv"),
        ("talk.mp4", b"", r"its name must end in \.parquet or \.csv"),
        ("text.parquet", b"no table", "damaged or not a table"),
        ("cut.parquet", b"PAR1\0\0\0\0PAR1", "damaged or not a table"),
        ("empty.csv", b"", "damaged or not a table"),
        ("latin.csv", b"z_e_00\n\xe9", "damaged or not a table"),
        ("word.csv", b"z_e_00\nmuch", "damaged or not a table"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_a_sentence(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    types = {"z_e_00": np.float32}
    with pytest.raises(OmoteError, match=message) as raised:
        read_table(file, types=types)
    assert "\n" not in str(raised.value)
    with pytest.raises(OmoteError, match=message):
        list(read_batches(file, is_code, types))
