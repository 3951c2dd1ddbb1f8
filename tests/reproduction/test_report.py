"""Tables, claims and page of a reproduction, from invented scores."""

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from omote.errors import OmoteError
from omote.reproduction.claims import ORDERS, Claim, judge_claims
from omote.reproduction.report import FIGURES, list_caveats, plot_figure3, write_report
from omote.reproduction.results import Difference, Estimate, Results, RowResult
from omote.reproduction.rows import ROWS, Row
from omote.reproduction.table import (
    headline,
    make_table,
    write_differences_csv,
    write_table_csv,
    write_table_tex,
)

NAN = math.nan
AFTER = pd.DataFrame(
    [(4, seed, n, people, 0.5, 0.02) for seed in (0, 1) for n in (1, 2) for people in ("train", "test")],
    columns=["row", "seed", "repetition", "people", "value", "deviation"],
)
ABOUT: dict[str, Any] = {
    "scale": "small",
    "faces": "drawn faces",
    "train": {"subjects": 48, "images": 2160},
    "test": {"subjects": 12, "images": 540},
}


def estimate(value: float, reason: str = "") -> Estimate:
    if math.isnan(value):
        return Estimate(NAN, NAN, NAN, NAN, NAN, NAN, reason)
    return Estimate(value, 0.025, 0.0125, value - 0.1, value + 0.05, 0.15, reason)


def result(row: int | Row, train: float = 0.5, test: float = 0.4, reason: str = "") -> RowResult:
    accuracy = {"train": estimate(train), "test": estimate(test, reason)}
    return RowResult(ROWS[row] if isinstance(row, int) else row, accuracy, {"train": {}, "test": {}})


def results(*rows: RowResult, differences: tuple[Difference, ...] = (), **about: Any) -> Results:
    return Results(list(rows), list(differences), AFTER.iloc[:0], {**ABOUT, **about})


def difference(
    first: int, second: int, low: float, high: float, *by_training: float, p: float = 0.001
) -> Difference:
    return Difference(first, second, "train", (low + high) / 2, low, high, p, by_training)


def claimed(name: str, found: Results, people: str = "train") -> Claim:
    (claim,) = (c for c in judge_claims(found) if c.order.name == name and c.people == people)
    return claim


def test_the_table_has_the_papers_figures_and_ours_in_per_cent(tmp_path: Path) -> None:
    found = results(result(1, 0.48123, 0.39), result(8, 0.45, NAN, "told who it is"), trainings={1: 3})
    write_table_csv(found, tmp_path / "table.csv")
    first, last = pd.read_csv(tmp_path / "table.csv", dtype={"trainings": "Int64"}).to_dict("records")

    assert first["row"] == 1
    assert (first["method"], first["size"], first["trainings"]) == (ROWS[1].title, 64, 3)
    assert [first[f"train_{key}"] for key in ("paper", "paper_deviation", "mean")] == [56.33, 2.54, 48.123]
    spreads = [first[f"train_{key}"] for key in ("kmeans_deviation", "training_deviation", "low", "high")]
    assert spreads == [2.5, 1.25, 38.123, 53.123]
    assert (first["test_mean"], first["test_chance"]) == (39, 15)
    assert last["test_remark"] == "told who it is"
    assert all(pd.isna(last[key]) for key in ("test_paper", "test_mean", "test_low", "trainings"))
    assert f"1,{ROWS[1].title},64,3,56.33,2.54," in (tmp_path / "table.csv").read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_differences_are_written_with_every_training(tmp_path: Path) -> None:
    found = results(differences=(difference(2, 1, -0.01, 0.03, 0.0125, 0.0075, p=0.25),))
    write_differences_csv(found, tmp_path / "differences.csv")
    text = (tmp_path / "differences.csv").read_text()

    assert text.splitlines() == [
        "first,second,people,difference,low,high,training_1,training_2,p",
        "2,1,train,1.0,-1.0,3.0,1.25,0.75,0.25",
    ]


def test_the_latex_table_has_both_figures_and_escapes_what_latex_reads(tmp_path: Path) -> None:
    odd = ROWS[2]._replace(title="add L_gan & 50 % of_it {#1}")
    found = results(result(odd, 0.44, 0.38), result(7, 0.3, NAN, "why"), faces="faces of A_B")
    write_table_tex(found, tmp_path / "table.tex")
    text = (tmp_path / "table.tex").read_text()
    rows = text.split(r"\midrule")[1].splitlines()

    assert r"2 & add $L_{\mathrm{gan}}$ \& 50 \% of\_it \{\#1\} & $53.46 \pm 2.66$ & $44.00 \pm 2.50$" in text
    assert r"(1.2) [34.0, 49.0]" in text
    assert r"7 & VAE, subject mean subtracted & $48.99 \pm 2.76$ & $30.00 \pm 2.50$ & -- & -- \\" in text
    assert r"faces of A\_B" in text
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows if row} == {5}
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_a_name_runs_no_command_in_the_latex_table(tmp_path: Path) -> None:
    hostile = "a\\input{/etc/passwd}$x$\n\n\\par %\r^^5cinput~\x1b\x00"
    write_table_tex(results(result(2), faces=hostile), tmp_path / "table.tex")
    text = (tmp_path / "table.tex").read_text()
    assert (
        r"a\textbackslash{}input\{/etc/passwd\}\$x\$ \textbackslash{}par \% "
        r"\textasciicircum{}\textasciicircum{}5cinput\textasciitilde{}"
    ) in text
    assert not re.search("[\x00\r\x1b]", text)


@pytest.mark.parametrize(
    ("value", "p", "verdict"),
    [
        (0.03, 0.012, "holds"),
        (-0.03, 0.012, "does not hold"),
        (0.03, 0.013, "not settled"),  # four claims: 0.05 / 4 is 0.0125
        (0.0, 1.0, "not settled"),
        (0.03, 1.0, "not settled"),  # of one training
    ],
)
def test_a_claim_is_settled_by_its_p_value_corrected_for_their_number(
    value: float, p: float, verdict: str
) -> None:
    low, high = value - 0.1, value + 0.1
    pairs = tuple(difference(*rows, low, high, value, p=p) for rows in ((2, 1), (1, 3), (3, 4), (4, 5)))
    found = results(*map(result, (1, 2, 3, 4, 5)), differences=pairs)

    assert [claimed(order.name, found).verdict for order in ORDERS[:4]] == 4 * [verdict]


def test_a_clear_claim_leaves_more_room_for_the_others() -> None:
    p_values = {(2, 1): 0.012, (1, 3): 0.02, (3, 4): 0.02, (4, 5): 0.06}
    pairs = [difference(*rows, 0.0, 0.1, 0.05, p=p) for rows, p in p_values.items()]
    found = results(*map(result, (1, 2, 3, 4, 5)), differences=tuple(pairs))
    verdicts = [claimed(order.name, found).verdict for order in ORDERS[:4]]
    assert verdicts == ["holds", "not settled", "not settled", "not settled"]
    pairs[1] = pairs[1]._replace(p=0.016)  # three claims are left: 0.05 / 3
    found = found._replace(differences=pairs)
    assert claimed("1 < 3", found).verdict == "holds"
    assert claimed("3 ≤ 4", found).verdict == "holds"  # two are left: 0.05 / 2


def test_a_difference_given_the_other_way_round_is_turned() -> None:
    found = results(result(1), result(2), differences=(difference(1, 2, -0.05, -0.01, -0.02, -0.04),))
    claim = claimed("2 < 1", found)

    assert claim.verdict == "holds"
    assert claim.difference is not None
    assert claim.difference[:2] == (2, 1)
    assert claim.difference[3:7] == pytest.approx((0.03, 0.01, 0.05, 0.001))
    assert claim.difference.by_training == (0.02, 0.04)
    assert claim.sentence == (
        "2 < 1 (L_gan alone lowers the accuracy), training people: holds; row 1 − row 2 is +3.0 points, "
        "95 % 1.0 to 5.0"
    )


def test_the_lowest_row_is_judged_by_the_comparison_that_is_worst_for_it() -> None:
    clear, close, against = (
        difference(6, 1, 0.2, 0.3, 0.25),
        difference(6, 3, -0.01, 0.2, 0.1, p=0.06),
        difference(6, 8, -0.3, -0.1, -0.2),
    )
    rows = [result(number) for number in (1, 3, 6, 8)]

    everything = claimed("6 lowest", results(*rows, differences=(clear, close, against)))
    assert (everything.verdict, everything.difference) == ("does not hold", against)
    weaker = against._replace(p=0.02)  # the worst of three comparisons: 0.05 / 3
    found = claimed("6 lowest", results(*rows, differences=(clear, close, weaker)))
    assert (found.verdict, found.difference) == ("not settled", weaker)
    without = claimed("6 lowest", results(*rows[:3], differences=(clear, close)))
    assert (without.verdict, without.difference) == ("not settled", close)
    assert "row 8 was not run" in without.remark
    alone = claimed("6 lowest", results(rows[0], rows[2], differences=(clear,)))
    assert (alone.verdict, alone.difference) == ("holds", clear)


def test_the_lowest_row_of_people_held_out_is_compared_where_the_paper_has_figures() -> None:
    pairs = tuple(
        difference(6, high, value, value, value)._replace(people="test")
        for high, value in ((1, 0.2), (7, -0.2))
    )
    claim = claimed("6 lowest", results(*map(result, (1, 6, 7)), differences=pairs), "test")

    assert claim.verdict == "holds"
    assert "row 7" not in claim.remark
    assert "row 8" not in claim.remark


def test_what_was_not_run_or_has_no_score_is_said_and_not_judged() -> None:
    collapsed = result(3)._replace(accuracy={"train": estimate(NAN, "collapsed"), "test": estimate(0.3)})
    found = results(result(1), collapsed, result(4), differences=(difference(3, 4, 0.1, 0.2, 0.15),))
    wanted = {
        "2 < 1": "row 2 was not run",
        "1 < 3": "row 3 has no score (collapsed)",
        "3 ≤ 4": "row 3 has no score (collapsed)",
        "4 ≤ 5": "row 5 was not run",
        "6 lowest": "row 6 was not run",
    }

    for name, remark in wanted.items():
        claim = claimed(name, found)
        assert (claim.verdict, claim.difference, claim.remark) == (None, None, remark)
        assert claim.sentence.endswith(remark)
    assert claimed("3 ≤ 4", found, "test").remark == "rows 3 and 4 were not compared"


def test_every_claim_is_asked_of_both_sides() -> None:
    assert [(c.order, c.people) for c in judge_claims(results(result(1)))] == [
        (order, people) for order in ORDERS for people in ("train", "test")
    ]


def test_the_headline_says_what_was_run() -> None:
    seconds = {"row1-seed0": 60.0, "row3-seed0": 125.0}
    assert headline(results(*map(result, (1, 3)), seconds=seconds)) == (
        "Rows 1 and 3 of the paper’s Table 3 at small scale on drawn faces: 48 people to train, 12 held out; "
        "2 trainings, 3 min 5 s in total."
    )
    assert headline(results(*map(result, (1, 2, 3, 4)), folds=5)) == (
        "Rows 1 to 4 of the paper’s Table 3 at small scale on drawn faces: 48 people, held out in turn in 5 folds."
    )


def test_figure_3_compares_iterated_stages_with_one_pass_and_is_left_out_without_them() -> None:
    with_one_pass = results(result(3, 0.9, 0.1), result(4))._replace(repetitions=AFTER)
    without = results(result(4))._replace(repetitions=AFTER)

    assert plot_figure3(results(result(1))) is None
    assert plot_figure3(with_one_pass) is not None
    assert plot_figure3(with_one_pass) != plot_figure3(without)


def everything() -> Results:
    """Return rows 1 to 8 with everything that a page can show, and text that must be escaped."""
    others = {"nmi": estimate(0.31), "homemade <score>": estimate(0.27)}
    rows = [
        result(number, test=NAN if number == 8 else 0.4, reason="<needs> the id" if number > 6 else "")
        for number in ROWS
    ]
    rows = [row._replace(others={"train": others, "test": others}) for row in rows]
    pairs = (difference(2, 1, 0.01, 0.05, 0.02, 0.04), difference(1, 3, -0.02, 0.05, 0.02, 0.01, p=0.4))
    return Results(
        rows,
        list(pairs),
        AFTER,
        {
            **ABOUT,
            "faces": "faces of <A & B>",
            "seeds": 1,
            "trainings": {1: 2},
            "seconds": {"row1-seed0": 90.0},
            "settings": {1: "width < 64"},
            "commands": ["omote reproduce FACES --to <DIR>"],
            "caveats": ["Drawn, not <real>."],
        },
    )


def test_the_page_has_every_section_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    found = everything()
    pictures: dict[str, Any] = {name: Image.new("RGB", (30, 20), "red") for name in FIGURES}
    pictures["figure5"] = tmp_path / "figure5.png"
    pictures["figure4_test"].save(pictures["figure5"])
    text = write_report(found, pictures, tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    assert re.findall("<h2>(.*?)</h2>", text) == [
        "Does the order of the paper hold here?",
        "Table 3: accuracy",
        "Paired differences",
        *(title for title, _ in FIGURES.values()),
        "Other scores",
        "Limits of these results",
        "Settings",
        "How to reproduce this page",
        "How long the trainings took",
    ]
    assert all(link.startswith("data:") for link in re.findall(r'(?:src|href)="([^"]*)', text))
    assert not re.search(r"url\(|@import|<script|<iframe|<needs|<DIR|<real|<A &|<score", text)
    for part in (
        "faces of &lt;A &amp; B&gt;",
        "Drawn, not &lt;real&gt;.",
        "homemade &lt;score&gt;",
        "width &lt; 64",
    ):
        assert part in text
    for caveat in list_caveats(found):
        assert caveat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in text


def test_the_page_has_the_papers_figure_beside_ours_and_says_why_one_is_missing(tmp_path: Path) -> None:
    text = write_report(everything(), {}, tmp_path / "report.html").read_text(encoding="utf-8")
    body = text.split("Table 3: accuracy")[-1].split("<tbody>")[1].split("</tbody>")[0]
    lines = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line) for line in body.split("</tr>")]
    plain = [[re.sub(r"<sup>.*?</sup>|<span.*?</span>", "", cell) for cell in line] for line in lines]

    assert plain[0] == [
        "1\u00a0conventional",
        "56.33",
        "50.00",
        "40.0 to 55.0",
        "49.95",
        "40.00",
        "30.0 to 45.0",
    ]
    assert plain[6][4:] == ["–", "40.00", "30.0 to 45.0"]
    assert plain[7][4:] == ["–", "–", "–"]
    assert [re.findall(r"<sup>(\d)</sup>", "".join(line)) for line in lines[6:8]] == [["1", "2"], ["1", "2"]]
    assert "<li>The paper has no figure" in text
    assert "<li>&lt;needs&gt; the id.</li>" in text
    assert plain[8] == ["by chance", "", "15.0", "", "", "15.0", ""]


def test_the_page_says_of_each_claim_whether_it_holds(tmp_path: Path) -> None:
    text = write_report(everything(), {}, tmp_path / "report.html").read_text(encoding="utf-8")
    body = text.split("Does the order")[1].split("<tbody>")[1].split("</tbody>")[0]
    first, second, third = body.split("</tr>")[:3]

    assert '<span class="mark yes">✓ holds</span>' in first
    assert "+3.0 (1.0 to 5.0)" in first
    assert "paper +2.9" in first
    assert '<span class="mark open">? not settled</span>' in second
    assert "–<sup>" in third
    assert "<li>Rows 3 and 4 were not compared.</li>" in text
    assert "for training people 1 holds, 1 is not settled and 3 cannot be judged;" in text
    assert "for people held out none holds and 5 cannot be judged." in text


def test_a_short_reproduction_has_a_short_page(tmp_path: Path) -> None:
    text = write_report(results(result(1)), {}, tmp_path / "report.html").read_text(encoding="utf-8")

    assert re.findall("<h2>(.*?)</h2>", text) == [
        "Does the order of the paper hold here?",
        "Table 3: accuracy",
        "Limits of these results",
    ]
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_what_cannot_be_reported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="no row was run"):
        write_report(results(), {}, tmp_path / "report.html")
    with pytest.raises(OmoteError, match="no row was run"):
        write_table_tex(results(), tmp_path / "table.tex")
    with pytest.raises(OmoteError, match="figure9"):
        write_report(results(result(1)), {"figure9": Image.new("RGB", (2, 2))}, tmp_path / "report.html")
    with pytest.raises(OmoteError, match=r"figure3\.png"):
        write_report(results(result(1)), {"figure3": tmp_path / "figure3.png"}, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_no_rows_make_an_empty_table() -> None:
    assert make_table(results()).empty
