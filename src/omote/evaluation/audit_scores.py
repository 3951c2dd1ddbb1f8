"""The scores of an audit, each with its interval over people: of a representation, and of the images a run decodes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.data.sampling import evenly_spaced
from omote.evaluation.judge_table import JudgeTable, score_swaps_by_table
from omote.evaluation.protocol import ACROSS_EXPRESSIONS
from omote.evaluation.representation import FACTORS, Representation
from omote.evaluation.swaps import choose_swaps, score_swaps, why_no_images
from omote.metrics.clustering import LabelledFeatures, paper_accuracy
from omote.metrics.continuity import (
    CONTINUITY_SCORES,
    INTERPOLATION_SCORES,
    continuity_scores,
    interpolation_scores,
)
from omote.metrics.disentanglement import disentanglement_scores
from omote.metrics.intervals import (
    GROUPS,
    NORMAL_QUANTILE,
    add_interval,
    bootstrap_accuracies,
    bootstrap_error,
    jackknife,
    jackknife_mean,
)
from omote.metrics.leakage import identity_probe, nearest_neighbour_leakage
from omote.metrics.posterior import is_point, kl_scores, sample_posterior
from omote.metrics.probes import Probe, expression_probe
from omote.metrics.readout import mean_r2, r2, read_factors
from omote.metrics.retrieval import retrieval_scores
from omote.metrics.score import Array, PerRowResults, Score, factorize, join_reasons, no_results, no_score
from omote.metrics.verification import verification_scores
from omote.runs.trained import Trained

STRIPS = 60  # interpolations, at most
STEPS = 9  # faces of an interpolation, as in the paper's Figure 5
MAX_SCORED = 6000  # frames of train or test people, as each is compared with all others
MAX_FACTOR_FRAMES = 3000  # frames that true factors are read from
DISENTANGLEMENT_GROUPS = 5  # jackknife groups of the disentanglement scores, the most expensive ones
NO_APEX = "the apex of a clip is not known: name the face set with --faces"
PUSHED_APART = (
    "the mean removed is of frames that are scored too, which pushes codes of one person apart: without any identity "
    "in them they score below chance"
)

ScoreGroup = tuple[str, str, dict[str, Score]]  # group, reading, scores by name


class CodedFrames(NamedTuple):
    """Frames with their codes: the first arguments of most metrics, in their order."""

    codes: Array  # (n, D) float64
    subjects: Array  # (n,)
    clips: Array  # (n,)
    expressions: Array  # (n,), None where unknown

    def of(self, rows: Array) -> "CodedFrames":
        return CodedFrames(*(column[rows] for column in self))


class AuditInput(NamedTuple):
    """The N frames of a representation that have a code, and what is scored of them."""

    coded: CodedFrames
    logvar: Array | None
    frames: pd.DataFrame
    known: Array  # bool over the representation's frames: the N with a code
    scored: Array  # (N,) bool, for scores of identity and expression
    labelled: Array  # (N,) bool, those of them with an expression
    note: str  # why frames have no code
    thinned: str  # why frames for evaluation are not scored
    pushed: str  # warning for scores of identity


def prepare_audit_input(representation: Representation, frames: pd.DataFrame) -> AuditInput:
    """Return the frames with a code; scored are those for evaluation (`use`), of many of them evenly spaced ones."""
    known = np.atleast_1d(np.isfinite(representation.mean).all(axis=1))
    note = "" if known.all() else representation.missing or "some frames have no code"
    representation, frames = representation.of(known), frames.loc[known]
    subjects, clips, expressions = (
        frames[name].to_numpy(dtype=object) for name in ("subject", "clip", "expression")
    )
    codes = representation.mean.astype(np.float64)
    candidates = np.flatnonzero(frames["use"] != "train")
    scored = np.zeros(len(frames), dtype=bool)
    scored[candidates[evenly_spaced(len(candidates), MAX_SCORED)]] = True
    many = len(candidates) > MAX_SCORED
    pushed = representation.centred and (frames["use"] == "both").any()
    return AuditInput(
        CodedFrames(codes, subjects.astype(str), clips.astype(str), expressions),
        representation.logvar,
        frames,
        known,
        scored,
        scored & frames["expression"].notna().to_numpy(dtype=bool),
        note,
        f"asked of {MAX_SCORED} of {len(candidates)} frames, evenly chosen" if many else "",
        PUSHED_APART if pushed else "",
    )


def score_representation(
    representation: Representation, frames: pd.DataFrame, rising: Array | None, *, k: int, seeds: int
) -> list[ScoreGroup]:
    """Return all scores of a representation on the frames of train or of test people, with their intervals.

    Identity and expression are scored on the frames for evaluation (`use` is not "train"), true factors and
    continuity on all.

    Args:
        representation: of N frames; those without a code are left out, and every score says so.
        frames: N rows: subject, clip, frame, expression, use and true factors.
        rising: (N,) bool, from a clip's first frame to its apex; None where the apex is not known.
        k: number of clusters, for the paper's accuracy.
        seeds: number of k-means runs, and of bootstrap samples for their interval.
    """
    given = prepare_audit_input(representation, frames)
    coded, scored = given.coded, given.scored
    groups: list[ScoreGroup] = [("identity", "mean", _identity_scores(coded, given))]
    if given.logvar is not None:
        means, logvar = coded.codes[scored], given.logvar[scored]
        if not is_point(
            given.logvar
        ):  # of points, the posterior scores give the reason why there is no sample
            drawn = coded._replace(codes=sample_posterior(coded.codes, given.logvar, seed=0))
            groups.append(("identity", "sample", _identity_scores(drawn, given)))
        posterior = jackknife(lambda rows: kl_scores(means[rows], logvar[rows]), coded.subjects[scored])
        groups.append(("posterior", "mean", posterior))
    groups.append(("expression", "mean", _expression_scores(coded.of(given.labelled), k, seeds)))
    if true := [name for name in given.frames if str(name).startswith(FACTORS)]:
        rows = np.array(evenly_spaced(len(given.frames), MAX_FACTOR_FRAMES), dtype=np.int64)
        groups.append(("factors", "mean", _factor_scores(coded.of(rows), given.frames[true].iloc[rows])))
    onset = None if rising is None else rising[given.known]
    groups.append(("continuity", "mean", _continuity_scores(coded, given.frames["frame"].to_numpy(), onset)))
    note = join_reasons(given.note, given.thinned)
    return [(group, reading, add_note(scores, note)) for group, reading, scores in groups]


def add_note(scores: dict[str, Score], note: str) -> dict[str, Score]:
    """Return the scores with a note before their reasons."""
    return {name: score._replace(reason=join_reasons(note, score.reason)) for name, score in scores.items()}


def paper_accuracy_with_interval(labelled: CodedFrames, *, k: int, seeds: int, resamples: int) -> Score:
    """Return the clustering accuracy of Table 3; its replicates are those of `bootstrap_accuracies`, flattened."""
    codes, subjects, clips, expressions = labelled
    features = LabelledFeatures(codes, expressions, factorize(subjects, clips) if len(codes) else clips)
    score = paper_accuracy(features, k=k, seeds=seeds)
    replicates = bootstrap_accuracies(features, subjects, k=k, resamples=resamples)
    score = add_interval(score, bootstrap_error([replicates]), NORMAL_QUANTILE, len(np.unique(subjects)))
    return score._replace(replicates=tuple(replicates.ravel().tolist()))


def expression_probe_accuracy(labelled: CodedFrames) -> Score:
    """Return how often a linear probe names the expression of other people."""
    codes, subjects, _, expressions = labelled
    return jackknife_mean(expression_probe(codes, expressions, subjects), subjects)


def identity_probe_accuracies(scored: CodedFrames, probes: Sequence[Probe]) -> dict[str, Score]:
    """Return how often each probe names the person: `subject_probe_linear`, `subject_probe_mlp`."""

    def results_of(rows: Array) -> dict[str, PerRowResults]:
        codes, subjects, clips, _ = scored.of(rows)
        return {
            f"subject_probe_{probe}": identity_probe(codes, subjects, clips, probe=probe) for probe in probes
        }

    def refit(rows: Array) -> dict[str, Score]:
        return {name: results.mean() for name, results in results_of(rows).items()}

    # With few people the interval must count what the probe was fitted on, and fitting it again is cheap.
    if len(np.unique(scored.subjects)) <= GROUPS:
        return jackknife(refit, scored.subjects)
    fitted_once = results_of(np.arange(len(scored.subjects)))
    return {name: jackknife_mean(results, scored.subjects) for name, results in fitted_once.items()}


def leakage_across_expressions(labelled: CodedFrames) -> dict[str, Score]:
    """Return `nearest_neighbour_leakage` among other expressions of other clips, by its name in tables."""
    return jackknife(
        lambda rows: {ACROSS_EXPRESSIONS: nearest_neighbour_leakage(*labelled.of(rows))}, labelled.subjects
    )


def _identity_scores(coded: CodedFrames, given: AuditInput) -> dict[str, Score]:
    scored = coded.of(given.scored)

    def nearest(rows: Array) -> dict[str, Score]:
        return {"subject_nearest_neighbour": nearest_neighbour_leakage(*scored.of(rows)[:3])}

    def verification(rows: Array) -> dict[str, Score]:
        return verification_scores(*scored.of(rows)[:3])

    scores = {
        **jackknife(nearest, scored.subjects),
        **leakage_across_expressions(coded.of(given.labelled)),
        **identity_probe_accuracies(scored, get_args(Probe)),
        **jackknife(verification, scored.subjects),
    }
    return add_note(scores, given.pushed)


def _expression_scores(labelled: CodedFrames, k: int, seeds: int) -> dict[str, Score]:
    codes, subjects, _, expressions = labelled

    def retrieval(rows: Array) -> dict[str, Score]:
        return retrieval_scores(codes[rows], expressions[rows], subjects[rows])

    return {
        "accuracy": paper_accuracy_with_interval(labelled, k=k, seeds=seeds, resamples=seeds),
        "expression_probe": expression_probe_accuracy(labelled),
        **jackknife(retrieval, subjects),
    }


def _continuity_scores(coded: CodedFrames, order: Array, rising: Array | None) -> dict[str, Score]:
    """Return `CONTINUITY_SCORES`, given the order of the frames and which are rising."""
    if rising is None:
        return dict.fromkeys(CONTINUITY_SCORES, no_score(NO_APEX))

    def scores(rows: Array) -> dict[str, Score]:
        codes, subjects, clips, expressions = coded.of(rows)
        return continuity_scores(codes, subjects, clips, order[rows], rising[rows], expressions)

    return jackknife(scores, coded.subjects)


def _factor_scores(coded: CodedFrames, factors: pd.DataFrame) -> dict[str, Score]:
    codes, subjects, *_ = coded
    action_units = factors[[name for name in factors if str(name).startswith("au_")]]
    readouts = read_factors(codes, factors, subjects)

    def disentanglement(rows: Array) -> dict[str, Score]:
        everybody = len(rows) == len(codes)  # the intervals need no chance level
        return disentanglement_scores(
            codes[rows], action_units.iloc[rows], subjects[rows], with_chance=everybody
        )

    def means(rows: Array) -> dict[str, Score]:
        return {f"r2_{group[:-1]}": mean_r2(readouts, group[:-1], rows) for group in FACTORS}

    def each(rows: Array) -> dict[str, Score]:
        return {f"r2:{one.name}": r2(one, rows) for one in readouts if one.name.startswith("au_")}

    scores = jackknife(disentanglement, subjects, groups=DISENTANGLEMENT_GROUPS)
    return scores | jackknife(means, subjects) | jackknife(each, subjects)


def score_images(
    name: str, trained: Trained, judges: Sequence[Trained | JudgeTable], faces: FaceSet, rows: Array
) -> Iterator[tuple[str, list[ScoreGroup]]]:
    """Yield the scores of a run's decoded images, with the name of what is scored: swaps read back, interpolations.

    Args:
        judges: who reads the swaps beside the run itself.
        rows: (N,) numbers of frames of train or of test people.
    """
    for judge in (trained, *judges):
        if isinstance(judge, JudgeTable):
            by, (results, people) = judge.path.stem, score_swaps_by_table(trained, judge, faces, rows)
        else:
            by = "itself" if judge is trained else judge.path.name
            results, people = score_swaps(trained, judge, faces, rows)
        swaps = {score: jackknife_mean(each, people) for score, each in results.items()}
        yield f"{name}, read by {by}", [("swap", "mean", swaps)]
    yield f"{name} z_e", [("continuity", "mean", _score_interpolations(trained, faces, rows))]


def _score_interpolations(trained: Trained, faces: FaceSet, rows: Array) -> dict[str, Score]:
    """Return `INTERPOLATION_SCORES` between two people's expressions on the first one's face.

    nan with the reason for a method that decodes no images.
    """
    frames = faces.frames.iloc[rows]
    ends, begins = choose_swaps(frames, count=STRIPS)
    people = frames["subject"].to_numpy(dtype=object).astype(str)[np.stack([begins, ends], axis=1)]
    if reason := why_no_images(trained):
        return {
            name: jackknife_mean(no_results(len(begins), reason), people) for name in INTERPOLATION_SCORES
        }
    begin, end = faces.faces[rows[begins]], faces.faces[rows[ends]]
    z_i, first, last = trained.identify(begin)[0], trained.represent(begin)[0], trained.represent(end)[0]
    codes = np.linspace(first, last, STEPS, axis=1)  # (P, STEPS, Z)
    images = trained.decode(np.repeat(z_i, STEPS, axis=0), codes.reshape(-1, codes.shape[2]))
    strips = images.reshape(len(begins), STEPS, *images.shape[1:])
    return {name: jackknife_mean(results, people) for name, results in interpolation_scores(strips).items()}
