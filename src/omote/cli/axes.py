"""`omote axis` and `omote fit-axes`: named dimensions of the expression code, from 0 to 1."""

import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.display import console, say, status, two_digits
from omote.cli.inputs import Cropped, Detector, FaceSetArgument, OptionalRunArgument, RunOrOnnxArgument
from omote.errors import OmoteError
from omote.runs.shipped import SHIPPED

if TYPE_CHECKING:
    from pandas import DataFrame

POSE = ("yaw", "pitch", "roll")
ToAxes = Annotated[
    Path,
    typer.Option("--to", metavar="FILE", help="File of axes to write: a .json file, such as smile.json."),
]


def axis(
    low: Annotated[
        list[str],
        typer.Option(
            help="Frames that show little of it, which become 0: photos, separated by commas, of which the largest "
            "face counts; or TABLE:FRAME, a frame of a table of one video, of which face 0 counts. May be given "
            "several times."
        ),
    ],
    high: Annotated[
        list[str], typer.Option(help="Frames that show much of it, which become 1; same form as --low.")
    ],
    name: Annotated[
        str, typer.Option(help='What the axis says of the face, in small letters: "lip corners up", smile.')
    ],
    to: ToAxes,
    run: OptionalRunArgument = Path(SHIPPED),
    cropped: Cropped = False,
    detector: Detector = None,
) -> dict[str, Any]:
    """Make an axis from a few frames that you point at: a number from 0 to 1 for every face.

    Point at two or more frames on each side, best of the same people, in the same pose and light: what else differs
    between the two sides is in the axis, too. The command says how well the axis separates the frames, and warns if
    the heads or the light differ.

    `omote embed --axis` then adds a column to the table, and `omote events` finds when it rises and falls.
    """
    from omote.features.axes import check_axes_path
    from omote.features.embed import open_reader
    from omote.features.point_axis import describe_pointed, point_axis

    check_axes_path(to)
    reader = open_reader(run)
    with status("looking at the frames"):
        made = point_axis(
            reader, _split(low, "--low"), _split(high, "--high"), name, cropped=cropped, detector=detector
        )
    made.save(to)
    said = describe_pointed(made)
    for sentence in said:
        say(sentence)
    say(f"Saved: {to}")
    named = "" if str(run) == SHIPPED else f"{run} "
    say(f"Next: omote embed {named}INPUT... --axis {to} --to features.parquet")
    return {"axis": to, "column": made.axes[0].column, "notes": said}


def fit_axes(
    run: RunOrOnnxArgument,
    faces: FaceSetArgument,
    to: ToAxes,
) -> dict[str, Any]:
    """Fit axes to rendered faces, whose true shapes are known: lip corners up, brows up, jaw open and others.

    FACES are made by `omote prepare rendered`, best of people whom the run has not seen (--seed). Each axis is judged
    on people held out. Only those with an R2 of at least 0.25 are kept, which is a correlation of 0.5 with the truth.

    Written to axes.json in the folder of the run, the axes come with it: `omote embed` then adds their columns without
    being asked.
    """
    from omote.data.face_set import open_face_set
    from omote.features.axes import check_axes_path
    from omote.features.embed import open_reader
    from omote.features.fit_axes import fit_axes

    check_axes_path(to)
    reader, face_set = open_reader(run), open_face_set(faces)
    with status("fitting"):
        made = fit_axes(reader, face_set)
    made.axes.save(to)
    _show(made.table)
    say(
        "R2: of people held out; 1 is a perfect read-out, 0 that of the mean. Head and light: the greatest correlation "
        "with the pose of the head and with the light, which should be near 0."
    )
    for note in made.notes:
        say(f"{note}.")
    say(f"Saved: {to} ({len(made.axes.axes)} axes)")
    return {"axes": to, "table": made.table, "notes": made.notes}


def _split(given: list[str], option: str) -> list[str]:
    """Return the names of frames; a comma separates them, unless a file has it in its name."""
    names = [
        name.strip()
        for each in given
        for name in ([each] if os.path.exists(each) else each.split(","))  # Path.exists refuses long text
        if name.strip()
    ]
    if not names:
        raise OmoteError(f"{option} names no frame; give photos, separated by commas, or TABLE:FRAME")
    return names


def _show(table: "DataFrame") -> None:
    from rich.table import Table

    shown = Table(box=None)
    for title in ("axis", "kept", "R2", "head", "light"):
        shown.add_column(title, justify="left" if title == "axis" else "right")
    for row in table.to_dict("records"):
        moved = [
            max((abs(value) for name, value in row.items() if name in of and value == value), default=None)
            for of in (POSE, table.columns.difference(["axis", "kept", "r2", *POSE]))
        ]
        kept = "yes" if row["kept"] else "no"
        shown.add_row(row["axis"], kept, *(two_digits(value) for value in (float(row["r2"]), *moved)))
    console.print(shown)
