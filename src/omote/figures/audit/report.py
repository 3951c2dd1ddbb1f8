"""The page of an audit: findings in words, tables of scores beside their chance level, and pictures.

It computes no score. The findings are built from the values, intervals and chance levels of the audit's table with the
words of `omote.figures.audit.words`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.evaluation.audit import Audit
from omote.evaluation.audit_scores import DISENTANGLEMENT_GROUPS
from omote.evaluation.representation import CENTRED
from omote.figures.audit.pictures import UNIT, feature_kind, find_people, plot_audit
from omote.figures.audit.words import (
    PEOPLE,
    PICTURES,
    QUESTIONS,
    SCORES,
    TABLES,
    Question,
    ScoreTable,
    ScoreText,
    Sentence,
)
from omote.figures.page import Cell, Head, Line, Section, commands_section, picture_section, write_page
from omote.figures.picture import save_picture
from omote.metrics.intervals import GROUPS

CHANCES_APART = 0.05  # a larger range of chance over the rows puts the chance level into each cell
LIKE_CHANCE = "like chance"
READ_BY = ", read by "  # in the name of a swap, before its judge
ITSELF = "itself"
COLUMNS_NAMED = 12  # columns of a table's feature listed by name, at most
REASONS = "; "  # separates reasons in the table

Row = dict[str, Any]  # of the table, by column

YES = (
    "Yes: for every code, the 95 % interval over people of the first score mentioned lies above chance. (For the "
    "question whether the expression code reveals who it is, the interval of either score.) Not for all: for some of "
    "the codes. Not shown: for none of them, which does not prove that nothing is there."
)
HOW_TO_READ = (
    "Interval: below a value stands its 95 % interval over people, that is, how much the score would vary with other "
    f"people of the same kind. At most {GROUPS} groups of people ({DISENTANGLEMENT_GROUPS} for DCI, MIG and SAP) are "
    "left out in turn and the score is computed again (delete-a-group jackknife); for swaps and interpolations, people "
    "are left out both as source and as target. The probes of the person are also fitted again, if there are at most "
    f"{GROUPS} people. With more people, and always for the other probes and R² across people, the fit stays as it is, "
    "and the interval covers only the people that are tested. For the clusters, people are drawn with replacement and "
    "their codes clustered again. Intervals are not clipped to the range of a score.",
    "By chance: the score of a code without any information, on the same images. Shown is the median over the rows, "
    "and below it the range; where rows differ much, each cell has its own chance level. Like chance: the interval "
    "contains it.",
    "A sample: one draw from the posterior of each image instead of its mean. A mean can identify a person by "
    "differences far smaller than the noise that the model itself adds.",
    "Random network: the untrained encoder. Pixels + PCA: principal components of the pixels. Subject mean removed: "
    "minus the mean over the same person’s images, which requires knowing who is in each (the paper’s Eq. 6).",
)


def write_audit_report(found: Audit, folder: str | Path) -> Path:
    """Write the page of an audit, a self-contained `report.html`, and its pictures as PNG files beside it.

    The maps and paths show the people held out (`found.about["test_subjects"]`), or everyone if there are none.

    Returns:
        The path of the page.
    """
    folder, frames = Path(folder), found.frames
    shown = frames["subject"].isin(list(found.about.get("test_subjects", ()))).to_numpy(dtype=bool)
    shown = shown if shown.any() else np.ones(len(frames), dtype=bool)
    codes = {feature.name: feature.mean[shown] for feature in found.representations}
    frames = frames[shown].reset_index(drop=True)
    pictures = plot_audit(found.table, codes, frames, found.rising[shown], found.priors)
    for name, picture in pictures.items():
        save_picture(picture, folder / f"{name}.png")
    sections = [findings_section(found.table)]
    first, *others = find_people(found.table)
    for table in TABLES:
        sections.append(scores_section(found.table, table, first))
        sections += [
            picture_section(PICTURES[name][0], pictures[name], PICTURES[name][1])
            for name in table.pictures
            if name in pictures
        ]
    sections += [
        scores_section(found.table, table, people, explain=False) for people in others for table in TABLES
    ]
    return write_page(
        folder / "report.html",
        title="Audit: what the codes contain",
        introduction=introduce(found.about),
        sections=[
            *sections,
            Section("How to read the tables", items=[*HOW_TO_READ, *list_settings(found.about)]),
            commands_section(found.about.get("commands", [])),
        ],
    )


def introduce(about: Mapping[str, Any]) -> list[str]:
    """Return paragraphs that say what the audit asks and what was audited."""
    names = [Path(given).name for given in about.get("inputs", [])]
    counts = [
        (
            f"{count} people, held out or not is unknown"
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
    audited = f"Audited: {join_words(names)}" if names else ""
    return [
        "How much of the person is left in a code that should contain only the expression? How much of the expression "
        "is in a code that should contain only the person? And does the code move as the face does?",
        ". ".join(part for part in (audited, join_words(counts)) if part) + ".",
    ]


def findings_section(table: pd.DataFrame) -> Section | None:
    """Return a section that answers `QUESTIONS` for the first people of the table; None if there are no answers."""
    people = find_people(table)[0]
    chosen = table[(table["people"] == people) & (table["reading"] == "mean")]
    answers = {
        question.text: answer for question in QUESTIONS if (answer := answer_question(chosen, question))
    }
    return Section(f"Findings: {PEOPLE[people]}", [YES], terms=answers) if answers else None


def answer_question(table: pd.DataFrame, question: Question) -> str:
    """Return the answer to a question in words, empty if none of its scores is known.

    Args:
        table: rows of one kind of people and one reading.
    """
    sentences = [_fill_sentence(table, question, sentence) for sentence in question.sentences]
    if not any(sentences):
        return ""
    above: dict[str, bool] = {}  # feature -> whether an interval lies above chance
    for sentence in question.sentences[: question.judged]:
        for row in _select_scores(table, question, sentence):
            if math.isfinite(row["low"]):
                above[row["feature"]] = above.get(row["feature"], False) or row["low"] > row["chance"]
    shown = list(above.values())
    verdict = "" if not shown else "Yes. " if all(shown) else "Not for all. " if any(shown) else "Not shown. "
    return verdict + " ".join(filter(None, [*sentences, _qualify_centred(table, question)]))


def _qualify_centred(table: pd.DataFrame, question: Question) -> str:
    """Return a sentence on subject-centred codes, whose identity scores are at or below chance by construction."""
    judged = [sentence.score for sentence in question.sentences[: question.judged]]
    rows = _list_rows(
        table[
            table["feature"].str.endswith(CENTRED)
            & (table["group"] == "identity")
            & table["score"].isin(judged)
            & (table["reason"] != "")
            & table["low"].notna()
        ]
    )
    rows = [row for row in rows if feature_kind(row["feature"]) == question.about]
    above = {row["feature"] for row in rows if row["low"] > row["chance"]}
    names = [name for name in dict.fromkeys(row["feature"] for row in rows) if name not in above]
    if not names:
        return ""
    codes = join_words(name.removesuffix(CENTRED) for name in names)
    verb = "is" if len(names) == 1 else "are"
    return (
        f"With the subject’s mean removed, {codes} {verb} at or below chance by construction "
        "(see the note below “Who it is”)."
    )


def _select_scores(table: pd.DataFrame, question: Question, sentence: Sentence) -> list[Row]:
    """Return the known scores of the codes that a question is about.

    For swaps, all sentences use the scores of the same judge: an independent one if there is any.
    """
    known = table[table["value"].notna()]
    rows = _list_rows(known[known["score"] == sentence.score])
    if question.about == "swap":
        answers = _list_rows(known[known["score"].isin([each.score for each in question.sentences])])
        independent = any(_find_judge(row) != ITSELF for row in answers)
        return [row for row in rows if (_find_judge(row) != ITSELF) == independent]
    return [
        row
        for row in rows
        if feature_kind(row["feature"]) == question.about and not row["feature"].endswith(CENTRED)
    ]


def _fill_sentence(table: pd.DataFrame, question: Question, sentence: Sentence) -> str:
    """Return "A linear probe names the person in 61 % of the images from z_e (95 %: 52 to 70; chance 8.3)."."""
    rows = _select_scores(table, question, sentence)
    if not rows:
        return ""
    if question.about == "expression code":
        known = _list_rows(table[(table["score"] == sentence.score) & table["value"].notna()])
        baselines = [row for name in sentence.baselines for row in known if row["feature"] == name]
        rows += baselines[:1]
    text = SCORES[sentence.score]
    chances = [format_value(row["chance"], text, short=True) for row in rows]
    parts = []
    for place, (row, chance) in enumerate(zip(rows, chances, strict=True)):
        value = format_value(row["value"], text, short=True)
        figure = value if text.unit != "percent" else f"in {value}\u00a0%" + ("" if place else sentence.unit)
        details = [interval] if (interval := format_interval(row, text)) else []
        if details and not place:
            details = [f"95\u00a0%: {interval}"]
        if math.isfinite(row["chance"]) and not (place and len(set(chances)) == 1):
            details.append(f"chance\u00a0{chance}")
        bracket = f" ({'; '.join(details)})" if details else ""
        parts.append(f"{figure} {sentence.link} {row['feature'].partition(READ_BY)[0]}{bracket}")
    judge = "The model itself" if _find_judge(rows[0]) == ITSELF else _find_judge(rows[0])
    return f"{sentence.text.format(judge=judge)} {join_words(parts)}."


def _find_judge(row: Row) -> str:
    return str(row["feature"]).partition(READ_BY)[2]


def _list_rows(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def scores_section(
    table: pd.DataFrame, shown: ScoreTable, people: str, *, explain: bool = True
) -> Section | None:
    """Return a table with a row per feature and reading and a column per score; None if no score was asked for.

    If no score could be computed, the reasons stand in place of the table.

    Args:
        explain: whether to say what the table and its scores mean.
    """
    chosen = table[
        (table["people"] == people) & table["group"].isin(shown.groups) & ~table["score"].str.startswith(UNIT)
    ]
    if chosen.empty:
        return None
    title = f"{shown.title}: {PEOPLE[people]}"
    if chosen["value"].isna().all():
        reasons = dict.fromkeys(reason for reason in chosen["reason"] if reason)
        return Section(title, [f"No score: {'; '.join(reasons)}."])
    scores = [score for score in SCORES if score in set(chosen["score"])]
    scores += [score for score in dict.fromkeys(chosen["score"]) if score not in SCORES]
    texts = [SCORES.get(score, ScoreText(score, "", "", "", "number")) for score in scores]
    rows = list(dict.fromkeys(zip(chosen["feature"], chosen["reading"], strict=True)))
    features = list(dict.fromkeys(chosen["feature"]))
    rows.sort(key=lambda row: features.index(row[0]))  # a sample follows its mean
    found = {(row["feature"], row["reading"], row["score"]): row for row in _list_rows(chosen)}
    notes = {row: _move_shared_reasons(list(found.values()), *row) for row in rows}

    heads, columns, chances = [], [], []
    for score, text in zip(scores, texts, strict=True):
        cells, note, chance = _column_cells([found.get((*row, score)) for row in rows], text)
        heads.append(Head(text.head, text.name, text.aim, note))
        columns.append(cells)
        chances.append(chance)
    lines = [
        Line(_name_row(feature, reading, notes), [column[place] for column in columns])
        for place, (feature, reading) in enumerate(rows)
    ]
    if any(chance.text for chance in chances):
        lines.append(Line(Cell("by chance"), chances, muted=True))
    others = [text.name or text.head for text in texts if text.unit != "percent"]
    except_for = f" except for {join_words(others)}" if others else ""
    percent = f"In per cent{except_for}. " if len(others) < len(texts) else ""
    terms = {", ".join(filter(None, [text.head, text.name])): text.meaning for text in texts if text.meaning}
    return Section(
        title,
        [shown.introduction] if explain else [],
        heads=heads,
        lines=lines,
        remark=f"{percent}Below a value: its 95 % interval over people.",
        terms=terms if explain else None,
    )


def _move_shared_reasons(rows: Sequence[Row], feature: str, reading: str) -> str:
    """Return the reasons shared by all scores of a group in one row of the page, and remove them from its scores."""
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


def _name_row(feature: str, reading: str, notes: Mapping[tuple[str, str], str]) -> Cell:
    name, _, rest = feature.partition(", ")
    note = notes[feature, reading]
    if reading == "mean":
        return Cell(name, (rest,) * bool(rest), note)
    return Cell("", ("a sample of it",), "" if note == notes.get((feature, "mean")) else note)


def _column_cells(rows: Sequence[Row | None], text: ScoreText) -> tuple[list[Cell], str, Cell]:
    """Return the cells of a column, the note that all of them share, and the cell of the chance level."""
    known = [row for row in rows if row is not None]
    reasons = {row["reason"] for row in known}
    shared = reasons.pop() if len(reasons) == 1 and len(known) > 1 else ""
    chances = sorted(row["chance"] for row in known if math.isfinite(row["chance"]))
    differ = bool(chances) and chances[-1] - chances[0] > CHANCES_APART
    cells = [Cell("") if row is None else _score_cell(row, text, shared, differ) for row in rows]
    if not chances:
        return cells, shared, Cell("")
    low, middle, high = (
        format_value(chance, text) for chance in (chances[0], float(np.median(chances)), chances[-1])
    )
    return cells, shared, Cell(middle, () if low == high else (f"{low} to {high}",))


def _score_cell(row: Row, text: ScoreText, shared: str, with_chance: bool) -> Cell:
    note = "" if row["reason"] == shared else row["reason"]
    value, low, high, chance = (float(row[name]) for name in ("value", "low", "high", "chance"))
    if not math.isfinite(value):
        return Cell("–", note=note)
    below = [format_interval(row, text)]
    if with_chance and math.isfinite(chance):
        below.append(f"chance {format_value(chance, text)}")
    if low <= chance <= high:
        below.append(LIKE_CHANCE)
    return Cell(format_value(value, text), tuple(filter(None, below)), note=note)


def format_value(value: float, text: ScoreText, *, short: bool = False) -> str:
    """Return a value as shown: per cent "61.3" or, short, "61" but "8.3"; numbers "0.41"; counts "38.2"."""
    if not math.isfinite(value):
        return "–"
    if text.unit == "percent":
        value *= 100
        shown = f"{value:.0f}" if short and round(abs(value), 1) >= 10 else f"{value:.1f}"
        shown = shown.removesuffix(".0") if short else shown
    else:
        shown = f"{value:.2f}" if text.unit == "number" else f"{value:.3g}"
    if not shown.strip("-0."):
        return "0"
    return shown.replace("-", "−")


def format_interval(row: Row, text: ScoreText) -> str:
    """Return "52 to 70"; empty if there is no interval."""
    if not math.isfinite(row["low"]) or not math.isfinite(row["high"]):
        return ""
    return f"{format_value(row['low'], text, short=True)} to {format_value(row['high'], text, short=True)}"


def list_settings(about: Mapping[str, Any]) -> list[str]:
    """Return sentences on the columns, apex, clusters, judge and faces of the audit, as far as known."""
    settings = []
    for name, columns in about.get("columns", {}).items():
        if not name.endswith(CENTRED):  # has the same columns
            named = list(columns[:COLUMNS_NAMED])
            named += [f"{len(columns) - len(named)} more"] if len(columns) > len(named) else []
            settings.append(f"{name} consists of the columns {join_words(named)} ({len(columns)}).")
    if apex := about.get("apex"):
        settings.append(f"Along clips: {apex}.")
    if "k" in about:
        settings.append(f"Clusters: k = {about['k']}, mean over {about['seeds']} runs of k-means.")
    judges = [Path(name).name for key in ("judge", "judge_table") if (name := about.get(key))]
    if judges:
        settings.append(f"Swapped images were read by {join_words([*judges, 'the model that made them'])}.")
    if faces := about.get("face_set"):
        names = [str(faces[name]) for name in ("dataset", "importer") if faces.get(name)]
        options = ", ".join(f"{name} {value}" for name, value in (faces.get("options") or {}).items())
        settings.append(f"Faces: {', '.join(dict.fromkeys(names))}{f' ({options})' if options else ''}.")
    return settings


def join_words(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *others, last = list(parts) or [""]
    return f"{', '.join(others)} and {last}" if others else last
