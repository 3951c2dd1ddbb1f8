"""What reads features: a trained run, or a file exported from one. No torch here."""

from collections.abc import Sequence
from typing import Protocol

from omote.data.cut import Cut
from omote.data.face_set import About
from omote.data.outputs import Faces, Outputs
from omote.errors import OmoteError

IN_BFLOAT16 = "-bf16"  # ends the `model` of a reader that computes in it


class Reader(Protocol):
    """Faces in, features out: what `omote.load` returns, and `OnnxReader`."""

    @property
    def name(self) -> str:
        """The method."""

    @property
    def size(self) -> int:
        """S, the side of the faces in pixels."""

    @property
    def model(self) -> str:
        """Method and first digits of the weights' SHA-256, and how it is read: whose features can be compared."""

    @property
    def face_set(self) -> About:
        """Metadata of the face set that the model was trained on."""

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return the features of (N, S, S, 3) uint8 RGB faces; OmoteError if they have another size or type.

        ``subjects``, whose face each is, is for a method that has to be told.
        """


def cut_for(reader: Reader, *, cropped: bool = False) -> Cut:
    """Return how faces have to be cut out for a reader.

    Args:
        cropped: the pictures are faces already.
    Raises:
        OmoteError: If the model was trained on pictures that were faces already and these are not.
    """
    if cropped:
        return Cut(reader.size, cropped=True)
    cut = Cut.of(reader.face_set, reader.size)
    if cut.cropped:
        raise OmoteError(
            f"the model {reader.model} was trained on pictures that were faces already; give --cropped, and pictures "
            "cut alike"
        )
    return cut
