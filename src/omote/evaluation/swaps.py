"""Swaps read back: an image with the expression of one frame (source) on another person (target), read by a judge.

The judge should be trained with another seed or method: a model that reads its own images can hide information in them
that only it sees. The paper shows such images (Figure 4) but does not score them.
"""

from itertools import cycle

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import cdist

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import Codes, read_codes
from omote.metrics.probes import fit_probe, subject_folds
from omote.metrics.score import (
    Array,
    PerRowResults,
    as_labels,
    factorize,
    join_reasons,
    no_results,
    why_unscorable,
)
from omote.runs.trained import Trained

EXPRESSION_SCORES = ("expression_read_back", "expression_kept_from_target", "expression_read_back_ceiling")
IDENTITY_SCORES = ("identity_read_back", "identity_of_source", "identity_read_back_ceiling")
SWAP_SCORES = EXPRESSION_SCORES + IDENTITY_SCORES

NO_DECODER = "this method has no decoder, so it makes no images"
NO_IDENTITY = "this method has no identity code: there is nobody to give the expression to"
NEEDS_SUBJECT = "this method has to be told who is in the picture, so it cannot be asked to swap"
JUDGE_NEEDS_SUBJECT = "the judge has to be told who is in the picture, so it cannot say what it sees"
JUDGE_NO_IDENTITY = "the judge has no identity code, so it cannot say who it sees"
OWN_JUDGE = "read back by the model itself, not by an independent one"

Numbers = npt.NDArray[np.int64]
UNKNOWN = -1  # a missing label, or a prediction that was not made


def choose_swaps(frames: pd.DataFrame, *, count: int = 600, seed: int = 0) -> tuple[Numbers, Numbers]:
    """Return the row numbers of sources and of targets, (P,) each, P at most `count`.

    Everyone is source and target equally often, as far as they have frames. People stand in a random circle. In each
    round, everyone with a labelled frame is source once, with their expressions in turn; their target is the next
    person, in the second round the one after that, and so on. The target's frame shows another expression than the
    source's, each with equal probability, or has no label if there is no such frame. A person's frames of one
    expression are used in turn. No pair is chosen twice, so a few photos give fewer swaps.

    Args:
        frames: with the columns subject and expression (missing where unknown) of a face set.
        seed: for the order of people and of frames, and for the targets' expressions.
    Returns:
        Pairs in ascending order; none if there is one person, no label, or one expression only.
    Raises:
        ValueError: If a subject is missing.
    """
    rng = np.random.default_rng(seed)
    subjects, has_label = as_labels(frames["subject"]), frames["expression"].notna().to_numpy(dtype=bool)
    expressions = frames["expression"].to_numpy(dtype=object)
    rows: dict[tuple[str, str | None], list[int]] = {}  # of a person's expression
    for row in rng.permutation(len(frames)):
        label = expressions[row] if has_label[row] else None
        rows.setdefault((subjects[row], label), []).append(int(row))
    next_rows = {key: cycle(of_key) for key, of_key in rows.items()}
    people = rng.permutation(np.unique(subjects)).tolist()
    shown: dict[str, list[str]] = {person: [] for person in people}
    for person, label in sorted((person, label) for person, label in rows if label is not None):
        shown[person].append(label)
    givers = [position for position, person in enumerate(people) if shown[person]]

    pairs: set[tuple[int, int]] = set()
    for turn in range(-(-count // len(givers)) if givers and len(people) > 1 else 0):
        lap, shift = divmod(turn, len(people) - 1)  # after a lap, everyone was paired with everyone
        for position in givers[: count - len(pairs)]:
            source, target = people[position], people[(position + 1 + shift) % len(people)]
            expression = shown[source][(position + shift + lap) % len(shown[source])]
            others: list[str | None] = [label for label in shown[target] if label != expression]
            others = others or [None]
            drawn = (target, others[rng.integers(len(others))])
            if drawn in rows:
                pairs.add((next(next_rows[source, expression]), next(next_rows[drawn])))
    sources, targets = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return sources, targets


def swap_scores(
    real: Codes, swapped: Codes, frames: pd.DataFrame, sources: Numbers, targets: Numbers, *, folds: int = 5
) -> dict[str, PerRowResults]:
    """Return `SWAP_SCORES` with one result a swap: 1 if the statement below holds for it, else 0.

    - expression_read_back: a linear probe (`omote.metrics.probes`) of the judge's expression code names the source's
      expression in the swapped image. It is fitted on real labelled frames of people in other folds than source and
      target (`folds` folds of people). Swaps for which these show one expression only, as with two people, are not
      scored.
    - expression_kept_from_target: the probe names the target's expression, where that is another one; 1 for a model
      that ignores the source.
    - expression_read_back_ceiling: the probe names the source's expression in the source's real image.
    - identity_read_back: the mean code nearest to the swapped image, in the judge's identity code (Euclidean), is the
      target's. Means are over each person's real frames without the source and target frame; swaps of a person without
      another frame are not scored.
    - identity_of_source: the nearest mean is the source's: the expression code carries the person along.
    - identity_read_back_ceiling: the mean nearest to the target's real image is the target's.

    Chance for expressions is the accuracy after shuffling the true labels among the swaps, for identities one over the
    number of people.

    Args:
        real: the judge's codes of N real frames; identity of width 0 if it has none.
        swapped: its codes of P swapped images.
        frames: N rows with the columns subject and expression (missing where unknown).
        sources: (P,) row numbers of the frames that give the expression.
        targets: (P,) row numbers of the frames that give the person.
    Returns:
        P values in {0, 1}, nan for a swap that is not scored; all nan with the reason if there is no swap, or the
        judge's code is missing, contains NaN or has collapsed.
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
    label[known] = factorize(as_labels(frames["expression"][known]))
    if not len(sources):
        return dict.fromkeys(SWAP_SCORES, no_results(0, _why_none_chosen(subjects, label[known])))

    scores: dict[str, PerRowResults] = {}
    reason = why_unscorable(real.expression[known], label[known], "expression")
    if reason := reason or _why_not_swapped(swapped.expression, real.expression, len(sources)):
        scores |= dict.fromkeys(EXPRESSION_SCORES, no_results(len(sources), reason))
    else:
        scores |= _read_expressions(
            real.expression, swapped.expression, subjects, label, sources, targets, folds
        )
    reason = (
        why_unscorable(real.identity, subjects, "subject") if real.identity.shape[1] else JUDGE_NO_IDENTITY
    )
    if reason := reason or _why_not_swapped(swapped.identity, real.identity, len(sources)):
        scores |= dict.fromkeys(IDENTITY_SCORES, no_results(len(sources), reason))
    else:
        scores |= _read_identities(real.identity, swapped.identity, subjects, sources, targets)
    return scores


def score_swaps(
    trained: Trained,
    judge: Trained,
    face_set: FaceSet,
    rows: Array,
    *,
    count: int = 600,
) -> tuple[dict[str, PerRowResults], Array]:
    """Return `SWAP_SCORES` of a run, and the subjects of source and target, (P, 2), for intervals over people.

    Args:
        trained: decodes the swapped images.
        judge: reads them; another run, or `trained` itself, which the reasons then say.
        rows: (N,) row numbers of the frames to choose swaps among, by `choose_swaps`.
    Returns:
        nan with the reason for a method without decoder or identity code, or one that needs the subject as input.
    Raises:
        OmoteError: If `trained`, judge and faces differ in image size.
    """
    if judge.size != trained.size:
        raise OmoteError(
            f"{trained.path} decodes images of {trained.size} px and {judge.path} reads {judge.size} px; name a "
            f"judge of {trained.size} px"
        )
    frames = face_set.frames.iloc[rows]
    sources, targets = choose_swaps(frames, count=count)
    people = frames["subject"].to_numpy(dtype=object).astype(str)[np.stack([sources, targets], axis=1)]
    if reason := why_no_swaps(trained) or (JUDGE_NEEDS_SUBJECT if judge.needs_subject else ""):
        return dict.fromkeys(SWAP_SCORES, no_results(len(sources), reason)), people

    def read(faces: Array) -> Codes:
        return Codes(judge.represent(faces)[0], judge.identify(faces)[0])

    real = read_codes(lambda numbers: read(face_set.faces[numbers]), rows)
    swapped = read(decode_swaps(trained, face_set, rows[sources], rows[targets]))
    scores = swap_scores(real, swapped, frames, sources, targets)
    note = _judge_note(trained, judge, set(frames["subject"]))
    noted = {name: each._replace(reason=join_reasons(each.reason, note)) for name, each in scores.items()}
    return noted, people


def decode_swaps(trained: Trained, face_set: FaceSet, sources: Array, targets: Array) -> Array:
    """Return (P, S, S, 3) uint8 RGB images with the expressions of the frames `sources` on the people of `targets`.

    Args:
        sources: (P,) row numbers in the face set.
        targets: (P,) row numbers in the face set.
    """
    z_e = trained.represent(face_set.faces[sources])[0]
    z_i = trained.identify(face_set.faces[targets])[0]
    images: Array = trained.decode(z_i, z_e)
    return images


def why_no_swaps(trained: Trained) -> str:
    """Return why a run cannot swap expressions; empty if it can."""
    return why_no_images(trained) or ("" if trained.has_identity else NO_IDENTITY)


def why_no_images(trained: Trained) -> str:
    """Return why a run cannot decode an image from the codes of any two people; empty if it can."""
    if not trained.has_decoder:
        return NO_DECODER
    return NEEDS_SUBJECT if trained.needs_subject else ""


def draw_prior(trained: Trained, count: int, seed: int = 0) -> Array:
    """Return (count, S, S, 3) uint8 RGB images decoded from codes drawn from the prior, x_p of Eq. 3."""
    rng = np.random.default_rng(seed)
    size = trained.info.config.options.latent_size
    z_i, z_e = rng.standard_normal((2, count, size), dtype=np.float32)
    images: Array = trained.decode(z_i if trained.has_identity else z_i[:, :0], z_e)
    return images


def _read_expressions(
    real: Array,
    swapped: Array,
    subjects: Array,
    label: Numbers,
    sources: Numbers,
    targets: Numbers,
    folds: int,
) -> dict[str, PerRowResults]:
    real, swapped = real.astype(np.float64), swapped.astype(np.float64)
    fold = subject_folds(subjects, folds)
    left_out = np.sort(np.stack([fold[sources], fold[targets]], axis=1), axis=1)
    read, read_real = np.full(len(sources), UNKNOWN), np.full(len(sources), UNKNOWN)
    for pair in np.unique(left_out, axis=0):
        fitted_on = (label != UNKNOWN) & ~np.isin(fold, pair)
        if len(np.unique(label[fitted_on])) < 2:
            continue
        probe = fit_probe(real[fitted_on], label[fitted_on])
        of_pair = (left_out == pair).all(axis=1)
        read[of_pair] = probe.predict(swapped[of_pair])
        read_real[of_pair] = probe.predict(real[sources[of_pair]])
    unread = int((read == UNKNOWN).sum())
    note = f"without the people of {unread} of {len(read)} swaps all images have the same expression"
    note = note if unread else ""
    other = np.where(
        label[targets] == label[sources], UNKNOWN, label[targets]
    )  # the same expression is no error
    return {
        "expression_read_back": _agreement(read, label[sources], note),
        "expression_kept_from_target": _agreement(read, other, note),
        "expression_read_back_ceiling": _agreement(read_real, label[sources], note),
    }


def _agreement(read: Numbers, true: Numbers, note: str) -> PerRowResults:
    """Return whether both agree where both are known; chance is the mean agreement over all orders of `true`."""
    known = (read != UNKNOWN) & (true != UNKNOWN)
    if not known.any():
        return no_results(len(read), note or "of no swap is the expression known that is asked about")
    count = max(read.max(), true.max()) + 1
    shares = [np.bincount(labels[known], minlength=count) / known.sum() for labels in (read, true)]
    return PerRowResults(np.where(known, read == true, np.nan), float(shares[0] @ shares[1]), note)


def _read_identities(
    real: Array, swapped: Array, subjects: Array, sources: Numbers, targets: Numbers
) -> dict[str, PerRowResults]:
    real = real.astype(np.float64)
    people, who, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    sums = np.zeros((len(people), real.shape[1]))
    np.add.at(sums, who, real)

    def nearest(codes: Array) -> Numbers:
        distances = cdist(codes.astype(np.float64), sums / counts[:, None])
        for frame in (sources, targets):
            person, others = who[frame], counts[who[frame], None] - 1
            mean = (sums[person] - real[frame]) / np.maximum(others, 1)
            distance = np.linalg.norm(codes - mean, axis=1)
            distances[np.arange(len(frame)), person] = np.where(others[:, 0] > 0, distance, np.inf)
        return np.asarray(distances.argmin(axis=1))

    read, read_real = nearest(swapped), nearest(real[targets])

    def results(read: Numbers, frame: Numbers) -> PerRowResults:
        known = counts[who[frame]] > 1
        alone = int((~known).sum())
        note = f"{alone} of {len(known)} swaps have a person without another frame to be known by"
        values = np.where(known, read == who[frame], np.nan)
        return PerRowResults(values, 1 / len(people) if known.any() else np.nan, note if alone else "")

    return {
        "identity_read_back": results(read, targets),
        "identity_of_source": results(read, sources),
        "identity_read_back_ceiling": results(read_real, targets),
    }


def _why_none_chosen(subjects: Array, labels: Array) -> str:
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


def _judge_note(trained: Trained, judge: Trained, scored: set[str]) -> str:
    """Return a warning if the judge is not independent of the model or of the people scored."""
    if judge.info == trained.info:  # itself, or a copy: the same method, seed and faces
        return OWN_JUDGE
    known = (scored & set(judge.info.train_subjects)) - set(trained.info.train_subjects)
    if not known:
        return ""
    return f"the judge was trained on {len(known)} of the {len(scored)} people, whom the model never saw"
