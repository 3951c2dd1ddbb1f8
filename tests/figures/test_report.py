import base64
import io
import re
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes, evaluate
from omote.evaluation.score import Score
from omote.figures.report import (
    MEASURES,
    Cell,
    Head,
    Line,
    Measure,
    Picture,
    comparison,
    scores_section,
    table_section,
    terms_section,
    text_section,
    write_page,
    write_report,
)

IMAGE = Image.new("RGB", (40, 20), (200, 30, 30))
HIGH, LOW = Measure("right", "Share named.", "higher"), Measure("leak", "Should be low.", "lower")


class Page(HTMLParser):
    """Tags in order with their attributes, checking that what is opened is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def cells(page: Page) -> list[list[str]]:
    """The rows of the table's body, text only."""
    body = page.text.split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in body.split("</tr>")[:-1]]


def test_a_page_is_whole_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    path = write_report(
        tmp_path / "demo" / "index.html",
        title="Demo",
        introduction=["First.", "Second."],
        table=pd.DataFrame({"right": [0.5, 0.75]}, index=["a", "b"]),
        measures=[HIGH],
        pictures=[Picture("Swap", IMAGE, "Rows and columns.")],
        commands=["omote demo"],
        timings={"drawing": 2.25, "training": 100},
        footer="omote",
    )
    page = Page(path)

    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
    links = [
        value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href", "srcset")
    ]
    assert links
    assert all(link and link.startswith("data:") for link in links)
    assert not re.search(r"url\(|@import|<script|<iframe", page.text)
    assert "$" not in re.sub(r"data:image[^\"]+", "", page.text)
    assert "2.2 s" in page.text
    assert "1 min 40 s" in page.text
    assert "1 min 42 s" in page.text


def test_a_picture_is_in_the_page_in_its_size(tmp_path: Path) -> None:
    IMAGE.save(tmp_path / "swap.png")
    page = Page(
        write_report(
            tmp_path / "a.html", title="A", pictures=[Picture("Swap", tmp_path / "swap.png", "A caption")]
        )
    )

    (image,) = (attrs for tag, attrs in page.tags if tag == "img")
    assert (image["width"], image["height"], image["alt"]) == ("40", "20", "A caption")
    shown = Image.open(io.BytesIO(base64.b64decode(str(image["src"]).split(",")[1])))
    np.testing.assert_allclose(np.asarray(shown.convert("RGB")), np.asarray(IMAGE), atol=12)


def test_text_is_shown_as_it_is(tmp_path: Path) -> None:
    nasty = "<script>alert('$title & \"all\"')</script>"
    page = Page(
        write_report(
            tmp_path / "a.html",
            title=nasty,
            introduction=[nasty, nasty],
            table=pd.DataFrame({nasty: [Score(float("nan"), reason=nasty)]}, index=[nasty]),
            measures=[Measure(nasty, nasty)],
            pictures=[Picture(nasty, IMAGE, nasty)],
            commands=[nasty],
            timings={nasty: 1},
            footer=nasty,
        )
    )
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count("&lt;script&gt;") >= 10


def test_the_best_of_a_column_is_bold_in_the_direction_that_is_better(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"right": [0.5, 0.75, 0.75], "leak": [0.1, 0.2, float("nan")]}, index=["a", "b", "c"]
    )
    page = Page(write_report(tmp_path / "a.html", title="A", table=table, measures=[HIGH, LOW]))

    assert cells(page) == [
        ["a", "50.0", "<strong>10.0</strong>"],
        ["b", "<strong>75.0</strong>", "20.0"],
        ["c", "<strong>75.0</strong>", "–"],
    ]


def test_deviation_chance_and_reason_of_a_score_are_shown(tmp_path: Path) -> None:
    scores = [Score(0.5, 0.021, 0.111), Score(float("nan"), reason="the code has collapsed")]
    page = Page(
        write_report(tmp_path / "a.html", title="A", table=pd.DataFrame({"right": scores}), measures=[HIGH])
    )

    assert "± 2.1" in cells(page)[0][1]
    assert cells(page)[1][1] == "–<sup>1</sup>"
    assert cells(page)[2] == ["by chance", "11.1"]
    assert "<li>The code has collapsed.</li>" in page.text


def test_methods_scored_by_the_protocol_stand_in_one_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = pd.DataFrame(
        [(s, f"{s}{e}{c}", e, "both") for s in "abcdefgh" for e in ("joy", "fear") for c in range(2)],
        columns=["subject", "clip", "expression", "use"],
    )
    faces = FaceSet(tmp_path, rng.integers(0, 255, (len(frames), 4, 4, 3), np.uint8), frames, {})

    def represent(images: np.ndarray, width: int) -> Codes:
        return Codes(images.reshape(len(images), -1) / 255, images[:, 0, 0, :width] / 255)

    scores = {
        name: evaluate(
            partial(represent, width=width), faces, test_subjects=["g", "h"], seeds=2, folds=2, k=2
        )
        for name, width in (("vae", 0), ("proposed", 3))
    }
    table = comparison(scores)
    page = Page(write_report(tmp_path / "a.html", title="A", table=table))

    assert list(table.index) == ["vae", "proposed"]
    assert table.loc["proposed", (MEASURES[0].title, "test")] == scores["proposed"].get(
        "test", "expression", "accuracy"
    )
    assert all(measure.title in page.text for measure in MEASURES)
    assert "This method has no identity code." in page.text


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


def test_a_section_of_scores_says_what_the_deviation_is_over() -> None:
    table = pd.DataFrame({"right": [Score(0.5, 0.1)]})

    assert "the standard deviation over folds." in scores_section("S", table, [HIGH], spread="over folds")
    assert "the standard deviation." in scores_section("S", table, [HIGH])
    assert "deviation" not in scores_section("S", pd.DataFrame({"right": [0.5]}), [HIGH])


def test_names_and_pictures_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"\.html"):
        write_report(tmp_path / "index.txt", title="A")
    with pytest.raises(OmoteError, match=r"swap\.png"):
        write_report(tmp_path / "a.html", title="A", pictures=[Picture("Swap", tmp_path / "swap.png", "")])
    assert not list(tmp_path.iterdir())
