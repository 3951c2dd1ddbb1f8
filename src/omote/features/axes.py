"""Axes: linear read-outs of the expression code to a number from 0 to 1, such as "lip corners up".

An axis belongs to the model whose codes it reads. `omote.features.fit_axes` fits axes to the shapes of rendered faces,
`omote.features.point_axis` makes one from a few frames. A run may come with axes: `axes.json` beside its weights.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from omote.boundary import read_versioned, reading
from omote.data.outputs import AXES_FILE, Floats, code_names
from omote.errors import OmoteError
from omote.features.reader import IN_BFLOAT16, Reader
from omote.files import write_json

FORMAT, FORMAT_VERSION = "omote axes", 1
SUFFIX = ".json"
PREFIX = "axis_"  # of the columns of a table of features
NAME = r"[a-z0-9]+([ -][a-z0-9]+)*"  # "lip corners up"

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]  # so that no sum of them is infinite
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Name = Annotated[str, Field(pattern=f"^{NAME}$", max_length=60)]


class _Stored(BaseModel):
    """Field names are stored on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Fitted(_Stored):
    """How well a fitted axis reads the shapes of rendered people whom it was not fitted on."""

    units: list[str]  # of the face model, whose mean is 1 where the axis should be 1
    people: Count
    faces: Count
    r2: Number  # 1 is a perfect read-out, 0 that of the mean
    # Correlation of the read-out with what should not move it: "yaw" ... (degrees), "light_x" ...
    moves_with: dict[str, Annotated[float, Field(ge=-1, le=1)]]
    known_people: (
        bool  # whether the encoder was trained on these rendered people; then r2 is not that of strangers
    )


class Pointed(_Stored):
    """How well an axis separates the frames that it was made from."""

    low: Count  # frames
    high: Count
    # Share of pairs of a low and a high frame that are in the right order, each frame read by an axis made without it;
    # None with fewer than two frames on one side.
    auc: Share | None
    margin: (
        Number | None
    )  # of the same values: difference of the means in standard deviations of the two groups
    # High minus low: "yaw", "pitch", "roll" (degrees), "brightness", "side_light" (0 to 1); those that are known.
    differences: dict[str, Number]
    warnings: list[str]  # sentences


class Axis(_Stored):
    """A read-out: ``weights`` times the code, plus ``offset``, cut to 0..1."""

    name: Name
    weights: Annotated[list[Number], Field(min_length=1, max_length=65536)]  # (Z,)
    offset: Number
    fitted: Fitted | None = None
    pointed: Pointed | None = None

    @property
    def column(self) -> str:
        """Name of the column of a table: "axis_lip_corners_up"."""
        return axis_column(self.name)


class Axes(_Stored):
    """Axes of one model."""

    model: str  # that makes the codes, such as "omote-1a2b3c4d"
    axes: Annotated[list[Axis], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _check_axes(self) -> "Axes":
        columns = Counter(axis.column for axis in self.axes)
        if twice := [column for column, count in columns.items() if count > 1]:
            raise ValueError(f"several axes make the column {twice[0]}; give them different names")
        if len({len(axis.weights) for axis in self.axes}) > 1:
            raise ValueError("the axes read codes of different lengths")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the axes, in order."""
        return [axis.name for axis in self.axes]

    def read(self, codes: Floats) -> pd.DataFrame:
        """Return the values of (N, Z) codes in [0, 1], a float32 column for each axis; NaN where the code is.

        Raises:
            OmoteError: If the codes are not as long as the weights.
        """
        weights = np.array([axis.weights for axis in self.axes], np.float64)
        if codes.ndim != 2 or codes.shape[1] != weights.shape[1]:
            raise OmoteError(
                f"the axes of {self.model} read codes of {weights.shape[1]} numbers, and codes of shape {codes.shape} "
                "were given; the file of the axes is damaged, or is of another model"
            )
        values = codes.astype(np.float64) @ weights.T + [axis.offset for axis in self.axes]
        columns = [axis.column for axis in self.axes]
        return pd.DataFrame(np.clip(values, 0, 1).astype(np.float32), columns=columns)

    def read_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the values of a table of features, one row for each of its rows, with the index of the table.

        Raises:
            OmoteError: If the table has no codes, is of another model, or is relative to a profile.
        """
        columns = code_names(list(table.columns))
        if not columns or "model" not in table:
            raise OmoteError("the table has no codes or no column model; make it with `omote embed`")
        if "profile" in table:
            raise OmoteError(
                "the codes of the table are relative to a profile, and axes read plain codes; give --axis to "
                "`omote embed` instead"
            )
        for model in table["model"].astype(str).unique():
            self.check(model)
        return self.read(table[columns].to_numpy(np.float32)).set_axis(table.index)

    def check(self, model: str) -> None:
        """Raise OmoteError if these are axes of another model; codes in bfloat16 count as the same."""
        if model.removesuffix(IN_BFLOAT16) != self.model:
            raise OmoteError(
                f"the axes {', '.join(self.names[:3])}{' ...' * (len(self.names) > 3)} are of {self.model}, and the "
                f"features are of {model}: each model has its own codes. Make the axes again with the same model "
                "(`omote axis`, `omote fit-axes`)"
            )

    def save(self, path: str | Path) -> None:
        """Write the axes as JSON.

        Raises:
            OmoteError: If the name does not end in .json, or the file cannot be written.
        """
        path = check_axes_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = self.model_dump(mode="json", exclude_none=True)
        write_json(path, {"format": FORMAT, "format_version": FORMAT_VERSION, **content})

    @staticmethod
    def load(path: str | Path) -> "Axes":
        """Return the axes in a file.

        Raises:
            OmoteError: If the file is missing, holds no axes, is damaged, or was written by a newer omote.
        """
        path = Path(path)
        if not path.is_file():
            raise OmoteError(f"there is no file of axes {path}; `omote axis` and `omote fit-axes` make one")
        with reading(path, "a file of axes", "Make it again with `omote axis` or `omote fit-axes`"):
            refusal = "holds no axes; `omote axis` and `omote fit-axes` make such files"
            return Axes.model_validate(read_versioned(path, FORMAT, FORMAT_VERSION, refusal))

    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def axis_column(name: str) -> str:
    """Return the column of an axis: "axis_lip_corners_up" for "lip corners up"."""
    return PREFIX + name.replace(" ", "_").replace("-", "_")


def is_axis(column: str) -> bool:
    """Return whether a column of a table holds an axis."""
    return column.startswith(PREFIX) and column != PREFIX


def axis_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns of axes, in the order of the table."""
    return [column for column in columns if is_axis(column)]


def say_axis(column: str) -> str:
    """Return a column of an axis in words: "lip corners up" for "axis_lip_corners_up"."""
    return column.removeprefix(PREFIX).replace("_", " ")


def axes_of(reader: Reader) -> Axes | None:
    """Return the axes that come with a model: `axes.json` beside the weights of a run; None if there are none.

    Raises:
        OmoteError: If the file is damaged, or of another model.
    """
    folder = getattr(reader, "path", None)
    if folder is None or not (file := Path(folder) / AXES_FILE).is_file():  # an ONNX file comes without axes
        return None
    axes = Axes.load(file)
    try:
        axes.check(reader.model)
    except OmoteError as error:
        raise OmoteError(f"{file} does not belong to this run: {error}, or remove the file") from None
    return axes


def gather_axes(reader: Reader, own: Axes | Sequence[Axes] | None = None) -> Axes | None:
    """Return the axes that come with a model and own ones as one, or None if there are none at all.

    Raises:
        OmoteError: If some are of another model, or two have the same name.
    """
    given = [] if own is None else [own] if isinstance(own, Axes) else [*own]
    for axes in given:
        axes.check(reader.model)
    shipped = axes_of(reader)
    every = [axis for axes in (*([shipped] if shipped else []), *given) for axis in axes.axes]
    if not every:
        return None
    twice = [column for column, count in Counter(axis.column for axis in every).items() if count > 1]
    if twice:
        raise OmoteError(
            f'two axes are called "{say_axis(twice[0])}"; make one of them again with another --name, or leave it out'
        )
    if len({len(axis.weights) for axis in every}) > 1:
        raise OmoteError(f"the axes of {reader.model} read codes of different lengths; make them again")
    return Axes(model=reader.model.removesuffix(IN_BFLOAT16), axes=every)


def check_axes_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if axes cannot be written there."""
    path = Path(path)
    if path.suffix.lower() != SUFFIX or path.is_dir():
        raise OmoteError(f"{path} was given for the axes; give a file whose name ends in {SUFFIX}")
    return path


def check_axis_name(name: str) -> str:
    """Return the name of an axis; raise OmoteError if it is not a few words in small letters."""
    try:
        Axis(name=name, weights=[0.0], offset=0.0)
    except ValueError:
        raise OmoteError(
            f'the axis is to be called "{name}"; give a few words in small letters a-z and digits, at most 60 '
            'characters, such as "lip corners up"'
        ) from None
    return name


def to_axis(name: str, weights: Any, offset: float, **how: Any) -> Axis:
    """Return an axis with weights (Z,), of which 9 digits are kept."""
    return Axis(name=name, weights=[float(f"{w:.9g}") for w in weights], offset=float(f"{offset:.9g}"), **how)
