"""`omote train` and `omote options`: train a method, and list its settings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import console, resumable, say, training_progress
from omote.cli.inputs import (
    METHODS_HELP,
    FaceSetArgument,
    Overwrite,
    To,
    check_run,
    number,
    parse_setting,
    parse_test_subjects,
)


def train(
    faces: FaceSetArgument,
    to: To,
    method: Annotated[str | None, typer.Option(help=METHODS_HELP)] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Settings: a .toml file, or the name of a configuration that comes with omote: london, drawn, "
            "methods, row1 to row8.",
        ),
    ] = None,
    test_subjects: Annotated[
        str | None,
        typer.Option(
            help="People to hold out of training, for testing: how many (5), or their names (ann,bob). Default: "
            "nobody, unless --config says otherwise."
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A run or model to begin with, instead of random weights; shipped is the one that comes with omote. "
            "Its method and networks are taken too.",
            callback=lambda run: run and check_run(run),
        ),
    ] = None,
    epochs: Annotated[int | None, number("Number of epochs per training stage.")] = None,
    batch_size: Annotated[int | None, number("Largest number of frames per training step.", 2, 2**20)] = None,
    seed: Annotated[
        int | None,
        number("Random seed for the weights, the batches, the noise and the people held out.", 0, 2**63 - 1),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other setting, as NAME=VALUE, such as options.switch_weight=0. Can be repeated. `omote options` "
            "lists all settings and their defaults.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the complete configuration and stop.")
    ] = False,
) -> dict[str, Any]:
    """Train a method on a face set. If training is stopped, the same command continues it."""
    from omote.data.face_set import open_face_set
    from omote.runs.config import TrainConfig

    given = {
        "method": method,
        "options.epochs": epochs,
        "test_subjects": parse_test_subjects(test_subjects),
        "batch_size": batch_size,
        "seed": seed,
    }
    changes = _networks_of(start, method) if start else {}
    changes |= dict(parse_setting(text) for text in settings or [])
    changes |= {key: value for key, value in given.items() if value is not None}
    resolved = TrainConfig.read(config, changes)
    if dry_run:
        console.print_json(resolved.model_dump_json())
        return resolved.model_dump(mode="json")
    face_set = open_face_set(faces)
    from omote.data.splits import describe_subjects
    from omote.training.loop import train

    again = "the same command without --overwrite" if overwrite else "the same command again"
    with resumable(f"Run {again} to continue."), training_progress(resolved.method) as progress:
        trained = train(face_set, to, resolved, start=start, progress=progress, overwrite=overwrite)
    info = trained.info
    say(
        f"Trained {trained.name} on {len(info.train_subjects)} people, with {len(info.test_subjects)} held out: {to}"
    )
    if info.test_subjects:
        say(f"Held out: {describe_subjects(face_set.frames, info.test_subjects)}")
    say(f"Next: omote evaluate {to} {faces}")
    return {
        "run": to,
        "method": trained.name,
        "train_subjects": info.train_subjects,
        "test_subjects": info.test_subjects,
    }


def _networks_of(run: Path, method: str | None) -> dict[str, Any]:
    """Return the settings of a run or model that its weights depend on; none if another method is asked for."""
    from omote.runs.hub import find_model
    from omote.runs.info import read_run_info

    config = read_run_info(find_model(run)).config
    if method not in (None, config.method):
        return {}
    names = ("latent_size", "width", "activation", "normalisation", "discriminator_normalisation")
    options = config.options.model_dump(include=set(names))
    return {"method": config.method} | {f"options.{name}": value for name, value in options.items()}


def options(
    method: Annotated[str | None, typer.Argument(help=METHODS_HELP)] = None,
) -> dict[str, Any]:
    """List all settings of a training, with their defaults."""
    from pydantic import BaseModel
    from rich.table import Table

    from omote.runs.config import TrainConfig

    table = Table("option", "default", "what it is", box=None)

    def add_rows(model: BaseModel, prefix: str) -> None:
        for name, field in type(model).model_fields.items():
            value = getattr(model, name)
            if not isinstance(value, BaseModel):
                table.add_row(prefix + name, str(value), field.description)

    resolved = TrainConfig.read(None, {"method": method} if method else None)
    add_rows(resolved, "")
    add_rows(resolved.options, "options.")
    console.print(table)
    return resolved.model_dump(mode="json")
