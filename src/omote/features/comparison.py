"""People compared: do their faces change alike, and do two conditions differ within people?

The statistics are in `omote.metrics.directions` and `omote.metrics.conditions`. Rows that are not trusted, or have no
code, are left out and counted.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.outputs import Floats, code_names
from omote.errors import OmoteError
from omote.features.axes import axis_columns, is_axis, say_axis
from omote.features.people import as_numbers, list_names, name_people
from omote.features.profile import (
    DISTANCE,
    DISTANCE_WORDS,
    LEAST_FRAMES,
    find_usual_look,
    number_blocks,
    number_sources,
)
from omote.files import write_text
from omote.formulas import write_csv
from omote.metrics import conditions as paired
from omote.metrics import directions
from omote.metrics.intervals import holm

# Shares of a person's frames: those nearest to their usual look, and those beyond which they are far from it.
NEAR, FAR = 0.5, 0.8
MAX_PAIRS = 10  # that are said; the table has all
COLUMNS = (
    "question",  # "do people change alike", "do conditions differ" or "do faces move together"
    "first", "second",  # two people, or two conditions
    "source",  # of two faces
    "measure",  # what is compared, in words
    "value",  # cosine; mean difference, second minus first; or correlation
    "corrected",  # cosine without the error of the directions
    "low", "high",  # 95 % interval
    "chance",  # 95 of 100 values by chance are below
    "p", "p_adjusted",  # the latter for the number of tests, by Holm
    "effect",  # Hedges' g of paired data
    "lag",  # s by which the second follows the first
    "count",  # frames of two people, people, or windows
    "note",
)  # fmt: skip
TEXTS = ("question", "first", "second", "source", "measure", "note")


class PeopleComparison(NamedTuple):
    """What a comparison found."""

    table: pd.DataFrame  # one row a result; `COLUMNS`
    sentences: list[str]  # the same in words, and what was left out
    overall: Sequence[str] = ()  # of these, those about everybody

    def save(self, path: str | Path) -> None:
        """Write the table as CSV, with 6 significant digits."""
        write_text(Path(path), write_csv(self.table, float_format="%.6g"))


def compare_people(
    table: pd.DataFrame,
    *,
    conditions: tuple[str, str] | None = None,
    by: str | None = None,
    columns: Sequence[str] | None = None,
    use_doubted: bool = False,
) -> PeopleComparison:
    """Return whether people's faces change alike; with two conditions also whether these differ within people.

    The change of a person is from the first condition to the second. Without conditions it is from the half of the
    frames that are nearest to their usual look to the fifth that is farthest from it; then it holds whatever the person
    did there, and is one movement only if they made mainly one.

    Args:
        table: of `omote embed`. Who a row shows is told by the column person, or as in `make_profiles`.
        conditions: names of the first and the second condition.
        by: the column that holds the condition; None for the column condition, or, if there is none, for the names of
            files and folders, in which a condition stands as a word: ann/smile_2.mp4.
        columns: measures for which conditions are compared; None for all axes and the distance from the usual look.
        use_doubted: use the rows that the column trusted says not to trust.
    Raises:
        OmoteError: If nothing tells people or conditions apart, fewer than two people have frames enough, or the table
            holds codes of several models or none.
    """
    names = _check_codes(table)
    people = name_people(table)
    codes = table[names].to_numpy(np.float32)
    named, has_code = people.names.notna().to_numpy(), np.isfinite(codes).all(axis=1)
    used, doubts = _trust(table, people.names, named & has_code, use_doubted)
    left_out = {**people.left_out, "without a code": int((named & ~has_code).sum())}
    where = None
    change = "from the half of a person's frames nearest to their usual look to the fifth farthest from it"
    if conditions is not None:
        where, how = _find_conditions(table, conditions, by)
        left_out["of neither condition"] = int((used & (where < 0)).sum())
        used &= where >= 0
        change = f"from {conditions[0]} to {conditions[1]} ({how})"
    grouped = people.names.groupby(people.names, sort=True).indices
    each = {str(name): np.asarray(rows, np.int64)[used[rows]] for name, rows in grouped.items()}
    frames = {name: len(rows) for name, rows in each.items()}
    counted = f"{len(each)} people, told apart by {people.how}; {sum(frames.values())} frames."
    sentences = [
        f"{counted} Change: {change}.",
        *(f"Left out: {count} rows {reason}." for reason, count in left_out.items() if count),
        *doubts,
    ]
    # In a table that is relative to a profile, the usual look is 0.
    distances = np.full(len(table), np.nan)
    for rows in each.values():
        if len(rows) >= LEAST_FRAMES:
            usual = 0 if "profile" in table else find_usual_look(codes[rows])
            distances[rows] = np.linalg.norm(codes[rows] - usual, axis=1)
    found = _find_directions(table, codes, each, where, distances)
    if too_few := [name for name in each if name not in found]:
        sentences.append(f"Left out: {list_names(too_few)}, with too few frames for a change.")
    if len(found) < 2:
        takes = f"at least {LEAST_FRAMES} frames" if conditions is None else "frames of both conditions"
        raise OmoteError(
            f"a comparison takes two people with {takes}; {len(found)} of {len(each)} have them. {' '.join(sentences)}"
        )
    results, said = _compare_changes(found, frames)
    overall = [*sentences, said[0]]
    sentences += said
    if conditions is not None and where is not None:
        measures = _find_measures(table, distances, columns)
        differing, said = _compare_conditions(
            measures, conditions, {name: each[name] for name in found}, where
        )
        results, sentences = results + differing, sentences + said
    return PeopleComparison(results_table(results), sentences, overall)


def results_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return results as a table with `COLUMNS`; what a result lacks is missing."""
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name in TEXTS:
            columns[name] = pd.Series([str(row.get(name, "")) for row in results], dtype=str)
        else:
            columns[name] = pd.Series([row.get(name, math.nan) for row in results], dtype=np.float64)
    return pd.DataFrame(columns).astype({"count": np.int64})


def say_measure(column: str) -> str:
    """Return the name of a measure in words: "lip corners up" of axis_lip_corners_up."""
    if column == DISTANCE:
        return DISTANCE_WORDS
    return say_axis(column) if is_axis(column) else column


def measure_columns(table: pd.DataFrame, columns: Sequence[str] | None) -> list[str]:
    """Return the columns to compare: those that are named, or all axes and the distance, as far as there are any.

    Raises:
        OmoteError: If a named column is not in the table.
    """
    if columns is None:
        return [*axis_columns(list(table.columns)), *([DISTANCE] if DISTANCE in table else [])]
    if missing := [name for name in columns if name not in table]:
        raise OmoteError(
            f"the table has no column {missing[0]}; it has {', '.join(map(str, table.columns[:12]))} ..."
        )
    return list(columns)


def say_p(p: float) -> str:
    """Return "p = 0.012", or that there is none."""
    return "no test" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _check_codes(table: pd.DataFrame) -> list[str]:
    names = code_names(list(table.columns))
    if not names or not len(table):
        raise OmoteError("the table has no codes z_e_00, z_e_01, ... or no rows; make it with `omote embed`")
    models = sorted(table["model"].dropna().astype(str).unique()) if "model" in table else []
    if len(models) > 1:
        raise OmoteError(
            f"the table has codes of several models ({', '.join(models)}), which cannot be compared"
        )
    if "profile" in table and not table["profile"].replace("", np.nan).notna().all():
        raise OmoteError(
            "some codes of the table are relative to a profile and others are plain, which cannot be compared; embed "
            "all with --profile, or none"
        )
    return names


def _trust(
    table: pd.DataFrame, names: pd.Series, usable: NDArray[np.bool_], use_doubted: bool
) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which of the usable rows to use, and sentences about those that are not to be trusted."""
    if "trusted" not in table or use_doubted:
        return usable, []
    trusted = table["trusted"].fillna(False).to_numpy(bool)
    counts = pd.Series(usable & trusted, names.index).groupby(names).transform("sum").fillna(0).to_numpy()
    doubted = usable & ~trusted & (counts >= LEAST_FRAMES)
    sentences = []
    if doubted.any():
        sentences.append(f"Left out: {doubted.sum()} rows that are not to be trusted (--all uses them).")
    if (forced := usable & ~trusted & ~doubted).any():
        who = list_names(sorted(names[forced].unique()))
        sentences.append(
            f"Of {who}, hardly any frame is to be trusted (column doubt), so {forced.sum()} others are used."
        )
    return usable & ~doubted, sentences


def _find_directions(
    table: pd.DataFrame,
    codes: Floats,
    each: dict[str, NDArray[np.int64]],
    where: NDArray[np.int64] | None,
    distances: NDArray[np.float64],
) -> dict[str, directions.Direction]:
    """Return the direction of change of each person who has frames enough on both sides of it."""
    seconds = as_numbers(table["time"]) if "time" in table else np.zeros(len(table))
    sources = number_sources(table)
    found = {}
    for seed, (name, rows) in enumerate(each.items()):
        if where is None and len(rows) < LEAST_FRAMES:
            continue
        side = _side_by_distance(distances[rows]) if where is None else where[rows]
        rows, after = rows[side >= 0], side[side >= 0] == 1
        if after.any() and not after.all():
            blocks = number_blocks(sources[rows], seconds[rows])
            found[name] = directions.find_direction(codes[rows], after, blocks, seed)
    return found


def _find_conditions(
    table: pd.DataFrame, conditions: tuple[str, str], by: str | None
) -> tuple[NDArray[np.int64], str]:
    """Return (N,) 0 and 1 for the rows of the two conditions and -1 for others, and what told them apart."""
    if conditions[0] == conditions[1]:
        raise OmoteError(f"both conditions are {conditions[0]}; name two")
    column = by or ("condition" if "condition" in table else None)
    if column is not None and column not in table:
        raise OmoteError(f"the table has no column {column}; name the one that holds the condition with --by")
    if column is None and "source" not in table:
        raise OmoteError(
            "the table has no sources to tell conditions apart; name the column that holds them with --by"
        )
    given = table[column or "source"].astype(str).fillna("")
    if column is not None:
        holds = [given == name for name in conditions]
        how = f"column {column}"
    else:
        # a word: no letter before or after it
        patterns = [re.compile(rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])", re.I) for name in conditions]
        holds = [given.map(lambda text, p=pattern: bool(p.search(text))) for pattern in patterns]
        how = "in the names of the files"
        if (both := holds[0] & holds[1]).any():
            raise OmoteError(
                f"{given[both].iloc[0]} has both {conditions[0]} and {conditions[1]} in its name; tell the conditions "
                "with a column condition"
            )
    for name, held in zip(conditions, holds, strict=True):
        if not held.any():
            others = f"; it holds {list_names(sorted(filter(None, given.unique())))}" if column else ""
            raise OmoteError(f"no row is of the condition {name} ({how}{others})")
    return np.where(holds[1], 1, np.where(holds[0], 0, -1)), how


def _side_by_distance(distances: NDArray[Any]) -> NDArray[np.int64]:
    """Return (n,) 1 for frames far from the usual look, 0 for those near it, -1 for those between."""
    near, far = np.quantile(distances, [NEAR, FAR])
    return np.where(distances > far, 1, np.where(distances <= near, 0, -1))


def _compare_changes(
    found: dict[str, directions.Direction], frames: dict[str, int]
) -> tuple[list[dict[str, Any]], list[str]]:
    names, each = list(found), list(found.values())
    common = directions.find_common_direction(each)
    pairs = directions.compare_directions(each)
    pairs["corrected"] = (pairs["cosine"] / pairs["ceiling"].where(pairs["ceiling"] > 0)).clip(-1, 1)
    results = [
        {
            "question": "do people change alike", "first": names[int(row["first"])],
            "second": names[int(row["second"])], "measure": "direction of change", "value": row["cosine"],
            **{name: row[name] for name in ("corrected", "low", "high", "chance", "p")},
            "count": frames[names[int(row["first"])]] + frames[names[int(row["second"])]],
            "note": "" if math.isfinite(row["low"]) else "too little footage for an interval",
        }
        for row in pairs.to_dict("records")
    ]  # fmt: skip
    results.sort(key=lambda row: -row["value"])
    cosine = f"mean cosine of all pairs {common.value:.2f}"
    if math.isnan(common.p):
        sentences = [
            f"Directions of change: {cosine}. With fewer than {directions.LEAST_FOR_TEST} people, chance is not known."
        ]
    else:
        verdict = "a common direction" if common.p <= 0.05 else "no sign of a common direction"
        sentences = [
            f"People's changes have {verdict}: {cosine}; 95 of 100 by chance are below {common.chance:.2f} "
            f"({say_p(common.p)}, people's signs shuffled)."
        ]
    for row in results[:MAX_PAIRS]:
        corrected = "" if math.isnan(row["corrected"]) else f", {row['corrected']:.2f} without noise"
        interval = "" if math.isnan(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
        sentences.append(
            f"{row['first']} and {row['second']}: cosine {row['value']:.2f}{corrected}{interval}."
        )
    if len(results) > MAX_PAIRS:
        sentences.append(f"These are the {MAX_PAIRS} most alike of {len(results)} pairs.")
    if not math.isnan(results[0]["p"]):
        sentences.append(
            "p of a pair is the share of all pairs at least as alike: it tells whether two people are more alike than "
            "people here are, and one pair of twenty has 0.05 by chance."
        )
    return results, sentences


def _find_measures(
    table: pd.DataFrame, distances: NDArray[np.float64], columns: Sequence[str] | None
) -> dict[str, NDArray[np.float64]]:
    """Return the values of each measure, by its column."""
    found = {name: as_numbers(table[name]) for name in measure_columns(table, columns)}
    if columns is None and DISTANCE not in found:
        found[DISTANCE] = distances
    return found


def _compare_conditions(
    measures: dict[str, NDArray[np.float64]],
    conditions: tuple[str, str],
    each: dict[str, NDArray[np.int64]],
    where: NDArray[np.int64],
) -> tuple[list[dict[str, Any]], list[str]]:
    results: list[dict[str, Any]] = []
    sentences, tested = [], []
    for column, values in measures.items():
        means = [[_mean(values[own[where[own] == side]]) for own in each.values()] for side in (0, 1)]
        found = paired.compare_pairs(np.subtract(means[1], means[0]))
        if not found.people:
            sentences.append(f"{say_measure(column)}: no person has values of it in both conditions.")
            continue
        tested.append(found)
        few = found.people < directions.LEAST_FOR_TEST
        results.append({
            "question": "do conditions differ", "first": conditions[0], "second": conditions[1],
            "measure": say_measure(column), "value": found.value, "low": found.low, "high": found.high,
            "p": found.p, "effect": found.effect, "count": found.people,
            "note": f"a test takes {directions.LEAST_FOR_TEST} people" if few else "",
        })  # fmt: skip
    known = [number for number, found in enumerate(tested) if not math.isnan(found.p)]
    for number, p in zip(known, holm([tested[number].p for number in known]), strict=True):
        results[number]["p_adjusted"] = p
    for row, found in zip(results, tested, strict=True):
        interval = "" if math.isnan(found.low) else f" ({found.low:+.2f} to {found.high:+.2f})"
        effect = "" if math.isnan(found.effect) else f", Hedges' g {found.effect:.2f}"
        adjusted = (
            f", {say_p(row['p_adjusted'])} for {len(known)} measures"
            if len(known) > 1 and "p_adjusted" in row
            else ""
        )
        why = f" ({row['note']})" if row["note"] else ""
        sentences.append(
            f"{row['measure']}: {conditions[1]} minus {conditions[0]} {found.value:+.2f}{interval} in {found.people} "
            f"people, higher in {found.higher}{effect}, {say_p(found.p)}{why}{adjusted}."
        )
    return results, sentences


def _mean(values: Floats | NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan
