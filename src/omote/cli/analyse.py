"""`omote analyse`: from a folder of people to a table, events, people compared, and a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omote.cli.compare import parse_conditions
from omote.cli.display import errors, progress_bar, resumable, say, step_progress
from omote.cli.embed import show_embedded
from omote.cli.inputs import (
    FramesPerSecond,
    Manifest,
    Overwrite,
    OwnAxes,
    Photo,
    ShardOption,
    To,
    number,
    parse_shard,
)
from omote.errors import OmoteError

if TYPE_CHECKING:
    from omote.analysis.analyse import Analysis


def analyse(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder with a folder of photos and videos for each person: FOLDER/PERSON/files; or any folder, with "
            "a manifest."
        ),
    ],
    to: To,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run (a folder made by `omote train`), or an ONNX file made by `omote export`. Default: the model "
            "that comes with omote."
        ),
    ] = None,
    manifest: Manifest = None,
    fps: FramesPerSecond = None,
    face: Annotated[
        int | None,
        number(
            "Number of the person's face in every file, as in the column face. Default: 0, the largest face in the "
            "first frame that has one.",
            least=0,
        ),
    ] = None,
    photo: Photo = None,
    conditions: Annotated[
        str | None,
        typer.Option(
            help="Two conditions, such as rest,smile: compare the second with the first within people. They stand in a "
            "column condition of the manifest, or in the names of files and folders."
        ),
    ] = None,
    axis: OwnAxes = None,
    xlsx: Annotated[
        bool,
        typer.Option(
            "--xlsx", help="Write people, events and comparison as an Excel workbook, too: results.xlsx."
        ),
    ] = False,
    overwrite: Overwrite = False,
    workers: Annotated[
        int | None, number("Number of threads that detect faces. Default: one per CPU core.", most=1024)
    ] = None,
    shard: ShardOption = None,
) -> dict[str, Any]:
    """Analyse the photos and videos of people: how much and when each face moves, and whether people move alike.

    The command first says how much there is and about how long it will take. It writes features.parquet (a row for each
    face, with its person), events.csv (when each movement begins, is strongest and ends), people.csv (a row a person),
    comparison.csv (each two people), profiles (the usual look of each person), skipped.csv (what was left out) and
    report.html, which shows all of it.

    If the command is stopped, run it again to continue. At the end it prints the commands that do the same step by
    step.
    """
    part = parse_shard(shard)
    pair = parse_conditions(conditions)
    if part and overwrite:
        raise OmoteError(
            "--overwrite and --shard were given; remove the folder of parts yourself to start over"
        )

    from omote.analysis.analyse import analyse as make
    from omote.analysis.analyse import analyse_share
    from omote.features.axes import Axes
    from omote.runs.shipped import SHIPPED

    axes = [Axes.load(file) for file in axis or []]
    if part:
        with resumable(), progress_bar("faces and features") as show:
            summary = analyse_share(
                folder, to, part, run=run or SHIPPED, manifest=manifest, fps=fps, face=face, photo=photo,
                conditions=pair, axes=axes, xlsx=xlsx, workers=workers, progress=show,
            )  # fmt: skip
        return show_embedded(summary, to, part)
    with resumable(), step_progress() as progress:
        done = make(
            folder, to, run=run or SHIPPED, manifest=manifest, fps=fps, face=face, photo=photo, conditions=pair,
            axes=axes, xlsx=xlsx, overwrite=overwrite, workers=workers, tell=say, progress=progress,
        )  # fmt: skip
    return show_analysis(done)


def show_analysis(done: "Analysis") -> dict[str, Any]:
    """Print and return what an analysis found."""
    for sentence in done.summary[1:]:
        say(sentence)
    for sentence in done.left_out:
        say(f"left out: {sentence}", to=errors)
    say("The same step by step:")
    for command in done.commands:
        say(f"  {command}")
    say(f"Open {done.report} in a browser; the tables are next to it.")
    return {"folder": done.folder, "report": done.report, "people": done.people, "left_out": done.left_out,
            "commands": done.commands}  # fmt: skip
