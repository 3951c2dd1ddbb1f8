"""`omote reproduce`: the paper's Table 3 and Figures 3 to 5."""

from typing import Annotated, Any

import typer

from omote.cli.display import reproduction_progress, resumable, say, show_table, status
from omote.cli.inputs import FaceSetArgument, To, number, parse_setting, parse_test_subjects
from omote.errors import OmoteError


def reproduce(
    faces: FaceSetArgument,
    to: To,
    rows: Annotated[
        str | None,
        typer.Option(help="Rows of Table 3, such as 1,4. Default: all; row 5 needs faces of 128 px."),
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="Amount of training. paper: as in the paper, for a GPU; small: at least half an hour per seed on two "
            "cores; tiny: only to see that it runs."
        ),
    ] = "small",
    seeds: Annotated[int, number("Number of times to train each row, each with its own seed.")] = 1,
    folds: Annotated[
        int,
        number("Number of folds of a cross-validation by subject; 1 for a single train/test split."),
    ] = 1,
    test_subjects: Annotated[
        str | None,
        typer.Option(
            help="People to hold out of training, for testing: how many (5), or their names (ann,bob). Default: a "
            "fifth of them."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting for all rows, as NAME=VALUE, such as options.kl_weight=0.01. Can be repeated.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        number("Number of trainings at a time. Default: one per CPU core, or one on a GPU.", most=1024),
    ] = None,
) -> dict[str, Any]:
    """Reproduce the paper's Table 3 and Figures 3 to 5.

    If the command is stopped, run it again to continue. Finished trainings are kept: with more rows or seeds, only
    the new ones are trained. Tables and report cover the rows and seeds of the latest command.
    """
    from omote.data.face_set import open_face_set

    try:
        numbers = None if rows is None else [int(row) for row in rows.split(",")]
    except ValueError:
        raise OmoteError(f'--rows was given "{rows}"; it takes numbers of rows, such as 1,4') from None
    face_set = open_face_set(faces)
    from omote.reproduction.execute import execute
    from omote.reproduction.plan import make_plan
    from omote.reproduction.reproduce import write_results

    plan = make_plan(
        face_set, to, rows=numbers, scale=scale, seeds=seeds, folds=folds,
        test_subjects=parse_test_subjects(test_subjects),
        settings=dict(map(parse_setting, settings or ())),
    )  # fmt: skip
    advice = "Run the same command again to continue; at most two minutes of training are lost."
    with resumable(advice), reproduction_progress([each.name for each in plan.trainings]) as progress:
        execute(plan, workers=workers, progress=progress)
    with status("writing tables and pictures"):
        results = write_results(plan)
    show_table(results)
    say(f"Open {plan.to / 'report.html'} in a browser; table.csv, table.tex and the pictures are next to it.")
    return {"page": plan.to / "report.html", "table": plan.to / "table.csv"}
