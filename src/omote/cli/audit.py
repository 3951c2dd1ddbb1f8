"""`omote audit`: what a code really holds."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from omote.cli.display import console, counting, say, show_audit
from omote.cli.inputs import Workers
from omote.errors import OmoteError


def audit(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Runs, or tables of features (.parquet, .csv) of omote or of any other tool; several stand side by "
            "side.",
            show_default=False,
        ),
    ],
    faces: Annotated[
        Path | None,
        typer.Option(
            help="The face set; that of the training if not given. A table alone needs none, but with it there are "
            "baselines.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="Folder for report.html, audit.csv, audit.json and the pictures; beside the first input if not given.",
            show_default=False,
        ),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="Another run, trained with another seed or method, that reads the swapped images.",
            show_default=False,
        ),
    ] = None,
    test_subjects: Annotated[
        str | None,
        typer.Option(
            help="Who was held out, by name: ann,bob. Runs know it, on the faces of their training.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Of tables: the feature's columns, or how their names begin, such as AU,pose_. If not given: z_e_00 "
            "and so on, else all numbers.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs of k-means.")] = 100,
    clusters: Annotated[int, typer.Option(help="k of k-means; the paper's is 9.")] = 9,
    workers: Workers = None,
) -> None:
    """Say what a code really holds: who it is, which expression, and whether it moves as the face does.

    Every score stands with its chance, with a 95 % interval over people, and beside baselines that were never trained.
    """
    from omote.data.face_set import open_face_set
    from omote.evaluation.audit import audit as audited
    from omote.figures.audit.report import write_audit_report

    folder = to or _beside(inputs[0])
    if folder.is_file():
        raise OmoteError(f"{folder} is a file; give a folder with --to")
    with counting("auditing") as progress:
        found = audited(
            inputs,
            None if faces is None else open_face_set(faces),
            judge=judge,
            test_subjects=test_subjects.split(",") if test_subjects else None,
            columns=columns.split(",") if columns else (),
            k=clusters,
            seeds=seeds,
            workers=workers,
            progress=progress,
        )
    given: dict[str, object] = {
        "--faces": faces,
        "--to": to,
        "--judge": judge,
        "--test-subjects": test_subjects,
        "--columns": columns,
        "--seeds": None if seeds == 100 else seeds,
        "--clusters": None if clusters == 9 else clusters,
    }
    words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    found.about["commands"] = [shlex.join(["omote", "audit", *map(str, inputs), *words])]
    found.save(folder)
    with console.status("drawing"):
        page = write_audit_report(found, folder)
    show_audit(found.table)
    say(
        f"Open {page} in a browser: it has all scores, their 95 % intervals and pictures. audit.csv and audit.json have"
    )
    say("the same for other programs.")


def _beside(given: Path) -> Path:
    """Return the folder for the results: in a run, or beside a table and named after it."""
    return given / "audit" if given.is_dir() else given.with_name(f"{given.stem}-audit")
