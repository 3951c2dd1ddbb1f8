"""The page of an analysis: people, their movements, timelines, the comparison, and what was left out."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from omote.analysis.footage import count
from omote.data.build import Progress
from omote.errors import OmoteError
from omote.features.axes import PREFIX
from omote.features.comparison import PeopleComparison
from omote.figures.page import Cell, Head, Line, Section, write_page
from omote.figures.table.timeline import make_timelines

MOST_IN_MATRIX = 25  # people
MIN_MINUTES = 0.5  # of trusted video; with less, a person's frequency of events is not compared
EVENT = (
    "Events a minute, and below the share of the time that they take. An event is a stretch in which a measure rises "
    "clearly above the level at which this face rests, and comes back; minutes are those in which the face is to be "
    "trusted. Means, deviations and counts are in people.csv, each single event in events.csv."
)
USUAL = (
    "How many distinct expressions the footage shows, to this model: with fewer than 4, the usual look "
    "is uncertain, and so are distances from it"
)
DISTANCE_NOTE = (
    "distance from the person's own usual look: any change of the face counts, also speech and a turned head"
)
TIMELINES = (
    "Each person is a part that opens. A curve is cut where the face was not found; times are those of a player. The "
    "distance from the usual look is on a scale of its own here: 1 is typical of two faces of this table."
)
COSINES = (
    "Cosine of two people's directions of change: 1 is the same change, 0 has nothing in common. In bold: more "
    "alike than 95 of 100 pairs by chance. Intervals and values without noise are in comparison.csv."
)
MANY = "The cosine of each two people is in comparison.csv."
WITHIN = (
    "Each person is compared with themselves: the mean in {second} minus that in {first}, averaged over people. "
    "Bold: the corrected p is at most 0.05."
)
SIGNIFICANT = 0.05
STEPS = (
    "Every command from the second on also takes features.parquet of this folder, which has the people and their "
    "distances in it already."
)
LIMITS = (
    "A movement of the face is not what somebody feels, means or intends. Nothing here tells that.",
    "People differ in how their face rests, in light, camera and pose. Compare changes within people, or events, "
    "rather than levels.",
    "A share of the person remains in the codes; omote audit measures how much.",
    "The unit of a statistic is the person, not the frame: thousands of frames of five people are five people.",
)


class Report(NamedTuple):
    """What the page says, besides the timelines."""

    title: str
    introduction: Sequence[str]
    in_short: Sequence[str]
    people: pd.DataFrame  # of `summarise_people`
    measures: Mapping[str, str]  # column -> name
    comparison: PeopleComparison | None
    left_out: Sequence[str]
    commands: Sequence[str]


def write_report(
    path: Path, report: Report, table: pd.DataFrame, progress: Progress | None = None
) -> list[str]:
    """Write the page, and return sentences about faces that are missing on it."""
    missing = []
    try:
        timelines, failures, _ = make_timelines(table, progress=progress)
        missing = [
            f"No faces of {Path(source).name} on the page: {reason}." for source, reason in failures.items()
        ]
        charts = Section("Timelines", [TIMELINES], timelines=timelines)
    except OmoteError as error:  # fewer than two faces that differ
        missing = [f"No timelines: {str(error).rstrip('.')}."]
        charts = None
    left_out = [*report.left_out, *missing] or ["Nothing."]
    write_page(
        path,
        title=report.title,
        introduction=report.introduction,
        sections=[
            Section("In short", items=report.in_short) if report.in_short else None,
            _list_people(report.people),
            _list_movements(report.people, report.measures),
            charts,
            _compare_conditions(report.comparison),
            _compare_changes(report.comparison),
            Section("What was left out", items=left_out),
            Section("What this does not show", items=LIMITS),
            Section("The same step by step", [STEPS], commands=report.commands),
        ],
    )
    return missing


def _list_people(people: pd.DataFrame) -> Section:
    heads = [
        Head("Footage", "videos"), Head("Footage", "minutes"), Head("Footage", "photos"), Head("Faces", "found"),
        Head("Faces", "to be trusted", note="the others are too small, blurred, turned away ... (column doubt)"),
        Head("Usual look", "expressions", note=USUAL),
    ]  # fmt: skip
    lines = []
    for row in people.to_dict("records"):
        doubt = (f"mostly {row['main_doubt']}",) if row["main_doubt"] and row["trusted"] < 0.5 else ()
        looks = row["usual_look_expressions"]
        lines.append(Line(
            Cell(str(row["person"])),
            [
                Cell(f"{row['videos']:,}"), Cell(_number(row["minutes"], 1)), Cell(f"{row['photos']:,}"),
                Cell(f"{row['faces']:,}"), Cell(_share(row["trusted"]), doubt),
                Cell("none", note=row["no_usual_look"]) if math.isnan(looks) else Cell(_number(looks, 1)),
            ],
        ))  # fmt: skip
    return Section("People", heads=heads, lines=lines)


def _list_movements(people: pd.DataFrame, measures: Mapping[str, str]) -> Section | None:
    shown = {
        column.removeprefix(PREFIX): (name, "" if column.startswith(PREFIX) else DISTANCE_NOTE)
        for column, name in sorted(measures.items(), key=lambda one: one[0].startswith(PREFIX))
        if f"{column.removeprefix(PREFIX)}_events_per_minute" in people
    }
    if not shown:
        return None
    heads = [Head(name, note=note) for name, note in shown.values()]
    lines = [
        Line(
            Cell(str(row["person"])),
            [
                Cell(
                    _number(row[f"{short}_events_per_minute"], 1),
                    (_share(row[f"{short}_time_in_events"]),)
                    if not math.isnan(row[f"{short}_time_in_events"])
                    else (),
                )
                for short in shown
            ],
        )
        for row in people.to_dict("records")
    ]
    return Section("Movements", heads=heads, lines=lines, remark=EVENT)


def _compare_changes(comparison: PeopleComparison | None) -> Section | None:
    if comparison is None:
        return None
    pairs = comparison.table[comparison.table["question"] == "do people change alike"]
    names = sorted({*pairs["first"], *pairs["second"]})
    cells = {}
    for row in pairs.to_dict("records"):
        cell = Cell(_number(row["value"], 2), bold=bool(row["value"] > row["chance"]))
        cells[row["first"], row["second"]] = cells[row["second"], row["first"]] = cell
    if len(names) > MOST_IN_MATRIX:
        return Section("Do people’s faces change alike?", [*comparison.overall, MANY])
    lines = [Line(Cell(one), [cells.get((one, other), Cell("")) for other in names]) for one in names]
    heads = [Head(name) for name in names]
    return Section(
        "Do people’s faces change alike?", comparison.overall, heads=heads, lines=lines, remark=COSINES
    )


def _compare_conditions(comparison: PeopleComparison | None) -> Section | None:
    results = pd.DataFrame({"question": []}) if comparison is None else comparison.table
    rows = results[results["question"] == "do conditions differ"].to_dict("records")
    if not rows:
        return None
    first, second = rows[0]["first"], rows[0]["second"]
    heads = [
        Head("difference", "mean"), Head("difference", "95 % interval"), Head("effect", "Hedges’ g"),
        Head("p", "alone"),
        Head("p", "corrected", note="for the number of measures, by Holm; alone is for a measure chosen beforehand"),
        Head("people"),
    ]  # fmt: skip
    lines = [
        Line(
            Cell(row["measure"]),
            [
                Cell(_signed(row["value"]), bold=bool(row["p_adjusted"] <= SIGNIFICANT)),
                Cell("–" if math.isnan(row["low"]) else f"{_signed(row['low'])} to {_signed(row['high'])}"),
                Cell(_number(row["effect"], 2)), Cell(_number(row["p"], 3), note=row["note"]),
                Cell(_number(row["p_adjusted"], 3)), Cell(f"{row['count']}"),
            ],
        )
        for row in rows
    ]  # fmt: skip
    return Section(
        f"Does “{second}” differ from “{first}”?",
        [WITHIN.format(first=first, second=second)],
        heads=heads,
        lines=lines,
    )


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}".replace("%", " %")


def summarise_measures(people: pd.DataFrame, measures: Mapping[str, str]) -> list[str]:
    """Return sentences about the events of each measure, those with most events first.

    Whoever shows them most often is named among people with at least MIN_MINUTES of trusted video: one event in two
    seconds would be 30 a minute.
    """
    counted = []
    enough = people["minutes"] * people["trusted"] >= MIN_MINUTES
    for column, name in measures.items():
        short = column.removeprefix(PREFIX)
        if f"{short}_events" in people:
            rates = people[enough].set_index("person")[f"{short}_events_per_minute"].dropna()
            counted.append((int(people[f"{short}_events"].sum()), f"{name[:1].upper()}{name[1:]}", rates))
    sentences = []
    for number, name, rates in sorted(counted, key=lambda one: -one[0]):
        if number:
            often = f", most often of {rates.idxmax()} ({rates.max():.1f} a minute)" if len(rates) > 1 else ""
            sentences.append(f"{name}: {count(number, 'event')}{often}.")
    if still := [name for number, name, _ in counted if not number]:
        sentences.append(f"No event: {', '.join(name.lower() for name in still)}.")
    return sentences
