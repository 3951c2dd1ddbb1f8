"""Faces drawn on the photo (`omote swap --on-photo`) compared with decoded ones and with simpler ways to draw on it.

    python benchmarks/on_photo.py RUN FACES --judge RUN

Swaps between held-out people, chosen as `omote audit` chooses them, are drawn in several ways at the size of the face
set. Printed are, in per cent, how often the judge, a run with another seed or method, reads the intended expression and
the person in the swapped image (`omote.evaluation.swaps.swap_scores`), and the spatial power of the images relative to
the photos'.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from omote.data.face_set import open_face_set
from omote.data.outputs import Faces
from omote.evaluation.protocol import Codes
from omote.evaluation.swaps import choose_swaps, swap_scores
from omote.figures.paper.on_photo import (
    SHADING_BLUR,
    Change,
    apply_change,
    enlarge,
    estimate_change,
    face_window,
    similar_identities,
)
from omote.runs.trained import load

SCORES = ("expression_read_back", "expression_kept_from_target", "identity_read_back", "identity_of_source")
BANDS = ((8, 16), (16, 32))  # cycles per image side


def power(images: Faces) -> list[float]:
    """Return the mean spectral power of the grey (N, S, S, 3) images in each band, with a Hann window."""
    grey = images.mean(-1)
    grey = (grey - grey.mean((1, 2), keepdims=True)) * np.outer(*[np.hanning(grey.shape[1])] * 2)
    spectrum = np.abs(np.fft.fft2(grey)) ** 2
    cycles = np.fft.fftfreq(grey.shape[1]) * grey.shape[1]
    radius = np.hypot(cycles, cycles[:, None])
    return [float(spectrum[:, (radius >= low) & (radius < high)].sum(1).mean()) for low, high in BANDS]


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300, help="number of swaps")
    arguments = parser.parse_args()
    model, judge, face_set = load(arguments.run), load(arguments.judge), open_face_set(arguments.faces)
    rows = np.flatnonzero(face_set.frames["subject"].isin(model.info.test_subjects).to_numpy())
    frames, faces = face_set.frames.iloc[rows], np.array(face_set.faces[rows])
    sources, targets = choose_swaps(frames, count=arguments.count)
    z_e, z_i = model.represent(faces)[0], model.identify(faces)[0]
    shared = similar_identities(model, faces)

    def draw(change: Callable[[Faces, Faces], Change], averaged: bool) -> Faces:
        changed = []
        for source, target in zip(sources, targets, strict=True):
            identities = shared if averaged else z_i[[target]]
            codes = np.repeat(z_e[[target, source]], len(identities), axis=0)
            before, after = np.split(model.decode(np.tile(identities, (2, 1)), codes), 2)
            changed.append(apply_change(faces[target], change(before, after)))
        return np.stack(changed)

    ways: dict[str, Callable[[], Faces]] = {
        "photo, unchanged": lambda: faces[targets],
        "decoded": lambda: model.decode(z_i[targets], z_e[sources]),
        "difference, one identity": lambda: draw(difference, False),
        "difference, averaged": lambda: draw(difference, True),
        "movement, averaged": lambda: draw(movement, True),
        "movement and shading, one identity": lambda: draw(estimate_change, False),
        "movement and shading, averaged (--on-photo)": lambda: draw(estimate_change, True),
    }
    real = Codes(judge.represent(faces)[0], judge.identify(faces)[0])
    photos = power(faces[targets])
    print(f"{len(sources)} swaps between {frames['subject'].nunique()} people whom {model.name} never saw")
    print("| way | expression shown | expression kept | person kept | person of the source | "
          + " | ".join(f"power, {low} to {high} cycles" for low, high in BANDS) + " |")  # fmt: skip
    print("| --- " * (len(SCORES) + len(BANDS) + 1) + "|")
    for name, way in ways.items():
        images = way()
        codes = Codes(judge.represent(images)[0], judge.identify(images)[0])
        scores = swap_scores(real, codes, frames, sources, targets)
        cells = [f"{100 * np.nanmean(scores[score].values):.0f}" for score in SCORES]
        cells += [f"{own / photo:.2f}" for own, photo in zip(power(images), photos, strict=True)]
        print("|", name, "|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
