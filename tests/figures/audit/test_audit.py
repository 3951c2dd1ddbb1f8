"""The findings, tables and pictures of an audit, from hand-picked scores."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.audit import AUDIT_COLUMNS, Audit
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.evaluation.representation import CENTRED, FACTORS, Representation, represent_by_baselines
from omote.evaluation.swaps import SWAP_SCORES
from omote.figures.audit.pictures import (
    BASELINES,
    LEAKS,
    feature_kind,
    name_unit,
    plot_action_units,
    plot_audit,
    plot_clip_paths,
    plot_leakage,
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
from tests.figures.conftest import Page, cells

NAN = math.nan
PROBE, MLP = "subject_probe_linear", "subject_probe_mlp"
GROUPS = dict.fromkeys([PROBE, MLP, ACROSS_EXPRESSIONS, *VERIFICATION_SCORES], "identity")
GROUPS |= dict.fromkeys(CONTINUITY_SCORES, "continuity") | dict.fromkeys(SWAP_SCORES, "swap")
GROUPS |= dict.fromkeys(["expression_probe", "accuracy"], "expression")


def row(
    feature: str,
    score: str,
    value: float,
    reach: float = 0.09,
    chance: float = 1 / 12,
    *,
    people: str = "test",
    reading: str = "mean",
    reason: str = "",
) -> dict[str, Any]:
    """One row of an audit's table; the interval is the value plus and minus `reach`."""
    group = GROUPS.get(score, "factors")
    values = (people, feature, reading, group, score, value, value - reach, value + reach, chance, reason)
    return dict(zip(AUDIT_COLUMNS, values, strict=True))


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=AUDIT_COLUMNS)


def answer(scores: pd.DataFrame, words: str) -> str:
    (question,) = (question for question in QUESTIONS if question.text == words)
    return answer_question(scores, question).replace("\u00a0", " ")


MOVES = "Does it move with the expression?"
WHO, WHO_I = "Does the expression code reveal who it is?", "Does the identity code reveal who it is?"
SWAPS = "Do swaps carry the expression over?"


def test_every_score_of_an_audit_has_a_meaning_and_every_sentence_a_score() -> None:
    known = {PROBE, MLP, ACROSS_EXPRESSIONS, "subject_nearest_neighbour", "accuracy", "expression_probe"}
    known |= {f"precision_at_{k}" for k in (1, 5, 10)} | {f"r2_{group[:-1]}" for group in FACTORS}
    known |= {*VERIFICATION_SCORES, *POSTERIOR_SCORES, *DISENTANGLEMENT_SCORES, *SWAP_SCORES}
    known |= {*CONTINUITY_SCORES, *INTERPOLATION_SCORES}

    assert set(SCORES) == known
    assert all(text.head and text.meaning.endswith(".") for text in SCORES.values())
    assert {sentence.score for question in QUESTIONS for sentence in question.sentences} <= known
    assert set(LEAKS) <= known
    assert {name for shown in TABLES for name in shown.pictures} == set(PICTURES)


def test_a_sentence_says_the_value_its_interval_and_its_chance_and_chance_once() -> None:
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


def test_chance_stands_with_each_code_where_it_differs() -> None:
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


def test_a_code_less_its_subjects_mean_is_not_called_free_of_identity() -> None:
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


def test_a_person_who_is_known_in_one_way_is_given_away_but_an_expression_has_to_be_read() -> None:
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


def test_swaps_are_told_of_the_independent_judge_and_else_the_model_itself_is_named() -> None:
    own, other = (row(f"a, read by {by}", "expression_read_back", 0.4) for by in ("itself", "b"))

    assert answer(table(own, other), SWAPS) == (
        "Yes. b finds the source’s expression in the swapped image in 40 % of the swaps for a "
        "(95 %: 31 to 49; chance 8.3)."
    )
    assert answer(table(own), SWAPS).startswith("Yes. The model itself finds the source’s expression")
    named_so = row("a, read by b itself", "expression_read_back", 0.4)
    assert answer(table(own, named_so), SWAPS).startswith("Yes. b itself finds the source’s expression")


def test_what_a_judge_cannot_read_is_not_told_of_the_model_in_its_name() -> None:
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
def test_values_are_shown_as_they_are_read(score: str, value: float, long: str, short: str) -> None:
    assert (format_value(value, SCORES[score]), format_value(value, SCORES[score], short=True)) == (
        long,
        short,
    )


def page_of(tmp_path: Path, section: Section | None) -> Page:
    return Page(write_page(tmp_path / "page.html", title="A", sections=[section]))


def small(*lines: str) -> str:
    return "".join(f'<span class="below">{line}</span>' for line in lines)


def test_a_table_has_a_row_a_reading_a_column_a_score_and_chance_in_a_line_of_its_own(tmp_path: Path) -> None:
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


def test_chance_that_differs_much_stands_in_every_cell_and_a_note_of_all_at_the_head(tmp_path: Path) -> None:
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


def test_what_all_scores_of_a_row_have_in_common_is_noted_once_at_its_name(tmp_path: Path) -> None:
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


def test_a_group_without_scores_says_why_and_one_that_was_not_asked_is_left_out() -> None:
    reason = "no image has an expression label"
    scores = table(*(row("a", score, NAN, reason=reason) for score in ("accuracy", "expression_probe")))

    section = scores_section(scores, TABLES[1], "test")
    assert section is not None
    assert section.paragraphs == [f"No score: {reason}."]
    assert not section.lines
    assert scores_section(scores, TABLES[2], "test") is None
    assert scores_section(scores, TABLES[1], "train") is None


def bars(axes: Axes) -> list[float]:
    """The lengths of the bars, in per cent."""
    return [round(patch.get_width(), 6) for patch in axes.patches if isinstance(patch, Rectangle)]


def test_leakage_has_a_panel_a_known_measure_and_a_bar_a_reading_to_its_value() -> None:
    scores = table(
        row("a z_e", PROBE, 0.61), row("a z_e", PROBE, 0.4, reading="sample"), row("a z_i", PROBE, 0.98),
        row("a z_e", MLP, 0.7), row("a z_i", MLP, NAN), row("a z_e", ACROSS_EXPRESSIONS, NAN),
    )  # fmt: skip
    figure = plot_leakage(scores, "test")

    assert figure is not None
    linear, mlp = figure.axes
    assert [axes.get_title() for axes in (linear, mlp)] == [LEAKS[PROBE], LEAKS[MLP]]
    assert (bars(linear), bars(mlp)) == ([61, 40, 98], [70])
    assert [label.get_text() for label in linear.get_yticklabels()] == ["a z_e", "a z_i"]
    assert linear.get_xlabel() == "per cent; chance 8.3"
    whisker, chance = (np.asarray(line.get_xdata(), float) for line in linear.lines[:2])
    np.testing.assert_allclose(whisker, [52, 70])
    np.testing.assert_allclose(chance, [100 / 12] * 2)
    assert [text.get_text() for text in mlp.texts] == ["70", "–"]


def test_there_is_no_picture_of_scores_that_there_are_not() -> None:
    assert plot_leakage(table(row("a z_e", PROBE, NAN)), "test") is None
    assert plot_leakage(table(row("a z_e", PROBE, 0.5)), "train") is None
    assert plot_action_units(table(row("a z_e", "r2_au", 0.5)), "test") is None


def test_action_units_are_rows_below_their_mean_and_features_columns() -> None:
    scores = table(
        row("a z_e", "r2:au_1", 0.5), row("a z_e", "r2:au_2", -0.1), row("a z_i", "r2:au_1", 0.25),
        row("a z_e", "r2_id", 0.9),
    )  # fmt: skip
    figure = plot_action_units(scores, "test")

    assert figure is not None
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mean", "", "AU 1", "AU 2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a z_e", "a z_i"]
    assert [text.get_text() for text in axes.texts] == ["0.20", "0.25", "0.50", "0.25", "−0.10", "–"]


@pytest.mark.parametrize(
    ("score", "name"),
    [("r2:au_12", "AU 12"), ("r2:au_browDown_L", "brow down L"), ("r2:au_side", "side"), ("r2:au_jawOpen", "jaw open")],
)  # fmt: skip
def test_an_action_unit_is_called_as_people_read_it(score: str, name: str) -> None:
    assert name_unit(score) == name


def test_the_baselines_are_called_as_the_audit_calls_them(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), np.uint8)
    frames = pd.DataFrame({"subject": list("aabbcc"), "use": "both"})

    found = represent_by_baselines(FaceSet(tmp_path, faces, frames, {}), ["a", "b"])
    assert tuple(feature.name for feature in found) == BASELINES


def test_a_feature_is_of_a_kind_by_its_name() -> None:
    names = ["run z_e", "run z_e" + CENTRED, "run z_i", "pixels + PCA" + CENTRED, "another tool"]
    assert [feature_kind(name) for name in names] == [
        "expression code", "expression code", "identity code", "baseline", "expression code"
    ]  # fmt: skip


def moving(people: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    """Clips of four frames, two expressions and neutral a person; the code is the person's number, and (t, 0) in joy,
    (0, t) in fear."""
    frames = pd.DataFrame(
        [
            (f"p{p}", name, t, name if t == 3 else None, "both")
            for p in range(people)
            for name in ("neutral", "joy", "fear")
            for t in range(4)
        ],
        columns=["subject", "clip", "frame", "expression", "use"],
    )
    who = frames["subject"].str[1:].astype(float).to_numpy()
    codes = np.stack(
        [who * 10 + frames["frame"] * (frames["clip"] == name) for name in ("joy", "fear")], axis=1
    )
    return frames, codes


def ends(axes: Axes) -> np.ndarray:
    """Where the thin paths begin, the dots apart."""
    lines = [
        line.get_xydata()
        for line in axes.lines
        if line.get_linewidth() == 1 and len(np.asarray(line.get_xdata())) == 4
    ]
    return np.array([np.asarray(line)[[0, -1]] for line in lines])  # fmt: skip


def paths(frames: pd.DataFrame, codes: np.ndarray, rising: np.ndarray | None = None) -> Any:
    who, clip, frame, shown = (frames[name].to_numpy() for name in ("subject", "clip", "frame", "expression"))
    return plot_clip_paths([codes], who, clip, frame, shown, titles=["a z_e"], rising=rising)


def test_paths_stand_where_they_are_and_less_their_first_frame() -> None:
    figure = paths(*moving())
    left, right = figure.axes

    assert len(ends(left)) == len(ends(right)) == 6  # neutral clips go nowhere and are not drawn
    lengths = np.linalg.norm(ends(left)[:, 1] - ends(left)[:, 0], axis=1)
    np.testing.assert_allclose(lengths, 3)
    assert np.ptp(ends(left)[:, 0], axis=0).max() > 10
    np.testing.assert_allclose(ends(right)[:, 0], 0, atol=1e-9)
    of_fear, of_joy = ends(right)[::2, 1], ends(right)[1::2, 1]
    np.testing.assert_allclose(of_fear, of_fear[:1].repeat(3, axis=0), atol=1e-9)
    assert np.abs(of_fear[0] - of_joy[0]).max() > 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fear", "joy"]


def test_paths_are_drawn_up_to_the_apex_and_of_eight_people() -> None:
    frames, codes = moving(people=12)
    rising = (frames["frame"] < 3).to_numpy()

    left, _ = paths(frames, codes).axes
    assert len(ends(left)) == 16
    left, _ = paths(frames, codes, rising).axes
    assert len(ends(left)) == 0  # they have three frames now
    assert paths(frames, codes, np.zeros(len(frames), bool)) is None


def test_paths_of_unlabelled_clips_and_of_other_frames_cannot_be() -> None:
    frames, codes = moving()
    assert paths(frames.assign(expression=None), codes) is None
    with pytest.raises(OmoteError, match="same frames"):
        paths(frames, codes[:5])


def test_pictures_are_made_of_what_there_is() -> None:
    frames, codes = moving()
    scores = table(row("a z_e", PROBE, 0.5, people="train"), row("a z_e", "r2:au_1", 0.5, people="train"))
    rising = np.ones(len(frames), bool)
    gone = np.full_like(codes, NAN)

    everything = plot_audit(scores, {"a z_e": codes, "b z_e": gone}, frames, rising)
    assert set(everything) == set(PICTURES)
    nothing = plot_audit(table(row("a z_e", PROBE, NAN)), {"a z_e": gone}, frames, rising)
    assert nothing == {}


def made(scores: pd.DataFrame, name: str = "a z_e", test_subjects: tuple[str, ...] = ("p0",)) -> Audit:
    frames, codes = moving()
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
    page = Page(write_audit_report(made(scores), tmp_path / "audit"))

    assert re.findall("<h2>(.*?)</h2>", page.text) == [
        "Findings: people held out", "Who it is: people held out", PICTURES["leakage"][0], PICTURES["maps"][0],
        "Along clips: people held out", PICTURES["paths"][0], "Who it is: training people",
        "How to read the tables", "How to reproduce this page",
    ]  # fmt: skip
    names = ["leakage.png", "maps.png", "paths.png", "report.html"]
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == names
    assert page.text.count("<dt>Probe, linear</dt>") == 1


def test_the_page_of_people_of_the_training_alone_and_of_strange_names_is_whole(tmp_path: Path) -> None:
    name = "<b>&\"'$x z_e"
    page = Page(
        write_audit_report(made(table(row(name, PROBE, 0.6, people="train")), name, ()), tmp_path / "audit")
    )

    assert "<b>" not in page.text
    assert "from &lt;b&gt;&amp;&#34;&#39;$x z_e (95" in page.text
    assert "held out" not in re.sub("<dd>.*?</dd>", "", page.text.split("<h2>How to read")[0])


def test_the_page_of_people_of_whom_nobody_knows_who_was_held_out_says_everyone(tmp_path: Path) -> None:
    scores = table(row("a", PROBE, 0.6, people="everyone"), row("a", "r2:au_1", 0.5, people="everyone"))
    found = made(scores, "a", ())
    found.about.update(people={"everyone": 3}, frames={"everyone": 36}, frames_scored={"everyone": 36})
    page = Page(write_audit_report(found, tmp_path))

    heads = re.findall("<h2>(.*?)</h2>", page.text)
    assert heads[:2] == ["Findings: everyone", "Who it is: everyone"]
    assert set(heads) > {title for title, _ in PICTURES.values()}
    assert "3 people, not known who was held out (36 images" in page.text
    assert "people held out" not in page.text


def test_the_columns_of_a_table_are_named_as_far_as_they_go(tmp_path: Path) -> None:
    found = made(table(row("a", PROBE, 0.6)), "a")
    many = [f"<c{place}>" for place in range(15)]
    found.about["columns"] = {"a": many, "a" + CENTRED: many, "b": ["x", "y"], "c": many[:12]}
    items = re.findall("<li>(.*?)</li>", Page(write_audit_report(found, tmp_path)).text)

    twelve = ", ".join(f"&lt;c{place}&gt;" for place in range(11))
    assert f"a consists of the columns {twelve}, &lt;c11&gt; and 3 more (15)." in items
    assert f"c consists of the columns {twelve} and &lt;c11&gt; (12)." in items
    assert "b consists of the columns x and y (2)." in items
    assert not any(item.startswith("a" + CENTRED) for item in items)


def test_what_is_not_known_of_an_audit_is_left_out(tmp_path: Path) -> None:
    found = made(table(row("a", PROBE, 0.6)), "a")
    found.about.clear()
    page = Page(write_audit_report(found, tmp_path))
    assert "None" not in re.sub(r"data:image[^\"]+", "", page.text)
    assert json.dumps(found.about) == "{}"
