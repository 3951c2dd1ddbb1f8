"""`omote plot`: a page and pictures of a feature table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import errors, progress_bar, say
from omote.cli.inputs import Credit, UseDoubted, check_table, number


def plot(
    table: Annotated[
        Path,
        typer.Argument(
            help="Feature table: a .parquet or .csv file made by `omote embed`.", callback=check_table
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="Folder for index.html, path.png, map.png and clusters.png. Default: TABLE-plots, next to the table.",
        ),
    ] = None,
    clusters: Annotated[
        int,
        number("Number of clusters, the k of k-means. The paper uses 9; with few faces, fewer are made."),
    ] = 9,
    faces: Annotated[
        Path | None, typer.Option(help="Face set (folder), if the table was made from one.")
    ] = None,
    use_doubted: UseDoubted = False,
    credit: Credit = None,
) -> dict[str, Any]:
    """Plot the expression over time, a map of the expressions with face images, and clusters of similar expressions.

    The page begins with interactive timelines of every person, track and photo; the PNG files show the first tracks.

    The face images are cropped again from the videos and photos that are named in the table.
    """
    from omote.figures.table.plot import plot_features

    with progress_bar("cutting faces") as progress:
        page, notes = plot_features(
            table,
            to,
            clusters=clusters,
            faces=faces,
            use_doubted=use_doubted,
            credit=credit,
            progress=progress,
        )
    for note in notes:
        say(f"note: {note}", to=errors)
    say(f"Open {page} in a browser; its pictures are next to it.")
    return {"page": page, "notes": notes}
