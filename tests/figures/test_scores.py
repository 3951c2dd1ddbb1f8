from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.data.face_set import About, FaceSet
from omote.evaluation.protocol import Codes, evaluate_codes
from omote.figures.page import write_page
from omote.figures.scores import MEASURES, Measure, compare_methods, scores_section
from omote.metrics.score import Score
from tests.figures.conftest import Page, cells

HIGH, LOW = Measure("right", "Share named.", "higher"), Measure("leak", "Should be low.", "lower")


def render(folder: Path, table: pd.DataFrame, *measures: Measure, **options: Any) -> Page:
    section = scores_section("Scores", table, measures or MEASURES, **options)
    return Page(write_page(folder / "a.html", title="A", sections=[section]))


def test_the_best_of_a_column_is_bold_in_the_direction_that_is_better(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"right": [0.5, 0.75, 0.75], "leak": [0.1, 0.2, float("nan")]}, index=["a", "b", "c"]
    )
    page = render(tmp_path, table, HIGH, LOW)

    assert cells(page) == [
        ["a", "50.0", "<strong>10.0</strong>"],
        ["b", "<strong>75.0</strong>", "20.0"],
        ["c", "<strong>75.0</strong>", "–"],
    ]


def test_deviation_chance_and_reason_of_a_score_are_shown(tmp_path: Path) -> None:
    scores = [Score(0.5, 0.021, 0.111), Score(float("nan"), reason="the code has collapsed")]
    page = render(tmp_path, pd.DataFrame({"right": scores}), HIGH)

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
    faces = FaceSet(tmp_path, rng.integers(0, 255, (len(frames), 4, 4, 3), np.uint8), frames, About())

    def represent(images: np.ndarray, width: int) -> Codes:
        return Codes(images.reshape(len(images), -1) / 255, images[:, 0, 0, :width] / 255)

    scores = {
        name: evaluate_codes(
            partial(represent, width=width), faces, test_subjects=["g", "h"], seeds=2, folds=2, k=2
        )
        for name, width in (("vae", 0), ("proposed", 3))
    }
    table = compare_methods(scores)
    page = render(tmp_path, table)

    assert list(table.index) == ["vae", "proposed"]
    assert table.loc["proposed", (MEASURES[0].title, "test")] == scores["proposed"].get(
        "test", "expression", "accuracy"
    )
    assert all(measure.title in page.text for measure in MEASURES)
    assert "This method has no identity code." in page.text


def test_a_section_of_scores_says_what_the_deviation_is_over(tmp_path: Path) -> None:
    table = pd.DataFrame({"right": [Score(0.5, 0.1)]})

    assert "the standard deviation over folds." in render(tmp_path, table, HIGH, spread="over folds").text
    assert "the standard deviation." in render(tmp_path, table, HIGH).text
    assert "deviation" not in render(tmp_path, pd.DataFrame({"right": [0.5]}), HIGH).text
