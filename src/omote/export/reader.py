"""What reads features: a trained run, or a file exported from one. No torch here."""

from collections.abc import Sequence
from typing import Any, Protocol

from omote.data.reading import Faces, Reading

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
    def face_set(self) -> dict[str, Any]:
        """What the training's face set said of itself (its about.json)."""

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Reading:
        """Return the features of (N, S, S, 3) uint8 RGB faces; OmoteError if they have another size or type.

        ``subjects``, whose face each is, is for a method that has to be told.
        """
