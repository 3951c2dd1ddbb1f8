"""The table that compares methods by their scores, and what each score means."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from omote.evaluation.protocol import Scores
from omote.figures.page import Cell, Head, Line, Section
from omote.metrics.score import Score

Better = Literal["higher", "lower", "neither"]
ARROWS: dict[Better, str] = {"higher": "↑ higher is better", "lower": "↓ lower is better", "neither": ""}


class Measure(NamedTuple):
    """How a measure is shown and explained to a first-time reader."""

    title: str
    meaning: str
    better: Better = "neither"
    percent: bool = True  # values are shares in [0, 1], shown in per cent


class Shown(NamedTuple):
    """A score of the evaluation protocol and the columns it fills."""

    measure: Measure
    code: Literal["expression", "identity"]
    score: str
    people: tuple[Literal["train", "test"], ...] = ("test",)


SHOWN = (
    Shown(
        Measure(
            "Expressions found",
            "k-means groups the expression codes without seeing any label; each group is named after the face nearest "
            "its centre. The share of faces that get the right name: the paper’s score.",
            "higher",
        ),
        "expression",
        "accuracy",
        ("train", "test"),
    ),
    Shown(
        Measure(
            "Expression read",
            "A linear classifier learns to predict the expression from the expression codes of some people and is "
            "tested on other people. The share of faces it gets right.",
            "higher",
        ),
        "expression",
        "probe_accuracy",
    ),
    Shown(
        Measure(
            "Person leaks",
            "How often the most similar expression code from another clip belongs to the same person. An expression "
            "code should not reveal who it is.",
            "lower",
        ),
        "expression",
        "subject_nearest_neighbour",
    ),
    Shown(
        Measure(
            "Person known", "The same for the identity code, which should reveal exactly that.", "higher"
        ),
        "identity",
        "subject_nearest_neighbour",
    ),
    Shown(
        Measure(
            "Expression leaks",
            "How well a linear classifier predicts the expression from the identity code, which should not reveal it.",
            "lower",
        ),
        "identity",
        "probe_accuracy",
    ),
)
MEASURES = tuple(shown.measure for shown in SHOWN)
PEOPLE = {"train": "People the method was trained on.", "test": "People held out, never seen in training."}


def compare_methods(scores: Mapping[str, Scores]) -> pd.DataFrame:
    """Return one row per method and columns (title of a measure in `MEASURES`, people); each cell is a `Score`."""
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


def scores_section(
    title: str, table: pd.DataFrame, measures: Sequence[Measure] = MEASURES, *, spread: str = ""
) -> Section:
    """Return a section that compares methods by their scores.

    Args:
        table: one row per method, one column per measure, or two column levels (measure, people) as `compare_methods`
            makes them. A cell is a number or a `Score`. Deviation, chance and reason are shown where known, nan as a
            dash, and the best value of a column in bold.
        measures: meaning of the columns, found by title; a column without one is shown unexplained.
        spread: what the deviation is over, for example "over k-means runs"; empty to leave it unsaid.
    """
    two_levels = table.columns.nlevels > 1
    columns = [(str(c[0]), str(c[1])) if two_levels else (str(c), "") for c in table.columns]
    known = {measure.title: measure for measure in measures}
    shown = [known.get(name, Measure(name, "", percent=False)) for name, _ in columns]
    scores = [[_as_score(cell) for cell in table.iloc[:, k]] for k in range(len(columns))]
    cells = [_column_cells(column, measure) for column, measure in zip(scores, shown, strict=True)]
    lines = [Line(Cell(str(name)), [column[row] for column in cells]) for row, name in enumerate(table.index)]
    chances = [_chance_range(column, measure) for column, measure in zip(scores, shown, strict=True)]
    if any(chances):
        lines.append(Line(Cell("by chance"), [Cell(chance or "–") for chance in chances], muted=True))

    remark = "In per cent. " if any(measure.percent for measure in shown) else ""
    remark += "Bold: the best of each column."
    if any(cell.below for column in cells for cell in column):
        remark += f" The small number is the standard deviation{f' {spread}' if spread else ''}."
    return Section(
        title,
        heads=[
            Head(measure.title, people, ARROWS[measure.better])
            for measure, (_, people) in zip(shown, columns, strict=True)
        ],
        lines=lines,
        remark=remark,
        terms={measure.title: measure.meaning for measure in shown if measure.meaning}
        | {people: text for people, text in PEOPLE.items() if any(people == given for _, given in columns)},
    )


def _as_score(cell: Any) -> Score:
    return cell if isinstance(cell, Score) else Score(math.nan if cell is None else float(cell))


def _column_cells(scores: Sequence[Score], measure: Measure) -> list[Cell]:
    values = [_format(score.value, measure) for score in scores]
    known = [score.value for score in scores if not math.isnan(score.value)]
    best = ""
    if len(known) > 1 and measure.better != "neither" and len(set(values)) > 1:
        best = _format(max(known) if measure.better == "higher" else min(known), measure)
    return [
        Cell(
            value,
            () if math.isnan(score.value + score.deviation) else (f"± {_format(score.deviation, measure)}",),
            note=score.reason,
            bold=value == best,
        )
        for score, value in zip(scores, values, strict=True)
    ]


def _format(value: float, measure: Measure) -> str:
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}" if measure.percent else f"{value:.4g}"


def _chance_range(scores: Sequence[Score], measure: Measure) -> str:
    """Return the chance level, lowest to highest where methods differ; empty where unknown."""
    known = sorted(score.chance for score in scores if not math.isnan(score.chance))
    return "–".join(dict.fromkeys(_format(chance, measure) for chance in known[:1] + known[-1:]))
