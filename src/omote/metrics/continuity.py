"""Whether a code follows the expression continuously along a clip, and decoded images the code.

Scored on the onset of each clip: the frames from its first up to its apex. The apex is found in the pictures or the
true action units, never in the code under test, so all codes are scored on the same frames. Only the agreement between
people needs expression labels.

Read the scores beside those of the baselines: anything that drifts slowly, such as the light, is in order too, and a
code that jumps from one state to another is straight but not smooth.
"""

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.stats import rankdata

from omote.metrics.score import (
    SIGNED,
    TOLERANCE,
    Array,
    PerRowResults,
    Score,
    as_labels,
    factorize,
    mean_over_rows,
    no_results,
    no_score,
    why_unscorable,
)

CONTINUITY_SCORES = ("order", "straightness", "smoothness", "path_agreement")
INTERPOLATION_SCORES = ("evenness", "directness")
NEUTRAL = "neutral"  # label of frames without an expression

APEX = 0.95  # share of the largest distance that makes a frame the apex; below 1, as a plateau has no order
APEX_IN_PIXELS = (
    0.8  # lower, since head and light still move on the plateau, and a late apex is worse than an early one
)
MIN_CHANGE = 0.1  # largest change of an action unit, from 0 to 1, below which a clip is neutral
MIN_ONSET = 4  # frames of an onset that is scored; two between its ends can change places
SHUFFLES = 20  # random orders of an onset's frames, for the chance level
GREY_LEVEL = 1.0  # of 255: rounding to uint8 alone can change an image by this much


def rising_by_pixels(faces: Array, subjects: Any, clips: Any, frames: Array) -> Array:
    """Return (N,) bool: the frames from a clip's first up to its apex, found in the pictures.

    The apex is the first frame whose distance from the clip's first frame is 80 % of the largest. Distance: root mean
    squared difference of the grey faces, each less its mean and blurred by a Gaussian of 1/32 of its side. In drawn
    clips of 12 frames, five in six apexes are within a frame of that by `rising_by_factors`, mostly before it. Neutral
    clips are not recognised, since head and light move in them too, and get an apex like the others.

    Args:
        faces: (N, S, S, 3) uint8 RGB; read clip by clip.
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
        frames: (N,) numbers that order the frames of a clip.
    """
    rising = np.zeros(len(faces), dtype=bool)
    for rows in _rows_of_clips(subjects, clips, frames):
        grey = [cv2.cvtColor(faces[row], cv2.COLOR_RGB2GRAY).astype(np.float32) for row in rows]
        blurred = np.stack([cv2.GaussianBlur(face - face.mean(), (0, 0), len(face) / 32) for face in grey])
        distance = np.sqrt(((blurred - blurred[0]) ** 2).mean(axis=(1, 2)))
        rising[_up_to_apex(rows, distance, APEX_IN_PIXELS)] = True
    return rising


def rising_by_factors(action_units: Array, subjects: Any, clips: Any, frames: Array) -> Array:
    """Return (N,) bool: the frames from a clip's first up to its apex, by the true action units.

    The apex is the first frame whose distance from the clip's first frame, the sum of absolute changes of all action
    units, is 95 % of the largest. A clip in which none of them changes by 0.1 is neutral: none of its frames is rising.

    Args:
        action_units: (N, F), each from 0 to 1; without gaze, pupils and blinks, which occur in neutral clips too and
            would pass for an expression.
        subjects, clips, frames: as in `rising_by_pixels`.
    """
    rising = np.zeros(len(action_units), dtype=bool)
    for rows in _rows_of_clips(subjects, clips, frames):
        change = np.abs(action_units[rows] - action_units[rows[0]])
        if change.max() >= MIN_CHANGE:
            rising[_up_to_apex(rows, change.sum(axis=1), APEX)] = True
    return rising


def continuity_scores(
    features: Array, subjects: Any, clips: Any, frames: Array, rising: Array, expressions: Any
) -> dict[str, Score]:
    """Return `CONTINUITY_SCORES` of a code along the onset of each clip; means over the clips.

    - order: Spearman's correlation of frame number and distance from the clip's first frame, in [-1, 1]. The first
      frame is left out, since its distance is always 0. Chance is 0. Clips whose frames are all equally far have no
      order and are left out.
    - straightness: the distance from first frame to apex over the length of the path between them, in [0, 1].
    - smoothness: the mean cosine of successive steps, in [-1, 1]: 1 along a straight line, 0 for a random walk,
      -1/2 for noise around a point in many dimensions. A step of length 0 has cosine 0.
    - path_agreement: the mean cosine between a clip's direction, from first frame to apex, and those of other
      people's clips of the same expression, in [-1, 1]. Chance is the same with clips of *other* expressions: what
      exceeds it is specific to the expression.

    Chance of straightness and smoothness is their value with the frames between the two ends of each clip shuffled
    (20 shuffles, seed 0). For smoothness it is -1/2 for noise, and higher the more the ends differ.

    Clips with fewer than 4 rising frames count for the agreement alone; clips along which the code does not move do not
    count. The deviation is between subjects, over each one's mean.

    Args:
        features: (N, D); of all frames of a clip, labelled or not.
        subjects: (N,) ids.
        clips: (N,) ids within a subject.
        frames: (N,) numbers that order the frames of a clip.
        rising: (N,) bool, from `rising_by_factors` or `rising_by_pixels`.
        expressions: (N,) labels, missing where unknown. The expression of a clip is the one label other than "neutral"
            among its frames; a clip with none or several does not count for the agreement.
    Returns:
        All nan with one reason if there are no images, NaN or collapsed features, or single photos only. The first
        three also if there is no clip with 4 rising frames along which the code moves; `path_agreement` if no two
        people have a clip of the same expression along which the code moves.
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
    if reason := why_unscorable(features, frames, "frame number"):
        return dict.fromkeys(CONTINUITY_SCORES, no_score(reason))
    x = features.astype(np.float64)
    rounding = TOLERANCE * np.abs(x).max()
    rows_of_clips = _rows_of_clips(subjects, clips, frames)
    who = factorize(as_labels(subjects))[[rows[0] for rows in rows_of_clips]]
    paths = [x[rows[rising[rows]]] for rows in rows_of_clips]
    shown = [_expression(labels[rows]) for rows in rows_of_clips]
    return {
        **_path_scores(paths, who, rounding),
        "path_agreement": _path_agreement(paths, shown, who, rounding),
    }


def interpolation_scores(strips: Array) -> dict[str, PerRowResults]:
    """Return `INTERPOLATION_SCORES` of every strip: do equal steps in the code give equal steps in the image?

    A step is the root mean squared difference of neighbouring images.

    - evenness: the mean step over the largest, in (0, 1]: 1 for equal steps, 1/(T-1) for a cut, with all the change in
      one step. It uses the largest because the eye notices a single jump; an entropy would hardly change.
    - directness: the difference of the ends over the sum of the steps, in [0, 1]: 1 for a cross-fade, 0 for a path
      there and back. Unrelated images have even steps, but a directness of 1/(T-1), so evenness must be read beside it.
      It need not be 1: parts of a face that move over each other lower it too.

    Chance is 1/(T-1) for both, the lowest evenness there can be. It is also the product of the two (the difference of
    the ends over T-1 times the largest step) for a cut and for unrelated images.

    Args:
        strips: (P, T, S, S, 3) uint8, T at least 3, decoded at `np.linspace(code_a, code_b, T, axis=1)`.
    Returns:
        One result a strip; nan where no image differs from the first by one grey level (root mean squared), which
        rounding could explain.
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
        return dict.fromkeys(INTERPOLATION_SCORES, no_results(len(strips), reason))
    chance = 1 / (strips.shape[1] - 1)
    return {"evenness": PerRowResults(evenness, chance), "directness": PerRowResults(directness, chance)}


def _rows_of_clips(subjects: Any, clips: Any, frames: Array) -> list[Array]:
    """Return for each clip its row numbers, ordered by frame."""
    if not len(frames):
        return []
    clip = factorize(as_labels(subjects), as_labels(clips))
    order = np.lexsort((np.asarray(frames), clip))
    return np.split(order, np.flatnonzero(np.diff(clip[order])) + 1)


def _up_to_apex(rows: Array, distance: Array, share: float) -> Array:
    """Return the rows up to the first whose distance is this share of the largest."""
    return rows[: np.argmax(distance >= share * distance.max()) + 1]


def _lengths(steps: Array) -> Array:
    lengths: Array = np.sqrt((steps**2).sum(axis=-1))
    return lengths


def _difference(images: Array, others: Array) -> Array:
    """Return (T,) root mean squared differences of images (T, S, S, 3)."""
    differences: Array = np.sqrt(((images - others) ** 2).mean(axis=(1, 2, 3), dtype=np.float64))
    return differences


def _path_scores(paths: list[Array], who: Array, rounding: float) -> dict[str, Score]:
    """Return the first three scores; `paths` holds the codes (T, D) of each clip up to its apex, `who` the subjects."""
    long = [clip for clip, path in enumerate(paths) if len(path) >= MIN_ONSET]
    moving = [clip for clip in long if _lengths(paths[clip] - paths[clip][0]).max() > rounding]
    if not moving:
        reason = "the code does not move along any clip" if long else f"no clip has {MIN_ONSET} rising frames"
        return dict.fromkeys(CONTINUITY_SCORES[:3], no_score(reason))
    notes = []
    if short := len(paths) - len(long):
        notes.append(f"{short} of {len(paths)} clips have fewer than {MIN_ONSET} rising frames")
    if still := len(long) - len(moving):
        notes.append(f"in {still} clips the code does not move")
    note = " and ".join(notes) + (": not asked" if notes else "")
    rng = np.random.default_rng(0)
    order = np.array([_order(paths[clip]) for clip in moving])
    straight, smooth, straight_chance, smooth_chance = np.array(
        [_straight_and_smooth(paths[clip], rng, rounding) for clip in moving]
    ).T
    ordered = np.isfinite(order)
    who = who[moving]
    return {
        "order": mean_over_rows(order[ordered], who[ordered], 0.0, note)._replace(range=SIGNED)
        if ordered.any()
        else no_score("along every clip the code is equally far from the first frame"),
        "straightness": mean_over_rows(straight, who, float(straight_chance.mean()), note),
        "smoothness": mean_over_rows(smooth, who, float(smooth_chance.mean()), note)._replace(range=SIGNED),
    }


def _order(path: Array) -> float:
    """Return Spearman's correlation of frame order and distance; nan if all are equally far from the first."""
    rank = rankdata(_lengths(path[1:] - path[0]))  # `spearmanr` takes a millisecond a clip
    rank -= rank.mean()
    order = np.arange(len(rank)) - (len(rank) - 1) / 2
    return float(rank @ order / np.sqrt((rank @ rank) * (order @ order))) if rank.any() else np.nan


def _straight_and_smooth(path: Array, rng: np.random.Generator, rounding: float) -> Array:
    """Return (4,) straightness and smoothness of a path (T, D), and their means over random orders of its frames."""
    orders = np.tile(np.arange(len(path)), (1 + SHUFFLES, 1))
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


def _path_agreement(paths: list[Array], expressions: list[str | None], who: Array, rounding: float) -> Score:
    ends = [path[-1] - path[0] if len(path) else np.zeros(path.shape[1]) for path in paths]
    lengths = _lengths(np.array(ends))
    kept = np.array([label is not None for label in expressions]) & (lengths > rounding)
    directions = np.array(ends)[kept] / lengths[kept, None]
    label, who = np.array(expressions, dtype=object)[kept], who[kept]
    cosines = directions @ directions.T
    others = who[:, None] != who
    same = (label[:, None] == label) & others
    different = others & ~same
    scored, comparable = same.any(axis=1), different.any(axis=1)
    if not scored.any():
        return no_score("no two people have a clip of the same expression along which the code moves")
    agreement = (cosines * same).sum(axis=1)[scored] / same.sum(axis=1)[scored]
    if not comparable.any():
        reason = "all clips show one expression: chance is unknown"
        return mean_over_rows(agreement, who[scored], np.nan, reason)._replace(range=SIGNED)
    chance = (cosines * different).sum(axis=1)[comparable] / different.sum(axis=1)[comparable]
    return mean_over_rows(agreement, who[scored], float(chance.mean()))._replace(range=SIGNED)


def _expression(labels: Iterable[Any]) -> str | None:
    """Return the one label other than neutral among a clip's frames, or None."""
    shown = {str(label) for label in labels if not pd.isna(label)} - {NEUTRAL}
    return shown.pop() if len(shown) == 1 else None
