"""`omote profile`: a person's neutral expression, as a reference for their features."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.display import errors, progress_bar, say
from omote.cli.inputs import (
    Cropped,
    Detector,
    Fast,
    Largest,
    Photo,
    Rotate,
    Turn,
    UseDoubted,
    number,
)
from omote.errors import OmoteError

if TYPE_CHECKING:
    from pandas import DataFrame


def profile(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Feature tables (.parquet or .csv files) made by `omote embed`; or a run (or exported ONNX file), "
            "followed by photos, videos and folders that show the person.",
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="Profile to write: a .json file, such as ann.json.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the person. Default: the name of the file. For tables made from face sets: the subject."
        ),
    ] = None,
    face: Annotated[
        int | None,
        number(
            "Number of the person's face in every input, as in the column face. Default: 0, the largest face in the "
            "first frame that has one.",
            least=0,
        ),
    ] = None,
    largest: Largest = None,
    fast: Fast = False,
    rotate: Rotate = Turn.none,
    photo: Photo = None,
    use_doubted: UseDoubted = False,
    cropped: Cropped = False,
    detector: Detector = None,
) -> dict[str, Any]:
    """Make a profile of a person: their usual expression, from footage of them, without labels.

    `omote embed --profile` then writes features relative to this person. With varied footage (several videos, days
    and expressions), such features tell a little more about the expression and somewhat less about the identity; how
    much depends on the method. With little or one-sided footage they can be worse.

    If several people are visible, --face, --largest 1 or --photo selects the person in all inputs. Use --face in the
    same way with `omote embed --profile`: that table keeps the rows of other faces, but without codes, and the column
    doubt gives the reason.

    For long videos, run `omote embed` first and make the profile from its table: embed can be stopped and continued.
    """
    from omote.features.profile import (
        PersonOptions,
        check_profile_path,
        make_profile,
        make_profile_from_tables,
    )

    check_profile_path(to)
    tables = [given for given in inputs if Path(given).suffix.lower() in (".parquet", ".csv")]
    if tables and len(tables) < len(inputs):
        raise OmoteError(
            "tables and other inputs were given together; give only tables, or a run and photos or videos"
        )
    name = name or to.stem
    which: PersonOptions = {
        "face": face, "largest": largest, "photo": photo, "detector": detector, "use_doubted": use_doubted
    }  # fmt: skip
    if tables:
        made = make_profile_from_tables(tables, name, **which)
    else:
        made = make_profile(_embed(inputs, largest, fast, rotate, cropped, detector), name, **which)
    made.save(to)
    for sentence in made.describe():
        say(sentence)
    say(f"Saved: {to}")
    say(f"Next: omote embed RUN INPUT... --profile {to} --to features.parquet")
    return {"profile": to, "notes": made.describe()}


def _embed(
    inputs: list[str], largest: int | None, fast: bool, rotate: Turn, cropped: bool, detector: Path | None
) -> "DataFrame":
    """Return the feature table of all inputs but the first, which is the run."""
    from omote.features.embed import embed, open_reader

    run, *pictures = inputs
    if not pictures:
        raise OmoteError(
            f"only {run} was given; give tables of `omote embed`, or a run and photos or videos of the person"
        )
    reader = open_reader(run)
    with progress_bar("embedding") as progress:
        table, skipped = embed(
            reader,
            pictures,
            largest=largest,
            fast=fast,
            rotate=rotate.degrees,
            cropped=cropped,
            detector=detector,
            progress=progress,
        )
    for reason, count in skipped["reason"].value_counts().items():
        say(f"left out: {count} pictures or files: {reason}", to=errors)
    return table
