"""Measure axes and events on made videos whose shapes are known in every frame, and on morphs of real photos.

    python benchmarks/axes.py RUN --model ICT-FaceKit/FaceXModel [--faces FACES] [--axes FILE] [--london FOLDER]

The axes are those of FILE, or those that come with RUN; or they are fitted here to FACES, a face set of `omote prepare
rendered`. Without --model, no videos are made.

Made videos: of each rendered person, whom neither the run nor the axes have seen, every axis moves once, one after
the other, while head, gaze and lids move. Printed for each axis: R2 on the people that it was fitted on, held
out in turn; the rank correlation with the truth round its movements (median over people); and its events beside those
of the truth, found by the same rule: how many, missed, false, and the median error of the onset.

Morphs: the neutral and the smiling photo of a person of the London Set, `NNN_03.jpg` and `NNN_08.jpg`, warped into each
other by five landmarks and blended, from neutral to smiling and back. The truth of "lip corners up" is the share of
the smiling photo.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.stats import spearmanr

from omote.data.cut import Cut, cut_faces, cut_out
from omote.data.detect import Face, Search, find_detector
from omote.data.face_set import open_face_set
from omote.data.images import read_photo
from omote.errors import OmoteError
from omote.features.axes import Axes, axes_of, axis_column, say_axis
from omote.features.embed import open_reader
from omote.features.events import find_events
from omote.features.fit_axes import UNITS, fit_axes, true_shapes
from omote.features.reader import Reader
from omote.synthetic.rendered.expressions import MAX_STRENGTH, SHAPE_INDEX, SHAPES, SINGLE_UNITS
from omote.synthetic.rendered.factors import Nuisance, random_appearance, random_nuisance
from omote.synthetic.rendered.model import NUM_IDENTITY, FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head

Array = NDArray[Any]

FPS = 25
SEED = 9000  # of people; no face set has a seed so large
MOVES = 1  # of each axis in each video
RISE, HOLD, REST = (0.25, 0.8), (0.3, 0.9), (0.5, 0.9)  # seconds, from and to
ROUND = 0.4  # seconds round a movement that count in the rank correlation
SMILE = "lip corners up"
MORPH_SECONDS, MORPH_WEIGHTS = (0, 1, 1.6, 2.6, 3.2, 4.2), (0, 0, 1, 1, 0, 0)


def film_person(
    model: FaceModel, reader: Reader, names: list[str], number: int
) -> tuple[Array, pd.DataFrame]:
    """Return the faces (N, S, S, 3) of one video of a rendered person, and the true shapes in columns `au_...`."""
    rng = np.random.default_rng([SEED, number])
    head = Head(model, np.clip(rng.normal(0, 1, NUM_IDENTITY), -2.5, 2.5), random_appearance(rng))
    weights = plan_moves(names, rng)
    time = np.arange(len(weights)) / FPS
    still = random_nuisance(rng)
    phases = rng.uniform(0, 2 * np.pi, 5)
    faces = []
    for at, shapes in zip(time, weights, strict=True):
        yaw, pitch, roll, gaze_x, gaze_y = np.sin(2 * np.pi * at / [7, 5, 9, 3, 4] + phases) * [8, 5, 3, 4, 2]
        moved = {
            "yaw": still.yaw / 2 + yaw, "pitch": still.pitch / 2 + pitch, "roll": still.roll / 2 + roll,
            "gaze_x": gaze_x, "gaze_y": gaze_y, "grain": float(rng.uniform()),
        }  # fmt: skip
        image, landmarks, box = head.render(shapes, Nuisance(**vars(still) | moved), reader.size)
        faces.append(cut_like(reader, image, Face(1.0, box, landmarks), again=False))
    truth = pd.DataFrame(weights, columns=[f"au_{shape}" for shape in SHAPES]).assign(time=time)
    return np.stack(faces), truth


def plan_moves(names: list[str], rng: np.random.Generator) -> Array:
    """Return (frames, 57) weights: each axis of ``names`` moves `MOVES` times, one after the other, and lids blink."""
    parts = [np.zeros((FPS, len(SHAPES)))]
    for name in rng.permutation(names * MOVES):
        rise, hold, fall, rest = (rng.uniform(*span) for span in (RISE, HOLD, RISE, REST))
        time = np.arange(round((rise + hold + fall + rest) * FPS)) / FPS
        course = np.interp(time, np.cumsum([0, rise, hold, fall]), [0, 1, 1, 0])
        part = np.zeros((len(time), len(SHAPES)))
        for unit in UNITS[str(name)]:
            strength = rng.uniform(0.6, 1) * (1.0 if unit == "eyeBlink" else MAX_STRENGTH[unit])
            for shape in [unit] if unit in SINGLE_UNITS else [f"{unit}_L", f"{unit}_R"]:
                part[:, SHAPE_INDEX[shape]] = strength * course
        parts.append(part)
    weights = np.concatenate(parts)
    for begin in np.arange(rng.uniform(1, 3), len(weights) / FPS, 4.0):  # a blink of 0.24 s, every 4 s
        lid = np.maximum(0, 1 - np.abs(np.arange(len(weights)) / FPS - begin) / 0.12)
        for side in "LR":
            column = weights[:, SHAPE_INDEX[f"eyeBlink_{side}"]]
            np.maximum(column, lid, out=column)
    return weights


def cut_like(reader: Reader, image: Array, face: Face, *, again: bool) -> Array:
    """Return a face (S, S, 3) as the reader cuts it out; a rendered picture is cut already, unless by the eyes."""
    cut = Cut.of(reader.face_set, reader.size)
    if cut.align == "none" and not again:
        return image
    return cut_out(image, face, reader.size, cut.align, cut.margin)


def as_table(values: pd.DataFrame, time: Any, source: str) -> pd.DataFrame:
    return values.assign(time=np.asarray(time), source=source, face=0)


def compare(read: pd.DataFrame, truth: pd.DataFrame, column: str) -> dict[str, float]:
    """Return counts and errors of the events of one axis beside those of the truth, over all sources."""
    found, true = (find_events(table[["source", "face", "time", column]]) for table in (read, truth))
    hits, errors, matched = 0, [], set()
    for event in true.to_dict("records"):
        overlaps = found[
            (found["source"] == event["source"])
            & (found["onset"] < event["offset"])
            & (found["offset"] > event["onset"])
        ]
        if len(overlaps):
            hits += 1
            matched |= set(overlaps.index)
            errors.append(float(overlaps["onset"].iloc[0] - event["onset"]))
    late = 1000 * np.array(errors or [np.nan])
    return {
        "events": len(true),
        "missed": len(true) - hits,
        "false": len(found) - len(matched),
        "onset error, ms": float(np.median(np.abs(late))),
        "onset late by, ms": float(np.median(late)),
    }


def rank_correlation(read: pd.DataFrame, truth: pd.DataFrame, column: str) -> float:
    """Return the median over sources of the rank correlation with the truth, in frames near its movements."""
    values = []
    for source, rows in truth.groupby("source"):
        moving = rows[column].to_numpy() > 0
        width = 2 * round(ROUND * FPS) + 1
        near = np.convolve(moving, np.ones(width), "same") > 0
        shown = read[read["source"] == source][column].to_numpy()
        if near.any():
            is_flat = np.ptp(shown[near]) == 0
            values.append(0.0 if is_flat else spearmanr(shown[near], rows[column].to_numpy()[near]).statistic)
    return float(np.median(values)) if values else float("nan")


def measure_videos(reader: Reader, axes: Axes, model: FaceModel, people: int) -> pd.DataFrame:
    """Return a row for each axis, measured on made videos of rendered people."""
    names = [axis.name for axis in axes.axes if axis.name in UNITS]
    read, truth = [], []
    for number in range(people):
        faces, frames = film_person(model, reader, names, number)
        values = axes.read(reader.read(faces).mean)
        shapes = true_shapes(frames)[names].set_axis([axis_column(name) for name in names], axis=1)
        read.append(as_table(values, frames["time"], f"person {number}"))
        truth.append(as_table(shapes, frames["time"], f"person {number}"))
        print(f"person {number + 1} of {people}: {len(frames)} frames", flush=True)
    every_read, every_truth = (pd.concat(tables, ignore_index=True) for tables in (read, truth))
    rows = []
    for axis in axes.axes:
        if axis.name not in names:
            continue
        rows.append(
            {
                "axis": axis.name,
                "R2": axis.fitted.r2 if axis.fitted else float("nan"),
                "rank correlation": rank_correlation(every_read, every_truth, axis.column),
                **compare(every_read, every_truth, axis.column),
            }
        )
    return pd.DataFrame(rows)


def morph(pictures: list[Array], points: list[Array], weight: float) -> tuple[Array, Array]:
    """Return two (H, W, 3) pictures warped half way into each other and blended, and the points (P, 2) there.

    The warp is affine in each triangle of the points. ``weight`` is the share of the second picture.
    """
    height, width = pictures[0].shape[:2]
    between = (1 - weight) * points[0] + weight * points[1]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    blended = np.zeros(pictures[0].shape)
    for picture, own, share in zip(pictures, points, (1 - weight, weight), strict=True):
        origin = LinearNDInterpolator(between, own)(grid).reshape(height, width, 2).astype(np.float32)
        blended += share * cv2.remap(
            picture, origin[..., 0], origin[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return blended.round().astype(np.uint8), between


def film_morph(folder: Path, person: str, reader: Reader) -> tuple[Array, Array]:
    """Return the faces (N, S, S, 3) of a morph from neutral to smiling and back, and the weights (N,)."""
    pictures = [read_photo(folder / f"{person}_{shown}.jpg") for shown in ("03", "08")]
    detector = find_detector()
    cut = Cut.of(reader.face_set, reader.size)
    found = [cut_faces(picture, cut, detector, Search(1, False))[0].face for picture in pictures]
    faces = [face for face in found if face is not None]  # all: these are no face crops
    height, width = pictures[0].shape[:2]
    # Beyond the border, so that every pixel lies in a triangle.
    frame = np.array([(x, y) for x in (-9, width / 2, width + 9) for y in (-9, height / 2, height + 9)])
    frame = np.delete(frame, 4, axis=0)
    points = [np.concatenate([face.landmarks, frame]) for face in faces]
    seconds = np.arange(0, MORPH_SECONDS[-1], 1 / FPS)
    weights = np.interp(seconds, MORPH_SECONDS, MORPH_WEIGHTS)
    made: dict[float, Array] = {}
    for weight in np.unique(weights).tolist():
        image, between = morph(pictures, points, weight)
        box = (1 - weight) * faces[0].box + weight * faces[1].box
        made[weight] = cut_like(reader, image, Face(1.0, box, between[:5]), again=True)
    return np.stack([made[weight] for weight in weights.tolist()]), weights


def measure_morphs(reader: Reader, axes: Axes, folder: Path, people: int) -> None:
    """Print how well "lip corners up" follows morphs of real photos, people held out where the run knows them."""
    column = axis_column(SMILE)
    if SMILE not in axes.names:
        print(f'No morphs: the axes have no "{SMILE}".')
        return
    there = sorted(path.name.removesuffix("_03.jpg") for path in folder.glob("*_03.jpg"))
    info = getattr(reader, "info", None)
    tested = set() if info is None else {name.rpartition("/")[2] for name in info.test_subjects}
    held_out = [person for person in there if person in tested]
    chosen = (held_out or there)[:people]
    read, truth = [], []
    for person in chosen:
        faces, weights = film_morph(folder, person, reader)
        time = np.arange(len(weights)) / FPS
        read.append(as_table(axes.read(reader.read(faces).mean)[[column]], time, person))
        truth.append(as_table(pd.DataFrame({column: weights}), time, person))
    every_read, every_truth = pd.concat(read, ignore_index=True), pd.concat(truth, ignore_index=True)
    each = [rank_correlation(one, true, column) for one, true in zip(read, truth, strict=True)]
    ends = [
        [
            table[column][(true[column] == end).to_numpy()].mean()
            for table, true in zip(read, truth, strict=True)
        ]
        for end in (0, 1)
    ]
    known = f"{len(held_out)} held out" if held_out else "whom the run may know"
    print(f"\nMorphs of {len(chosen)} people ({known}), {say_axis(column)}:")
    print(f"  rank correlation: median {np.median(each):.2f}, least {np.min(each):.2f}")
    above = int((np.array(ends[1]) > np.array(ends[0])).sum())
    print(
        f"  neutral {np.median(ends[0]):.2f}, smiling {np.median(ends[1]):.2f}; {above} of {len(chosen)} go up"
    )
    for name, value in compare(every_read, every_truth, column).items():
        print(f"  {name}: {value:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", type=Path, help="the ICT Face Model Light")
    parser.add_argument("--axes", type=Path, help="file of axes")
    parser.add_argument("--faces", type=Path, help="rendered face set to fit axes to, if the run has none")
    parser.add_argument("--london", type=Path, help="folder of the London Set")
    parser.add_argument("--people", type=int, default=4, help="made videos")
    parser.add_argument("--morphs", type=int, default=20)
    given = parser.parse_args()
    reader = open_reader(given.run)
    axes = axes_of(reader) if given.axes is None else Axes.load(given.axes)
    if axes is None:
        if given.faces is None:
            raise OmoteError(f"{given.run} has no axes; give --faces to fit them")
        axes = fit_axes(reader, open_face_set(given.faces)).axes
    if given.model:
        table = measure_videos(reader, axes, read_face_model(given.model), given.people)
        print(table.round(2).to_string(index=False))
        print("all axes:", ", ".join(f"{table[name].sum()} {name}" for name in ("events", "missed", "false")))
    if given.london:
        measure_morphs(reader, axes, given.london, given.morphs)


if __name__ == "__main__":
    main()
