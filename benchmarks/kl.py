"""Train with several weights of the divergence (`options.kl_weight`), and measure codes, prior samples and swaps.

    python benchmarks/kl.py FACES --to FOLDER --config methods [--test-subjects 12] [--epochs 5] [--seeds 3]
                            [--weights 0.01,0.1,0.64] [--methods proposed,conventional] [--score-only]

Runs go to FOLDER/METHOD-klWEIGHT-seedN and resume where they were stopped. So that many trainings fit, networks have
width 8 and the learning rate is 2e-3. The weight holds for both stages; all seeds hold out the same people.
FOLDER/kl.md has the table, of people held out, with the mean over the seeds that are trained and the deviation between
them; FOLDER/prior.png shows eight prior samples, x_p of Eq. 3, of each run. In the table:

- second moment and directions, of z_i and of z_e: `omote.metrics.posterior.kl_scores`. The prior has 1 and 64.
- prior samples that are faces: the share of 100 in which YuNet finds a face.
- distance of prior samples: the Frechet distance between 500 prior samples and the real images, in both codes of the
  model that comes with omote, which took no part; in the last row, between real images of other people and these.
- swaps: read by the same model. It is kin to all runs, but the same for all weights.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.linalg import sqrtm

from omote.data.detect import FOUND_SCORE, Search, find_detector, find_faces
from omote.data.face_set import FaceSet, open_face_set
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.evaluation.swaps import draw_prior, score_swaps
from omote.figures.audit.pictures import plot_prior
from omote.files import write_beside, write_text
from omote.metrics.clustering import LabelledFeatures, paper_accuracy
from omote.metrics.leakage import identity_probe, nearest_neighbour_leakage
from omote.metrics.posterior import kl_scores
from omote.metrics.probes import expression_probe
from omote.metrics.score import Array
from omote.runs.config import TrainConfig
from omote.runs.shipped import SHIPPED
from omote.runs.trained import Trained, load
from omote.training.loop import is_trained, train_or_load

SMALL = {"options.width": 8, "options.learning_rate": 2e-3}
SHOWN, SEARCHED, COMPARED = 8, 100, 500  # prior samples in the picture, for the detector, for the distance
BORDER = 32  # pixels around a face, in which the detector finds it
PER_CENT = (
    "clusters",
    "expression probe",
    "nearest code names the person",
    "linear probe names the person",
    "prior samples that are faces",
    "swap: expression read",
    "swap: person kept",
)


def score(run: Trained, faces: FaceSet, rows: Array, judge: Trained, detector: Path) -> dict[str, float]:
    """Return the scores of a run on the frames `rows` of people held out."""
    frames = faces.frames.iloc[rows]
    images = faces.faces[rows]
    labelled = frames["expression"].notna().to_numpy(dtype=bool)
    subjects, expressions = (
        frames[name].to_numpy(dtype=object)[labelled].astype(str) for name in ("subject", "expression")
    )
    clips = frames["clip"].to_numpy(dtype=object)[labelled].astype(str)
    unique_clips = np.char.add(np.char.add(subjects.astype(str), "/"), clips.astype(str))
    (z_e, log_e), (z_i, log_i) = run.represent(images), run.identify(images)
    codes = z_e[labelled].astype(np.float64)
    probe = expression_probe(codes, expressions, subjects).mean().value
    named = identity_probe(codes, subjects, clips).mean().value
    nearest = nearest_neighbour_leakage(codes, subjects, clips, expressions).value
    of_i, of_e = kl_scores(z_i, log_i), kl_scores(z_e, log_e)
    prior = draw_prior(run, COMPARED)
    swaps, _ = score_swaps(run, judge, faces, rows)
    return {
        "clusters": paper_accuracy(LabelledFeatures(codes, expressions, unique_clips), seeds=20).value,
        "expression probe": probe,
        "nearest code names the person": nearest,
        "linear probe names the person": named,
        "z_i: second moment": of_i["second_moment"].value,
        "z_i: directions": of_i["directions"].value,
        "z_e: second moment": of_e["second_moment"].value,
        "z_e: directions": of_e["directions"].value,
        "prior samples that are faces": float(np.mean([is_face(x, detector) for x in prior[:SEARCHED]])),
        "distance of prior samples": frechet(read(judge, prior), read(judge, images)),
        "swap: expression read": swaps["expression_read_back"].mean().value,
        "swap: person kept": swaps["identity_read_back"].mean().value,
    }


def is_face(image: Array, detector: Path) -> bool:
    """Return whether the detector finds a face in an (S, S, 3) uint8 RGB image."""
    framed = cv2.copyMakeBorder(image, *(BORDER,) * 4, cv2.BORDER_REPLICATE)
    return any(face.score >= FOUND_SCORE for face in find_faces(framed, detector, Search(largest=1)))


def read(judge: Trained, images: Array) -> Array:
    """Return (N, 2 Z) float64: both codes of the judge."""
    return np.concatenate([judge.represent(images)[0], judge.identify(images)[0]], axis=1).astype(np.float64)


def frechet(one: Array, other: Array) -> float:
    """Return the Frechet distance between normal distributions with the means and covariances of both (N, D)."""
    covariances = [np.cov(each.T) for each in (one, other)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    between = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    return float(between + np.trace(covariances[0] + covariances[1] - 2 * root))


def table(scores: pd.DataFrame, real: dict[str, float]) -> str:
    """Return Markdown: a row for each method and weight, mean and deviation over seeds, and a row for real images."""
    shown = [str(name) for name in scores if name not in ("method", "weight", "seed")]
    lines = [f"| method, weight (trainings) | {' | '.join(shown)} |", "| --- " * (len(shown) + 1) + "|"]
    for (method, weight), of_weight in scores.groupby(["method", "weight"], sort=False):
        cells = []
        for name in shown:
            values = of_weight[name] * (100 if name in PER_CENT else 1)
            spread = f" ± {values.std():.1f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.1f}{spread}")
        lines.append(f"| `{method}`, {weight} ({len(of_weight)}) | {' | '.join(cells)} |")
    cells = [f"{real[name] * (100 if name in PER_CENT else 1):.1f}" if name in real else "" for name in shown]
    return "\n".join([*lines, f"| real images | {' | '.join(cells)} |"]) + "\n"


def compare(arguments: argparse.Namespace) -> None:
    faces, to = open_face_set(arguments.faces), Path(arguments.to)
    count = arguments.test_subjects or TrainConfig.read(arguments.config).test_subjects
    if not isinstance(count, int):
        raise OmoteError(
            f"{arguments.config} names the people held out; give their number, --test-subjects 12"
        )
    held_out = split_subjects(faces.frames, count, 0)[1]
    changes = {**SMALL, "test_subjects": held_out}
    changes |= {"options.epochs": arguments.epochs} if arguments.epochs else {}
    runs = [
        (method, weight, seed, to / f"{method}-kl{weight}-seed{seed}")
        for seed in range(arguments.seeds)
        for method in arguments.methods.split(",")
        for weight in map(float, arguments.weights.split(","))
    ]
    for method, weight, seed, folder in () if arguments.score_only else runs:
        own = {**changes, "method": method, "seed": seed, "options.kl_weight": weight}
        print(folder.name, file=sys.stderr, flush=True)
        train_or_load(faces, folder, TrainConfig.read(arguments.config, own))

    scored = (faces.frames["use"] != "train").to_numpy(dtype=bool)
    is_test = faces.frames["subject"].isin(held_out).to_numpy(dtype=bool)
    rows, others = np.flatnonzero(is_test & scored), np.flatnonzero(~is_test & scored)
    judge, detector = load(SHIPPED), find_detector()
    found, priors = [], {}
    for method, weight, seed, folder in runs:
        if is_trained(folder):
            run = load(folder)
            found.append({"method": method, "weight": weight, "seed": seed})
            found[-1] |= score(run, faces, rows, judge, detector)
            priors[folder.name] = draw_prior(run, SHOWN)
    if not found:
        raise OmoteError(f"there is no finished run in {to}")
    real = {
        "prior samples that are faces": float(np.mean([is_face(x, detector) for x in sample(faces, rows)])),
        "distance of prior samples": frechet(
            read(judge, faces.faces[others]), read(judge, faces.faces[rows])
        ),
    }
    report = table(pd.DataFrame(found), real)
    write_text(to / "kl.md", report)
    print(report)
    if picture := plot_prior(priors):
        with write_beside(to / "prior.png") as beside:
            picture.savefig(beside, dpi=110, format="png")


def sample(faces: FaceSet, rows: Sequence[int] | Array) -> Array:
    """Return SEARCHED real images, evenly spaced among the rows."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), SEARCHED)).round().astype(int)
    images: Array = faces.faces[np.asarray(rows)[chosen]]
    return images


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--config", default="methods", help="TOML, or a configuration that comes with omote")
    parser.add_argument(
        "--test-subjects", type=int, help="people held out, instead of those of the configuration"
    )
    parser.add_argument("--epochs", type=int, help="epochs a stage, instead of those of the configuration")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weights", default="0.01,0.1,0.64")
    parser.add_argument("--methods", default="proposed,conventional")
    parser.add_argument("--score-only", action="store_true", help="score the finished runs without training")
    try:
        compare(parser.parse_args())
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
