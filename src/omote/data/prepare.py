"""Preparing face sets: the public functions behind `omote prepare`."""

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

from omote.data.build import Part, Progress, Skipped, build_face_set
from omote.data.clips import Clip, File, Listing, check_clips
from omote.data.cut import DEFAULT_MARGIN, Align, Cut, cut_only_face
from omote.data.detect import DETECTOR_SHA256, find_detector
from omote.data.face_set import BOX, LANDMARKS, About, FaceSet
from omote.data.images import Excerpt, Unreadable, is_video, read_photo, read_video
from omote.data.importers.folder import list_folder
from omote.data.importers.registry import IMPORTERS
from omote.errors import OmoteError

PHOTOS_A_JOB = 64
FRAMES_A_PART = 256  # at most in memory at once, per worker


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
    fps: float | None = None,
    dataset: str | None = None,
    licence: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return a face set of the photos and videos in the folder `path`, written to the folder `to`.

    Who is on them comes from the names of the folders:

        subject/photo.jpg         a clip of one frame, called "photo"
        subject/clip/frame.jpg    the photos of a folder, in natural order (9 before 10), are one clip
        subject/video.mp4         a clip; so is subject/anything/video.mp4

    A folder below the subject is always read as a clip, never as an expression; for that give `pattern`.
    Hidden files and files that are neither photo nor video are no part of the folder. Frames without a face,
    with two people, and what cannot be read are left out and listed, with their reason, in
    `face_set.skipped()`.

    Args:
        pattern: names with fields, such as "{subject}_{expression}.jpg" or "{subject}/{expression}/{}.png":
            subject (needed), clip, frame, expression, {} or * for anything but "/", {subject:3} for 3
            characters. With a "/" it is matched with the path below `path`, else with the file name. The
            suffix matches in upper and lower case, and may be left out. Without {clip} and {frame} a photo is
            a clip of its own; with {frame} alone, files that differ only in it are a clip. Files that do not
            match are skipped; a name that can be read in two ways is an error.
        manifest: CSV file with the columns path (below `path`, or beside the manifest) and subject, and if
            you like clip, frame, expression, use ("train", "evaluate" or "both"); any others are kept as
            columns. Only what it names is prepared.
        map_expression: for example {"03": "neutral"}; expressions that are not in it are kept, "" is unknown.
        size: side of the faces in pixels, 64 or 128.
        align: "none", the square round the detected box, as in the paper; or "eyes", turned and scaled so
            that the eyes lie at fixed places.
        margin: share of the side to add on each side (negative: to take away), more than -0.4.
        cropped: the pictures are faces already: no detection; of a picture that is not square the middle is
            taken.
        detector: a local copy of the YuNet model; else the one that OMOTE_DETECTOR names, else it is
            downloaded once.
        fps: frames a second to take of a video; None takes every frame. `frame` counts all frames of the
            video.
        dataset: a name for the frame table; the name of the folder if None.
        licence: the terms of the photos, kept in about.json.
        workers: number of processes; None for one a core. The face set does not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is one video or a number of photos.
    Raises:
        OmoteError: If an option is out of range, the folder is missing or empty, subjects cannot be told,
            clips clash, the detector is not to be had, no face at all was found, or as `build_face_set`.
    """
    listing = list_folder(path, pattern=pattern, manifest=manifest, map_expression=map_expression)
    options = {
        "pattern": pattern,
        "manifest": manifest and Path(manifest).name,
        "map_expression": map_expression,
    }
    return prepare_clips(
        listing,
        to,
        importer="folder",
        options={name: value for name, value in options.items() if value},
        size=size,
        align=align,
        margin=margin,
        cropped=cropped,
        detector=detector,
        fps=fps,
        dataset=dataset or listing.root.resolve().name,
        licence=licence,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def prepare_dataset(
    name: str,
    path: str | Path,
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
    **rule: int,
) -> FaceSet:
    """Return a face set of a published data set, unpacked in the folder `path`; for the rest see `prepare`.

    Its counts and the published ones are kept in about.json, as "found" and "published".

    Args:
        name: of `omote.data.importers.registry.IMPORTERS`: "ckplus", "mug" and others.
        cropped: the pictures are faces already; None leaves it to the importer.
        rule: the importer's own options, as train_frames and evaluate_frames of `list_ckplus`.
    Raises:
        OmoteError: If there is no such data set, it has no such option, the folder is not laid out as expected, or
            as `prepare`.
    """
    if name not in IMPORTERS:
        raise OmoteError(f"There is no data set {name!r}; expected one of {', '.join(IMPORTERS)}.")
    importer = IMPORTERS[name]
    parameters = signature(importer.list_clips).parameters.values()
    options = {option.name: option.default for option in parameters if option.kind is option.KEYWORD_ONLY}
    for option in rule.keys() - options.keys():
        raise OmoteError(f"{name} has no option {option}; it has {', '.join(options) or 'none'}.")
    listing = importer.list_clips(path, **rule)
    return prepare_clips(
        listing,
        to,
        importer=name,
        options={**options, **rule},
        size=size,
        align=align,
        margin=margin,
        cropped=listing.cropped if cropped is None else cropped,
        detector=detector,
        dataset=name,
        licence=importer.licence,
        published=importer.published,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


@dataclass(frozen=True)
class _Source:
    """Where all clips are, and how faces are made of them."""

    root: Path
    dataset: str
    cut: Cut
    detector: Path | None  # None: the pictures are faces already
    fps: float | None


@dataclass(frozen=True)
class _Batch:
    """One job: a video, or some clips of photos."""

    clips: tuple[Clip, ...]
    stamp: str  # digest of the files' sizes and times, so that a resumed preparation notices a changed file


def prepare_clips(
    listing: Listing,
    to: str | Path,
    *,
    importer: str,
    options: Mapping[str, Any],
    size: int = 64,
    align: Align = "none",
    margin: float = DEFAULT_MARGIN,
    cropped: bool = False,
    detector: str | Path | None = None,
    fps: float | None = None,
    dataset: str,
    licence: str | None = None,
    published: Mapping[str, int] | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return a face set of the clips that an importer found; see `prepare` for what is not said here.

    Args:
        importer, options: how the listing came about, kept in about.json.
        published: counts by the authors of a data set; kept in about.json, and those of the listing as "found".
    """
    cut = Cut(size, align, margin, cropped)
    cut.check()
    Excerpt(fps=fps).check()
    check_clips(listing.clips)
    source = _Source(listing.root, dataset, cut, None if cropped else find_detector(detector), fps)
    about: dict[str, Any] = {
        "dataset": dataset,
        "importer": importer,
        "options": {**options, "cropped": cropped, "fps": fps},
        "align": align,
        "margin": None if cropped else margin,
        "detector_sha256": None if cropped else DETECTOR_SHA256,
        **({"licence": licence} if licence else {}),
    }
    if published:
        counts = listing.counts()
        about |= {"found": {name: counts[name] for name in published}, "published": dict(published)}
    jobs: list[_Batch | tuple[Skipped, ...]] = [*_batches(listing)]
    if listing.skipped:
        jobs.append(tuple(listing.skipped))
    make = partial(_make, of=source)
    return build_face_set(
        to,
        jobs,
        make,
        size=size,
        about=About.model_validate(about),
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _batches(listing: Listing) -> Iterator[_Batch]:
    clips: list[Clip] = []

    def batch() -> _Batch:
        paths = [listing.root / file.path for clip in clips for file in clip.files]
        states = [(stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in paths)]
        return _Batch(tuple(clips), hashlib.sha256(repr(states).encode()).hexdigest())

    for clip in listing.clips:
        video = is_video(clip.files[0].path)
        full = sum(len(other.files) for other in clips) + len(clip.files) > PHOTOS_A_JOB
        if clips and (video or full or is_video(clips[-1].files[0].path)):
            yield batch()
            clips = []
        clips.append(clip)
    if clips:
        yield batch()


def _make(job: _Batch | tuple[Skipped, ...], of: _Source) -> Iterator[Part]:
    """Yield the parts of a job, each of at most FRAMES_A_PART frames and skipped frames."""
    if isinstance(job, tuple):
        yield Part(_stacked([], of.cut.size), pd.DataFrame(), list(job))
        return
    faces: list[np.ndarray] = []
    rows: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    for clip in job.clips:
        for made in _video(clip, of) if is_video(clip.files[0].path) else _photos(clip, of):
            if isinstance(made, dict):
                skipped.append(made)
            else:
                faces.append(made[0])
                rows.append(made[1])
            if len(faces) + len(skipped) >= FRAMES_A_PART:
                yield Part(_stacked(faces, of.cut.size), pd.DataFrame(rows), skipped)
                faces, rows, skipped = [], [], []
    yield Part(_stacked(faces, of.cut.size), pd.DataFrame(rows), skipped)


def _stacked(faces: list[np.ndarray], size: int) -> np.ndarray:
    return np.stack(faces) if faces else np.empty((0, size, size, 3), np.uint8)


Made = tuple[np.ndarray, dict[str, Any]] | Skipped  # a face and its row, or why there is none


def _photos(clip: Clip, of: _Source) -> Iterator[Made]:
    for index, file in enumerate(clip.files):
        try:
            image = read_photo(of.root / file.path)
        except Unreadable as error:
            yield Skipped(source=file.path, frame=None, reason=str(error))
        else:
            yield _cut(image, clip, file, index if file.frame is None else file.frame, math.nan, of)


def _video(clip: Clip, of: _Source) -> Iterator[Made]:
    (file,) = clip.files
    path = of.root / file.path
    try:
        for index, time, image in read_video(path, Excerpt(fps=of.fps), count=file.count):
            yield _cut(image, clip, file, index, time, of)
    except Unreadable as error:
        yield Skipped(source=file.path, frame=None, reason=str(error))


def _cut(image: np.ndarray, clip: Clip, file: File, index: int, time: float, of: _Source) -> Made:
    row = {
        "subject": clip.subject,
        "clip": clip.name,
        "frame": index,
        "time": time,
        "dataset": of.dataset,
        "expression": file.expression,
        "use": file.use,
        "source": file.path,
        **dict(file.further),
    }
    found = cut_only_face(image, of.cut, of.detector)
    if isinstance(found, str):
        return Skipped(source=file.path, frame=index if is_video(file.path) else None, reason=found)
    if found.face is not None:
        row["detection_score"] = found.face.score
        row.update(zip(BOX, found.face.box.tolist(), strict=True))
        row.update(zip(LANDMARKS, found.face.landmarks.ravel().tolist(), strict=True))
    return found.crop, row
