"""The protocol (`protocol.py`) applied to a run, as `omote evaluate` does; and the centred codes of Table 3, row 7."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.protocol import (
    Codes,
    Scores,
    check_settings,
    evaluation_rows,
    read_codes,
    score_codes,
)
from omote.metrics.score import Array, join_reasons
from omote.runs.hub import check_people
from omote.runs.trained import Trained

KNOWS_ONLY_ITS_PEOPLE = (
    "this method has to be told who is in the picture, and knows only the people of its training"
)
NEEDS_THEIR_ID = (
    "less the mean of the same person's frames to train on, so the id of the person scored has to be known; "
    "the paper gives no such figure"
)


def evaluate(
    trained: Trained,
    face_set: FaceSet,
    *,
    k: int = 9,
    seeds: int = 100,
    resamples: int = 0,
    groups: Sequence[Sequence[str]] = (),
    centred: bool = False,
) -> Scores:
    """Return the scores of a trained method.

    The people it was trained on are the train people; everyone else in the face set is a test person, whether held out
    of the training or from another face set. A method that needs the subject as input is scored on train people only;
    its identity code is that input, and is not scored.

    Args:
        trained: see `omote.load`.
        face_set: the one that was trained on, or another.
        k: number of clusters.
        seeds: number of k-means runs.
        resamples: bootstrap samples of people, for intervals; 0 for none.
        groups: people who are drawn among themselves for these, in a cross-validation those of each fold.
        centred: score each expression code less the mean code of its subject's training frames (Eq. 6, row 7 of
            Table 3). Test people have such frames too, but finding them takes the person's id; the scores say so.
    Raises:
        OmoteError: If the faces have another size than the run reads, a number is too small, or codes are to be
            centred and someone has no training frame.
    """
    check_settings(k=k, seeds=seeds)
    check_people(trained.info, face_set.about)
    subject, use = face_set.frames["subject"], face_set.frames["use"]
    who = subject.to_numpy(dtype=object)
    trained_on = set(trained.info.train_subjects)
    test_subjects = [subject for subject in face_set.subjects if subject not in trained_on]

    def encode(rows: Array, identity: bool = not trained.needs_subject) -> Codes:
        faces = face_set.faces[rows]
        expression = trained.represent(faces, who[rows].tolist())[0]
        return Codes(expression, trained.identify(faces)[0] if identity else np.zeros((len(rows), 0)))

    rows = evaluation_rows(face_set)
    if trained.needs_subject:
        rows = rows[subject.iloc[rows].isin(trained_on)]
    codes = read_codes(encode, rows)
    if centred:
        training = np.flatnonzero((use != "evaluate") & subject.isin(who[rows]))
        training_codes = read_codes(partial(encode, identity=False), training)
        expression = centre_codes(codes.expression, who[rows], training_codes.expression, who[training])
        codes = codes._replace(expression=expression)

    scores = score_codes(
        codes,
        face_set.frames.iloc[rows],
        test_subjects=test_subjects,
        k=k,
        seeds=seeds,
        resamples=resamples,
        groups=groups,
        no_test_reason=KNOWS_ONLY_ITS_PEOPLE if trained.needs_subject else "",
    )
    if centred:
        table = scores.table
        noted = (table["people"] == "test") & (table["code"] == "expression") & table["value"].notna()
        reasons = table.loc[noted, "reason"]
        table.loc[noted, "reason"] = [join_reasons(reason, NEEDS_THEIR_ID) for reason in reasons]
    about = face_set.about.to_json()
    scores.about["face_set"] = {
        name: about.get(name) for name in ("dataset", "importer", "options", "counts")
    }
    scores.about["centred"] = centred
    return scores


def centre_codes(codes: Array, subjects: Any, training_codes: Array, training_subjects: Any) -> Array:
    """Return each code less the mean of its subject's training codes (the paper's Eq. 6).

    Args:
        codes: (N, Z).
        subjects: (N,) ids.
        training_codes: (M, Z); may include further people.
        training_subjects: (M,) ids.
    Returns:
        (N, Z) float64.
    Raises:
        OmoteError: If a subject has no training code.
    """
    means = pd.DataFrame(training_codes.astype(np.float64)).groupby(np.asarray(training_subjects)).mean()
    if missing := sorted(set(subjects) - set(means.index)):
        raise OmoteError(
            "codes can be centred only for people with training frames (use is train or both); these have none: "
            f"{', '.join(missing[:10])}{', ...' if len(missing) > 10 else ''}. Score them without centring"
        )
    centred: Array = codes - means.loc[list(subjects)].to_numpy()
    return centred
