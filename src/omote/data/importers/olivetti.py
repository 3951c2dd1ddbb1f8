"""Olivetti (Samaria and Harter, 1994): grey photos of 40 people, without expressions. Not in the paper."""

from pathlib import Path

import numpy as np

from omote.data.clips import Clip, File, Importer, Listing
from omote.data.importers.download import download

PHOTOS = 10  # of each subject, one after the other


def list_olivetti(path: str | Path | None = None) -> Listing:
    """Return the Olivetti faces: 40 people, 10 grey photos of 64 px each, already cut out.

    Each photo is a clip of one frame of subject "s01" ... "s40", for training and evaluation; scores that need no
    expressions, such as leakage, can be computed. At size 128 they show no more detail, but can be combined with other
    faces of that size.

    Args:
        path: scikit-learn's data folder; its default if None.
    Raises:
        OmoteError: If the faces cannot be downloaded.
    """
    images = download(
        "Olivetti faces", "fetch_olivetti_faces", path
    ).images  # (400, 64, 64) float32 in [0, 1]
    photos = np.repeat(np.round(images * 255).astype(np.uint8)[..., None], 3, axis=3)
    clips = []
    for number, photo in enumerate(photos):
        subject, name = f"s{number // PHOTOS + 1:02}", f"{number % PHOTOS + 1:02}"
        clips.append(Clip(subject, name, (File(f"{subject}/{name}", picture=photo),)))
    return Listing(Path(), clips, cropped=True)


OLIVETTI = Importer(
    list_olivetti,
    "Olivetti: 400 photos of 40 people, faces cut out, without labels.\n\n"
    "Downloaded through scikit-learn, or taken from its data folder.",
    "Olivetti faces: credit AT&T Laboratories Cambridge when you use them.",
    {"subjects": 40, "files": 400},
    shared=(),
    downloaded=True,
)
