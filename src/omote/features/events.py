"""Events: when something on a face begins, is strongest and ends, for each axis and for the distance from a person's
usual look.

The rule, for each followed face and each measure:

1. Rows that are not trusted, or have no value, count as missing; but if a face has hardly any other rows, all its rows
   are used, and `note` says so. Of rows with equal times, the first is used. What is left is smoothed by a running
   median of `SMOOTH_SECONDS`.
2. *Rest* is the level that the smoothed values are below for `REST_SHARE` of the time. The *upper level* is rest plus
   `LEAST_RISE` (of the distance: times 1 + `LEAST_RISE_OF_DISTANCE`), or plus `NOISE_TIMES` times the noise from frame
   to frame if that is more. The *lower level* is half way between rest and the upper level.
3. An event is a stretch above the lower level that reaches the upper level (hysteresis). *Onset* and *offset* are where
   the values cross the lower level, interpolated between two frames; the *apex* is where they are greatest.
4. A gap without values longer than `MAX_GAP` seconds ends an event, and another may begin after it. Then, and at the
   ends of the footage, the true onset or offset is unknown: `complete` is false, and `note` says why. Shorter gaps are
   bridged.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.errors import OmoteError
from omote.features.axes import PREFIX, axis_columns, say_axis
from omote.features.profile import DISTANCE, DISTANCE_WORDS

SMOOTH_SECONDS = 0.15  # three frames at 25 frames a second, so that one wrong frame is no event
REST_SHARE = 0.2
LEAST_RISE = 0.2  # of an axis, whose whole range is 1
LEAST_RISE_OF_DISTANCE = 0.5  # as a share of rest
NOISE_TIMES = 4.0  # so that none of the thousands of frames of a film at rest reaches it
MAX_GAP = 0.5  # seconds; with fewer than 6 frames a second, three times the usual time between frames
LEAST_ROWS = 3  # of a followed face
SAME_TIME = "with the time of another row of the same face"  # why a row was not used
HARDLY_TRUSTED = "hardly any frame of this face is to be trusted"
TRACK = ("source", "stream", "subject", "clip", "person", "face")  # together they name a followed face
MEASURES = ("onset", "apex", "offset", "duration", "peak", "rest", "amplitude", "area")

Array = NDArray[Any]


class _Stretch(NamedTuple):
    """Consecutive values without a long gap."""

    times: Array  # (n,) s
    values: Array  # (n,) smoothed
    before: str  # what is before the first value: "the footage begins", or a gap
    after: str


def find_events(table: pd.DataFrame, *, use_doubted: bool = False) -> pd.DataFrame:
    """Return the events of every followed face in a table, one row an event; see the rule at the head of this module.

    Args:
        table: of `omote embed`, with columns of axes (`axis_...`), or `from_usual`, or both. Photos, whose
            `time` is missing, have no events.
        use_doubted: use the rows that the column trusted says not to trust.
    Returns:
        The columns of the table that name the face (source, face ...); measure ("lip corners up", "distance from usual
        look"); event (its number, from 1, within face and measure); onset, apex, offset (s, in the clock of `time`);
        duration (s); peak (the greatest value), rest, amplitude (peak minus rest; of axes 0 to 1, of the distance in
        units of the code); area (of value minus rest, over the event, times s); frames (with a value); complete; note.
        `attrs["left_out"]` counts the rows that were not used, by reason; `attrs["sources"]` names the videos.
    Raises:
        OmoteError: If the table has no measure, no `time`, or rows of photos only.
    """
    measures = find_measures(table)
    if "time" not in table or not len(table):
        raise OmoteError("the table has no times; make it of videos with `omote embed`")
    _check_types(table, ["time", *measures])
    keys = [name for name in TRACK if name in table]
    times = table["time"].to_numpy(np.float64, na_value=np.nan)
    has_time = np.isfinite(times)
    if not has_time.any():
        raise OmoteError("all rows are of photos, without a time; events need videos")
    shows = table["face"].notna().to_numpy() if "face" in table else np.ones(len(table), bool)
    trusted = np.ones(len(table), bool)
    if "trusted" in table and not use_doubted:
        trusted = table["trusted"].to_numpy(bool, na_value=False)
    left_out = {"without a time": int((~has_time).sum()), "without a face": int((has_time & ~shows).sum())}
    used = has_time & shows
    frames = table.loc[used, [*keys, *measures]].assign(time=times[used], trusted=trusted[used])
    rows: list[dict[str, Any]] = []
    doubted = repeated = 0
    groups = frames.groupby(keys, sort=False, dropna=False) if keys else [((), frames)]
    for who, track in groups:
        named = dict(zip(keys, who, strict=True))
        doubtful = int(track["trusted"].sum()) < LEAST_ROWS
        if not doubtful:
            doubted += int((~track["trusted"]).sum())
            track = track[track["trusted"]]
        repeated += int(track["time"].duplicated().sum())
        track = track.sort_values("time", kind="stable").drop_duplicates("time")
        for column, measure in measures.items():
            events = _events_of(
                track["time"].to_numpy(),
                track[column].to_numpy(np.float64, na_value=np.nan),
                is_axis=column != DISTANCE,
            )
            for number, event in enumerate(events, 1):
                notes = [*([event["note"]] if event["note"] else []), *([HARDLY_TRUSTED] if doubtful else [])]
                rows.append({**named, "measure": measure, "event": number, **event, "note": "; ".join(notes)})
    left_out |= {"not to be trusted": doubted, SAME_TIME: repeated}
    columns = [*keys, "measure", "event", *MEASURES, "frames", "complete", "note"]
    found = pd.DataFrame(rows, columns=columns)
    kinds: dict[str, Any] = {
        "measure": "str",
        "event": "int64",
        "frames": "int64",
        "complete": "bool",
        "note": "str",
    }
    kinds |= dict.fromkeys(MEASURES, "float64") | {name: table[name].dtype for name in keys}
    kinds |= {"face": "int64"} if "face" in keys else {}
    found = found.astype(kinds)
    if "source" in table:
        found.attrs["sources"] = list(dict.fromkeys(table["source"][has_time].astype(str)))
    found.attrs["left_out"] = {reason: count for reason, count in left_out.items() if count}
    return found


def _check_types(table: pd.DataFrame, numbers: Sequence[str]) -> None:
    kinds = dict.fromkeys(numbers, "fiu") | {"face": "fiu", "trusted": "b"}
    for name, allowed in kinds.items():
        if name in table and table[name].dtype.kind not in allowed:
            expected = "numbers" if allowed == "fiu" else "true and false"
            raise OmoteError(
                f"the column {name} holds {table[name].dtype} instead of {expected}; make the table with `omote embed`"
            )


def find_measures(columns: pd.DataFrame | Sequence[str]) -> dict[str, str]:
    """Return the columns of a table of which events are found, and what each measures, in words.

    Raises:
        OmoteError: If there is none.
    """
    names = list(columns.columns) if isinstance(columns, pd.DataFrame) else list(columns)
    measures = {column: say_axis(column) for column in axis_columns(names)}
    if DISTANCE in names:
        measures[DISTANCE] = DISTANCE_WORDS
    if not measures:
        raise OmoteError(
            f"the table has no column of an axis ({PREFIX}...) and no {DISTANCE}; add axes with --axis "
            "(`omote axis` makes one), or make the table with `omote embed --profile`"
        )
    return measures


def _events_of(times: Array, values: Array, *, is_axis: bool) -> list[dict[str, Any]]:
    """Return the events in one series, in order of time.

    Args:
        times: (n,) s, increasing.
        values: (n,), NaN where missing.
    """
    known = np.isfinite(values)
    times, values = times[known], values[known]
    if len(times) < LEAST_ROWS:
        return []
    steps = np.diff(times)
    most = max(MAX_GAP, 3 * float(np.median(steps)))
    breaks = np.flatnonzero(steps > most) + 1
    parts = list(zip(np.split(times, breaks), np.split(values, breaks), strict=True))
    smoothed = [_smooth(*part) for part in parts]
    rest = float(np.quantile(np.concatenate(smoothed), REST_SHARE))
    least = LEAST_RISE if is_axis else LEAST_RISE_OF_DISTANCE * rest
    upper = rest + max(least, NOISE_TIMES * _noise([part for _, part in parts]))
    if upper <= rest:
        return []
    found = []
    for number, ((at, _), level) in enumerate(zip(parts, smoothed, strict=True)):
        before = f"a gap of {at[0] - parts[number - 1][0][-1]:.2f} s" if number else ""
        after = f"a gap of {parts[number + 1][0][0] - at[-1]:.2f} s" if number + 1 < len(parts) else ""
        found += _events_in(_Stretch(at, level, before, after), rest, upper)
    return found


def _smooth(times: Array, values: Array) -> Array:
    """Return the running median over `SMOOTH_SECONDS`, centred; times need not be even."""
    series = pd.Series(values, index=pd.to_timedelta(times, unit="s"))
    window = pd.Timedelta(seconds=SMOOTH_SECONDS)
    return np.asarray(series.rolling(window, center=True, closed="both").median(), np.float64)


def _noise(parts: Sequence[Array]) -> float:
    """Return the standard deviation of the noise from frame to frame, from the bulk of the differences."""
    steps = np.concatenate([np.abs(np.diff(part)) for part in parts])
    return float(np.quantile(steps, 0.683)) / np.sqrt(2) if len(steps) else 0.0


def _events_in(stretch: _Stretch, rest: float, upper: float) -> list[dict[str, Any]]:
    times, values, before, after = stretch
    lower = (rest + upper) / 2
    above = np.concatenate([[False], values > lower, [False]])
    begins = np.flatnonzero(above[1:] & ~above[:-1]).tolist()
    ends = np.flatnonzero(~above[1:] & above[:-1]).tolist()  # the first value after an event
    found = []
    for begin, end in zip(begins, ends, strict=True):
        inside = values[begin:end]
        if inside.max() < upper:
            continue
        onset, offset = times[begin], times[end - 1]
        said = []
        if begin:
            onset = _crossing(times, values, begin - 1, lower)
        else:
            said.append(f"has begun before {before or 'the footage'}")
        if end < len(times):
            offset = _crossing(times, values, end - 1, lower)
        else:
            said.append(f"goes on after {after or 'the footage'}")
        apexes = begin + np.flatnonzero(inside == inside.max())
        at = np.concatenate([[onset], times[begin:end], [offset]])
        edges = [lower if begin else inside[0], lower if end < len(times) else inside[-1]]
        over = np.concatenate([[edges[0]], inside, [edges[1]]]) - rest
        found.append(
            {
                "onset": onset,
                "apex": times[apexes[len(apexes) // 2]],
                "offset": offset,
                "duration": offset - onset,
                "peak": inside.max(),
                "rest": rest,
                "amplitude": inside.max() - rest,
                "area": np.trapezoid(over, at),
                "frames": end - begin,
                "complete": not said,
                "note": "; ".join(said),
            }
        )
    return found


def _crossing(times: Array, values: Array, before: int, level: float) -> float:
    """Return when the straight line from one value to the next crosses a level."""
    (t0, t1), (v0, v1) = times[before : before + 2], values[before : before + 2]
    return float(t0 + (level - v0) / (v1 - v0) * (t1 - t0))
