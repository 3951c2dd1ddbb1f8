"""`omote profile`: the usual look of a person, or of many, as a reference for their features."""

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
    split_inputs,
)
from omote.errors import OmoteError

if TYPE_CHECKING:
    from pandas import DataFrame

    from omote.features.profile import Profiles


def profile(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Feature tables (.parquet or .csv files) made by `omote embed`; or photos, videos and "
            "folders that show the person. A run or an ONNX file before these is used instead of the model that comes "
            "with omote.",
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Profile to write: a .json file, such as ann.json. A name without .json is a folder, for a file for "
            "each person.",
        ),
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
    one_person: Annotated[
        bool,
        typer.Option(
            "--one-person",
            help="Believe that all files show one person, though most of their faces look unlike each other.",
        ),
    ] = False,
    cropped: Cropped = False,
    detector: Detector = None,
) -> dict[str, Any]:
    """Make a profile of a person: their usual look, from footage of them, without labels.

    For many people at once, give a folder with --to, and a table with a column person, or footage in a folder for each
    person (FOLDER/PERSON/files): omote profile run FOLDER --to profiles writes profiles/PERSON.json.

    `omote embed --profile` then writes features relative to this person. With varied footage (several videos, days
    and expressions), such features tell a little more about the expression and somewhat less about the identity; how
    much depends on the method. With little or one-sided footage they can be worse.

    If several people are visible, --face, --largest 1 or --photo selects the person in all inputs. Use --face in the
    same way with `omote embed --profile`: that table keeps the rows of other faces, but without codes, and the column
    doubt gives the reason.

    For long videos, run `omote embed` first and make the profile from its table: embed can be stopped and continued.
    """
    tables = [given for given in inputs if Path(given).suffix.lower() in (".parquet", ".csv")]
    if tables and len(tables) < len(inputs):
        raise OmoteError(
            "tables and other inputs were given together; give only tables, or only photos and videos"
        )
    model, pictures = ("", []) if tables else split_inputs(inputs)

    from omote.features.profile import (
        PersonOptions,
        check_profile_path,
        make_profile,
        make_profile_from_tables,
        make_profiles,
        make_profiles_from_tables,
    )

    of_many = to.suffix == "" and not to.is_file()
    if of_many and name is not None:
        raise OmoteError(f"--name is for one profile; give {to}.json with --to, or leave --name out")
    if not of_many:
        check_profile_path(to)
    which: PersonOptions = {
        "face": face, "largest": largest, "photo": photo, "detector": detector, "use_doubted": use_doubted,
        "one_person": one_person,
    }  # fmt: skip
    if of_many:
        if tables:
            found = make_profiles_from_tables(tables, **which)
        else:
            found = make_profiles(_embed(model, pictures, largest, fast, rotate, cropped, detector), **which)
        return _save_all(found, to)
    name = name or to.stem
    if tables:
        made = make_profile_from_tables(tables, name, **which)
    else:
        made = make_profile(_embed(model, pictures, largest, fast, rotate, cropped, detector), name, **which)
    made.save(to)
    for sentence in made.describe():
        say(sentence)
    say(f"Saved: {to}")
    say(f"Next: omote embed RUN INPUT... --profile {to} --to features.parquet")
    return {"profile": to, "notes": made.describe()}


def _save_all(found: "Profiles", to: Path) -> dict[str, Any]:
    """Write a file for each person, and return the result of the command."""
    paths = found.save(to)
    for made in found.profiles.values():
        for sentence in made.describe():
            say(sentence)
    for name, reason in found.left_out.items():
        say(f"left out: {name}: {reason}", to=errors)
    for note in found.notes:
        say(note)
    say(f"Saved: {len(paths)} profiles in {to}")
    example = next(iter(paths.values()))
    say(f"Next: omote embed RUN INPUT... --profile {example} --to features.parquet")
    return {"profiles": paths, "left_out": found.left_out, "notes": found.notes}


def _embed(
    model: str,
    pictures: list[str],
    largest: int | None,
    fast: bool,
    rotate: Turn,
    cropped: bool,
    detector: Path | None,
) -> "DataFrame":
    """Return the feature table of photos and videos."""
    from omote.features.embed import embed, open_reader

    reader = open_reader(model)
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
