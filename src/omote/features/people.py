"""Who the rows of a feature table show: by a column, or by the folder that each source lies in."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from omote.errors import OmoteError
from omote.features.person import select_person

MAX_LISTED = 5  # names in a sentence


class People(NamedTuple):
    """Who the rows of a table show."""

    names: pd.Series  # (N,) text, by the index 0 to N - 1; missing for rows that are left out
    how: str  # what told people apart, such as "the column person"
    left_out: dict[str, int]  # reason -> number of rows


def name_people(table: pd.DataFrame, **which: Any) -> People:
    """Return who each row shows.

    The column person tells it; without it the column subject (of face sets), or else the folder: of
    FOLDER/PERSON/files, the first folder below the one that all sources have in common. By folders, face 0 of each
    source is the person.

    Args:
        table: of `omote embed`.
        which: see `omote.features.person.select_person`; which faces are the person's. None if nothing is given.
    Raises:
        OmoteError: If nothing tells people apart, or somebody is in one picture twice.
    """
    which = {name: value for name, value in which.items() if value is not None}
    rows = pd.RangeIndex(len(table))
    left_out: dict[str, int] = {}
    column = next((name for name in ("person", "subject") if name in table), None)
    if column is not None:
        given = table[column].set_axis(rows)
        names, how = (
            given.astype(str).where(given.notna() & (given.astype(str) != "")),
            f"the column {column}",
        )
        if unnamed := int(names.isna().sum()):
            left_out[f"without a name in the column {column}"] = unnamed
    else:
        names, how = _name_by_folder(table, rows), "the folders of their files"
    if (column is None or which) and "face" in table:
        is_person = pd.Series(select_person(table.set_axis(rows), **which), rows)
        if others := int((names.notna() & ~is_person).sum()):
            left_out["of other faces"] = others
        names = names.where(is_person)
    _refuse_two_in_one_picture(table, names)
    return People(names, how, left_out)


def _name_by_folder(table: pd.DataFrame, rows: pd.RangeIndex) -> pd.Series:
    if "source" not in table or table["source"].isna().any():
        raise OmoteError(
            "the table has neither a column person nor a source in every row; add a column person that says who each "
            "row shows"
        )
    sources = table["source"].astype(str)
    folders = {source: PurePath(source).parts[:-1] for source in sources.unique()}
    common = 0
    while len({parts[: common + 1] for parts in folders.values()}) == 1 and common < min(
        map(len, folders.values())
    ):
        common += 1
    people = {source: parts[common] if len(parts) > common else "" for source, parts in folders.items()}
    if not all(people.values()):
        raise OmoteError(
            "nothing says who the rows show: the table has no column person, and its files do not lie in a folder for "
            "each person (FOLDER/PERSON/files). Add a column person, or sort the files into folders and run "
            "`omote embed` again"
        )
    return pd.Series(sources.map(people).to_numpy(), rows, dtype=object)


def _refuse_two_in_one_picture(table: pd.DataFrame, names: pd.Series) -> None:
    """Raise OmoteError if two faces of one picture have the same name."""
    if "face" not in table or "source" not in table:
        return
    keys = [name for name in ("table", "source", "stream", "frame") if name in table]
    pictures = table[keys].set_axis(names.index).assign(name=names)[names.notna().to_numpy()]
    pictures = pictures[table["face"].notna().to_numpy()[names.notna().to_numpy()]]
    twice = pictures[pictures.duplicated()]
    if len(twice):
        first = twice.iloc[0]
        raise OmoteError(
            f"{list_names(twice['name'].unique())} would be made of different people: two faces of one picture have "
            f"this name (first in {first['source']}{f', frame {first.frame}' if 'frame' in twice else ''}). In the "
            "column person, name the rows of one face only; `omote profile` also takes --face, --largest 1 or --photo"
        )


def list_names(names: Iterable[Any]) -> str:
    """Return names as text: "ann, bob and 3 more"."""
    listed = [str(name) for name in names]
    if len(listed) > MAX_LISTED:
        return f"{', '.join(listed[:MAX_LISTED])} and {len(listed) - MAX_LISTED} more"
    return " and ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a column as (N,) float64, NaN where it is missing.

    Raises:
        OmoteError: If it holds something else than numbers.
    """
    try:
        return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        raise OmoteError(f"the column {column.name} does not hold numbers; name another one") from None
