"""Terminal output: messages, progress bars and tables."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn, Task, TaskID

    from omote.data.face_set import FaceSet
    from omote.reproduction.results import Results
    from omote.training.loop import TrainingProgress

INTERRUPTED = 130  # exit code that a shell expects after Ctrl-C
MAX_LISTED = 5  # videos of several faces
REPORT_SECONDS = 30.0  # between two lines of a long command whose output is redirected
# Control characters but tab and newline, line and paragraph separators, changes of the writing direction, and bytes of
# file names that are no UTF-8.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape_controls(text: str) -> str:
    """Return the text with control characters as Python writes them: \\x1b for an escape, \\udcff for a stray byte."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


class _Console(Console):
    """Rich's console, for text that may hold names of files and people: no part of it acts on the terminal.

    Brackets are not markup, ":smile:" stays as it is, and control characters are shown escaped.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string, such as a line or a cell of a table, as rich measures and prints it."""
        return super().render_str(escape_controls(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is printed, of ready-made texts and progress bars too; rich's own control codes stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_controls(segment.text))


# Of the processes that torchrun starts, only the first prints messages; all print errors.
console = _Console(quiet="TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0")
errors = _Console(stderr=True)


def say(text: str, to: Console = console) -> None:
    """Print a line unchanged, without wrapping it; control characters are escaped."""
    to.print(text, soft_wrap=True)


@contextmanager
def silenced(quiet: bool) -> Iterator[None]:
    """Print no messages and no progress; errors are printed still."""
    before, console.quiet = console.quiet, quiet or console.quiet
    try:
        yield
    finally:
        console.quiet = before


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

    with _bars(MofNCompleteColumn()) as bars:
        task = bars.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bars.start()  # only once there is progress, so that no bar precedes an error message
            bars.update(task, completed=done, total=total)

        yield show


@contextmanager
def step_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar with the time left for each step; yields a function of (name of the step, done, total)."""
    from rich.progress import MofNCompleteColumn

    with _bars(MofNCompleteColumn()) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            bars.start()  # as in `progress_bar`
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=None)
            bars.update(tasks[step], completed=done, total=total)

        yield show


@contextmanager
def training_progress(title: str) -> Iterator[Callable[["TrainingProgress"], None]]:
    """Show a bar per stage with the epoch, the speed and the time left; finished stages stay on the screen."""
    from rich.progress import TextColumn

    column = TextColumn("epoch {task.fields[epoch]}  {task.fields[speed]}", markup=False)
    with _bars(column, elapsed_when_finished=True, speed_estimate_period=60) as bars:
        bars.start()
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
        bars.start()
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


@contextmanager
def status(title: str) -> Iterator[None]:
    """Show that the command works on something whose end is not known."""
    with console.status(title), _report(lambda: title):
        yield


@contextmanager
def _bars(
    column: "ProgressColumn", *, elapsed_when_finished: bool = False, speed_estimate_period: float = 30
) -> Iterator["Bars"]:
    """Give rich's progress display: description, bar, `column`, time left. It appears when the block starts it."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    time_left = TimeRemainingColumn(elapsed_when_finished=elapsed_when_finished)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), column, time_left)
    bars = Progress(*columns, console=console, speed_estimate_period=speed_estimate_period)

    def describe() -> str:
        return "; ".join(_describe(task, column) for task in bars.tasks if task.visible and not task.finished)

    try:
        with _report(describe):
            yield bars
    finally:
        if bars.live.is_started:
            bars.stop()


def _describe(task: "Task", column: "ProgressColumn") -> str:
    """Return one bar in words, such as "vae, stage 1 of 1 (vae): epoch 3 of 9, 812 images/s, 0:02:10 left"."""
    if not task.total:
        return task.description.strip()
    words = re.sub(r"\s{2,}", ", ", str(column.render(task)).strip())
    seconds = task.time_remaining
    left = "" if seconds is None else f", {timedelta(seconds=round(seconds))} left"
    return f"{task.description.strip()}: {words}{left}"


@contextmanager
def _report(describe: Callable[[], str]) -> Iterator[None]:
    """If output is redirected, where no bar moves, print a line to stderr every REPORT_SECONDS."""
    if console.quiet or (console.is_terminal and errors.is_terminal):
        yield
        return
    over = threading.Event()

    def report() -> None:
        while not over.wait(REPORT_SECONDS):
            if text := describe():
                say(text, to=errors)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


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
    """Print the contents of a face set, how many images were skipped, and what is worth a look."""
    counts = face_set.about.counts
    say(f"{face_set.path}: {len(face_set)} faces of {len(face_set.subjects)} people, {face_set.size} px")
    for name, content in (("expressions", counts.expressions), ("skipped", counts.skipped)) if counts else ():
        if content:
            say(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in content.items()))
    skipped = face_set.skipped()
    if len(skipped):
        say(f"  {len(skipped)} skipped; the reasons are in {face_set.path / 'skipped.csv'}")
    frames = face_set.frames
    doubts = frames["doubt"].replace("", None).dropna() if "doubt" in frames else None
    if doubts is not None and len(doubts):
        reasons = doubts.str.split("; ").explode().value_counts()
        counted = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        say(f"  {len(doubts)} kept that are worth a look (column doubt): {counted}")
    later = frames[frames["clip"].str.contains(", face ", regex=False)]  # than the first face of a video
    faces = later.groupby(["subject", "source"], sort=False)["clip"].nunique() + 1
    for row in faces.reset_index().head(MAX_LISTED).itertuples():
        say(
            f"  {row.source} shows {row.clip} faces one after another, and became {row.clip} clips of {row.subject}; "
            "if one is somebody else, prepare again with --face or --photo"
        )
    if len(face_set):
        say(f"  faces of every clip: {face_set.path / 'contact_sheet.jpg'}")


def say_next(folder: "Path", part: tuple[int, int]) -> None:
    """Say what to do when a part of the work is done."""
    number, count = part
    say(f"part {number} of {count} is done; when all are: omote join {folder} --to RESULT")


def show_scores(table: Any) -> None:
    """Print one table per group of people and code, followed by the reasons for missing or qualified scores."""
    from rich.table import Table

    for (people, code), rows in table.groupby(["people", "code"], sort=False):
        shown = Table(f"{people} people, {code} code", "value", "deviation", "chance", "good", box=None)
        for row in rows.itertuples(index=False):
            if row.value == row.value:
                numbers = ("" if x != x else f"{x:.3f}" for x in (row.value, row.deviation, row.chance))
                of_person = row.score.startswith("subject")  # an identity code should hold just that
                shown.add_row(row.score, *numbers, "high" if of_person == (code == "identity") else "low")
        if shown.rows:
            console.print(shown)
        for reason, concerned in rows[rows["reason"] != ""].groupby("reason", sort=False):
            missing = concerned["value"].isna().all()
            say(f" {people} people, {code} code{', no score' if missing else ''}: {reason}")
        say("")


AUDIT_COLUMNS = {  # title -> group and score; of an expression code, those of identity should be low
    "who\nnearest": ("identity", "subject_nearest_neighbour_across_expressions"),
    "who\nprobe": ("identity", "subject_probe_linear"),
    "what\nclusters": ("expression", "accuracy"),
    "what\nprobe": ("expression", "expression_probe"),
    "action\nunits": ("factors", "r2_au"),
}


def show_audit(table: Any) -> None:
    """Print one table per group of people: how often the person and the expression are recognised, and the R2 of the
    true action units; and whether high or low is good."""
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
        good = ["low" if group == "identity" else "high" for group, _ in AUDIT_COLUMNS.values()]
        shown.add_row("good for z_e", *good)
        console.print(shown)
        say("")
    say("For z_i, which should hold the person and nothing else, high and low change places.")


def two_digits(value: float | None) -> str:
    """Return the value with two decimals, or a dash for None and NaN."""
    return "–" if value is None or value != value else f"{value:.2f}"
