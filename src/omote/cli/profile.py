"""`omote profile`: a person's own neutral."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omote.cli.display import counting, errors, say
from omote.cli.inputs import Cropped, Detector
from omote.errors import OmoteError

if TYPE_CHECKING:
    from pandas import DataFrame


def profile(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Tables of `omote embed` (.parquet, .csv); or a run, or a file of `omote export`, and then photos, "
            "videos and folders of the person.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", help="File for the profile, such as ann.json.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Who it is; the file's name if not given. Of tables of face sets: the subject.",
            show_default=False,
        ),
    ] = None,
    face: Annotated[
        int,
        typer.Option(
            help="Which face of each input is the person, as the column face numbers them. 0 is the largest of the "
            "first frame with a face."
        ),
    ] = 0,
    cropped: Cropped = False,
    detector: Detector = None,
) -> None:
    """Make a profile of a person: what is usual for them, from footage of theirs, without labels.

    `omote embed --profile` then writes features relative to the person. With
    varied footage (several videos, days, expressions) they tell a little more
    of the expression and somewhat less of who it is, by an amount that depends
    on the method. With little or one-sided footage they may be worse.

    Where several faces are seen, --face says who it is, in all inputs; it does
    the same in `omote embed --profile`, whose table keeps the rows of other
    faces, without codes, and gives the reason in the column doubt. Long videos
    are better embedded first, which goes on where it was stopped.
    """
    from omote.features.profile import check_profile_path, make_profile, profile_of_tables

    check_profile_path(to)
    tables = [given for given in inputs if Path(given).suffix in (".parquet", ".csv")]
    if tables and len(tables) < len(inputs):
        raise OmoteError(
            "tables and other inputs were given together; give tables alone, or a run and pictures"
        )
    name = name or to.stem
    if tables:
        made = profile_of_tables(tables, name, face)
    else:
        made = make_profile(_embedded(inputs, cropped, detector), name, face)
    made.save(to)
    for sentence in made.statement():
        say(sentence)
    say(f"Saved: {to}")
    say(f"Next: omote embed RUN INPUT... --profile {to} --to features.parquet")


def _embedded(inputs: list[str], cropped: bool, detector: Path | None) -> "DataFrame":
    """Return the table of pictures, read by the first input."""
    from omote.features.embed import embed, open_reader

    run, *pictures = inputs
    if not pictures:
        raise OmoteError(
            f"only {run} was given; give tables of `omote embed`, or a run and photos or videos of the person"
        )
    reader = open_reader(run)
    with counting("embedding") as progress:
        table, skipped = embed(reader, pictures, cropped=cropped, detector=detector, progress=progress)
    for reason, count in skipped["reason"].value_counts().items():
        say(f"left out: {count} pictures or files: {reason}", to=errors)
    return table
