"""Train several methods with several seeds on one face set, and compare them in tables and a picture.

    python benchmarks/methods.py FACES --to FOLDER [--seeds 3] [--methods vae,proposed,...] [--config TOML]
                                 [--workers 2] [--score-only] [--search CSV] [--transfer RUNS] [--judge RUN]

All methods have the same networks, the same people held out and, as near as whole epochs allow, the same number of
steps, that of `proposed` in all its stages. Each method is first trained with each of its `CANDIDATES` and seed 0, and
`omote choose`, which reads no labels, picks one for all seeds; FOLDER/search.csv has its scores, and --search takes
that file from another face set instead of searching again. Methods with a decoder get the altered views of `contrast`
too (`options.encode_views`), except in the last candidate. `cvae` cannot encode the people held out, by whom the choice
is made, so it keeps its first candidate.

Runs go to FOLDER/METHOD-CANDIDATE-seedN, one thread each, and resume where they were stopped; scores go to
FOLDER/scores. FOLDER/methods.md has the tables, methods.csv every score, methods.png the picture.

With --transfer, the runs in RUNS, trained on other faces, are scored on FACES; everyone in FACES counts as held out. A
run named with --judge reads the swaps; that it has not seen the people is not checked. Without arguments, drawn faces
and tiny networks test the script in two minutes.
"""

import argparse
import hashlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from omote.data.face_set import open_face_set
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.evaluation.choose import choose
from omote.evaluation.compare import RUN_COLUMNS, compare_methods, score_run
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.figures.style import MARKERS
from omote.files import write_text
from omote.methods.registry import METHODS, method_class
from omote.metrics.intervals import CONFIDENCE
from omote.runs.config import TrainConfig
from omote.runs.info import read_training
from omote.runs.trained import load
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import TrainingProgress, train_or_load

REFERENCE = "proposed"
DIVERGENCE: tuple[dict[str, Any], ...] = ({"kl_weight": 0.01}, {"kl_weight": 0.64})
TRIED: dict[str, tuple[dict[str, Any], ...]] = {  # options of each method
    "beta_vae": ({"kl_weight": 0.01, "beta": 4.0}, {"kl_weight": 0.01, "beta": 16.0}),
    "adversarial_vae": (
        {"kl_weight": 0.01, "adversarial_weight": 1000.0},
        {"kl_weight": 0.01, "adversarial_weight": 1e4},
    ),
    "omote": ({"contrast_weight": 400.0}, {"contrast_weight": 1000.0}),
}
CANDIDATES = {
    method: (
        *({"encode_views": True, **options} for options in TRIED.get(method, DIVERGENCE)),
        TRIED.get(method, DIVERGENCE)[0],
    )
    for method in METHODS
} | {"contrast": ({}, {"frames_per_subject": 16}, {"temperature": 0.1})}
SEARCH = "search.csv"
PROGRESS_SECONDS = 60  # between two progress lines of a training

SHOWN = {  # score -> column head
    "accuracy": "clusters",
    "expression_probe": "expression probe",
    ACROSS_EXPRESSIONS: "nearest code names the person",
    "subject_probe": "linear probe names the person",
    "r2_au": "R² of action units",
    "expression_read_back_by_judge": "swap: judge reads the expression",
    "identity_read_back_by_judge": "swap: judge reads the person",
    "expression_read_back_by_itself": "swap: own reading of the expression",
}
PEOPLE = {"test": "People held out", "train": "People of the training"}
COLOURS = ("#6e7781", "#e69f00", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8250df", "#9a6700")
INK, MUTED = "#24292f", "#656d76"
TINY_METHODS = "vae,proposed,contrast,omote"
TINY = {
    "batch_size": 16,
    "test_subjects": 4,
    "options.epochs": 2,
    "options.width": 8,
    "options.learning_rate": 2e-3,
}


def configuration(
    method: str, size: int, toml: Path | None, candidate: int | None = None, **changes: Any
) -> TrainConfig:
    """Return a method's configuration: the TOML, with the reference's number of epochs in all, and its candidate's."""
    in_all = _epochs(TrainConfig.read(toml, {**changes, "method": REFERENCE}), size)
    options = {} if candidate is None else CANDIDATES[method][candidate]
    changes |= {f"options.{name}": value for name, value in options.items()}
    config = TrainConfig.read(toml, {**changes, "method": method})
    epochs = round(in_all / _epochs(config, size) * config.options.epochs)
    return TrainConfig.read(toml, {**changes, "method": method, "options.epochs": epochs})


def search(folder: Path, methods: Sequence[str]) -> pd.DataFrame:
    """Return the ranks of each method's candidates by `omote choose`; the best is first."""
    tables = []
    for method in methods:
        runs = [folder / f"{method}-{number}-seed0" for number in range(len(CANDIDATES[method]))]
        if method_class(method).needs_subject:
            table = pd.DataFrame(
                {"run": [runs[0].name], "method": [method], "reason": ["encodes only people of its training"]}
            )
        else:
            table = choose(runs)
            table["run"] = [Path(run).name for run in table["run"]]
        tables.append(table)
        say(f"{method}: the best is {table['run'].iloc[0]}")
    return pd.concat(tables, ignore_index=True)


def _epochs(config: TrainConfig, size: int) -> int:
    return sum(stage.epochs for stage in method_class(config.method)(size, config.options, 2).stages())


def train_one(faces: Path, run: Path, config: TrainConfig, parent: int) -> str:
    """Train a run in its own process, which ends with its parent; return its name, or the error."""
    torch.set_num_threads(1)
    began = last = time.monotonic()

    def report(now: TrainingProgress) -> None:
        nonlocal last
        if parent not in (os.getpid(), os.getppid()):
            os._exit(1)
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            done = (now.stage_number - 1 + now.step / now.num_steps) / now.num_stages
            say(
                f"    {run.name}: {done:.0%}, stage {now.stage}, {_minutes((last - began) / done * (1 - done))} left"
            )

    try:
        train_or_load(open_face_set(faces), run, config, progress=report)
    except OmoteError as error:
        return f"{run.name} FAILED: {error}"
    return run.name


def score_one(faces: Path, run: Path, held_out: Sequence[str], judge: Path | None, to: Path) -> str:
    """Write the scores of a run, unless the file holds those of the same weights, judge and faces."""
    torch.set_num_threads(1)
    face_set = open_face_set(faces)
    seen = hashlib.sha256(repr((RUN_COLUMNS, face_set.about, sorted(held_out))).encode())
    for weights in (run, judge):
        seen.update((weights / "weights.safetensors").read_bytes() if weights else b"")
    if not to.is_file() or (pd.read_parquet(to, columns=["of"])["of"] != seen.hexdigest()).any():
        found = score_run(load(run), face_set, held_out, judge=None if judge is None else load(judge))
        to.parent.mkdir(parents=True, exist_ok=True)
        found.assign(of=seen.hexdigest()).to_parquet(to.with_suffix(".partial"))
        os.replace(to.with_suffix(".partial"), to)
    return run.name


def run_tasks(what: str, do: Callable[..., str], tasks: Sequence[tuple[Any, ...]], workers: int) -> None:
    """Run tasks in several processes, and report progress."""
    began = time.monotonic()
    found: Iterable[str] = Parallel(n_jobs=workers, return_as="generator_unordered")(
        delayed(do)(*task) for task in tasks
    )
    for done, name in enumerate(found, 1):
        took = time.monotonic() - began
        say(
            f"{what} {name}: {done} of {len(tasks)}, about {_minutes(took / done * (len(tasks) - done))} left"
        )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def compare(arguments: argparse.Namespace, toml: Path | None, changes: dict[str, Any]) -> None:
    """Train, score, and write the results."""
    faces, to = open_face_set(arguments.faces), Path(arguments.to)
    methods = arguments.methods.split(",") if arguments.methods else list(METHODS)
    if unknown := sorted(set(methods) - set(METHODS)):
        raise OmoteError(f"there is no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    asked = TrainConfig.read(toml, changes).test_subjects
    if isinstance(asked, int):
        _, held_out = split_subjects(faces.frames, asked or max(1, len(faces.subjects) // 5), 0)
    else:
        held_out = sorted(asked)
    judge, own = arguments.judge, arguments.transfer is None
    if judge and not (judge / "weights.safetensors").is_file():
        raise OmoteError(f"the judge {judge} is not a finished run")
    folder = to if own else arguments.transfer

    def train(runs: Sequence[tuple[str, int, int]]) -> None:
        tasks: list[tuple[Any, ...]] = []
        for method, number, seed in runs:
            config = {**changes, "seed": seed, "test_subjects": held_out}
            settings = configuration(method, faces.size, toml, number, **config)
            tasks.append((faces.path, to / f"{method}-{number}-seed{seed}", settings, os.getpid()))
        run_tasks("trained", train_one, tasks, arguments.workers)

    if own and not arguments.score_only and not arguments.search:
        train([(method, n, 0) for method in methods for n in range(len(CANDIDATES[method]))])
    searched = arguments.search or (None if own else folder / SEARCH)
    ranked = pd.read_csv(searched) if searched else search(to, methods)
    if own:
        write_text(to / SEARCH, ranked.to_csv(index=False))
    first = ranked.groupby("method", sort=False)["run"].first()
    best = {method: int(first[method].split("-")[1]) for method in methods}
    if own and not arguments.score_only:
        train([(method, best[method], seed) for seed in range(arguments.seeds) for method in methods])
    runs = [
        (method, seed, f"{method}-{best[method]}-seed{seed}")
        for seed in range(arguments.seeds)
        for method in methods
    ]
    ready = [run for run in runs if (folder / run[2] / "weights.safetensors").is_file()]
    if missing := [name for *_, name in runs if not (folder / name / "weights.safetensors").is_file()]:
        say(f"without {', '.join(missing)}, which are not trained in {folder}")
    if not ready:
        raise OmoteError(f"there is no finished run in {folder}")
    unseen = held_out if own else faces.subjects
    run_tasks(
        "scored", score_one,
        [(faces.path, folder / name, unseen, judge, to / "scores" / f"{name}.parquet") for *_, name in ready],
        arguments.workers,
    )  # fmt: skip
    scores = pd.concat(
        pd.read_parquet(to / "scores" / f"{name}.parquet").assign(method=method, seed=seed)
        for method, seed, name in ready
    )
    table = compare_methods(scores, REFERENCE)
    seconds = {
        method: pd.Series(
            [read_training(folder / name).seconds for of, _, name in ready if of == method]
        ).mean()
        for method in dict.fromkeys(method for method, *_ in ready)
    }
    table["training_seconds"] = table["method"].map(seconds)
    write_text(to / "methods.csv", table.to_csv(index=False))
    report = page(table, faces.path, folder, judge)
    write_text(to / "methods.md", report)
    print(report)
    (to / "methods.png").unlink(missing_ok=True)
    if picture := plot_methods(table):
        picture.savefig(to / "methods.partial", dpi=140, format="png")
        os.replace(to / "methods.partial", to / "methods.png")


def page(table: pd.DataFrame, faces: Path, runs: Path, judge: Path | None, reference: str = REFERENCE) -> str:
    """Return the tables as Markdown; the differences are to the method ``reference``."""
    lines = [
        f"# Methods on {faces.name}", "",
        f"Runs of {runs.name}: means over their seeds with 95 % intervals over people; all but R² in per cent. The row "
        f"below each shows the difference to `{reference}` with the same seed, its 95 % interval over people and "
        "trainings, and how many seeds agree in sign. A difference of one training has no interval. It is bold where "
        "its p-value, corrected for all differences in its column (Holm), is at most 0.05. \"Subject mean removed\" "
        "needs the person's id. It pushes the codes of one person's frames apart, which alone can bring both identity "
        "scores below chance where there are few frames.", "",
    ]  # fmt: skip
    for people, of_people in table.groupby("people", sort=False):
        shown = {
            name: head
            for name, head in SHOWN.items()
            if of_people.loc[of_people["score"] == name, "mean"].notna().any()
        }
        lines += [f"## {PEOPLE[str(people)]}", "", f"| z_e of | {' | '.join(shown.values())} | training |"]
        lines += ["| --- " * (len(shown) + 2) + "|"]
        for (centred, method), rows in of_people.groupby(["centred", "method"], sort=False):
            by_score = rows.set_index("score")
            name = f"`{method}`{', subject mean removed' if centred else ''}"
            seconds = rows["training_seconds"].iloc[0]
            minutes = "" if centred or math.isnan(seconds) else _minutes(seconds)
            lines.append(f"| {name} | {' | '.join(_value(by_score, score) for score in shown)} | {minutes} |")
            less = [_difference(by_score, score) for score in shown]
            if set(less) != {"-"}:
                lines.append(f"| less `{reference}` | {' | '.join(less)} | |")
        chance = of_people[~of_people["centred"]].groupby("score")["chance"].mean()
        lines += [f"| chance | {' | '.join(_number(score, chance.get(score)) for score in shown)} | |"]
        read = of_people.groupby("score")["mean"].mean()
        real = [
            _number(score, read.get(score.replace("read_back", "read_back_ceiling")))
            if "read_back" in score
            else "-"
            for score in shown
        ]
        lines += (
            [f"| real images | {' | '.join(real)} | |", ""] if any(cell != "-" for cell in real) else [""]
        )
    trainings = table.groupby("method", sort=False)["trainings"].max()
    lines.append(
        "Trainings: " + ", ".join(f"`{method}` {count}" for method, count in trainings.items()) + ". "
    )
    lines.append("Training times are for one thread per training, several of which share the machine.")
    if judge:
        lines.append(
            f'The judge of the swaps is {judge.name}; "real images": its accuracy, or the run\'s, on real images.'
        )
    return "\n".join(lines) + "\n"


def _number(score: str, value: float | None, sign: str = "") -> str:
    if value is None or math.isnan(value):
        return "-"
    return format(value, f"{sign}.2f") if score == "r2_au" else format(100 * value, f"{sign}.1f")


def _value(rows: pd.DataFrame, score: str) -> str:
    if score not in rows.index:
        return "-"
    mean, low, high = (_number(score, float(rows[name][score])) for name in ("mean", "low", "high"))
    return mean if low == "-" else f"{mean} ({low} to {high})"


def _difference(rows: pd.DataFrame, score: str) -> str:
    if score not in rows.index:
        return "-"
    value, low, high = (
        float(rows[name][score]) for name in ("difference", "difference_low", "difference_high")
    )
    if math.isnan(value):
        return "-"
    shown = _number(score, value, "+")
    if not math.isnan(low):
        shown = f"**{shown}**" if rows["p"][score] <= 1 - CONFIDENCE else shown
        shown += f" ({_number(score, low, '+')} to {_number(score, high, '+')})"
    return f"{shown}, {rows['same_sign'][score]} of {rows['pairs'][score]}"


def plot_methods(table: pd.DataFrame) -> Figure | None:
    """Plot the clustering accuracy of held-out people against the leakage of their identity."""
    test = table[(table["people"] == "test") & table["score"].isin(["accuracy", ACROSS_EXPRESSIONS])]
    wide = (
        test.pivot(index=["method", "centred"], columns="score", values=["mean", "low", "high", "chance"])
        * 100
    )
    wide = wide.dropna(subset=[("mean", "accuracy"), ("mean", ACROSS_EXPRESSIONS)])
    if wide.empty:
        return None
    figure = Figure(figsize=(7.6, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    methods = list(dict.fromkeys(table["method"]))
    for number, method in enumerate(methods):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        for centred in (False, True):
            if (method, centred) not in wide.index:
                continue
            at = wide.loc[(method, centred)]
            x, y = at["mean", ACROSS_EXPRESSIONS], at["mean", "accuracy"]
            low, high = at["low", ACROSS_EXPRESSIONS], at["high", ACROSS_EXPRESSIONS]
            axes.hlines(y, low, high, color=colour, alpha=0.35, linewidth=1.4)
            axes.vlines(
                x, at["low", "accuracy"], at["high", "accuracy"], color=colour, alpha=0.35, linewidth=1.4
            )
            axes.plot(
                x, y, marker, color=colour, markersize=9, markeredgewidth=1.8,
                markerfacecolor="white" if centred else colour, label=None if centred else method,
            )  # fmt: skip
    chance = {score: wide["chance", score].mean() for score in ("accuracy", ACROSS_EXPRESSIONS)}
    axes.axhline(chance["accuracy"], color=MUTED, linestyle=":", linewidth=1)
    axes.axvline(chance[ACROSS_EXPRESSIONS], color=MUTED, linestyle=":", linewidth=1)
    axes.plot([], [], "o", color=MUTED, markerfacecolor="white", label="subject mean removed")
    axes.plot([], [], ":", color=MUTED, label="chance")
    axes.set_xlabel("nearest code of another expression names the person (%)", color=INK)
    axes.set_ylabel("expressions found by clusters (%)", color=INK)
    axes.set_title("People held out: better is up and to the left", color=INK, loc="left", fontsize=12)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=MUTED)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", nargs="?", type=Path)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", help="comma-separated; all methods if not given")
    parser.add_argument("--config", type=Path, help="TOML with settings for all methods")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--score-only", action="store_true", help="score the finished runs without training")
    parser.add_argument("--search", type=Path, help="search.csv of another face set, instead of a search")
    parser.add_argument("--transfer", type=Path, help="folder of runs that were trained on other faces")
    parser.add_argument("--judge", type=Path, help="a run that reads the swaps")
    arguments = parser.parse_args()
    if arguments.faces and not arguments.to:
        parser.error("name the folder for runs and results with --to")
    try:
        if arguments.faces:
            compare(arguments, arguments.config, {})
            return
        with tempfile.TemporaryDirectory() as folder:
            arguments.faces, arguments.to = Path(folder) / "faces", Path(folder) / "methods"
            arguments.seeds = min(arguments.seeds, 2)
            arguments.methods = arguments.methods or TINY_METHODS
            prepare_drawn(arguments.faces, subjects=12, mixtures=0, frames=4, workers=arguments.workers)
            compare(arguments, None, TINY)
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
