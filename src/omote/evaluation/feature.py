"""What an audit looks at: codes of frames, whatever made them: a run, another tool's table, a baseline."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from omote.data.face_set import SCHEMA, FaceSet
from omote.data.outputs import code_names
from omote.errors import OmoteError
from omote.evaluation.baselines import pixel_pca, random_network
from omote.evaluation.evaluate import KNOWS_ONLY_ITS_PEOPLE, centred_codes
from omote.features.table import SUFFIXES, read_table
from omote.metrics.score import Array
from omote.runs.trained import Trained

FACTORS = ("id_", "au_", "nuisance_")  # how the columns of true factors begin
CENTRED = ", subject mean removed"
NO_CODE = "frames without a number in some column are left out"
NOT_CENTRED = "people without a frame to train on have no mean to remove"


class Feature(NamedTuple):
    """Codes of the N frames of a face set or a table.

    `mean` is (N, D), rows nan where there is no code, and `missing` says why. `logvar` is (N, D), the log variance of
    the posterior, -inf where the code is a point, or None where there is no posterior. `centred` says that the
    subject's mean is removed. `columns` are those of the table that it came from.
    """

    name: str
    mean: Array
    logvar: Array | None = None
    missing: str = ""
    centred: bool = False
    columns: tuple[str, ...] = ()

    def of(self, rows: Array) -> "Feature":
        """Return the feature of some frames, by their numbers or as (N,) bool."""
        logvar = None if self.logvar is None else self.logvar[rows]
        return self._replace(mean=self.mean[rows], logvar=logvar)


def run_features(trained: Trained, face_set: FaceSet, name: str) -> list[Feature]:
    """Return the codes of a run: z_e, z_e less its subject's mean (Eq. 6), and z_i where the method has one."""
    subjects = face_set.frames["subject"]
    known = np.ones(len(face_set), dtype=bool)
    if trained.needs_subject:
        known = subjects.isin(trained.info.train_subjects).to_numpy()
    rows = np.flatnonzero(known)
    faces = face_set.faces if known.all() else face_set.faces[rows]
    codes = np.full((2, len(face_set), trained.info.config.options.latent_size), np.nan, np.float32)
    codes[:, rows] = trained.represent(faces, subjects.iloc[rows].tolist())
    missing = "" if known.all() else KNOWS_ONLY_ITS_PEOPLE
    expression = Feature(f"{name} z_e", codes[0], codes[1], missing)
    found = [expression, less_subject_mean(expression, face_set.frames)]
    if not trained.needs_subject:  # such a method does not read what it is told
        identity = Feature(f"{name} z_i", *trained.identify(face_set.faces))
        found += [identity] if identity.mean.shape[1] else []
    return found


def baseline_features(face_set: FaceSet, train_subjects: Sequence[str]) -> list[Feature]:
    """Return what needs no training: an untrained network, principal components, and those less the subject's mean.

    The components are of the pixels of the frames to train on of `train_subjects`; of everyone's where there are none.
    """
    frames = face_set.frames
    fitted_on = frames["subject"].isin(train_subjects) & (frames["use"] != "evaluate")
    rows = np.flatnonzero(fitted_on) if fitted_on.any() else np.arange(len(frames))
    components = Feature("pixels + PCA", pixel_pca(face_set.faces, rows)(face_set.faces))
    network = Feature("random network", random_network(face_set.size)(face_set.faces))
    return [network, components, less_subject_mean(components, frames)]


def less_subject_mean(feature: Feature, frames: pd.DataFrame) -> Feature:
    """Return the feature less the mean of the same person's frames to train on (the paper's Eq. 6).

    It takes the id of the person to know which frames those are, of people held out too.
    """
    subjects = frames["subject"].to_numpy(dtype=object)
    training = (frames["use"] != "evaluate").to_numpy()
    has_mean = np.isin(subjects.astype(str), subjects[training].astype(str))
    mean = np.full(feature.mean.shape, np.nan)
    codes = feature.mean
    if has_mean.any():
        mean[has_mean] = centred_codes(
            codes[has_mean], subjects[has_mean], codes[training], subjects[training]
        )
    missing = feature.missing if has_mean.all() else NOT_CENTRED
    return feature._replace(name=feature.name + CENTRED, mean=mean, missing=missing, centred=True)


def read_feature_table(path: str | Path, columns: Sequence[str] = ()) -> tuple[list[Feature], pd.DataFrame]:
    """Return the features in a table, of omote or of another tool, and what it says of the frames.

    Columns `z_e_00` ... are one feature, with `z_e_deviation_00` ... as the deviation of its posterior, and `z_i_00`
    ... another: such a table is omote's, and its columns `id_*`, `au_*`, `nuisance_*` are true factors. In any other
    table all numbers that are no column of a face set are one feature, and nothing in it is taken for the truth.

    Args:
        path: .parquet or .csv, one row a frame.
        columns: the names of the feature's columns instead, or how they begin.
    Returns:
        The features, those for expressions also less their subject's mean; and a table with at least the columns
        subject, clip, frame, expression and use. Without `clip` every row is a clip of its own; without `frame` the
        rows of a clip are in order; without `use` all frames count for everything.
    Raises:
        OmoteError: If there is no such file, it cannot be read or is empty, it has no column subject or no numbers, a
            subject or clip is missing, or a true factor is no number.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise OmoteError(
            f"{path} is neither a run nor a table of features; a table ends in {' or '.join(SUFFIXES)}"
        )
    table = read_table(path, types=dict.fromkeys(("subject", "clip", "expression"), str))
    table.columns = table.columns.astype(str)
    if "subject" not in table or table["subject"].isna().any():
        raise OmoteError(
            f"{path} does not say who is in every frame: an audit needs a column subject without gaps. Its columns "
            f"begin with {', '.join(table.columns[:8])}"
        )
    if not len(table):
        raise OmoteError(f"{path} has no rows")
    names = list(table.columns)
    coded = [name for name in names if name.startswith(("z_e_", "z_i_"))]
    own = bool(coded) and not columns
    factors = [name for name in names if own and name.startswith(FACTORS)]
    described = [name for name in names if name in SCHEMA.names]
    if columns:
        groups = {"": [name for name in names if name.startswith(tuple(columns))]}
    elif own:
        groups = {
            "z_e": code_names(coded),
            "z_i": sorted(name for name in coded if name.startswith("z_i_")),
        }
    else:
        groups = {"": [name for name in table.select_dtypes("number").columns if name not in described]}
    for name in [*factors, *chain.from_iterable(groups.values())]:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise OmoteError(f"{path}: column {name} is not of numbers; name the feature's with --columns")

    frames = _frames(table[described + factors], path)
    features = []
    for kind, chosen in groups.items():
        if chosen:
            mean = table[chosen].to_numpy(np.float64, na_value=np.nan)
            mean = np.where(np.isfinite(mean), mean, np.nan)
            deviations = [name.replace("z_e_", "z_e_deviation_") for name in chosen]
            logvar = None
            if kind == "z_e" and set(deviations) <= set(names):
                deviation = table[deviations].to_numpy(np.float64)
                least = 1e-30 if (deviation > 0).any() else 0.0  # deviations of 0 throughout are of points
                with np.errstate(divide="ignore"):
                    logvar = 2 * np.log(np.maximum(deviation, least))
            feature = Feature(f"{path.stem} {kind}".strip(), mean, logvar, NO_CODE, columns=tuple(chosen))
            features += [feature] if kind == "z_i" else [feature, less_subject_mean(feature, frames)]
    if not features:
        asked = (
            f"beginning with {' or '.join(columns)}"
            if columns
            else "of numbers beside what describes the frame"
        )
        raise OmoteError(f"{path} has no columns {asked}; name the feature's columns with --columns")
    return features, frames


def _frames(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return what a table says of its frames, with what it does not say filled in."""
    frames = table.copy()
    if "clip" not in frames:
        frames["clip"] = [f"row {number}" for number in range(len(frames))]
    if frames["clip"].isna().any():
        raise OmoteError(
            f"{path} does not say for every frame of which clip it is; fill the gaps or drop the column"
        )
    for name in ("subject", "clip"):
        frames[name] = frames[name].astype(str)
    if "frame" not in frames:
        frames["frame"] = frames.groupby(["subject", "clip"]).cumcount()
    for name, default in (("expression", None), ("use", "both")):
        if name not in frames:
            frames[name] = pd.Series([default] * len(frames), dtype=object, index=frames.index)
    return frames


def as_face_set(features: Sequence[Feature], frames: pd.DataFrame, face_set: FaceSet) -> list[Feature]:
    """Return the features of a table with a row for every frame of a face set, in its order.

    Raises:
        OmoteError: If the table has a frame twice, or lacks one of the face set.
    """
    keys = ["subject", "clip", "frame"]
    place = pd.Series(np.arange(len(frames)), index=pd.MultiIndex.from_frame(frames[keys]))
    if place.index.has_duplicates:
        twice: Any = place.index[place.index.duplicated()][0]
        raise OmoteError(
            f"frame {twice[2]} of clip {twice[1]} of {twice[0]} is in the table of features twice"
        )
    found = place.reindex(pd.MultiIndex.from_frame(face_set.frames[keys]))
    if missing := int(found.isna().sum()):
        raise OmoteError(
            f"the table of features lacks {missing} of the {len(found)} frames of {face_set.path}, matched by subject, "
            "clip and frame. Make it of all frames (`omote embed RUN FACES`), or leave --faces out"
        )
    return [feature.of(found.to_numpy(np.int64)) for feature in features]
