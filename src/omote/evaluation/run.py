"""The protocol applied to a run: what `omote evaluate` does."""

from omote.data.face_set import FaceSet
from omote.evaluation.protocol import Codes, Scores, evaluate
from omote.evaluation.score import Array
from omote.training.run import Trained


def evaluate_run(trained: Trained, face_set: FaceSet, *, k: int = 9, seeds: int = 100) -> Scores:
    """Return the scores of a trained method; the people its training held out are the test people.

    Args:
        trained: see `omote.load`.
        face_set: the one that was trained on, or another with the same people.
        k: number of clusters.
        seeds: number of k-means runs.
    Raises:
        OmoteError: If people whom the training held out are not in the face set.
    """

    def codes(faces: Array) -> Codes:
        return Codes(trained.represent(faces)[0], trained.identify(faces)[0])

    return evaluate(codes, face_set, test_subjects=trained.info.test_subjects, k=k, seeds=seeds)
