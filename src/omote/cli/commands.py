"""The habits of all commands: names of values in capitals, an example in each help text, --json and --quiet."""

import json
import math
from collections.abc import Callable, Sequence
from copy import copy
from enum import Enum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import ArgumentInfo

from omote.cli.display import silenced

Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on standard output, and nothing else there.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no messages and no progress; errors are printed still.")
]


class _Habits:
    """Shows no type beside flags and arguments, and no bounds beside numbers, which the error for others names."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters of the command."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            parameter._get_number_range_help_str = lambda: None
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: ""
            elif parameter.is_flag:
                parameter.metavar = ""
        return parameters


class Command(_Habits, TyperCommand):
    """A command."""


class Group(_Habits, TyperGroup):
    """A group of commands."""


def add_command(
    app: typer.Typer,
    function: Callable[..., Any],
    *examples: str,
    name: str | None = None,
    panel: str | None = None,
    help: str | None = None,
) -> None:
    """Add a command to ``app``. What ``function`` returns is what --json prints.

    Args:
        app: the commands.
        function: its signature gives the arguments and options, its docstring the help text.
        examples: command lines, shown below the help text.
        name: of the command; None for the function's.
        panel: title of the group in which the list of commands shows it.
        help: the help text, if it is not the docstring.
    """
    shown = "\n\n".join(
        ["Example:" if len(examples) == 1 else "Examples:", *(f"`{each}`" for each in examples)]
    )
    register = app.command(
        name or function.__name__,
        cls=Command,
        rich_help_panel=panel,
        help=help,
        epilog=shown,
    )
    register(_with_output_options(function))


def _with_output_options(function: Callable[..., Any]) -> Callable[..., None]:
    """Return the function with the options --json and --quiet, and with the names of values in capitals."""

    @wraps(function)
    def command(*arguments: Any, json: bool = False, quiet: bool = False, **options: Any) -> None:
        with silenced(json or quiet):
            result = function(*arguments, **options)
        if json:
            print(to_json(result))

    added = {"json": Json, "quiet": Quiet}
    parameters = [
        *signature(function).parameters.values(),
        *(
            Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=kind)
            for name, kind in added.items()
        ),
    ]
    parameters = [each.replace(annotation=_named(each.name, each.annotation)) for each in parameters]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _named(name: str, annotation: Any) -> Any:
    """Return the annotation of a parameter with a name for its value, unless it has one."""
    kind, *extra = get_args(annotation)
    info = copy(extra[0])
    if isinstance(info, ArgumentInfo):
        info.metavar = (info.metavar or name.upper()).removesuffix("...")
    elif info.metavar is None:
        info.metavar = _value_name(kind)
    return Annotated[kind, info]


def _value_name(kind: Any) -> str | None:
    """Return the name of a value of an option of this type, which may be optional or a list."""
    while get_args(kind):
        kind = get_args(kind)[0]
    if issubclass(kind, Enum):
        return "|".join(member.value for member in kind)
    return {bool: None, int: "N", float: "N", Path: "PATH"}.get(kind, "TEXT")


def to_json(value: Any) -> str:
    """Return a result as JSON: paths and other objects as text, tables as lists of rows, missing numbers as null."""

    def plain(part: Any) -> Any:
        if hasattr(part, "to_dict"):  # a DataFrame
            part = part.to_dict("records")
        if isinstance(part, dict):
            return {str(key): plain(each) for key, each in part.items()}
        if isinstance(part, Sequence | set) and not isinstance(part, str):
            return [plain(each) for each in part]
        if hasattr(part, "item"):  # a number of NumPy
            part = part.item()
        if isinstance(part, float) and not math.isfinite(part):
            return None
        return part if isinstance(part, int | float | str | None) else str(part)

    return json.dumps(plain(value), indent=2, ensure_ascii=False)
