"""`omote export`: a run as ONNX files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import say, status
from omote.cli.inputs import OptionalRunArgument
from omote.runs.shipped import SHIPPED


def export(
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="File to write for the encoder, such as model.onnx.")
    ],
    run: OptionalRunArgument = Path(SHIPPED),
) -> dict[str, Any]:
    """Write a run as ONNX files, which other programs can use without PyTorch.

    model.onnx is the expression encoder; `omote embed` accepts it in place of a run. If the method has them, the
    identity encoder (model.identity.onnx) and the decoder (model.decoder.onnx) are written next to it. The outputs of
    all files are compared with PyTorch before they are saved.
    """
    from omote.export.onnx import check_onnx_path, export_onnx
    from omote.runs.trained import load

    check_onnx_path(to)
    trained = load(run)
    with status("exporting"):
        files = export_onnx(trained, to)
    for file in files:
        say(f"{file.path}: the {file.part}, {', '.join(file.inputs)} -> {', '.join(file.outputs)}")
    largest = max(file.difference for file in files)
    say(f"Compared with PyTorch in batches of 1, 2 and 7: outputs differ by at most {largest:.1e}.")
    return {"files": [file.path for file in files], "largest_difference": largest}
