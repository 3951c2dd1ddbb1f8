"""The command `omote`. Each command collects its arguments, calls the public functions and shows the results.

Commands import heavy packages only when they run, so that `omote --help` answers at once.
"""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.analyse import analyse
from omote.cli.app import app as open_app
from omote.cli.audit import audit
from omote.cli.axes import axis, fit_axes
from omote.cli.choose import choose
from omote.cli.commands import Group, add_command
from omote.cli.compare import compare
from omote.cli.display import errors, escape_controls, say
from omote.cli.embed import embed
from omote.cli.evaluate import evaluate
from omote.cli.events import events
from omote.cli.export import export
from omote.cli.join import join
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
    "**prepare** cuts faces out of photos and videos: a *face set*. **train** makes a *run*, a folder with a trained "
    "model, of a face set. A run turns each face into an *expression code*: 64 numbers that describe the expression, "
    "and are alike for the same expression of different people. **embed** writes the codes of photos and videos to a "
    "table, the *features*.\n\n"
    "**omote demo** shows all of it on drawn faces in a few minutes."
)

FAULT = 70  # exit code for a fault of omote itself, as in sysexits.h


class _Commands(Group):
    """The commands in the order of use; control characters of an argument are escaped where a usage error quotes it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, preparation first."""
        return sorted(super().list_commands(ctx), key="prepare".__ne__)

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
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.add_typer(prepare, name="prepare", rich_help_panel="Faces")


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
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Folder for the faces, runs and pages.")
    ] = Path("demo"),
) -> dict[str, Any]:
    """Draw faces, train two methods on them, and write a web page with scores and pictures, in a few minutes."""
    from omote.cli.demo import run_demo

    page = run_demo(to)
    say(f"Open {page} in a browser.")
    return {"page": page}


COMMANDS: dict[str, dict[Callable[..., Any], tuple[str, ...]]] = {  # panel -> command -> examples
    "Training": {
        train: (
            "omote train faces --to run --test-subjects 5",
            "omote train faces --to run --config london --epochs 50",
        ),
        options: ("omote options proposed",),
    },
    "Scores": {
        evaluate: ("omote evaluate run faces",),
        choose: ("omote choose run1 run2 run3",),
        audit: (
            "omote audit run --judge run2",
            "omote audit features.csv --columns AU,pose_",
            "omote audit run --write-swaps swaps",
        ),
    },
    "Features": {
        analyse: (
            "omote analyse people --to results",
            "omote analyse people --to results --conditions rest,smile --fps 10 --xlsx",
        ),
        embed: (
            "omote embed interview.mp4 --to features.parquet",
            "omote embed photos --to features.csv --profile ann.json",
            "omote embed interview.mp4 --to features.parquet --axis smile.json",
            "omote embed videos --to parts --shard 3/10",
            "omote embed s3://bucket/videos --to parts --on ray",
        ),
        join: (
            "omote join parts --to features.parquet",
            "omote join parts --to faces",
        ),
        profile: (
            "omote profile features.parquet --to ann.json",
            "omote profile ann1.mp4 ann2.mp4 --to ann.json",
            "omote profile people --to profiles",
        ),
        compare: (
            "omote compare features.parquet --to comparison.csv",
            "omote compare features.parquet --conditions rest,smile",
            "omote compare interview.parquet --synchrony",
        ),
        axis: (
            "omote axis --low calm1.jpg,calm2.jpg --high smile1.jpg,smile2.jpg --name smile --to smile.json",
            "omote axis --low features.parquet:12 --high features.parquet:90 --name 'jaw open' --to jaw.json",
        ),
        fit_axes: ("omote fit-axes run faces --to run/axes.json",),
        events: (
            "omote events features.parquet --to events.csv",
            "omote events features.parquet --to events.eaf",
        ),
        plot: ("omote plot features.parquet",),
        export: ("omote export --to model.onnx",),
    },
    "Pictures": {
        swap: (
            "omote swap run --faces faces --to swap.png",
            "omote swap --identity ann.jpg --expression bob.jpg --to swap.png",
            "omote swap --identity ann.jpg --expression bob.jpg --on-photo --photos-to changed --to swap.png",
        ),
        interpolate: (
            "omote interpolate run --faces faces --to strip.png",
            "omote interpolate --identity calm.jpg --expression smile.jpg --to strip.png",
        ),
    },
    "Everything at once": {
        open_app: ("omote app", "omote app run --port 8000"),
        demo: ("omote demo --to demo",),
        reproduce: ("omote reproduce faces --to paper --rows 1,4 --seeds 3",),
    },
}
for panel, commands in COMMANDS.items():
    for command, examples in commands.items():
        add_command(app, command, *examples, name=command.__name__.replace("_", "-"), panel=panel)


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
