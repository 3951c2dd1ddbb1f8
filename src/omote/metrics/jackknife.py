"""How far a score would move with other people: groups of people are left out in turn and it is computed anew.

The delete-a-group jackknife (Kott, "The delete-a-group jackknife", Journal of Official Statistics, 2001). Drawing
people with replacement, as `bootstrap` does for clusters, is of no use for scores of identity: a person drawn twice
would be found in the copy. Leaving out does without copies, and also counts that the people left out are no longer
there to be taken for someone else. How often the intervals hold the truth: `benchmarks/intervals.py`.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import t

from omote.metrics.score import Answers, Array, Score, as_labels

GROUPS = 20  # at most: so many times a score is computed anew
CONFIDENCE = 0.95
NO_INTERVAL = "no interval: without some of the people there is no score"


def anew(
    scores: Callable[[Array], dict[str, Score]], subjects: Array, *, groups: int = GROUPS
) -> dict[str, Score]:
    """Return scores with their intervals over people.

    A score plus and minus Student's t times the jackknife's standard error. The interval is not cut at the ends of
    the score's range.

    Args:
        scores: (n,) numbers of rows -> their scores; called with all rows, then with all but those of a group of
            people.
        subjects: (N,) ids, or (N, 2) where a row hangs on two people and is left out with either. People go to groups
            in turn, in sorted order.
        groups: at most; as many as people where those are fewer.
    Returns:
        What `scores` returns for all rows, `low` and `high` filled in; they stay nan where there are fewer than
        three people or a score cannot be had without one of the groups.
    """
    subjects = as_labels(subjects)
    people, who = np.unique(subjects, return_inverse=True)
    whole = scores(np.arange(len(subjects)))
    groups = min(groups, len(people))
    if groups < 3 or not any(math.isfinite(score.value) for score in whole.values()):
        return whole
    left_out = (who % groups).reshape(len(subjects), -1)
    without = [scores(np.flatnonzero((left_out != group).all(axis=1))) for group in range(groups)]
    reach = float(t.ppf((1 + CONFIDENCE) / 2, groups - 1))

    def with_interval(name: str, score: Score) -> Score:
        values = np.array([each[name].value for each in without])
        if math.isfinite(score.value) and not np.isfinite(values).all():
            return score._replace(reason="; ".join(filter(None, (score.reason, NO_INTERVAL))))
        error = reach * math.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum())
        return score._replace(low=score.value - error, high=score.value + error)

    return {name: with_interval(name, score) for name, score in whole.items()}


def mean(answers: Answers) -> Score:
    """Return the mean of the rows that were asked, without an interval."""
    values = answers.values[np.isfinite(answers.values)]
    return Score(
        float(values.mean()) if len(values) else math.nan, chance=answers.chance, reason=answers.reason
    )


def mean_of(answers: Answers, subjects: Array) -> Score:
    """Return the mean of the rows that were asked, with its interval over people.

    What gave the answers, a fitted probe for example, stays as it was: the interval is over the people it is asked
    about, not over those it was fitted on, and too narrow for a dozen people (`benchmarks/intervals.py`).

    Args:
        subjects: as of `anew`.
    """
    asked = np.isfinite(answers.values)
    answers = answers._replace(values=answers.values[asked])

    def of(rows: Array) -> dict[str, Score]:
        return {"mean": mean(answers._replace(values=answers.values[rows]))}

    return anew(of, as_labels(subjects)[asked])["mean"] if asked.any() else mean(answers)
