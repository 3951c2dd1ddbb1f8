"""Features out: frames or photos in, one row a face with its expression code."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.data.build import Progress, Skipped
from omote.data.clips import Clip, File, Listing
from omote.data.detect import Align
from omote.data.face_set import FaceSet, open_face_set
from omote.data.images import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from omote.data.importers.folder import media_files
from omote.data.prepare import DEFAULT_MARGIN, prepare_clips
from omote.errors import OmoteError
from omote.training.run import Trained

SUFFIXES = (".parquet", ".csv")


def features(trained: Trained, face_set: FaceSet) -> pd.DataFrame:
    """Return the expression feature of every frame of a face set.

    Returns:
        One row a frame, in order: the columns of ``face_set.frames``, then ``z_e_00`` ... (the posterior mean, which is
        the feature) and ``z_e_deviation_00`` ... (the posterior's standard deviation, 0 where the code is a point).
    Raises:
        OmoteError: If the faces have another size than the run reads, or show people whom it has to know and does not.
    """
    mean, logvar = trained.represent(face_set.faces, face_set.frames["subject"].tolist())
    columns = {f"z_e_{i:02d}": values for i, values in enumerate(mean.T)}
    columns |= {f"z_e_deviation_{i:02d}": values for i, values in enumerate(np.exp(logvar / 2).T)}
    codes = pd.DataFrame(columns, index=face_set.frames.index)
    return pd.concat([face_set.frames, codes], axis=1)


class Cut(NamedTuple):
    """How the faces that a run was trained on were cut out."""

    cropped: bool  # they were faces already
    align: Align
    margin: float


def cut_as(trained: Trained) -> Cut:
    """Return how a run's faces were cut out. Made faces fill the picture as detected ones do without alignment."""
    about = trained.info.face_set
    margin = about.get("margin")
    cropped = bool(about.get("options", {}).get("cropped"))
    made = about.get("importer") in ("drawn", "rendered")
    return Cut(cropped, about.get("align", "none"), DEFAULT_MARGIN if made or margin is None else margin)


@contextmanager
def faces_of(
    inputs: Sequence[str | Path],
    trained: Trained,
    *,
    cropped: bool = False,
    detector: str | Path | None = None,
    progress: Progress | None = None,
) -> Iterator[FaceSet]:
    """Give the faces of photos, videos and folders of them, cut out as those the run was trained on.

    Args:
        inputs: files, or folders that are searched with all below them.
        trained: tells size, alignment and margin.
        cropped: the pictures are faces already.
        detector: a local copy of the detector's model.
        progress: as of `omote.prepare_folder`.
    Returns:
        A face set in a temporary folder, gone at the end of the ``with``. Its subjects are all "unknown".
    Raises:
        OmoteError: If an input is missing or is no picture, or no face at all was found.
    """
    paths: list[str] = []
    skipped: list[Skipped] = []
    for given in inputs:
        paths += _pictures(Path(given), skipped)
    clips = [Clip("unknown", path, (File(path),)) for path in dict.fromkeys(paths)]
    cut = cut_as(trained)
    if cut.cropped and not cropped:
        raise OmoteError(
            f"{trained.path} was trained on pictures that were faces already; give --cropped, and pictures cut alike"
        )
    # a memory-mapped file cannot be removed on Windows while it is open
    with tempfile.TemporaryDirectory(prefix="omote-", ignore_cleanup_errors=True) as folder:
        yield prepare_clips(
            Listing(Path(), clips, skipped),
            Path(folder) / "faces",
            importer="embed",
            options={},
            size=trained.size,
            cropped=cropped,
            detector=detector,
            dataset="embed",
            progress=progress,
            align="none" if cropped else cut.align,
            margin=cut.margin,
        )


def embed(
    trained: Trained,
    inputs: Sequence[str | Path],
    *,
    cropped: bool = False,
    detector: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of faces, and what was left out.

    Args:
        trained: see `omote.load`.
        inputs: face sets; or photos, videos and folders of them.
        cropped: the pictures are faces already.
        detector: a local copy of the detector's model.
        progress: as of `omote.prepare_folder`.
    Returns:
        A table as `features` makes it, and one of the frames left out: source, frame, reason.
    Raises:
        OmoteError: If face sets and pictures are mixed, an input is missing, or no face at all was found.
    """
    face_sets = [Path(given) for given in inputs if (Path(given) / "about.json").is_file()]
    if not inputs:
        raise OmoteError("no input was given; name a face set, or photos, videos or folders of them")
    if face_sets and len(face_sets) < len(inputs):
        raise OmoteError("face sets and pictures were given together; embed them one after the other")
    if face_sets:
        tables = [features(trained, open_face_set(path)) for path in face_sets]
        return pd.concat(tables, ignore_index=True), pd.DataFrame(columns=["source", "frame", "reason"])
    with faces_of(inputs, trained, cropped=cropped, detector=detector, progress=progress) as face_set:
        table = features(trained, face_set)
        return table.drop(columns=["subject", "clip", "dataset", "expression", "use"]), face_set.skipped()


def save_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as Parquet or CSV, by the suffix; beside, then renamed.

    Raises:
        OmoteError: If the suffix is neither .parquet nor .csv.
    """
    path = check_table_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    if path.suffix == ".csv":
        table.to_csv(beside, index=False)
    else:
        table.to_parquet(beside, index=False)
    os.replace(beside, path)


def check_table_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if a table cannot be written there."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise OmoteError(f"{path} was given for the table; its name must end in {' or '.join(SUFFIXES)}")
    return path


def _pictures(given: Path, skipped: list[Skipped]) -> list[str]:
    if given.is_dir():
        found = [str(given / path) for path in media_files(given, skipped)]
        if not found:
            raise OmoteError(f"{given} holds no photos or videos")
        return found
    if not given.exists():
        raise OmoteError(f"{given} does not exist")
    if given.suffix.lower() not in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
        raise OmoteError(
            f"{given} is neither a photo nor a video that omote reads, nor a face set or a folder"
        )
    return [str(given)]
