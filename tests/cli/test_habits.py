"""The habits of all commands: examples that work, names of values, --json, --quiet and completion."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from omote.cli.commands import to_json
from omote.cli.main import app
from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs.trained import Trained


def all_commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield the words, the command and its context of every command."""
    group = group or typer.main.get_command(app)
    context = group.make_context("omote", [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from all_commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command, command.make_context(name, [], resilient_parsing=True)


COMMANDS = {name: (command, context) for name, command, context in all_commands()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_it_accepts(name: str) -> None:
    command, _ = COMMANDS[name]
    examples = re.findall(r"`omote (.+?)`", command.epilog)
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert " ".join(words).startswith(name)
        with suppress(OmoteError):  # the files of the examples are not there
            command.make_context(name, words[len(name.split()) :])  # a usage error, if an option is not there


@pytest.mark.parametrize("name", COMMANDS)
def test_values_are_named_in_capitals_and_flags_have_none(name: str) -> None:
    printed = CliRunner().invoke(app, [*name.split(), "--help"]).output
    assert not re.search(r"<[a-z\[]|\d<=x", printed)
    command, context = COMMANDS[name]
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            assert parameter.metavar == parameter.metavar.upper()
        else:
            assert parameter.is_flag == (parameter.metavar == "")


def test_one_name_means_the_same_kind_of_value_in_all_commands() -> None:
    kinds = defaultdict(set)
    for name, (command, context) in COMMANDS.items():
        for option in command.get_params(context):
            kinds[option.opts[0]].add(option.metavar)
            if option.opts[0] == "--to":
                assert option.metavar in ("FOLDER", "FILE")
                assert option.metavar in option.help.upper(), name
    del kinds["--to"]
    assert not [name for name, kind in kinds.items() if name.startswith("-") and len(kind) > 1]


def run_json(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    return json.loads(result.stdout)


def test_with_json_standard_output_is_the_result_alone(
    tmp_path: Path, faces: FaceSet, trained: Trained
) -> None:
    drawn = run_json(
        "prepare", "drawn", "--to", tmp_path / "f", "--subjects", 2, "--clips", 1, "--workers", 1
    )
    assert (drawn["faces"], drawn["people"], drawn["skipped"]) == (72, 2, 0)
    assert drawn["face_set"] == str(tmp_path / "f")
    scores = run_json("evaluate", trained.path, faces.path, "--kmeans-runs", 1)["scores"]
    assert {"people", "code", "score", "value", "chance"} <= set(scores[0])
    table = run_json("embed", trained.path, faces.path, "--to", tmp_path / "t.csv")
    assert (table["faces"], table["skipped_files"]) == (len(faces), [])
    assert run_json("options", "vae")["options"]["width"] == 32
    assert run_json("train", faces.path, "--to", tmp_path / "r", "--seed", 4, "--dry-run")["seed"] == 4
    picture = run_json("swap", trained.path, "--faces", faces.path, "--to", tmp_path / "s.png")["picture"]
    assert Path(picture).is_file()


def test_quiet_prints_nothing_but_errors(tmp_path: Path, faces: FaceSet, trained: Trained) -> None:
    command = ["swap", str(trained.path), "--faces", str(faces.path), "--to", str(tmp_path / "s.png"), "-q"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert (result.output, (tmp_path / "s.png").is_file()) == ("", True)
    assert "Saved" in CliRunner().invoke(app, command[:-1], catch_exceptions=False).output
    failed = subprocess.run(
        [sys.executable, "-m", "omote", "export", str(tmp_path), "--to", "m.onnx", "--quiet"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("error: ")


def test_json_has_no_nan() -> None:
    assert json.loads(to_json({"a": float("nan"), "b": [Path("x"), (1, True, None)]})) == {
        "a": None,
        "b": ["x", [1, True, None]],
    }


def test_the_shell_completes_commands() -> None:
    asked = {"_OMOTE_COMPLETE": "complete_bash", "COMP_WORDS": "omote e", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['omote']; from omote.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["evaluate", "embed", "events", "export"]
