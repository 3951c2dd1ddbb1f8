"""Tables on disk: Parquet or CSV, by the suffix."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from omote.errors import OmoteError

SUFFIXES = (".parquet", ".csv")


def join_tables(parts: Sequence[Path], path: Path) -> None:
    """Write Parquet files, one below the other, as one table; only one of them is in memory at a time.

    A column that some of them lack is empty there. Parquet or CSV, by the suffix.
    """
    schema = pa.unify_schemas([pq.read_schema(part) for part in parts], promote_options="permissive")
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            for number, part in enumerate(parts):
                table = pd.read_parquet(part).reindex(columns=schema.names)
                table.to_csv(stream, index=False, header=number == 0)
    else:
        with pq.ParquetWriter(path, schema) as writer:
            for part in parts:
                table = pq.read_table(part)
                for name in schema.names:
                    if name not in table.column_names:
                        table = table.append_column(name, pa.nulls(len(table), schema.field(name).type))
                writer.write_table(table.select(schema.names).cast(schema))


def check_table_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if a table cannot be written there."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise OmoteError(f"{path} was given for the table; its name must end in {' or '.join(SUFFIXES)}")
    if path.is_dir():
        raise OmoteError(f"{path} was given for the table; it is a folder")
    return path
