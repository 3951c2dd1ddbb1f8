"""How sharp decoded faces are, and whether swaps show the right expression and person: two rows a run.

    python benchmarks/sharpness.py FACES RUN... --judge RUN

The first row is of the images before the last stage (`omote.methods.sharpening`), if the run has one. Held-out people
only. *Power* is the spectral power of the decoded images relative to that of the real ones, 1 where
they are as sharp, for reconstructions and for swaps (chosen as `omote audit` chooses them). *Error* is the mean squared
error of reconstructions, pixels in [0, 1], times 1,000. The judge, a run that took no part, reads the swaps
(`omote.evaluation.swaps.swap_scores`, per cent), and the Frechet distance (Heusel et al., 2017) between swaps and real
faces is measured in its two codes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kl import frechet  # beside this file
from omote.data.face_set import open_face_set
from omote.evaluation.protocol import Codes
from omote.evaluation.swaps import choose_swaps, swap_scores
from omote.methods.sharpening import Sharpened
from omote.runs.trained import Trained, load
from on_photo import BANDS, power  # beside this file

SCORES = ("expression_read_back", "expression_kept_from_target", "identity_read_back")


def read(judge: Trained, images: npt.NDArray[np.uint8]) -> Codes:
    """Return the judge's codes of (N, S, S, 3) faces."""
    return Codes(judge.represent(images)[0], judge.identify(images)[0])


def decoders(trained: Trained) -> dict[str, Callable[[Any, Any], npt.NDArray[np.uint8]]]:
    """Return the run's decoder, and before it, under another name, that of the stages before the last one."""
    method = trained.method

    if not (isinstance(method, Sharpened) and method.options.sharpening):
        return {"": trained.decode}

    def decode_coarse(z_i: Any, z_e: Any) -> npt.NDArray[np.uint8]:
        with torch.inference_mode():
            images = method.decode_coarse(torch.as_tensor(z_i), torch.as_tensor(z_e))
        levels: npt.NDArray[np.uint8] = (255 * images).round().byte().permute(0, 2, 3, 1).numpy()
        return levels

    return {", before": decode_coarse, "": trained.decode}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", metavar="run")
    parser.add_argument("--judge", required=True, help='a run, or "shipped"')
    parser.add_argument("--count", type=int, default=300, help="number of swaps")
    arguments = parser.parse_args()
    face_set, judge = open_face_set(arguments.faces), load(arguments.judge)
    bands = [f"{what}, power {low} to {high}" for what in ("rebuilt", "swapped") for low, high in BANDS]
    columns = ["run", "error", *bands, *(name.replace("_", " ") for name in SCORES), "Frechet distance"]
    print("|", " | ".join(columns), "|\n|" + " --- |" * len(columns))
    for path in arguments.runs:
        trained = load(path)
        rows = np.flatnonzero(face_set.frames["subject"].isin(trained.info.test_subjects).to_numpy())
        frames, faces = face_set.frames.iloc[rows], np.array(face_set.faces[rows])
        sources, targets = choose_swaps(frames, count=arguments.count)
        z_e, z_i = trained.represent(faces)[0], trained.identify(faces)[0]
        real, true = read(judge, faces), power(faces)
        for name, decode in decoders(trained).items():
            rebuilt, swapped = decode(z_i, z_e), decode(z_i[targets], z_e[sources])
            error = 1e3 * np.mean((rebuilt / 255.0 - faces / 255.0) ** 2)
            seen = read(judge, swapped)
            scores = swap_scores(real, seen, frames, sources, targets)
            cells = [f"{path.name}{name}", f"{error:.1f}"]
            cells += [
                f"{own / photo:.2f}"
                for images in (rebuilt, swapped)
                for own, photo in zip(power(images), true, strict=True)
            ]
            cells += [f"{100 * np.nanmean(scores[name].values):.0f}" for name in SCORES]
            cells.append(f"{frechet(np.hstack(real), np.hstack(seen)):.1f}")
            print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
