"""Whether a code moves with the expression along a clip, and whether decoded images move with the code.

Asked of the rise of a clip: from its first frame up to its apex, which is found in the pictures or in the true
action units and never in the code that is asked, so that every code is asked about the same frames. No label is
needed but for the agreement between people.

No score stands alone. Anything that drifts slowly moves in order, the light for example: set the scores beside
those of the baselines. A code that jumps from one state to another is straight, but not smooth.
"""

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.stats import rankdata

from omote.metrics.score import (
    SAME,
    Answers,
    Array,
    Score,
    as_labels,
    mean_score,
    no_answers,
    no_score,
    numbered,
    why_not,
)

CONTINUITY_SCORES = ("order", "straightness", "smoothness", "path_agreement")
INTERPOLATION_SCORES = ("evenness", "directness")
NEUTRAL = "neutral"  # the label of what is no expression

REACHED = 0.95  # of the farthest: the apex is the first frame so far, as there is no order on a plateau
REACHED_IN_PIXELS = 0.8  # lower: head and light move on when the face does not, and late is worse than early
MOVED = 0.1  # of an action unit's range: a clip in which none moves so far is neutral
LEAST = 4  # frames of a rise: with two between its ends they can be in another order
ORDERS = 20  # drawn of the frames of a clip, for the chance
GREY_LEVEL = 1.0  # of 255: what rounding to uint8 can make


def rising_by_pixels(faces: Array, subjects: Any, clips: Any, frames: Array) -> Array:
    """Return (N,) bool: the frames from a clip's first up to its apex, found in the pictures.

    The apex is the first frame that is 80 % as far from the clip's first frame as the farthest is: root mean squared
    difference of the grey faces, each less its mean and blurred by a Gaussian of a 32nd of its side. In drawn
    clips of 12 frames that is within a frame of the apex by `rising_by_factors` five times in six, mostly before it.
    Head and light move in a neutral clip too: it is not told from the others here, and is asked.

    Args:
        faces: (N, S, S, 3) uint8 RGB; read clip by clip.
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
        frames: (N,) numbers that put the frames of a clip in order.
    """
    rising = np.zeros(len(faces), dtype=bool)
    for rows in _clips_in_order(subjects, clips, frames):
        grey = [cv2.cvtColor(faces[row], cv2.COLOR_RGB2GRAY).astype(np.float32) for row in rows]
        blurred = np.stack([cv2.GaussianBlur(face - face.mean(), (0, 0), len(face) / 32) for face in grey])
        distance = np.sqrt(((blurred - blurred[0]) ** 2).mean(axis=(1, 2)))
        rising[_rise(rows, distance, REACHED_IN_PIXELS)] = True
    return rising


def rising_by_factors(action_units: Array, subjects: Any, clips: Any, frames: Array) -> Array:
    """Return (N,) bool: the frames from a clip's first up to its apex, by the true action units.

    The apex is the first frame 95 % as far from the clip's first frame as the farthest, in the sum of the changes
    of all action units, up or down. Of a clip in which none of them moves by 0.1, no frame is rising: it is neutral.

    Args:
        action_units: (N, F), each from 0 to 1; without gaze, pupils and blinks, which come and go by themselves: a
            blink in a neutral clip would pass for its expression.
        subjects, clips, frames: as in `rising_by_pixels`.
    """
    rising = np.zeros(len(action_units), dtype=bool)
    for rows in _clips_in_order(subjects, clips, frames):
        change = np.abs(action_units[rows] - action_units[rows[0]])
        if change.max() >= MOVED:
            rising[_rise(rows, change.sum(axis=1), REACHED)] = True
    return rising


def continuity_scores(
    features: Array, subjects: Any, clips: Any, frames: Array, rising: Array, expressions: Any
) -> dict[str, Score]:
    """Return `CONTINUITY_SCORES` of a code along the rise of each clip; means over the clips.

    - order: Spearman's correlation of the order of the frames with their distance from the clip's first, in
      [-1, 1]. The first frame itself is left out: its distance is 0 in any code. Chance is 0. Clips all of whose
      frames are equally far have no order and are left out.
    - straightness: the distance from first frame to apex over the length of the path between, in [0, 1].
    - smoothness: the mean cosine of successive steps, in [-1, 1]: 1 along a straight line, 0 of a random walk,
      -1/2 of noise round a point in many dimensions. A step of no length has cosine 0.
    - path_agreement: the mean cosine between the direction of a clip, from first frame to apex, and those of other
      people's clips of the same expression, in [-1, 1]. Chance is that with other people's clips of *other*
      expressions: what is above it is of the expression, the rest is common to all.

    Chance of straightness and smoothness is theirs with the frames between the two ends of each clip in random
    order (20 orders, seed 0). It is -1/2 for noise, and higher the more the ends differ from each other.

    Clips with fewer than 4 rising frames are asked about agreement alone, those along which the code does not move
    about nothing. The deviation is between subjects, over each one's mean.

    Args:
        features: (N, D); all frames of a clip, not only the labelled ones.
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
        frames: (N,) numbers that put the frames of a clip in order.
        rising: (N,) bool, from `rising_by_factors` or `rising_by_pixels`.
        expressions: (N,) labels, missing where unknown. A clip is of the one expression, other than "neutral", that
            its frames show; with none or several it is not asked about agreement.
    Returns:
        All nan with one reason if there are no images, NaN or collapsed features, or single photos only. The first
        three also if no clip has 4 rising frames and a code that moves along them; `path_agreement` if no two people
        have such a clip of the same expression.
    Raises:
        ValueError: If the lengths differ, or a subject or clip is missing.
    """
    frames, rising = np.asarray(frames), np.asarray(rising, dtype=bool)
    labels = np.asarray(expressions, dtype=object)
    lengths = [len(column) for column in (features, subjects, clips, frames, rising, labels)]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"features, subjects, clips, frames, rising and expressions of lengths {lengths}; expected N of each"
        )
    if reason := why_not(features, frames, "frame number"):
        return dict.fromkeys(CONTINUITY_SCORES, no_score(reason))
    x = features.astype(np.float64)
    rounding = SAME * np.abs(x).max()
    in_order = _clips_in_order(subjects, clips, frames)
    who = numbered(as_labels(subjects))[[rows[0] for rows in in_order]]
    rises = [x[rows[rising[rows]]] for rows in in_order]
    shown = [_expression(labels[rows]) for rows in in_order]
    return {**_along(rises, who, rounding), "path_agreement": _path_agreement(rises, shown, who, rounding)}


def interpolation_scores(strips: Array) -> dict[str, Answers]:
    """Return `INTERPOLATION_SCORES` of every strip: whether equal steps in the code give equal steps in the image.

    A step is the root mean squared difference of neighbouring images.

    - evenness: the mean step over the largest, in (0, 1]: 1 for equal steps, 1/(T-1) for a cut, all of the change in
      one step. The largest counts because one jump among even steps is what the eye sees; an entropy hardly would.
    - directness: the difference of the ends over the sum of the steps, in [0, 1]: 1 for a cross-fade, 0 for a way
      there and back. Images that have nothing to do with each other have even steps but directness 1/(T-1).
      Parts of a face that move over each other lower it too: it need not be 1, and is there to judge evenness by.

    The chance of both is 1/(T-1), which is the worst of evenness. It is also the product of the two (the difference
    of the ends over T-1 largest steps) for a cut, and for images that have nothing to do with each other.

    Args:
        strips: (P, T, S, S, 3) uint8, T at least 3, decoded at `np.linspace(code_a, code_b, T, axis=1)`.
    Returns:
        Answers over the P strips, nan for one in which no image differs from the first by a grey level, root mean
        squared: that is rounding.
    Raises:
        ValueError: If the strips have another shape.
    """
    if strips.ndim != 5 or strips.shape[1] < 3:
        raise ValueError(f"strips of shape {strips.shape}; expected (P, T, S, S, 3) with T at least 3")
    evenness, directness = np.full(len(strips), np.nan), np.full(len(strips), np.nan)
    for number, strip in enumerate(strips):
        images = strip.astype(np.float32)
        steps = _difference(images[1:], images[:-1])
        from_first = _difference(images, images[0])
        if from_first.max() >= GREY_LEVEL:
            evenness[number] = steps.mean() / steps.max()
            directness[number] = from_first[-1] / steps.sum()
    if not np.isfinite(evenness).any():
        reason = "no strip changes" if len(strips) else "there are no strips"
        return dict.fromkeys(INTERPOLATION_SCORES, no_answers(len(strips), reason))
    chance = 1 / (strips.shape[1] - 1)
    return {"evenness": Answers(evenness, chance), "directness": Answers(directness, chance)}


def _clips_in_order(subjects: Any, clips: Any, frames: Array) -> list[Array]:
    """Return the rows of each clip, in the order of their frames."""
    if not len(frames):
        return []
    clip = numbered(as_labels(subjects), as_labels(clips))
    order = np.lexsort((np.asarray(frames), clip))
    return np.split(order, np.flatnonzero(np.diff(clip[order])) + 1)


def _rise(rows: Array, distance: Array, reached: float) -> Array:
    """Return the rows up to the first that is `reached` as far as the farthest."""
    return rows[: np.argmax(distance >= reached * distance.max()) + 1]


def _lengths(steps: Array) -> Array:
    lengths: Array = np.sqrt((steps**2).sum(axis=-1))
    return lengths


def _difference(images: Array, others: Array) -> Array:
    """Return (T,) root mean squared differences of images (T, S, S, 3)."""
    differences: Array = np.sqrt(((images - others) ** 2).mean(axis=(1, 2, 3), dtype=np.float64))
    return differences


def _along(rises: list[Array], who: Array, rounding: float) -> dict[str, Score]:
    """Return the scores of each clip by itself; `rises` are the codes (T, D) up to the apex, `who` the subjects."""
    asked = [clip for clip, path in enumerate(rises) if len(path) >= LEAST]
    moving = [clip for clip in asked if _lengths(rises[clip] - rises[clip][0]).max() > rounding]
    if not moving:
        reason = "the code does not move along any clip" if asked else f"no clip has {LEAST} rising frames"
        return dict.fromkeys(CONTINUITY_SCORES[:3], no_score(reason))
    notes = []
    if short := len(rises) - len(asked):
        notes.append(f"{short} of {len(rises)} clips have fewer than {LEAST} rising frames")
    if still := len(asked) - len(moving):
        notes.append(f"in {still} clips the code does not move")
    note = " and ".join(notes) + (": not asked" if notes else "")
    rng = np.random.default_rng(0)
    order = np.array([_order(rises[clip]) for clip in moving])
    straight, smooth, straight_chance, smooth_chance = np.array(
        [_straight_and_smooth(rises[clip], rng, rounding) for clip in moving]
    ).T
    seen = np.isfinite(order)
    who = who[moving]
    return {
        "order": _mean_of_clips(order[seen], 0.0, who[seen], note)
        if seen.any()
        else no_score("along every clip the code is equally far from the first frame"),
        "straightness": _mean_of_clips(straight, straight_chance.mean(), who, note),
        "smoothness": _mean_of_clips(smooth, smooth_chance.mean(), who, note),
    }


def _order(path: Array) -> float:
    """Return Spearman's correlation of order and distance, nan if all are equally far from the first."""
    rank = rankdata(_lengths(path[1:] - path[0]))  # not `spearmanr`, which costs a millisecond a clip
    rank -= rank.mean()
    place = np.arange(len(rank)) - (len(rank) - 1) / 2
    return float(rank @ place / np.sqrt((rank @ rank) * (place @ place))) if rank.any() else np.nan


def _straight_and_smooth(path: Array, rng: np.random.Generator, rounding: float) -> Array:
    """Return (4,) straightness and smoothness of a path (T, D), and their means over random orders of its frames."""
    orders = np.tile(np.arange(len(path)), (1 + ORDERS, 1))
    orders[1:, 1:-1] = rng.permuted(orders[1:, 1:-1], axis=1)
    steps = np.diff(path[orders], axis=1)
    lengths = _lengths(steps)
    products = lengths[:, 1:] * lengths[:, :-1]
    cosines = np.divide(
        (steps[:, 1:] * steps[:, :-1]).sum(axis=2),
        products,
        out=np.zeros_like(products),
        where=(lengths[:, 1:] > rounding) & (lengths[:, :-1] > rounding),
    )
    straight, smooth = _lengths(path[-1] - path[0]) / lengths.sum(axis=1), cosines.mean(axis=1)
    return np.array([straight[0], smooth[0], straight[1:].mean(), smooth[1:].mean()])


def _path_agreement(rises: list[Array], expressions: list[str | None], who: Array, rounding: float) -> Score:
    ends = [path[-1] - path[0] if len(path) else np.zeros(path.shape[1]) for path in rises]
    lengths = _lengths(np.array(ends))
    kept = np.array([label is not None for label in expressions]) & (lengths > rounding)
    directions = np.array(ends)[kept] / lengths[kept, None]
    label, who = np.array(expressions, dtype=object)[kept], who[kept]
    cosines = directions @ directions.T
    others = who[:, None] != who
    same = (label[:, None] == label) & others
    different = others & ~same
    asked, comparable = same.any(axis=1), different.any(axis=1)
    if not asked.any():
        return no_score("no two people have a clip of the same expression along which the code moves")
    agreement = (cosines * same).sum(axis=1)[asked] / same.sum(axis=1)[asked]
    if not comparable.any():
        return _mean_of_clips(
            agreement, np.nan, who[asked], "all clips show one expression: chance is unknown"
        )
    chance = (cosines * different).sum(axis=1)[comparable] / different.sum(axis=1)[comparable]
    return _mean_of_clips(agreement, chance.mean(), who[asked], "")


def _expression(labels: Iterable[Any]) -> str | None:
    """Return the one expression that the frames of a clip show beside neutral, or None."""
    shown = {str(label) for label in labels if not pd.isna(label)} - {NEUTRAL}
    return shown.pop() if len(shown) == 1 else None


def _mean_of_clips(values: Array, chance: float, who: Array, note: str) -> Score:
    """Return the mean over the clips, its deviation between people."""
    by_subject = [values[who == number].mean() for number in np.unique(who)]
    return mean_score(by_subject, float(chance), note)._replace(value=float(values.mean()))
