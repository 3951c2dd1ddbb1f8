"""The page that compares methods: a table of their scores, what each score means, and pictures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from omote.evaluation.protocol import Scores
from omote.figures.page import (
    Cell,
    Head,
    Line,
    Picture,
    commands_section,
    picture_section,
    table_section,
    timings_section,
    write_page,
)
from omote.metrics.score import Score

Better = Literal["higher", "lower", "neither"]
ARROWS: dict[Better, str] = {"higher": "↑ higher is better", "lower": "↓ lower is better", "neither": ""}


class Measure(NamedTuple):
    """How one measure is shown and explained to somebody who sees it for the first time."""

    title: str
    meaning: str
    better: Better = "neither"
    percent: bool = True  # the values are shares in [0, 1]


class Shown(NamedTuple):
    """Which score of the protocol fills which columns."""

    measure: Measure
    code: Literal["expression", "identity"]
    score: str
    people: tuple[Literal["train", "test"], ...]


SHOWN = (
    Shown(
        Measure(
            "Expressions found",
            "The expression codes are put into groups without looking at any label (k-means), and each group "
            "is named after the face nearest its centre. The share of faces that this names rightly; the "
            "paper's score.",
            "higher",
        ),
        "expression",
        "accuracy",
        ("train", "test"),
    ),
    Shown(
        Measure(
            "Expression read",
            "A linear classifier learns to read the expression off the expression codes of some people, and "
            "reads it off other people's. The share of faces it names rightly.",
            "higher",
        ),
        "expression",
        "probe_accuracy",
        ("test",),
    ),
    Shown(
        Measure(
            "Person leaks",
            "How often the most similar expression code, looked for in other clips, is of the same person. "
            "An expression code should not tell who it is.",
            "lower",
        ),
        "expression",
        "subject_nearest_neighbour",
        ("test",),
    ),
    Shown(
        Measure(
            "Person known",
            "The same question asked of the identity code, which should tell exactly that.",
            "higher",
        ),
        "identity",
        "subject_nearest_neighbour",
        ("test",),
    ),
    Shown(
        Measure(
            "Expression leaks",
            "How well a linear classifier reads the expression off the identity code, which should not tell.",
            "lower",
        ),
        "identity",
        "probe_accuracy",
        ("test",),
    ),
)
MEASURES = tuple(shown.measure for shown in SHOWN)
PEOPLE = {
    "train": "people of the training, whose faces the method learned from",
    "test": "people held out, whom the method never saw",
}


def comparison(scores: Mapping[str, Scores]) -> pd.DataFrame:
    """Return the table that compares methods: one row a method, columns (title of a measure of `MEASURES`,
    people), each cell a `Score`."""
    cells = {
        (shown.measure.title, people): [each.get(people, shown.code, shown.score) for each in scores.values()]
        for shown in SHOWN
        for people in shown.people
    }
    columns = pd.MultiIndex.from_tuples(list(cells))
    table = pd.DataFrame(index=list(scores), columns=columns, dtype=object)
    for column, values in cells.items():
        table[column] = pd.Series(values, index=table.index, dtype=object)
    return table


def write_report(
    path: str | Path,
    *,
    title: str,
    introduction: Sequence[str] = (),
    table: pd.DataFrame | None = None,
    measures: Sequence[Measure] = MEASURES,
    pictures: Sequence[Picture] = (),
    commands: Sequence[str] = (),
    timings: Mapping[str, float] | None = None,
    footer: str = "",
) -> Path:
    """Write the page that compares methods, scores first, with `write_page`, and return `path`.

    Args:
        introduction: paragraphs; the first one is set larger.
        table: as for `scores_section`.
        measures: likewise.
        commands: to get the same again, one a line.
        timings: what took how many seconds, in order.
        footer: one line at the end.
    Raises:
        OmoteError: As `write_page` and `picture_section`.
    """
    sections = [
        scores_section("Scores", table, measures) if table is not None else "",
        *(picture_section(picture) for picture in pictures),
        commands_section(commands),
        timings_section(timings or {}),
    ]
    return write_page(path, title=title, introduction=introduction, sections=sections, footer=footer)


def scores_section(
    title: str, table: pd.DataFrame, measures: Sequence[Measure] = MEASURES, *, spread: str = ""
) -> str:
    """Return a section that compares methods by their scores.

    Args:
        table: one row a method, one column a measure, or columns of two levels (measure, people), as
            `comparison` makes them. A cell is a number or a `Score`; deviation, chance and reason are shown
            where they are known, nan as a dash, and the best value of a column in bold.
        measures: what the table's columns mean, by title; a column without one is shown without explanation.
        spread: what the deviation is over, for example "over k-means runs"; nothing to leave it unsaid.
    """
    two_levels = table.columns.nlevels > 1
    columns = [(str(c[0]), str(c[1])) if two_levels else (str(c), "") for c in table.columns]
    known = {measure.title: measure for measure in measures}
    look = [known.get(name, Measure(name, "", percent=False)) for name, _ in columns]
    scores = [[_score(cell) for cell in table.iloc[:, k]] for k in range(len(columns))]
    shown = [_column(column, measure) for column, measure in zip(scores, look, strict=True)]
    lines = [Line(Cell(str(name)), [column[r] for column in shown]) for r, name in enumerate(table.index)]
    guesses = [_chance(column, measure) for column, measure in zip(scores, look, strict=True)]
    if any(guesses):
        lines.append(Line(Cell("by chance"), [Cell(guess or "–") for guess in guesses], muted=True))

    percent = "In per cent. " if any(measure.percent for measure in look) else ""
    deviates = any(cell.below for column in shown for cell in column)
    over = f" {spread}" if spread else ""
    terms = {measure.title: measure.meaning for measure in look if measure.meaning}
    terms |= {
        people: f"{PEOPLE[people].capitalize()}."
        for people in PEOPLE
        if any(people == given for _, given in columns)
    }
    return table_section(
        title,
        [
            Head(measure.title, people, ARROWS[measure.better])
            for measure, (_, people) in zip(look, columns, strict=True)
        ],
        lines,
        after=f"{percent}Bold: the best of a column."
        + (f" The small figure is the standard deviation{over}." if deviates else ""),
        terms=terms,
    )


def _score(cell: Any) -> Score:
    return cell if isinstance(cell, Score) else Score(float("nan") if cell is None else float(cell))


def _column(scores: Sequence[Score], measure: Measure) -> list[Cell]:
    values = [_number(score.value, measure) for score in scores]
    known = [score.value for score in scores if not math.isnan(score.value)]
    best = ""
    if len(known) > 1 and measure.better != "neither":
        best = _number(max(known) if measure.better == "higher" else min(known), measure)
    return [
        Cell(
            value,
            ()
            if math.isnan(score.value) or math.isnan(score.deviation)
            else (f"± {_number(score.deviation, measure)}",),
            note=score.reason,
            bold=value == best and len(set(values)) > 1,
        )
        for score, value in zip(scores, values, strict=True)
    ]


def _number(value: float, measure: Measure) -> str:
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}" if measure.percent else f"{value:.4g}"


def _chance(scores: Sequence[Score], measure: Measure) -> str:
    """Return what a guess reaches, least to most where methods differ; nothing where it is not known."""
    known = sorted(score.chance for score in scores if not math.isnan(score.chance))
    return "–".join(dict.fromkeys(_number(chance, measure) for chance in known[:1] + known[-1:]))
