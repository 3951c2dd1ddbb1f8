"""Text in CSV files that a spreadsheet would run as a formula: escaped when written, restored when read.

Names of files and people may come from anyone, and a spreadsheet runs a cell that begins with = + - @, a tab or a
carriage return (OWASP, "CSV injection"). Such a cell gets a leading apostrophe, by which spreadsheets mark text.
Numbers and all other cells stay as they are.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

# Apostrophes in front are part of it, so that what is read is what was written, also of names like "'=x".
FORMULA = re.compile(r"'*(?:[=@\t\r]|[+-](?!\d*\.?\d*\Z))")


def escape_formula(cell: Any) -> Any:
    """Return the cell, with an apostrophe in front if it is text that reads like a formula."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def restore_formula(cell: Any) -> Any:
    """Return what `escape_formula` was given."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell


def restore_formulas(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table that was read from CSV as it was before it was written."""
    return _change_text(table, restore_formula)


def write_csv(
    table: "pd.DataFrame", to: IO[str] | None = None, *, header: bool = True, float_format: str | None = None
) -> str:
    """Write the table as CSV, without its index; return it instead if there is nothing to write it to."""
    table = _change_text(table, escape_formula)
    cells = (cell for _, column in _texts(table) for cell in column.unique())
    quoting = _quoting(cells)
    return table.to_csv(to, index=False, header=header, float_format=float_format, quoting=quoting) or ""


def write_csv_rows(to: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV, one in memory at a time."""
    csv.writer(to, lineterminator="\n").writerow(columns)
    for row in rows:
        cells = [escape_formula(row[name]) for name in columns]
        csv.writer(to, lineterminator="\n", quoting=_quoting(cells)).writerow(cells)


def _quoting(cells: Iterable[Any]) -> Literal[0, 2]:
    """Quote text if a carriage return in it would end its row for readers; before Python 3.13, csv does not care."""
    ends = any(isinstance(cell, str) and "\r" in cell for cell in cells)
    return csv.QUOTE_NONNUMERIC if ends else csv.QUOTE_MINIMAL


def _texts(table: "pd.DataFrame") -> "Iterable[tuple[Any, pd.Series[Any]]]":
    return table.select_dtypes(exclude=["number", "bool"]).items()


def _change_text(table: "pd.DataFrame", change: Callable[[Any], Any]) -> "pd.DataFrame":
    changed = {
        name: column.map(change)
        for name, column in _texts(table)
        if any(change(cell) is not cell for cell in column.unique())
    }
    return table.assign(**changed).rename(columns=change)
