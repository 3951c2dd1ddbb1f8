"""The interface of everything that computes features: a trained run, or a file exported from one. No torch here."""

from collections.abc import Sequence
from typing import Protocol

from omote.data.cut import Cut
from omote.data.face_set import About
from omote.data.outputs import Faces, Outputs
from omote.errors import OmoteError

IN_BFLOAT16 = "-bf16"  # suffix of `Reader.model` if codes are computed in bfloat16


class Reader(Protocol):
    """Faces in, features out: `omote.runs.trained.Trained` and `omote.features.onnx_reader.OnnxReader`."""

    @property
    def name(self) -> str:
        """Name of the method."""

    @property
    def size(self) -> int:
        """S, side of the faces in pixels."""

    @property
    def model(self) -> str:
        """Method, first digits of the weights' SHA-256, and precision; only features of one model can be compared."""

    @property
    def face_set(self) -> About:
        """Metadata of the training faces."""

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return the features of (N, S, S, 3) uint8 RGB faces; raise OmoteError if they have another size or type.

        ``subjects`` are (N,) ids, for a method that needs them.
        """


def cut_for(reader: Reader, *, cropped: bool = False) -> Cut:
    """Return how to cut faces for a reader.

    Args:
        cropped: the pictures are face crops already.
    Raises:
        OmoteError: If the model was trained on face crops and these pictures are not.
    """
    if cropped:
        return Cut(reader.size, cropped=True)
    cut = Cut.of(reader.face_set, reader.size)
    if cut.cropped:
        raise OmoteError(
            f"the model {reader.model} was trained on face crops; give --cropped, and pictures that are cropped alike"
        )
    return cut
