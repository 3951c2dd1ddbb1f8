"""Tables of features on disk, Parquet or CSV by the suffix: reading, checking and joining."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from omote.boundary import read_parquet, read_row_groups, reading, to_frame
from omote.errors import OmoteError
from omote.formulas import restore_formulas, write_csv

SUFFIXES = (".parquet", ".csv")  # in small or capital letters
FLOAT_FORMAT = "%.6g"  # of numbers in CSV
TIME_DIGITS = (
    6  # decimals of `time` in CSV; six significant digits of a long video would not tell its frames apart
)
CHUNK_ROWS = 65536  # rows of a CSV file in memory at a time


def read_table(
    path: str | Path, wanted: Callable[[str], bool] | None = None, types: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return a table of features.

    Args:
        path: a .parquet or .csv file.
        wanted: whether to read the column of this name; None reads all.
        types: dtype by column, for CSV; pandas infers that of other columns.
    Raises:
        OmoteError: If the file is missing, has another suffix, is damaged or too large (`omote.boundary`), or CSV text
            does not fit its type.
    """
    with _reading(path) as file:
        if is_csv(file):
            return restore_formulas(pd.read_csv(file, usecols=wanted, dtype=types))
        return to_frame(read_parquet(file, wanted))


def read_batches(
    path: str | Path, wanted: Callable[[str], bool], types: Mapping[str, Any]
) -> Iterator[pd.DataFrame]:
    """Yield a table of features in batches of rows, one in memory at a time; see `read_table`."""
    with _reading(path) as file:
        if is_csv(file):
            with pd.read_csv(file, usecols=wanted, dtype=types, chunksize=CHUNK_ROWS) as chunks:
                yield from map(restore_formulas, chunks)
        else:
            yield from map(to_frame, read_row_groups(file, wanted))


@contextmanager
def _reading(path: str | Path) -> Iterator[Path]:
    """Check the path, and turn errors of reading into OmoteError."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OmoteError(f"{path} is not a table of features: its name must end in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise OmoteError(f"there is no table {path}; make one with `omote embed`")
    with reading(path, "a table", "Make it again with `omote embed`"):
        yield path.absolute()  # of a relative name such as "s3:x.csv", pandas would take the start for a protocol


def is_csv(path: Path) -> bool:
    """Return whether a table is CSV by its suffix, in small or capital letters."""
    return path.suffix.lower() == ".csv"


def join_tables(
    parts: Sequence[Path],
    path: Path,
    *,
    bom: bool = False,
    further: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    without: Sequence[str] = (),
) -> None:
    """Write the rows of several Parquet files as one table, with one row group in memory at a time.

    Columns are those of all parts; a column that a part lacks is empty in its rows. Parquet holds the numbers exactly,
    CSV to 6 significant digits, and `time` to the microsecond.

    Args:
        path: .parquet or .csv.
        bom: begin a CSV file with a byte order mark, by which Excel knows UTF-8.
        further: gives further columns for the rows of a row group, the same columns for each.
        without: columns to leave out.
    """
    schema = pa.unify_schemas([pq.read_schema(part) for part in parts], promote_options="permissive")

    def read() -> Iterator[pa.Table]:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for group in range(file.num_row_groups):
                    yield add(file.read_row_group(group))
                if not file.num_row_groups:
                    yield add(file.schema_arrow.empty_table())

    def add(rows: pa.Table) -> pa.Table:
        table = pa.concat_tables([schema.empty_table(), rows], promote_options="permissive")
        table = table.drop_columns([*without])
        if further is not None:
            added = pa.Table.from_pandas(further(to_frame(table)), preserve_index=False)
            for field, column in zip(added.schema, added.columns, strict=True):
                table = table.append_column(field.remove_metadata(), column)
        return table

    if is_csv(path):
        with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as stream:
            for number, rows in enumerate(read()):
                table = to_frame(rows)
                if "time" in table:
                    times = table["time"].round(TIME_DIGITS)
                    table["time"] = times.astype(object).where(times.notna())  # not in FLOAT_FORMAT
                write_csv(table, stream, header=number == 0, float_format=FLOAT_FORMAT)
    else:
        tables = read()
        first = next(tables)
        with pq.ParquetWriter(path, first.schema) as writer:
            for table in chain([first], tables):
                writer.write_table(table)


def check_table_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if no table can be written there."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OmoteError(f"{path} was given for the table; its name must end in {' or '.join(SUFFIXES)}")
    if path.is_dir():
        raise OmoteError(f"{path} was given for the table; it is a folder")
    return path
