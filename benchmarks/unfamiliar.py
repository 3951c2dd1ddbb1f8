"""How well `ood` tells pictures that the training did not have, beside distances in z_e.

    python benchmarks/unfamiliar.py RUN FACES [--strangers FACES] [--other FACES ...]
    python benchmarks/unfamiliar.py       # draws faces and trains on them first; under two minutes

RUN was trained on FACES. Its people held out, and strangers of the same kind, should not be doubted; faces of another
kind, and their own faces spoilt, should. In between stands what happens to good pictures. Each number is the share
beyond the limit in per cent, and, after the bar, the AUROC: how often such a picture is farther than a face of people
held out or strangers (100 always, 50 by chance).

All three distances have the same limit: what 1 in 100 faces of people left out exceeds. "z_e" is Mahalanobis (Lee et
al. 2018, one class), "nearest" the distance to the 5th nearest of 1,000 codes (Sun et al. 2022).

Last, `ood` of a training of few people, 10 faces each: means over 10 draws of people.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.runs.config import TrainConfig
from omote.runs.ood import FOLDS, QUANTILE, fit_ood_model
from omote.runs.trained import load
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train

Faces = NDArray[np.uint8]
Floats = NDArray[np.float32]
Distance = Callable[[Floats], Floats]
MOST = 400  # pictures of a row
TINY = {"method": "contrast", "test_subjects": 6, "batch_size": 16, "options.epochs": 4, "options.width": 8}


def moved(faces: Faces, scale: float = 1.0, shift: float = 0.0, turn: float = 0.0) -> Faces:
    """Return the faces smaller by ``scale``, moved right by ``shift`` sides, turned by degrees; the border repeats."""
    size = faces.shape[1]
    middle = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), turn, 1 / scale)
    matrix[0, 2] += shift * size
    flags, border = cv2.INTER_AREA, cv2.BORDER_REPLICATE
    return np.stack(
        [cv2.warpAffine(face, matrix, (size, size), flags=flags, borderMode=border) for face in faces]
    )


def part(faces: Faces, x: float, y: float, width: float) -> Faces:
    """Return a square of the faces as if it were a face; place and width in image sides."""
    size = faces.shape[1]
    x, y, width = (round(size * number) for number in (x, y, width))
    return np.stack([cv2.resize(face[y : y + width, x : x + width], (size, size)) for face in faces])


def blurred(faces: Faces, pixels: float) -> Faces:
    return np.stack([cv2.GaussianBlur(face, (0, 0), pixels * len(face) / 64) for face in faces])


def hidden(faces: Faces) -> Faces:
    """Return the faces with a dark bar over the eyes."""
    made, size = faces.copy(), faces.shape[1]
    made[:, round(0.3 * size) : round(0.5 * size)] = 20
    return made


def spoilt(faces: Faces, rng: np.random.Generator) -> dict[str, Faces]:
    """Return what should be doubted."""
    greys = np.linspace(20, 235, len(faces)).astype(np.uint8)
    return {
        "upside down": faces[:, ::-1],
        "lying on the side": np.rot90(faces, 1, (1, 2)),
        "noise": rng.integers(0, 256, faces.shape, dtype=np.uint8),
        "flat grey": np.broadcast_to(greys[:, None, None, None], faces.shape),
        "background": part(faces, 0, 0, 0.2),
        "cheek and mouth": part(faces, 0.3, 0.6, 0.35),
        "one eye": part(faces, 0.15, 0.3, 0.35),
        "blurred, 4 px": blurred(faces, 4),
        "cut 40 % off": moved(faces, shift=0.4),
        "cut twice as wide": moved(faces, scale=2),
        "colours inverted": 255 - faces,
        "a fifth of the light": (0.2 * faces).astype(np.uint8),
    }


def augment(faces: Faces, rng: np.random.Generator) -> dict[str, Faces]:
    """Return what is in between, mildest first."""
    return {
        "mirrored": faces[:, :, ::-1],
        "30 % darker": (0.7 * faces).astype(np.uint8),
        "blurred, 1 px": blurred(faces, 1),
        "10 % smaller": moved(faces, scale=1.1),
        "moved by 5 %": moved(faces, shift=0.05),
        "turned by 10 degrees": moved(faces, turn=10),
        "without colour": np.repeat(faces.mean(3, keepdims=True).astype(np.uint8), 3, 3),
        "red and blue exchanged": faces[..., ::-1],
        "blurred, 2 px": blurred(faces, 2),
        "noise of 40 levels": np.clip(faces + rng.normal(0, 40, faces.shape), 0, 255).astype(np.uint8),
        "cut 50 % wider": moved(faces, scale=1.5),
        "bar over the eyes": hidden(faces),
    }


def mahalanobis(codes: Floats) -> Distance:
    middle, spread = codes.mean(0), np.cov(codes.T)
    spread += 0.01 * np.trace(spread) / len(spread) * np.eye(len(spread))
    scale = np.linalg.inv(np.linalg.cholesky(spread)).T

    def distance(z: Floats) -> Floats:
        found: Floats = np.sqrt((((z - middle) @ scale) ** 2).sum(1)).astype(np.float32)
        return found

    return distance


def nearest(codes: Floats) -> Distance:
    middle, deviation = codes.mean(0), codes.std(0) + 1e-6
    known = ((codes - middle) / deviation)[np.linspace(0, len(codes) - 1, min(len(codes), 1000)).astype(int)]
    squares = (known**2).sum(1)

    def distance(z: Floats) -> Floats:
        asked = (z - middle) / deviation
        squared = (asked**2).sum(1)[:, None] + squares - 2 * asked @ known.T
        found: Floats = np.sqrt(np.partition(squared, 4, axis=1)[:, 4].clip(0)).astype(np.float32)
        return found

    return distance


def with_limit(fit: Callable[[Floats], Distance], codes: Floats, subjects: list[str]) -> Distance:
    """Return the distance, divided by its limit over people left out."""
    which = np.unique(subjects, return_inverse=True)[1] % FOLDS
    left_out = [fit(codes[which != number])(codes[which == number]) for number in np.unique(which)]
    limit, distance = np.quantile(np.concatenate(left_out), QUANTILE), fit(codes)
    return lambda z: distance(z) / limit


def auroc(near: Floats, far: Floats) -> float:
    ranks = rankdata(np.concatenate([near, far]))[len(near) :]
    return float((ranks.mean() - (len(far) + 1) / 2) / len(near))


def some(faces: Faces) -> Faces:
    return np.array(faces[np.linspace(0, len(faces) - 1, min(len(faces), MOST)).astype(int)])


def compare(run: Path, face_set: FaceSet, strangers: FaceSet | None, others: list[FaceSet]) -> None:
    trained = load(run)
    frames = face_set.frames
    of_training = frames["subject"].isin(trained.info.train_subjects) & (frames["use"] != "evaluate")
    subjects = frames["subject"][of_training].tolist()
    faces = np.array(face_set.faces[of_training.to_numpy()])
    started = time.perf_counter()
    reference = fit_ood_model(faces, subjects)
    took = time.perf_counter() - started
    codes = trained.represent(faces)[0]
    in_codes = {
        name: with_limit(fit, codes, subjects) for name, fit in (("z_e", mahalanobis), ("nearest", nearest))
    }

    held_out = frames["subject"].isin(trained.info.test_subjects).to_numpy()
    good = {"people held out": some(face_set.faces[held_out])}
    if strangers:
        good["strangers"] = some(strangers.faces)
    spoil = next(reversed(good.values()))
    far = {f"faces of {other.path.name}": some(other.faces) for other in others}
    rng = np.random.default_rng(0)
    rows = {
        "should not be doubted": {"people of the training": some(faces), **good},
        "should be doubted": {**far, **spoilt(spoil, rng)},
        "in between": augment(spoil, rng),
    }

    def distances(pictures: Faces) -> dict[str, Floats]:
        z = trained.represent(np.ascontiguousarray(pictures))[0]
        return {
            "ood": reference.distance(pictures),
            **{name: distance(z) for name, distance in in_codes.items()},
        }

    of_good = [distances(pictures) for pictures in good.values()]
    near = {name: np.concatenate([each[name] for each in of_good]) for name in of_good[0]}
    print(f"{trained.name}, trained on {len(faces)} faces of {len(set(subjects))} people")
    for title, pictures_of in rows.items():
        print(f"\n{title:24} faces" + "".join(f"{name:>16}" for name in near))
        for name, pictures in pictures_of.items():
            found = distances(pictures)
            cells = [
                f"{100 * np.mean(found[score] > 1):5.0f} | {100 * auroc(near[score], found[score]):5.1f}"
                for score in near
            ]
            print(f"{name:24} {len(pictures):5}" + "".join(f"{cell:>16}" for cell in cells))
    of_few(faces, subjects, rows)
    batch = spoil[:64]
    each = []
    for _ in range(20):
        started = time.perf_counter()
        reference.distance(batch)
        each.append((time.perf_counter() - started) / len(batch))
    print(f"\nThe reference took {took:.1f} s to make, and {1e3 * np.median(each):.2f} ms a face to ask.")


def of_few(faces: Faces, subjects: list[str], rows: dict[str, dict[str, Faces]]) -> None:
    """Print how often references of few people doubt what they should and should not."""
    good, far = (
        np.concatenate([pictures[::4] for name, pictures in rows[title].items() if "training" not in name])
        for title in ("should not be doubted", "should be doubted")
    )
    who = np.array(subjects)
    everyone = np.unique(who)
    print("\npeople  should not be doubted  should be doubted")
    for count in (2, 5, 10, 20):
        wrongly, rightly = [], []
        for seed in range(10):
            drawn = np.random.default_rng(seed).permutation(everyone)[:count]
            of_each = [np.flatnonzero(who == name) for name in drawn]
            few = np.concatenate(
                [own[np.linspace(0, len(own) - 1, min(len(own), 10)).astype(int)] for own in of_each]
            )
            reference = fit_ood_model(faces[few], who[few].tolist())
            wrongly.append(np.mean(reference.distance(good) > 1))
            rightly.append(np.mean(reference.distance(far) > 1))
        print(f"{count:6} {100 * np.mean(wrongly):22.1f} {100 * np.mean(rightly):18.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("faces", nargs="?", type=Path, help="the face set the run was trained on")
    parser.add_argument("--strangers", type=Path, help="a face set of other people, made alike")
    parser.add_argument("--other", type=Path, nargs="+", default=[], help="face sets of another kind")
    arguments = parser.parse_args()
    if arguments.run and not arguments.faces:
        parser.error("name the face set the run was trained on too")
    try:
        others = [open_face_set(path) for path in arguments.other]
        strangers = open_face_set(arguments.strangers) if arguments.strangers else None
        if arguments.run:
            compare(arguments.run, open_face_set(arguments.faces), strangers, others)
            return
        with tempfile.TemporaryDirectory() as folder:
            to = Path(folder)
            drawn = [
                prepare_drawn(to / f"drawn{seed}", subjects=24, mixtures=0, frames=4, seed=seed)
                for seed in (0, 1)
            ]
            run = train(drawn[0], to / "run", TrainConfig.read(None, TINY)).path
            compare(run, drawn[0], strangers or drawn[1], others)
    except OmoteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
