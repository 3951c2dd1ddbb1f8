"""The report: one HTML file with scores and pictures in it, which opens anywhere and loads nothing."""

import base64
import io
import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Literal, NamedTuple

import pandas as pd
from PIL import Image

from omote.errors import OmoteError
from omote.evaluation.protocol import Scores
from omote.evaluation.score import Score

Better = Literal["higher", "lower", "neither"]
ARROWS: dict[Better, str] = {"higher": "↑ higher is better", "lower": "↓ lower is better", "neither": ""}


class Measure(NamedTuple):
    """How one measure is shown and explained to somebody who sees it for the first time."""

    title: str
    meaning: str
    better: Better = "neither"
    percent: bool = True  # the values are shares in [0, 1]


class Picture(NamedTuple):
    """One picture of the report."""

    title: str
    image: Image.Image | str | Path
    caption: str


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
    """Write one HTML file with everything in it, beside `path` and renamed into place, and return `path`.

    All text is plain text and shown as it is.

    Args:
        introduction: paragraphs; the first one is set larger.
        table: one row a method, one column a measure, or columns of two levels (measure, people), as
            `comparison` makes them. A cell is a number or a `Score`; deviation, chance and reason are shown
            where they are known, nan as a dash, and the best value of a column in bold.
        measures: what the table's columns mean, by title; a column without one is shown without explanation.
        commands: to get the same again, one a line.
        timings: what took how many seconds, in order.
        footer: one line at the end.
    Raises:
        OmoteError: If the name does not end in .html or .htm, or a picture's file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise OmoteError(
            f"the report {path} ends in {path.suffix or 'nothing'!r}; give a name that ends in .html"
        )
    first, *others = introduction or ("",)
    sections = [
        _scores(table, {measure.title: measure for measure in measures}) if table is not None else "",
        "".join(_picture(picture) for picture in pictures),
        _commands(commands),
        _timings(timings or {}),
    ]
    page = Template(
        resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    ).substitute(
        title=escape(title),
        lead=f'<p class="lead">{escape(first)}</p>' if first else "",
        introduction="".join(f"<p>{escape(paragraph)}</p>\n" for paragraph in others),
        sections="\n".join(section for section in sections if section),
        footer=f"<footer>{escape(footer)}</footer>" if footer else "",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(page, encoding="utf-8")
    os.replace(beside, path)
    return path


def _scores(table: pd.DataFrame, measures: Mapping[str, Measure]) -> str:
    two_levels = table.columns.nlevels > 1
    columns = [(str(c[0]), str(c[1])) if two_levels else (str(c), "") for c in table.columns]
    scores = [[_score(cell) for cell in table.iloc[:, k]] for k in range(len(columns))]
    look = [measures.get(name, Measure(name, "", percent=False)) for name, _ in columns]
    notes: list[str] = []
    shown = [_column(column, measure, notes) for column, measure in zip(scores, look, strict=True)]

    spans: list[list[Any]] = []  # measure, number of neighbouring columns
    for measure in look:
        if spans and spans[-1][0] == measure:
            spans[-1][1] += 1
        else:
            spans.append([measure, 1])
    units = "".join(
        f'<th scope="colgroup" colspan="{span}">{escape(measure.title)}'
        f'<span class="aim">{ARROWS[measure.better]}</span></th>'
        for measure, span in spans
    )
    rows = [f"<tr><td></td>{units}</tr>"]
    if any(people for _, people in columns):
        names = "".join(f'<th scope="col">{escape(people)}</th>' for _, people in columns)
        rows.append(f'<tr class="people"><td></td>{names}</tr>')
    body = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th>{"".join(column[r] for column in shown)}</tr>\n'
        for r, name in enumerate(table.index)
    )
    guesses = [_chance(column, measure) for column, measure in zip(scores, look, strict=True)]
    if any(guesses):
        cells = "".join(f"<td>{guess or '–'}</td>" for guess in guesses)
        body += f'<tr class="chance"><th scope="row">by chance</th>{cells}</tr>\n'

    percent = "In per cent. " if any(measure.percent for measure in look) else ""
    spread = "The small figure is the standard deviation. " if "±" in "".join(map("".join, shown)) else ""
    terms = "".join(
        f"<dt>{escape(measure.title)}</dt><dd>{escape(measure.meaning)}</dd>\n"
        for measure, _ in spans
        if measure.meaning
    )
    terms += "".join(
        f"<dt>{escape(people)}</dt><dd>{PEOPLE[people].capitalize()}.</dd>\n"
        for people in PEOPLE
        if any(people == given for _, given in columns)
    )
    remarks = "".join(f"<li>{escape(note[:1].upper() + note[1:])}.</li>" for note in notes)
    return (
        f'<section><h2>Scores</h2>\n<div class="scroll" tabindex="0"><table class="scores">\n'
        f"<thead>{''.join(rows)}</thead>\n<tbody>{body}</tbody></table></div>\n"
        f'<p class="small">{percent}Bold: the best of a column. {spread}</p>\n'
        + (f'<ol class="small">{remarks}</ol>\n' if remarks else "")
        + (f"<dl>{terms}</dl>\n" if terms else "")
        + "</section>"
    )


def _score(cell: Any) -> Score:
    return cell if isinstance(cell, Score) else Score(float("nan") if cell is None else float(cell))


def _column(scores: Sequence[Score], measure: Measure, notes: list[str]) -> list[str]:
    """Return the cells of a column; reasons are collected in `notes` and referred to by number."""
    values = [_number(score.value, measure) for score in scores]
    known = [score.value for score in scores if not math.isnan(score.value)]
    best = ""
    if len(known) > 1 and measure.better != "neither":
        best = _number(max(known) if measure.better == "higher" else min(known), measure)
    cells = []
    for score, value in zip(scores, values, strict=True):
        text = f"<strong>{value}</strong>" if value == best and len(set(values)) > 1 else value
        if score.reason:
            if score.reason not in notes:
                notes.append(score.reason)
            text += f"<sup>{notes.index(score.reason) + 1}</sup>"
        if not math.isnan(score.value) and not math.isnan(score.deviation):
            text += f'<span class="deviation">± {_number(score.deviation, measure)}</span>'
        cells.append(f"<td>{text}</td>")
    return cells


def _number(value: float, measure: Measure) -> str:
    if math.isnan(value):
        return "–"
    return f"{100 * value:.1f}" if measure.percent else f"{value:.4g}"


def _chance(scores: Sequence[Score], measure: Measure) -> str:
    """Return what a guess reaches, least to most where methods differ; nothing where it is not known."""
    known = sorted(score.chance for score in scores if not math.isnan(score.chance))
    return "–".join(dict.fromkeys(_number(chance, measure) for chance in known[:1] + known[-1:]))


def _picture(picture: Picture) -> str:
    try:
        image = picture.image if isinstance(picture.image, Image.Image) else Image.open(picture.image)
        stream = io.BytesIO()
        image.convert("RGB").save(stream, format="WEBP", quality=90, method=4)
    except OSError as error:
        raise OmoteError(f"the picture {picture.image} cannot be read ({error}); make it again") from None
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return (
        f'<section><h2>{escape(picture.title)}</h2>\n<figure><div class="scroll picture" tabindex="0">'
        f'<img src="data:image/webp;base64,{data}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(picture.caption)}"></div>\n<figcaption>{escape(picture.caption)}</figcaption></figure></section>\n'
    )


def _commands(commands: Sequence[str]) -> str:
    if not commands:
        return ""
    lines = escape("\n".join(commands))
    return f'<section><h2>The same again</h2>\n<pre tabindex="0"><code>{lines}</code></pre></section>'


def _timings(timings: Mapping[str, float]) -> str:
    if not timings:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_duration(seconds)}</td></tr>\n'
        for name, seconds in {
            **timings,
            **({"in all": sum(timings.values())} if len(timings) > 1 else {}),
        }.items()
    )
    return (
        f'<section><h2>How long it took</h2>\n<table class="timings"><tbody>{rows}</tbody></table></section>'
    )


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
