"""Train with float32 and with bfloat16, several seeds each, and say whether the scores differ by more than seeds do.

    python benchmarks/precision.py FACES --to FOLDER [--seeds 4] [--epochs E] [--config TOML]
                                   [--methods proposed,omote] [--workers 1]

Runs go to FOLDER/METHOD-PRECISION-seedN, one thread each, and go on where they were stopped; scores to FOLDER/scores,
as `benchmarks/methods.py` makes them. The same people are held out by every training, and only they are scored here.
--epochs are those of a stage of `proposed`; `omote` has 1.8 times as many.

A seed gives both precisions the same first weights, batches and noise, so differences are taken seed by seed. One is
"within seed noise" if its 95 % interval (Student's t over seeds) holds 0; one of twenty is outside by chance where
there is nothing. Without arguments drawn faces and tiny networks show in some minutes that it works.
"""

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from methods import SHOWN, TINY, configuration, in_turn, score_one, train_one
from omote.data.face_set import open_face_set
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.methods.registry import METHODS
from omote.runs.config import TrainConfig
from omote.synthetic.prepare import prepare_drawn

PRECISIONS = ("32-true", "bf16-mixed")
SCORES = {  # score -> how it is called; those of swaps see the decoder, all others the expression encoder alone
    **{score: head for score, head in SHOWN.items() if not score.endswith("_by_judge")},
    "identity_read_back_by_itself": "swap: own reading of the person",
}


def compare(arguments: argparse.Namespace, changes: dict[str, Any]) -> None:
    """Train, score, and print the table."""
    faces, to, toml = open_face_set(arguments.faces), Path(arguments.to), arguments.config
    methods = arguments.methods.split(",")
    if unknown := sorted(set(methods) - set(METHODS)):
        raise OmoteError(f"there is no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    if arguments.seeds < 2:
        raise OmoteError(f"--seeds is {arguments.seeds}; seed noise takes at least 2")
    asked = TrainConfig.read(toml, changes).test_subjects
    if isinstance(asked, int):
        held_out = split_subjects(faces.subjects, asked or max(1, len(faces.subjects) // 5), 0)[1]
    else:
        held_out = sorted(asked)
    if arguments.epochs:
        changes = {**changes, "options.epochs": arguments.epochs}
    runs = [
        (method, precision, seed, to / f"{method}-{precision}-seed{seed}")
        for seed in range(arguments.seeds)
        for method in methods
        for precision in PRECISIONS
    ]
    trainings = []
    for method, precision, seed, run in runs:
        own = {"seed": seed, "test_subjects": held_out, "precision": precision}
        config = configuration(method, faces.size, toml, **{**changes, **own})
        trainings.append((faces.path, run, config, os.getpid()))
    in_turn("trained", train_one, trainings, arguments.workers)
    if missing := [run.name for *_, run in runs if not (run / "weights.safetensors").is_file()]:
        raise OmoteError(f"{', '.join(missing)} did not end; what went wrong stands above")
    to_score = [(faces.path, run, held_out, None, _scores(run)) for *_, run in runs]
    in_turn("scored", score_one, to_score, arguments.workers)
    scores = pd.concat(
        pd.read_parquet(_scores(run)).assign(method=method, precision=precision, seed=seed)
        for method, precision, seed, run in runs
    )
    print(page(scores[(scores["people"] == "test") & ~scores["centred"]], arguments.seeds))


def _scores(run: Path) -> Path:
    return run.parent / "scores" / f"{run.name}.parquet"


def page(scores: pd.DataFrame, seeds: int) -> str:
    """Return the table for a reader; in per cent but R²."""
    lines = [
        f"| people held out, {seeds} seeds | chance | {' | '.join(PRECISIONS)} | difference | 95 % interval "
        "| in deviations | within seed noise |",
        "| --- " * 8 + "|",
    ]
    within = []
    for method in scores["method"].unique():
        for score, head in SCORES.items():
            rows = scores[(scores["method"] == method) & (scores["score"] == score)]
            values = rows.pivot(index="seed", columns="precision", values="value").reindex(columns=PRECISIONS)
            if not len(values) or values.isna().to_numpy().any():
                continue  # a method without a decoder makes no swaps
            scale = 1 if score == "r2_au" else 100
            one, other = (scale * values[precision].to_numpy() for precision in PRECISIONS)
            chance = scale * rows["chance"].mean()
            cells, inside = difference(one, other, 3 if scale == 1 else 1)
            within.append(inside)
            shown = format(chance, f".{3 if scale == 1 else 1}f")
            lines.append(f"| `{method}`, {head} | {shown} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines, "",
            f"In brackets after a mean the standard deviation over seeds; a difference is {PRECISIONS[1]} less "
            f"{PRECISIONS[0]}, in brackets its standard error; \"in deviations\" is it over the deviation of "
            f"seeds (both precisions, root mean square). {sum(within)} of {len(within)} differences lie within seed "
            f"noise; {0.05 * len(within):.1f} outside are to be expected by chance.",
        ]
    )  # fmt: skip


def difference(one: Sequence[float], other: Sequence[float], digits: int) -> tuple[list[str], bool]:
    """Return the cells of a row, and whether ``other`` less ``one`` lies within seed noise; (N,) in order of seeds."""
    less = np.subtract(other, one)
    mean, error = float(less.mean()), float(less.std(ddof=1)) / math.sqrt(len(less))
    reach = float(t.ppf(0.975, len(less) - 1)) * error
    deviation = math.sqrt((np.var(one, ddof=1) + np.var(other, ddof=1)) / 2)
    inside = abs(mean) <= reach
    cells = [f"{np.mean(each):.{digits}f} ({np.std(each, ddof=1):.{digits}f})" for each in (one, other)]
    cells += [f"{mean:+.{digits}f} ({error:.{digits}f})"]
    cells += [f"{mean - reach:+.{digits}f} to {mean + reach:+.{digits}f}"]
    cells += [f"{mean / deviation:+.1f}" if deviation else "–", "yes" if inside else "**no**"]
    return cells, inside


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", nargs="?", type=Path)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, help="of a stage of the reference; the TOML's, if not given")
    parser.add_argument("--config", type=Path, help="TOML with settings that all methods have")
    parser.add_argument("--methods", default="proposed,omote")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.faces and not arguments.to:
        parser.error("name the folder for runs and scores with --to")
    try:
        if arguments.faces:
            compare(arguments, {})
            return
        with tempfile.TemporaryDirectory() as folder:
            arguments.faces, arguments.to = Path(folder) / "faces", Path(folder) / "precision"
            arguments.seeds = min(arguments.seeds, 2)
            prepare_drawn(arguments.faces, subjects=12, mixtures=0, frames=4, workers=arguments.workers)
            compare(arguments, TINY)
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
