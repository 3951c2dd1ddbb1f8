"""The findings, tables and page of an audit, from hand-picked scores."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.evaluation.audit import Audit
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.evaluation.representation import CENTRED, FACTORS, Representation
from omote.evaluation.swaps import SWAP_SCORES
from omote.figures.audit.pictures import (
    LEAKS,
)
from omote.figures.audit.report import (
    answer_question,
    findings_section,
    format_value,
    scores_section,
    write_audit_report,
)
from omote.figures.audit.words import PICTURES, QUESTIONS, SCORES, TABLES
from omote.figures.page import Section, write_page
from omote.metrics.continuity import CONTINUITY_SCORES, INTERPOLATION_SCORES
from omote.metrics.disentanglement import DISENTANGLEMENT_SCORES
from omote.metrics.posterior import POSTERIOR_SCORES
from omote.metrics.verification import VERIFICATION_SCORES
from tests.figures.audit.conftest import MLP, NAN, PROBE, make_moving_clips, row, table
from tests.figures.conftest import Page, cells


def answer(scores: pd.DataFrame, words: str) -> str:
    (question,) = (question for question in QUESTIONS if question.text == words)
    return answer_question(scores, question).replace("\u00a0", " ")


MOVES = "Does it move with the expression?"
WHO, WHO_I = "Does the expression code reveal who it is?", "Does the identity code reveal who it is?"
SWAPS = "Do swaps carry the expression over?"


def test_every_score_is_explained_and_every_sentence_has_a_score() -> None:
    known = {PROBE, MLP, ACROSS_EXPRESSIONS, "subject_nearest_neighbour", "accuracy", "expression_probe"}
    known |= {f"precision_at_{k}" for k in (1, 5, 10)} | {f"r2_{group[:-1]}" for group in FACTORS}
    known |= {*VERIFICATION_SCORES, *POSTERIOR_SCORES, *DISENTANGLEMENT_SCORES, *SWAP_SCORES}
    known |= {*CONTINUITY_SCORES, *INTERPOLATION_SCORES}

    assert set(SCORES) == known
    assert all(text.head and text.meaning.endswith(".") for text in SCORES.values())
    assert {sentence.score for question in QUESTIONS for sentence in question.sentences} <= known
    assert set(LEAKS) <= known
    assert {name for shown in TABLES for name in shown.pictures} == set(PICTURES)


def test_a_sentence_gives_value_and_interval_of_each_code_and_a_common_chance_once() -> None:
    scores = table(
        row("a z_e", PROBE, 0.61), row("a z_e, subject mean removed", PROBE, 0.2), row("a z_i", PROBE, 0.98, 0.01),
        row("b z_e", PROBE, 0.052, 0.011), row("random network", PROBE, 0.9), row("pixels + PCA", PROBE, 0.97, 0.02),
    )  # fmt: skip

    assert answer(scores, WHO) == (
        "Not for all. A linear probe names the person in 61 % of the images from a z_e (95 %: 52 to 70; chance 8.3), "
        "in 5.2 % from b z_e (4.1 to 6.3) and in 97 % from pixels + PCA (95 to 99)."
    )
    assert answer(scores, WHO_I) == (
        "Yes. A linear probe names the person in 98 % of the images from a z_i (95 %: 97 to 99; chance 8.3)."
    )


def test_each_code_has_its_own_chance_where_it_differs() -> None:
    scores = table(
        row("a z_e", "path_agreement", 0.5, 0.1, 0.2), row("pixels + PCA", "path_agreement", 0.4, 0.1, 0.45)
    )
    assert answer(scores, MOVES).endswith(
        "of 0.50 in a z_e (95 %: 0.40 to 0.60; chance 0.20) and 0.40 in pixels + PCA (0.30 to 0.50; chance 0.45)."
    )


def test_a_code_that_only_drifts_in_order_does_not_move_with_the_expression() -> None:
    order = [row(name, "order", value, 0.01, 0.0) for name, value in (("a z_e", 0.97), ("pixels + PCA", 0.9))]
    untrained = row("random network", "order", 0.99, 0.01, 0.0)
    drift, agreeing = (row("a z_e", "path_agreement", value, 0.1, 0.2) for value in (0.2, 0.5))

    said = answer(table(*order, untrained, drift), MOVES)
    assert said.startswith("Not shown. Different people’s clips of one expression point the same way")
    assert said.endswith(
        "Any drift is in order, too: frame order and distance from a clip’s first frame have a rank "
        "correlation of 0.97 in a z_e (95 %: 0.96 to 0.98; chance 0) and 0.99 in random network (0.98 to 1.00)."
    )
    assert answer(table(*order, untrained, agreeing), MOVES).startswith("Yes. ")
    assert answer(table(*order), MOVES).startswith("Any drift is in order")  # which is no verdict
    assert answer(table(*order), MOVES).endswith("and 0.90 in pixels + PCA (0.89 to 0.91).")


def test_a_subject_centred_code_is_not_called_free_of_identity() -> None:
    own, apart = row("a z_e", PROBE, 0.6), "codes are pushed apart"
    below, above = (row("a z_e" + CENTRED, PROBE, value, reason=apart) for value in (0.01, 0.5))
    by_construction = (
        "With the subject’s mean removed, a z_e is at or below chance by construction "
        "(see the note below “Who it is”)."
    )

    assert answer(table(own, below), WHO).startswith("Yes. ")
    assert answer(table(own, below), WHO).endswith(by_construction)
    for others in (
        [above],
        [below | {"reason": ""}],
        [below, row("a z_e" + CENTRED, ACROSS_EXPRESSIONS, 0.5, reason=apart)],
    ):
        assert "construction" not in answer(table(own, *others), WHO)
    assert "construction" not in answer(
        table(own, below, row("a z_e", "expression_probe", 0.5)), QUESTIONS[1].text
    )


@pytest.mark.parametrize(
    ("values", "verdict"),
    [((0.3, 0.2), "Yes."), ((0.3, 0.1), "Not for all."), ((0.1, 0.05), "Not shown."), ((NAN, 0.3), "Yes.")],
)
def test_the_verdict_is_whether_intervals_lie_above_chance(values: tuple[float, float], verdict: str) -> None:
    scores = table(*(row(f"{name} z_e", PROBE, value) for name, value in zip("ab", values, strict=True)))
    assert answer(scores, WHO).startswith(f"{verdict} A linear probe")


def test_either_score_proves_a_leak_of_identity_but_only_the_first_that_swaps_work() -> None:
    missed, found = row("a z_e", PROBE, 0.0, 0.01), row("a z_e", ACROSS_EXPRESSIONS, 0.5)
    assert answer(table(missed, found), WHO).startswith("Yes. ")

    unread, ceiling = row("a, read by b", SWAP_SCORES[0], 0.05), row("a, read by b", SWAP_SCORES[2], 0.9)
    assert answer(table(unread, ceiling), SWAPS).startswith("Not shown. ")


def test_without_an_interval_there_is_no_verdict_and_without_a_value_no_answer() -> None:
    assert answer(table(row("a z_e", PROBE, 0.5, NAN)), WHO) == (
        "A linear probe names the person in 50 % of the images from a z_e (chance 8.3)."
    )
    assert answer(table(row("a z_e", PROBE, NAN)), WHO) == ""
    assert findings_section(table(row("a z_e", PROBE, NAN))) is None


def test_swaps_are_judged_by_an_independent_model_if_there_is_one() -> None:
    own, other = (row(f"a, read by {by}", "expression_read_back", 0.4) for by in ("itself", "b"))

    assert answer(table(own, other), SWAPS) == (
        "Yes. b finds the source’s expression in the swapped image in 40 % of the swaps for a "
        "(95 %: 31 to 49; chance 8.3)."
    )
    assert answer(table(own), SWAPS).startswith("Yes. The model itself finds the source’s expression")
    named_so = row("a, read by b itself", "expression_read_back", 0.4)
    assert answer(table(own, named_so), SWAPS).startswith("Yes. b itself finds the source’s expression")


def test_scores_that_the_judge_lacks_are_not_taken_from_the_model_itself() -> None:
    own = [row("a, read by itself", score, 0.4) for score in ("expression_read_back", "identity_read_back")]
    others = [
        row("a, read by b", "expression_read_back", 0.2),
        row("a, read by b", "identity_read_back", NAN, reason="the judge has no identity code"),
    ]
    assert "recognises" not in answer(table(*own, *others), SWAPS)
    assert "in the swapped image in 40 % for a" in answer(table(*own), SWAPS)


@pytest.mark.parametrize(
    ("score", "value", "long", "short"),
    [
        (PROBE, 0.6149, "61.5", "61"), (PROBE, 0.0833, "8.3", "8.3"), (PROBE, 0.001, "0.1", "0.1"),
        (PROBE, 0.0996, "10.0", "10"), (PROBE, 1.0, "100.0", "100"), (PROBE, -0.034, "−3.4", "−3.4"),
        (PROBE, 0.0, "0", "0"), ("r2_au", -0.004, "0", "0"), ("r2_au", -0.123, "−0.12", "−0.12"),
        ("r2_au", 0.5, "0.50", "0.50"), ("kl", 38.24, "38.2", "38.2"), ("active_units", 31.0, "31", "31"),
        ("kl", NAN, "–", "–"),
    ],
)  # fmt: skip
def test_values_are_formatted_by_unit(score: str, value: float, long: str, short: str) -> None:
    assert (format_value(value, SCORES[score]), format_value(value, SCORES[score], short=True)) == (
        long,
        short,
    )


def page_of(tmp_path: Path, section: Section | None) -> Page:
    return Page(write_page(tmp_path / "page.html", title="A", sections=[section]))


def small(*lines: str) -> str:
    return "".join(f'<span class="below">{line}</span>' for line in lines)


def test_a_table_has_a_row_per_reading_a_column_per_score_and_a_row_of_chance(tmp_path: Path) -> None:
    scores = table(
        row("a z_e", PROBE, 0.61), row("a z_e", MLP, NAN, reason="why not"),
        row("b z_e" + CENTRED, PROBE, 0.10, chance=0.1), row("a z_e", PROBE, 0.4, reading="sample"),
        row("a z_e", PROBE, 0.9, people="train"),
    )  # fmt: skip
    page = page_of(tmp_path, scores_section(scores, TABLES[0], "test"))

    assert cells(page) == [
        ["a z_e", "61.0" + small("52 to 70"), "–<sup>1</sup>"],
        [small("a sample of it"), "40.0" + small("31 to 49"), ""],
        ["b z_e" + small("subject mean removed"), "10.0" + small("1 to 19", "like chance"), ""],
        ["by chance", "8.3" + small("8.3 to 10.0"), "8.3"],
    ]
    assert "<li>Why not.</li>" in page.text
    assert "<dt>Probe, linear</dt>" in page.text
    assert "<dt>" not in page_of(tmp_path, scores_section(scores, TABLES[0], "test", explain=False)).text


def test_chance_that_varies_is_in_each_cell_and_a_note_shared_by_a_column_at_its_head(tmp_path: Path) -> None:
    scores = table(
        *(row(f"{name} z_e", "path_agreement", 0.5, 0.1, chance, reason="2 clips are not asked")
          for name, chance in (("a", 0.1), ("b", 0.45)))
    )  # fmt: skip
    page = page_of(tmp_path, scores_section(scores, TABLES[3], "test"))

    assert [line[1] for line in cells(page)] == [
        "0.50" + small("0.40 to 0.60", "chance 0.10"),
        "0.50" + small("0.40 to 0.60", "chance 0.45", "like chance"),
        "0.28" + small("0.10 to 0.45"),
    ]
    assert "agreement<sup>1</sup>" in page.text
    assert "<li>2 clips are not asked.</li>" in page.text


def test_a_note_shared_by_all_scores_of_a_row_is_at_its_name(tmp_path: Path) -> None:
    name = "a z_e" + CENTRED
    scores = table(
        row("a z_e", PROBE, 0.61), row("a z_e", MLP, 0.61),
        row(name, PROBE, 0.1, reason="pushed apart; few"), row(name, MLP, 0.1, reason="pushed apart"),
        row(name, PROBE, 0.1, reading="sample", reason="pushed apart"),
        row(name, MLP, 0.1, reading="sample", reason="pushed apart"),
        row(name, "kl", 3.0, 1.0, 0.0) | {"group": "posterior"},
    )  # fmt: skip
    page = page_of(tmp_path, scores_section(scores, TABLES[0], "test"))

    assert cells(page)[1:3] == [
        ["a z_e<sup>1</sup>" + small("subject mean removed"), "10.0<sup>2</sup>" + small("1 to 19", "like chance"),
         "10.0" + small("1 to 19", "like chance"), "3" + small("2 to 4")],
        [small("a sample of it"), *["10.0" + small("1 to 19", "like chance")] * 2, ""],
    ]  # fmt: skip
    assert "<li>Pushed apart.</li><li>Few.</li>" in page.text
    assert "In per cent except for KL. Below" in page.text


def test_a_group_without_values_says_why_and_one_without_scores_is_left_out() -> None:
    reason = "no image has an expression label"
    scores = table(*(row("a", score, NAN, reason=reason) for score in ("accuracy", "expression_probe")))

    section = scores_section(scores, TABLES[1], "test")
    assert section is not None
    assert section.paragraphs == [f"No score: {reason}."]
    assert not section.lines
    assert scores_section(scores, TABLES[2], "test") is None
    assert scores_section(scores, TABLES[1], "train") is None


def make_audit(scores: pd.DataFrame, name: str = "a z_e", test_subjects: tuple[str, ...] = ("p0",)) -> Audit:
    frames, codes = make_moving_clips()
    about = {
        "inputs": ["runs/a"],
        "people": dict.fromkeys(scores["people"], 1),
        "test_subjects": list(test_subjects),
        "commands": ["omote audit a"],
    }
    return Audit(scores, about, [Representation(name, codes)], frames, np.ones(len(frames), bool))  # fmt: skip


def test_the_page_has_people_held_out_first_and_the_pictures_beside_it(tmp_path: Path) -> None:
    scores = table(
        row("a z_e", PROBE, 0.9, people="train"),
        row("a z_e", PROBE, 0.6),
        row("a z_e", "order", 0.5, 0.1, 0.0),
    )
    page = Page(write_audit_report(make_audit(scores), tmp_path / "audit"))

    assert re.findall("<h2>(.*?)</h2>", page.text) == [
        "Findings: people held out", "Who it is: people held out", PICTURES["leakage"][0], PICTURES["maps"][0],
        "Along clips: people held out", PICTURES["paths"][0], "Who it is: training people",
        "How to read the tables", "How to reproduce this page",
    ]  # fmt: skip
    names = ["leakage.png", "maps.png", "paths.png", "report.html"]
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == names
    assert page.text.count("<dt>Probe, linear</dt>") == 1


def test_a_page_of_training_people_alone_escapes_strange_names(tmp_path: Path) -> None:
    name = "<b>&\"'$x z_e"
    page = Page(
        write_audit_report(
            make_audit(table(row(name, PROBE, 0.6, people="train")), name, ()), tmp_path / "audit"
        )
    )

    assert "<b>" not in page.text
    assert "from &lt;b&gt;&amp;&#34;&#39;$x z_e (95" in page.text
    assert "held out" not in re.sub("<dd>.*?</dd>", "", page.text.split("<h2>How to read")[0])


def test_a_page_says_everyone_if_it_is_unknown_who_was_held_out(tmp_path: Path) -> None:
    scores = table(row("a", PROBE, 0.6, people="everyone"), row("a", "r2:au_1", 0.5, people="everyone"))
    found = make_audit(scores, "a", ())
    found.about.update(people={"everyone": 3}, frames={"everyone": 36}, frames_scored={"everyone": 36})
    page = Page(write_audit_report(found, tmp_path))

    heads = re.findall("<h2>(.*?)</h2>", page.text)
    assert heads[:2] == ["Findings: everyone", "Who it is: everyone"]
    assert set(heads) > {
        title for name, (title, _) in PICTURES.items() if name != "prior"
    }  # a table has no decoder
    assert "3 people, held out or not is unknown (36 images" in page.text
    assert "people held out" not in page.text


def test_only_the_first_columns_of_a_feature_are_named(tmp_path: Path) -> None:
    found = make_audit(table(row("a", PROBE, 0.6)), "a")
    many = [f"<c{place}>" for place in range(15)]
    found.about["columns"] = {"a": many, "a" + CENTRED: many, "b": ["x", "y"], "c": many[:12]}
    items = re.findall("<li>(.*?)</li>", Page(write_audit_report(found, tmp_path)).text)

    twelve = ", ".join(f"&lt;c{place}&gt;" for place in range(11))
    assert f"a consists of the columns {twelve}, &lt;c11&gt; and 3 more (15)." in items
    assert f"c consists of the columns {twelve} and &lt;c11&gt; (12)." in items
    assert "b consists of the columns x and y (2)." in items
    assert not any(item.startswith("a" + CENTRED) for item in items)


def test_unknown_settings_of_an_audit_are_left_out(tmp_path: Path) -> None:
    found = make_audit(table(row("a", PROBE, 0.6)), "a")
    found.about.clear()
    page = Page(write_audit_report(found, tmp_path))
    assert "None" not in re.sub(r"data:image[^\"]+", "", page.text)
    assert json.dumps(found.about) == "{}"
