"""`omote join`: one table, face set or analysis of the parts that commands with --shard made."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.analyse import show_analysis
from omote.cli.display import resumable, step_progress
from omote.cli.embed import show_embedded
from omote.cli.inputs import Overwrite
from omote.cli.prepare import show_prepared


def join(
    parts: Annotated[
        Path, typer.Argument(help="Folder of parts: the --to of the commands with --shard, or with --on ray.")
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE",
            help="File or folder for the result: a table (.parquet or .csv) of `omote embed`, a folder of `omote "
            "prepare` or `omote analyse`.",
        ),
    ],
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Join the parts that commands with --shard made: the result is that of one command without it.

    If a part is missing, or was made of other inputs, with another model or with other options, the command says which.
    The parts stay; remove their folder when you do not need them any more. As by `omote embed`, an existing table is
    replaced.
    """
    from omote.data.shards import read_shares

    shares = read_shares(parts)
    with resumable():
        if shares.request["kind"] == "faces":
            from omote.data.build import join_face_sets

            return show_prepared(join_face_sets(shares, to, overwrite=overwrite))
        if shares.request["kind"] == "analysis":
            from omote.analysis.analyse import join_analysis

            with step_progress() as progress:
                done = join_analysis(shares, to, overwrite=overwrite, progress=progress)
            return show_analysis(done)
        from omote.features.embed import join_features

        return show_embedded(join_features(shares, to), to)
