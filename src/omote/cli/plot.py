"""`omote plot`: pictures of a table of features."""

from pathlib import Path
from typing import Annotated

import typer

from omote.cli.display import counting, errors, say


def plot(
    table: Annotated[
        Path,
        typer.Argument(
            help="A table of features (.parquet, .csv), made by `omote embed`.", show_default=False
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="Folder for index.html, path.png, map.png and clusters.png; beside the table if not given.",
            show_default=False,
        ),
    ] = None,
    clusters: Annotated[
        int, typer.Option(help="k of k-means; the paper's is 9. Fewer where there are few faces.")
    ] = 9,
    faces: Annotated[
        Path | None,
        typer.Option(help="The face set, where the table was made of one.", show_default=False),
    ] = None,
    credit: Annotated[str | None, typer.Option(help="A line below each picture.", show_default=False)] = None,
) -> None:
    """Draw the path of the expression over time, a map of the expressions with faces on it, and clusters.

    The faces are cut again out of the videos and photos that the table names.
    """
    from omote.figures.table.plot import plot_features

    with counting("cutting faces") as progress:
        page, notes = plot_features(
            table, to, clusters=clusters, faces=faces, credit=credit, progress=progress
        )
    for note in notes:
        say(f"note: {note}", to=errors)
    say(f"Open {page} in a browser; its pictures are beside it.")
