"""The page of a reproduction: which of the paper's claims hold here, Table 3 beside the paper's figures, the pictures.

Nothing is trained or scored here: everything is read from `Results`.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from PIL import Image

from omote.errors import OmoteError
from omote.evaluation.protocol import People
from omote.figures.page import (
    Cell,
    Head,
    Line,
    Picture,
    commands_section,
    picture_section,
    table_section,
    terms_section,
    text_section,
    timings_section,
    write_page,
)
from omote.figures.paper.curves import NAMES, accuracy_curve
from omote.figures.report import Measure, scores_section
from omote.metrics.score import Score
from omote.reproduction.claims import (
    ORDERS,
    PEOPLE,
    RULE,
    Claim,
    Verdict,
    claims,
    interval_text,
    points,
    signed,
)
from omote.reproduction.results import Estimate, Results
from omote.reproduction.rows import ROWS, Row
from omote.reproduction.table import chances_of, headline, people_of, refuse_nothing

FIGURES = {
    "figure3": (
        "Figure 3: accuracy after each repetition",
        "Accuracy after each repetition of the two stages: thick the mean over the trainings, thin each training. "
        "Dashed: the same method in one pass, where that was trained. The paper's figure is of 128 px.",
    ),
    "figure4_train": (
        "Figure 4 (a): swap, training people",
        "Columns are who, rows are which expression: each cell puts the expression at the left on the person above. "
        "All are people of the training. One block a method.",
    ),
    "figure4_test": (
        "Figure 4 (b): swap, people held out",
        "The same with people whom no method has seen.",
    ),
    "figure5": (
        "Figure 5: interpolation",
        "From the expression of the first face to that of the last in equal steps of the expression code; the identity "
        "code stays the first one's. One row a method.",
    ),
}

MEASURES = {
    "majority_accuracy": Measure(
        "Majority", "As the accuracy of Table 3, a group named after the label most of its faces have.", "higher"
    ),
    "one_to_one_accuracy": Measure(
        "One-to-one", "The same, no two groups with the same name (Hungarian assignment).", "higher"
    ),
    "nmi": Measure(
        "NMI", "Normalised mutual information of groups and labels, which needs no names for the groups.", "higher"
    ),
    "ari": Measure("ARI", "Adjusted Rand index, likewise; 0 is what a guess reaches.", "higher"),
    "probe_accuracy": Measure(
        "Probe",
        "A linear classifier learns to read the expression off the codes of some people and reads it off other "
        "people's.",
        "higher",
    ),
    "subject_nearest_neighbour_across_expressions": Measure(
        "Person leaks",
        "How often the nearest code, looked for among other expressions, is of the same person.",
        "lower",
    ),
}  # fmt: skip

NO_FIGURE = "the paper has no figure: the method needs to know the person"


def figure3(results: Results) -> Image.Image | None:
    """Return Figure 3 with `accuracy_curve`, or None where no iterated row was run.

    The line of one pass is row 3 for row 4, and `about["one_pass"]` for row 5.
    """
    if results.after.empty:
        return None
    one_pass: dict[int, dict[str, float]] = dict(results.about.get("one_pass", {}))
    for row, accuracy, _ in results.rows:
        if row.number == 3:
            one_pass[4] = {people: accuracy[people].value for people in PEOPLE}
    return accuracy_curve(
        results.after,
        one_pass,
        titles={row.number: f"{row.size} px (row {row.number})" for row, _, _ in results.rows},
    )


def write_report(
    results: Results, pictures: Mapping[str, Image.Image | str | Path], path: str | Path
) -> Path:
    """Write the page of a reproduction, one self-contained HTML file, and return `path`.

    Args:
        pictures: any of `FIGURES` by name, shown in their order.
    Raises:
        OmoteError: If no row was run, a picture's name is not of `FIGURES` or its file cannot be read, or the page's
            name does not end in .html.
    """
    refuse_nothing(results)
    if unknown := sorted(set(pictures) - set(FIGURES)):
        raise OmoteError(
            f"the report has no place for the pictures {', '.join(unknown)}; give some of {', '.join(FIGURES)}"
        )
    about = results.about
    titles = {result.row.number: _named(result.row) for result in results.rows}
    settings = {titles.get(number, str(number)): text for number, text in about.get("settings", {}).items()}
    return write_page(
        path,
        title="The paper’s Table 3 and Figures 3 to 5, made again",
        introduction=[headline(results), *INTRODUCTION],
        sections=[
            _claims_section(results),
            _table_section(results),
            _differences_section(results),
            *(
                picture_section(Picture(title, pictures[name], caption))
                for name, (title, caption) in FIGURES.items()
                if name in pictures
            ),
            _others_section(results),
            text_section("What these figures are not", items=caveats(results)),
            terms_section("Settings", settings),
            commands_section(about.get("commands", [])),
            timings_section(
                about.get("seconds", {}), "How long the trainings took", "together, several at a time"
            ),
        ],
    )


def caveats(results: Results) -> list[str]:
    """Return what a reader has to know before comparing our figures with the paper's, sentences."""
    about = results.about
    found = [
        f"The paper’s faces are of MUG, CK+ and RAVDESS: 195 people to train with 29,085 images, 7 held out with 195. "
        f"Here they are {about['faces']}, {people_of(about)}{_images_of(about)}. Compare the order of the rows, not "
        "their heights.",
        "The paper’s ± is over runs of k-means on one set of codes. It says nothing about other people or another "
        "training, so the paper’s own order is not settled by it.",
    ]
    if about.get("seeds") == 1:
        found.append("Each row was trained once: what another seed would give is not known.")
    if about.get("folds", 1) <= 1:
        found.append("The people held out are one choice of many.")
    return [*found, *about.get("caveats", [])]


def _images_of(about: Mapping[str, Any]) -> str:
    images = about["train"].get("training_images")
    return f", {images:,} images to train on" if images else ""


INTRODUCTION = (
    "Every method saw faces with nothing but a number for who each face is. To score it, its expression codes are put "
    "into nine groups without looking at any label (k-means), each group is named after the face nearest its centre, "
    "and the accuracy is the share of faces that this names rightly.",
)


def _claims_section(results: Results) -> str:
    judged = claims(results)
    lines = []
    for order in ORDERS:
        cells = [_verdict_cell(claim, results) for claim in judged if claim.order == order]
        lines.append(Line(Cell(order.name, (order.words,)), cells))
    return table_section(
        "Does the order of the paper hold here?",
        [Head(NAMES[people]) for people in PEOPLE],
        lines,
        before=[
            f"Of the paper’s {len(ORDERS)} claims, {'; '.join(_counted(judged, people) for people in PEOPLE)}."
        ],
        after="Accuracy of the row that should be higher minus that of the other, in points of per cent, with its 95 % "
        "interval. " + RULE,
    )


def _counted(judged: Sequence[Claim], people: People) -> str:
    verdicts = [claim.verdict for claim in judged if claim.people == people]
    outcomes: tuple[Verdict | None, ...] = ("holds", "does not hold", "not settled", None)
    holds, fails, open_, unknown = map(verdicts.count, outcomes)
    told = [f"{holds or 'none'} hold{'s' * (holds < 2)}"]
    told += [f"{fails} do{'es' * (fails == 1)} not"] * (fails > 0)
    told += [f"{open_} {'is' if open_ == 1 else 'are'} not settled"] * (open_ > 0)
    told += [f"{unknown} cannot be judged"] * (unknown > 0)
    *others, last = told
    return f"for {NAMES[people]} {' and '.join(filter(None, [', '.join(others), last]))}"


def _verdict_cell(claim: Claim, results: Results) -> Cell:
    d = claim.difference
    if d is None or claim.verdict is None:
        return Cell("–", note=claim.remark)
    look: dict[Verdict, tuple[str, Literal["yes", "no", "open"]]] = {
        "holds": ("✓", "yes"),
        "does not hold": ("✗", "no"),
        "not settled": ("?", "open"),
    }
    sign, mark = look[claim.verdict]
    low, high = (ROWS[number] for number in (d.first, d.second))
    printed = [row.train if claim.people == "train" else row.test for row in (low, high)]
    paper = [each[0] / 100 for each in printed if each]
    which = f"row {d.second}: " if len(claim.order.high) > 1 else ""
    below = (f"{which}{signed(d.value)} ({interval_text(d)})", f"paper {signed(paper[1] - paper[0])}")
    return Cell(f"{sign} {claim.verdict}", below, note=claim.remark, mark=mark)


def _table_section(results: Results) -> str:
    lines = []
    trainings = results.about.get("trainings", {})
    for row, accuracy, _ in results.rows:
        cells = []
        for printed, ours in ((row.train, accuracy["train"]), (row.test, accuracy["test"])):
            cells.append(
                Cell(f"{printed[0]:.2f}", (f"± {printed[1]:.2f}",)) if printed else Cell("–", note=NO_FIGURE)
            )
            cells += _ours(ours)
        count = f", {n} training{'s' * (n > 1)}" if (n := trainings.get(row.number)) else ""
        lines.append(Line(Cell(_named(row), (f"{row.size} px{count}",)), cells))
    chances = [Cell(chances_of(results, people)) for people in PEOPLE]
    blank = Cell("")
    lines.append(Line(Cell("by chance"), [blank, chances[0], blank, blank, chances[1], blank], muted=True))
    return table_section(
        "Table 3: accuracy",
        [Head(NAMES[people], name) for people in PEOPLE for name in ("paper", "here", "95 %")],
        lines,
        after="In per cent.",
        terms={
            "±": "Standard deviation over 100 seeds of k-means, in the paper and here.",
            "here": "Mean over the trainings of the row.",
            "trainings ±": "Standard deviation over the trainings, which differ in their seed.",
            "95 %": "Interval of the figure here over people: how much other people would change it (drawn anew, with "
            "clusters fitted anew).",
            "by chance": "What the same groups reach when the labels are dealt at random.",
        },
    )


def _ours(ours: Estimate) -> list[Cell]:
    if math.isnan(ours.value):
        return [Cell("–", note=ours.reason), Cell("–")]
    below = [f"± {points(ours.kmeans_deviation, 2)}"]
    if not math.isnan(ours.training_deviation):
        below.append(f"trainings ± {points(ours.training_deviation, 2)}")
    return [Cell(points(ours.value, 2), tuple(below), note=ours.reason), Cell(interval_text(ours))]


def _differences_section(results: Results) -> str:
    if not results.differences:
        return ""
    pairs = list(dict.fromkeys((d.first, d.second) for d in results.differences))
    of_pair = {(d.first, d.second, d.people): d for d in results.differences}
    lines = []
    for first, second in pairs:
        cells = []
        for people in PEOPLE:
            d = of_pair.get((first, second, people))
            if d is None or math.isnan(d.value):
                cells += [Cell("–"), Cell("–"), Cell("–")]
            else:
                each = ", ".join(map(signed, d.by_training))
                cells += [Cell(signed(d.value)), Cell(interval_text(d)), Cell(each)]
        lines.append(Line(Cell(f"row {second} − row {first}".replace(" ", "\u00a0")), cells))
    return table_section(
        "Paired differences",
        [Head(NAMES[people], name) for people in PEOPLE for name in ("mean", "95 %", "each training")],
        lines,
        after="Accuracy of the first row minus that of the second, on the same images of the same people, in points of "
        "per cent.",
    )


def _others_section(results: Results) -> str:
    names = list(MEASURES)
    for result in results.rows:
        names += [name for scores in result.others.values() for name in scores if name not in names]
    cells: dict[tuple[str, str], list[Score]] = {}
    for name in names:
        for people in PEOPLE:
            scores = [result.others.get(people, {}).get(name) for result in results.rows]
            if any(score is not None for score in scores):
                title = MEASURES[name].title if name in MEASURES else name
                cells[title, people] = [_as_score(score) for score in scores]
    if not cells:
        return ""
    index = [_named(result.row) for result in results.rows]
    frame = pd.DataFrame(index=index, columns=pd.MultiIndex.from_tuples(list(cells)), dtype=object)
    for column, values in cells.items():
        frame[column] = pd.Series(values, index=index, dtype=object)
    return scores_section(
        "Beside the paper’s score",
        frame,
        tuple(MEASURES.values()),
        spread="over seeds of k-means, or of the classifier over folds of people",
    )


def _as_score(estimate: Estimate | None) -> Score:
    if estimate is None:
        return Score(math.nan)
    return Score(estimate.value, estimate.kmeans_deviation, estimate.chance, estimate.reason)


def _named(row: Row) -> str:
    return f"{row.number}\u00a0{row.title}"
