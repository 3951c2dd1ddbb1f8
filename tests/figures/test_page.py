import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from omote.errors import OmoteError
from omote.figures.page import (
    Cell,
    Head,
    Line,
    Section,
    commands_section,
    encode_picture,
    picture_section,
    timings_section,
    write_page,
)
from tests.figures.conftest import Page, cells

IMAGE = Image.new("RGB", (40, 20), (200, 30, 30))


def render(folder: Path, *sections: Section | None) -> Page:
    return Page(write_page(folder / "a.html", title="A", sections=sections))


def test_a_page_is_whole_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    path = write_page(
        tmp_path / "demo" / "index.html",
        title="Demo",
        introduction=["First.", "Second."],
        sections=[
            Section("Scores", heads=[Head("right")], lines=[Line(Cell("a"), [Cell("50.0")])]),
            picture_section("Swap", IMAGE, "Rows and columns."),
            commands_section(["omote demo", "omote embed"]),
            timings_section({"drawing": 2.25, "training": 100}),
        ],
    )
    page = Page(path)

    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
    links = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href", "srcset")
    ]
    assert links
    assert all(link and link.startswith("data:") for link in links)
    assert not re.search(r"url\(|@import|<script|<iframe", page.text)
    assert not re.search(r"\{\{|\{%|\}\}|%\}", page.text)
    assert '<p class="lead">First.</p>\n<p>Second.</p>' in page.text
    assert "omote demo\nomote embed" in page.text
    assert re.findall("<td>(.*?)</td>", page.text.split("How long it took")[1]) == [
        "2.2 s", "1 min 40 s", "1 min 42 s",
    ]  # fmt: skip


def test_a_page_is_its_sections_in_order_and_empty_ones_leave_nothing(tmp_path: Path) -> None:
    page = render(
        tmp_path,
        Section("First", ["A paragraph."], ["one < two"]),
        commands_section([]),
        timings_section({}),
        Section("Last", terms={"word & sign": "what it means"}),
    )

    assert re.findall("<h2>(.*?)</h2>", page.text) == ["First", "Last"]
    assert "<li>one &lt; two</li>" in page.text
    assert "<dt>word &amp; sign</dt><dd>what it means</dd>" in page.text


def test_a_table_numbers_its_notes_as_they_are_read_and_says_each_once(tmp_path: Path) -> None:
    lines = [
        Line(Cell("a", ("small",)), [Cell("1", note="second"), Cell("holds", note="first", mark="yes")]),
        Line(Cell("b"), [Cell("2"), Cell("3", ("below", "<"), note="second")], muted=True),
    ]
    page = render(
        tmp_path, Section("T", ["Above."], heads=[Head("left"), Head("right")], lines=lines, remark="Below.")
    )

    assert cells(page) == [
        ['a<span class="below">small</span>', "1<sup>1</sup>", '<span class="mark yes">holds</span><sup>2</sup>'],
        ["b", "2", '3<sup>1</sup><span class="below">below</span><span class="below">&lt;</span>'],
    ]  # fmt: skip
    assert "<li>Second.</li><li>First.</li>" in page.text
    assert page.text.count('<tr class="muted">') == 1


def test_notes_of_heads_come_before_those_of_cells(tmp_path: Path) -> None:
    heads = [Head("size", note="of all"), Head("train", "paper", note="printed")]
    page = render(
        tmp_path,
        Section(
            "T", heads=heads, lines=[Line(Cell("a"), [Cell("1", note="last"), Cell("2", note="of all")])]
        ),
    )

    assert ">size<sup>1</sup></th>" in page.text
    assert ">paper<sup>2</sup></th>" in page.text
    assert cells(page) == [["a", "1<sup>3</sup>", "2<sup>1</sup>"]]
    assert "<li>Of all.</li><li>Printed.</li><li>Last.</li>" in page.text


def test_neighbours_of_one_group_stand_under_one_head(tmp_path: Path) -> None:
    heads = [Head("size"), Head("train", "paper"), Head("train", "here"), Head("test", "here")]
    lines = [Line(Cell("a"), [Cell("64"), Cell("1"), Cell("2"), Cell("3")])]
    page = render(tmp_path, Section("T", heads=heads, lines=lines))

    groups = re.findall(r'colspan="(\d)"( class="first")?>(\w+)', page.text)
    border = ' class="first"'  # before the group of several columns and behind it
    assert groups == [("1", "", "size"), ("2", border, "train"), ("1", border, "test")]
    assert re.findall(r"<td([^>]*)>\d+</td>", page.text) == ["", border, "", border]


def test_a_picture_is_in_the_page_in_its_size(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "swap.png")
    page = render(tmp_path, picture_section("Swap", tmp_path / "swap.png", "A caption"))

    (image,) = (attrs for tag, attrs in page.tags if tag == "img")
    assert (image["width"], image["height"], image["alt"]) == ("40", "20", "A caption")
    shown = Image.open(io.BytesIO(base64.b64decode(str(image["src"]).split(",")[1])))
    np.testing.assert_allclose(np.asarray(shown.convert("RGB")), np.asarray(IMAGE), atol=12)


def test_an_encoded_picture_carries_its_note() -> None:
    for note in ("changed by omote", ""):
        with Image.open(
            io.BytesIO(base64.b64decode(encode_picture(IMAGE, note=note).partition(",")[2]))
        ) as picture:
            assert picture.getexif().get(ExifTags.Base.ImageDescription, "") == note


def test_text_is_shown_as_it_is(tmp_path: Path) -> None:
    nasty = "<script>alert('$title & {{ title }} \"all\"')</script>"
    cell = Cell(nasty, (nasty,), nasty)
    page = Page(
        write_page(
            tmp_path / "a.html",
            title=nasty,
            introduction=[nasty, nasty],
            sections=[
                Section(nasty, [nasty], [nasty], [Head(nasty, nasty, nasty, nasty)], [Line(cell, [cell])], nasty,
                        {nasty: nasty}),
                Section("verdict", heads=[Head("a")], lines=[Line(Cell("b"), [cell._replace(mark="yes")])]),
                Section("best", heads=[Head("a")], lines=[Line(Cell("b"), [cell._replace(bold=True)])]),
                picture_section(nasty, IMAGE, nasty),
                commands_section([nasty]),
                timings_section({nasty: 1}),
            ],
        )
    )  # fmt: skip
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count("&lt;script&gt;") >= 29
    assert page.text.count("<script") == 0
    (image,) = (attrs for tag, attrs in page.tags if tag == "img")
    assert image["alt"] == nasty


def test_names_and_pictures_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"\.html"):
        write_page(tmp_path / "index.txt", title="A")
    with pytest.raises(OmoteError, match=r"swap\.png"):
        picture_section("Swap", tmp_path / "swap.png", "")
    assert not list(tmp_path.iterdir())
