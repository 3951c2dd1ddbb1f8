"""Numbers on the command line: out of bounds, they are refused in a sentence before the command does anything."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from omote.cli.embed import parse_seconds
from omote.cli.main import app
from omote.data.videos import Excerpt
from omote.errors import OmoteError

NO_NUMBERS = ("nan", "inf", "9" * 5000)


def numeric_options() -> Iterator[tuple[list[str], Any]]:
    """Yield the words of each command, such as prepare and drawn, with each of its options that takes a number."""
    root = typer.main.get_command(app)
    context = typer.Context(root)

    def walk(command: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
        if hasattr(command, "list_commands"):
            for name in command.list_commands(context):
                yield from walk(command.get_command(context, name), [*words, name])
        else:
            yield from (
                (words, each) for each in command.params if each.type_descriptor.annotation in (int, float)
            )

    yield from walk(root, [])


OPTIONS = list(numeric_options())


def refuse(words: list[str], option: str, value: str) -> str:
    """Return what a command says to a value, and check that it is a usage error."""
    result = CliRunner().invoke(app, [*words, f"{option}={value}"])
    assert result.exit_code == 2, (words, option, value[:20], result.output)
    return result.output


def test_there_are_numbers_in_most_commands() -> None:
    assert len({words[0] for words, _ in OPTIONS}) >= 9
    assert len(OPTIONS) > 50


@pytest.mark.parametrize(("words", "option"), OPTIONS, ids=[f"{' '.join(w)} {o.opts[0]}" for w, o in OPTIONS])
def test_every_number_has_bounds_and_others_are_a_usage_error(words: list[str], option: Any) -> None:
    name = option.opts[0]
    assert option.min is not None
    assert option.max is not None
    for value in (*NO_NUMBERS, str(option.min - 1), str(option.max + 1)):
        assert name in refuse(words, name, value)


def test_an_error_says_what_was_given_and_what_is_expected() -> None:
    said = refuse(["embed"], "--workers", "-3")
    assert "--workers" in said
    assert "greater than or equal to 1" in " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize("value", ["nan", "-1", "inf", "1e999", "1:nan", "9" * 5000])
def test_times_that_are_no_times_are_refused(value: str) -> None:
    with pytest.raises(OmoteError):
        Excerpt(start=parse_seconds(value, "--start")).check()
