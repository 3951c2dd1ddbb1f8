"""Which of the paper's claims about the order of its Table 3 hold here, by one rule for all."""

import math
from typing import Literal, NamedTuple

from omote.evaluation.protocol import People
from omote.figures.paper.curves import NAMES
from omote.reproduction.results import Difference, Estimate, Results
from omote.reproduction.rows import ROWS

Verdict = Literal["holds", "does not hold", "not settled"]


PEOPLE: tuple[People, ...] = ("train", "test")


class Order(NamedTuple):
    """What the paper says of the order of Table 3: row `low` is below each of the rows `high`."""

    name: str
    words: str
    low: int
    high: tuple[int, ...]
    tie: bool = False  # equal accuracies are in its favour


ORDERS = (
    Order("2 < 1", "L_gan alone lowers the accuracy", 2, (1,)),
    Order("1 < 3", "L_gan with L_switch raises it", 1, (3,)),
    Order("3 ≤ 4", "iterating the stages does not lower it", 3, (4,), tie=True),
    Order("4 ≤ 5", "faces of 128 px do not lower it", 4, (5,), tie=True),
    Order("6 lowest", "a plain VAE is below every other row", 6, (1, 2, 3, 4, 5, 7, 8)),
)


RULE = (
    "A claim holds where the whole interval and every single training are above 0 (for ≤: not below it), does not hold "
    "where all of them are below 0, and is not settled otherwise: no difference found is not proof of none. Intervals "
    "are over people drawn anew, of the mean over the trainings, and not corrected for asking several questions. "
    "“6 lowest” holds where every row is above row 6, and shows the row that decides; for people held out it asks the "
    "rows that have a figure in the paper."
)


class Claim(NamedTuple):
    """One claim of the paper about the order of its rows, put to our figures."""

    order: Order
    people: People
    verdict: Verdict | None  # None where there is nothing to judge; the remark says why
    difference: Difference | None  # high minus low; of several, the one that decides
    remark: str  # which rows could not be asked

    @property
    def sentence(self) -> str:
        """The claim, the verdict and the numbers in one line of text."""
        start = f"{self.order.name} ({self.order.words}), {NAMES[self.people]}"
        if self.difference is None:
            return f"{start}: {self.remark}"
        d = self.difference
        end = f"; {self.remark}" if self.remark else ""
        return (
            f"{start}: {self.verdict}; row {d.second} − row {d.first} is {signed(d.value)} points, "
            f"95 % {interval_text(d)}{end}"
        )


def claims(results: Results) -> list[Claim]:
    """Return for every claim of the paper about its order, and for people of the training and people held out, whether
    it holds here.

    The rule, the same for all. Let d be the accuracy of the row that should be higher minus that of the row that should
    be lower, its 95 % interval the bootstrap over people of the mean over trainings, and d_s the difference of the
    trainings with seed s. A claim with "<"

    - holds where the whole interval and every d_s are above 0;
    - does not hold where the whole interval and every d_s are below 0;
    - is not settled otherwise: the interval contains 0 or is not known, or trainings disagree on the sign.

    A claim with "≤" holds where they are above 0 or 0, else the same: no difference found is not proof of none. "6
    lowest" is row 6 < r for every other row r that has a figure in the paper; it does not hold where one of them does
    not, and holds where all do. Rows that were not run, or have no score, are left out of it and named in the remark;
    a claim without any pair to judge has no verdict and no difference. Intervals are not corrected for several claims.
    """
    return [_claim(order, people, results) for order in ORDERS for people in PEOPLE]


def _claim(order: Order, people: People, results: Results) -> Claim:
    judged: list[tuple[Verdict, Difference]] = []
    remarks: list[str] = []
    for high in order.high:
        if people == "test" and ROWS[high].test is None:
            continue  # so it is in the paper
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
    """Return accuracy(high) - accuracy(low), or why there is none."""
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
                turned = tuple(-each for each in d.by_training)
                return Difference(low, high, people, -d.value, -d.high, -d.low, turned)
    return f"rows {low} and {high} were not compared"


def _verdict(d: Difference, tie: bool) -> Verdict:
    if all(each > 0 or (tie and each == 0) for each in (d.low, *d.by_training)):
        return "holds"
    if all(each < 0 for each in (d.high, *d.by_training)):
        return "does not hold"
    return "not settled"


def signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def interval_text(of: Estimate | Difference) -> str:
    return f"{points(of.low)} to {points(of.high)}" if not math.isnan(of.low) else "not known"


def points(share: float, digits: int = 1) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}".replace("-", "−")
