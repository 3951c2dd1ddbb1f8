"""Faces drawn on the photo (`omote swap --on-photo`) compared with decoded ones and with simpler ways to draw on it.

    python benchmarks/on_photo.py RUN FACES --judge RUN [--count 300]
    python benchmarks/on_photo.py RUN FACES --redraw SWAPS

Swaps between held-out people, chosen as `omote audit` chooses them, are drawn in several ways at the size of the face
set. Printed are, in per cent, how often the judge, a run with another seed or method, reads the intended expression and
the person in the swapped image (`omote.evaluation.swaps.swap_scores`), and the spatial power of the images relative to
the photos'. A judge of smaller faces reads them scaled down. "One pair" is what `omote swap` does for one photo and one
face. First it prints what `FLOW_GAIN` should be by pairs of photos of one person of the training, neutral and not: by
which factor the flow between the decoded faces comes nearest to that between the photos (least squares), and the cosine
of the two.

With --redraw there is no table: the decoded swaps in SWAPS, which `omote audit RUN --write-swaps SWAPS` wrote, are
replaced by swaps on the photo, for the judges of `benchmarks/judges/outside.py`.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from omote.data.face_set import FaceSet, open_face_set
from omote.data.outputs import Faces
from omote.errors import OmoteError
from omote.evaluation.judge_table import INDEX
from omote.evaluation.protocol import Codes
from omote.evaluation.swaps import choose_swaps, swap_scores
from omote.figures.paper.on_photo import (
    FLOW_GAIN,
    SHADING_BLUR,
    Change,
    apply_change,
    enlarge,
    estimate_change,
    face_window,
    similar_identities,
)
from omote.runs.trained import Trained, load

SCORES = ("expression_read_back", "expression_kept_from_target", "identity_read_back", "identity_of_source")
EstimateChange = Callable[[Faces, Faces], Change]
Rows = NDArray[np.integer]


def read(judge: Trained, images: Faces) -> Codes:
    """Return the judge's codes of (N, S, S, 3) faces, which are scaled down to its size if theirs is larger."""
    size = judge.size
    if images.shape[1] > size:
        images = np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])
    return Codes(judge.represent(images)[0], judge.identify(images)[0])


def bands(size: int) -> list[tuple[int, int]]:
    """Return the octaves from 8 cycles per image side to the finest of images of 64 or 128 px."""
    return [(low, 2 * low) for low in (8, 16, 32) if 4 * low <= size]


def power(images: Faces) -> list[float]:
    """Return the mean spectral power of the grey (N, S, S, 3) images in each of `bands`, with a Hann window."""
    grey = images.mean(-1)
    grey = (grey - grey.mean((1, 2), keepdims=True)) * np.outer(*[np.hanning(grey.shape[1])] * 2)
    spectrum = np.abs(np.fft.fft2(grey)) ** 2
    cycles = np.fft.fftfreq(grey.shape[1]) * grey.shape[1]
    radius = np.hypot(cycles, cycles[:, None])
    return [
        float(spectrum[:, (radius >= low) & (radius < high)].sum(1).mean())
        for low, high in bands(grey.shape[1])
    ]


def difference(before: Faces, after: Faces) -> Change:
    """Return the mean difference of colours, without any movement: the residual."""
    left = np.mean(
        [
            enlarge(last) - enlarge(first).astype(np.float32)
            for first, last in zip(before, after, strict=True)
        ],
        0,
    )
    left = face_window() * cv2.GaussianBlur(left.astype(np.float32), (0, 0), SHADING_BLUR)
    return Change(np.zeros((*left.shape[:2], 2), np.float32), left)


def movement(before: Faces, after: Faces) -> Change:
    """Return the movement alone, without shading."""
    change = estimate_change(before, after)
    return change._replace(shading=np.zeros_like(change.shading))


def changes(
    model: Trained, faces: Faces, sources: Rows, targets: Rows, identities: Faces, change: EstimateChange
) -> Iterator[Change]:
    """Give for each pair how these people change from the expression of the target to that of the source."""
    z_e, z_i = model.represent(faces)[0], similar_identities(model, identities)
    for source, target in zip(sources, targets, strict=True):
        codes = np.repeat(z_e[[target, source]], len(z_i), axis=0)
        before, after = np.split(model.decode_coarse(np.tile(z_i, (2, 1)), codes), 2)
        yield change(before, after)


def measure_gain(model: Trained, face_set: FaceSet, count: int = 80) -> tuple[float, float, int]:
    """Return the best gain, the cosine of the two flows, and the number of pairs of photos."""
    rows = np.flatnonzero(face_set.frames["subject"].isin(model.info.train_subjects).to_numpy())
    frames, faces = face_set.frames.iloc[rows], np.array(face_set.faces[rows])
    who, what = (frames[name].to_numpy(dtype=object) for name in ("subject", "expression"))
    labelled = frames["expression"].notna().to_numpy()
    first, last = np.nonzero(
        (who[:, None] == who) & (what[:, None] == "neutral") & (what != "neutral") & labelled
    )
    if not len(first):
        return math.nan, math.nan, 0
    chosen = np.random.default_rng(0).permutation(len(first))[:count]
    before, after = first[chosen], last[chosen]
    decoded = changes(model, faces, after, before, faces, estimate_change)
    own = np.stack([change.flow for change in decoded]) / FLOW_GAIN
    photos = (estimate_change(faces[[a]], faces[[b]]) for a, b in zip(before, after, strict=True))
    true = np.stack([change.flow for change in photos]) / FLOW_GAIN
    both, alone = float((own * true).sum()), float((own**2).sum())
    return both / alone, both / math.sqrt(alone * float((true**2).sum())), len(chosen)


def compare(model: Trained, judge: Trained, frames: pd.DataFrame, faces: Faces, count: int) -> None:
    """Print the table."""
    sources, targets = choose_swaps(frames, count=count)
    z_e, z_i = model.represent(faces)[0], model.identify(faces)[0]

    def draw(change: EstimateChange) -> Faces:
        found = changes(model, faces, sources, targets, faces, change)
        return np.stack([apply_change(faces[t], each) for t, each in zip(targets, found, strict=True)])

    def draw_alone() -> Faces:
        """Average over one identity code only, that of the face."""
        pairs = zip(sources, targets, strict=True)
        drawn = (model.decode_coarse(z_i[[target] * 2], z_e[[target, source]]) for source, target in pairs)
        found = (estimate_change(before[None], after[None]) for before, after in drawn)
        return np.stack([apply_change(faces[t], each) for t, each in zip(targets, found, strict=True)])

    def draw_pairs() -> Faces:
        """Average over the two people of a swap only, and altered pictures of them."""
        found = (
            next(changes(model, faces, s, t, faces[[*t, *s]], estimate_change))
            for s, t in zip(sources[:, None], targets[:, None], strict=True)
        )
        return np.stack([apply_change(faces[t], each) for t, each in zip(targets, found, strict=True)])

    ways: dict[str, Callable[[], Faces]] = {
        "photo, unchanged": lambda: faces[targets],
        "decoded": lambda: model.decode(z_i[targets], z_e[sources]),
        "difference, averaged": lambda: draw(difference),
        "movement, averaged": lambda: draw(movement),
        "movement and shading, one identity": draw_alone,
        "movement and shading, averaged (--on-photo)": lambda: draw(estimate_change),
        "movement and shading, averaged, one pair": draw_pairs,
    }
    real = read(judge, faces)
    photos = power(faces[targets])
    print(f"{len(sources)} swaps between {frames['subject'].nunique()} people whom {model.name} never saw")
    octaves = bands(faces.shape[1])
    print("| way | expression shown | expression kept | person kept | person of the source | "
          + " | ".join(f"power, {low} to {high} cycles" for low, high in octaves) + " |")  # fmt: skip
    print("| --- " * (len(SCORES) + len(octaves) + 1) + "|")
    for name, way in ways.items():
        images = way()
        scores = swap_scores(real, read(judge, images), frames, sources, targets)
        cells = [f"{100 * np.nanmean(scores[score].values):.0f}" for score in SCORES]
        cells += [f"{own / photo:.2f}" for own, photo in zip(power(images), photos, strict=True)]
        print("|", name, "|", " | ".join(cells), "|", flush=True)


def redraw(model: Trained, face_set: FaceSet, swaps: Path) -> int:
    """Replace the model's swaps in the folder by swaps on the photo, and return their number.

    A change is averaged over at most `NUM_IDENTITIES` faces of the people held out, or of those of the training.

    Raises:
        OmoteError: If the folder holds no swap of this model.
    """
    index = pd.read_csv(swaps / INDEX, dtype=str)["image"]
    named = (
        index[index.str.startswith(f"{model.model}/")].str.extract(r"(\d+)_on_(\d+)").astype(int).to_numpy()
    )
    if not len(named):
        raise OmoteError(f"{swaps} holds no swap of {model.model}; write them with omote audit --write-swaps")
    held_out = face_set.frames["subject"].isin(model.info.test_subjects).to_numpy()
    for group in (held_out, ~held_out):
        rows = np.flatnonzero(group)
        pairs = named[group[named[:, 1]]]
        if not len(pairs):
            continue
        sources, targets = np.searchsorted(rows, pairs).T  # rows among the faces of the group
        faces = np.array(face_set.faces[rows])
        found = changes(model, faces, sources, targets, faces, estimate_change)
        for (source, target), own, change in zip(pairs, targets, found, strict=True):
            changed = Image.fromarray(apply_change(faces[own], change))
            changed.save(swaps / model.model / f"{source:06d}_on_{target:06d}.png")
    return len(named)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("faces", type=Path)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--judge", type=Path, help="a run that reads the swaps")
    task.add_argument("--redraw", type=Path, metavar="SWAPS", help="a folder of `omote audit --write-swaps`")
    parser.add_argument("--count", type=int, default=300, help="number of swaps")
    given = parser.parse_args()
    model, face_set = load(given.run), open_face_set(given.faces)
    if given.redraw:
        print(f"{redraw(model, face_set, given.redraw)} swaps drawn on the photo")
        return
    gain, cosine, pairs = measure_gain(model, face_set)
    print(f"gain by {pairs} pairs of photos: {gain:.2f}; cosine of the flows: {cosine:.2f}")
    rows = np.flatnonzero(face_set.frames["subject"].isin(model.info.test_subjects).to_numpy())
    compare(model, load(given.judge), face_set.frames.iloc[rows], np.array(face_set.faces[rows]), given.count)


if __name__ == "__main__":
    main()
