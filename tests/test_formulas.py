"""CSV files that are harmless in a spreadsheet and read back as they were."""

from io import StringIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omote.data.build import Skipped, write_skipped
from omote.features.table import join_tables, read_batches, read_table
from omote.formulas import escape_formula, restore_formula, restore_formulas, write_csv

FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://a")',
    "''=1",
    "'@",
]
ORDINARY = ["anna", "a=b", "-1", "+0.5", "-", "'anna'", "../a.mp4", "", "1e-5", "–"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("cell", [*ORDINARY, -1, -0.5, None, True])
def test_any_other_cell_stays_as_it_is(cell: object) -> None:
    assert escape_formula(cell) is cell
    assert restore_formula(cell) is cell


@given(st.text("'=+-@\t\r1.a", max_size=6))
def test_every_text_is_restored(text: str) -> None:
    assert restore_formula(escape_formula(text)) == text


def test_an_ordinary_table_is_written_as_before() -> None:
    table = pd.DataFrame({"source": ORDINARY, "z_e_00": -0.5, "trusted": True, "frame": None})
    assert write_csv(table) == table.to_csv(index=False)


def test_names_of_columns_are_escaped_too() -> None:
    table = pd.DataFrame({"=cmd": [1.0], "subject": ["=x"]})
    assert write_csv(table) == "'=cmd,subject\n1.0,'=x\n"
    assert restore_formulas(pd.read_csv(StringIO(write_csv(table)))).equals(table)


def test_a_table_of_features_is_read_back_unchanged(tmp_path: Path) -> None:
    sources = [*FORMULAS, *filter(None, ORDINARY)]
    table = pd.DataFrame({"source": sources, "subject": sources[::-1], "z_e_00": -1.5})
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "part.parquet")
    join_tables([tmp_path / "part.parquet"], tmp_path / "table.csv")
    raw = pd.read_csv(tmp_path / "table.csv", dtype=str)["source"]
    assert raw[: len(FORMULAS)].tolist() == [f"'{text}" for text in FORMULAS]
    types = {"source": str, "subject": str}
    assert read_table(tmp_path / "table.csv", types=types).equals(table)
    (batch,) = read_batches(tmp_path / "table.csv", lambda _: True, types)
    assert batch.equals(table)


def test_what_was_left_out_is_listed_without_formulas(tmp_path: Path) -> None:
    sources = ["=a.jpg", "a\r=b.jpg", "a, b.jpg"]
    rows = [Skipped(source=source, frame=None, reason="no face") for source in sources]
    write_skipped(tmp_path / "skipped.csv", rows)
    text = 'source,frame,reason\n\'=a.jpg,,no face\n"a\r=b.jpg","","no face"\n"a, b.jpg",,no face\n'
    assert (tmp_path / "skipped.csv").read_bytes() == text.encode()
