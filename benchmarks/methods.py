"""Train several methods with several seeds on one face set, and say which of them is better, in tables and a picture.

    python benchmarks/methods.py FACES --to FOLDER [--seeds 3] [--methods vae,proposed,...] [--config TOML]
                                 [--workers 2] [--score-only] [--transfer RUNS] [--judge RUN]

Runs go to FOLDER/METHOD-seedN, one thread each, and go on where they were stopped; scores to FOLDER/scores. The same
people are held out by every seed. Swaps are read by a judge, `conventional` with another seed, which holds out other
people and knows those whom the methods never saw. A method of one stage passes over the faces as often as `proposed`
does in its two; `omote` and `contrast` pass over them 1.8 times as often a stage (the tables have the time it takes).
FOLDER/methods.md has the tables, methods.csv every score, methods.png the picture.

With --transfer the runs in RUNS, trained on other faces, are scored on FACES, where they are taken to have seen nobody.
A judge that is named with --judge may have seen some of the people held out; that is for the caller to say. Without
arguments drawn faces and tiny networks show in a minute or two that it works.
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
from omote.evaluation.compare import joined, run_scores
from omote.evaluation.protocol import ACROSS
from omote.figures.space import MARKERS
from omote.files import write_text
from omote.methods.registry import METHODS, method_class
from omote.runs.config import TrainConfig
from omote.runs.trained import load, read_training
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import Progress, train_or_load

# Epochs a stage over those of the TOML: a step of omote costs a fraction of one of the reference, so that with these
# its three stages take little longer than the reference's two. The one stage of contrast is the first of them.
LONGER = {"contrast": 1.8, "omote": 1.8}
REFERENCE = "proposed"
JUDGE_SEED = 100
TOLD_SECONDS = 60  # between two lines of progress of a training

SHOWN = {  # score -> head of its column
    "accuracy": "clusters",
    "expression_probe": "expression probe",
    ACROSS: "nearest code names the person",
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


def configuration(method: str, size: int, toml: Path | None, **changes: Any) -> TrainConfig:
    """Return how a method is trained: by the TOML, with as many epochs in all as the reference, or `LONGER` stages."""
    config = TrainConfig.read(toml, {"method": method, **changes})
    like = TrainConfig.read(toml, {"method": REFERENCE, **changes})
    longer = LONGER.get(method, _epochs(like, size) / _epochs(config, size))
    epochs = round(longer * config.options.epochs)
    return TrainConfig.read(toml, {"method": method, **changes, "options.epochs": epochs})


def _epochs(config: TrainConfig, size: int) -> int:
    return sum(stage.epochs for stage in method_class(config.method)(size, config.options, 2).stages())


def train_one(faces: Path, run: Path, config: TrainConfig, parent: int) -> str:
    """Train a run in a process of its own, which ends with its parent; return its name, or what went wrong."""
    torch.set_num_threads(1)
    began = told = time.monotonic()

    def tell(now: Progress) -> None:
        nonlocal told
        if parent not in (os.getpid(), os.getppid()):
            os._exit(1)
        if time.monotonic() - told > TOLD_SECONDS:
            told = time.monotonic()
            done = (now.stage_number - 1 + now.step / now.num_steps) / now.num_stages
            say(
                f"    {run.name}: {done:.0%}, stage {now.stage}, {_minutes((told - began) / done * (1 - done))} left"
            )

    try:
        train_or_load(open_face_set(faces), run, config, progress=tell)
    except OmoteError as error:
        return f"{run.name} FAILED: {error}"
    return run.name


def score_one(faces: Path, run: Path, held_out: Sequence[str], judge: Path | None, to: Path) -> str:
    """Write the scores of a run, unless those that are there are of the same weights, judge and faces."""
    torch.set_num_threads(1)
    face_set = open_face_set(faces)
    seen = hashlib.sha256(repr((face_set.about, sorted(held_out))).encode())
    for weights in (run, judge):
        seen.update((weights / "weights.safetensors").read_bytes() if weights else b"")
    if not to.is_file() or (pd.read_parquet(to, columns=["of"])["of"] != seen.hexdigest()).any():
        found = run_scores(load(run), face_set, held_out, judge=None if judge is None else load(judge))
        to.parent.mkdir(parents=True, exist_ok=True)
        found.assign(of=seen.hexdigest()).to_parquet(to.with_suffix(".partial"))
        os.replace(to.with_suffix(".partial"), to)
    return run.name


def in_turn(what: str, do: Callable[..., str], tasks: Sequence[tuple[Any, ...]], workers: int) -> None:
    """Do tasks in several processes, and say how far they are."""
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
        train_subjects, held_out = split_subjects(
            faces.subjects, asked or max(1, len(faces.subjects) // 5), 0
        )
    else:
        train_subjects, held_out = sorted(set(faces.subjects) - set(asked)), sorted(asked)
    runs = [(method, seed, f"{method}-seed{seed}") for seed in range(arguments.seeds) for method in methods]
    judge, own = arguments.judge or to / "judge", arguments.transfer is None
    if arguments.judge and not (judge / "weights.safetensors").is_file():
        raise OmoteError(f"{judge}, which is to judge, is not a finished run")
    known = (
        split_subjects(train_subjects, min(len(held_out), len(train_subjects) - 2), JUDGE_SEED)[1]
        if own
        else []
    )
    config = {**changes, "seed": JUDGE_SEED, "test_subjects": known}
    tasks = [(faces.path, judge, configuration("conventional", faces.size, toml, **config), os.getpid())]
    tasks = [] if arguments.judge else tasks
    for method, seed, name in runs if own else ():
        config = {**changes, "seed": seed, "test_subjects": held_out}
        tasks.append((faces.path, to / name, configuration(method, faces.size, toml, **config), os.getpid()))
    if not arguments.score_only:
        in_turn("trained", train_one, tasks, arguments.workers)

    folder = to if own else arguments.transfer
    ready = [run for run in runs if (folder / run[2] / "weights.safetensors").is_file()]
    if missing := [name for *_, name in runs if not (folder / name / "weights.safetensors").is_file()]:
        say(f"without {', '.join(missing)}, which are not trained in {folder}")
    if not ready:
        raise OmoteError(f"there is no finished run in {folder}")
    judge = judge if (judge / "weights.safetensors").is_file() else None
    unseen = held_out if own else faces.subjects
    in_turn(
        "scored", score_one,
        [(faces.path, folder / name, unseen, judge, to / "scores" / f"{name}.parquet") for *_, name in ready],
        arguments.workers,
    )  # fmt: skip
    scores = pd.concat(
        pd.read_parquet(to / "scores" / f"{name}.parquet").assign(method=method, seed=seed)
        for method, seed, name in ready
    )
    table = joined(scores, REFERENCE)
    seconds = {
        method: pd.Series(
            [read_training(folder / name).get("seconds") for of, _, name in ready if of == method]
        ).mean()
        for method in dict.fromkeys(method for method, *_ in ready)
    }
    table["training_seconds"] = table["method"].map(seconds)
    write_text(to / "methods.csv", table.to_csv(index=False))
    report = page(table, faces.path, folder, judge)
    write_text(to / "methods.md", report)
    print(report)
    (to / "methods.png").unlink(missing_ok=True)
    if picture := drawn(table):
        picture.savefig(to / "methods.partial", dpi=140, format="png")
        os.replace(to / "methods.partial", to / "methods.png")


def page(table: pd.DataFrame, faces: Path, runs: Path, judge: Path | None) -> str:
    """Return the tables for a reader."""
    lines = [
        f"# Methods on {faces.name}", "",
        f"Runs of {runs.name}, means over their seeds with 95 % intervals over people; all but R² in per cent. A row "
        f"below shows the difference to `{REFERENCE}` trained with the same seed, and how many seeds agree in sign; "
        "bold where the interval excludes 0 and all seeds agree. Intervals count other people, not other trainings; "
        "nothing is corrected for the number of differences shown. \"Subject mean removed\" takes the id of the "
        "person scored; it pushes the codes of one person's frames apart, which by itself brings the two scores of the "
        "person below chance where there are few frames.", "",
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
            minutes = "" if centred else _minutes(rows["training_seconds"].iloc[0])
            lines.append(f"| {name} | {' | '.join(_value(by_score, score) for score in shown)} | {minutes} |")
            less = [_difference(by_score, score) for score in shown]
            if set(less) != {"-"}:
                lines.append(f"| less `{REFERENCE}` | {' | '.join(less)} | |")
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
    lines.append("Training times are of processes of one thread that share the machine.")
    if judge:
        lines.append(
            f'The judge of the swaps is {judge.name}; "real images" is what it, or the run, reads off real ones.'
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
        agree = rows["same_sign"][score] == rows["pairs"][score]
        shown = f"**{shown}**" if agree and (low > 0 or high < 0) else shown
        shown += f" ({_number(score, low, '+')} to {_number(score, high, '+')})"
    return f"{shown}, {rows['same_sign'][score]} of {rows['pairs'][score]}"


def drawn(table: pd.DataFrame) -> Figure | None:
    """Return the picture: how well people held out are read, against how far the code gives them away."""
    test = table[(table["people"] == "test") & table["score"].isin(["accuracy", ACROSS])]
    wide = (
        test.pivot(index=["method", "centred"], columns="score", values=["mean", "low", "high", "chance"])
        * 100
    )
    wide = wide.dropna(subset=[("mean", "accuracy"), ("mean", ACROSS)])
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
            x, y = at["mean", ACROSS], at["mean", "accuracy"]
            axes.hlines(y, at["low", ACROSS], at["high", ACROSS], color=colour, alpha=0.35, linewidth=1.4)
            axes.vlines(
                x, at["low", "accuracy"], at["high", "accuracy"], color=colour, alpha=0.35, linewidth=1.4
            )
            axes.plot(
                x, y, marker, color=colour, markersize=9, markeredgewidth=1.8,
                markerfacecolor="white" if centred else colour, label=None if centred else method,
            )  # fmt: skip
    chance = {score: wide["chance", score].mean() for score in ("accuracy", ACROSS)}
    axes.axhline(chance["accuracy"], color=MUTED, linestyle=":", linewidth=1)
    axes.axvline(chance[ACROSS], color=MUTED, linestyle=":", linewidth=1)
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
    parser.add_argument("--methods", help="all that there are, if not given")
    parser.add_argument("--config", type=Path, help="TOML with settings that all methods have")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--score-only", action="store_true", help="score what is trained")
    parser.add_argument("--transfer", type=Path, help="folder of runs that were trained on other faces")
    parser.add_argument("--judge", type=Path, help="a run that reads the swaps, instead of FOLDER/judge")
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
