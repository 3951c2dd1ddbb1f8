"""Model selection without emotion labels: which run to keep, from subject and clip ids alone.

The paper chooses its settings by hand. A user has subject ids but no labels, so nothing else is read here: not the
column `expression`, nor `use`, since frames may have been marked for evaluation by their labels.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.spatial.distance import cdist

from omote.data.face_set import FaceSet
from omote.data.outputs import Faces
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.evaluation.audit import check_same_training, check_size, faces_of_run
from omote.evaluation.evaluate import KNOWS_ONLY_ITS_PEOPLE
from omote.evaluation.swaps import NO_IDENTITY, why_no_images
from omote.metrics.intervals import GROUPS, jackknife, jackknife_mean
from omote.metrics.leakage import identity_probe
from omote.metrics.score import (
    SIGNED,
    TOLERANCE,
    Array,
    PerRowResults,
    Score,
    as_labels,
    factorize,
    no_results,
    why_unscorable,
)
from omote.objectives.views import BRIGHTNESS, SHIFT, augment
from omote.runs.hub import check_people
from omote.runs.trained import Trained, load, to_images

SHARED_SCORES = ("choice", "view_agreement", "leakage")  # of every method
SWITCH_SCORES = ("switch_expression", "switch_identity")  # of methods with two codes and a decoder
LABEL_FREE_SCORES = SHARED_SCORES + SWITCH_SCORES
# Strength of the views, like that of room light and a detector's jitter: brightness, contrast and gamma up to a factor
# of 1.5, tint 1.3, position up to 5 % of the image, rotation 8 degrees, scale 8 %. No mirroring, since a mirrored
# one-sided smile is another expression.
LIGHT, PLACEMENT = math.log(1.5) / math.log(BRIGHTNESS), 0.05 / SHIFT
DRAWS = 4  # views of each frame, and targets of each source
MAX_FRAMES = 2000  # each person's frames are compared with one another
MAX_SWAPS = 1000
BATCH_SIZE = 256  # faces altered at once

ONE_CLIP = "every subject has one clip only: there is no other frame to take it for"

Numbers = npt.NDArray[np.int64]


class _RunResults(NamedTuple):
    """Results per frame of a run, from which scores of any subset of people follow."""

    codes: Array  # (N, Z)
    subjects: Array  # (N,)
    clips: Array  # (N,)
    agreement: PerRowResults  # of N frames, nan except in the middle of a clip
    chances: Array  # (N,) of the agreement, nan likewise
    leakage: PerRowResults | None  # of N frames; None if the probe is refitted for each subset
    switch: dict[str, PerRowResults]  # `SWITCH_SCORES`, of P swaps
    swapped: Array  # (P, 2) subjects of source and target


def label_free_scores(
    trained: Trained, face_set: FaceSet, subjects: Sequence[str] | None = None
) -> dict[str, Score]:
    """Return `LABEL_FREE_SCORES` of a run, from subject and clip ids alone.

    view_agreement: a frame is altered in light and position (`LIGHT`, `PLACEMENT`; `DRAWS` views, seeds 0 to 3). Is the
    nearest code (Euclidean) among frames of the same subject that of the unaltered frame? Identity does not help,
    since all candidates are the same person. Only the middle frame of each clip is used: its neighbours look nearly the
    same, so telling them apart is no merit, and many clips begin and end neutral. Chance is one over the subject's
    number of clips. Whatever stays constant along a clip without being an expression (pose, background, glasses) helps
    too, so a high value does not prove that the code holds the expression. Methods trained on such views have an
    advantage.

    leakage: how often a linear probe of z_e names the person in clips it was not fitted on (`identity_probe`). The
    nearest neighbour would be misleading without expression labels: for a code of both expression and person, the
    nearest frame is often another person with the same expression. Nor does the probe depend on the scale. A code of
    noise leaks nothing, so leakage alone cannot choose.

    choice: the criterion, a (1 - l), where a is view_agreement and l leakage, each rescaled to (s - c) / (1 - c) by its
    chance c and cut at 0. A perfect code has 1; noise, or a code of the person alone, has 0. It ranks runs on the same
    faces and cannot be compared between face sets. It leaves out the switch scores, so that methods with and without a
    decoder are comparable and no run is judged by its own images. Its form was fixed before it was compared with any
    labelled score.

    switch_expression, switch_identity: z_e of a middle frame and z_i of another person's are decoded, and the image is
    read by the run's own encoders. Is the nearest z_e among the source's middle frames the one that was decoded; is the
    nearest z_i among everyone's one of the target's? Unlike the squared error of Eq. 4, these do not depend on the
    scale of the code. A run can hide information in its images that only it sees; an audit with a judge detects that.

    Intervals are over people. With up to `GROUPS` people, the probe is refitted without those left out. At most
    `MAX_FRAMES` frames, and as many middle frames, are used, evenly spaced.

    Args:
        subjects: the people to score; None for those that the run was not trained on, or everyone if there are none.
    Returns:
        Scores in [0, 1], in the order of `LABEL_FREE_SCORES`; nan with the reason if the code has collapsed or nobody
        has two clips; the switch scores also if the method has no decoder or identity code or needs the subject.
    Raises:
        OmoteError: If the faces have another size than the run reads, or none is of these subjects.
    """
    results = _read_run(trained, face_set, *_choose_rows(trained, face_set, subjects))
    return jackknife(partial(_shared_scores, results), results.subjects) | _switch_scores(results)


def choose(
    runs: Sequence[str | Path],
    faces: FaceSet | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return a table of runs, best first: ranked by `choice` of `label_free_scores`.

    Columns: run (as given), method, people ("test" if some were held out, else "train"), as_good, then for each of
    `LABEL_FREE_SCORES` its value, _low, _high (95 % interval over people) and _chance; last reason (why a value or
    interval is missing). as_good is true unless the run is shown to be worse than the first: the 95 % interval over
    people of the difference of their choices reaches 0, or is unknown. It is true for the first run and false for a run
    without a choice. Runs without a choice come last; ties keep the given order.

    The more runs are compared, the more the first one's value is biased upwards.

    Args:
        runs: trained on the same people of the same faces.
        faces: the face set they were trained on; None for the one that the first run names.
        progress: called with (parts done, parts in all).
    Raises:
        OmoteError: If there is no run, one is not finished, they differ in image size or train people, or the faces are
            not those of the training.
    """
    if not runs:
        raise OmoteError("no run was given; name one or more, made by `omote train`")
    models = [load(run) for run in runs]
    check_same_training(models)
    faces = faces_of_run(runs[0]) if faces is None else faces
    for model in models:
        check_size(model, faces)
    if models[0].info.face_set != faces.about:
        raise OmoteError(
            f"{models[0].path} was trained on another face set than {faces.path}, so ids do not tell who was held out; "
            "name the face set of the training"
        )
    check_people(models[0].info, faces.about)

    rows, middle = _choose_rows(models[0], faces, None)
    done, parts = 0, len(runs) + min(GROUPS, faces.frames["subject"].iloc[rows].nunique()) + 1

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, parts)

    results, choices = [], []
    for model in models:
        results.append(_read_run(model, faces, rows, middle))
        choices.append(_shared_scores(results[-1], np.arange(len(rows)))["choice"].value)
        step()
    order = sorted(range(len(runs)), key=lambda number: (math.isnan(choices[number]), -choices[number]))
    first = order[0]

    def score_rows(kept: Array) -> dict[str, Score]:
        of_runs = [_shared_scores(each, kept) for each in results]
        step()
        scores: dict[str, Score] = {}
        for number, of_run in enumerate(of_runs):
            behind = Score(of_runs[first]["choice"].value - of_run["choice"].value, range=SIGNED)
            scores |= {f"{name} {number}": score for name, score in (of_run | {"behind": behind}).items()}
        return scores

    scores = jackknife(score_rows, results[0].subjects)
    trained_on = set(models[0].info.train_subjects)
    people = "train" if trained_on.issuperset(results[0].subjects) else "test"
    table = []
    for number in order:
        of_run = {name: scores[f"{name} {number}"] for name in SHARED_SCORES} | _switch_scores(
            results[number]
        )
        behind = scores[f"behind {number}"]
        row: dict[str, Any] = {"run": str(runs[number]), "method": models[number].name, "people": people}
        row["as_good"] = math.isfinite(behind.value) and not behind.low > 0
        for name, score in of_run.items():
            row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
            row[f"{name}_chance"] = score.chance
        row["reason"] = "; ".join(f"{name}: {score.reason}" for name, score in of_run.items() if score.reason)
        table.append(row)
    return pd.DataFrame(table)


def altered_views(faces: Faces, seed: int) -> Faces:
    """Return (N, S, S, 3) uint8 faces altered in light and position; the CPU's random state is restored."""
    views = [np.zeros((0, *faces.shape[1:]), np.uint8)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(faces), BATCH_SIZE):
            images = to_images(torch.as_tensor(np.array(faces[start : start + BATCH_SIZE])))
            altered = augment(images, light=LIGHT, placement=PLACEMENT)
            views.append((altered * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(views)


def nearest_hits(queries: Array, candidates: Array, allowed: Array, right: Array) -> tuple[Array, Array]:
    """Return for each query whether its nearest candidate is a right one, and the chance of that, (M,) each.

    Euclidean; among equally near candidates, the share that is right.

    Args:
        queries: (M, Z) codes.
        candidates: (N, Z) codes.
        allowed: (M, N) bool, the candidates of each query; at least one in every row.
        right: (M, N) bool, which of them are right.
    """
    distance = np.where(allowed, cdist(queries, candidates), np.inf)
    nearest = distance <= distance.min(axis=1, keepdims=True) + TOLERANCE * np.abs(candidates).max()
    hits = (nearest & right).sum(axis=1) / nearest.sum(axis=1)
    return hits, (allowed & right).sum(axis=1) / allowed.sum(axis=1)


def _choose_rows(
    trained: Trained, face_set: FaceSet, subjects: Sequence[str] | None
) -> tuple[Numbers, Numbers]:
    """Return the row numbers to score, (N,), and the positions among them of the middle frames of clips, (M,)."""
    who = face_set.frames["subject"]
    held_out = ~who.isin(trained.info.train_subjects)
    chosen = who.isin(list(subjects)) if subjects is not None else held_out if held_out.any() else who.notna()
    rows = np.flatnonzero(chosen.to_numpy(dtype=bool))
    if not len(rows):
        raise OmoteError(f"{face_set.path} has no face of the people to score")
    middle = rows[_middle_rows(face_set.frames.iloc[rows])]
    middle = middle[evenly_spaced(len(middle), MAX_FRAMES)]
    rows = np.union1d(rows[evenly_spaced(len(rows), MAX_FRAMES)], middle)
    return rows, np.searchsorted(rows, middle)


def _middle_rows(frames: pd.DataFrame) -> Numbers:
    """Return the row number of the middle frame of every clip, the later of two for an even number of frames."""
    clip = factorize(as_labels(frames["subject"]), as_labels(frames["clip"]))
    order = np.lexsort((frames["frame"], clip))
    _, first, count = np.unique(clip[order], return_index=True, return_counts=True)
    middle: Numbers = np.sort(order[first + count // 2])
    return middle


def _read_run(trained: Trained, face_set: FaceSet, rows: Numbers, middle: Numbers) -> _RunResults:
    frames = face_set.frames.iloc[rows]
    subjects, clips = (as_labels(frames[name]) for name in ("subject", "clip"))

    def fail(reason: str, codes: Array) -> _RunResults:
        nothing = no_results(len(rows), reason)
        switch = dict.fromkeys(SWITCH_SCORES, no_results(0, reason))
        nobody = np.zeros((0, 2), dtype=str)
        return _RunResults(codes, subjects, clips, nothing, nothing.values, nothing, switch, nobody)

    if trained.needs_subject and not set(subjects) <= set(trained.info.train_subjects):
        return fail(KNOWS_ONLY_ITS_PEOPLE, np.zeros((len(rows), 0)))
    faces = face_set.faces[rows]
    codes = _encode(trained, faces, subjects)
    if reason := why_unscorable(codes, np.arange(len(codes)), "frame"):
        return fail(reason, codes)

    agreement, chances = _view_agreement(trained, faces, codes, subjects, middle)
    leakage = identity_probe(codes, subjects, clips) if len(np.unique(subjects)) > GROUPS else None
    switch, swapped = _swap(trained, faces[middle], codes[middle], subjects[middle])
    return _RunResults(codes, subjects, clips, agreement, chances, leakage, switch, swapped)


def _encode(trained: Trained, faces: Faces, subjects: Array) -> Array:
    return trained.represent(faces, subjects.tolist())[0].astype(np.float64)


def _view_agreement(
    trained: Trained, faces: Faces, codes: Array, subjects: Array, middle: Numbers
) -> tuple[PerRowResults, Array]:
    """Return for each of N frames the share of its views that find it, and the chance; nan except in mid-clip."""
    values, chances = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    same = subjects[middle, None] == subjects[middle]
    scored = same.sum(axis=1) > 1
    if not scored.any():
        return PerRowResults(values, reason=ONE_CLIP), chances
    own, rows = np.eye(len(middle), dtype=bool)[scored], middle[scored]
    hits = []
    for seed in range(DRAWS):
        views = _encode(trained, altered_views(faces[rows], seed), subjects[rows])
        if not np.isfinite(views).all():
            return PerRowResults(
                values, reason="the codes of the altered views contain NaN or infinity"
            ), chances
        hit, chances[rows] = nearest_hits(views, codes[middle], same[scored], own)
        hits.append(hit)
    values[rows] = np.mean(hits, axis=0)
    alone = len(np.unique(subjects)) - len(np.unique(subjects[rows]))
    note = f"{alone} of {len(np.unique(subjects))} subjects have one clip only and are not asked for"
    return PerRowResults(values, reason=note if alone else ""), chances


def _swap(
    trained: Trained, faces: Faces, z_e: Array, subjects: Array
) -> tuple[dict[str, PerRowResults], Array]:
    """Return `SWITCH_SCORES` of swaps among the middle frames, and the subjects of source and target, (P, 2)."""

    def fail(reason: str) -> tuple[dict[str, PerRowResults], Array]:
        return dict.fromkeys(SWITCH_SCORES, no_results(0, reason)), np.zeros((0, 2), dtype=str)

    if no_images := why_no_images(trained):
        return fail(no_images)
    z_i = trained.identify(faces)[0].astype(np.float64)
    if not z_i.shape[1]:
        return fail(NO_IDENTITY)
    if reason := why_unscorable(z_i, subjects, "subject"):
        return fail(f"the identity code: {reason}")

    same = subjects[:, None] == subjects
    rng = np.random.default_rng(0)
    sources = np.tile(rng.permutation(np.flatnonzero(same.sum(axis=1) > 1)), DRAWS)[:MAX_SWAPS]
    if not len(sources):
        return fail(ONE_CLIP)
    targets = np.array([rng.choice(np.flatnonzero(~same[source])) for source in sources])
    swapped = trained.decode(z_i[targets].astype(np.float32), z_e[sources].astype(np.float32))
    own, everyone = np.eye(len(same), dtype=bool), np.ones_like(same)
    switch = {
        "switch_expression": _read_back(trained.represent(swapped)[0], z_e, same[sources], own[sources]),
        "switch_identity": _read_back(trained.identify(swapped)[0], z_i, everyone[sources], same[targets]),
    }
    return switch, subjects[np.stack([sources, targets], axis=1)]


def _read_back(read: Array, candidates: Array, allowed: Array, right: Array) -> PerRowResults:
    if not np.isfinite(read).all():
        return no_results(len(read), "the codes of the swapped images contain NaN or infinity")
    hits, chances = nearest_hits(read.astype(np.float64), candidates, allowed, right)
    return PerRowResults(hits, float(chances.mean()))


def _shared_scores(results: _RunResults, kept: Array) -> dict[str, Score]:
    """Return `SHARED_SCORES` of some of the frames, without intervals."""
    chances = results.chances[kept]
    chance = float(np.nanmean(chances)) if np.isfinite(chances).any() else math.nan
    agreement = results.agreement.of(kept)._replace(chance=chance).mean()
    leakages = results.leakage
    if leakages is None:
        leakage = identity_probe(results.codes[kept], results.subjects[kept], results.clips[kept]).mean()
    else:
        leakage = leakages.of(kept).mean()
    value = _above_chance(agreement) * (1 - _above_chance(leakage))
    reasons = [score.reason for score in (agreement, leakage) if math.isnan(score.value)]
    choice = Score(value, chance=0.0, reason="; ".join(dict.fromkeys(reasons)))
    return dict(zip(SHARED_SCORES, (choice, agreement, leakage), strict=True))


def _above_chance(score: Score) -> float:
    share = (score.value - score.chance) / (1 - score.chance)
    return share if math.isnan(share) else max(share, 0.0)


def _switch_scores(results: _RunResults) -> dict[str, Score]:
    return {name: jackknife_mean(each, results.swapped) for name, each in results.switch.items()}
