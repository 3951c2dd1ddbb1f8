"""`omote export`: a run as ONNX files."""

from pathlib import Path
from typing import Annotated

import typer

from omote.cli.display import console, say
from omote.cli.inputs import To


def export(
    run: Annotated[Path, typer.Argument(help="A run, made by `omote train`.", show_default=False)],
    to: To,
) -> None:
    """Write a run as ONNX files, which need no PyTorch: model.onnx, and beside it model.identity.onnx and
    model.decoder.onnx, where the method has them.

    Their outputs are compared with PyTorch's first. `omote embed` reads
    model.onnx as it reads a run.
    """
    from omote.export.onnx import check_onnx_path, export_onnx
    from omote.runs.trained import load

    check_onnx_path(to)
    trained = load(run)
    with console.status("exporting"):
        files = export_onnx(trained, to)
    for file in files:
        say(f"{file.path}: the {file.part}, {', '.join(file.inputs)} -> {', '.join(file.outputs)}")
    largest = max(file.difference for file in files)
    say(f"Compared with PyTorch in batches of 1, 2 and 7: they differ by {largest:.1e} at most.")
