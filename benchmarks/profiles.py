"""Measure the gain from a person's profile: scores of features relative to the person's neutral, and of plain features.

    python benchmarks/profiles.py RUN... FACES [--splits 1]

For each person held out, a random half of the clips is the footage of the profile, and the other half is scored: by
clustering as in the paper, by a linear probe of the expression, and by how often the nearest code of another expression
and a linear probe identify the person. The profile is compared with other averages of the footage, and with short or
one-sided footage. Runs of the same method are replicates: the table shows their mean, its difference from the
plain features, and how many runs agree on the sign. FACES are drawn or rendered faces, whose clips begin at rest.

Without arguments, a small drawn face set and two quick trainings show in a minute or two that the script works.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from omote.data.face_set import FaceSet, open_face_set
from omote.data.outputs import code_columns
from omote.errors import OmoteError
from omote.features.profile import LEAST_FRAMES, Profile, make_profile
from omote.metrics.clustering import LabelledFeatures, clustering_scores, run_kmeans
from omote.metrics.leakage import nearest_neighbour_leakage, probe_leakage
from omote.metrics.probes import probe_scores
from omote.metrics.score import factorize
from omote.runs.config import TrainConfig
from omote.runs.trained import load
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train

Array = NDArray[Any]  # (N, Z) codes, or a (Z,) average
Rows = NDArray[np.int64]
Footage = dict[str, Rows]  # person -> rows

KMEANS = 5
MOSTLY, FRAMES = 48, 60  # one-sided footage: this many of this many frames show the same
SCORES = {
    "clusters": "clusters",
    "probe": "expression probe",
    "nearest": "nearest code names the person",
    "person": "linear probe names the person",
}
AS_IT_IS = "as it is"
PROFILE = "profile"
TINY = {"batch_size": 16, "test_subjects": 4, "options.width": 8, "options.learning_rate": 2e-3}


def mean(codes: Array) -> Array:
    return np.asarray(codes.mean(axis=0))


def median(codes: Array) -> Array:
    return np.median(codes, axis=0)


def geometric_median(codes: Array) -> Array:
    middle = mean(codes)
    for _ in range(100):
        weights = 1 / np.maximum(np.linalg.norm(codes - middle, axis=1), 1e-6)
        middle = weights @ codes / weights.sum()
    return middle


def densest_quarter(codes: Array) -> Array:
    """Return the mean of the most compact quarter of the frames."""
    count = -(-len(codes) // 4)
    distances = np.linalg.norm(codes[:, None] - codes, axis=2)
    middle = np.sort(distances, axis=1)[:, count - 1].argmin()
    return mean(codes[np.argsort(distances[middle], kind="stable")[:count]])


def mode(codes: Array) -> Array:
    """Return the densest point by mean shift, with a kernel half as wide as the median distance."""
    squares = ((codes[:, None] - codes) ** 2).sum(axis=2)
    width = np.median(squares[np.triu_indices(len(codes), 1)]) / 4
    place: Array = codes[np.exp(-squares / (2 * width)).sum(axis=1).argmax()]
    for _ in range(50):
        weights = np.exp(-((codes - place) ** 2).sum(axis=1) / (2 * width))
        place = weights @ codes / weights.sum()
    return place


MIDDLES: dict[str, Callable[[Array], Array]] = {
    "mean": mean,
    "median of each number": median,
    "geometric median": geometric_median,
    "mode": mode,
    "densest quarter": densest_quarter,
}


def rotate(codes: Array, begin: Array, end: Array) -> Array:
    """Return the codes after the smallest rotation that takes the direction of `begin` to that of `end`."""
    u, v = begin / np.linalg.norm(begin), end / np.linalg.norm(end)
    return np.asarray(codes - np.outer(codes @ (u + v), u + v) / (1 + u @ v) + 2 * np.outer(codes @ u, v))


def split(frames: pd.DataFrame, seed: int) -> tuple[NDArray[np.bool_], dict[str, Footage]]:
    """Return a mask of the half for the profiles, and the rows of each kind of footage in it."""
    rng = np.random.default_rng(seed)
    subjects, clips = (frames[name].to_numpy(str) for name in ("subject", "clip"))
    shown = np.array([clip.rstrip("0123456789") for clip in clips])
    at_rest = ((frames["expression"] == "neutral") | (frames["frame"] == 0)).to_numpy(bool)
    half = np.zeros(len(frames), bool)
    kinds: dict[str, Footage] = {}

    def mostly(rows: Rows, some: NDArray[np.bool_]) -> Rows:
        return np.concatenate([rng.choice(rows[some], MOSTLY), rng.choice(rows[~some], FRAMES - MOSTLY)])

    for person in np.unique(subjects):
        rows = np.flatnonzero(subjects == person)
        own = rng.permutation(np.unique(clips[rows]))
        own = own[: len(own) // 2]
        rows = rows[np.isin(clips[rows], own)]
        half[rows] = True
        moving = rng.permutation(
            [name for name in np.unique(shown[rows]) if name not in ("neutral", "mixture")]
        )
        of_kind = {
            "all of it": rows,
            "5 frames": rng.permutation(rows)[:LEAST_FRAMES],
            "one clip": rows[clips[rows] == own[0]],
            "two expressions": rows[np.isin(shown[rows], moving[:2])],
            "mostly one expression": mostly(rows, (shown[rows] == moving[0]) & ~at_rest[rows]),
            "mostly at rest": mostly(rows, at_rest[rows]),
        }
        for kind, of_person in of_kind.items():
            kinds.setdefault(kind, {})[person] = of_person
    return half, kinds


def scores(codes: Array, frames: pd.DataFrame) -> dict[str, float]:
    """Return `SCORES`, in per cent."""
    subjects, clips, expressions = (frames[name].to_numpy(str) for name in ("subject", "clip", "expression"))
    labelled = LabelledFeatures(codes, expressions, factorize(subjects, clips))
    return {
        "clusters": 100 * clustering_scores(run_kmeans(labelled, seeds=KMEANS)).scores["accuracy"].value,
        "probe": 100 * probe_scores(codes, expressions, subjects)["probe_accuracy"].value,
        "nearest": 100 * nearest_neighbour_leakage(codes, subjects, clips, expressions).value,
        "person": 100 * probe_leakage(codes, subjects, clips).value,
    }


def profiles(codes: Array, frames: pd.DataFrame, footage: Footage) -> dict[str, Profile]:
    """Return each person's profile from their footage, as `omote profile` makes it."""
    described = frames[["subject", "clip", "source", "time"]].assign(model="-")
    table = pd.concat([described, code_columns(codes.astype(np.float32), "z_e")], axis=1)
    return {person: make_profile(table.iloc[rows], person) for person, rows in footage.items()}


def one_split(
    codes: Array, frames: pd.DataFrame, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the scores of a run's codes for every average, and the errors of the averages and of their estimates."""
    half, kinds = split(frames, seed)
    subjects = frames["subject"].to_numpy(str)
    scored = np.flatnonzero(~half & (frames["use"] != "train") & frames["expression"].notna())
    neutral = (frames["expression"] == "neutral").to_numpy(bool)
    found: list[dict[str, Any]] = []

    def score(kind: str, middle: str, changed: Array) -> None:
        found.append({"footage": kind, "middle": middle, **scores(changed[scored], frames.iloc[scored])})

    def less(middles: dict[str, Array]) -> Array:
        return np.asarray(codes - np.stack([middles[person] for person in subjects]))

    score("–", AS_IT_IS, codes)
    true = {person: codes[(subjects == person) & neutral].mean(axis=0) for person in np.unique(subjects)}
    met: list[dict[str, Any]] = []
    for kind, footage in kinds.items():
        made = profiles(codes, frames, footage)
        drawn = {person: profile.neutral.astype(np.float64) for person, profile in made.items()}
        whole = {person: of / max(made[person].share, 1e-6) for person, of in drawn.items()}
        middles = {PROFILE: drawn, "middle of looks, whole": whole}
        for name, middle in MIDDLES.items() if kind == "all of it" else [("mean", mean)]:
            middles[name] = {person: middle(codes[rows]) for person, rows in footage.items()}
        for name, of_people in middles.items():
            score(kind, name, less(of_people))
        spread = np.mean([profile.spread for profile in made.values()])
        away = {
            f"from rest: {name}": np.mean([np.linalg.norm(of[person] - true[person]) for person in of])
            / spread
            for name, of in middles.items()
        }
        met.append(
            {
                "footage": kind,
                "looks": np.mean([profile.looks for profile in made.values()]),
                "share": np.mean([profile.share for profile in made.values()]),
                **away,
            }
        )
        if kind == "all of it":
            direction = less(middles["mean"])
            score(kind, "mean, to one length", direction / np.linalg.norm(direction, axis=1, keepdims=True))
            other = profiles(codes, frames, {who: np.flatnonzero((subjects == who) & ~half) for who in true})
            pairs = [(made[who], other[who]) for who in true if made[who].share and other[who].share]
            apart = [np.sum((one.neutral / one.share - two.neutral / two.share) ** 2) for one, two in pairs]
            expected = [one.error**2 + two.error**2 for one, two in pairs]
            met[-1] |= {
                "halves apart": np.sqrt(np.mean(apart)) / spread,
                "as told": np.sqrt(np.mean(expected)) / spread,
            }
    score("labelled neutral", "mean", less(true))
    pole = np.mean(list(true.values()), axis=0)
    rotated = codes.copy()
    for person, of in true.items():
        rotated[subjects == person] = rotate(codes[subjects == person], of, pole)
    score("labelled neutral", "mean, turned to one direction", rotated)
    own = {person: codes[subjects == person].mean(axis=0) for person in true}
    score("all there is", "mean", less(own))
    return found, met


def measure(runs: list[Path], faces: FaceSet, splits: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores and the errors: one row per run, split, footage and average."""
    found, met = [], []
    for path in runs:
        trained = load(path)
        rows = np.flatnonzero(~faces.frames["subject"].isin(trained.info.train_subjects))
        if faces.about.options.get("seed") != trained.info.face_set.options.get("seed"):
            rows = np.arange(len(faces))  # other people with the same names
        frames = faces.frames.iloc[rows].reset_index(drop=True)
        codes = trained.represent(faces.faces[rows])[0].astype(np.float64)
        for seed in range(splits):
            print(f"{path.name}, split {seed + 1} of {splits}", file=sys.stderr, flush=True)
            of_split, of_middles = one_split(codes, frames, seed)
            about = {"method": trained.name, "run": path.name, "split": seed}
            found += [{**about, **row} for row in of_split]
            met += [{**about, **row} for row in of_middles]
    return pd.DataFrame(found), pd.DataFrame(met)


def page(found: pd.DataFrame, met: pd.DataFrame) -> str:
    """Return both tables as Markdown."""
    lines: list[str] = []
    for method, of_method in found.groupby("method", sort=False):
        lines += [f"`{method}`", "", f"| footage | less its | {' | '.join(SCORES.values())} |"]
        lines += ["| --- " * (len(SCORES) + 2) + "|"]
        base = of_method[of_method["middle"] == AS_IT_IS].groupby("run")[list(SCORES)].mean()
        for (kind, middle), rows in of_method.groupby(["footage", "middle"], sort=False):
            values = rows.groupby("run")[list(SCORES)].mean()
            cells = [_cell(values[name], base[name], middle == AS_IT_IS) for name in SCORES]
            lines.append(f"| {kind} | {middle} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["Distances over the usual distance of two looks of the footage:", ""]
    numbers = met.drop(columns=["run", "split"]).groupby(["method", "footage"], sort=False).mean()
    lines += [
        f"| method | footage | {' | '.join(numbers.columns)} |",
        "| --- " * (len(numbers.columns) + 2) + "|",
    ]
    for (method, kind), row in numbers.iterrows():  # type: ignore[misc]
        cells = ["–" if np.isnan(value) else f"{value:.2f}" for value in row]
        lines.append(f"| `{method}` | {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: pd.Series, base: pd.Series, alone: bool) -> str:
    if alone:
        return f"{values.mean():.1f}"
    change = values - base
    agree = int((np.sign(change) == np.sign(change.mean())).sum())
    return f"{values.mean():.1f} ({change.mean():+.1f}, {agree}/{len(change)})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("given", nargs="*", type=Path, metavar="RUN... FACES")
    parser.add_argument("--splits", type=int, default=1, help="number of random halves of the clips")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if len(arguments.given) == 1:
            parser.error("give one or more runs, and a face set")
        if arguments.given:
            *runs, faces = arguments.given
            print(page(*measure(runs, open_face_set(faces), arguments.splits)))
            return
        with tempfile.TemporaryDirectory() as folder:
            small = prepare_drawn(
                Path(folder) / "faces", subjects=12, clips=16, mixtures=0, frames=5, workers=1
            )
            for method, epochs in (("omote", 2), ("proposed", 1)):
                config = TrainConfig.read(None, {"method": method, **TINY, "options.epochs": epochs})
                train(small, Path(folder) / method, config)
            print(
                page(*measure([Path(folder) / "omote", Path(folder) / "proposed"], small, arguments.splits))
            )
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
