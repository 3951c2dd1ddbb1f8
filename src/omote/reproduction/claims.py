"""The paper's claims about the order of the rows of Table 3, all judged by one rule."""

import math
from typing import Literal, NamedTuple

from omote.evaluation.protocol import People
from omote.figures.paper.curves import PEOPLE_NAMES
from omote.metrics.intervals import CONFIDENCE, holm
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


ORDERS = (
    Order("2 < 1", "L_gan alone lowers the accuracy", 2, (1,)),
    Order("1 < 3", "L_gan with L_switch raises it", 1, (3,)),
    Order("3 ≤ 4", "iterating the stages does not lower it", 3, (4,)),
    Order("4 ≤ 5", "faces of 128 px do not lower it", 4, (5,)),
    Order("6 lowest", "a plain VAE is below every other row", 6, (1, 2, 3, 4, 5, 7, 8)),
)
RULE = (
    "A claim holds, or does not hold, if the difference is above, or below, 0 by more than other people and other "
    "trainings explain. Otherwise it is not settled: a difference that was not found may still exist. Intervals are "
    "over people and trainings; with one training there is none, and nothing is settled. The chance that any verdict "
    "of this table is wrong by accident is at most 5 % (Holm’s correction), so a claim may be unsettled although its "
    "interval leaves out 0. “6 lowest” holds if every other row is above row 6; the row that decides is shown. For "
    "people held out, only rows with a figure in the paper count."
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
    row that should be lower, and p its p-value over people and trainings (`omote.metrics.intervals.compare_trainings`),
    corrected by Holm's procedure for the number of claims that can be judged. If p is at most 0.05, the claim holds
    where d is above 0, and does not hold where d is below 0. Otherwise it is not settled. "At most" is judged as "less
    than": that two rows are equal cannot be shown.

    "6 lowest" is the claim row 6 < r for every other row r with a figure in the paper. If all differences are above 0,
    the largest p decides; otherwise the smallest of those below 0, multiplied by the number of rows compared. Rows that
    were not run, or have no score, are ignored there and named in the remark. A claim without any pair to judge has
    neither verdict nor difference.
    """
    claims = [_compare(order, people, results) for order in ORDERS for people in PEOPLE]
    judged = [number for number, (claim, _) in enumerate(claims) if claim.difference]
    adjusted = dict(zip(judged, holm([claims[number][1] for number in judged]), strict=True))
    return [
        claim._replace(verdict=_verdict(claim.difference, adjusted[number])) if claim.difference else claim
        for number, (claim, _) in enumerate(claims)
    ]


def _compare(order: Order, people: People, results: Results) -> tuple[Claim, float]:
    """Return a claim, its verdict still missing, with the difference that decides and its p-value."""
    found: list[Difference] = []
    remarks: list[str] = []
    for high in order.high:
        if people == "test" and ROWS[high].test is None:
            continue  # the paper has no figure either
        difference = _difference(results, order.low, high, people)
        if isinstance(difference, Difference):
            found.append(difference)
        elif difference not in remarks:
            remarks.append(difference)
    decides, p = None, 1.0
    if against := [d for d in found if d.value <= 0]:
        decides = min(against, key=lambda d: (d.p, d.value))
        p = min(1.0, len(found) * decides.p)
    elif found:
        decides = max(found, key=lambda d: (d.p, -d.value))
        p = decides.p
    return Claim(order, people, None, decides, ", ".join(remarks)), p


def _verdict(difference: Difference, p: float) -> Verdict:
    if p > 1 - CONFIDENCE:
        return "not settled"
    return "holds" if difference.value > 0 else "does not hold"


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
                return Difference(low, high, people, -d.value, -d.high, -d.low, d.p, reversed_)
    return f"rows {low} and {high} were not compared"


def signed_percent(share: float) -> str:
    """Return a share in [-1, 1] as a percentage with its sign and one decimal."""
    return f"{100 * share:+.1f}".replace("-", "−")


def interval_text(result: Estimate | Difference) -> str:
    """Return the 95 % interval of a result, in per cent."""
    return f"{percent(result.low)} to {percent(result.high)}" if not math.isnan(result.low) else "not known"


def percent(share: float, digits: int = 1) -> str:
    """Return a share in [-1, 1] as a percentage, or a dash for NaN."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}".replace("-", "−")
