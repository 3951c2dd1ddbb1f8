"""`omote audit`: what a code contains."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import progress_bar, say, show_audit, status
from omote.cli.inputs import Clusters, KmeansRuns, Workers
from omote.errors import OmoteError
from omote.runs.shipped import explain_missing


def _check_inputs(inputs: list[Path]) -> list[Path]:
    """Return the paths; raise OmoteError, before torch is loaded, if one is missing."""
    for path in inputs:
        if not path.exists() and explain_missing(path):
            raise OmoteError(f"there is no run and no table of features {path}")
    return inputs


def audit(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            callback=_check_inputs,
            help="One or more runs (folders) or feature tables (.parquet or .csv files), of omote or any other tool. "
            "Several are shown side by side.",
        ),
    ],
    faces: Annotated[
        Path | None,
        typer.Option(
            help="Face set (folder). Default: the one that the run was trained on. A table can be audited without, but "
            "then there are no baselines."
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="Folder for report.html, audit.csv, audit.json and the pictures. Default: audit, in the folder of the "
            "first run; or TABLE-audit, next to the first table.",
        ),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="Second run (folder), trained with another seed or method. It judges the swapped images."
        ),
    ] = None,
    judge_table: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Answers of any other judge to the images of --write-swaps (.csv or .parquet), with the columns "
            "image, identity and expression (names), or identity_0, expression_0 and so on (numbers).",
        ),
    ] = None,
    write_swaps: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write the swapped and the real images with images.csv for such a judge, and audit nothing.",
        ),
    ] = None,
    test_subjects: Annotated[
        str | None,
        typer.Option(
            help="Names of the people held out of training: ann,bob. Not needed for a run on its own training faces."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Feature columns of the tables, by name or by the beginning of the name, such as AU,pose_. Default: "
            "z_e_00, z_e_01 and so on; without them, all numeric columns."
        ),
    ] = None,
    kmeans_runs: KmeansRuns = 100,
    clusters: Clusters = 9,
    workers: Workers = None,
) -> dict[str, Any]:
    """Measure what a code contains: who the person is, which expression it is, and whether it moves as the face does.

    Every score comes with its chance level, a 95 % interval over people, and baselines that were never trained.
    """
    from omote.data.face_set import open_face_set
    from omote.evaluation.audit import audit, write_audit_swaps
    from omote.figures.audit.report import write_audit_report
    from omote.files import locked

    face_set = None if faces is None else open_face_set(faces)
    people = test_subjects.split(",") if test_subjects else None
    if write_swaps:
        if judge or judge_table or to or columns:
            raise OmoteError(
                "--write-swaps scores nothing; leave out --judge, --judge-table, --to and --columns"
            )
        with progress_bar("writing images") as progress:
            count = write_audit_swaps(inputs, write_swaps, face_set, test_subjects=people, progress=progress)
        say(f"{write_swaps} holds {count} images, listed in images.csv.")
        say("Next: give a table of a judge's answers to omote audit --judge-table")
        return {"folder": write_swaps, "images": count}
    folder = to or _default_folder(inputs[0])
    if folder.is_file():
        raise OmoteError(f"{folder} is a file; give a folder with --to")
    with progress_bar("auditing") as progress:
        found = audit(
            inputs,
            face_set,
            judge=judge,
            judge_table=judge_table,
            test_subjects=people,
            columns=columns.split(",") if columns else (),
            k=clusters,
            seeds=kmeans_runs,
            workers=workers,
            progress=progress,
        )
    given: dict[str, object] = {
        "--faces": faces,
        "--to": to,
        "--judge": judge,
        "--judge-table": judge_table,
        "--test-subjects": test_subjects,
        "--columns": columns,
        "--kmeans-runs": None if kmeans_runs == 100 else kmeans_runs,
        "--clusters": None if clusters == 9 else clusters,
    }
    words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    found.about["commands"] = [shlex.join(["omote", "audit", *map(str, inputs), *words])]
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "is writing an audit"), status("drawing"):
        found.save(folder)
        page = write_audit_report(found, folder)
    show_audit(found.table)
    say(f"Open {page} in a browser: it shows all scores, their 95 % intervals and pictures.")
    say("audit.csv and audit.json hold the same scores for other programs.")
    if found.frames["expression"].isna().all():
        say(
            "No face has an expression label, so the columns “what” are empty. Next: omote choose, which needs none"
        )
    return {"page": page, "scores": found.table}


def _default_folder(given: Path) -> Path:
    """Return the folder for the results: inside a run, or next to a table and named after it."""
    return given / "audit" if given.is_dir() else given.with_name(f"{given.stem}-audit")
