"""An own axis from a few frames that somebody points at: low ones, which become 0, and high ones, which become 1.

The axis is the direction from the mean code of the low frames to that of the high ones. What else differs between the
two groups, such as the pose of the head or the light, is in that direction too, so both are compared.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from os.path import normpath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from omote.data.face_set import BOX
from omote.data.images import Unreadable
from omote.data.media import read_frames
from omote.data.outputs import code_names
from omote.data.turn import turn
from omote.data.videos import Excerpt
from omote.errors import OmoteError
from omote.features.axes import Axes, Pointed, check_axis_name, to_axis
from omote.features.embed import embed
from omote.features.reader import IN_BFLOAT16, Reader
from omote.features.table import SUFFIXES, read_table

# Differences of the groups above which a warning is given: degrees, about the error of the pose of a single face, and
# shares of white, 20 grey levels of 255.
MOST_TURNED, MOST_LIGHT = 5.0, 0.08
POSE = {"yaw": "to the side", "pitch": "up or down", "roll": "over"}
LEAST_AUC = 0.9  # below it, the axis is said to separate badly
TINY = 1e-6  # of the squared length of the direction, relative to that of the codes

Array = NDArray[Any]


def point_axis(
    reader: Reader,
    low: Sequence[str | Path],
    high: Sequence[str | Path],
    name: str,
    *,
    cropped: bool = False,
    detector: str | Path | None = None,
) -> Axes:
    """Return an axis from frames that show little of something (0) to frames that show much of it (1).

    Args:
        reader: see `omote.load` and `omote.open_reader`.
        low: photos, of which the largest face counts, or `TABLE:FRAME`, a frame of a table of `omote embed` that is of
            one source, of which face 0 counts. Best of the same people, light and pose as the high ones.
        high: likewise; at least one of each, and two to tell how well the axis separates.
        name: a few words about the face in small letters, such as "lip corners up".
        cropped: the photos are face crops already.
        detector: a local copy of the detector's model.
    Raises:
        OmoteError: If a frame has no face or cannot be read, a frame is given twice, codes are of another model, or the
            two groups have the same code.
    """
    check_axis_name(name)
    for which, given in (("low", low), ("high", high)):
        if not given:
            raise OmoteError(f"no {which} frame was given; point at one or more photos, or TABLE:FRAME")
    groups = [[normpath(frame) for frame in given] for given in (low, high)]
    if both := set(groups[0]) & set(groups[1]):
        raise OmoteError(f"{sorted(both)[0]} was given as low and as high")
    for group in groups:
        if twice := [frame for frame, count in Counter(group).items() if count > 1]:
            raise OmoteError(
                f"{twice[0]} was given twice; how well the axis separates is told by different frames"
            )
    options = {"cropped": cropped, "detector": detector}
    rows = [_read_rows(reader, str(frame), options) for frame in (*low, *high)]
    table = pd.concat(rows, ignore_index=True)
    is_high = np.arange(len(table)) >= len(low)
    codes = table[code_names(list(table.columns))].to_numpy(np.float64)
    weights, offset = _direction(codes, is_high)
    held_out = np.array([_read_without(codes, is_high, row) for row in range(len(codes))])
    auc = margin = None
    if min(is_high.sum(), (~is_high).sum()) > 1:
        auc = float(roc_auc_score(is_high, held_out))
        margin = _margin(held_out, is_high)
    differences, unknown = _differences(table, is_high)
    warnings = [*_doubt(table), *_warn(auc, margin, differences), *unknown]
    how = Pointed(
        low=len(low), high=len(high), auc=auc, margin=margin, differences=differences, warnings=warnings
    )
    model = reader.model.removesuffix(IN_BFLOAT16)
    return Axes(model=model, axes=[to_axis(name, weights, offset, pointed=how)])


def describe_pointed(axes: Axes) -> list[str]:
    """Return sentences that say how well an axis of `point_axis` separates its frames, and what else differs."""
    how = axes.axes[0].pointed
    assert how is not None
    said = [f"{axes.names[0]}: from {how.low} low and {how.high} high frames ({axes.model})."]
    if how.auc is not None:
        apart = (
            "" if how.margin is None else f", and the groups are {how.margin:.1f} standard deviations apart"
        )
        said.append(f"Read without the frame itself, {how.auc:.0%} of the pairs are in order{apart}.")
    return [*said, *how.warnings]


def _read_rows(reader: Reader, given: str, options: dict[str, Any]) -> pd.DataFrame:
    """Return the one row of a photo or of TABLE:FRAME."""
    path, colon, frame = given.rpartition(":")
    if colon and Path(path).suffix.lower() in SUFFIXES:
        return _read_table_row(reader, Path(path), frame, given)
    if Path(given).suffix.lower() in SUFFIXES:
        raise OmoteError(f"{given} is a table; name one of its frames, such as {given}:120")
    table, _ = embed(reader, [given], largest=1, **options)
    if len(table) != 1:
        raise OmoteError(
            f"{given} has {len(table)} frames; give photos, or frames of a table of `omote embed`, such as "
            "features.parquet:120"
        )
    return table


def _read_table_row(reader: Reader, path: Path, frame: str, given: str) -> pd.DataFrame:
    table = read_table(path)
    if not frame.isdecimal() or "frame" not in table or not {"source", "model"} <= set(table.columns):
        raise OmoteError(
            f"{given}: expected a table of `omote embed` and the number of a frame, as in {path}:120"
        )
    if "profile" in table:
        raise OmoteError(f"{path} is relative to a profile; make a table without --profile")
    if table["source"].nunique() > 1:
        raise OmoteError(
            f"{path} has several sources, so that frame {frame} is not one picture; give a table of one video"
        )
    rows = table[(table["frame"] == int(frame)) & (table["face"] == 0 if "face" in table else True)]
    if len(rows) != 1:
        raise OmoteError(f"{path} has no face 0 in frame {frame}; choose a frame that has one")
    if (model := str(rows["model"].iloc[0])).removesuffix(IN_BFLOAT16) != reader.model.removesuffix(
        IN_BFLOAT16
    ):
        raise OmoteError(
            f"{path} is of {model}, and the run is {reader.model}; embed the video with this run"
        )
    return rows


def _direction(codes: Array, is_high: Array) -> tuple[Array, float]:
    """Return weights (Z,) and offset by which the mean of the low codes is 0 and that of the high ones is 1."""
    start, end = codes[~is_high].mean(axis=0), codes[is_high].mean(axis=0)
    along = end - start
    square = float(along @ along)
    if not square > TINY * float((codes**2).sum(axis=1).mean()):  # NaN is not above it either
        raise OmoteError("the low and the high frames have the same code, so there is no axis between them")
    return along / square, -float(start @ along) / square


def _read_without(codes: Array, is_high: Array, row: int) -> float:
    """Return the value of a row by the axis of the others; NaN if none of its group is left."""
    rest = np.arange(len(codes)) != row
    if not (is_high[rest] == is_high[row]).any():
        return float("nan")
    weights, offset = _direction(codes[rest], is_high[rest])
    return float(codes[row] @ weights + offset)


def _margin(values: Array, is_high: Array) -> float | None:
    """Return the difference of the means in pooled standard deviations."""
    low, high = values[~is_high], values[is_high]
    squares = ((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum()
    deviation = float(np.sqrt(squares / (len(values) - 2)))
    return float(high.mean() - low.mean()) / deviation if deviation > TINY else None  # copies of one picture


def _differences(table: pd.DataFrame, is_high: Array) -> tuple[dict[str, float], list[str]]:
    """Return high minus low of pose and light, and a sentence about what could not be compared."""
    light, unread = _measure_light(table)
    measured = pd.concat([table.reindex(columns=list(POSE)), light], axis=1)
    means = [measured[rows].mean() for rows in (~is_high, is_high)]
    differences = (means[1] - means[0]).dropna()
    unknown = []
    if unread:
        unknown.append(
            f"The pictures of {unread} of the frames cannot be read, so that their light was not compared."
        )
    return {str(name): round(float(value), 4) for name, value in differences.items()}, unknown


def _measure_light(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return brightness (0-1) and side light (right minus left half) of each face, and how many were not read."""
    measured = []
    for _, row in table.iterrows():
        # Both are missing in the rows of photos, if there are rows of tables that have them.
        stream, turned = (None if pd.isna(at := row.get(name)) else int(at) for name in ("stream", "turned"))
        excerpt, box = Excerpt(stream=stream), row.reindex(list(BOX)).to_numpy(float)
        values = (np.nan, np.nan)
        with suppress(Unreadable, OSError):  # the video of a table may be gone
            for _, _, image in read_frames(str(row["source"]), excerpt, only={int(row["frame"])}):
                values = _light(turn(image, turned or 0), box)
        measured.append(values)
    light = pd.DataFrame(measured, columns=["brightness", "side_light"])
    return light, int(light["brightness"].isna().sum())


def _light(image: Array, box: Array) -> tuple[float, float]:
    height, width = image.shape[:2]
    if not np.isfinite(box).all():  # a face crop
        box = np.array([0, 0, width, height])
    left, top = max(int(box[0]), 0), max(int(box[1]), 0)
    face = image[top : int(box[1] + box[3]) + 1, left : int(box[0] + box[2]) + 1].mean(axis=2) / 255
    if not face.size or face.shape[1] < 2:
        return np.nan, np.nan
    half = face.shape[1] // 2
    return float(face.mean()), float(face[:, -half:].mean() - face[:, :half].mean())


def _doubt(table: pd.DataFrame) -> list[str]:
    if "trusted" not in table or table["trusted"].all():
        return []
    doubted = table[~table["trusted"].astype(bool)]
    reasons = ", ".join(dict.fromkeys("; ".join(doubted["doubt"].astype(str)).split("; ")))
    return [
        f"{len(doubted)} of the frames {'is' if len(doubted) == 1 else 'are'} not to be trusted: {reasons}."
    ]


def _warn(auc: float | None, margin: float | None, differences: dict[str, float]) -> list[str]:
    said = []
    if auc is None:
        said.append(
            "With fewer than two frames on one side it is unknown how well the axis separates; point at more."
        )
    elif auc < LEAST_AUC or (margin is not None and margin < 1):
        said.append("The axis separates its own frames badly; point at clearer ones, or at more.")
    for name, way in POSE.items():
        if abs(by := differences.get(name, 0.0)) > MOST_TURNED:
            said.append(
                f"The heads of the high frames are turned {way} by {abs(by):.0f} degrees against the low ({name}): "
                "the axis may move with the head; point at frames of the same pose."
            )
    if abs(by := differences.get("brightness", 0.0)) > MOST_LIGHT:
        said.append(
            f"The high frames are {'brighter' if by > 0 else 'darker'} than the low ones by {abs(by):.0%} of white: "
            "the axis may move with the light; point at frames of the same light."
        )
    if abs(by := differences.get("side_light", 0.0)) > MOST_LIGHT:
        said.append(
            f"The light of the high frames comes more from the {'right' if by > 0 else 'left'} of the picture than "
            "that of the low ones: the axis may move with the light; point at frames of the same light."
        )
    return said
