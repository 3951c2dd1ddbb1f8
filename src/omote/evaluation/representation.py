"""Representations: codes of frames under audit, from a run, a table of any tool, or an untrained baseline."""

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
from omote.evaluation.evaluate import KNOWS_ONLY_ITS_PEOPLE, centre_codes
from omote.features.table import SUFFIXES, read_table
from omote.metrics.score import Array
from omote.runs.trained import Trained

FACTORS = ("id_", "au_", "nuisance_")  # prefixes of the columns of true factors
CENTRED = ", subject mean removed"  # suffix of the name
NO_CODE = "frames without a number in some column are left out"
NOT_CENTRED = "people without a frame to train on have no mean to remove"


class Representation(NamedTuple):
    """Codes of the N frames of a face set or a table; in `audit.csv` this is a "feature"."""

    name: str
    mean: Array  # (N, D), nan in rows without a code
    logvar: Array | None = (
        None  # (N, D) log variance of the posterior, -inf for points; None without a posterior
    )
    missing: str = ""  # why some rows have no code
    centred: bool = False  # whether the subject's mean is removed
    columns: tuple[str, ...] = ()  # of the table it was read from

    def of(self, rows: Array) -> "Representation":
        """Return the codes of some frames, by number or as (N,) bool."""
        logvar = None if self.logvar is None else self.logvar[rows]
        return self._replace(mean=self.mean[rows], logvar=logvar)


def represent_expressions(
    trained: Trained, face_set: FaceSet, train_subjects: Sequence[str], name: str
) -> Representation:
    """Return z_e of a run; of a method that needs the subject, only for `train_subjects`."""
    subjects = face_set.frames["subject"]
    known = subjects.isin(train_subjects).to_numpy() | (not trained.needs_subject)
    faces = face_set.faces if known.all() else face_set.faces[known]
    codes = np.full((2, len(face_set), trained.info.config.options.latent_size), np.nan, np.float32)
    codes[:, known] = trained.represent(faces, subjects[known].tolist())
    return Representation(name, codes[0], codes[1], "" if known.all() else KNOWS_ONLY_ITS_PEOPLE)


def represent_by_run(trained: Trained, face_set: FaceSet, name: str) -> list[Representation]:
    """Return the codes of a run: z_e, z_e less its subject's mean (Eq. 6), and z_i where the method has one."""
    expression = represent_expressions(trained, face_set, trained.info.train_subjects, f"{name} z_e")
    representations = [expression, centre(expression, face_set.frames)]
    if not trained.needs_subject:  # identity is an input of such a method, not read from the face
        identity = Representation(f"{name} z_i", *trained.identify(face_set.faces))
        representations += [identity] if identity.mean.shape[1] else []
    return representations


def represent_by_baselines(face_set: FaceSet, train_subjects: Sequence[str]) -> list[Representation]:
    """Return an untrained network, principal components of the pixels, and these less their subject's mean.

    The components are fitted on the training frames of `train_subjects`; on all frames where there are none.
    """
    frames = face_set.frames
    fitted_on = frames["subject"].isin(train_subjects) & (frames["use"] != "evaluate")
    rows = np.flatnonzero(fitted_on) if fitted_on.any() else np.arange(len(frames))
    components = Representation("pixels + PCA", pixel_pca(face_set.faces, rows)(face_set.faces))
    network = Representation("random network", random_network(face_set.size)(face_set.faces))
    return [network, components, centre(components, frames)]


def centre(representation: Representation, frames: pd.DataFrame) -> Representation:
    """Return the codes less the mean code of the same person's training frames (the paper's Eq. 6).

    This needs the person's id, for held-out people too.
    """
    subjects = frames["subject"].to_numpy(dtype=object)
    training = (frames["use"] != "evaluate").to_numpy()
    has_mean = np.isin(subjects.astype(str), subjects[training].astype(str))
    codes = representation.mean
    mean = np.full(codes.shape, np.nan)
    if has_mean.any():
        mean[has_mean] = centre_codes(
            codes[has_mean], subjects[has_mean], codes[training], subjects[training]
        )
    missing = representation.missing if has_mean.all() else NOT_CENTRED
    return representation._replace(
        name=representation.name + CENTRED, mean=mean, missing=missing, centred=True
    )


def read_feature_table(
    path: str | Path, columns: Sequence[str] = ()
) -> tuple[list[Representation], pd.DataFrame]:
    """Return the representations in a table, written by omote or another tool, and the metadata of its frames.

    A table with columns `z_e_00` ... or `z_i_00` ... is omote's: these are two representations, `z_e_deviation_00` ...
    is the deviation of the posterior of z_e, and the columns `id_*`, `au_*`, `nuisance_*` are true factors. In any
    other table, all numeric columns that a face set does not have are one representation, and none is taken for the
    truth.

    Args:
        path: .parquet or .csv, one row a frame.
        columns: names or prefixes of the columns to take instead.
    Returns:
        The representations, each but z_i also less its subject's mean; and a table with at least the columns subject,
        clip, frame, expression and use. Without `clip`, every row is a clip of its own; without `frame`, the rows of a
        clip are in order; without `use`, all frames are for training and evaluation.
    Raises:
        OmoteError: If there is no such file, it cannot be read or is empty, it has no column subject or no numbers, a
            subject or clip is missing, or a true factor is not a number.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OmoteError(
            f"{path} is neither a run nor a table of features; a table ends in {' or '.join(SUFFIXES)}"
        )
    table = read_table(path, types=dict.fromkeys(("subject", "clip", "expression"), str))
    table.columns = table.columns.astype(str)
    if "subject" not in table or table["subject"].isna().any():
        raise OmoteError(
            f"{path} does not name the person in every frame: an audit needs a column subject without gaps. Its "
            f"columns begin with {', '.join(table.columns[:8])}"
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
    deviation_names = [name for name in coded if own and name.startswith("z_e_deviation_")]
    for name in [*factors, *deviation_names, *chain.from_iterable(groups.values())]:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise OmoteError(
                f"{path}: column {name} is not of numbers; name the columns of the codes with --columns"
            )

    frames = _frames(table[described + factors], path)
    representations = []
    for kind, chosen in groups.items():
        if chosen:
            mean = table[chosen].to_numpy(np.float64, na_value=np.nan)
            mean = np.where(np.isfinite(mean), mean, np.nan)
            deviations = [name.replace("z_e_", "z_e_deviation_") for name in chosen]
            logvar = None
            if kind == "z_e" and set(deviations) <= set(names):
                deviation = table[deviations].to_numpy(np.float64)
                smallest = 1e-30 if (deviation > 0).any() else 0.0  # all deviations are 0 for points
                with np.errstate(divide="ignore"):
                    logvar = 2 * np.log(np.maximum(deviation, smallest))
            plain = Representation(
                f"{path.stem} {kind}".strip(), mean, logvar, NO_CODE, columns=tuple(chosen)
            )
            representations += [plain] if kind == "z_i" else [plain, centre(plain, frames)]
    if not representations:
        asked = (
            f"beginning with {' or '.join(columns)}"
            if columns
            else "of numbers beside those that describe the frame"
        )
        raise OmoteError(f"{path} has no columns {asked}; name the columns of the codes with --columns")
    return representations, frames


def _frames(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the frame columns of a table, with defaults for those it lacks."""
    frames = table.copy()
    if "clip" not in frames:
        frames["clip"] = [f"row {number}" for number in range(len(frames))]
    if frames["clip"].isna().any():
        raise OmoteError(
            f"{path} does not name the clip of every frame; fill the gaps in the column clip or drop it"
        )
    for name in ("subject", "clip"):
        frames[name] = frames[name].astype(str)
    if "frame" not in frames:
        frames["frame"] = frames.groupby(["subject", "clip"]).cumcount()
    for name, default in (("expression", None), ("use", "both")):
        if name not in frames:
            frames[name] = pd.Series([default] * len(frames), dtype=object, index=frames.index)
    return frames


def align_with_faces(
    representations: Sequence[Representation], frames: pd.DataFrame, face_set: FaceSet
) -> list[Representation]:
    """Return the representations of a table in the order of a face set's frames.

    Raises:
        OmoteError: If the table has a frame twice, or lacks one of the face set.
    """
    keys = ["subject", "clip", "frame"]
    row_of = pd.Series(np.arange(len(frames)), index=pd.MultiIndex.from_frame(frames[keys]))
    if row_of.index.has_duplicates:
        twice: Any = row_of.index[row_of.index.duplicated()][0]
        raise OmoteError(
            f"frame {twice[2]} of clip {twice[1]} of {twice[0]} is in the table of features twice"
        )
    rows = row_of.reindex(pd.MultiIndex.from_frame(face_set.frames[keys]))
    if missing := int(rows.isna().sum()):
        raise OmoteError(
            f"the table of features lacks {missing} of the {len(rows)} frames of {face_set.path}, matched by subject, "
            "clip and frame. Make it of all frames (`omote embed RUN FACES`), or leave --faces out"
        )
    return [each.of(rows.to_numpy(np.int64)) for each in representations]
