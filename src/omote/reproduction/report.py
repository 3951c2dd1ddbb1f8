"""The page of a reproduction: which claims of the paper hold, Table 3 beside the paper's figures, and the pictures.

It trains and scores nothing: everything comes from `Results`.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from PIL import Image

from omote.errors import OmoteError
from omote.evaluation.protocol import People
from omote.figures.page import (
    Cell,
    Head,
    Line,
    Section,
    commands_section,
    picture_section,
    timings_section,
    write_page,
)
from omote.figures.paper.curves import PEOPLE_NAMES, plot_accuracy_curves
from omote.figures.picture import render
from omote.figures.scores import Measure, scores_section
from omote.metrics.score import Score
from omote.reproduction.claims import (
    ORDERS,
    PEOPLE,
    RULE,
    Claim,
    Verdict,
    interval_text,
    judge_claims,
    percent,
    signed_percent,
)
from omote.reproduction.results import Estimate, Results
from omote.reproduction.rows import ROWS, Row
from omote.reproduction.table import chance_range, check_rows, count_people, headline

INTRODUCTION = (
    "All methods were trained on faces with a number for each person as the only information. To score a method, "
    "k-means groups its expression codes into nine clusters without seeing any label, and each cluster is named after "
    "the face nearest its centre. The accuracy is the share of faces that get the right name.",
)
FIGURES = {  # name -> title, caption
    "figure3": (
        "Figure 3: accuracy after each repetition",
        "Accuracy after each repetition of the two stages. Thick: mean over the trainings; thin: each training; "
        "dashed: the same method in a single pass, if that was trained. The paper’s figure is for 128 px.",
    ),
    "figure4_train": (
        "Figure 4 (a): swap, training people",
        "Each column is a person, each row an expression: a cell shows the expression on the left on the person above. "
        "All were part of the training. One block per method.",
    ),
    "figure4_test": (
        "Figure 4 (b): swap, people held out",
        "The same with people whom no method has seen.",
    ),
    "figure5": (
        "Figure 5: interpolation",
        "The expression code changes in equal steps from that of the first face to that of the last; the identity code "
        "stays that of the first. One row per method.",
    ),
}
MEASURES = {
    "majority_accuracy": Measure(
        "Majority", "As in Table 3, but a cluster is named after the label that most of its faces have.", "higher"
    ),
    "one_to_one_accuracy": Measure(
        "One-to-one", "The same, with a different name for each cluster (Hungarian assignment).", "higher"
    ),
    "nmi": Measure(
        "NMI", "Normalised mutual information of clusters and labels, which needs no names for the clusters.", "higher"
    ),
    "ari": Measure("ARI", "Adjusted Rand index, which needs no names either; 0 is chance level.", "higher"),
    "probe_accuracy": Measure(
        "Probe",
        "A linear classifier learns to predict the expression from the codes of some people and is tested on other "
        "people.",
        "higher",
    ),
    "subject_nearest_neighbour_across_expressions": Measure(
        "Person leaks",
        "How often the nearest code among other expressions belongs to the same person.",
        "lower",
    ),
}  # fmt: skip
NO_FIGURE = "the paper has no figure: the method needs to know the person"
MARKS: dict[Verdict, tuple[str, Literal["yes", "no", "open"]]] = {
    "holds": ("✓", "yes"),
    "does not hold": ("✗", "no"),
    "not settled": ("?", "open"),
}


def plot_figure3(results: Results) -> Image.Image | None:
    """Return Figure 3, or None if no iterated row was run.

    The single pass is row 3 for row 4, and `about["one_pass"]` for row 5.
    """
    if results.repetitions.empty:
        return None
    one_pass: dict[int, dict[str, float]] = dict(results.about.get("one_pass", {}))
    for row, accuracy, _ in results.rows:
        if row.number == 3:
            one_pass[4] = {people: accuracy[people].value for people in PEOPLE}
    titles = {row.number: f"{row.size} px (row {row.number})" for row, _, _ in results.rows}
    return render(plot_accuracy_curves(results.repetitions, one_pass, titles))


def write_report(
    results: Results, pictures: Mapping[str, Image.Image | str | Path], path: str | Path
) -> Path:
    """Write the page of a reproduction, one self-contained HTML file, and return `path`.

    Args:
        pictures: any of `FIGURES` by name; shown in the order of `FIGURES`.
    Raises:
        OmoteError: If no row was run, a picture is not in `FIGURES` or its file cannot be read, or the page's name does
            not end in .html.
    """
    check_rows(results)
    if unknown := sorted(set(pictures) - set(FIGURES)):
        raise OmoteError(f"the report has no place for {', '.join(unknown)}; it takes {', '.join(FIGURES)}")
    about = results.about
    titles = {result.row.number: _name_row(result.row) for result in results.rows}
    settings = {titles.get(number, str(number)): text for number, text in about.get("settings", {}).items()}
    return write_page(
        path,
        title="The paper’s Table 3 and Figures 3 to 5, reproduced",
        introduction=[headline(results), *INTRODUCTION],
        sections=[
            _claims_section(results),
            _table_section(results),
            _differences_section(results),
            *(
                picture_section(title, pictures[name], caption)
                for name, (title, caption) in FIGURES.items()
                if name in pictures
            ),
            _others_section(results),
            Section("Limits of these results", items=list_caveats(results)),
            Section("Settings", terms=settings) if settings else None,
            commands_section(about.get("commands", [])),
            timings_section(
                about.get("seconds", {}), "How long the trainings took", "in total, several at a time"
            ),
        ],
    )


def list_caveats(results: Results) -> list[str]:
    """Return sentences that a reader has to know before comparing our figures with the paper's."""
    about = results.about
    images = about["train"].get("training_images")
    caveats = [
        "The paper’s faces come from MUG, CK+ and RAVDESS: 195 people to train with 29,085 images, 7 held out with 195 "
        f"images. Here they are {about['faces']}, {count_people(about)}"
        f"{f', {images:,} images to train on' if images else ''}. Compare the order of the rows, not the values.",
        "The paper’s ± is over runs of k-means on one set of codes. It says nothing about other people or another "
        "training, so it does not settle the paper’s own order.",
    ]
    if about.get("seeds") == 1:
        caveats.append(
            "Each row was trained once. The variation between trainings is unknown, so no claim is settled; add "
            "--seeds 3, or more."
        )
    if about.get("folds", 1) <= 1:
        caveats.append("The people held out are one of many possible choices.")
    return [*caveats, *about.get("caveats", [])]


def _claims_section(results: Results) -> Section:
    claims = judge_claims(results)
    lines = [
        Line(
            Cell(order.name, (order.words,)),
            [_verdict_cell(claim) for claim in claims if claim.order == order],
        )
        for order in ORDERS
    ]
    counts = "; ".join(_count_verdicts(claims, people) for people in PEOPLE)
    return Section(
        "Does the order of the paper hold here?",
        [f"Of the paper’s {len(ORDERS)} claims, {counts}."],
        heads=[Head(PEOPLE_NAMES[people]) for people in PEOPLE],
        lines=lines,
        remark="Accuracy of the row that should be higher minus that of the other, in percentage points, with its 95 % "
        "interval over people and trainings. " + RULE,
    )


def _count_verdicts(claims: Sequence[Claim], people: People) -> str:
    verdicts = [claim.verdict for claim in claims if claim.people == people]
    outcomes: tuple[Verdict | None, ...] = ("holds", "does not hold", "not settled", None)
    holds, fails, unsettled, unknown = map(verdicts.count, outcomes)
    parts = [f"{holds or 'none'} hold{'s' * (holds < 2)}"]
    parts += [f"{fails} do{'es' * (fails == 1)} not"] * (fails > 0)
    parts += [f"{unsettled} {'is' if unsettled == 1 else 'are'} not settled"] * (unsettled > 0)
    parts += [f"{unknown} cannot be judged"] * (unknown > 0)
    *others, last = parts
    return f"for {PEOPLE_NAMES[people]} {' and '.join(filter(None, [', '.join(others), last]))}"


def _verdict_cell(claim: Claim) -> Cell:
    d = claim.difference
    if d is None or claim.verdict is None:
        return Cell("–", note=claim.remark)
    sign, mark = MARKS[claim.verdict]
    low, high = (ROWS[number] for number in (d.first, d.second))
    printed = [row.train if claim.people == "train" else row.test for row in (low, high)]
    paper = [each[0] / 100 for each in printed if each]
    which = f"row {d.second}: " if len(claim.order.high) > 1 else ""
    ours = f"{which}{signed_percent(d.value)} ({interval_text(d)})"
    below = (ours, f"paper {signed_percent(paper[1] - paper[0])}")
    return Cell(f"{sign} {claim.verdict}", below, note=claim.remark, mark=mark)


def _table_section(results: Results) -> Section:
    lines = []
    trainings = results.about.get("trainings", {})
    for row, accuracy, _ in results.rows:
        cells = []
        for printed, ours in ((row.train, accuracy["train"]), (row.test, accuracy["test"])):
            cells.append(
                Cell(f"{printed[0]:.2f}", (f"± {printed[1]:.2f}",)) if printed else Cell("–", note=NO_FIGURE)
            )
            cells += _estimate_cells(ours)
        count = f", {n} training{'s' * (n > 1)}" if (n := trainings.get(row.number)) else ""
        lines.append(Line(Cell(_name_row(row), (f"{row.size} px{count}",)), cells))
    blank = Cell("")
    chances = [
        cell for people in PEOPLE for cell in (blank, Cell(chance_range(results, people) or "–"), blank)
    ]
    lines.append(Line(Cell("by chance"), chances, muted=True))
    return Section(
        "Table 3: accuracy",
        heads=[Head(PEOPLE_NAMES[people], name) for people in PEOPLE for name in ("paper", "here", "95 %")],
        lines=lines,
        remark="In per cent.",
        terms={
            "±": "Standard deviation over 100 seeds of k-means, in the paper and here.",
            "here": "Mean over the trainings of the row.",
            "trainings ±": "Standard deviation over the trainings, which differ in their seed.",
            "95 %": "Bootstrap interval over people for the figure here: its variation with other people. People are "
            "drawn with replacement and clustered again.",
            "by chance": "Accuracy of the same clusters with randomly permuted labels.",
        },
    )


def _estimate_cells(ours: Estimate) -> list[Cell]:
    if math.isnan(ours.value):
        return [Cell("–", note=ours.reason), Cell("–")]
    below = [f"± {percent(ours.kmeans_deviation, 2)}"]
    if not math.isnan(ours.training_deviation):
        below.append(f"trainings ± {percent(ours.training_deviation, 2)}")
    return [Cell(percent(ours.value, 2), tuple(below), note=ours.reason), Cell(interval_text(ours))]


def _differences_section(results: Results) -> Section | None:
    if not results.differences:
        return None
    pairs = dict.fromkeys((d.first, d.second) for d in results.differences)
    of_pair = {(d.first, d.second, d.people): d for d in results.differences}
    lines = []
    for first, second in pairs:
        cells = []
        for people in PEOPLE:
            d = of_pair.get((first, second, people))
            if d is None or math.isnan(d.value):
                cells += [Cell("–"), Cell("–"), Cell("–")]
            else:
                each = ", ".join(map(signed_percent, d.by_training))
                cells += [Cell(signed_percent(d.value)), Cell(interval_text(d)), Cell(each)]
        lines.append(Line(Cell(f"row {second} − row {first}".replace(" ", "\u00a0")), cells))
    return Section(
        "Paired differences",
        heads=[
            Head(PEOPLE_NAMES[people], name)
            for people in PEOPLE
            for name in ("mean", "95 %", "each training")
        ],
        lines=lines,
        remark="Accuracy of the first row minus that of the second, on the same images of the same people, in "
        "percentage points, with its 95 % interval over people and trainings, not corrected for several comparisons.",
    )


def _others_section(results: Results) -> Section | None:
    names = dict.fromkeys(MEASURES)
    for result in results.rows:
        names |= dict.fromkeys(name for scores in result.others.values() for name in scores)
    columns: dict[tuple[str, str], list[Score]] = {}
    for name in names:
        for people in PEOPLE:
            scores = [result.others.get(people, {}).get(name) for result in results.rows]
            if any(score is not None for score in scores):
                title = MEASURES[name].title if name in MEASURES else name
                columns[title, people] = [_as_score(score) for score in scores]
    if not columns:
        return None
    index = [_name_row(result.row) for result in results.rows]
    frame = pd.DataFrame(index=index, columns=pd.MultiIndex.from_tuples(list(columns)), dtype=object)
    for column, values in columns.items():
        frame[column] = pd.Series(values, index=index, dtype=object)
    return scores_section(
        "Other scores",
        frame,
        tuple(MEASURES.values()),
        spread="over seeds of k-means, or for the probe over folds of people",
    )


def _as_score(estimate: Estimate | None) -> Score:
    if estimate is None:
        return Score(math.nan)
    return Score(estimate.value, estimate.kmeans_deviation, estimate.chance, estimate.reason)


def _name_row(row: Row) -> str:
    return f"{row.number}\u00a0{row.title}"
