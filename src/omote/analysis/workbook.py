"""Tables as the sheets of an Excel workbook (package openpyxl, extra `xlsx`)."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from omote.errors import OmoteError

CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")  # which a workbook cannot hold
MOST_ROWS = 1_048_575  # of a sheet, below its heads


def check_workbooks() -> None:
    """Raise OmoteError if workbooks cannot be written here."""
    if find_spec("openpyxl") is None:
        raise OmoteError(
            "an Excel workbook needs the package openpyxl (pip install 'omote[xlsx]'); or leave --xlsx out, and open "
            "the CSV files"
        )


def write_workbook(path: Path, sheets: Mapping[str, pd.DataFrame]) -> None:
    """Write a workbook with a sheet for each table; text is text, also if it reads like a formula.

    Raises:
        OmoteError: If a table has more rows than a sheet can hold.
    """
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for name, table in sheets.items():
            if len(table) > MOST_ROWS:
                raise OmoteError(
                    f"a sheet of a workbook holds {MOST_ROWS:,} rows, and {name}.csv has {len(table):,}; leave "
                    "--xlsx out"
                )
            shown = table.copy()
            for column in table.select_dtypes(exclude=["number", "bool"]):
                texts = table[column].fillna("").astype(str)
                shown[column] = texts.str.replace(CONTROLS, "\N{REPLACEMENT CHARACTER}", regex=True)
            shown.to_excel(writer, sheet_name=name, index=False, freeze_panes=(1, 1))
            for row in writer.sheets[name].iter_rows():
                for cell in row:
                    if cell.data_type == "f":
                        cell.data_type = "s"
