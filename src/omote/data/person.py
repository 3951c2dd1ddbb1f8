"""Which face is the person's, where a video shows several: by its number, or by a photo of the person."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from omote.data.detect import SECOND_FACE, Face, find_only_face
from omote.data.images import PHOTO_SUFFIXES, Unreadable, read_photo
from omote.data.track import Tracker, describe_appearance
from omote.errors import OmoteError

# Distance of appearance descriptors up to which a face may be the one of the photo. The two photos of one person in the
# London Set are at most 0.34 apart, those of two people 0.6 (median; docs/results/following.md); the limit is between,
# as another camera and another day change a person more.
MAX_DISTANCE = 0.45

Descriptor = np.ndarray  # of `describe_appearance`, (D,) uint8


@dataclass(frozen=True)
class Which:
    """Which face is the person's; at most one of the two. With none, a picture of two people is of no use.

    Args:
        face: number of the face in its video, as `omote embed` numbers them: 0 is the largest of the first picture that
            shows one.
        photo: a photo of the person; or a folder with one for each subject, named after it: SUBJECT.jpg.
    """

    face: int | None = None
    photo: str | Path | None = None

    def check(self) -> None:
        """Raise OmoteError if two are given or a value is out of range."""
        if self.face is not None and self.photo is not None:
            raise OmoteError(
                "A face number and a photo were given; give one of them to tell the person's face."
            )
        if self.face is not None and self.face < 0:
            raise OmoteError(
                f"face is {self.face}; expected a number from 0, as in the column face of embed's tables."
            )

    def read_photos(self, subjects: Sequence[str], detector: Path | None) -> dict[str, Descriptor]:
        """Return the appearance of each subject in its photo, or nothing if no photo was given.

        Raises:
            OmoteError: If a photo is missing, cannot be read, or shows nobody or several people.
        """
        if self.photo is None:
            return {}
        if detector is None:
            raise OmoteError(
                "A photo tells one face from others; it is of no use with pictures that are faces already."
            )
        path = Path(self.photo)
        if not path.is_dir():
            return dict.fromkeys(subjects, _describe_photo(path, detector))
        files = {file.stem: file for file in sorted(path.iterdir()) if file.suffix.lower() in PHOTO_SUFFIXES}
        missing = [subject for subject in subjects if subject not in files]
        if missing:
            raise OmoteError(
                f"{path} has no photo of {missing[0]}; expected one for each person, such as {missing[0]}.jpg."
            )
        return {subject: _describe_photo(files[subject], detector) for subject in subjects}


def _describe_photo(file: Path, detector: Path) -> Descriptor:
    try:
        image = read_photo(file)
    except (Unreadable, OSError) as error:
        raise OmoteError(f"The photo {file} of the person cannot be used: {error}") from error
    face = find_only_face(image, detector)
    if isinstance(face, str):
        raise OmoteError(f"The photo {file} of the person cannot be used: {face}.")
    return describe_appearance(image, face)


def appearance_distance(one: Descriptor, other: Descriptor) -> float:
    """Return how unlike two faces look, 0 to 1.7."""
    return float(np.linalg.norm(one.astype(float) - other)) / 255


class ChosenFace(NamedTuple):
    """The person's face in a picture."""

    face: Face
    number: int  # of the face in its video


class FaceChooser:
    """Chooses the person's face in the pictures of one video, in order, or in one photo."""

    def __init__(self, which: Which, appearance: Descriptor | None) -> None:
        """Begin a video.

        Args:
            appearance: of the person, with `which.photo`.
        """
        self._which, self._appearance, self._tracker = which, appearance, Tracker()
        # number -> sum of its distances from the photo, and how many
        self._distances: defaultdict[int, tuple[float, int]] = defaultdict(lambda: (0.0, 0))

    def choose(self, image: np.ndarray, faces: Sequence[Face]) -> ChosenFace | str:
        """Return the person's face, or the reason why there is none.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: of the image, the tallest box first as from `find_faces`.
        """
        numbers = self._tracker.follow(image, faces)
        if not faces:
            return "no face"
        if self._appearance is not None:
            return self._choose_most_alike(image, faces, numbers)
        if self._which.face is not None:
            if self._which.face not in numbers:
                return f"not face {self._which.face}"
            at = numbers.index(self._which.face)
            return ChosenFace(faces[at], numbers[at])
        if sum(bool(face.box[3] >= SECOND_FACE * faces[0].box[3]) for face in faces) > 1:
            return "two people"
        return ChosenFace(faces[0], numbers[0])

    def _choose_most_alike(
        self, image: np.ndarray, faces: Sequence[Face], numbers: Sequence[int]
    ) -> ChosenFace | str:
        """Judge a face by its whole track so far, so that one unlucky frame does not change the person."""
        assert self._appearance is not None
        means = []
        for face, number in zip(faces, numbers, strict=True):
            total, count = self._distances[number]
            total += appearance_distance(self._appearance, describe_appearance(image, face))
            self._distances[number] = total, count + 1
            means.append(total / (count + 1))
        at = int(np.argmin(means))
        if means[at] > MAX_DISTANCE:
            return "not the person of the photo"
        return ChosenFace(faces[at], numbers[at])
