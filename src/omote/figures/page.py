"""A page: one HTML file with tables and pictures in it, which opens anywhere and loads nothing."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Literal, NamedTuple

from PIL import Image

from omote.errors import OmoteError
from omote.files import write_text


class Picture(NamedTuple):
    """One picture of the report."""

    title: str
    image: Image.Image | str | Path
    caption: str


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
    note: str = ""  # a footnote of the column, as of a cell


class Line(NamedTuple):
    """One row of a table."""

    name: Cell
    cells: Sequence[Cell]
    muted: bool = False


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
        resources.files(__package__).joinpath("templates", "page.html").read_text(encoding="utf-8")
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
    notes: list[str] = []
    groups = "".join(
        f'<th scope="colgroup" colspan="{span}"{part}>'
        f"{_inside(Cell(head.group, (head.aim,) * bool(head.aim), '' if head.name else head.note), notes)}</th>"
        for part, (head, span) in zip(parts, spans, strict=True)
    )
    rows = f"<tr><td></td>{groups}</tr>"
    if any(head.name for head in heads):
        names = "".join(
            f'<th scope="col"{part}>{_inside(Cell(head.name, note=head.note if head.name else ""), notes)}</th>'
            for head, part in zip(heads, parted, strict=True)
        )
        rows += f'<tr class="people"><td></td>{names}</tr>'
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


def terms_section(title: str, terms: Mapping[str, str], *, before: Sequence[str] = ()) -> str:
    """Return a section with a list of words and what is said of each, below paragraphs; nothing if there is none."""
    return _section(title, _paragraphs(before) + _terms(terms)) if terms else ""


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
