"""All scores of an audit: of one feature, and of the images that a run makes; each with its interval over people."""

from collections.abc import Iterator
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.evaluation.feature import FACTORS, Feature
from omote.evaluation.protocol import ACROSS
from omote.evaluation.swaps import audit_swaps, choose_swaps, why_no_images
from omote.metrics.bootstrap import interval_over_people, resampled_accuracies
from omote.metrics.clustering import Labelled, clustering_scores, kmeans_runs
from omote.metrics.continuity import (
    CONTINUITY_SCORES,
    INTERPOLATION_SCORES,
    continuity_scores,
    interpolation_scores,
)
from omote.metrics.disentanglement import disentanglement_scores
from omote.metrics.jackknife import GROUPS, anew, mean, mean_of
from omote.metrics.leakage import identity_probe, nearest_neighbour_leakage
from omote.metrics.posterior import is_point, kl_scores, sampled
from omote.metrics.probes import Probe, expression_probe
from omote.metrics.readout import mean_r2, r2, readouts
from omote.metrics.retrieval import retrieval_scores
from omote.metrics.score import Answers, Array, Score, no_answers, no_score, numbered
from omote.metrics.verification import verification_scores
from omote.runs.trained import Trained

STRIPS = 60  # interpolations, at most
STEPS = 9  # faces in each, as in the paper's Figure 5
NO_APEX = "the apex of a clip is not known: name the face set with --faces"
MOST_SCORED = 6000  # frames of one kind of people, evenly chosen, as every one is compared with every other
PUSHED_APART = (
    "the mean removed is of frames that are scored too, which pushes codes of one person apart: without any identity "
    "in them they score below chance"
)
DISENTANGLEMENT_GROUPS = 5  # of people left out: it is the dearest of all scores
FACTOR_FRAMES = 3000  # at most, evenly chosen, for what is asked of true factors

Scored = tuple[str, str, dict[str, Score]]  # group, reading, scores by name


class Coded(NamedTuple):
    """Frames with their codes, the first arguments of most scores."""

    codes: Array  # (n, D)
    subjects: Array  # (n,)
    clips: Array  # (n,)
    expressions: Array  # (n,), None where unknown

    def of(self, rows: Array) -> "Coded":
        return Coded(*(column[rows] for column in self))


def feature_scores(
    feature: Feature, frames: pd.DataFrame, rising: Array | None, *, k: int, seeds: int
) -> list[Scored]:
    """Return all scores of one feature on the frames of one kind of people, with their intervals.

    Identity and expression are asked of the frames that are scored (`use` is not "train"), true factors and
    continuity of all.

    Args:
        feature: of N frames; those without a code are left out, and every score says so.
        frames: N rows: subject, clip, frame, expression, use and true factors.
        rising: (N,) bool, from a clip's first frame to its apex; None where the apex is not known.
        k: of the paper's k-means.
        seeds: so many runs of it, and so many draws of people for its interval.
    """
    known = np.atleast_1d(np.isfinite(feature.mean).all(axis=1))
    note = "" if known.all() else feature.missing or "some frames have no code"
    feature, frames = feature.of(known), frames.loc[known]
    names = [frames[name].to_numpy(dtype=object) for name in ("subject", "clip", "expression")]
    coded = Coded(feature.mean.astype(np.float64), names[0].astype(str), names[1].astype(str), names[2])
    scored, thinned = _thinned((frames["use"] != "train").to_numpy(dtype=bool))
    note = "; ".join(filter(None, (note, thinned)))
    labelled = scored & frames["expression"].notna().to_numpy(dtype=bool)

    pushed = PUSHED_APART if feature.centred and (frames["use"] == "both").any() else ""
    found: list[Scored] = [("identity", "mean", _noted(_identity(coded, scored, labelled), pushed))]
    if feature.logvar is not None:
        means, logvar = coded.codes[scored], feature.logvar[scored]
        if not is_point(feature.logvar):  # else the posterior's scores say why there is no sample
            drawn = coded._replace(codes=sampled(coded.codes, feature.logvar, seed=0))
            found.append(("identity", "sample", _noted(_identity(drawn, scored, labelled), pushed)))
        posterior = anew(lambda rows: kl_scores(means[rows], logvar[rows]), coded.subjects[scored])
        found.append(("posterior", "mean", posterior))
    found.append(("expression", "mean", _expression(coded.of(labelled), k, seeds)))
    if true := [name for name in frames if str(name).startswith(FACTORS)]:
        rows = np.linspace(0, len(frames) - 1, min(len(frames), FACTOR_FRAMES)).round().astype(np.int64)
        found.append(("factors", "mean", _factors(coded.of(rows), frames[true].iloc[rows])))
    in_order = None if rising is None else (frames["frame"].to_numpy(), rising[known])
    found.append(("continuity", "mean", _continuity(coded, in_order)))
    return [(group, reading, _noted(scores, note)) for group, reading, scores in found]


def _identity(coded: Coded, scored: Array, labelled: Array) -> dict[str, Score]:
    asked, known = coded.of(scored), coded.of(labelled)
    subjects = asked.subjects

    def answers(rows: Array) -> dict[str, Answers]:
        return {
            f"subject_probe_{probe}": identity_probe(*asked.of(rows)[:3], probe=probe)
            for probe in get_args(Probe)
        }

    def probes(rows: Array) -> dict[str, Score]:
        return {name: mean(each) for name, each in answers(rows).items()}

    # With few people the interval has to count what the probe was fitted on, and fitting it again is cheap.
    if len(np.unique(subjects)) <= GROUPS:
        probed = anew(probes, subjects)
    else:
        fitted_once = answers(np.arange(len(subjects)))
        probed = {name: mean_of(each, subjects) for name, each in fitted_once.items()}

    def nearest(rows: Array) -> dict[str, Score]:
        return {"subject_nearest_neighbour": nearest_neighbour_leakage(*asked.of(rows)[:3])}

    def across(rows: Array) -> dict[str, Score]:
        return {ACROSS: nearest_neighbour_leakage(*known.of(rows))}

    def verification(rows: Array) -> dict[str, Score]:
        return verification_scores(*asked.of(rows)[:3])

    return {
        **anew(nearest, subjects),
        **anew(across, known.subjects),
        **probed,
        **anew(verification, subjects),
    }


def _expression(labelled: Coded, k: int, seeds: int) -> dict[str, Score]:
    codes, subjects, clips, expressions = labelled
    to_cluster = Labelled(codes, expressions, numbered(subjects, clips) if len(codes) else clips)
    paper = clustering_scores(kmeans_runs(to_cluster, k=k, seeds=seeds)).scores["accuracy"]
    resampled = resampled_accuracies(to_cluster, subjects, k=k, resamples=seeds)
    interval = interval_over_people(paper.value, [resampled])

    def retrieval(rows: Array) -> dict[str, Score]:
        return retrieval_scores(codes[rows], expressions[rows], subjects[rows])

    return {
        "accuracy": paper._replace(low=interval.low, high=interval.high),
        "expression_probe": mean_of(expression_probe(codes, expressions, subjects), subjects),
        **anew(retrieval, subjects),
    }


def _thinned(scored: Array) -> tuple[Array, str]:
    """Return (N,) bool with at most `MOST_SCORED` true, and what to say about it."""
    rows = np.flatnonzero(scored)
    if len(rows) <= MOST_SCORED:
        return scored, ""
    chosen = np.zeros_like(scored)
    chosen[rows[np.linspace(0, len(rows) - 1, MOST_SCORED).round().astype(np.int64)]] = True
    return chosen, f"asked of {MOST_SCORED} of {len(rows)} frames, evenly chosen"


def _noted(scores: dict[str, Score], note: str) -> dict[str, Score]:
    """Return the scores with a note before their reasons."""
    return {
        name: of._replace(reason="; ".join(filter(None, (note, of.reason)))) for name, of in scores.items()
    }


def _continuity(coded: Coded, in_order: tuple[Array, Array] | None) -> dict[str, Score]:
    """Return `CONTINUITY_SCORES`, given the frames' places in their clips and which are rising."""
    if in_order is None:
        return dict.fromkeys(CONTINUITY_SCORES, no_score(NO_APEX))
    order, rising = in_order

    def scores(rows: Array) -> dict[str, Score]:
        codes, subjects, clips, expressions = coded.of(rows)
        return continuity_scores(codes, subjects, clips, order[rows], rising[rows], expressions)

    return anew(scores, coded.subjects)


def _factors(coded: Coded, factors: pd.DataFrame) -> dict[str, Score]:
    codes, subjects, *_ = coded
    action_units = factors[[name for name in factors if str(name).startswith("au_")]]
    found = readouts(codes, factors, subjects)

    def disentanglement(rows: Array) -> dict[str, Score]:
        return disentanglement_scores(codes[rows], action_units.iloc[rows], subjects[rows])

    def means(rows: Array) -> dict[str, Score]:
        return {f"r2_{group[:-1]}": mean_r2(found, group[:-1], rows) for group in FACTORS}

    def each(rows: Array) -> dict[str, Score]:
        return {f"r2:{one.name}": r2(one, rows) for one in found if one.name.startswith("au_")}

    scores = anew(disentanglement, subjects, groups=DISENTANGLEMENT_GROUPS)
    return scores | anew(means, subjects) | anew(each, subjects)


def image_scores(
    name: str, trained: Trained, judge: Trained | None, faces: FaceSet, rows: Array
) -> Iterator[tuple[str, list[Scored]]]:
    """Yield of a run, under a name, what its decoded images show: swaps read back, and interpolations.

    Args:
        rows: (N,) numbers of the frames of one kind of people.
    """
    for reader in (trained, judge):
        if reader is not None:
            answers, people = audit_swaps(trained, reader, faces, rows)
            by = "itself" if reader is trained else reader.path.name
            swaps = {score: mean_of(each, people) for score, each in answers.items()}
            yield f"{name}, read by {by}", [("swap", "mean", swaps)]
    yield f"{name} z_e", [("continuity", "mean", _interpolations(trained, faces, rows))]


def _interpolations(trained: Trained, faces: FaceSet, rows: Array) -> dict[str, Score]:
    """Return `INTERPOLATION_SCORES`: from one person's expression to another's, on the first face; nan with the reason
    where the method cannot be asked for images."""
    frames = faces.frames.iloc[rows]
    ends, begins = choose_swaps(frames, count=STRIPS)
    people = frames["subject"].to_numpy(dtype=object).astype(str)[np.stack([begins, ends], axis=1)]
    if reason := why_no_images(trained):
        return {name: mean_of(no_answers(len(begins), reason), people) for name in INTERPOLATION_SCORES}
    begin, end = faces.faces[rows[begins]], faces.faces[rows[ends]]
    z_i, first, last = trained.identify(begin)[0], trained.represent(begin)[0], trained.represent(end)[0]
    along = np.linspace(first, last, STEPS, axis=1)  # (P, STEPS, Z)
    made = trained.decode(np.repeat(z_i, STEPS, axis=0), along.reshape(-1, along.shape[2]))
    strips = made.reshape(len(begins), STEPS, *made.shape[1:])
    return {name: mean_of(answers, people) for name, answers in interpolation_scores(strips).items()}
