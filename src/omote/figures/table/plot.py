"""Pictures of a table of features and the page with them: the path of the expression over time, a map, clusters."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.data.build import Progress
from omote.data.face_set import open_face_set
from omote.errors import OmoteError
from omote.figures.page import Picture, picture_section, text_section, write_page
from omote.figures.picture import save_picture
from omote.figures.table.clusters import (
    ALONE,
    CLUSTERS,
    TYPICAL,
    check_clusters,
    clustered,
    clusters_picture,
    lanes,
    typical,
)
from omote.figures.table.faces_map import faces_on_map, map_picture, places_on_map
from omote.figures.table.path import SHOWN, ends, moments, path_picture
from omote.figures.table.recut import cut_again, where
from omote.figures.table.tracks import Features, Rows, principal, read_features

TITLES = {
    "path": "The path of the expression",
    "map": "A map of the expressions",
    "clusters": "Clusters and their most typical faces",
}
PATH = (
    "Time runs to the right. The curves are the feature on the directions in which the features of this table differ "
    "most, with one scale for all; at the top are faces from the low and from the high end of each direction. Above "
    "the curves are faces of the moments at which the expression is farthest from what is usual for that face, each "
    "with a line to its time. Grey: not to be trusted. White: not found. Where there are more rows than fit, a curve "
    "is their median, and the pale band round it reaches from the least to the greatest."
)
MAP = (
    "Every dot is a row, in its place on the first two directions. Faces lie on their own dots, as many as do not "
    "cover each other. Side by side means alike in these two directions, which are {share:.0f} % of the variance; in "
    "the rest they may differ. "
)
CLUSTERED = (
    "k-means has put the features into {count} groups, the largest first. Shown are the faces nearest the middle of "
    "each, of different moments and, as far as it goes, of different people. "
)
STRIPS = (
    "Each strip at the right is one face through one video, in full colour where it is of this cluster; white where it "
    "is not found or not to be trusted."
)
LIMITS = (
    "Directions and clusters have no names and are not emotions: they are the largest differences in this one table, "
    "and another table has others. Whether a direction points up or down means nothing.",
    "k-means always gives as many clusters as it is asked for, whether or not the faces fall into groups.",
    "A cluster or a corner of the map that holds one person only can be about that person, the light or the turn of "
    "the head. The command omote audit measures how much of the person is left in a model’s features.",
    "What a face shows is not what somebody feels, means or intends. Of that, nothing is seen here.",
)


class Plots(NamedTuple):
    """Where the page with the pictures is, and what has to be said about them."""

    page: Path
    notes: list[str]


def plot_features(
    table: pd.DataFrame | str | Path,
    to: str | Path | None = None,
    *,
    clusters: int = CLUSTERS,
    faces: str | Path | None = None,
    credit: str | None = None,
    progress: Progress | None = None,
) -> Plots:
    """Draw `path.png`, `map.png` and `clusters.png`, and write `index.html` with all of them in it.

    Faces are cut again out of the pictures and videos that the table names; where these are gone there are dots only.
    There is no path of photos.

    Args:
        table: features of pictures or of a face set; or its path, .parquet or .csv.
        to: a folder; beside the table if not given.
        clusters: k of k-means; there are fewer of few faces.
        faces: the face set, of a table that was made of one.
        credit: whose photographs these are, as their licence may ask; below every picture.
        progress: called with faces cut again, and faces in all.
    Raises:
        OmoteError: If the table has no features, lacks a column or has fewer than two rows to trust, the face set is
            another one, or a number or the folder is not possible.
    """
    check_clusters(clusters)
    folder = _folder(table, to)
    features = read_features(table)
    face_set = None if faces is None else open_face_set(faces)
    place = where(features, face_set)
    can = place >= 0

    directions = principal(features)
    tracks = features.tracks[:SHOWN]
    at_ends = ends(features, directions, can)
    telling = [moments(features, directions, track, can) for track in tracks]
    places = places_on_map(features, directions)
    on_map = faces_on_map(places, can)
    found = clustered(features, clusters)
    count = TYPICAL if lanes(features) else ALONE
    chosen = [typical(features, members, can, count) for members in found]
    rows = np.unique(np.concatenate([*telling, *(way for pair in at_ends for way in pair), on_map, *chosen]))
    cut, troubles = cut_again(features, rows, place, face_set, progress)

    pictures = {}
    if tracks:
        pictures["path"] = path_picture(features, directions, telling, at_ends, cut, credit)
    pictures["map"] = map_picture(features, directions, places, on_map, cut, credit)
    pictures["clusters"] = clusters_picture(features, found, chosen, cut, credit)
    captions = _captions(features, float(directions.shares[:2].sum()), len(found))
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        save_picture(picture, folder / f"{name}.png")
    notes = _notes(features, place, troubles)
    page = write_page(
        folder / "index.html",
        title=f"Expressions in {Path(features.name).name}",
        introduction=[*_introduction(features), *(f"{note[:1].upper()}{note[1:]}." for note in notes)],
        sections=[
            *(
                picture_section(Picture(TITLES[name], picture, captions[name]))
                for name, picture in pictures.items()
            ),
            text_section("What is not seen", items=LIMITS),
        ],
    )
    return Plots(page, notes)


def _folder(table: pd.DataFrame | str | Path, to: str | Path | None) -> Path:
    if to is None and isinstance(table, pd.DataFrame):
        raise OmoteError("a table was given without its path; name a folder for the pictures with to")
    folder = Path(str(table)).with_name(f"{Path(str(table)).stem}-plots") if to is None else Path(to)
    if folder.exists() and not folder.is_dir():
        raise OmoteError(f"{folder} is a file; give a folder with --to")
    return folder


def _introduction(features: Features) -> list[str]:
    doubted = int((~features.trusted).sum())
    sources = features.frames["subject" if features.of_face_set else "source"].nunique()
    kind = ("person", "people") if features.of_face_set else ("source", "sources")
    found = [f"{len(features.frames):,} faces of {_counted(sources, *kind)}"]
    if features.tracks:
        found.append(_counted(len(features.tracks), *(("clip", "clips") if features.of_face_set else (
            "face followed through a video", "faces followed through videos"))))  # fmt: skip
    said = [
        "How the expressions in this table move, how near they lie to each other, and which of them come again.",
        ", ".join(found) + ".",
    ]
    if doubted:
        why = "; ".join(f"{reason}: {count:,}" for reason, count in features.doubts.items())
        said.append(
            f"{doubted:,} rows are not to be trusted{f' ({why})' if why else ''}; they are in no direction, map or "
            "cluster."
        )
    return said


def _counted(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _captions(features: Features, share: float, count: int) -> Mapping[str, str]:
    whom = "people" if features.of_face_set else "tracked faces"
    colours = f"The colours tell {whom} apart." if len(features.groups) > 1 else ""
    return {
        "path": PATH,
        "map": MAP.format(share=100 * share) + colours,
        "clusters": CLUSTERED.format(count=count) + (STRIPS if lanes(features) else ""),
    }


def _notes(features: Features, place: Rows, troubles: Mapping[str, str]) -> list[str]:
    """Return what a reader of the pictures has to know of what is missing in them."""
    notes = []
    if features.left_out:
        notes.append(f"{features.left_out:,} rows have no feature and are left out")
    if features.of_face_set:
        missing = int((place < 0).sum())
        if missing == len(place):
            notes.append("no face is shown: the table is of a face set, which --faces names")
        elif missing:
            notes.append(f"{missing:,} rows are not in the face set: their faces are not shown")
        return notes
    gone = dict.fromkeys(features.frames["source"][place < 0].unique(), "there is no such file any more")
    reasons = {**gone, **troubles}
    if reasons:
        first, reason = next(iter(reasons.items()))
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        notes.append(f"faces that cannot be cut out again are not shown: {first}: {reason}{more}")
    return notes
