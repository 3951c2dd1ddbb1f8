"""Which run to keep, without any emotion label: what can be asked of a code by who and which clip alone.

The paper chooses its settings by hand. A user has subject ids and no labels, and that is all that is read here: neither
the column `expression` nor `use`, as which frames are marked for evaluation may have been known from their labels.
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
from omote.errors import OmoteError
from omote.evaluation.audit import faces_of_run
from omote.evaluation.evaluate import KNOWS_ONLY_ITS_PEOPLE
from omote.evaluation.swaps import NO_IDENTITY, why_no_images
from omote.metrics.jackknife import GROUPS, anew, mean, mean_of
from omote.metrics.leakage import identity_probe
from omote.metrics.score import SAME, Answers, Array, Score, as_labels, no_answers, numbered, why_not
from omote.objectives.views import BRIGHTNESS, SHIFT, altered
from omote.runs.hub import check_people
from omote.runs.trained import Faces, Trained, load, to_images

SHARED_SCORES = ("choice", "view_agreement", "leakage")  # of every method
SWITCH_SCORES = ("switch_expression", "switch_identity")  # of methods with two codes and a decoder
LABEL_FREE_SCORES = SHARED_SCORES + SWITCH_SCORES
# What the views alter, about as much as the light in a room and a detector's box do: brightness, contrast and gamma by
# up to 1.5, tint by up to 1.3, place by up to 5 % of the image, 8 degrees and 8 % of its size. No mirror: in it a smile
# on one side is another one.
LIGHT, PLACEMENT = math.log(1.5) / math.log(BRIGHTNESS), 0.05 / SHIFT
DRAWS = 4  # views of a frame, and targets of a source
MOST_FRAMES = 2000  # evenly chosen, as each person's are compared with one another
MOST_SWAPS = 1000
AT_ONCE = 256  # faces altered

ONE_CLIP = "every subject has one clip only: there is no other frame to take it for"

Numbers = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]


class _Asked(NamedTuple):
    """What is known of a run's N frames before anyone is left out."""

    codes: Array  # (N, Z)
    subjects: Array  # (N,)
    clips: Array  # (N,)
    agreement: Answers  # of N frames, nan but in the middle of a clip
    chances: Array  # (N,) of the agreement, nan likewise
    leakage: Answers | None  # of N frames; None: to be fitted anew without those who are left out
    switch: dict[str, Answers]  # `SWITCH_SCORES`, of P swaps
    swapped: Array  # (P, 2) subjects of source and target


def label_free_scores(
    trained: Trained, face_set: FaceSet, subjects: Sequence[str] | None = None
) -> dict[str, Score]:
    """Return `LABEL_FREE_SCORES` of a run, from subjects and clips alone.

    view_agreement: a frame is altered in light and place (`LIGHT`, `PLACEMENT`; `DRAWS` views, seeds 0 to 3). Is the
    nearest code (Euclidean), among frames of the same subject, that of the frame itself? Who it is does not help. One
    frame a clip is asked for and compared, the middle one: its neighbours show nearly the same, so that it is no virtue
    to tell them apart, and at its ends many a clip is neutral. Chance is one over the subject's clips. What stays along
    a clip and is no expression (pose, background, glasses) helps too: high, it does not say that the expression was
    found. A method that was trained on such views is at home here.

    leakage: how often a linear probe of z_e names the person in clips that it was not fitted on (`identity_probe`).
    Where no expression is known, the nearest neighbour is a poor witness: a code that holds the expression beside the
    person is let off, as the nearest is then someone else with the same face on. And the probe reads a person whatever
    the scale. A code of noise leaks nothing, so that this alone cannot choose.

    choice: the number to choose by, a (1 - l), where a is view_agreement and l leakage, each as (s - c) / (1 - c) above
    its chance c, and 0 below it. A perfect code has 1, one of noise or of the person alone 0. It orders runs on the
    same faces, and is no measure between face sets. The switch is left out: so methods with and without a decoder are
    compared on what both have, and nothing is believed that a run says of its own images. The form was fixed before
    it was compared with any labelled score.

    switch_expression, switch_identity: z_e of a middle frame is put on z_i of another person's, decoded, and read by
    the run's own encoders. Is the nearest z_e, among the source's middle frames, the one that was given; is the nearest
    z_i, among everyone's, one of the target's? Unlike the squared error of Eq. 4, free of the code's scale. A run can
    hide in its images what only it sees: an audit with a judge knows better.

    Intervals are over people; up to `GROUPS` of them, the probe is fitted anew without those left out. Of more than
    `MOST_FRAMES` frames so many are taken, evenly; likewise of middle frames.

    Args:
        subjects: whom to score; None for those in the face set that the run was not trained on, or where there are
            none for all.
    Returns:
        Scores in [0, 1], in the order of `LABEL_FREE_SCORES`; nan with the reason where the code has collapsed, nobody
        has two clips or, of the switch, the method has no decoder or no identity code or has to be told who it sees.
    Raises:
        OmoteError: If the faces have another size than the run reads, or none is of these subjects.
    """
    asked = _ask(trained, face_set, *_rows(trained, face_set, subjects))
    return anew(partial(_shared, asked), asked.subjects) | _switch(asked)


def choose(
    runs: Sequence[str | Path], faces: FaceSet | None = None, *, progress: Progress | None = None
) -> pd.DataFrame:
    """Return a table with a row a run, the one to keep first: by `choice` of `label_free_scores`.

    Columns: run (as given), method, people ("test" if some were held out, else "train"), as_good (whether nothing shows
    the run to be worse than the first: the 95 % interval over people of the difference of their choices reaches 0, or
    cannot be had; the first is by its own, and a run without a choice never), then for each of `LABEL_FREE_SCORES` its
    value, and _low, _high (95 % interval over people) and _chance; last reason (why a value or interval is missing).
    Runs without a choice come last; of equal ones, the one given first.

    Many runs make the first one look better than it is.

    Args:
        runs: of the same faces and the same people.
        faces: the face set that they were trained on; None for where the first run says that it was.
        progress: called with (parts done, parts in all).
    Raises:
        OmoteError: If there is no run, one is not finished, they differ in size or in whom they were trained on, or the
            faces are not those of the training.
    """
    if not runs:
        raise OmoteError("no run was given; name one or more, made by `omote train`")
    models = [load(run) for run in runs]
    _check_alike(models)
    faces = faces_of_run(runs[0]) if faces is None else faces
    _check_faces(models[0], faces)
    check_people(models[0].info, faces.about)

    rows, middle = _rows(models[0], faces, None)
    done, parts = 0, len(runs) + min(GROUPS, faces.frames["subject"].iloc[rows].nunique()) + 1

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, parts)

    asked, whole = [], []
    for model in models:
        asked.append(_ask(model, faces, rows, middle))
        whole.append(_shared(asked[-1], np.arange(len(rows)))["choice"].value)
        step()
    order = sorted(range(len(runs)), key=lambda number: (math.isnan(whole[number]), -whole[number]))
    first = order[0]

    def scores(kept: Array) -> dict[str, Score]:
        of_runs = [_shared(each, kept) for each in asked]
        step()
        named: dict[str, Score] = {}
        for number, of_run in enumerate(of_runs):
            behind = Score(of_runs[first]["choice"].value - of_run["choice"].value)
            named |= {f"{name} {number}": score for name, score in (of_run | {"behind": behind}).items()}
        return named

    found = anew(scores, asked[0].subjects)
    trained_on = set(models[0].info.train_subjects)
    people = "train" if trained_on.issuperset(asked[0].subjects) else "test"
    table = []
    for number in order:
        of_run = {name: found[f"{name} {number}"] for name in SHARED_SCORES} | _switch(asked[number])
        behind = found[f"behind {number}"]
        row: dict[str, Any] = {"run": str(runs[number]), "method": models[number].name, "people": people}
        row["as_good"] = math.isfinite(behind.value) and not behind.low > 0
        for name, score in of_run.items():
            row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
            row[f"{name}_chance"] = score.chance
        row["reason"] = "; ".join(f"{name}: {score.reason}" for name, score in of_run.items() if score.reason)
        table.append(row)
    return pd.DataFrame(table)


def altered_views(faces: Faces, seed: int) -> Faces:
    """Return each of (N, S, S, 3) uint8 faces in another light and place; the CPU's random state stays as it was."""
    views = [np.zeros((0, *faces.shape[1:]), np.uint8)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(faces), AT_ONCE):
            images = to_images(torch.as_tensor(np.array(faces[start : start + AT_ONCE])))
            made = altered(images, light=LIGHT, placement=PLACEMENT)
            views.append((made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(views)


def share_found(asked: Array, among: Array, allowed: Array, right: Array) -> tuple[Array, Array]:
    """Return how often the nearest code is a right one, and how often it would be by chance, (M,) each.

    Euclidean; of equally near codes the share that is right.

    Args:
        asked: (M, Z) codes.
        among: (N, Z) codes.
        allowed: (M, N) bool, which of these may be found; some in every row.
        right: (M, N) bool, which of those should be.
    """
    distance = np.where(allowed, cdist(asked, among), np.inf)
    nearest = distance <= distance.min(axis=1, keepdims=True) + SAME * np.abs(among).max()
    hits = (nearest & right).sum(axis=1) / nearest.sum(axis=1)
    return hits, (allowed & right).sum(axis=1) / allowed.sum(axis=1)


def _rows(trained: Trained, face_set: FaceSet, subjects: Sequence[str] | None) -> tuple[Numbers, Numbers]:
    """Return the numbers of the frames that are scored, (N,), and which of these are in the middle of a clip, (M,)."""
    who = face_set.frames["subject"]
    held_out = ~who.isin(trained.info.train_subjects)
    chosen = who.isin(list(subjects)) if subjects is not None else held_out if held_out.any() else who.notna()
    rows = np.flatnonzero(chosen.to_numpy(dtype=bool))
    if not len(rows):
        raise OmoteError(f"{face_set.path} has no face of the people who are to be scored")
    middle = _thinned(rows[_middles(face_set.frames.iloc[rows])])
    rows = np.union1d(_thinned(rows), middle)
    return rows, np.searchsorted(rows, middle)


def _thinned(rows: Numbers) -> Numbers:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_FRAMES)).round().astype(np.int64)]


def _middles(frames: pd.DataFrame) -> Numbers:
    """Return the numbers of the middle frame of every clip, of an even number the later of two."""
    clip = numbered(as_labels(frames["subject"]), as_labels(frames["clip"]))
    order = np.lexsort((frames["frame"], clip))
    _, first, count = np.unique(clip[order], return_index=True, return_counts=True)
    middle: Numbers = np.sort(order[first + count // 2])
    return middle


def _ask(trained: Trained, face_set: FaceSet, rows: Numbers, middle: Numbers) -> _Asked:
    frames = face_set.frames.iloc[rows]
    subjects, clips = (as_labels(frames[name]) for name in ("subject", "clip"))

    def unasked(reason: str, codes: Array) -> _Asked:
        nothing = no_answers(len(rows), reason)
        switch = dict.fromkeys(SWITCH_SCORES, no_answers(0, reason))
        nobody = np.zeros((0, 2), dtype=str)
        return _Asked(codes, subjects, clips, nothing, nothing.values, nothing, switch, nobody)

    if trained.needs_subject and not set(subjects) <= set(trained.info.train_subjects):
        return unasked(KNOWS_ONLY_ITS_PEOPLE, np.zeros((len(rows), 0)))
    faces = face_set.faces[rows]
    codes = _expressions(trained, faces, subjects)
    if reason := why_not(codes, np.arange(len(codes)), "frame"):
        return unasked(reason, codes)

    agreement, chances = _view_agreement(trained, faces, codes, subjects, middle)
    leakage = identity_probe(codes, subjects, clips) if len(np.unique(subjects)) > GROUPS else None
    switch, swapped = _switched(trained, faces[middle], codes[middle], subjects[middle])
    return _Asked(codes, subjects, clips, agreement, chances, leakage, switch, swapped)


def _expressions(trained: Trained, faces: Faces, subjects: Array) -> Array:
    return trained.represent(faces, subjects.tolist())[0].astype(np.float64)


def _view_agreement(
    trained: Trained, faces: Faces, codes: Array, subjects: Array, middle: Numbers
) -> tuple[Answers, Array]:
    """Return of all N frames whether their views find them, nan but in the middle of clips, and the chances."""
    values, chances = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    same = subjects[middle, None] == subjects[middle]
    asked = same.sum(axis=1) > 1
    if not asked.any():
        return Answers(values, reason=ONE_CLIP), chances
    own, rows = np.eye(len(middle), dtype=bool)[asked], middle[asked]
    hits = []
    for seed in range(DRAWS):
        views = _expressions(trained, altered_views(faces[rows], seed), subjects[rows])
        if not np.isfinite(views).all():
            return Answers(values, reason="the codes of the altered views contain NaN or infinity"), chances
        hit, chances[rows] = share_found(views, codes[middle], same[asked], own)
        hits.append(hit)
    values[rows] = np.mean(hits, axis=0)
    alone = len(np.unique(subjects)) - len(np.unique(subjects[rows]))
    note = f"{alone} of {len(np.unique(subjects))} subjects have one clip only and are not asked for"
    return Answers(values, reason=note if alone else ""), chances


def _switched(
    trained: Trained, faces: Faces, z_e: Array, subjects: Array
) -> tuple[dict[str, Answers], Array]:
    """Return `SWITCH_SCORES` of swaps among the middle frames, and the people of source and target, (P, 2)."""

    def unasked(reason: str) -> tuple[dict[str, Answers], Array]:
        return dict.fromkeys(SWITCH_SCORES, no_answers(0, reason)), np.zeros((0, 2), dtype=str)

    if no_images := why_no_images(trained):
        return unasked(no_images)
    z_i = trained.identify(faces)[0].astype(np.float64)
    if not z_i.shape[1]:
        return unasked(NO_IDENTITY)
    if reason := why_not(z_i, subjects, "subject"):
        return unasked(f"the identity code: {reason}")

    same = subjects[:, None] == subjects
    rng = np.random.default_rng(0)
    sources = np.tile(rng.permutation(np.flatnonzero(same.sum(axis=1) > 1)), DRAWS)[:MOST_SWAPS]
    if not len(sources):
        return unasked(ONE_CLIP)
    targets = np.array([rng.choice(np.flatnonzero(~same[source])) for source in sources])
    made = trained.decode(z_i[targets].astype(np.float32), z_e[sources].astype(np.float32))
    own, everyone = np.eye(len(same), dtype=bool), np.ones_like(same)
    switch = {
        "switch_expression": _read_back(trained.represent(made)[0], z_e, same[sources], own[sources]),
        "switch_identity": _read_back(trained.identify(made)[0], z_i, everyone[sources], same[targets]),
    }
    return switch, subjects[np.stack([sources, targets], axis=1)]


def _read_back(read: Array, among: Array, allowed: Array, right: Array) -> Answers:
    if not np.isfinite(read).all():
        return no_answers(len(read), "the codes of the swapped images contain NaN or infinity")
    hits, chances = share_found(read.astype(np.float64), among, allowed, right)
    return Answers(hits, float(chances.mean()))


def _shared(asked: _Asked, kept: Array) -> dict[str, Score]:
    """Return `SHARED_SCORES` of some of the frames, without intervals."""
    chances = asked.chances[kept]
    chance = float(np.nanmean(chances)) if np.isfinite(chances).any() else math.nan
    agreement = mean(asked.agreement._replace(values=asked.agreement.values[kept], chance=chance))
    if asked.leakage is None:
        leakage = mean(identity_probe(asked.codes[kept], asked.subjects[kept], asked.clips[kept]))
    else:
        leakage = mean(asked.leakage._replace(values=asked.leakage.values[kept]))
    value = _above_chance(agreement) * (1 - _above_chance(leakage))
    reasons = [score.reason for score in (agreement, leakage) if math.isnan(score.value)]
    choice = Score(value, chance=0.0, reason="; ".join(dict.fromkeys(reasons)))
    return dict(zip(SHARED_SCORES, (choice, agreement, leakage), strict=True))


def _above_chance(score: Score) -> float:
    share = (score.value - score.chance) / (1 - score.chance)
    return share if math.isnan(share) else max(share, 0.0)


def _switch(asked: _Asked) -> dict[str, Score]:
    return {name: mean_of(answers, asked.swapped) for name, answers in asked.switch.items()}


def _check_alike(models: Sequence[Trained]) -> None:
    """Raise OmoteError where runs cannot be compared on the same people."""
    first = models[0]
    for trained in models:
        if trained.size != first.size:
            raise OmoteError(
                f"{first.path} reads faces of {first.size} px and {trained.path} of {trained.size} px; choose among "
                "runs of one size"
            )
        if (trained.info.train_subjects, trained.info.face_set) != (
            first.info.train_subjects,
            first.info.face_set,
        ):
            raise OmoteError(
                f"{trained.path} and {first.path} were trained on different people, so nobody is as new to the one as "
                "to the other; choose among runs of the same faces and the same people held out"
            )


def _check_faces(trained: Trained, faces: FaceSet) -> None:
    if trained.size != faces.size:
        raise OmoteError(
            f"{trained.path} reads faces of {trained.size} px and {faces.path} has {faces.size} px; name a face set "
            f"prepared with --size {trained.size}"
        )
    if trained.info.face_set != faces.about:
        raise OmoteError(
            f"{trained.path} was trained on another face set than {faces.path}, so that ids do not tell who was held "
            "out; name that of the training"
        )
