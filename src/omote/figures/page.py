"""Self-contained HTML pages with tables, pictures and timelines, rendered by Jinja2 templates that escape all text.

A page loads nothing, and its policy (Content-Security-Policy) tells the browser so: the only scripts that run are those
written here, known by their SHA-256.
"""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import ExifTags, Image

from omote.data.images import Unreadable, open_image
from omote.errors import OmoteError
from omote.files import write_text


class Cell(NamedTuple):
    """One cell of a table, plain text."""

    text: str
    below: tuple[str, ...] = ()  # small lines
    note: str = ""  # footnote; equal notes share one number
    bold: bool = False
    mark: Literal["", "yes", "no", "open"] = ""  # the text is a verdict, coloured accordingly


class Head(NamedTuple):
    """The head of one column; neighbours with the same group and aim share one head."""

    group: str
    name: str = ""
    aim: str = ""  # small line below the group
    note: str = ""  # footnote of the column


class Line(NamedTuple):
    """One row of a table."""

    name: Cell
    cells: Sequence[Cell]
    muted: bool = False


class Embedded(NamedTuple):
    """A picture inside the page."""

    source: str  # data URI
    width: int
    height: int
    caption: str


class Section(NamedTuple):
    """One section of a page: a title, then whatever is given, in this order."""

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()  # a bullet list
    heads: Sequence[Head] = ()  # of the columns of a table
    lines: Sequence[Line] = ()  # of the table
    remark: str = ""  # small print below the table
    terms: Mapping[str, str] | None = None  # term -> meaning
    picture: Embedded | None = None
    timelines: Markup | None = None  # of `omote.figures.table.timeline`
    commands: Sequence[str] = ()  # one a line
    timings: Mapping[str, str] | None = None  # step -> duration

    @property
    def groups(self) -> list[tuple[bool, list[Head]]]:
        """Neighbouring columns under one head, and whether a border sets them apart from those before."""
        groups = [list(heads) for _, heads in groupby(self.heads, key=lambda head: (head.group, head.aim))]
        pairs = zip([[], *groups], groups, strict=False)
        return [(len(heads) > 1 or len(before) > 1, heads) for before, heads in pairs]

    @property
    def borders(self) -> list[bool]:
        """Whether a border sets each column apart from the one before."""
        return [border and not k for border, heads in self.groups for k in range(len(heads))]

    @property
    def notes(self) -> list[str]:
        """The distinct footnotes, in reading order."""
        heads = [head.note for head in sorted(self.heads, key=lambda head: bool(head.name))]
        cells = [cell.note for line in self.lines for cell in (line.name, *line.cells)]
        return list(dict.fromkeys(note for note in heads + cells if note))


def write_page(
    path: str | Path,
    *,
    title: str,
    introduction: Sequence[str] = (),
    sections: Sequence[Section | None] = (),
) -> Path:
    """Write one self-contained HTML file atomically, creating its folder if needed, and return `path`.

    All text is shown literally.

    Args:
        introduction: paragraphs; the first is set larger.
        sections: None entries are left out.
    Raises:
        OmoteError: If the name does not end in .html or .htm.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise OmoteError(f"the page {path} ends in {path.suffix or 'nothing'!r}; use a name ending in .html")
    given = [section for section in sections if section]
    page = load_template("page.html").render(
        title=title,
        introduction=introduction,
        sections=given,
        scripts=_load_scripts() if any(section.timelines for section in given) else [],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def picture_section(title: str, image: Image.Image | str | Path, caption: str) -> Section:
    """Return a section with a picture and its caption.

    Raises:
        OmoteError: If the picture's file cannot be read.
    """
    if not isinstance(image, Image.Image):
        try:
            with open_image(image) as opened:
                return picture_section(title, opened.convert("RGB"), caption)
        except Unreadable as error:
            raise OmoteError(f"the picture {image} cannot be read ({error}); make it again") from None
    return Section(title, picture=Embedded(encode_picture(image), image.width, image.height, caption))


def encode_picture(image: Image.Image, quality: int = 90, *, note: str = "") -> str:
    """Return a picture as the data URI of a WebP file.

    Args:
        quality: up to 100.
        note: text for the file's metadata, under the EXIF tag ImageDescription.
    """
    stream, exif = io.BytesIO(), Image.Exif()
    if note:
        exif[ExifTags.Base.ImageDescription] = note
    image.convert("RGB").save(stream, format="WEBP", quality=quality, method=4, exif=exif)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def commands_section(commands: Sequence[str]) -> Section | None:
    """Return a section with the commands that reproduce the page; None if there are none."""
    return Section("How to reproduce this page", commands=commands) if commands else None


def timings_section(
    timings: Mapping[str, float], title: str = "How long it took", total: str = "in total"
) -> Section | None:
    """Return a section with the seconds that each step took, and their sum; None if there are none."""
    if not timings:
        return None
    summed = {**timings, total: sum(timings.values())} if len(timings) > 1 else timings
    return Section(title, timings={name: format_duration(seconds) for name, seconds in summed.items()})


def format_duration(seconds: float) -> str:
    """Return "2.2 s", "1 min 40 s", "3 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Script(NamedTuple):
    """A script of this package."""

    text: Markup
    digest: str  # SHA-256, as the page's policy writes it


@cache
def _load_scripts() -> list[Script]:
    """Return the scripts that draw timelines: plotly.js (its bundle "basic", 1.2 MB) and ours."""
    texts = [
        files("omote.figures").joinpath(name).read_text(encoding="utf-8")
        for name in ("plotly/plotly-basic.min.js", "templates/timeline.js")
    ]
    return [
        Script(Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii"))
        for text in texts
    ]


@cache
def load_template(name: str, package: str = "omote.figures") -> Template:
    """Return a template of a package; it escapes all text but Markup."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.get_template(name)
