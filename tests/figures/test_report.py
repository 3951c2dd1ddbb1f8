import base64
import io
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes, evaluate_codes
from omote.figures.page import Picture
from omote.figures.report import MEASURES, Measure, comparison, scores_section, write_report
from omote.metrics.score import Score
from tests.figures.conftest import Page, cells

IMAGE = Image.new("RGB", (40, 20), (200, 30, 30))
HIGH, LOW = Measure("right", "Share named.", "higher"), Measure("leak", "Should be low.", "lower")


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
        name: evaluate_codes(
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
