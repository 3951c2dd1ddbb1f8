"""Axes fitted to rendered faces: ridge read-outs of the expression code to the shapes of the heads.

Cross-validated over people: each value by which an axis is judged is read by a fit without that person.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omote.data.face_set import About, FaceSet
from omote.errors import OmoteError
from omote.features.axes import Axes, Axis, Fitted, to_axis
from omote.features.reader import IN_BFLOAT16, Reader

# What an axis says of the face, and the units of the face model (synthetic/rendered/expressions.py) whose mean it
# reads. Left and right are averaged, because mirrored views teach the encoder to take them for the same.
UNITS: dict[str, tuple[str, ...]] = {
    "lip corners up": ("mouthSmile",),
    "lip corners down": ("mouthFrown",),
    "lip corners back": ("mouthStretch",),
    "lip corners tight": ("mouthDimple",),
    "upper lip up": ("mouthUpperUp",),
    "lower lip down": ("mouthLowerDown",),
    "lips pressed": ("mouthPress",),
    "lips puckered": ("mouthPucker",),
    "lips funnelled": ("mouthFunnel",),
    "lips rolled in": ("mouthRollLower", "mouthRollUpper"),
    "chin raised": ("mouthShrugLower",),
    "jaw open": ("jawOpen",),
    "jaw forward": ("jawForward",),
    "cheeks raised": ("cheekRaiser", "cheekSquint"),
    "cheeks puffed": ("cheekPuff",),
    "nose wrinkled": ("noseSneer",),
    "brows up": ("browInnerUp", "browOuterUp"),
    "inner brows up": ("browInnerUp",),
    "brows down": ("browDown",),
    "eyes closed": ("eyeBlink",),
    "eyes wide": ("eyeWide",),
    "eyes narrowed": ("eyeSquint",),
}
# The least R2 on people held out with which an axis is kept: a correlation of 0.5 with the truth. Below it, more than
# three quarters of what moves the shape are missing from the axis, and a change of its column says little.
LEAST_R2 = 0.25
LEAST_PEOPLE, FOLDS = 10, 5
PENALTIES = np.logspace(-1, 5, 13)  # of the ridge regression, for standardised codes
NUISANCES = ("yaw", "pitch", "roll", "light_x", "light_y", "light_hardness", "light_warmth", "brightness")

Array = NDArray[Any]


class FittedAxes(NamedTuple):
    """The axes that are good enough, and a table of all that were tried."""

    axes: Axes
    table: (
        pd.DataFrame
    )  # axis, r2 (nan for a shape that never varies), kept, and the correlation with each of NUISANCES
    notes: list[str]  # sentences about what limits them


def fit_axes(reader: Reader, face_set: FaceSet, least_r2: float = LEAST_R2) -> FittedAxes:
    """Return axes that read the shapes of rendered faces from the expression code, cross-validated over people.

    Args:
        reader: see `omote.load` and `omote.open_reader`.
        face_set: of `omote prepare rendered`, whose true shapes are in the columns `au_<shape>`; best of people whom
            the encoder was not trained on (another seed).
        least_r2: an axis below it is not kept.
    Returns:
        The axes, each with its R2 on people held out and its correlation with pose and light; and the table.
    Raises:
        OmoteError: If the faces are not rendered, are of fewer than `LEAST_PEOPLE` people or of another size than the
            model reads, or if no axis is good enough.
    """
    frames = face_set.frames
    truth = true_shapes(frames)
    if (people := frames["subject"].nunique()) < LEAST_PEOPLE:
        raise OmoteError(
            f"{face_set.path} has {people} people; axes are fitted on at least {LEAST_PEOPLE}, and better on some 60: "
            "`omote prepare rendered --subjects 60`"
        )
    codes = np.asarray(reader.read(face_set.faces, frames["subject"].tolist()).mean, np.float64)
    subjects = frames["subject"].to_numpy(str)
    with threadpool_limits(1):
        held_out = np.full(truth.shape, np.nan)
        for fitted, asked in GroupKFold(FOLDS).split(codes, groups=subjects):
            weights, offsets = _fit(codes[fitted], truth.to_numpy()[fitted], subjects[fitted])
            held_out[asked] = codes[asked] @ weights.T + offsets
        weights, offsets = _fit(codes, truth.to_numpy(), subjects)
    scores = np.atleast_1d(r2_score(truth, held_out, multioutput="raw_values"))
    scores[(truth.max() == truth.min()).to_numpy()] = np.nan  # scikit-learn gives 1 where nothing varies
    moved = _correlate(held_out, frames)
    known = _was_trained_on(reader.face_set, face_set.about)
    axes: list[Axis] = []
    rows = []
    for number, name in enumerate(UNITS):
        rows.append({"axis": name, "r2": scores[number], "kept": scores[number] >= least_r2, **moved[number]})
        if scores[number] >= least_r2:
            how = Fitted(
                units=list(UNITS[name]),
                people=people,
                faces=len(frames),
                r2=round(float(scores[number]), 4),
                moves_with={key: round(value, 4) for key, value in moved[number].items()},
                known_people=known,
            )
            axes.append(to_axis(name, weights[number], float(offsets[number]), fitted=how))
    if not axes:
        best = int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))
        raise OmoteError(
            f"no axis can be read from the codes of {reader.model}: the best, {list(UNITS)[best]}, has an R2 of "
            f"{scores[best]:.2f} on people held out, and {least_r2} is the least; train longer, or on more people"
        )
    made = Axes(model=reader.model.removesuffix(IN_BFLOAT16), axes=axes)
    table = pd.DataFrame(rows).sort_values("r2", ascending=False, ignore_index=True)
    return FittedAxes(made, table, _note(reader, face_set, known))


def true_shapes(frames: pd.DataFrame) -> pd.DataFrame:
    """Return the true value in [0, 1] of each axis of `UNITS` in each frame of a rendered face set, (N, axes).

    Raises:
        OmoteError: If a column is missing, or some faces have no value, as in a set combined with other faces.
    """
    columns = {name: [c for unit in units for c in _columns(frames, unit)] for name, units in UNITS.items()}
    truth = pd.DataFrame({name: frames[some].mean(axis=1) for name, some in columns.items()})
    if unknown := int(truth.isna().any(axis=1).sum()):
        raise OmoteError(
            f"{unknown} of {len(truth)} faces have no true shapes; fit axes on a set of rendered faces alone"
        )
    return truth


def _columns(frames: pd.DataFrame, unit: str) -> list[str]:
    pair = [f"au_{unit}_L", f"au_{unit}_R"]
    found = pair if pair[0] in frames else [f"au_{unit}"]
    if missing := [column for column in found if column not in frames]:
        raise OmoteError(
            f"the face set has no column {missing[0]}; axes are fitted to the true shapes of rendered faces "
            "(`omote prepare rendered`)"
        )
    return found


def _fit(codes: Array, truth: Array, subjects: Array) -> tuple[Array, Array]:
    """Return weights (axes, Z) and offsets (axes,) of a ridge regression; each penalty is chosen across people."""
    scaler = StandardScaler().fit(codes)
    x = scaler.transform(codes)
    folds = list(GroupKFold(FOLDS).split(x, groups=subjects))
    errors = [
        ((cross_val_predict(Ridge(each), x, truth, cv=folds) - truth) ** 2).sum(axis=0) for each in PENALTIES
    ]
    model = Ridge(PENALTIES[np.argmin(errors, axis=0)]).fit(x, truth)
    weights = model.coef_ / scaler.scale_
    return weights, model.intercept_ - weights @ scaler.mean_


def _correlate(values: Array, frames: pd.DataFrame) -> list[dict[str, float]]:
    """Return the correlation of each column of values with each nuisance factor of the frames that varies."""
    found: list[dict[str, float]] = [{} for _ in range(values.shape[1])]
    for name in NUISANCES:
        column = frames.get(f"nuisance_{name}")
        if column is None or not column.std() > 0:
            continue
        for number, value in enumerate(values.T):
            r = np.corrcoef(value, column.to_numpy(np.float64))[0, 1] if value.std() > 0 else 0.0
            found[number][name] = float(np.clip(r, -1, 1))
    return found


def _note(reader: Reader, face_set: FaceSet, known: bool) -> list[str]:
    notes = []
    if known:
        notes.append(
            f"The encoder was trained on rendered people of the same seed as {face_set.path}: their R2 is not that of "
            "strangers. Render others with --seed"
        )
    if (trained := reader.face_set.align) != (asked := face_set.about.align):
        notes.append(
            f'The encoder reads faces cut out with the alignment "{trained}", and {face_set.path} has "{asked}": the '
            "axes may read photos worse than these faces"
        )
    return notes


def _was_trained_on(trained: About, asked: About) -> bool:
    """Return whether a training used rendered people of the same seed, who are then the same people."""

    def seeds(parts: Sequence[About]) -> set[Any]:
        return {part.options.get("seed", 0) for part in parts if part.importer == "rendered"}

    return not seeds(trained.parts).isdisjoint(seeds(asked.parts))
