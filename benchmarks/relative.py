"""Score trainings of `omote` before and after the stage that subtracts the usual look.

    python benchmarks/relative.py FACES --to FOLDER --config methods [--set NAME=VALUE ...] [--seeds 3]
                                  [--strangers FACES] [--judge RUN] [--against FOLDER]

Runs go to FOLDER/seedN and resume where they were stopped. All seeds hold out the same people. --strangers names faces
of other people, who are scored too, and --judge a run that reads the swaps. The scores are those of
`omote.evaluation.compare.score_run`, compared by `compare_methods`. FOLDER/relative.md has the tables, and the seconds
of each stage that was trained now. With `--set options.relative=0`, trainings without the stage are scored. --against
names a folder of an earlier call with other settings, of the same faces and people; its trainings are scored too, at
the end of the third stage, and the differences are to them instead of to the stage before.
"""

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from methods import page  # beside this file
from omote.cli.inputs import parse_setting
from omote.data.face_set import FaceSet, open_face_set
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.evaluation.compare import compare_methods, score_run
from omote.files import write_text
from omote.runs.config import TrainConfig
from omote.runs.trained import load
from omote.training.loop import TrainingProgress, train_or_load

BEFORE, AFTER, AGAINST = "before", "after", "against"


def train_one(faces: FaceSet, run: Path, config: TrainConfig) -> dict[str, float]:
    """Train a run unless it is trained; return the seconds of each stage that was trained now."""
    began: dict[str, float] = {}
    ended: dict[str, float] = {}

    def report(now: TrainingProgress) -> None:
        began.setdefault(now.stage, time.monotonic())
        if now.step == now.num_steps:
            ended[now.stage] = time.monotonic()
            print(f"{run.name}: stage {now.stage} done", file=sys.stderr, flush=True)

    train_or_load(faces, run, config, progress=report, keep_stages=True)
    return {stage: end - began[stage] for stage, end in ended.items()}


def stage_ends(run: Path) -> dict[str, int]:
    """Return "before" and, if the run has this stage, "after", with the number of the stage that ends then."""
    names = [stage.name for stage in load(run).method.stages()]
    last = len(names) - names[::-1].index("expression")
    return {BEFORE: last} | ({AFTER: last + 1} if "relative" in names else {})


def measure(arguments: argparse.Namespace) -> None:
    faces, to = open_face_set(arguments.faces), Path(arguments.to)
    changes: dict[str, Any] = dict(parse_setting(setting) for setting in arguments.set)
    count = TrainConfig.read(arguments.config, changes).test_subjects
    if not isinstance(count, int) or not count:
        raise OmoteError(
            f"{arguments.config} has test_subjects = {count}; expected the number of people to hold out"
        )
    held_out = split_subjects(faces.frames, count, 0)[1]
    people = [(faces, held_out)]
    if arguments.strangers:
        strangers = open_face_set(arguments.strangers)
        people.append((strangers, strangers.subjects))
    judge = load(arguments.judge) if arguments.judge else None
    runs, earlier = (
        [folder / f"seed{seed}" for seed in range(arguments.seeds)] if folder else []
        for folder in (to, arguments.against)
    )
    for run in earlier:
        info = load(run).info
        if info.face_set != faces.about or sorted(info.test_subjects) != sorted(held_out):
            raise OmoteError(f"{run} was trained on other faces than {to}, or holds out other people")
        if AFTER not in stage_ends(run):
            raise OmoteError(f"{run} has no third stage")
    seconds = []
    for seed, run in enumerate(runs):
        own = {**changes, "method": "omote", "seed": seed, "test_subjects": held_out}
        seconds.append(train_one(faces, run, TrainConfig.read(arguments.config, own)))
    moments = [(*end, seed, run) for seed, run in enumerate(runs) for end in stage_ends(run).items()]
    moments += [(AGAINST, stage_ends(run)[AFTER], seed, run) for seed, run in enumerate(earlier)]
    pages = []
    for scored, unseen in people:
        found = [
            score_run(load(run, stage=stage), scored, unseen, judge=judge).assign(method=when, seed=seed)
            for when, stage, seed, run in moments
        ]
        reference = AGAINST if earlier else BEFORE
        table = compare_methods(pd.concat(found), reference).assign(training_seconds=math.nan)
        pages.append(page(table, scored.path, to, arguments.judge, reference))
    took = [
        f"{run.name}: {', '.join(f'{stage} {each:.0f} s' for stage, each in stages.items())}"
        for run, stages in zip(runs, seconds, strict=True)
        if stages
    ]
    text = "\n".join([*pages, *took]) + "\n"
    write_text(to / "relative.md", text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--config", default="methods", help="TOML, or a configuration that comes with omote")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as `omote train`")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strangers", type=Path, help="faces of other people, to score too")
    parser.add_argument("--judge", type=Path, help="a run that reads the swaps")
    parser.add_argument(
        "--against", type=Path, metavar="FOLDER", help="of an earlier call, to compare with its trainings"
    )
    try:
        measure(parser.parse_args())
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
