"""`omote choose`: which run to keep, without emotion labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omote.cli.display import console, counting, say
from omote.errors import OmoteError

if TYPE_CHECKING:
    import pandas as pd

SHOWN = {  # score -> title
    "choice": "choice",
    "view_agreement": "view\nagrees",
    "leakage": "who\nprobe",
    "switch_expression": "swap keeps\nexpression",
    "switch_identity": "swap keeps\nperson",
}


def choose(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Runs of the same faces, with the same people held out.", show_default=False),
    ],
    faces: Annotated[
        Path | None,
        typer.Option(
            help="The face set that they were trained on; needed where it has moved.", show_default=False
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="A CSV file for the table, with all intervals.", show_default=False),
    ] = None,
) -> None:
    """Say which of several runs to keep, by subjects and clips alone: no emotion label is read.

    A good expression code knows a face again in another light and place
    among others of the same person (view agrees), and does not tell whose
    it is (who probe). The choice is the first above chance times what the
    second leaves: 1 is perfect, 0 noise or the person alone. It orders runs
    on the same faces, and says nothing beyond. contrast and omote, which are
    trained on such views, are at home in it.
    """
    from omote.data.face_set import open_face_set
    from omote.evaluation.choose import choose as chosen
    from omote.files import write_text

    if to is not None and (to.suffix != ".csv" or not to.parent.is_dir()):
        raise OmoteError(
            f"{to} was given with --to; give a file that ends in .csv, in a folder that is there"
        )
    with counting("choosing") as progress:
        table = chosen(runs, None if faces is None else open_face_set(faces), progress=progress)
    _show(table)
    if to is not None:
        write_text(to, table.to_csv(index=False))
        say(f"Saved: {to}")


def _show(table: "pd.DataFrame") -> None:
    from rich.table import Table
    from rich.text import Text

    names = table["run"].map(lambda run: Path(run).name)
    names = names if names.is_unique else table["run"]
    shown = Table("run, best first", box=None)
    for title in SHOWN.values():
        shown.add_column(title, justify="right", no_wrap=True)
    for name, row in zip(names, table.to_dict("records"), strict=True):
        cells = {score: _two_digits(row[score]) for score in SHOWN}
        if row["choice_low"] == row["choice_low"]:
            cells["choice"] += f" ({row['choice_low']:.2f} to {row['choice_high']:.2f})"
        shown.add_row(Text(name + " *" * row["as_good"]), *cells.values())
    shown.add_row("by chance", *(_two_digits(table[f"{score}_chance"].median()) for score in SHOWN))
    console.print(shown)
    say("")
    people = "held out" if table["people"].iloc[0] == "test" else "of the training"
    say(f" Scored on people {people}; in brackets 95 % intervals over people.")
    if table["as_good"].sum() > 1:
        say(" * nothing here shows it to be worse than the first.")
    told = table["reason"] != ""
    for reason, of in names[told].groupby(table["reason"][told], sort=False):
        say(f" {', '.join(of)}: {reason}")


def _two_digits(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"
