"""Terminal output: messages, progress bars and tables."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from omote.data.face_set import FaceSet
    from omote.reproduction.results import Results
    from omote.training.loop import TrainingProgress

INTERRUPTED = 130  # exit code that a shell expects after Ctrl-C

# Of the processes that torchrun starts, only the first prints messages; all print errors.
console = Console(highlight=False, quiet="TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0")
errors = Console(stderr=True, highlight=False)


def say(text: str, to: Console = console) -> None:
    """Print a line unchanged: brackets in a path are not markup, and long lines are not wrapped."""
    to.print(text, soft_wrap=True, markup=False)


@contextmanager
def resumable(advice: str = "Run the same command again to continue.") -> Iterator[None]:
    """On Ctrl-C, print ``advice`` instead of a traceback and end with exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"Stopped. {advice}", to=errors)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left; yields a function of (done, total)."""
    from rich.progress import MofNCompleteColumn

    bars = _bars(MofNCompleteColumn())
    task = bars.add_task(title, total=None)

    def show(done: int, total: int) -> None:
        bars.start()  # only once there is progress, so that no bar precedes an error message
        bars.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bars.live.is_started:
            bars.stop()


@contextmanager
def training_progress(title: str) -> Iterator[Callable[["TrainingProgress"], None]]:
    """Show a bar per stage with the epoch, the speed and the time left; finished stages stay on the screen."""
    from rich.progress import TextColumn

    column = TextColumn("epoch {task.fields[epoch]}  {task.fields[speed]}")
    with _bars(column, elapsed_when_finished=True, speed_estimate_period=60) as bars:
        tasks: dict[int, TaskID] = {}
        images, since = 0, 0.0

        def show(now: "TrainingProgress") -> None:
            nonlocal images, since
            if now.stage_number not in tasks:
                images, since = 0, time.monotonic()
                name = f"{title}, stage {now.stage_number} of {now.num_stages} ({now.stage})"
                task = bars.add_task(name, total=now.num_steps, completed=now.step - 1, epoch="", speed="")
                tasks[now.stage_number] = task
            images += now.num_images
            seconds = time.monotonic() - since
            bars.update(
                tasks[now.stage_number],
                completed=now.step,
                epoch=f"{now.epoch} of {now.num_epochs}",
                speed=f"{images / seconds:,.0f} images/s" if seconds > 1 else "",
            )

        yield show


@contextmanager
def reproduction_progress(names: list[str]) -> Iterator[Callable[[str, int, int], None]]:
    """Show one bar for all trainings together and one for each training in progress.

    Yields a function of (name, steps done, total steps). The time left assumes that all trainings take equally long.
    The longest start first, so it is overestimated rather than underestimated.
    """
    from rich.progress import TextColumn

    with _bars(TextColumn("{task.percentage:>3.0f} %"), speed_estimate_period=600) as bars:
        everything = bars.add_task(f"{len(names)} training{'s' * (len(names) > 1)}", total=len(names))
        tasks: dict[str, TaskID] = {}
        shares = dict.fromkeys(names, 0.0)

        def show(name: str, done: int, total: int) -> None:
            shares[name] = done / total
            if name not in tasks and done < total:
                tasks[name] = bars.add_task(f"  {name}", total=1.0)
            if name in tasks:
                bars.update(tasks[name], completed=shares[name], visible=done < total)
            bars.update(everything, completed=sum(shares.values()))

        yield show


def _bars(column: Any, *, elapsed_when_finished: bool = False, speed_estimate_period: float = 30) -> "Bars":
    """Return rich's progress display: description, bar, ``column``, time left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    time_left = TimeRemainingColumn(elapsed_when_finished=elapsed_when_finished)
    columns = (TextColumn("{task.description}"), BarColumn(), column, time_left)
    return Progress(*columns, console=console, speed_estimate_period=speed_estimate_period)


def show_table(results: "Results") -> None:
    """Print Table 3 with the paper's figures and ours side by side."""
    from rich.table import Table

    shown = Table("row", "", "px", box=None)
    for people in ("train", "test"):
        shown.add_column(f"paper, {people}", no_wrap=True)
        shown.add_column(f"here, {people}", no_wrap=True)
    for result in results.rows:
        row = result.row
        cells = []
        for people, printed in (("train", row.train), ("test", row.test)):
            ours = result.accuracy[people]
            value, deviation = 100 * ours.value, 100 * ours.kmeans_deviation
            cells.append("–" if printed is None else f"{printed[0]:.2f}")
            cells.append("–" if ours.value != ours.value else f"{value:.2f} ± {deviation:.2f}")
        shown.add_row(str(row.number), row.title, str(row.size), *cells)
    console.print(shown)


def show_face_set(face_set: "FaceSet") -> None:
    """Print the contents of a face set, and how many images were skipped."""
    counts = face_set.about.counts
    say(f"{face_set.path}: {len(face_set)} faces of {len(face_set.subjects)} people, {face_set.size} px")
    for name, content in (("expressions", counts.expressions), ("skipped", counts.skipped)) if counts else ():
        if content:
            say(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in content.items()))
    skipped = face_set.skipped()
    if len(skipped):
        say(f"  {len(skipped)} skipped; the reasons are in {face_set.path / 'skipped.csv'}")


def show_scores(table: Any) -> None:
    """Print one table per group of people and code, followed by the reasons for missing or qualified scores."""
    from rich.table import Table

    for (people, code), rows in table.groupby(["people", "code"], sort=False):
        shown = Table(f"{people} people, {code} code", "value", "deviation", "chance", box=None)
        for row in rows.itertuples(index=False):
            if row.value == row.value:
                numbers = ("" if x != x else f"{x:.3f}" for x in (row.value, row.deviation, row.chance))
                shown.add_row(row.score, *numbers)
        if shown.rows:
            console.print(shown)
        for reason, concerned in rows[rows["reason"] != ""].groupby("reason", sort=False):
            missing = concerned["value"].isna().all()
            say(f" {people} people, {code} code{', no score' if missing else ''}: {reason}")
        say("")


AUDIT_COLUMNS = {  # title -> group and score
    "who\nnearest": ("identity", "subject_nearest_neighbour_across_expressions"),
    "who\nprobe": ("identity", "subject_probe_linear"),
    "what\nclusters": ("expression", "accuracy"),
    "what\nprobe": ("expression", "expression_probe"),
    "action\nunits": ("factors", "r2_au"),
}


def show_audit(table: Any) -> None:
    """Print one table per group of people: how often the person and the expression are recognised, and the R2 of the
    true action units."""
    from rich.table import Table

    for people, of_people in table[table["reading"] == "mean"].groupby("people", sort=False):
        shown = Table(box=None)
        shown.add_column("everyone" if people == "everyone" else f"{people} people", no_wrap=True)
        for title in AUDIT_COLUMNS:
            shown.add_column(title, justify="right")
        of_scores = of_people.set_index(["group", "score"])
        features = of_people.loc[of_people["group"] == "identity", "feature"].unique()
        for feature in features:
            values = of_scores[of_scores["feature"] == feature]["value"]
            name = feature.replace(", subject mean removed", " less mean")
            shown.add_row(name, *(two_digits(values.get(score)) for score in AUDIT_COLUMNS.values()))
        chances = of_scores["chance"].groupby(level=["group", "score"]).median()
        shown.add_row("by chance", *(two_digits(chances.get(score)) for score in AUDIT_COLUMNS.values()))
        console.print(shown)
        say("")


def two_digits(value: float | None) -> str:
    """Return the value with two decimals, or a dash for None and NaN."""
    return "–" if value is None or value != value else f"{value:.2f}"
