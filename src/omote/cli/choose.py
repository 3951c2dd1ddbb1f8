"""`omote choose`: rank runs without emotion labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.display import console, progress_bar, say, two_digits
from omote.cli.inputs import RunsArgument
from omote.errors import OmoteError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {  # score -> title
    "choice": "choice",
    "view_agreement": "view\nagrees",
    "leakage": "who\nprobe",
    "switch_expression": "swap keeps\nexpression",
    "switch_identity": "swap keeps\nperson",
}


def choose(
    runs: RunsArgument,
    faces: Annotated[
        Path | None,
        typer.Option(
            help="Face set (folder) that the runs were trained on. Only needed if it has been moved since."
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FILE", help="Table to write: a .csv file with all scores and intervals."
        ),
    ] = None,
) -> dict[str, Any]:
    """Rank runs that were trained on the same faces with the same people held out. No emotion label is read.

    A good expression code recognises a face in another light and position among other faces of the same person (column
    "view agrees"), and does not reveal who the person is (column "who probe").

    The score "choice" multiplies the first, above chance, by the share that the second leaves: 1 is perfect; 0 means
    noise, or identity alone. It only ranks runs on the same faces. It favours the methods contrast and omote, because
    they train on such altered views.
    """
    from omote.data.face_set import open_face_set
    from omote.evaluation.choose import choose
    from omote.files import write_text
    from omote.formulas import write_csv

    if to is not None and (to.suffix.lower() != ".csv" or not to.parent.is_dir()):
        raise OmoteError(f"{to} was given with --to; give a file that ends in .csv, in an existing folder")
    with progress_bar("choosing") as progress:
        table = choose(runs, None if faces is None else open_face_set(faces), progress=progress)
    _show(table)
    if to is not None:
        write_text(to, write_csv(table))
        say(f"Saved: {to}")
    return {"runs": table}


def _show(table: "pd.DataFrame") -> None:
    """Print the ranking, with its intervals and remarks."""
    from rich.table import Table
    from rich.text import Text

    names = table["run"].map(lambda run: Path(run).name)
    names = names if names.is_unique else table["run"]
    shown = Table("run, best first", box=None)
    for title in COLUMNS.values():
        shown.add_column(title, justify="right", no_wrap=True)
    for name, row in zip(names, table.to_dict("records"), strict=True):
        cells = {score: two_digits(row[score]) for score in COLUMNS}
        if row["choice_low"] == row["choice_low"]:
            cells["choice"] += f" ({row['choice_low']:.2f} to {row['choice_high']:.2f})"
        shown.add_row(Text(name + " *" * row["as_good"]), *cells.values())
    shown.add_row("by chance", *(two_digits(table[f"{score}_chance"].median()) for score in COLUMNS))
    shown.add_row("good", *("low" if score == "leakage" else "high" for score in COLUMNS))
    console.print(shown)
    say("")
    people = "held out" if table["people"].iloc[0] == "test" else "of the training"
    say(f" Scored on people {people}; 95 % intervals over people in brackets.")
    if table["as_good"].sum() > 1:
        say(" * The scores do not show this run to be worse than the first.")
    remarks = table[table["reason"] != ""]
    for reason, rows in remarks.groupby("reason", sort=False):
        say(f" {', '.join(names[rows.index])}: {reason}")
    if table["choice"].notna().any():
        say(f"Next: omote audit {table['run'].iloc[0]}, or omote embed with it")
    else:
        say(
            "Nothing to rank by. Next: name a face set with two clips or more of each of several people (--faces)"
        )
