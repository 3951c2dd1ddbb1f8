"""Table 3 with the paper's figures beside ours, as a DataFrame, CSV and LaTeX."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from omote.errors import OmoteError
from omote.evaluation.protocol import People
from omote.figures.page import format_duration
from omote.figures.paper.curves import PEOPLE_NAMES
from omote.files import write_text
from omote.formulas import write_csv
from omote.reproduction.claims import PEOPLE
from omote.reproduction.results import Results


def make_table(results: Results) -> pd.DataFrame:
    """Return Table 3 with all shares in per cent; unknown values are empty.

    Columns: row, method, size (px), trainings (their number), and with the prefixes "train" and "test": `_paper` and
    `_paper_deviation` as printed; `_mean`; `_kmeans_deviation` (over k-means seeds, the paper's ±);
    `_training_deviation` (over training seeds); `_low` and `_high` (95 % interval over people); `_chance`; `_remark`
    (why there is no figure, or a note on it).
    """
    lines = []
    for row, accuracy, _ in results.rows:
        line: dict[str, Any] = {
            "row": row.number,
            "method": row.title,
            "size": row.size,
            "trainings": results.about.get("trainings", {}).get(row.number, pd.NA),
        }
        for people in PEOPLE:
            printed, ours = row.train if people == "train" else row.test, accuracy[people]
            mean, deviation = printed or (math.nan, math.nan)
            numbers = {"paper": mean, "paper_deviation": deviation, "mean": 100 * ours.value}
            numbers |= {
                key: 100 * value for key, value in ours._asdict().items() if key not in ("value", "reason")
            }
            line |= {f"{people}_{key}": round(value, 4) for key, value in numbers.items()}
            line[f"{people}_remark"] = ours.reason
        lines.append(line)
    return pd.DataFrame(lines)


def make_differences(results: Results) -> pd.DataFrame:
    """Return the paired differences in per cent.

    Columns: first, second, people, difference (accuracy of row `second` minus that of row `first`), low, high (95 %
    interval over people and trainings), training_1, training_2, ..., one per training seed, and p (two-sided, not
    corrected for several comparisons).
    """
    return pd.DataFrame(
        [
            {"first": d.first, "second": d.second, "people": d.people}
            | {
                key: round(100 * value, 4)
                for key, value in {
                    "difference": d.value,
                    "low": d.low,
                    "high": d.high,
                    **{f"training_{k}": each for k, each in enumerate(d.by_training, start=1)},
                }.items()
            }
            | {"p": round(d.p, 6)}
            for d in results.differences
        ]
    )


def write_table_csv(results: Results, path: Path) -> None:
    """Write `make_table` as a CSV file, atomically."""
    write_text(path, write_csv(make_table(results)))


def write_differences_csv(results: Results, path: Path) -> None:
    """Write `make_differences` as a CSV file, atomically."""
    write_text(path, write_csv(make_differences(results)))


def write_table_tex(results: Results, path: Path) -> None:
    """Write Table 3 as LaTeX; the only package it needs is booktabs.

    Raises:
        OmoteError: If no row was run.
    """
    check_rows(results)
    lines = [
        "% Written by omote reproduce. Needs \\usepackage{booktabs}.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{Expression recognition accuracy in per cent. {_tex(headline(results))}}}",
        r"\label{tab:omote}",
        r"\medskip",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{2pt}",
        r"\begin{tabular}{@{}rlcccc@{}}",
        r"\toprule",
        rf"& & \multicolumn{{2}}{{c}}{{{PEOPLE_NAMES['train']}}} & \multicolumn{{2}}{{c}}{{{PEOPLE_NAMES['test']}}} \\",
        r"\cmidrule(lr){3-4} \cmidrule(l){5-6}",
        r"& method & paper & ours & paper & ours \\",
        r"\midrule",
    ]
    for row, accuracy, _ in results.rows:
        cells = [str(row.number), _tex(row.title)]
        below = ["", rf"{{\scriptsize {row.size} px}}"]
        for printed, ours in ((row.train, accuracy["train"]), (row.test, accuracy["test"])):
            cells += [_plus_minus(*printed) if printed else "--", "--"]
            below += ["", ""]
            if not math.isnan(ours.value):
                cells[-1] = _plus_minus(100 * ours.value, 100 * ours.kmeans_deviation)
                trainings = _tex_number(100 * ours.training_deviation)
                low, high = (_tex_number(100 * bound) for bound in (ours.low, ours.high))
                below[-1] = rf"{{\scriptsize ({trainings}) [{low}, {high}]}}"
        lines += [" & ".join(cells) + r" \\", " & ".join(below) + r" \\[2pt]"]
    chances = [chance_range(results, people) or "–" for people in PEOPLE]
    lines += [
        r"\midrule",
        rf"& by chance & & {chances[0]} & & {chances[1]} \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"",
        r"\medskip",
        r"\parbox{0.95\linewidth}{\footnotesize $\pm$: standard deviation over 100 seeds of $k$-means, in the paper "
        r"and here. Ours: mean over trainings; in parentheses the standard deviation over training seeds, in brackets "
        r"the 95\,\% interval over people (bootstrap). --: no figure.}",
        r"\end{table}",
    ]
    write_text(path, "\n".join(lines) + "\n")


def _tex(text: str) -> str:
    """Return text as LaTeX that prints it; control characters, also those that end a paragraph, are left out."""
    text = "".join(sign for sign in text if sign.isspace() or unicodedata.category(sign)[0] != "C")
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"≤": r"$\le$", "−": "$-$"}
    symbols = re.split(r"\b(L_[a-z]+)\b", " ".join(text.split()))  # losses are typeset as in the paper
    return "".join(
        rf"$L_{{\mathrm{{{part[2:]}}}}}$" if k % 2 else "".join(special.get(sign, sign) for sign in part)
        for k, part in enumerate(symbols)
    )


def _tex_number(value: float, digits: int = 1) -> str:
    return "--" if math.isnan(value) else f"{value:.{digits}f}"


def _plus_minus(mean: float, deviation: float) -> str:
    return rf"${mean:.2f} \pm {deviation:.2f}$" if not math.isnan(deviation) else f"{mean:.2f}"


def chance_range(results: Results, people: People) -> str:
    """Return the chance level in per cent, lowest to highest over the rows; empty if unknown."""
    known = sorted(result.accuracy[people].chance for result in results.rows)
    known = [100 * chance for chance in known if not math.isnan(chance)]
    return "–".join(dict.fromkeys(f"{chance:.1f}" for chance in known[:1] + known[-1:]))


def headline(results: Results) -> str:
    """Return one sentence with the rows, scale, faces, people, trainings and duration."""
    about = results.about
    numbers = [result.row.number for result in results.rows]
    seconds = about.get("seconds", {})
    sentence = (
        f"{'Row' if len(numbers) == 1 else 'Rows'} {_list_numbers(numbers)} of the paper’s Table 3 at {about['scale']} "
        f"scale on {about['faces']}: {count_people(about)}"
    )
    if seconds:
        sentence += (
            f"; {len(seconds)} training{'s' * (len(seconds) > 1)}, {format_duration(sum(seconds.values()))}"
        )
        sentence += " in total" if len(seconds) > 1 else ""
    return sentence + "."


def count_people(about: Mapping[str, Any]) -> str:
    """Return how many people were trained on and held out, as one phrase."""
    train, test, folds = about["train"]["subjects"], about["test"]["subjects"], about.get("folds", 1)
    if folds > 1:
        return f"{train:,} people, held out in turn in {folds} folds"
    return f"{train:,} people to train, {test:,} held out"


def _list_numbers(numbers: Sequence[int]) -> str:
    if len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return " and ".join(filter(None, [", ".join(map(str, numbers[:-1])), str(numbers[-1])]))


def check_rows(results: Results) -> None:
    """Raise OmoteError if no row was run."""
    if not results.rows:
        raise OmoteError("no row was run, so there is nothing to report; name some of the rows 1 to 8")
