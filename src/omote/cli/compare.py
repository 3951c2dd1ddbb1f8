"""`omote compare`: do people's faces change alike, do conditions differ, do faces move together?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import say, status
from omote.cli.inputs import UseDoubted, check_tables, number
from omote.errors import OmoteError


def compare(
    tables: Annotated[
        list[Path],
        typer.Argument(
            metavar="TABLE",
            callback=check_tables,
            help="Feature tables: .parquet or .csv files made by `omote embed`.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Table to write: a .csv file with every result."),
    ] = None,
    conditions: Annotated[
        str | None,
        typer.Option(
            help="Two conditions, such as rest,smile: compare the second with the first within people."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="With --conditions: the column that holds them. Default: the column condition; without it, the names "
            "of files and folders, in which a condition stands as a word."
        ),
    ] = None,
    synchrony: Annotated[
        bool,
        typer.Option(
            "--synchrony",
            help="Compare how the faces in one video move together, or those of two tables with the same clock.",
        ),
    ] = False,
    window: Annotated[
        float | None,
        number("With --synchrony: seconds within which movements are compared. Default: 10.", 1, 600),
    ] = None,
    max_lag: Annotated[
        float | None,
        number("With --synchrony: seconds by which one face may follow the other. Default: 2.", 0, 60),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="With --conditions and --synchrony: columns to compare, with commas between. Default: all axes and "
            "the distance from a person's usual look."
        ),
    ] = None,
    use_doubted: UseDoubted = False,
) -> dict[str, Any]:
    """Compare people: do their faces change alike, do two conditions differ, do two faces move together?

    Without options: how alike the directions are in which people's faces change when they are far from their usual
    look, for all pairs. With --conditions, the change is from the first to the second, and a paired test over people
    tells which columns differ. With --synchrony: who follows whom, by how many seconds, and whether that is more than
    chance.

    Who a row shows is told by the column person, without it by the column subject, or else by the folder of its file
    (FOLDER/PERSON/files).
    """
    import pandas as pd

    from omote.features.comparison import compare_people
    from omote.features.profile import TEXTS
    from omote.features.synchrony import MAX_LAG, WINDOW, compare_synchrony
    from omote.features.table import read_table

    if to is not None and (to.suffix.lower() != ".csv" or not to.parent.is_dir()):
        raise OmoteError(f"{to} was given with --to; give a file that ends in .csv, in an existing folder")
    named = None if columns is None else [name.strip() for name in columns.split(",") if name.strip()]
    if columns is not None and not named:
        raise OmoteError(f'--columns was given "{columns}"; it takes names of columns with commas between')
    if synchrony and (conditions is not None or by is not None):
        raise OmoteError(
            "--synchrony and --conditions ask two different questions; give the command for each"
        )
    if conditions is None and (by is not None or (named is not None and not synchrony)):
        raise OmoteError(
            "--by and --columns are for conditions; name these too, such as --conditions rest,smile"
        )
    if not synchrony and (window is not None or max_lag is not None):
        raise OmoteError("--window and --max-lag are for --synchrony; give this too, or leave them out")
    pair = parse_conditions(conditions)
    types = dict.fromkeys([*TEXTS, "condition", *([by] if by else [])], str)
    read = [read_table(path, types=types) for path in tables]
    with status("comparing"):
        if synchrony:
            found = compare_synchrony(
                read,
                columns=named,
                window=WINDOW if window is None else window,
                max_lag=MAX_LAG if max_lag is None else max_lag,
                use_doubted=use_doubted,
            )
        else:
            table = pd.concat([each.assign(table=i) for i, each in enumerate(read)], ignore_index=True)
            found = compare_people(table, conditions=pair, by=by, columns=named, use_doubted=use_doubted)
    for sentence in found.sentences:
        say(sentence)
    if to is not None:
        found.save(to)
        say(f"Saved: {to}")
    return {"table": to, "notes": found.sentences, "results": found.table}


def parse_conditions(text: str | None) -> tuple[str, str] | None:
    """Return the value of --conditions: two names, or None if it was not given.

    Raises:
        OmoteError: If ``text`` is not two names with a comma between.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise OmoteError(
            f'--conditions was given "{text}"; it takes two names with a comma between: rest,smile'
        )
    return names[0], names[1]
