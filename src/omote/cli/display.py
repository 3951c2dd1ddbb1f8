"""What the terminal shows while something takes long, and tables."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import TaskID

    from omote.data.face_set import FaceSet
    from omote.reproduction.results import Results
    from omote.training.loop import Progress

# of the processes that torchrun started the first one speaks; what goes wrong is said by each
console = Console(highlight=False, quiet="TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0")
errors = Console(stderr=True, highlight=False)


def say(text: str, to: Console = console) -> None:
    """Print a line as it is: brackets in a path are no markup, and a long path is not broken."""
    to.print(text, soft_wrap=True, markup=False)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left; gives a function of (done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Bars(*columns, console=console)
    task = bars.add_task(what, total=None)

    def show(done: int, total: int) -> None:
        bars.start()  # not before there is something to count, so that no bar stands before an error
        bars.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bars.live.is_started:
            bars.stop()


@contextmanager
def training(title: str) -> Iterator[Callable[["Progress"], None]]:
    """Show the stage, the epoch, the speed and the time left of the stage; a line stays for every stage done."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.fields[epoch]}  {task.fields[speed]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Bars(*columns, console=console, speed_estimate_period=60) as bars:
        tasks: dict[int, TaskID] = {}
        images, since = 0, 0.0

        def show(now: "Progress") -> None:
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
def trainings(names: list[str]) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for all trainings together, with the time left, and one for each that is under way.

    Gives a function of (name, steps done, steps in all). The time left takes all trainings for equally long; the
    longest come first, so it errs on the long side.
    """
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, speed_estimate_period=600) as bars:
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


def show_table(results: "Results") -> None:
    """Print Table 3, the paper's figures beside ours."""
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
    """Print what is in a face set, and what was left out of it."""
    counts = face_set.about.counts
    say(f"{face_set.path}: {len(face_set)} faces of {len(face_set.subjects)} people, {face_set.size} px")
    for name, content in (("expressions", counts.expressions), ("skipped", counts.skipped)) if counts else ():
        if content:
            say(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in content.items()))
    skipped = face_set.skipped()
    if len(skipped):
        say(f"  {len(skipped)} left out; each with its reason in {face_set.path / 'skipped.csv'}")


def show_scores(table: Any) -> None:
    """Print a block for each kind of people and code, and last why a score is missing or bent."""
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


AUDIT_COLUMNS = {  # of what is printed -> group and score
    "who\nnearest": ("identity", "subject_nearest_neighbour_across_expressions"),
    "who\nprobe": ("identity", "subject_probe_linear"),
    "what\nclusters": ("expression", "accuracy"),
    "what\nprobe": ("expression", "expression_probe"),
    "action\nunits": ("factors", "r2_au"),
}


def show_audit(table: Any) -> None:
    """Print a block for each kind of people: how often the person and the expression are found, and the R2 of the true
    action units."""
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
            shown.add_row(name, *(_two_digits(values.get(score)) for score in AUDIT_COLUMNS.values()))
        chances = of_scores["chance"].groupby(level=["group", "score"]).median()
        shown.add_row("by chance", *(_two_digits(chances.get(score)) for score in AUDIT_COLUMNS.values()))
        console.print(shown)
        say("")


def _two_digits(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.2f}"
