"""Preparing face sets of photos and videos: the functions behind `omote prepare folder` and the published data sets."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from omote.data.build import FaceBatch, Progress, Skipped, build_face_set
from omote.data.clips import Clip, File, Listing, check_clips
from omote.data.cut import DEFAULT_MARGIN, Align, Cut, cut_only_face
from omote.data.detect import ALL_FACES, DETECTOR_SHA256, Search, find_detector
from omote.data.face_set import BOX, LANDMARKS, About, FaceSet
from omote.data.images import Unreadable, read_photo
from omote.data.importers.folder import list_folder
from omote.data.importers.registry import IMPORTERS, load_importer
from omote.data.media import read_frames
from omote.data.videos import Excerpt, Note
from omote.errors import OmoteError
from omote.files import file_state

PHOTOS_PER_JOB = 64
FRAMES_PER_BATCH = 256  # in memory at once, per worker


def prepare(
    path: str | Path,
    to: str | Path,
    *,
    pattern: str | None = None,
    manifest: str | Path | None = None,
    map_expression: Mapping[str, str] | None = None,
    size: int = 64,
    align: Align = "none",
    margin: float = DEFAULT_MARGIN,
    cropped: bool = False,
    detector: str | Path | None = None,
    largest: int | None = None,
    fast: bool = False,
    fps: float | None = None,
    dataset: str | None = None,
    licence: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return a face set of the photos and videos in the folder `path`, written to the folder `to`.

    The names of the folders say who is on them:

        subject/photo.jpg         a clip of one frame, called "photo"
        subject/clip/frame.jpg    the photos of a folder, in natural order (9 before 10), are one clip
        subject/video.mp4         a clip; so is subject/anything/video.mp4, and so are animated images

    A folder below the subject is always a clip, never an expression; for expressions give `pattern`. The content of a
    file tells what it is. If two clips differ in the suffix only, it is part of their names: IMG_1.jpg and IMG_1.mp4.
    Hidden files are ignored. Frames without a face, frames with two people, and files that cannot be read or are
    neither photo nor video are left out and listed, with the reason, in `face_set.skipped()`.

    Args:
        pattern: names with fields, such as "{subject}_{expression}.jpg" or "{subject}/{expression}/{}.png": subject
            (required), clip, frame, expression, {} or * for anything but "/", {subject:3} for 3 characters. A pattern
            with a "/" is matched with the path below `path`, any other with the file name. The suffix matches in upper
            and lower case, and may be left out. Without {clip} and {frame} every photo is a clip of its own; with
            {frame} alone, files that differ only in it are a clip. Files that do not match are skipped; a name that can
            be read in two ways is an error.
        manifest: CSV file, separated by commas, semicolons or tabs, with the columns path (below `path`, or beside the
            manifest) and subject; optional are clip, frame, expression and use ("train", "evaluate" or "both"); others
            are kept as columns. Only the files it lists are prepared.
        map_expression: for example {"03": "neutral"}; other expressions are kept, "" stands for unknown.
        size: side of the faces in pixels, 64 or 128.
        align: "none", the square around the detected box, as in the paper; or "eyes", rotated and scaled so that the
            eyes lie at fixed positions.
        margin: share of the side to add on each side (negative: to take away), more than -0.4.
        cropped: the pictures are faces already: nothing is detected, and the middle square is taken.
        detector: another copy of YuNet's model file; else the one that OMOTE_DETECTOR names, else omote's own.
        largest: with 1, the largest face of each picture is taken, and pictures of several people are not left out.
        fast: search no finer than it takes to find one clear face; people are then missed beside a larger one.
        fps: frames per second to take from a video; None takes every frame. `frame` counts all frames of the video.
        dataset: name for the column `dataset`; the name of the folder if None.
        licence: the terms of the photos, kept in about.json.
        workers: number of processes; None for one per core. The face set does not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is one video or a number of photos.
    Raises:
        OmoteError: If an option is out of range, the folder is missing or empty, subjects are unknown or ambiguous,
            clips clash, the detector is not available, no face at all was found, or as `build_face_set`.
    """
    listing = list_folder(path, pattern=pattern, manifest=manifest, map_expression=map_expression)
    options = {
        "pattern": pattern,
        "manifest": manifest and Path(manifest).name,
        "map_expression": map_expression,
    }
    about = About(
        dataset=dataset or listing.root.resolve().name,
        importer="folder",
        options={name: value for name, value in options.items() if value},
        licence=licence,
    )
    cut = Cut(size, align, margin, cropped)
    return _prepare_clips(
        listing, to, cut, about, detector, Search(largest, fast), fps, workers, overwrite, progress
    )


def prepare_dataset(
    name: str,
    path: str | Path | None,
    to: str | Path,
    *,
    size: int = 64,
    align: Align = "none",
    margin: float = DEFAULT_MARGIN,
    cropped: bool | None = None,
    detector: str | Path | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: int,
) -> FaceSet:
    """Return a face set of a published data set; see `prepare` for the arguments that are not described here.

    Its counts and the published ones are kept in about.json, as "found" and "published".

    Args:
        name: a key of `omote.data.importers.registry.IMPORTERS`: "ckplus", "mug" and others.
        path: the folder that it was unpacked to. For "olivetti" and "lfw", which scikit-learn downloads, scikit-learn's
            data folder; its default if None.
        cropped: the pictures are faces already; None leaves it to the importer.
        options: the importer's own options, such as train_frames and evaluate_frames of `list_ckplus`.
    Raises:
        OmoteError: If there is no such data set, it has no such option, the folder is not laid out as expected, or as
            `prepare`.
    """
    if name not in IMPORTERS:
        raise OmoteError(f"There is no data set {name!r}; expected one of {', '.join(IMPORTERS)}.")
    importer = load_importer(name)
    if path is None and not importer.downloaded:
        raise OmoteError(f"No folder was given for {name}; give the one that it was unpacked to.")
    for option in options.keys() - importer.options.keys():
        raise OmoteError(f"{name} has no option {option}; it has {', '.join(importer.options) or 'none'}.")
    parameters = signature(importer.list_clips).parameters
    defaults = {option: parameters[option].default for option in importer.options}
    listing = importer.list_clips(path, **options)
    counts = listing.counts()
    about = About(
        dataset=name,
        importer=name,
        options=defaults | options,
        licence=importer.licence,
        found={key: counts[key] for key in importer.published},
        published=dict(importer.published),
    )
    cut = Cut(size, align, margin, listing.cropped if cropped is None else cropped)
    return _prepare_clips(listing, to, cut, about, detector, ALL_FACES, None, workers, overwrite, progress)


@dataclass(frozen=True)
class _Source:
    """Where the clips are, and how their faces are cut."""

    root: Path
    dataset: str | None
    cut: Cut
    detector: Path | None  # None if the pictures are faces already
    search: Search
    fps: float | None


@dataclass(frozen=True)
class _Job:
    """A video, or some clips of photos."""

    clips: tuple[Clip, ...]
    digest: str  # of the files' sizes and times, so that a resumed preparation notices a changed file


def _prepare_clips(
    listing: Listing,
    to: str | Path,
    cut: Cut,
    about: About,
    detector: str | Path | None,
    search: Search,
    fps: float | None,
    workers: int | None,
    overwrite: bool,
    progress: Progress | None,
) -> FaceSet:
    """Return a face set of the clips that an importer found; `about` lacks what all importers share."""
    cut.check()
    search.check()
    Excerpt(fps=fps).check()
    check_clips(listing.clips)
    model = None if cut.cropped else find_detector(detector)
    source = _Source(listing.root, about.dataset, cut, model, search, fps)
    chosen = {name: value for name, value in vars(search).items() if value != getattr(ALL_FACES, name)}
    shared = {
        "options": {**about.options, "cropped": cut.cropped, "fps": fps, **chosen},
        "align": cut.align,
        "margin": None if cut.cropped else cut.margin,
        "detector_sha256": None if cut.cropped else DETECTOR_SHA256,
    }
    jobs: list[_Job | tuple[Skipped, ...]] = [*_make_jobs(listing)]
    if listing.skipped:
        jobs.append(tuple(listing.skipped))
    return build_face_set(
        to,
        jobs,
        partial(_make_batches, source=source),
        size=cut.size,
        about=about.model_copy(update=shared),
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _make_jobs(listing: Listing) -> Iterator[_Job]:
    clips: list[Clip] = []

    def job() -> _Job:
        states = [_state(listing.root, file) for clip in clips for file in clip.files]
        return _Job(tuple(clips), hashlib.sha256(repr(states).encode()).hexdigest())

    for clip in listing.clips:
        alone = clip.files[0].is_clip
        full = sum(len(other.files) for other in clips) + len(clip.files) > PHOTOS_PER_JOB
        if clips and (alone or full or clips[-1].files[0].is_clip):
            yield job()
            clips = []
        clips.append(clip)
    if clips:
        yield job()


def _state(root: Path, file: File) -> tuple[int, int] | str | None:
    """Return what changes with the file."""
    if file.picture is not None:
        return hashlib.sha256(file.picture.tobytes()).hexdigest()
    return file_state(root / file.path)


def _make_batches(job: _Job | tuple[Skipped, ...], source: _Source) -> Iterator[FaceBatch]:
    """Yield the batches of a job, each of at most FRAMES_PER_BATCH frames and skipped frames."""
    if isinstance(job, tuple):
        yield FaceBatch(_stack([], source.cut.size), pd.DataFrame(), list(job))
        return
    faces: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    for clip in job.clips:
        for found in _read_faces(clip, source):
            if isinstance(found, dict):
                skipped.append(found)
            else:
                faces.append(found[0])
                rows.append(found[1])
            if len(faces) + len(skipped) >= FRAMES_PER_BATCH:
                yield FaceBatch(_stack(faces, source.cut.size), pd.DataFrame(rows), skipped)
                faces, rows, skipped = [], [], []
    yield FaceBatch(_stack(faces, source.cut.size), pd.DataFrame(rows), skipped)


def _stack(faces: list[np.ndarray], size: int) -> np.ndarray:
    return np.stack(faces) if faces else np.empty((0, size, size, 3), np.uint8)


FaceRow = tuple[np.ndarray, dict[str, Any]]  # a face and its row of the frame table


def _read_faces(clip: Clip, source: _Source) -> Iterator[FaceRow | Skipped]:
    for index, file in enumerate(clip.files):
        path, notes = source.root / file.path, list[Note]()
        try:
            if file.is_clip:
                excerpt = Excerpt(fps=source.fps)
                for number, time, image in read_frames(path, excerpt, count=file.count, notes=notes):
                    yield _cut_face(image, clip, file, number, time, source)
            else:
                image = read_photo(path) if file.picture is None else file.picture
                number = index if file.frame is None else file.frame
                yield _cut_face(image, clip, file, number, math.nan, source)
        except Unreadable as error:
            notes.append(Note(None, str(error)))
        yield from (Skipped(source=file.path, frame=note.frame, reason=note.reason) for note in notes)


def _cut_face(
    image: np.ndarray, clip: Clip, file: File, number: int, time: float, source: _Source
) -> FaceRow | Skipped:
    found = cut_only_face(image, source.cut, source.detector, source.search)
    if isinstance(found, str):
        return Skipped(source=file.path, frame=number if file.is_clip else None, reason=found)
    row = {
        "subject": clip.subject,
        "clip": clip.name,
        "frame": number,
        "time": time,
        "dataset": source.dataset,
        "expression": file.expression,
        "use": file.use,
        "source": file.path,
        **dict(file.further),
    }
    if found.face is not None:
        row["detection_score"] = found.face.score
        row.update(zip(BOX, found.face.box.tolist(), strict=True))
        row.update(zip(LANDMARKS, found.face.landmarks.ravel().tolist(), strict=True))
    return found.crop, row
