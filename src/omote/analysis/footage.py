"""The photos and videos of people in a folder: who is on which, how much there is, and how long it will take."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.build import Skipped
from omote.data.detect import find_detector
from omote.data.images import PHOTO_SUFFIXES
from omote.data.importers.folder import list_folder
from omote.data.person import Which
from omote.data.sampling import evenly_spaced
from omote.data.videos import Excerpt, estimate_num_frames
from omote.errors import OmoteError
from omote.features.embed import embed
from omote.features.person import select_person
from omote.features.reader import Reader

SAMPLES, SAMPLE_SECONDS = 3, 1.0  # videos whose beginning is timed, and as many photos
WARM_UP = 0.1  # s of the first of them, not timed
REPORT_SHARE = 0.25  # of the time of the features: that of the faces of the report, and of all the rest


class Footage(NamedTuple):
    """Photos and videos, before any pixel of them is read."""

    folder: Path
    people: dict[str, str]  # path of each file -> the person
    seconds: dict[str, float]  # path of each video or animation -> its length by its header
    frames: dict[str, int]  # the same -> frames to take
    further: dict[str, dict[str, str]]  # column of the manifest, such as condition -> path -> value
    skipped: list[Skipped]  # files that are left out

    @property
    def photos(self) -> list[str]:
        """Paths of the photos."""
        return [path for path in self.people if path not in self.seconds]

    def short(self, path: str) -> str:
        """Return a path without the folder that all files lie in."""
        return str(Path(path).relative_to(self.folder)) if Path(path).is_relative_to(self.folder) else path

    def describe(self) -> str:
        """Return how much there is: "5 people: 10 videos (3 min) and 2 photos"."""
        minutes = sum(self.seconds.values()) / 60
        amounts = []
        if self.seconds:
            length = f"{minutes:.0f} min" if minutes >= 10 else f"{minutes:.1f} min"
            amounts.append(f"{count(len(self.seconds), 'video')} ({length})")
        if self.photos:
            amounts.append(count(len(self.photos), "photo"))
        people = len(set(self.people.values()))
        return f"{count(people, 'person', 'people')}: {' and '.join(amounts)}"


def count(number: int, one: str, more: str = "") -> str:
    """Return "1 video", "2 videos"."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def find_footage(folder: str | Path, manifest: str | Path | None, excerpt: Excerpt) -> Footage:
    """Return the photos and videos in `folder`, in FOLDER/PERSON/files or as the manifest says.

    Raises:
        OmoteError: As `omote.prepare`: if there are none, or it is unknown who is on them.
    """
    listing = list_folder(folder, manifest=manifest)
    files = [
        (str(listing.root / file.path), clip.subject, file) for clip in listing.clips for file in clip.files
    ]
    videos = [path for path, _, file in files if file.is_clip]
    further: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for path, _, file in files:
        for name, value in (*file.further, *([("expression", file.expression)] if file.expression else [])):
            further[name][path] = value
    return Footage(
        folder=listing.root,
        people={path: subject for path, subject, _ in files},
        seconds={path: float(estimate_num_frames(path, Excerpt(fps=1))) for path in videos},
        frames={path: estimate_num_frames(path, excerpt) for path in videos},
        further=dict(further),
        skipped=[
            Skipped(source=str(listing.root / row["source"]), frame=None, reason=row["reason"])
            for row in listing.skipped
        ],
    )


def estimate_seconds(reader: Reader, footage: Footage, excerpt: Excerpt, workers: int | None) -> float:
    """Return about how long an analysis will take on this machine, measured on the beginning of a few of its files."""
    videos, photos = (
        [paths[place] for place in evenly_spaced(len(paths), SAMPLES)]
        for paths in (list(footage.seconds), footage.photos)
    )

    def measure(paths: list[str], beginning: Excerpt) -> float:
        begin = time.monotonic()
        with suppress(OmoteError):  # no face in the sample
            embed(reader, paths, excerpt=beginning, workers=workers)
        return time.monotonic() - begin

    measure((videos or photos)[:1], Excerpt(end=WARM_UP))
    total = 0.0
    if videos:
        sample = excerpt._replace(end=SAMPLE_SECONDS)
        frames = sum(max(1, estimate_num_frames(path, sample)) for path in videos)
        total += measure(videos, sample) / frames * sum(footage.frames.values())
    if photos:
        total += measure(photos, Excerpt()) / len(photos) * len(footage.photos)
    return total * (1 + REPORT_SHARE)


class Chosen(NamedTuple):
    """Which face of each picture is its person."""

    face: int | None = None  # the number of the face in each file; 0 if nothing is given
    photo: Path | None = None  # a photo of the person; or a folder with one for each, named after them

    def check(self, footage: Footage) -> None:
        """Raise OmoteError if this makes no sense, or a person has no photo."""
        which = Which(self.face, self.photo)
        which.check()
        which.read_photos(sorted(set(footage.people.values())), find_detector(None) if self.photo else None)

    def describe(self) -> str:
        """Return a sentence."""
        if self.photo is not None:
            return (
                "Where a picture shows several faces, the one that looks like the photo of the person counts."
            )
        if self.face is not None:
            return f"Where a picture shows several faces, face {self.face} counts (column face)."
        return (
            "Where a picture shows several faces, face 0 counts: the largest of the first picture with a face, "
            "which is then followed. --face and --photo choose another."
        )

    def state(self) -> list[object]:
        """Return JSON values that change with the choice."""
        files = (
            []
            if self.photo is None
            else sorted(self.photo.iterdir())
            if self.photo.is_dir()
            else [self.photo]
        )
        return [self.face, [[str(file), os.stat(file).st_mtime_ns] for file in files]]

    def name_rows(self, table: pd.DataFrame, people: Mapping[str, str]) -> pd.Series:
        """Return (N,) the person whom each row shows; missing for other faces.

        Args:
            table: of `omote embed`.
            people: path of each file -> the person.
        """
        owners = table["source"].astype(str).map(people)
        is_person = np.zeros(len(table), bool)
        for person, rows in owners.groupby(owners, sort=False).indices.items():
            is_person[rows] = self._select(table.iloc[rows].reset_index(drop=True), str(person))
        return owners.where(is_person).astype("str")

    def _select(self, rows: pd.DataFrame, person: str) -> NDArray[np.bool_]:
        photo = self.photo
        if photo is not None and photo.is_dir():
            inside = (file for file in sorted(photo.iterdir()) if file.suffix.lower() in PHOTO_SUFFIXES)
            photo = next(file for file in inside if file.stem == person)
        return select_person(rows, face=self.face, photo=photo)
