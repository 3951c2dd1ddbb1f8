"""The paper's claims about the order of the rows of Table 3, all judged by one rule."""

import math
from typing import Literal, NamedTuple

from omote.evaluation.protocol import People
from omote.figures.paper.curves import PEOPLE_NAMES
from omote.reproduction.results import Difference, Estimate, Results
from omote.reproduction.rows import ROWS

Verdict = Literal["holds", "does not hold", "not settled"]
PEOPLE: tuple[People, ...] = ("train", "test")


class Order(NamedTuple):
    """A claim of the paper about the order of Table 3: row `low` is below each of the rows `high`."""

    name: str
    words: str
    low: int
    high: tuple[int, ...]
    tie: bool = False  # equal accuracies support the claim


ORDERS = (
    Order("2 < 1", "L_gan alone lowers the accuracy", 2, (1,)),
    Order("1 < 3", "L_gan with L_switch raises it", 1, (3,)),
    Order("3 ≤ 4", "iterating the stages does not lower it", 3, (4,), tie=True),
    Order("4 ≤ 5", "faces of 128 px do not lower it", 4, (5,), tie=True),
    Order("6 lowest", "a plain VAE is below every other row", 6, (1, 2, 3, 4, 5, 7, 8)),
)
RULE = (
    "A claim holds if the whole interval and every single training are above 0 (for ≤: not below 0). It does not hold "
    "if all of them are below 0. Otherwise it is not settled: a difference that was not found may still exist. "
    "Intervals are bootstrap intervals over people for the mean over trainings, without correction for several "
    "comparisons. “6 lowest” holds if every other row is above row 6; the row that decides is shown. For people held "
    "out, only rows with a figure in the paper count."
)


class Claim(NamedTuple):
    """One claim of the paper, judged by our results."""

    order: Order
    people: People
    verdict: Verdict | None  # None if there is nothing to judge; the remark says why
    difference: Difference | None  # high minus low; among several, the one that decides
    remark: str  # which rows could not be compared, and why

    @property
    def sentence(self) -> str:
        """Claim, verdict and numbers in one line of text."""
        start = f"{self.order.name} ({self.order.words}), {PEOPLE_NAMES[self.people]}"
        if self.difference is None:
            return f"{start}: {self.remark}"
        d = self.difference
        end = f"; {self.remark}" if self.remark else ""
        return (
            f"{start}: {self.verdict}; row {d.second} − row {d.first} is {signed_percent(d.value)} points, "
            f"95 % {interval_text(d)}{end}"
        )


def judge_claims(results: Results) -> list[Claim]:
    """Return a verdict for every claim in `ORDERS`, for training people and for people held out.

    All claims are judged by one rule. Let d be the accuracy of the row that should be higher minus the accuracy of the
    row that should be lower, with its 95 % interval (bootstrap over people, for the mean over trainings), and let d_s
    be the difference between the two trainings with seed s. A claim with "<"

    - holds if the whole interval and every d_s are above 0;
    - does not hold if the whole interval and every d_s are below 0;
    - is not settled otherwise: the interval contains 0 or is not known, or the trainings disagree on the sign.

    A claim with "≤" also holds if some of these numbers are 0. "6 lowest" is the claim row 6 < r for every other row r
    with a figure in the paper: it holds if all of them hold, and does not hold if one of them does not. Rows that were
    not run, or have no score, are ignored there and named in the remark. A claim without any pair to judge has neither
    verdict nor difference. Intervals are not corrected for several comparisons.
    """
    return [_claim(order, people, results) for order in ORDERS for people in PEOPLE]


def _claim(order: Order, people: People, results: Results) -> Claim:
    judged: list[tuple[Verdict, Difference]] = []
    remarks: list[str] = []
    for high in order.high:
        if people == "test" and ROWS[high].test is None:
            continue  # the paper has no figure either
        found = _difference(results, order.low, high, people)
        if isinstance(found, Difference):
            judged.append((_verdict(found, order.tie), found))
        elif found not in remarks:
            remarks.append(found)
    remark = ", ".join(remarks)
    if not judged:
        return Claim(order, people, None, None, remark)
    severity: list[Verdict] = ["does not hold", "not settled", "holds"]
    verdict, decides = min(judged, key=lambda pair: (severity.index(pair[0]), pair[1].value))
    return Claim(order, people, verdict, decides, remark)


def _difference(results: Results, low: int, high: int, people: People) -> Difference | str:
    """Return accuracy(high) - accuracy(low), or the reason why it is missing."""
    of_number = {result.row.number: result for result in results.rows}
    for number in (low, high):
        if (result := of_number.get(number)) is None:
            return f"row {number} was not run"
        if math.isnan(result.accuracy[people].value):
            return f"row {number} has no score ({result.accuracy[people].reason})"
    for d in results.differences:
        if d.people == people and not math.isnan(d.value):
            if (d.first, d.second) == (low, high):
                return d
            if (d.first, d.second) == (high, low):
                reversed_ = tuple(-each for each in d.by_training)
                return Difference(low, high, people, -d.value, -d.high, -d.low, reversed_)
    return f"rows {low} and {high} were not compared"


def _verdict(d: Difference, tie: bool) -> Verdict:
    if all(each > 0 or (tie and each == 0) for each in (d.low, *d.by_training)):
        return "holds"
    if all(each < 0 for each in (d.high, *d.by_training)):
        return "does not hold"
    return "not settled"


def signed_percent(share: float) -> str:
    """Return a share in [-1, 1] as a percentage with its sign and one decimal."""
    return f"{100 * share:+.1f}".replace("-", "−")


def interval_text(result: Estimate | Difference) -> str:
    """Return the 95 % interval of a result, in per cent."""
    return f"{percent(result.low)} to {percent(result.high)}" if not math.isnan(result.low) else "not known"


def percent(share: float, digits: int = 1) -> str:
    """Return a share in [-1, 1] as a percentage, or a dash for NaN."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}".replace("-", "−")
