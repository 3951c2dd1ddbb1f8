"""Free faces with ids and without expressions, for anyone with a network: Olivetti and LFW people.

scikit-learn's own loaders download them, check them and keep them in its data folder. Neither is in the paper.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import fetch_lfw_people, fetch_olivetti_faces, get_data_home

from omote.data.build import Part, Progress, build_face_set
from omote.data.clips import Listing
from omote.data.cut import DEFAULT_MARGIN, Align, check_size, cut_middle
from omote.data.face_set import About, FaceSet
from omote.data.importers.folder import list_folder
from omote.data.prepare import prepare_clips
from omote.errors import OmoteError

OLIVETTI = {"subjects": 40, "files": 400}
OLIVETTI_PHOTOS = 10  # of each subject, one after the other
OLIVETTI_LICENCE = "Olivetti faces: credit AT&T Laboratories Cambridge when you use them."
LFW = {"subjects": 5749, "files": 13233}
LFW_MOST = 530  # photos of the person who has the most
LFW_LICENCE = (
    "Labeled Faces in the Wild: photographs from the press, which belong to their owners, for research; cite Huang "
    "et al., 2007 (http://vis-www.cs.umass.edu/lfw/)."
)


def prepare_olivetti(
    to: str | Path,
    *,
    size: int = 64,
    data_home: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return a face set of the Olivetti faces: 40 people, 10 grey photos of 64 px each, already cut out.

    Each photo is a clip of one frame of subject "s01" ... "s40", without an expression, and for training and
    evaluation: what does not need expressions, as leakage, can be scored.

    Args:
        size: 64, or 128, which shows no more detail but can be combined with other faces of that size.
        data_home: scikit-learn's data folder; its own default if None.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is a person.
    Raises:
        OmoteError: If `size` is another number, the faces cannot be downloaded, or as `build_face_set`.
    """
    check_size(size)
    images = _fetched("Olivetti faces", fetch_olivetti_faces, data_home=data_home).images
    about: dict[str, Any] = {
        "dataset": "olivetti",
        "importer": "olivetti",
        "options": {"cropped": True},
        "align": "none",
        "margin": None,
        "licence": OLIVETTI_LICENCE,
        "found": {"subjects": len(images) // OLIVETTI_PHOTOS, "files": len(images)},
        "published": OLIVETTI,
    }
    make = partial(_olivetti, images=images, size=size)
    people = range(len(images) // OLIVETTI_PHOTOS)
    return build_face_set(
        to,
        people,
        make,
        size=size,
        about=About.model_validate(about),
        workers=1,
        overwrite=overwrite,
        progress=progress,
    )


def _olivetti(person: int, images: np.ndarray, size: int) -> Iterator[Part]:
    start = person * OLIVETTI_PHOTOS
    grey = images[start : start + OLIVETTI_PHOTOS]  # (10, 64, 64) float32 in [0, 1]
    photos = np.repeat(np.round(grey * 255).astype(np.uint8)[..., None], 3, axis=3)
    subject = f"s{person + 1:02}"
    clips = [f"{number + 1:02}" for number in range(len(photos))]
    frames = pd.DataFrame(
        {
            "subject": subject,
            "clip": clips,
            "frame": 0,
            "dataset": "olivetti",
            "source": [f"{subject}/{clip}" for clip in clips],
        }
    )
    yield Part(np.stack([cut_middle(photo, size) for photo in photos]), frames)


def prepare_lfw(
    to: str | Path,
    *,
    min_photos: int = 1,
    size: int = 64,
    align: Align = "none",
    margin: float = DEFAULT_MARGIN,
    detector: str | Path | None = None,
    data_home: str | Path | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return a face set of Labeled Faces in the Wild: 5,749 people, 13,233 photos of 250 px in colour.

    The photos go the way of all others: the face is detected and cut out; photos with no face or with two people
    are left out and listed. Each is a clip of one frame, without an expression, and for training and evaluation.

    Args:
        min_photos: leave out people with fewer; 4,069 have but one, of whom nothing can be learned about what
            changes in a face.
        data_home: scikit-learn's data folder; its own default if None.
        size, align, margin, detector, workers, overwrite, progress: as `omote.data.prepare.prepare`.
    Raises:
        OmoteError: If the photos cannot be downloaded or are not all there, if nobody has `min_photos`, or as
            `prepare`.
    """
    folder = Path(get_data_home(data_home)) / "lfw_home" / "lfw_funneled"
    if not folder.is_dir():
        # The loader also reads the photos of those it is asked for into memory: it is asked for one person.
        _fetched("LFW photos", fetch_lfw_people, data_home=data_home, min_faces_per_person=LFW_MOST)
    listing = list_folder(folder)
    found = listing.counts()
    if found["files"] != LFW["files"]:
        raise OmoteError(
            f"{listing.root} has {found['files']} photos, expected {LFW['files']}: its unpacking was interrupted, or "
            "it was changed. Remove that folder, and the next preparation downloads it again."
        )
    photos = Counter(clip.subject for clip in listing.clips)
    clips = [clip for clip in listing.clips if photos[clip.subject] >= min_photos]
    if not clips:
        raise OmoteError(
            f"Nobody has {min_photos} photos in LFW; the most are {max(photos.values())} (min_photos)."
        )
    return prepare_clips(
        Listing(listing.root, clips, listing.skipped),
        to,
        importer="lfw",
        options={"min_photos": min_photos},
        size=size,
        align=align,
        margin=margin,
        detector=detector,
        dataset="lfw",
        licence=LFW_LICENCE,
        published=LFW,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _fetched(what: str, fetch: Callable[..., Any], *, data_home: str | Path | None, **options: Any) -> Any:
    """Return what scikit-learn's loader does; a download that fails is told in words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Retry downloading"; whether it succeeds is what counts
            return fetch(data_home=data_home, **options)
    except Exception as error:  # what the network layers, or the readers of a damaged file, raise
        raise OmoteError(
            f"scikit-learn could not get the {what} ({type(error).__name__}: {error}). They are downloaded once, which "
            f"needs a network. On a machine without one, bring along the folder ~/scikit_learn_data that "
            f"sklearn.datasets.{fetch.__name__}() fills on another, and name it as data_home. Looked in "
            f"{get_data_home(data_home)}; if it has them but damaged, remove them there."
        ) from error
