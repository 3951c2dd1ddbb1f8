"""All scores of an audit: of one feature, and of the images that a run makes; each with its interval over people."""

from collections.abc import Iterator
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.evaluation.bootstrap import interval_over_people, resampled_accuracies
from omote.evaluation.clustering import Labelled, clustering_scores, kmeans_runs
from omote.evaluation.continuity import INTERPOLATION_SCORES, continuity_scores, interpolation_scores
from omote.evaluation.disentanglement import disentanglement_scores
from omote.evaluation.feature import FACTORS, Feature
from omote.evaluation.jackknife import GROUPS, anew, mean_of
from omote.evaluation.leakage import identity_probe, nearest_neighbour_leakage
from omote.evaluation.posterior import kl_scores, sampled
from omote.evaluation.probes import Probe, expression_probe
from omote.evaluation.protocol import ACROSS
from omote.evaluation.readout import mean_r2, r2, readouts
from omote.evaluation.retrieval import retrieval_scores
from omote.evaluation.score import Array, Score, no_answers, numbered
from omote.evaluation.swaps import TOLD, audit_swaps, choose_swaps
from omote.evaluation.verification import verification_scores
from omote.training.run import Trained

STRIPS = 60  # interpolations, at most
STEPS = 9  # faces in each, as in the paper's Figure 5
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
    feature: Feature, frames: pd.DataFrame, rising: Array, *, k: int, seeds: int
) -> list[Scored]:
    """Return all scores of one feature on the frames of one kind of people, with their intervals.

    Identity and expression are asked of the frames that are scored (`use` is not "train"), true factors and
    continuity of all.

    Args:
        feature: of N frames; those without a code are left out, and every score says so.
        frames: N rows: subject, clip, frame, expression, use and true factors.
        rising: (N,) bool, from a clip's first frame to its apex.
        k: of the paper's k-means.
        seeds: so many runs of it, and so many draws of people for its interval.
    """
    known = np.atleast_1d(np.isfinite(feature.mean).all(axis=1))
    note = "" if known.all() else feature.missing or "some frames have no code"
    feature, frames, rising = feature.of(known), frames.loc[known], rising[known]
    names = [frames[name].to_numpy(dtype=object) for name in ("subject", "clip", "expression")]
    coded = Coded(feature.mean.astype(np.float64), names[0].astype(str), names[1].astype(str), names[2])
    order = frames["frame"].to_numpy()
    scored = (frames["use"] != "train").to_numpy(dtype=bool)
    labelled = scored & frames["expression"].notna().to_numpy(dtype=bool)

    def continuity(rows: Array) -> dict[str, Score]:
        codes, subjects, clips, expressions = coded.of(rows)
        return continuity_scores(codes, subjects, clips, order[rows], rising[rows], expressions)

    found: list[Scored] = [("identity", "mean", _identity(coded, scored, labelled))]
    if feature.logvar is not None:
        drawn = coded._replace(codes=sampled(coded.codes, feature.logvar, seed=0))
        found.append(("identity", "sample", _identity(drawn, scored, labelled)))
        found.append(("posterior", "mean", kl_scores(coded.codes[scored], feature.logvar[scored])))
    found.append(("expression", "mean", _expression(coded.of(labelled), k, seeds)))
    if true := [name for name in frames if str(name).startswith(FACTORS)]:
        rows = np.linspace(0, len(frames) - 1, min(len(frames), FACTOR_FRAMES)).round().astype(np.int64)
        found.append(("factors", "mean", _factors(coded.of(rows), frames[true].iloc[rows])))
    found.append(("continuity", "mean", anew(continuity, coded.subjects)))
    return [(group, reading, _noted(scores, note)) for group, reading, scores in found]


def _identity(coded: Coded, scored: Array, labelled: Array) -> dict[str, Score]:
    asked, known = coded.of(scored), coded.of(labelled)
    subjects = asked.subjects

    def probes(rows: Array) -> dict[str, Score]:
        answers = {
            f"subject_probe_{probe}": identity_probe(*asked.of(rows)[:3], probe=probe)
            for probe in get_args(Probe)
        }
        return {name: mean_of(each, subjects[rows]) for name, each in answers.items()}

    def nearest(rows: Array) -> dict[str, Score]:
        return {"subject_nearest_neighbour": nearest_neighbour_leakage(*asked.of(rows)[:3])}

    def across(rows: Array) -> dict[str, Score]:
        return {ACROSS: nearest_neighbour_leakage(*known.of(rows))}

    def verification(rows: Array) -> dict[str, Score]:
        return verification_scores(*asked.of(rows)[:3])

    return {
        **anew(nearest, subjects),
        **anew(across, known.subjects),
        # With few people the interval has to count what the probe was fitted on, and fitting it again is cheap.
        **(
            anew(probes, subjects) if len(np.unique(subjects)) <= GROUPS else probes(np.arange(len(subjects)))
        ),
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


def _noted(scores: dict[str, Score], note: str) -> dict[str, Score]:
    """Return the scores with a note before their reasons."""
    return {
        name: of._replace(reason="; ".join(filter(None, (note, of.reason)))) for name, of in scores.items()
    }


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
    """Return `INTERPOLATION_SCORES`: from one person's expression to another's, on the first face."""
    frames = faces.frames.iloc[rows]
    ends, begins = choose_swaps(frames, count=STRIPS)
    people = frames["subject"].to_numpy(dtype=object).astype(str)[begins]
    if trained.needs_subject:
        return {name: mean_of(no_answers(len(begins), TOLD), people) for name in INTERPOLATION_SCORES}
    begin, end = faces.faces[rows[begins]], faces.faces[rows[ends]]
    z_i, first, last = trained.identify(begin)[0], trained.represent(begin)[0], trained.represent(end)[0]
    along = np.linspace(first, last, STEPS, axis=1)  # (P, STEPS, Z)
    made = trained.decode(np.repeat(z_i, STEPS, axis=0), along.reshape(-1, along.shape[2]))
    strips = made.reshape(len(begins), STEPS, *made.shape[1:])
    return {name: mean_of(answers, people) for name, answers in interpolation_scores(strips).items()}
