"""Arguments and options that several commands share, and how their text is read."""

import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from omote.errors import OmoteError
from omote.methods.registry import DEFAULT_METHOD, METHODS
from omote.runs.shipped import SHIPPED, explain_missing, split_model

_OTHERS = [name for name in METHODS if name != DEFAULT_METHOD]
METHODS_HELP = f"Method: {DEFAULT_METHOD} (the default), {', '.join(_OTHERS[:-1])} or {_OTHERS[-1]}."

MOST = 10**6  # of anything that is counted on the command line


def number(text: str, least: float = 1, most: float = MOST) -> Any:
    """Return an option that takes a number within bounds, with its help text; every number of the command line is one.

    Others, such as inf and integers of 5,000 digits, are a usage error before the command does anything.
    """
    return typer.Option(min=least, max=most, help=text)


def check_face_set(path: Path | None) -> Path | None:
    """Return the path; raise OmoteError, before anything heavy is loaded, if it is no face set."""
    if path is not None and not (path / "about.json").is_file():
        from omote.data.face_set import open_face_set

        open_face_set(path)
    return path


def check_run(run: Path) -> Path:
    """Return the path; raise OmoteError, before torch is loaded, if it is no run."""
    if problem := explain_missing(run):
        raise OmoteError(problem)
    return run


def check_runs(runs: list[Path]) -> list[Path]:
    """Return the paths; raise OmoteError, before torch is loaded, if one is no run."""
    return [check_run(run) for run in runs]


def check_table(path: Path) -> Path:
    """Return the path; raise OmoteError, before anything heavy is loaded, if there is no such table."""
    if not path.exists():
        raise OmoteError(f"there is no table {path}; make one with `omote embed`")
    return path


def check_tables(paths: list[Path]) -> list[Path]:
    """Return the paths; raise OmoteError, before anything heavy is loaded, if there is no such table."""
    return [check_table(path) for path in paths]


def split_inputs(given: list[str]) -> tuple[str, list[str]]:
    """Return the model to use and the inputs; raise OmoteError, before torch is loaded, if one of them is missing."""
    model, inputs = split_model(given)
    if not inputs:
        missing = (
            "" if model == SHIPPED or Path(model).exists() else f" (and there is no file or folder {model})"
        )
        raise OmoteError(f"only a run was given, {model}{missing}; name photos or videos too")
    for name in inputs:
        if name != "-" and "://" not in name and not name.isdecimal() and not Path(name).exists():
            raise OmoteError(f"{name} does not exist")
    return model, inputs


FaceSetArgument = Annotated[
    Path, typer.Argument(help="Face set: a folder made by `omote prepare`.", callback=check_face_set)
]
RunArgument = Annotated[Path, typer.Argument(help="Run: a folder made by `omote train`.", callback=check_run)]
RunsArgument = Annotated[
    list[Path],
    typer.Argument(help="One or more runs: folders made by `omote train`.", callback=check_runs),
]
RunOrOnnxArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Run (a folder made by `omote train`), or an ONNX file made by `omote export`."
    ),
]
OptionalRunArgument = Annotated[
    Path,
    typer.Argument(
        help="Run: a folder made by `omote train`. Default: the model that comes with omote.",
        show_default=False,
        callback=check_run,
    ),
]
OptionalRunsArgument = Annotated[
    list[Path],
    typer.Argument(
        default_factory=lambda: [Path(SHIPPED)],
        help="One or more runs: folders made by `omote train`. Default: the model that comes with omote.",
        show_default=False,
        callback=check_runs,
    ),
]

To = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Folder to create for the result.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")]
Workers = Annotated[int | None, number("Number of parallel processes. Default: one per CPU core.", most=1024)]
Cropped = Annotated[
    bool, typer.Option("--cropped", help="The images are already cropped to the face: skip face detection.")
]
Detector = Annotated[
    Path | None,
    typer.Option(
        help="Another copy of the face detector's model file (YuNet). Default: the file named by the environment "
        "variable OMOTE_DETECTOR; without it, the one that comes with omote."
    ),
]
Largest = Annotated[
    int | None,
    number("Keep so many faces of each picture, the largest ones; 1 ignores all bystanders. Default: all."),
]
Clusters = Annotated[int, number("Number of clusters, the k of k-means. The paper uses 9.", least=2)]
KmeansRuns = Annotated[int, number("Number of times to run k-means, each with a seed of its own.")]
FramesPerSecond = Annotated[
    float | None, number("For videos: frames per second to use. Default: all.", 0.001, 1000)
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="Search no finer than it takes to find one clear face: faster on large pictures, but small faces are "
        "missed beside a large one.",
    ),
]


class Turn(StrEnum):
    """By how many degrees pictures are turned clockwise."""

    none = "0"
    right = "90"
    over = "180"
    left = "270"
    auto = "auto"

    @property
    def degrees(self) -> Any:
        """The same as the argument `rotate` takes it."""
        return self.value if self is Turn.auto else int(self.value)


Rotate = Annotated[
    Turn,
    typer.Option(
        help="Turn the pictures clockwise by so many degrees; auto: each photo and video as its faces look most "
        "upright. For recordings that lie on a side without a tag that says so."
    ),
]
Photo = Annotated[
    Path | None,
    typer.Option(
        help="Photo of the person, whose face is then looked for by its appearance; best a frame of the same video. "
        "Or a folder with one for each person, named after them: ann.jpg."
    ),
]
UseDoubted = Annotated[
    bool, typer.Option("--all", help="Use all rows, also those that the column trusted says not to trust.")
]
OwnAxes = Annotated[
    list[Path] | None,
    typer.Option(
        "--axis",
        metavar="FILE",
        help="Own axis: a .json file made by `omote axis`, for a column from 0 to 1. May be given several times. Axes "
        "that come with a run are added in any case.",
    ),
]
Manifest = Annotated[
    Path | None,
    typer.Option(
        help="CSV file with the columns path and subject, and optionally clip, frame, expression, use; further "
        "columns, such as condition, go into the table."
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="K/N",
        help="Do only the K-th of N shares of the inputs, from 1, and write it as a part to the folder of --to; give "
        "the same command with every K, on as many machines as you like, then `omote join`.",
    ),
]
Credit = Annotated[str | None, typer.Option(help="Text to print below each picture.")]


def parse_pair(text: str, option: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE.

    Raises:
        OmoteError: If ``text`` has another form; the message names ``option``.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise OmoteError(f'{option} was given "{text}"; it takes NAME=VALUE')
    return name, value


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """Return K and N of --shard K/N; raise OmoteError, before anything heavy is loaded, if there is no such share."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found:
        raise OmoteError(
            f'--shard was given "{text}"; it takes K/N, such as 3/10 for the third of ten shares'
        )
    number, count = int(found[1]), int(found[2])
    if not 1 <= number <= count:
        hint = "; a Slurm array counts from 1 with --array=1-N" if number == 0 else ""
        raise OmoteError(f"--shard was given {text}; K goes from 1 to N{hint}")
    return number, count


def parse_test_subjects(text: str | None) -> int | list[str] | None:
    """Return the value of --test-subjects: a number of people, their names, or None if it was not given."""
    return text if text is None else int(text) if text.isdecimal() and len(text) < 10 else text.split(",")


def parse_setting(text: str) -> tuple[str, Any]:
    """Return key and value of --set; the value is read as TOML (0.5, true, ["a", "b"]) if it is TOML, else as text."""
    key, value = parse_pair(text, "--set")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # among them TOMLDecodeError
        return key, value
