"""Whether two faces move together: of one video, or of two tables with the same clock.

The statistics are in `omote.metrics.synchrony`; here, the rows of a face become a series at equal steps.
"""

import math
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.outputs import code_names
from omote.errors import OmoteError
from omote.features.comparison import (
    PeopleComparison,
    measure_columns,
    results_table,
    say_measure,
    say_p,
)
from omote.features.events import SAME_TIME, TRACK
from omote.features.people import as_numbers
from omote.features.profile import DISTANCE, LEAST_FRAMES, find_usual_look
from omote.metrics.intervals import holm
from omote.metrics.synchrony import LEAST_WINDOWS, find_synchrony

STEP = 0.1  # seconds of a series; longer if there are fewer frames than that
MAX_GAP = 0.5  # seconds that are bridged by a straight line
WINDOW, MAX_LAG = 10.0, 2.0  # seconds
LEAST_STEPS = 5  # in a window
FEW = "of faces with hardly any frames"


class _Face(NamedTuple):
    """A followed face: its rows, in the order of time."""

    name: str
    source: str
    times: NDArray[np.float64]  # (n,) s, increasing
    values: dict[str, NDArray[np.float64]]  # measure -> (n,)


def compare_synchrony(
    tables: Sequence[pd.DataFrame],
    *,
    columns: Sequence[str] | None = None,
    window: float = WINDOW,
    max_lag: float = MAX_LAG,
    use_doubted: bool = False,
) -> PeopleComparison:
    """Return whether faces move together, and who follows whom by how much.

    Args:
        tables: one of `omote embed`, of which the faces in the same video are compared; or two, whose `time` is of one
            clock and of which each face of the first is compared with each of the second.
        columns: measures to compare; None for all axes and the distance from the usual look.
        window: seconds within which movements are correlated: about as long as an expression and a pause.
        max_lag: seconds by which one may follow the other.
        use_doubted: use the rows that the column trusted says not to trust.
    Raises:
        OmoteError: If there are no two faces with common times long enough.
    """
    if len(tables) not in (1, 2):
        raise OmoteError(f"{len(tables)} tables were given; synchrony takes one, or two with the same clock")
    left_out: dict[str, int] = {}
    faces = [_find_faces(table, columns, use_doubted, left_out) for table in tables]
    pairs = (
        [pair for pair in combinations(faces[0], 2) if pair[0].source == pair[1].source]
        if len(tables) == 1
        else list(product(*faces))
    )
    if not pairs:
        raise OmoteError(
            f"no video shows two followed faces ({sum(map(len, faces))} faces of {LEAST_FRAMES} frames or more); give "
            "two tables with the same clock, or a video of both"
        )
    results: list[dict[str, Any]] = []
    too_short = 0
    for one, other in pairs:
        first_name, second_name = _tell_apart(one, other)
        for column in one.values:
            if column not in other.values:
                continue
            first, second, step = _on_one_clock(one, other, column)
            size, reach = max(LEAST_STEPS, round(window / step)), round(max_lag / step)
            if len(first) < LEAST_WINDOWS * size + 2 * reach:
                too_short += 1
                continue
            found = find_synchrony(first, second, window=size, max_lag=reach)
            results.append({
                "question": "do faces move together", "first": first_name, "second": second_name,
                "source": one.source if one.source == other.source else f"{one.source} and {other.source}",
                "measure": say_measure(column), "value": found.value, "chance": found.chance, "p": found.p,
                "lag": found.lag * step, "count": found.windows, "note": found.reason,
            })  # fmt: skip
    if not results:
        raise OmoteError(
            f"no two faces are seen together for {LEAST_WINDOWS * window + 2 * max_lag:g} seconds, which windows of "
            f"{window:g} seconds take; give longer videos, or shorter windows with --window"
        )
    tested = [row for row in results if not math.isnan(row["p"])]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_adjusted"] = p
    sentences = [_describe(row, window, len(tested)) for row in results]
    if too_short:
        sentences.append(f"Left out: {too_short} pairs of faces that are together for too short a time.")
    sentences += [f"Left out: {count} rows {reason}." for reason, count in left_out.items() if count]
    return PeopleComparison(results_table(results), sentences)


def _tell_apart(one: _Face, other: _Face) -> tuple[str, str]:
    """Return the names of two faces, with their sources if both have the same, as the only faces of two videos."""
    if one.name != other.name:
        return one.name, other.name
    if one.source != other.source:
        return f"{one.name} of {one.source}", f"{other.name} of {other.source}"
    return f"{one.name} (first)", f"{other.name} (second)"


def _describe(row: dict[str, Any], window: float, tests: int) -> str:
    about = f"{row['first']} and {row['second']} ({row['source']}), {row['measure']}"
    if math.isnan(row["value"]):
        return f"{about}: {row['note']}."
    way = "" if row["value"] >= 0 else ", one rising as the other falls"
    said = f"{about}: correlation {row['value']:.2f} within windows of {window:g} s{way}; {say_lag(row)}"
    if math.isnan(row["p"]):
        return f"{said}; {row['note']}."
    adjusted = f", {say_p(row['p_adjusted'])} for {tests} tests" if tests > 1 else ""
    verdict = "more than chance" if row["p_adjusted"] <= 0.05 else "no more than chance"
    chance = f"95 of 100 out of step are below {row['chance']:.2f}"
    return f"{said}. That is {verdict}: {chance} ({say_p(row['p'])}{adjusted})."


def say_lag(row: dict[str, Any]) -> str:
    """Return who follows whom, such as "bob follows ann by 0.4 s"."""
    first, second = (row["first"], row["second"]) if row["lag"] >= 0 else (row["second"], row["first"])
    if abs(row["lag"]) < STEP / 2:
        return "at the same time"
    return f"{second} follows {first} by {abs(row['lag']):.1f} s"


def _find_faces(
    table: pd.DataFrame, columns: Sequence[str] | None, use_doubted: bool, left_out: dict[str, int]
) -> list[_Face]:
    """Return the followed faces of a table; adds to `left_out` how many rows are not used."""
    names = code_names(list(table.columns))
    if "time" not in table or "source" not in table:
        raise OmoteError("the table has no times or no sources; make it of videos with `omote embed`")
    times = as_numbers(table["time"])
    measures = measure_columns(table, columns)
    with_distance = columns is None and DISTANCE not in measures and bool(names)
    if not measures and not with_distance:
        raise OmoteError("the table has no codes and no axis; name columns to compare with --columns")
    shows = table["face"].notna().to_numpy() if "face" in table else np.ones(len(table), bool)
    trusted = np.ones(len(table), bool)
    if "trusted" in table and not use_doubted:
        trusted = table["trusted"].fillna(False).to_numpy(bool)
    for reason, count in (
        ("without a time or a face", (~np.isfinite(times) | ~shows).sum()),
        ("that are not to be trusted (--all uses them)", (np.isfinite(times) & shows & ~trusted).sum()),
    ):
        left_out[reason] = left_out.get(reason, 0) + int(count)
    rows = np.flatnonzero(np.isfinite(times) & shows & trusted)
    keys = [name for name in TRACK if name in table]
    who = table.iloc[rows][keys].reset_index(drop=True)
    face_of_row = who.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(face_of_row, kind="stable")
    faces = []
    for places in np.split(order, np.flatnonzero(np.diff(face_of_row[order])) + 1) if len(order) else []:
        own, named = rows[places], who.iloc[places[0]].to_dict()
        own = own[np.unique(times[own], return_index=True)[1]]
        left_out[SAME_TIME] = left_out.get(SAME_TIME, 0) + len(places) - len(own)
        if len(own) < LEAST_FRAMES:
            left_out[FEW] = left_out.get(FEW, 0) + len(own)
            continue
        values = {name: as_numbers(table[name].iloc[own]) for name in measures}
        if with_distance:
            values[DISTANCE] = _distances(table.iloc[own][names].to_numpy(np.float32), "profile" in table)
        name = next((named[key] for key in ("person", "subject") if not pd.isna(named.get(key))), None)
        name = f"face {int(named['face'])}" if name is None and "face" in named else name or "the face"
        faces.append(_Face(str(name), str(named["source"]), times[own], values))
    return faces


def _distances(codes: NDArray[np.float32], relative: bool) -> NDArray[np.float64]:
    """Return (n,) distances from the usual look, NaN where a code is missing."""
    known = np.isfinite(codes).all(axis=1)
    found = np.full(len(codes), np.nan)
    if known.any():
        usual = 0 if relative else find_usual_look(codes[known])
        found[known] = np.linalg.norm(codes[known] - usual, axis=1)
    return found


def _on_one_clock(
    one: _Face, other: _Face, column: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return a measure of both faces at equal steps of the time that they share, and the step in seconds."""
    step = max(STEP, *(float(np.median(np.diff(face.times))) for face in (one, other)))
    begin = max(one.times[0], other.times[0])
    count = max(0, int((min(one.times[-1], other.times[-1]) - begin) / step + 1e-6) + 1)
    first, second = (_resample(face.times, face.values[column], begin, step, count) for face in (one, other))
    return first, second, step


def _resample(
    times: NDArray[np.float64], values: NDArray[np.float64], begin: float, step: float, count: int
) -> NDArray[np.float64]:
    """Return (count,) means about equal steps; gaps up to `MAX_GAP` are bridged, longer ones are NaN."""
    known = np.isfinite(values)
    times, values = times[known], values[known]
    place = np.round((times - begin) / step).astype(np.int64)
    inside = (place >= 0) & (place < count)
    counts = np.bincount(place[inside], minlength=count)
    sums = np.bincount(place[inside], values[inside], minlength=count)
    filled = np.flatnonzero(counts)
    series = np.full(count, np.nan)
    if not len(filled):
        return series
    series[filled] = sums[filled] / counts[filled]
    missing = np.flatnonzero(counts == 0)
    after = np.searchsorted(filled, missing)
    between = (after > 0) & (after < len(filled))
    missing, after = missing[between], after[between]
    short = (filled[after] - filled[after - 1]) * step <= max(MAX_GAP, 3 * step) + 1e-9
    series[missing[short]] = np.interp(missing[short], filled, series[filled])
    return series
