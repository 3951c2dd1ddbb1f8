"""Train in float32 and in bfloat16 with several seeds, and test whether the scores differ by more than seed noise.

    python benchmarks/precision.py FACES --to FOLDER [--seeds 4] [--epochs E] [--config TOML]
                                   [--methods proposed,omote] [--workers 1]

Runs are written to FOLDER/METHOD-PRECISION-seedN, one thread each, and are resumed if interrupted; scores go to
FOLDER/scores, as in `benchmarks/methods.py`. All trainings hold out the same people, and only these are scored.
--epochs are per stage of `proposed`; all methods have as many in all.

With the same seed, both precisions start from the same weights and use the same batches and noise, so differences are
paired by seed. A difference is "within seed noise" if its 95 % interval (Student's t over seeds) contains 0; without
any effect, one in twenty is outside by chance. Without arguments, a test with drawn faces and tiny networks takes
minutes.
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

from methods import SHOWN, TINY, configuration, run_tasks, score_one, train_one
from omote.data.face_set import open_face_set
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.methods.registry import METHODS
from omote.runs.config import TrainConfig
from omote.synthetic.prepare import prepare_drawn

PRECISIONS = ("32-true", "bf16-mixed")
SCORES = {  # score -> heading; scores of swaps depend on the decoder, all others on the expression encoder only
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
        held_out = split_subjects(faces.frames, asked or max(1, len(faces.subjects) // 5), 0)[1]
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
    run_tasks("trained", train_one, trainings, arguments.workers)
    if missing := [run.name for *_, run in runs if not (run / "weights.safetensors").is_file()]:
        raise OmoteError(f"{', '.join(missing)} did not finish; see the errors above")
    to_score = [(faces.path, run, held_out, None, _scores(run)) for *_, run in runs]
    run_tasks("scored", score_one, to_score, arguments.workers)
    scores = pd.concat(
        pd.read_parquet(_scores(run)).assign(method=method, precision=precision, seed=seed)
        for method, precision, seed, run in runs
    )
    print(page(scores[(scores["people"] == "test") & ~scores["centred"]], "precision", PRECISIONS))


def _scores(run: Path) -> Path:
    return run.parent / "scores" / f"{run.name}.parquet"


def page(scores: pd.DataFrame, column: str, sides: tuple[str, str]) -> str:
    """Return the table as Markdown, in per cent except R²: the scores of the two ``sides``, told apart by a column."""
    lines = [
        f"| people held out, {scores['seed'].nunique()} seeds | chance | {' | '.join(sides)} | difference "
        "| 95 % interval | in deviations | within seed noise |",
        "| --- " * 8 + "|",
    ]
    within = []
    for method in scores["method"].unique():
        for score, head in SCORES.items():
            rows = scores[(scores["method"] == method) & (scores["score"] == score)]
            values = rows.pivot(index="seed", columns=column, values="value").reindex(columns=sides)
            if not len(values) or values.isna().to_numpy().any():
                continue  # a method without a decoder has no scores of swaps
            scale = 1 if score == "r2_au" else 100
            one, other = (scale * values[side].to_numpy() for side in sides)
            chance = scale * rows["chance"].mean()
            cells, inside = difference(one, other, 3 if scale == 1 else 1)
            within.append(inside)
            shown = format(chance, f".{3 if scale == 1 else 1}f")
            lines.append(f"| `{method}`, {head} | {shown} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines, "",
            f"After each mean in brackets: the standard deviation over seeds. A difference is {sides[1]} minus "
            f"{sides[0]}, with its standard error in brackets; \"in deviations\" is the difference divided by "
            f"the deviation over seeds (root mean square of both). {sum(within)} of {len(within)} "
            f"differences are within seed noise; {0.05 * len(within):.1f} outside are expected by chance.",
        ]
    )  # fmt: skip


def difference(one: Sequence[float], other: Sequence[float], digits: int) -> tuple[list[str], bool]:
    """Return the cells of a row, and whether ``other`` - ``one`` is within seed noise; (N,) each, in order of seeds."""
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
    parser.add_argument("--epochs", type=int, help="per stage of `proposed`; by default as in the TOML file")
    parser.add_argument("--config", type=Path, help="TOML file with settings that all methods have")
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
