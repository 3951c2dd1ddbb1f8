"""How sharp decoded faces are, and whether swaps show the right expression and person: two rows a run.

    python benchmarks/sharpness.py FACES RUN... --judge RUN

The first row is of the images before the last stage (`omote.methods.sharpening`), if the run has one. Several runs are
taken as trainings of one method: last come the means over them and the mean differences, with 95 % intervals over
trainings (Student's t). Held-out people only.

*Power* is the spectral power of the decoded images relative to that of the real ones, 1 where they are as sharp, for
reconstructions and for swaps (chosen as `omote audit` chooses them). *Error* is the mean squared error of
reconstructions, pixels in [0, 1], times 1,000. The judge, a run that took no part, reads the swaps, scaled down if its
faces are smaller (`omote.evaluation.swaps.swap_scores`, per cent), and the Frechet distance (Heusel et al., 2017)
between swaps and real faces is measured in its two codes.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from kl import frechet  # beside this file
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.evaluation.swaps import choose_swaps, swap_scores
from omote.methods.sharpening import Sharpened
from omote.runs.trained import Trained, load
from on_photo import bands, power, read  # beside this file

RUN, DECODER, BEFORE = "run", "decoder", ", before"
SCORES = ("expression_read_back", "expression_kept_from_target", "identity_read_back")


def decoders(trained: Trained) -> dict[str, Callable[[Any, Any], npt.NDArray[np.uint8]]]:
    """Return the run's decoder, and before it, under another name, that of the stages before the last one."""
    method = trained.method
    if isinstance(method, Sharpened) and method.options.sharpening:
        return {BEFORE: trained.decode_coarse, "": trained.decode}
    return {"": trained.decode}


def measure(face_set: FaceSet, judge: Trained, path: Path, count: int) -> Iterator[dict[str, str | float]]:
    """Give the row of each decoder of a run."""
    trained = load(path)
    rows = np.flatnonzero(face_set.frames["subject"].isin(trained.info.test_subjects).to_numpy())
    frames, faces = face_set.frames.iloc[rows], np.array(face_set.faces[rows])
    sources, targets = choose_swaps(frames, count=count)
    z_e, z_i = trained.represent(faces)[0], trained.identify(faces)[0]
    real, true, octaves = read(judge, faces), power(faces), bands(faces.shape[1])
    for name, decode in decoders(trained).items():
        rebuilt, swapped = decode(z_i, z_e), decode(z_i[targets], z_e[sources])
        seen = read(judge, swapped)
        scores = swap_scores(real, seen, frames, sources, targets)
        row: dict[str, str | float] = {RUN: f"{path.name}{name}", DECODER: name}
        row["error"] = 1e3 * float(np.mean((rebuilt / 255.0 - faces / 255.0) ** 2))
        for what, images in (("rebuilt", rebuilt), ("swapped", swapped)):
            for (low, high), own, photo in zip(octaves, power(images), true, strict=True):
                row[f"{what}, power {low} to {high}"] = float(own / photo)
        row |= {score.replace("_", " "): 100 * float(np.nanmean(scores[score].values)) for score in SCORES}
        row["Frechet distance"] = frechet(np.hstack(real), np.hstack(seen))
        yield row


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each decoder the mean over runs, and the mean difference of the last stage, with intervals.

    Raises:
        OmoteError: If some runs have the last stage and others do not.
    """
    scores = rows.drop(columns=[RUN, DECODER])
    own = {name: scores[rows[DECODER] == name].reset_index(drop=True) for name in (BEFORE, "")}
    own = {name: each for name, each in own.items() if len(each)}
    if len({len(each) for each in own.values()}) > 1:
        raise OmoteError("some runs have the last stage and others do not; measure them apart")
    found = {f"mean{name}": each for name, each in own.items()}
    if len(own) == 2:
        found["difference"] = own[""] - own[BEFORE]
    reach = stdtrit(len(own[""]) - 1, 0.975)
    cells = {
        name: [
            f"{mean:.2f} ({mean - reach * error:.2f} to {mean + reach * error:.2f})"
            for mean, error in zip(each.mean(), each.sem(), strict=True)
        ]
        for name, each in found.items()
    }
    return pd.DataFrame.from_dict(cells, orient="index", columns=scores.columns).reset_index(names=RUN)


def to_markdown(table: pd.DataFrame) -> str:
    lines = [f"| {' | '.join(table.columns)} |", "|" + " --- |" * len(table.columns)]
    for row in table.to_numpy():
        lines.append("| " + " | ".join(x if isinstance(x, str) else f"{x:.2f}" for x in row) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", metavar="run")
    parser.add_argument("--judge", required=True, help='a run, or "shipped"')
    parser.add_argument("--count", type=int, default=300, help="number of swaps")
    given = parser.parse_args()
    face_set, judge = open_face_set(given.faces), load(given.judge)
    rows = pd.DataFrame([row for path in given.runs for row in measure(face_set, judge, path, given.count)])
    print(to_markdown(rows.drop(columns=DECODER)))
    if len(given.runs) > 1:
        print()
        print(to_markdown(summarise(rows)))


if __name__ == "__main__":
    main()
