"""Swaps read back: one frame gives the expression (source), a frame of another person the person (target).

What the model makes of the two codes is read by a judge, best one trained with another seed or method: a model that
reads its own images can hide in them what only it sees. The paper shows such pictures (Figure 4) and reads none.
"""

from itertools import cycle

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import cdist

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes, read_codes
from omote.metrics.probes import fitted_probe, subject_folds
from omote.metrics.score import Answers, Array, as_labels, no_answers, numbered, why_not
from omote.runs.trained import Trained

EXPRESSION_SCORES = ("expression_read_back", "expression_kept_from_target", "expression_read_back_ceiling")
IDENTITY_SCORES = ("identity_read_back", "identity_of_source", "identity_read_back_ceiling")
SWAP_SCORES = EXPRESSION_SCORES + IDENTITY_SCORES

NO_DECODER = "this method has no decoder, so it makes no images"
NO_IDENTITY = "this method has no identity code: there is nobody to give the expression to"
TOLD = "this method has to be told who is in the picture, so it cannot be asked to swap"
JUDGE_IS_TOLD = "the judge has to be told who is in the picture, so it cannot say what it sees"
JUDGE_NO_IDENTITY = "the judge has no identity code, so it cannot say who it sees"
OWN_JUDGE = "read back by the model itself, not by an independent one"

Numbers = npt.NDArray[np.int64]
UNKNOWN = -1  # number of a label that is missing, of an answer that is not asked for


def choose_swaps(frames: pd.DataFrame, *, count: int = 600, seed: int = 0) -> tuple[Numbers, Numbers]:
    """Return the row numbers of sources and of targets, (P,) each, P at most `count`.

    In every round each person with a labelled frame is the source once, with their expressions in turn, and the target
    is the person so many places on, a place more every round: no person is source or target more often than another,
    as far as they have the frames. The target's frame is one of another expression than the source's, each expression
    as likely; one without a label where there is none. A person's frames of an expression are taken in turn. No pair is
    chosen twice, so that a few photos make fewer swaps.

    Args:
        frames: with the columns subject and expression (missing where unknown) of a face set.
        seed: of the order of people and of frames, and of the targets' expressions.
    Returns:
        Pairs in ascending order; none where there is one person, no label, or one expression only.
    Raises:
        ValueError: If a subject is missing.
    """
    rng = np.random.default_rng(seed)
    subjects, has_label = as_labels(frames["subject"]), frames["expression"].notna().to_numpy(dtype=bool)
    expressions = frames["expression"].to_numpy(dtype=object)
    rows: dict[tuple[str, str | None], list[int]] = {}
    for row in rng.permutation(len(frames)):
        label = expressions[row] if has_label[row] else None
        rows.setdefault((subjects[row], label), []).append(int(row))
    in_turn = {key: cycle(of_key) for key, of_key in rows.items()}
    people = rng.permutation(np.unique(subjects)).tolist()
    shown: dict[str, list[str]] = {person: [] for person in people}
    for person, label in sorted((person, label) for person, label in rows if label is not None):
        shown[person].append(label)
    givers = [place for place, person in enumerate(people) if shown[person]]

    pairs: set[tuple[int, int]] = set()
    for turn in range(-(-count // len(givers)) if givers and len(people) > 1 else 0):
        lap, shift = divmod(turn, len(people) - 1)  # a lap: everyone has met everyone
        for place in givers[: count - len(pairs)]:
            source, target = people[place], people[(place + 1 + shift) % len(people)]
            expression = shown[source][(place + shift + lap) % len(shown[source])]
            others: list[str | None] = [label for label in shown[target] if label != expression]
            others = others or [None]
            drawn = (target, others[rng.integers(len(others))])
            if drawn in rows:
                pairs.add((next(in_turn[source, expression]), next(in_turn[drawn])))
    sources, targets = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return sources, targets


def swap_scores(
    real: Codes, swapped: Codes, frames: pd.DataFrame, sources: Numbers, targets: Numbers, *, folds: int = 5
) -> dict[str, Answers]:
    """Return `SWAP_SCORES`, an answer a swap: 1 where what a judge reads is what was asked, else 0.

    expression_read_back: a linear probe (see `omote.metrics.probes`) of the judge's expression code names the
    source's expression in the swapped image. It is fitted on real labelled frames; people go to `folds` folds, and
    the source's and the target's fold are left out, so that it has seen neither of the two. Where only one expression
    is left then, as with two people, the swap is not asked about.
    expression_kept_from_target: it names the target's, another one; all of them, of a model that ignores the source.
    expression_read_back_ceiling: it names the source's expression in the source's real image.
    identity_read_back: of the means of everyone's real frames in the judge's identity code (Euclidean), without the
    source's and the target's frame, the nearest to the swapped image is the target's. People without another frame
    are not asked about.
    identity_of_source: it is the source's, the fault of a model whose expression code brings its person along.
    identity_read_back_ceiling: the nearest to the target's real image is the target's.

    Chance of an expression is what remains if the true labels are dealt anew among the swaps, of an identity one over
    the number of people.

    Args:
        real: the judge's codes of N real frames, identity of width 0 where it has none.
        swapped: its codes of P swapped images.
        frames: N rows with the columns subject and expression (missing where unknown).
        sources: (P,) row numbers of the frames that give the expression.
        targets: (P,) row numbers of the frames that give the person.
    Returns:
        Answers of P values in {0, 1}, nan where a swap is not asked about; nan with the reason if there is no swap,
        or the judge's code is missing, contains NaN or has collapsed.
    Raises:
        ValueError: If the lengths differ, or a subject is missing.
    """
    if len(sources) != len(targets):
        raise ValueError(
            f"{len(sources)} sources and {len(targets)} targets; expected a target for each source"
        )
    if any(len(code) != len(frames) for code in real):
        raise ValueError(f"codes of {len(real.expression)} real images for {len(frames)} frames")
    subjects = as_labels(frames["subject"])
    label = np.full(len(frames), UNKNOWN)
    known = frames["expression"].notna().to_numpy(dtype=bool)
    label[known] = numbered(as_labels(frames["expression"][known]))
    if not len(sources):
        return dict.fromkeys(SWAP_SCORES, no_answers(0, _why_no_swaps(subjects, label[known])))

    scores: dict[str, Answers] = {}
    reason = why_not(real.expression[known], label[known], "expression")
    if reason := reason or _why_not_swapped(swapped.expression, real.expression, len(sources)):
        scores |= dict.fromkeys(EXPRESSION_SCORES, no_answers(len(sources), reason))
    else:
        scores |= _expressions(real.expression, swapped.expression, subjects, label, sources, targets, folds)
    reason = why_not(real.identity, subjects, "subject") if real.identity.shape[1] else JUDGE_NO_IDENTITY
    if reason := reason or _why_not_swapped(swapped.identity, real.identity, len(sources)):
        scores |= dict.fromkeys(IDENTITY_SCORES, no_answers(len(sources), reason))
    else:
        scores |= _identities(real.identity, swapped.identity, subjects, sources, targets)
    return scores


def audit_swaps(
    trained: Trained,
    judge: Trained,
    face_set: FaceSet,
    rows: Array,
    *,
    count: int = 600,
) -> tuple[dict[str, Answers], Array]:
    """Return `SWAP_SCORES` of a run, and the people of source and target, (P, 2), over whom an interval is to be taken.

    Args:
        trained: makes the swapped images.
        judge: reads them; another run, or `trained` itself, of which the reasons then tell.
        rows: (N,) numbers of the frames among which the swaps are chosen, see `choose_swaps`.
    Returns:
        nan with the reason where a method has no decoder or no identity code, or has to be told who is in the picture.
    Raises:
        OmoteError: If the judge reads images of another size than `trained` makes, or the faces have yet another.
    """
    if judge.size != trained.size:
        raise OmoteError(
            f"{trained.path} makes images of {trained.size} px and {judge.path} reads {judge.size} px; name a judge of "
            f"{trained.size} px"
        )
    frames = face_set.frames.iloc[rows]
    sources, targets = choose_swaps(frames, count=count)
    people = frames["subject"].to_numpy(dtype=object).astype(str)[np.stack([sources, targets], axis=1)]
    if reason := why_no_images(trained) or (JUDGE_IS_TOLD if judge.needs_subject else ""):
        return dict.fromkeys(SWAP_SCORES, no_answers(len(sources), reason)), people
    z_e = trained.represent(face_set.faces[rows[sources]])[0]
    z_i = trained.identify(face_set.faces[rows[targets]])[0]
    if not z_i.shape[1]:
        return dict.fromkeys(SWAP_SCORES, no_answers(len(sources), NO_IDENTITY)), people

    def read(faces: Array) -> Codes:
        return Codes(judge.represent(faces)[0], judge.identify(faces)[0])

    real = read_codes(lambda numbers: read(face_set.faces[numbers]), rows)
    swapped = read(trained.decode(z_i, z_e))
    scores = swap_scores(real, swapped, frames, sources, targets)
    note = _who_judges(trained, judge, set(frames["subject"]))
    noted = {name: answers._replace(reason=_joined(answers.reason, note)) for name, answers in scores.items()}
    return noted, people


def why_no_images(trained: Trained) -> str:
    """Return why a run cannot be asked for images of the codes of any two people; nothing where it can."""
    if not trained.has_decoder:
        return NO_DECODER
    return TOLD if trained.needs_subject else ""


def _expressions(
    real: Array,
    swapped: Array,
    subjects: Array,
    label: Numbers,
    sources: Numbers,
    targets: Numbers,
    folds: int,
) -> dict[str, Answers]:
    real, swapped = real.astype(np.float64), swapped.astype(np.float64)
    fold = subject_folds(subjects, folds)
    left_out = np.sort(np.stack([fold[sources], fold[targets]], axis=1), axis=1)
    read, read_real = np.full(len(sources), UNKNOWN), np.full(len(sources), UNKNOWN)
    for pair in np.unique(left_out, axis=0):
        fitted_on = (label != UNKNOWN) & ~np.isin(fold, pair)
        if len(np.unique(label[fitted_on])) < 2:
            continue
        probe = fitted_probe(real[fitted_on], label[fitted_on])
        asked = (left_out == pair).all(axis=1)
        read[asked] = probe.predict(swapped[asked])
        read_real[asked] = probe.predict(real[sources[asked]])
    unread = int((read == UNKNOWN).sum())
    note = f"without the people of {unread} of {len(read)} swaps all images have the same expression"
    note = note if unread else ""
    other = np.where(label[targets] == label[sources], UNKNOWN, label[targets])  # which would be no fault
    return {
        "expression_read_back": _agreement(read, label[sources], note),
        "expression_kept_from_target": _agreement(read, other, note),
        "expression_read_back_ceiling": _agreement(read_real, label[sources], note),
    }


def _agreement(read: Numbers, true: Numbers, note: str) -> Answers:
    """Return where both are known whether they agree; chance is the mean agreement over all orders of `true`."""
    asked = (read != UNKNOWN) & (true != UNKNOWN)
    if not asked.any():
        return no_answers(len(read), note or "of no swap is the expression known that is asked about")
    count = max(read.max(), true.max()) + 1
    shares = [np.bincount(labels[asked], minlength=count) / asked.sum() for labels in (read, true)]
    return Answers(np.where(asked, read == true, np.nan), float(shares[0] @ shares[1]), note)


def _identities(
    real: Array, swapped: Array, subjects: Array, sources: Numbers, targets: Numbers
) -> dict[str, Answers]:
    real = real.astype(np.float64)
    people, who, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    sums = np.zeros((len(people), real.shape[1]))
    np.add.at(sums, who, real)

    def nearest(codes: Array) -> Numbers:
        apart = cdist(codes.astype(np.float64), sums / counts[:, None])
        for frame in (sources, targets):
            person, others = who[frame], counts[who[frame], None] - 1
            mean = (sums[person] - real[frame]) / np.maximum(others, 1)
            distance = np.linalg.norm(codes - mean, axis=1)
            apart[np.arange(len(frame)), person] = np.where(others[:, 0] > 0, distance, np.inf)
        return np.asarray(apart.argmin(axis=1))

    read, read_real = nearest(swapped), nearest(real[targets])

    def answers(read: Numbers, frame: Numbers) -> Answers:
        asked = counts[who[frame]] > 1
        alone = int((~asked).sum())
        note = f"{alone} of {len(asked)} swaps have a person without another frame to be known by"
        values = np.where(asked, read == who[frame], np.nan)
        return Answers(values, 1 / len(people) if asked.any() else np.nan, note if alone else "")

    return {
        "identity_read_back": answers(read, targets),
        "identity_of_source": answers(read, sources),
        "identity_read_back_ceiling": answers(read_real, targets),
    }


def _why_no_swaps(subjects: Array, labels: Array) -> str:
    if len(np.unique(subjects)) < 2:
        return "there is nobody to swap with: a swap takes two people"
    if not len(labels):
        return "no frame has an expression, so there is nothing to read back"
    return "nobody shows another expression than the others"


def _why_not_swapped(swapped: Array, real: Array, count: int) -> str | None:
    if swapped.shape != (count, real.shape[1]):
        raise ValueError(
            f"codes of shape {swapped.shape} for {count} swapped images; expected ({count}, {real.shape[1]})"
        )
    return None if np.isfinite(swapped).all() else "the codes of the swapped images contain NaN or infinity"


def _who_judges(trained: Trained, judge: Trained, scored: set[str]) -> str:
    if judge.info == trained.info:  # itself, or a copy: the same method, seed and faces
        return OWN_JUDGE
    known = (scored & set(judge.info.train_subjects)) - set(trained.info.train_subjects)
    if not known:
        return ""
    return f"the judge was trained on {len(known)} of the {len(scored)} people, whom the model never saw"


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)
