import re
from pathlib import Path

from omote.figures.page import Cell, Head, Line, table_section, terms_section, text_section, write_page
from tests.figures.conftest import Page, cells


def test_a_page_is_its_sections_in_order_and_empty_ones_leave_nothing(tmp_path: Path) -> None:
    sections = [
        text_section("First", ["A paragraph."], ["one < two"]),
        terms_section("Nothing", {}),
        terms_section("Last", {"word & sign": "what it means"}),
    ]
    page = Page(write_page(tmp_path / "a.html", title="A", sections=sections))

    assert re.findall("<h2>(.*?)</h2>", page.text) == ["First", "Last"]
    assert "<li>one &lt; two</li>" in page.text
    assert "<dt>word &amp; sign</dt><dd>what it means</dd>" in page.text


def test_a_table_numbers_its_notes_as_they_are_read_and_says_each_once(tmp_path: Path) -> None:
    lines = [
        Line(Cell("a", ("small",)), [Cell("1", note="second"), Cell("holds", note="first", mark="yes")]),
        Line(Cell("b"), [Cell("2"), Cell("3", ("below", "<"), note="second")], muted=True),
    ]
    section = table_section("T", [Head("left"), Head("right")], lines, before=["Above."], after="Below.")
    page = Page(write_page(tmp_path / "a.html", title="A", sections=[section]))

    assert cells(page) == [
        ['a<span class="below">small</span>', "1<sup>1</sup>", '<span class="mark yes">holds</span><sup>2</sup>'],
        ["b", "2", '3<sup>1</sup><span class="below">below</span><span class="below">&lt;</span>'],
    ]  # fmt: skip
    assert "<li>Second.</li><li>First.</li>" in page.text
    assert page.text.count('<tr class="muted">') == 1


def test_neighbours_of_one_group_stand_under_one_head() -> None:
    heads = [Head("size"), Head("train", "paper"), Head("train", "here"), Head("test", "here")]
    section = table_section("T", heads, [Line(Cell("a"), [Cell("64"), Cell("1"), Cell("2"), Cell("3")])])

    groups = re.findall(r'colspan="(\d)"( class="first")?>(\w+)', section)
    parted = ' class="first"'  # before the group of several columns and behind it
    assert groups == [("1", "", "size"), ("2", parted, "train"), ("1", parted, "test")]
    assert re.findall(r"<td([^>]*)>\d+</td>", section) == ["", parted, "", parted]
