"""Preparing face sets of photos and videos: the functions behind `omote prepare folder` and the published data sets."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from omote.data.build import FaceBatch, Progress, Skipped, build_face_set, build_share
from omote.data.clips import Clip, File, Listing, check_clips
from omote.data.cut import DEFAULT_MARGIN, Align, Cut, CutFace, cut_face, cut_middle
from omote.data.detect import ALL_FACES, DETECTOR_SHA256, Search, find_detector, find_faces
from omote.data.face_set import BOX, LANDMARKS, About, FaceSet
from omote.data.images import Unreadable, read_photo
from omote.data.importers.folder import list_folder
from omote.data.importers.registry import IMPORTERS, load_importer
from omote.data.media import read_frames
from omote.data.person import Descriptor, FaceChooser, Which
from omote.data.trust import find_doubts, measure_quality
from omote.data.turn import SECONDS_APART, Rotate, check_rotate, find_turn, turn
from omote.data.videos import Excerpt, Note, VideoFrame
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
    face: int | None = None,
    photo: str | Path | None = None,
    rotate: Rotate = 0,
    dataset: str | None = None,
    licence: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    shard: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> FaceSet:
    """Return a face set of the photos and videos in the folder `path`, written to the folder `to`.

    The names of the folders say who is on them:

        subject/photo.jpg         a clip of one frame, called "photo"
        subject/clip/frame.jpg    the photos of a folder, in natural order (9 before 10), are one clip
        subject/video.mp4         a clip; so is subject/anything/video.mp4, and so are animated images

    A folder below the subject is always a clip, never an expression; for expressions give `pattern`. The content of a
    file tells what it is. If two clips differ in the suffix only, it is part of their names: IMG_1.jpg and IMG_1.mp4.
    Hidden files are ignored. Frames without a face, frames with two people (unless `face`, `largest` or `photo` says
    who is meant), and files that cannot be read or are neither photo nor video are left out and listed, with the
    reason, in `face_set.skipped()`. Where a video cuts to another face, a new clip begins, "video, face 1".

    Besides the columns of every face set, `frames` has `doubt`, which says why the feature of a face may be worth
    little, and what that was judged by (`omote.data.trust.Quality`). Such faces are kept; `contact_sheet.jpg` shows
    some of them.

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
        face: number of the person's face in each video, where 0 is the largest of its first frame with a face.
        photo: a photo of the person, whose face is looked for by its appearance: best a frame of the same video. Or a
            folder with one for each subject: SUBJECT.jpg.
        rotate: degrees by which pictures are turned clockwise, 0, 90, 180 or 270; "auto" finds the turn of each photo
            and video by its faces. `frames` then has the column `turned`.
        dataset: name for the column `dataset`; the name of the folder if None.
        licence: the terms of the photos, kept in about.json.
        workers: number of processes; None for one per core. The face set does not depend on it.
        overwrite: replace a face set at `to`, once the new one is whole.
        shard: (K, N) to prepare only the K-th of N shares of the files, from 1, as a part in the folder `to`; the face
            set of this part is returned, which may be empty. `omote join` makes one of all parts.
        progress: called with (jobs done, jobs in all); a job is one video or a number of photos.
    Raises:
        OmoteError: If an option is out of range, the folder is missing or empty, subjects are unknown or ambiguous,
            clips clash, the detector is not available, no face at all was found, or as `build_face_set`.
    """
    listing = list_folder(path, pattern=pattern, manifest=manifest, map_expression=map_expression)
    which = Which(face, photo)
    which.check()
    check_rotate(rotate)
    if cropped and rotate == "auto":
        raise OmoteError("rotate is auto, which needs whole pictures, but cropped was given.")
    options = {
        "pattern": pattern,
        "manifest": manifest and Path(manifest).name,
        "map_expression": map_expression,
        "photo": photo and Path(photo).name,
        "rotate": rotate,
    }
    about = About(
        dataset=dataset or listing.root.resolve().name,
        importer="folder",
        options={name: value for name, value in options.items() if value}
        | ({} if face is None else {"face": face}),
        licence=licence,
    )
    cut = Cut(size, align, margin, cropped)
    return _prepare_clips(
        listing,
        to,
        cut,
        about,
        detector,
        Search(largest, fast),
        fps,
        which,
        rotate,
        workers,
        overwrite,
        shard,
        progress,
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
    shard: tuple[int, int] | None = None,
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
    return _prepare_clips(
        listing, to, cut, about, detector, ALL_FACES, None, Which(), 0, workers, overwrite, shard, progress
    )


@dataclass(frozen=True)
class _Source:
    """Where the clips are, and how their faces are cut."""

    root: Path
    dataset: str | None
    cut: Cut
    detector: Path | None  # None if the pictures are faces already
    search: Search
    fps: float | None
    which: Which
    rotate: Rotate
    appearances: dict[str, Descriptor]  # of the subjects, with `which.photo`


@dataclass(frozen=True)
class _Job:
    """A video, or some clips of photos."""

    clips: tuple[Clip, ...]
    digest: str  # of the files' sizes and times, so that a resumed preparation notices a changed file
    size: int  # bytes of the files


def _prepare_clips(
    listing: Listing,
    to: str | Path,
    cut: Cut,
    about: About,
    detector: str | Path | None,
    search: Search,
    fps: float | None,
    which: Which,
    rotate: Rotate,
    workers: int | None,
    overwrite: bool,
    shard: tuple[int, int] | None,
    progress: Progress | None,
) -> FaceSet:
    """Return a face set of the clips that an importer found; `about` lacks what all importers share."""
    cut.check()
    search.check()
    Excerpt(fps=fps).check()
    check_clips(listing.clips)
    model = None if cut.cropped else find_detector(detector)
    appearances = which.read_photos(sorted({clip.subject for clip in listing.clips}), model)
    source = _Source(listing.root, about.dataset, cut, model, search, fps, which, rotate, appearances)
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
    about, make = about.model_copy(update=shared), partial(_make_batches, source=source)
    if shard is None:
        return build_face_set(
            to,
            jobs,
            make,
            size=cut.size,
            about=about,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    if overwrite:
        raise OmoteError("overwrite and shard were given; remove the folder of parts yourself to start over.")
    sizes = [job.size if isinstance(job, _Job) else 0 for job in jobs]
    return build_share(
        to, jobs, make, shard, sizes, size=cut.size, about=about, workers=workers, progress=progress
    )


def _make_jobs(listing: Listing) -> Iterator[_Job]:
    clips: list[Clip] = []

    def job() -> _Job:
        states = [_state(listing.root, file) for clip in clips for file in clip.files]
        size = sum(state[0] for state in states if isinstance(state, tuple))
        return _Job(tuple(clips), hashlib.sha256(repr(states).encode()).hexdigest(), size)

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
        chooser = FaceChooser(source.which, source.appearances.get(clip.subject))
        first: int | None = None  # number of the first face
        notes: list[Note] = []
        try:
            degrees = _find_turn(index, file, source)
            for number, time, image in _read_images(index, file, source, source.fps, notes):
                image = turn(image, degrees)
                found = _find_face(image, chooser, source)
                if isinstance(found, str):
                    yield Skipped(source=file.path, frame=number if file.is_clip else None, reason=found)
                    continue
                first = found.number if first is None else first
                name = clip.name if found.number == first else f"{clip.name}, face {found.number}"
                row = _describe(image, found.cut, clip, name, file, number, time, source)
                yield found.cut.crop, row | ({"turned": degrees} if source.rotate else {})
        except Unreadable as error:
            notes.append(Note(None, str(error)))
        yield from (Skipped(source=file.path, frame=note.frame, reason=note.reason) for note in notes)


def _find_turn(index: int, file: File, source: _Source) -> int:
    """Return by how many degrees, clockwise, the pictures of a file are turned."""
    if source.rotate != "auto":
        return source.rotate
    assert source.detector is not None
    frames = _read_images(index, replace(file, count=None), source, 1 / SECONDS_APART, [])
    return find_turn((frame.image for frame in frames), source.detector)


def _read_images(
    index: int, file: File, source: _Source, fps: float | None, notes: list[Note]
) -> Iterator[VideoFrame]:
    """Yield the frames of a clip's file, or the photo that is frame `index` unless it has a number of its own."""
    path = source.root / file.path
    if file.is_clip:
        yield from read_frames(path, Excerpt(fps=fps), count=file.count, notes=notes)
    else:
        image = read_photo(path) if file.picture is None else file.picture
        yield VideoFrame(index if file.frame is None else file.frame, math.nan, image)


class _FoundFace(NamedTuple):
    cut: CutFace
    number: int  # of the face in its video


def _find_face(image: np.ndarray, chooser: FaceChooser, source: _Source) -> _FoundFace | str:
    """Return the person's face, or the reason why there is none."""
    if source.cut.cropped:
        return _FoundFace(CutFace(None, cut_middle(image, source.cut.size)), 0)
    assert source.detector is not None
    chosen = chooser.choose(image, find_faces(image, source.detector, source.search))
    if isinstance(chosen, str):
        return chosen
    return _FoundFace(cut_face(image, chosen.face, source.cut, source.detector), chosen.number)


def _describe(
    image: np.ndarray,
    cut: CutFace,
    clip: Clip,
    name: str,
    file: File,
    number: int,
    time: float,
    source: _Source,
) -> dict[str, Any]:
    """Return the row of a face in the frame table."""
    quality = measure_quality(image, cut.face)
    row = {
        "subject": clip.subject,
        "clip": name,
        "frame": number,
        "time": time,
        "dataset": source.dataset,
        "expression": file.expression,
        "use": file.use,
        "source": file.path,
        **dict(file.further),
        "doubt": "; ".join(find_doubts(cut.face, quality)),
        **quality._asdict(),
    }
    if cut.face is not None:
        row["detection_score"] = cut.face.score
        row.update(zip(BOX, cut.face.box.tolist(), strict=True))
        row.update(zip(LANDMARKS, cut.face.landmarks.ravel().tolist(), strict=True))
    return row
