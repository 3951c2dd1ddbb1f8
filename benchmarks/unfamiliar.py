"""How well `ood` detects pictures unlike the training faces, compared with distances in z_e.

    python benchmarks/unfamiliar.py RUN FACES [--strangers FACES] [--other FACES ...]
    python benchmarks/unfamiliar.py       # draws faces and trains on them first; under two minutes

RUN was trained on FACES. Held-out people, and other people prepared alike (--strangers), should be within the limit;
faces of another kind (--other) and corrupted faces should exceed it. Mild changes are listed separately. Each cell is
the percentage beyond the limit and, after the bar, the AUROC in per cent against held-out people and strangers (50 is
chance).

All three distances have the same kind of limit, which 1 % of the faces of left-out people exceed. "z_e" is the
Mahalanobis distance (Lee et al. 2018, one class), "nearest" the distance to the 5th nearest of 1,000 codes (Sun et al.
2022).

The last table is `ood` fitted to few people with 10 faces each: means over 10 draws of people.
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
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.runs.config import TrainConfig
from omote.runs.ood import FOLDS, QUANTILE, fit_ood_model
from omote.runs.trained import load
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train

Faces = NDArray[np.uint8]
Floats = NDArray[np.float32]
Distance = Callable[[Floats], Floats]
MAX_PICTURES = 400  # in a row
TINY = {"method": "contrast", "test_subjects": 6, "batch_size": 16, "options.epochs": 4, "options.width": 8}


def move(faces: Faces, scale: float = 1.0, shift: float = 0.0, turn: float = 0.0) -> Faces:
    """Return the faces shrunk by ``scale``, shifted right by ``shift`` sides, rotated by ``turn`` degrees."""
    size = faces.shape[1]
    middle = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), turn, 1 / scale)
    matrix[0, 2] += shift * size
    flags, border = cv2.INTER_AREA, cv2.BORDER_REPLICATE
    return np.stack(
        [cv2.warpAffine(face, matrix, (size, size), flags=flags, borderMode=border) for face in faces]
    )


def crop(faces: Faces, x: float, y: float, width: float) -> Faces:
    """Return a square part of the faces, enlarged to their size; position and width in image sides."""
    size = faces.shape[1]
    x, y, width = (round(size * number) for number in (x, y, width))
    return np.stack([cv2.resize(face[y : y + width, x : x + width], (size, size)) for face in faces])


def blur(faces: Faces, pixels: float) -> Faces:
    return np.stack([cv2.GaussianBlur(face, (0, 0), pixels * len(face) / 64) for face in faces])


def cover_eyes(faces: Faces) -> Faces:
    """Return the faces with a dark bar over the eyes."""
    covered, size = faces.copy(), faces.shape[1]
    covered[:, round(0.3 * size) : round(0.5 * size)] = 20
    return covered


def corrupt(faces: Faces, rng: np.random.Generator) -> dict[str, Faces]:
    """Return corrupted faces, which should exceed the limit."""
    greys = np.linspace(20, 235, len(faces)).astype(np.uint8)
    return {
        "upside down": faces[:, ::-1],
        "lying on the side": np.rot90(faces, 1, (1, 2)),
        "noise": rng.integers(0, 256, faces.shape, dtype=np.uint8),
        "flat grey": np.broadcast_to(greys[:, None, None, None], faces.shape),
        "background": crop(faces, 0, 0, 0.2),
        "cheek and mouth": crop(faces, 0.3, 0.6, 0.35),
        "one eye": crop(faces, 0.15, 0.3, 0.35),
        "blurred, 4 px": blur(faces, 4),
        "cut 40 % off": move(faces, shift=0.4),
        "cut twice as wide": move(faces, scale=2),
        "colours inverted": 255 - faces,
        "a fifth of the light": (0.2 * faces).astype(np.uint8),
    }


def change(faces: Faces, rng: np.random.Generator) -> dict[str, Faces]:
    """Return mildly changed faces, mildest first."""
    return {
        "mirrored": faces[:, :, ::-1],
        "30 % darker": (0.7 * faces).astype(np.uint8),
        "blurred, 1 px": blur(faces, 1),
        "10 % smaller": move(faces, scale=1.1),
        "moved by 5 %": move(faces, shift=0.05),
        "turned by 10 degrees": move(faces, turn=10),
        "without colour": np.repeat(faces.mean(3, keepdims=True).astype(np.uint8), 3, 3),
        "red and blue exchanged": faces[..., ::-1],
        "blurred, 2 px": blur(faces, 2),
        "noise of 40 levels": np.clip(faces + rng.normal(0, 40, faces.shape), 0, 255).astype(np.uint8),
        "cut 50 % wider": move(faces, scale=1.5),
        "bar over the eyes": cover_eyes(faces),
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
    known = ((codes - middle) / deviation)[evenly_spaced(len(codes), 1000)]
    squares = (known**2).sum(1)

    def distance(z: Floats) -> Floats:
        query = (z - middle) / deviation
        squared = (query**2).sum(1)[:, None] + squares - 2 * query @ known.T
        found: Floats = np.sqrt(np.partition(squared, 4, axis=1)[:, 4].clip(0)).astype(np.float32)
        return found

    return distance


def with_limit(fit: Callable[[Floats], Distance], codes: Floats, subjects: list[str]) -> Distance:
    """Return the distance, divided by its limit from left-out people."""
    which = np.unique(subjects, return_inverse=True)[1] % FOLDS
    left_out = [fit(codes[which != number])(codes[which == number]) for number in np.unique(which)]
    limit, distance = np.quantile(np.concatenate(left_out), QUANTILE), fit(codes)
    return lambda z: distance(z) / limit


def auroc(near: Floats, far: Floats) -> float:
    ranks = rankdata(np.concatenate([near, far]))[len(near) :]
    return float((ranks.mean() - (len(far) + 1) / 2) / len(near))


def some(faces: Faces) -> Faces:
    return np.array(faces[evenly_spaced(len(faces), MAX_PICTURES)])


def compare(run: Path, face_set: FaceSet, strangers: FaceSet | None, others: list[FaceSet]) -> None:
    trained = load(run)
    frames = face_set.frames
    is_training = frames["subject"].isin(trained.info.train_subjects) & (frames["use"] != "evaluate")
    subjects = frames["subject"][is_training].tolist()
    faces = np.array(face_set.faces[is_training.to_numpy()])
    started = time.perf_counter()
    model = fit_ood_model(faces, subjects)
    took = time.perf_counter() - started
    codes = trained.represent(faces)[0]
    in_codes = {
        name: with_limit(fit, codes, subjects) for name, fit in (("z_e", mahalanobis), ("nearest", nearest))
    }

    held_out = frames["subject"].isin(trained.info.test_subjects).to_numpy()
    good = {"held-out people": some(face_set.faces[held_out])}
    if strangers:
        good["strangers"] = some(strangers.faces)
    base = next(reversed(good.values()))
    far = {f"faces of {other.path.name}": some(other.faces) for other in others}
    rng = np.random.default_rng(0)
    rows = {
        "should be within": {"training people": some(faces), **good},
        "should exceed": {**far, **corrupt(base, rng)},
        "mild changes": change(base, rng),
    }

    def distances(pictures: Faces) -> dict[str, Floats]:
        z = trained.represent(np.ascontiguousarray(pictures))[0]
        return {
            "ood": model.distance(pictures),
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
    print_few_people(faces, subjects, rows)
    batch = base[:64]
    each = []
    for _ in range(20):
        started = time.perf_counter()
        model.distance(batch)
        each.append((time.perf_counter() - started) / len(batch))
    print(f"\nFitting took {took:.1f} s, and a score {1e3 * np.median(each):.2f} ms per face.")


def print_few_people(faces: Faces, subjects: list[str], rows: dict[str, dict[str, Faces]]) -> None:
    """Print how often faces exceed the limit of models of few people."""
    good, far = (
        np.concatenate([pictures[::4] for name, pictures in rows[title].items() if "training" not in name])
        for title in ("should be within", "should exceed")
    )
    who = np.array(subjects)
    everyone = np.unique(who)
    print("\npeople       should be within      should exceed")
    for count in (2, 5, 10, 20):
        wrongly, rightly = [], []
        for seed in range(10):
            drawn = np.random.default_rng(seed).permutation(everyone)[:count]
            own_rows = [np.flatnonzero(who == name) for name in drawn]
            few = np.concatenate([own[evenly_spaced(len(own), 10)] for own in own_rows])
            model = fit_ood_model(faces[few], who[few].tolist())
            wrongly.append(np.mean(model.distance(good) > 1))
            rightly.append(np.mean(model.distance(far) > 1))
        print(f"{count:6} {100 * np.mean(wrongly):22.1f} {100 * np.mean(rightly):18.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("faces", nargs="?", type=Path, help="the face set the run was trained on")
    parser.add_argument("--strangers", type=Path, help="a face set of other people, prepared alike")
    parser.add_argument("--other", type=Path, nargs="+", default=[], help="face sets of another kind")
    arguments = parser.parse_args()
    if arguments.run and not arguments.faces:
        parser.error("give the face set the run was trained on too")
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
