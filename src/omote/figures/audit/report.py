"""The page of an audit: what was asked and found in words, every score beside its chance, the pictures.

Nothing is scored here. Every sentence about what was found is made of the figures, intervals and chances of the table;
`omote.figures.audit.words` has the words.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.evaluation.audit import Audit
from omote.evaluation.feature import CENTRED
from omote.evaluation.feature_scores import DISENTANGLEMENT_GROUPS
from omote.figures.audit.pictures import UNIT, audit_pictures, kind, people_of
from omote.figures.audit.words import (
    PEOPLE,
    PICTURES,
    QUESTIONS,
    SCORES,
    SECTIONS,
    Asked,
    Question,
    Section,
    Sentence,
)
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
    write_page,
)
from omote.figures.picture import save_picture
from omote.metrics.jackknife import GROUPS

CHANCES_APART = 0.05  # of one score: then each stands in its cell
LIKE_CHANCE = "like chance"
READ_BY = ", read by "  # in the name of what was swapped, before that of its judge
ITSELF = "itself"
COLUMNS_NAMED = 12  # of a table's feature, at most
REASONS = "; "  # between them, in the table

Row = dict[str, Any]  # of the table, by column

YES = (
    "Yes: for every code asked about, the 95 % interval over people of the first score told lies above chance; of who "
    "it is in the expression code, that of either score. Not shown: for none, which is no proof that there is nothing."
)
HOW_TO_READ = (
    "Below a value stands its 95 % interval over people: how much other people of the same kind would change it. "
    f"Groups of people, {GROUPS} at most ({DISENTANGLEMENT_GROUPS} for DCI, MIG and SAP), are left out in turn and "
    "the score is made anew without them (delete-a-group jackknife); of swaps and interpolations, people are left out "
    f"both as source and as target. The probes of the person are fitted anew too where there are {GROUPS} people or "
    "fewer. With more, and of other probes and R² across people always, what was fitted stays: the interval is over "
    "the people whom it is asked about. For the clusters, people are drawn with replacement and their codes grouped "
    "anew. Intervals are not cut at the ends of a score’s range.",
    "By chance: what a code that holds nothing reaches on the same images. It is the median over the rows; below "
    "it, from where to where it goes. Where rows differ much, each has its own. Like chance: the interval holds it.",
    "A sample: one draw from the posterior of each image instead of its mean. A mean can name a person by "
    "differences that are far smaller than the noise that the model itself adds.",
    "Random network: the encoder as it is before any training. Pixels + PCA: principal components of the pixels. "
    "Subject mean removed: less the mean of the same person’s images, which takes knowing who is in each (the "
    "paper’s Eq. 6).",
)


def write_audit_report(found: Audit, folder: str | Path) -> Path:
    """Write the page of an audit, `report.html` with everything in it, and its pictures as PNG files beside it.

    Pictures show the people held out, of whom `found.about["test_subjects"]` tells; everyone where nobody is.

    Returns:
        The path of the page.
    """
    folder, frames = Path(folder), found.frames
    shown = frames["subject"].isin(list(found.about.get("test_subjects", ()))).to_numpy(dtype=bool)
    shown = shown if shown.any() else np.ones(len(frames), dtype=bool)
    codes = {feature.name: feature.mean[shown] for feature in found.features}
    pictures = audit_pictures(found.table, codes, frames[shown].reset_index(drop=True), found.rising[shown])
    for name, picture in pictures.items():
        save_picture(picture, folder / f"{name}.png")
    sections = [findings_section(found.table)]
    first, *others = people_of(found.table)
    for section in SECTIONS:
        sections.append(scores_section(found.table, section, first))
        sections += [
            picture_section(Picture(PICTURES[name][0], pictures[name], PICTURES[name][1]))
            for name in section.pictures
            if name in pictures
        ]
    sections += [
        scores_section(found.table, section, people, again=True) for people in others for section in SECTIONS
    ]
    return write_page(
        folder / "report.html",
        title="Audit: what the codes really hold",
        introduction=introduction(found.about),
        sections=[
            *sections,
            text_section("How to read the tables", items=[*HOW_TO_READ, *_remarks(found.about)]),
            commands_section(found.about.get("commands", [])),
        ],
    )


def introduction(about: Mapping[str, Any]) -> list[str]:
    """Return what was asked and of what, paragraphs."""
    names = [Path(given).name for given in about.get("inputs", [])]
    counts = [
        (
            f"{count} people, not told who was held out"
            if people == "everyone"
            else f"{count} {PEOPLE[people]}"
        )
        + (
            f" ({about['frames'][people]:,} images, {about['frames_scored'][people]:,} of them scored)"
            if "frames" in about
            else ""
        )
        for people, count in about.get("people", {}).items()
    ]
    audited = f"Audited: {_listed(names)}" if names else ""
    return [
        "How much of the person is left in a code that should hold only the expression, how much of the expression "
        "in one that should hold only the person, and does the code move as the face does?",
        ". ".join(part for part in (audited, _listed(counts)) if part) + ".",
    ]


def findings_section(table: pd.DataFrame) -> str:
    """Return a section that answers `QUESTIONS` in words, of the first people there are; nothing if there are no
    answers."""
    people = people_of(table)[0]
    chosen = table[(table["people"] == people) & (table["reading"] == "mean")]
    answers = {question.words: answer for question in QUESTIONS if (answer := answered(chosen, question))}
    return terms_section(f"What was found: {PEOPLE[people]}", answers, before=[YES])


def answered(table: pd.DataFrame, question: Question) -> str:
    """Return the answer to a question in words, nothing if no score is known.

    Args:
        table: of one kind of people and one reading.
    """
    told = [_told(table, question, sentence) for sentence in question.sentences]
    if not any(told):
        return ""
    above: dict[str, bool] = {}  # by code
    for sentence in question.sentences[: question.judged]:
        for row in _asked_of(table, question, sentence):
            if math.isfinite(row["low"]):
                above[row["feature"]] = above.get(row["feature"], False) or row["low"] > row["chance"]
    shown = list(above.values())
    verdict = "" if not shown else "Yes. " if all(shown) else "Not for all. " if any(shown) else "Not shown. "
    return verdict + " ".join(filter(None, [*told, _pushed(table, question)]))


def _pushed(table: pd.DataFrame, question: Question) -> str:
    """Return what is said of identity in codes less their subject's mean, which sets them at or below chance."""
    judged = [sentence.score for sentence in question.sentences[: question.judged]]
    rows = _rows(
        table[
            table["feature"].str.endswith(CENTRED)
            & (table["group"] == "identity")
            & table["score"].isin(judged)
            & (table["reason"] != "")
            & table["low"].notna()
        ]
    )
    rows = [row for row in rows if kind(row["feature"]) == question.about]
    above = {row["feature"] for row in rows if row["low"] > row["chance"]}
    names = [name for name in dict.fromkeys(row["feature"] for row in rows) if name not in above]
    if not names:
        return ""
    codes = _listed(name.removesuffix(CENTRED) for name in names)
    is_so = (
        "is at or below chance, which it is" if len(names) == 1 else "are at or below chance, which they are"
    )
    return f"Less the subject’s mean, {codes} {is_so} by construction (see the note below “Who it is”)."


def _asked_of(table: pd.DataFrame, question: Question, sentence: Sentence) -> list[Row]:
    """Return the known scores of the codes that a question is about; of swaps, those of one judge in all sentences."""
    known = table[table["value"].notna()]
    rows = _rows(known[known["score"] == sentence.score])
    if question.about == "swap":
        answers = _rows(known[known["score"].isin([each.score for each in question.sentences])])
        others = any(_judge(row) != ITSELF for row in answers)
        return [row for row in rows if (_judge(row) != ITSELF) == others]
    return [
        row for row in rows if kind(row["feature"]) == question.about and not row["feature"].endswith(CENTRED)
    ]


def _told(table: pd.DataFrame, question: Question, sentence: Sentence) -> str:
    """Return "A linear probe names the person in 61 % of the images from z_e (95 %: 52 to 70; chance 8.3)."."""
    rows = _asked_of(table, question, sentence)
    if not rows:
        return ""
    if question.about == "expression code":
        known = _rows(table[(table["score"] == sentence.score) & table["value"].notna()])
        beside = [row for name in sentence.beside for row in known if row["feature"] == name]
        rows += beside[:1]
    asked = SCORES[sentence.score]
    chances = [text_of(row["chance"], asked, short=True) for row in rows]
    parts = []
    for place, (row, chance) in enumerate(zip(rows, chances, strict=True)):
        value = text_of(row["value"], asked, short=True)
        figure = value if asked.unit != "percent" else f"in {value}\u00a0%" + ("" if place else sentence.of)
        said = [interval] if (interval := interval_of(row, asked)) else []
        if said and not place:
            said = [f"95\u00a0%: {interval}"]
        if math.isfinite(row["chance"]) and not (place and len(set(chances)) == 1):
            said.append(f"chance\u00a0{chance}")
        more = f" ({'; '.join(said)})" if said else ""
        parts.append(f"{figure} {sentence.link} {row['feature'].partition(READ_BY)[0]}{more}")
    judge = "The model itself" if _judge(rows[0]) == ITSELF else _judge(rows[0])
    return f"{sentence.words.format(judge=judge)} {_listed(parts)}."


def _judge(row: Row) -> str:
    return str(row["feature"]).partition(READ_BY)[2]


def _rows(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def scores_section(table: pd.DataFrame, section: Section, people: str, *, again: bool = False) -> str:
    """Return a table with a row a feature and a column a score, nothing where nothing was asked.

    Where no score could be had at all, the reasons stand in its place.

    Args:
        again: leave out what the words mean.
    """
    chosen = table[
        (table["people"] == people)
        & table["group"].isin(section.groups)
        & ~table["score"].str.startswith(UNIT)
    ]
    if chosen.empty:
        return ""
    title = f"{section.title}: {PEOPLE[people]}"
    if chosen["value"].isna().all():
        reasons = dict.fromkeys(reason for reason in chosen["reason"] if reason)
        return text_section(title, [f"No score: {'; '.join(reasons)}."])
    scores = [score for score in SCORES if score in set(chosen["score"])]
    scores += [score for score in dict.fromkeys(chosen["score"]) if score not in SCORES]
    asked = [SCORES.get(score, Asked(score, "", "", "", "number")) for score in scores]
    rows = list(dict.fromkeys(zip(chosen["feature"], chosen["reading"], strict=True)))
    features = list(dict.fromkeys(chosen["feature"]))
    rows.sort(key=lambda row: features.index(row[0]))  # a sample below its mean
    found = {(row["feature"], row["reading"], row["score"]): row for row in _rows(chosen)}
    notes = {row: _note_of_row(list(found.values()), *row) for row in rows}

    heads, columns, chances = [], [], []
    for score, look in zip(scores, asked, strict=True):
        column = [found.get((*row, score)) for row in rows]
        cells, note, chance = _column(column, look)
        heads.append(Head(look.head, look.name, look.aim, note))
        columns.append(cells)
        chances.append(chance)
    lines = [
        Line(_row_name(feature, reading, notes), [column[place] for column in columns])
        for place, (feature, reading) in enumerate(rows)
    ]
    if any(chance.text for chance in chances):
        lines.append(Line(Cell("by chance"), chances, muted=True))
    apart = [look.name or look.head for look in asked if look.unit != "percent"]
    but_for = f" but for {_listed(apart)}" if apart else ""
    percent = f"In per cent{but_for}. " if len(apart) < len(asked) else ""
    return table_section(
        title,
        heads,
        lines,
        before=[] if again else [section.before],
        after=f"{percent}Below a value: its 95 % interval over people.",
        terms={} if again else {_term(look): look.meaning for look in asked if look.meaning},
    )


def _note_of_row(rows: Sequence[Row], feature: str, reading: str) -> str:
    """Return the reasons that all scores of a group have in one row of the page, and take them from its scores."""
    of_row = [row for row in rows if (row["feature"], row["reading"]) == (feature, reading)]
    shared: list[str] = []
    for group in dict.fromkeys(row["group"] for row in of_row):
        of_group = [row for row in of_row if row["group"] == group]
        reasons = [row["reason"].split(REASONS) for row in of_group]
        common = [part for part in reasons[0] if part and all(part in each for each in reasons)]
        if len(of_group) > 1:
            for row, parts in zip(of_group, reasons, strict=True):
                row["reason"] = REASONS.join(part for part in parts if part not in common)
            shared += common
    return REASONS.join(dict.fromkeys(shared))


def _row_name(feature: str, reading: str, notes: Mapping[tuple[str, str], str]) -> Cell:
    name, _, rest = feature.partition(", ")
    note = notes[feature, reading]
    if reading == "mean":
        return Cell(name, (rest,) * bool(rest), note)
    return Cell("", ("a sample of it",), "" if note == notes.get((feature, "mean")) else note)


def _column(rows: Sequence[Row | None], asked: Asked) -> tuple[list[Cell], str, Cell]:
    """Return the cells of a column, the note that all of them share, and the cell of chance."""
    known = [row for row in rows if row is not None]
    reasons = {row["reason"] for row in known}
    shared = reasons.pop() if len(reasons) == 1 and len(known) > 1 else ""
    chances = sorted(row["chance"] for row in known if math.isfinite(row["chance"]))
    apart = bool(chances) and chances[-1] - chances[0] > CHANCES_APART
    cells = [Cell("") if row is None else _cell(row, asked, shared, apart) for row in rows]
    if not chances:
        return cells, shared, Cell("")
    least, middle, most = (
        text_of(chance, asked) for chance in (chances[0], float(np.median(chances)), chances[-1])
    )
    return cells, shared, Cell(middle, () if least == most else (f"{least} to {most}",))


def _cell(row: Row, asked: Asked, shared: str, own_chance: bool) -> Cell:
    note = "" if row["reason"] == shared else row["reason"]
    value, low, high, chance = (float(row[name]) for name in ("value", "low", "high", "chance"))
    if not math.isfinite(value):
        return Cell("–", note=note)
    below = [interval_of(row, asked)]
    if own_chance and math.isfinite(chance):
        below.append(f"chance {text_of(chance, asked)}")
    if low <= chance <= high:
        below.append(LIKE_CHANCE)
    return Cell(text_of(value, asked), tuple(filter(None, below)), note=note)


def text_of(value: float, asked: Asked, *, short: bool = False) -> str:
    """Return a value as it is shown: per cent "61.3" or, short, "61" but "8.3"; numbers "0.41", counts "38.2"."""
    if not math.isfinite(value):
        return "–"
    if asked.unit == "percent":
        value *= 100
        text = f"{value:.0f}" if short and round(abs(value), 1) >= 10 else f"{value:.1f}"
        text = text.removesuffix(".0") if short else text
    else:
        text = f"{value:.2f}" if asked.unit == "number" else f"{value:.3g}"
    if not text.strip("-0."):
        return "0"
    return text.replace("-", "−")


def interval_of(row: Row, asked: Asked) -> str:
    """Return "52 to 70"; nothing where there is no interval."""
    if not math.isfinite(row["low"]) or not math.isfinite(row["high"]):
        return ""
    return f"{text_of(row['low'], asked, short=True)} to {text_of(row['high'], asked, short=True)}"


def _term(asked: Asked) -> str:
    return f"{asked.head}, {asked.name}" if asked.name else asked.head


def _remarks(about: Mapping[str, Any]) -> list[str]:
    found = []
    for name, columns in about.get("columns", {}).items():
        if not name.endswith(CENTRED):  # the same
            named = list(columns[:COLUMNS_NAMED])
            named += [f"{len(columns) - len(named)} more"] if len(columns) > len(named) else []
            found.append(f"{name} is the columns {_listed(named)} ({len(columns)}).")
    if apex := about.get("apex"):
        found.append(f"Along clips: {apex}.")
    if "k" in about:
        found.append(f"The clusters: k = {about['k']}, mean over {about['seeds']} runs of k-means.")
    if judge := about.get("judge"):
        found.append(f"Swapped images were read by {Path(judge).name}, and by the model that made them.")
    if faces := about.get("face_set"):
        told = [str(faces[name]) for name in ("dataset", "importer") if faces.get(name)]
        options = ", ".join(f"{name} {value}" for name, value in (faces.get("options") or {}).items())
        found.append(f"The faces: {', '.join(dict.fromkeys(told))}{f' ({options})' if options else ''}.")
    return found


def _listed(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *others, last = list(parts) or [""]
    return f"{', '.join(others)} and {last}" if others else last
