"""The command `omote`. Each command collects its arguments, calls the public functions and shows the results.

Commands import heavy packages only when they run, so that `omote --help` answers at once.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from omote.cli.audit import audit
from omote.cli.choose import choose
from omote.cli.display import errors, escape_controls, say
from omote.cli.embed import embed
from omote.cli.evaluate import evaluate
from omote.cli.export import export
from omote.cli.pictures import interpolate, swap
from omote.cli.plot import plot
from omote.cli.prepare import prepare
from omote.cli.profile import profile
from omote.cli.reproduce import reproduce
from omote.cli.train import options, train
from omote.errors import OmoteError
from omote.files import say_why

HELP = (
    "Learn features of facial expressions, separated from the person's identity, without emotion labels.\n\n"
    "Typical steps: **prepare** a face set, **train** a method on it, **evaluate** it, and "
    "**audit** what its codes contain. Then **embed** photos and videos to get their features, if you like "
    "relative to a person's **profile**, and **plot** them. **swap** and **interpolate** draw "
    "expressions; **export** writes ONNX files.\n\n"
    "**omote demo** trains and compares methods on drawn faces in a few minutes."
)

FAULT = 70  # exit code for a fault of omote itself, as in sysexits.h


class _Commands(TyperGroup):
    """The commands; control characters of an argument are escaped where a usage error quotes it."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        return self._escape_errors(super().make_context, *args, **options)

    def invoke(self, context: Any) -> Any:
        return self._escape_errors(super().invoke, context)

    def _escape_errors(self, call: Any, *args: Any, **options: Any) -> Any:
        try:
            return call(*args, **options)
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):  # an error of click
                error.message = escape_controls(message)  # type: ignore[attr-defined]
            raise


app = typer.Typer(
    cls=_Commands,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(prepare, name="prepare")


def _show_version(asked: bool) -> None:
    if asked:
        from omote import __version__

        say(__version__)
        raise typer.Exit


@app.callback()
def _omote(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    if "TORCHELASTIC_RUN_ID" in os.environ and context.invoked_subcommand != "train":
        raise OmoteError(
            f"torchrun is only for omote train; run omote {context.invoked_subcommand} without torchrun"
        )


def demo(
    to: Annotated[Path, typer.Option("--to", help="Folder for the faces, runs and pages.")] = Path("demo"),
) -> None:
    """Draw faces, train four methods on them, and write a web page with scores and pictures, in a few minutes."""
    from omote.cli.demo import run_demo

    page = run_demo(to)
    say(f"Open {page} in a browser.")


for command in (
    train, options, evaluate, audit, choose, embed, profile, plot, export, swap, interpolate, reproduce, demo,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Run the command line. A user's mistake is reported in one sentence, with exit code 1.

    A fault of omote is reported in a few lines, with exit code 70.
    """
    try:
        app()
    except OmoteError as error:
        say(f"error: {error}", to=errors)
        sys.exit(1)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        say(f"error: {about}{say_why(error)}", to=errors)
        sys.exit(1)
    except MemoryError:
        say(
            "error: there is not enough memory. Close other programs, or give the command less data.",
            to=errors,
        )
        sys.exit(1)
    except Exception as error:
        say(f"error: a fault in omote, {type(error).__name__}: {error}", to=errors)
        places = (
            f"{Path(place.filename).name}:{place.lineno}"
            for place in traceback.extract_tb(error.__traceback__)
        )
        say(
            f"Please report it, with the command that you gave and this line: {' '.join([*places][-8:])}",
            to=errors,
        )
        sys.exit(FAULT)
