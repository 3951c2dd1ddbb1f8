"""The command `omote`: it collects arguments, calls the public functions and shows what they return.

Heavy imports stand inside the commands, so that `omote --help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from omote import __version__
from omote.cli.audit import audit
from omote.cli.choose import choose
from omote.cli.display import console, errors, say, show_scores, show_table, training, trainings
from omote.cli.embed import INTERRUPTED, embed
from omote.cli.export import export
from omote.cli.inputs import (
    METHODS_HELP,
    Cropped,
    Detector,
    Overwrite,
    To,
    faces_and_people,
    faces_of_photos,
    load_makers,
    number_or_names,
    setting,
)
from omote.cli.plot import plot
from omote.cli.prepare import prepare
from omote.cli.profile import profile
from omote.errors import OmoteError

HELP = (
    "Learn what a face expresses, apart from whose face it is, without emotion labels.\n\n"
    "The way through: [bold]prepare[/] faces, [bold]train[/] a method on them, [bold]evaluate[/] it and [bold]audit[/] "
    "what its codes hold. Then [bold]embed[/] photos and videos (features out), relative to a person with their "
    "[bold]profile[/], and [bold]plot[/] the features; [bold]swap[/] and [bold]interpolate[/] expressions; "
    "[bold]export[/] to ONNX. "
    "[bold]omote demo[/] does all of it on drawn faces in a few minutes."
)

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(prepare, name="prepare")

Faces = Annotated[Path, typer.Argument(help="A face set, made by `omote prepare`.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="A run, made by `omote train`.", show_default=False)]
Runs = Annotated[
    list[Path], typer.Argument(help="One or more runs, made by `omote train`.", show_default=False)
]


def _show_version(asked: bool) -> None:
    if asked:
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
            f"torchrun starts processes that share a training; omote {context.invoked_subcommand} is started without it"
        )


@app.command()
def train(
    faces: Faces,
    to: To,
    method: Annotated[
        str | None,
        typer.Option(help=METHODS_HELP, show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file; see configs/.", show_default=False)
    ] = None,
    test_subjects: Annotated[
        str | None,
        typer.Option(
            help="Whom to hold out for testing: how many people, or names: ann,bob.", show_default=False
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs a stage.", show_default=False)] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="The most frames a step.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights, batches, noise and split.", show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other option, such as options.switch_weight=0; may be given several times. `omote options` lists "
            "them.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the whole configuration and stop.")
    ] = False,
) -> None:
    """Train a method. Stopped (Ctrl-C) and given again, the same command goes on where it was."""
    from omote.data.face_set import open_face_set
    from omote.runs.config import TrainConfig

    changes: dict[str, Any] = dict(setting(text) for text in settings or [])
    given: dict[str, Any] = {"method": method, "options.epochs": epochs}
    if test_subjects is not None:
        given["test_subjects"] = number_or_names(test_subjects)
    given |= {"batch_size": batch_size, "seed": seed}
    changes |= {key: value for key, value in given.items() if value is not None}
    resolved = TrainConfig.read(config, changes)
    if dry_run:
        console.print_json(resolved.model_dump_json())
        return
    face_set = open_face_set(faces)
    from omote.training.loop import train as run_training

    try:
        with training(resolved.method) as progress:
            trained = run_training(face_set, to, resolved, progress=progress, overwrite=overwrite)
    except KeyboardInterrupt:
        but = ", without --overwrite," if overwrite else ""
        say(f"Stopped. The same command{but} goes on where it was saved.", to=errors)
        raise typer.Exit(INTERRUPTED) from None
    held_out = len(trained.info.test_subjects)
    say(f"Trained {trained.name} on {len(trained.info.train_subjects)} people, {held_out} held out: {to}")
    say(f"Next: omote evaluate {to} {faces}")


@app.command()
def options(
    method: Annotated[str | None, typer.Argument(help=METHODS_HELP, show_default=False)] = None,
) -> None:
    """List every option of a training, with its default."""
    from pydantic import BaseModel
    from rich.table import Table

    from omote.runs.config import TrainConfig

    resolved = TrainConfig.read(None, {"method": method} if method else None)

    def rows(model: BaseModel, prefix: str) -> None:
        for name, field in type(model).model_fields.items():
            value = getattr(model, name)
            if not isinstance(value, BaseModel):
                table.add_row(prefix + name, str(value), field.description)

    table = Table("option", "default", "what it is", box=None)
    rows(resolved, "")
    rows(resolved.options, "options.")
    console.print(table)


@app.command()
def evaluate(
    run: Run,
    faces: Faces,
    seeds: Annotated[int, typer.Option(help="Runs of k-means.")] = 100,
    clusters: Annotated[int, typer.Option(help="k of k-means; the paper's is 9.")] = 9,
    centred: Annotated[
        bool,
        typer.Option(
            "--centred", help="Score each code less its person's mean code, as row 7 of the paper's Table 3."
        ),
    ] = False,
) -> None:
    """Score a run: clusters of expressions, and how far each code gives the subject away."""
    from omote.data.face_set import open_face_set
    from omote.evaluation.evaluate import evaluate
    from omote.runs.card import write_card
    from omote.runs.trained import load

    trained, face_set = load(run), open_face_set(faces)
    with console.status("scoring"):
        scores = evaluate(trained, face_set, k=clusters, seeds=seeds, centred=centred)
    to = run / "centred" if centred else run
    scores.save(to)
    if not centred:
        write_card(trained)
    show_scores(scores.table)
    say(f"Saved: {to / 'scores.csv'}")


app.command()(audit)
app.command()(choose)


app.command()(embed)
app.command()(profile)
app.command()(plot)
app.command()(export)


Credit = Annotated[str | None, typer.Option(help="A line below the picture.", show_default=False)]
FromFaces = Annotated[
    Path | None, typer.Option("--faces", help="A face set to choose the examples from.", show_default=False)
]
OfPeople = Annotated[
    str, typer.Option("--people", help="With --faces: train or test, the people the run held out, or all.")
]


@app.command()
def swap(
    runs: Runs,
    to: To,
    faces: FromFaces = None,
    people: OfPeople = "all",
    expressions: Annotated[
        int | None,
        typer.Option(help="With --faces: rows; one an expression if not given.", show_default=False),
    ] = None,
    identity: Annotated[list[Path] | None, typer.Option(help="A photo of who; several may be given.")] = None,
    expression: Annotated[
        list[Path] | None, typer.Option(help="A photo of which expression; several.")
    ] = None,
    cropped: Cropped = False,
    detector: Detector = None,
    credit: Credit = None,
) -> None:
    """Draw the paper's Figure 4: every expression on every face. From a face set, or from photos."""
    from omote.figures.paper.examples import choose_examples
    from omote.figures.paper.swap import plot_swap
    from omote.figures.picture import check_picture_path, save_picture

    check_picture_path(to)
    models = load_makers(runs)
    if faces is not None and not (identity or expression):
        face_set, subjects = faces_and_people(faces, models, people)
        who, which = choose_examples(face_set, subjects, expressions=expressions)
        columns, rows = face_set.faces[who], face_set.faces[which]
    elif identity and expression and faces is None:
        columns = faces_of_photos(identity, models, cropped, detector)
        rows = faces_of_photos(expression, models, cropped, detector)
    else:
        raise OmoteError(
            "give either --faces with a face set, or photos with both --identity and --expression"
        )
    save_picture(plot_swap(models, columns, rows, credit=credit), to)
    say(f"Drawn: {to}")


@app.command()
def interpolate(
    runs: Runs,
    to: To,
    faces: FromFaces = None,
    people: OfPeople = "all",
    source: Annotated[Path | None, typer.Option(help="A photo to begin with.", show_default=False)] = None,
    target: Annotated[Path | None, typer.Option(help="A photo to end with.", show_default=False)] = None,
    steps: Annotated[int, typer.Option(help="Pictures, both ends counted.")] = 9,
    cropped: Cropped = False,
    detector: Detector = None,
    credit: Credit = None,
) -> None:
    """Draw the paper's Figure 5: from one expression to another in equal steps, on the first face."""
    from omote.figures.paper.examples import choose_pairs
    from omote.figures.paper.interpolate import plot_interpolation
    from omote.figures.picture import check_picture_path, save_picture

    check_picture_path(to)
    models = load_makers(runs)
    if faces is not None and not (source or target):
        face_set, subjects = faces_and_people(faces, models, people)
        begin, end = choose_pairs(face_set, subjects)
        sources, targets = face_set.faces[begin], face_set.faces[end]
    elif source and target and faces is None:
        sources = faces_of_photos([source], models, cropped, detector)
        targets = faces_of_photos([target], models, cropped, detector)
    else:
        raise OmoteError("give either --faces with a face set, or photos with both --source and --target")
    save_picture(plot_interpolation(models, sources, targets, steps=steps, credit=credit), to)
    say(f"Drawn: {to}")


@app.command()
def reproduce(
    faces: Annotated[
        Path,
        typer.Argument(
            help="A face set; of 128 px for every row, of 64 px for all but row 5.", show_default=False
        ),
    ],
    to: To,
    rows: Annotated[
        str | None, typer.Option(help="Rows of Table 3, such as 1,4; all if not given.", show_default=False)
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="paper: the paper's training, for a GPU. small: half an hour or more a seed on two cores. tiny: to "
            "see it run."
        ),
    ] = "small",
    seeds: Annotated[int, typer.Option(help="Trainings of each row.")] = 1,
    folds: Annotated[
        int,
        typer.Option(help="Of a cross-validation by subject; 1 for one split into train and test people."),
    ] = 1,
    test_subjects: Annotated[
        str | None,
        typer.Option(
            help="Whom to hold out: how many people, or names: ann,bob; a fifth of them if not given.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Trainings at a time; one a core if not given, one on a GPU.", show_default=False),
    ] = None,
) -> None:
    """Make the paper's Table 3 and Figures 3 to 5 again.

    Stopped or killed and given again, it goes on where it was. What is trained is kept: with further rows or seeds,
    only those are trained. The tables and the report are of the rows and seeds asked for.
    """
    from omote.data.face_set import open_face_set

    try:
        numbers = None if rows is None else [int(row) for row in rows.split(",")]
    except ValueError:
        raise OmoteError(f'--rows was given "{rows}"; it takes numbers of rows, such as 1,4') from None
    face_set = open_face_set(faces)
    from omote.reproduction.plan import make_plan
    from omote.reproduction.reproduce import write_results
    from omote.reproduction.work import carry_out

    plan = make_plan(
        face_set, to, rows=numbers, scale=scale, seeds=seeds, folds=folds,
        test_subjects=None if test_subjects is None else number_or_names(test_subjects),
    )  # fmt: skip
    try:
        with trainings([training.name for training in plan.trainings]) as progress:
            carry_out(plan, workers=workers, progress=progress)
    except KeyboardInterrupt:
        say(
            "Stopped. The same command goes on from the last checkpoints, two minutes back at most.",
            to=errors,
        )
        raise typer.Exit(INTERRUPTED) from None
    with console.status("writing tables and pictures"):
        results = write_results(plan)
    show_table(results)
    say(f"Open {plan.to / 'report.html'} in a browser; table.csv, table.tex and the pictures are beside it.")


@app.command()
def demo(
    to: Annotated[Path, typer.Option("--to", help="Folder for faces, runs and pages.")] = Path("demo"),
) -> None:
    """Do all of it on drawn faces in a few minutes, and write a page about it."""
    from omote.cli.demo import run_demo

    page = run_demo(to)
    say(f"Open {page} in a browser.")


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit code 1."""
    try:
        app()
    except OmoteError as error:
        say(f"error: {error}", to=errors)
        sys.exit(1)
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        say(f"error: {error.strerror or error}{about}", to=errors)
        sys.exit(1)
