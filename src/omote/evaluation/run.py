"""The protocol applied to a run: what `omote evaluate` does."""

from omote.data.face_set import FaceSet
from omote.evaluation.protocol import Codes, Scores, evaluate
from omote.evaluation.score import Array
from omote.training.run import Trained


def evaluate_run(trained: Trained, face_set: FaceSet, *, k: int = 9, seeds: int = 100) -> Scores:
    """Return the scores of a trained method.

    The people it was trained on are the train people. Everyone else in the face set is a test person: those the
    training held out, and in another face set whoever it never saw.

    Args:
        trained: see `omote.load`.
        face_set: the one that was trained on, or another.
        k: number of clusters.
        seeds: number of k-means runs.
    Raises:
        OmoteError: If the faces have another size than the run reads, or a number is too small.
    """

    def codes(faces: Array) -> Codes:
        return Codes(trained.represent(faces)[0], trained.identify(faces)[0])

    trained_on = set(trained.info.train_subjects)
    test_subjects = [subject for subject in face_set.subjects if subject not in trained_on]
    scores = evaluate(codes, face_set, test_subjects=test_subjects, k=k, seeds=seeds)
    names = ("dataset", "importer", "options", "counts")
    scores.about["face_set"] = {name: face_set.about.get(name) for name in names}
    return scores
