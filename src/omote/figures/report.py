"""The report: one HTML file with scores and pictures in it, which opens anywhere and loads nothing."""

import base64
import io
import math
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
from omote.files import write_text

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


class Cell(NamedTuple):
    """One cell of a table; all of it is plain text."""

    text: str
    below: tuple[str, ...] = ()  # small lines
    note: str = ""  # a footnote; the same words get the same number
    bold: bool = False
    mark: Literal["", "yes", "no", "open"] = ""  # the text is a verdict


class Head(NamedTuple):
    """The head of one column; neighbours with the same group stand under one head."""

    group: str
    name: str = ""
    aim: str = ""  # a small line below the group


class Line(NamedTuple):
    """One row of a table."""

    name: Cell
    cells: Sequence[Cell]
    muted: bool = False


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


def write_page(
    path: str | Path,
    *,
    title: str,
    introduction: Sequence[str] = (),
    sections: Sequence[str] = (),
    footer: str = "",
) -> Path:
    """Write one HTML file with everything in it, beside `path` and renamed into place, and return `path`.

    All text is plain text and shown as it is.

    Args:
        introduction: paragraphs; the first one is set larger.
        sections: what the functions `..._section` return, in order; empty ones are left out.
        footer: one line at the end.
    Raises:
        OmoteError: If the name does not end in .html or .htm.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise OmoteError(
            f"the report {path} ends in {path.suffix or 'nothing'!r}; give a name that ends in .html"
        )
    first, *others = introduction or ("",)
    page = Template(
        resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    ).substitute(
        title=escape(title),
        lead=f'<p class="lead">{escape(first)}</p>' if first else "",
        introduction=_paragraphs(others),
        sections="\n".join(section for section in sections if section),
        footer=f"<footer>{escape(footer)}</footer>" if footer else "",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def text_section(title: str, paragraphs: Sequence[str] = (), items: Sequence[str] = ()) -> str:
    """Return a section of paragraphs and below them a list."""
    listed = "".join(f"<li>{escape(item)}</li>\n" for item in items)
    return _section(title, _paragraphs(paragraphs) + (f"<ul>{listed}</ul>" if listed else ""))


def table_section(
    title: str,
    heads: Sequence[Head],
    lines: Sequence[Line],
    *,
    before: Sequence[str] = (),
    after: str = "",
    terms: Mapping[str, str] | None = None,
) -> str:
    """Return a section with a table in it.

    Args:
        heads: one a column of `cells`.
        before: paragraphs above the table.
        after: small words below it.
        terms: what its words mean, last.
    """
    spans: list[tuple[Head, int]] = []  # head, number of neighbouring columns
    for head in heads:
        if spans and (spans[-1][0].group, spans[-1][0].aim) == (head.group, head.aim):
            spans[-1] = (head, spans[-1][1] + 1)
        else:
            spans.append((head, 1))
    # A group of several columns is parted from what stands before and behind it.
    parts = [
        ' class="first"' if span > 1 or (k and spans[k - 1][1] > 1) else ""
        for k, (_, span) in enumerate(spans)
    ]
    parted = ["" if k else part for part, (_, span) in zip(parts, spans, strict=True) for k in range(span)]
    groups = "".join(
        f'<th scope="colgroup" colspan="{span}"{part}>{escape(head.group)}'
        f"{_below([head.aim] if head.aim else [])}</th>"
        for part, (head, span) in zip(parts, spans, strict=True)
    )
    rows = f"<tr><td></td>{groups}</tr>"
    if any(head.name for head in heads):
        names = "".join(
            f'<th scope="col"{part}>{escape(head.name)}</th>'
            for head, part in zip(heads, parted, strict=True)
        )
        rows += f'<tr class="people"><td></td>{names}</tr>'
    notes: list[str] = []
    body = "".join(
        ('<tr class="muted">' if line.muted else "<tr>")
        + f'<th scope="row">{_inside(line.name, notes)}</th>'
        + "".join(
            f"<td{part}>{_inside(cell, notes)}</td>" for cell, part in zip(line.cells, parted, strict=True)
        )
        + "</tr>\n"
        for line in lines
    )
    remarks = "".join(f"<li>{escape(note[:1].upper() + note[1:])}.</li>" for note in notes)
    return _section(
        title,
        _paragraphs(before)
        + '<div class="scroll" tabindex="0"><table class="scores">\n'
        + f"<thead>{rows}</thead>\n<tbody>{body}</tbody></table></div>\n"
        + (f'<p class="small">{escape(after)}</p>\n' if after else "")
        + (f'<ol class="small">{remarks}</ol>\n' if remarks else "")
        + _terms(terms or {}),
    )


def terms_section(title: str, terms: Mapping[str, str]) -> str:
    """Return a section with a list of words and what is said of each; nothing if there is none."""
    return _section(title, _terms(terms)) if terms else ""


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


def picture_section(picture: Picture) -> str:
    """Return a section with a picture and its caption.

    Raises:
        OmoteError: If the picture's file cannot be read.
    """
    try:
        image = picture.image if isinstance(picture.image, Image.Image) else Image.open(picture.image)
        stream = io.BytesIO()
        image.convert("RGB").save(stream, format="WEBP", quality=90, method=4)
    except OSError as error:
        raise OmoteError(f"the picture {picture.image} cannot be read ({error}); make it again") from None
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return _section(
        picture.title,
        '<figure><div class="scroll picture" tabindex="0">'
        f'<img src="data:image/webp;base64,{data}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(picture.caption)}"></div>\n<figcaption>{escape(picture.caption)}</figcaption></figure>',
    )


def commands_section(commands: Sequence[str]) -> str:
    """Return a section with the commands, one a line, that give the same again; nothing if there is none."""
    lines = escape("\n".join(commands))
    return _section("The same again", f'<pre tabindex="0"><code>{lines}</code></pre>') if commands else ""


def timings_section(
    timings: Mapping[str, float], title: str = "How long it took", total: str = "in all"
) -> str:
    """Return a section that says what took how many seconds, and their sum; nothing if there is none."""
    if not timings:
        return ""
    together = {total: sum(timings.values())} if len(timings) > 1 else {}
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{duration(seconds)}</td></tr>\n'
        for name, seconds in [*timings.items(), *together.items()]
    )
    return _section(title, f'<table class="timings"><tbody>{rows}</tbody></table>')


def duration(seconds: float) -> str:
    """Return so many seconds in words: "2.2 s", "1 min 40 s", "3 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>"


def _paragraphs(paragraphs: Sequence[str]) -> str:
    return "".join(f"<p>{escape(paragraph)}</p>\n" for paragraph in paragraphs)


def _terms(terms: Mapping[str, str]) -> str:
    listed = "".join(f"<dt>{escape(term)}</dt><dd>{escape(said)}</dd>\n" for term, said in terms.items())
    return f"<dl>{listed}</dl>\n" if listed else ""


def _inside(cell: Cell, notes: list[str]) -> str:
    """Return the content of a cell; notes are collected in `notes` and referred to by number."""
    text = escape(cell.text)
    if cell.bold:
        text = f"<strong>{text}</strong>"
    if cell.mark:
        text = f'<span class="mark {cell.mark}">{text}</span>'
    if cell.note:
        if cell.note not in notes:
            notes.append(cell.note)
        text += f"<sup>{notes.index(cell.note) + 1}</sup>"
    return text + _below(cell.below)


def _below(lines: Sequence[str]) -> str:
    return "".join(f'<span class="below">{escape(line)}</span>' for line in lines)


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
