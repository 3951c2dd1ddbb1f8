"""LFW, Labeled Faces in the Wild (Huang et al., 2007): press photos, without expressions. Not in the paper."""

from collections import Counter
from pathlib import Path

from omote.data.clips import Importer, Listing
from omote.data.importers.download import download
from omote.data.importers.folder import list_folder
from omote.errors import OmoteError

MOST_PHOTOS = 530  # of one person


def list_lfw(path: str | Path | None = None, *, min_photos: int = 1) -> Listing:
    """Return the photos of LFW: 5,749 people, 13,233 photos of 250 px in colour.

    Each photo is a clip of one frame, for training and evaluation.

    Args:
        path: scikit-learn's data folder; its default if None.
        min_photos: leave out people with fewer; 4,069 have only one, which shows nothing about what changes in a face.
    Raises:
        OmoteError: If the photos cannot be downloaded or are not complete, or if nobody has `min_photos`.
    """
    from sklearn.datasets import get_data_home

    folder = Path(get_data_home(path)) / "lfw_home" / "lfw_funneled"
    if not folder.is_dir():
        # The loader also reads photos into memory: with this minimum, of one person only.
        download("LFW photos", "fetch_lfw_people", path, min_faces_per_person=MOST_PHOTOS)
    listing = list_folder(folder)
    found, published = listing.counts()["files"], LFW.published["files"]
    if found != published:
        raise OmoteError(
            f"{listing.root} has {found} photos, expected {published}: its unpacking was interrupted, or it was "
            "changed. Remove that folder, and the next preparation downloads it again."
        )
    photos = Counter(clip.subject for clip in listing.clips)
    clips = [clip for clip in listing.clips if photos[clip.subject] >= min_photos]
    if not clips:
        raise OmoteError(
            f"Nobody has {min_photos} photos in LFW; the most are {max(photos.values())} (min_photos)."
        )
    return Listing(listing.root, clips, listing.skipped)


LFW = Importer(
    list_lfw,
    "LFW: photos of people from the news, without labels.\n\n"
    "Downloaded through scikit-learn, or taken from its data folder.",
    "Labeled Faces in the Wild: photographs from the press, which belong to their owners, for research; cite Huang "
    "et al., 2007 (http://vis-www.cs.umass.edu/lfw/).",
    {"subjects": 5749, "files": 13233},
    options={"min_photos": "Leave out people with fewer photos."},
    shared=("align", "margin", "detector", "workers"),
    downloaded=True,
)
