"""Pictures of a feature table, and the page with them: timelines, path of the expression, map, clusters."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.data.build import Progress
from omote.data.face_set import open_face_set
from omote.errors import OmoteError
from omote.figures.page import Section, picture_section, write_page
from omote.figures.picture import save_picture
from omote.figures.table.clusters import (
    CLUSTERS,
    check_clusters,
    cluster_rows,
    plot_clusters,
    select_timeline_tracks,
    select_typical,
)
from omote.figures.table.crops import locate_faces, recut_faces
from omote.figures.table.faces_map import lay_out_map, plot_faces_map, select_map_faces
from omote.figures.table.path import MOST_TRACKS, plot_path, select_ends, select_moments
from omote.figures.table.timeline import arrange_parts, render_timelines
from omote.figures.table.tracks import Features, Rows, find_directions, read_features
from omote.files import locked

TIMELINE = (
    "Each {kind} is a part that opens and shows its charts. All have one scale; times are those of a player."
)
TITLES = {
    "path": "The path of the expression",
    "map": "A map of the expressions",
    "clusters": "Clusters and their most typical faces",
}
PATH = (
    "Time runs to the right. The curves show the feature along the directions in which this table varies most, all on "
    "one scale; the faces at the top come from the low and the high end of each direction. The faces above the curves "
    "show moments at which the expression differs most from what is typical of that face; a line connects each with "
    "its time. Grey: not trusted. White: no face found. Where there are more rows than fit, a curve is their median, "
    "and the pale band around it spans their minimum and maximum."
)
MORE = " The picture holds {count} tracks; the timelines above hold all."
MAP = (
    "Each dot is a row, placed by the first two directions. Faces lie on their own dots, as many as fit without "
    "overlap. Neighbours are similar in these two directions, which hold {share:.0f} % of the variance; in the others "
    "they may differ. "
)
CLUSTERED = (
    "k-means has divided the features into {count} groups, shown from the largest to the smallest. The faces are those "
    "nearest the centre of each group, from different moments and, as far as possible, different people. "
)
TIMELINES = (
    "Each strip at the right is one face through one video: in full colour where it belongs to this cluster, white "
    "where it was not found or is not trusted."
)
LIMITS = (
    "Directions and clusters have no names and are not emotions. They are the largest differences in this one table; "
    "another table has other ones. Whether a direction points up or down has no meaning.",
    "k-means always returns as many clusters as requested, whether or not the faces form groups.",
    "A cluster or a corner of the map with a single person may reflect that person, the light or the head pose. The "
    "command omote audit measures how much of the person is left in a model’s features.",
    "A facial expression is not what somebody feels, means or intends. These pictures reveal none of that.",
)


class Plots(NamedTuple):
    """The page with the pictures, and notes on what is missing in them."""

    page: Path
    notes: list[str]


def plot_features(
    table: pd.DataFrame | str | Path,
    to: str | Path | None = None,
    *,
    clusters: int = CLUSTERS,
    faces: str | Path | None = None,
    use_doubted: bool = False,
    credit: str | None = None,
    progress: Progress | None = None,
) -> Plots:
    """Draw `path.png`, `map.png` and `clusters.png`, and write `index.html` with all of them and interactive timelines.

    Faces are cut again from the pictures and videos named in the table; where these are missing, only dots are drawn.
    Photos have no path. The pictures show the first few tracks, the timelines all people, tracks and photos.

    Args:
        table: features of pictures or of a face set, or the path of such a table, .parquet or .csv.
        to: output folder; by default beside the table.
        clusters: k of k-means; reduced for few faces.
        faces: the face set, for a table made from one.
        use_doubted: whether rows that are not trusted count like the others. They do, and a note says so, if nothing
            can be drawn of the trusted rows.
        credit: the photographers, as a licence may require; shown below every picture.
        progress: called with the faces cut so far and the faces wanted.
    Raises:
        OmoteError: If the table has no features, lacks a column or has fewer than two rows that differ, the face set
            does not match, or `clusters` or the folder is invalid.
    """
    check_clusters(clusters)
    folder = _choose_folder(table, to)
    features = read_features(table, use_doubted)
    face_set = None if faces is None else open_face_set(faces)
    places = locate_faces(features, face_set)
    available = places >= 0

    directions = find_directions(features)
    ends = select_ends(features, directions, available)
    moments = [
        select_moments(features, directions, track, available) for track in features.tracks[:MOST_TRACKS]
    ]
    layout = lay_out_map(features, directions)
    on_map = select_map_faces(layout, available)
    members = cluster_rows(features, clusters)
    typical = [select_typical(features, rows, available) for rows in members]
    parts = arrange_parts(features, available)
    in_charts = np.concatenate([block.faces for part in parts for block in part.blocks])
    rows = np.unique(np.concatenate([*moments, *(end for pair in ends for end in pair), on_map, *typical]))
    crops, failures = recut_faces(features.frames, rows, places, face_set, progress, in_charts)

    pictures = {}
    if moments:
        pictures["path"] = plot_path(features, directions, moments, ends, crops, credit)
    pictures["map"] = plot_faces_map(features, directions, layout, on_map, crops, credit)
    pictures["clusters"] = plot_clusters(features, members, typical, crops, credit)
    timelines = Section(
        "Timelines",
        [TIMELINE.format(kind="source" if features.people is None else "person")],
        timelines=render_timelines(features, parts, members, typical, crops, players={}),
    )
    captions = _write_captions(features, float(directions.shares[:2].sum()), len(members))
    notes = _note_missing(features, places, failures)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "is drawing pictures"):
        for name, picture in pictures.items():
            save_picture(picture, folder / f"{name}.png")
        page = write_page(
            folder / "index.html",
            title=f"Expressions in {Path(features.name).name}",
            introduction=[*_introduce(features), *(f"{note[:1].upper()}{note[1:]}." for note in notes)],
            sections=[
                timelines,
                *(
                    picture_section(TITLES[name], picture, captions[name])
                    for name, picture in pictures.items()
                ),
                Section("What these pictures do not show", items=LIMITS),
            ],
        )
    return Plots(page, notes)


def _choose_folder(table: pd.DataFrame | str | Path, to: str | Path | None) -> Path:
    if to is None and isinstance(table, pd.DataFrame):
        raise OmoteError("the table has no path; name a folder for the pictures with `to`")
    folder = Path(str(table)).with_name(f"{Path(str(table)).stem}-plots") if to is None else Path(to)
    if folder.exists() and not folder.is_dir():
        raise OmoteError(f"{folder} is a file; give a folder with --to")
    return folder


def _introduce(features: Features) -> list[str]:
    sources = features.frames["subject" if features.of_face_set else "source"].nunique()
    kind = ("person", "people") if features.of_face_set else ("source", "sources")
    counts = [f"{len(features.frames):,} faces of {_count(sources, *kind)}"]
    if features.tracks:
        kind = ("clip", "clips") if features.of_face_set else ("tracked face", "tracked faces")
        counts.append(_count(len(features.tracks), *kind))
    paragraphs = [
        "How the expressions in this table move, which are similar, and which recur.",
        ", ".join(counts) + ".",
    ]
    if features.doubted and not features.uses_doubted:
        paragraphs.append(f"{_count_doubted(features)}. They affect no direction, map or cluster.")
    return paragraphs


def _count_doubted(features: Features) -> str:
    why = "; ".join(f"{reason}: {count:,}" for reason, count in features.doubts.items())
    return f"{features.doubted:,} rows are not trusted{f' ({why})' if why else ''}"


def _count(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _write_captions(features: Features, share: float, count: int) -> Mapping[str, str]:
    kind = "people" if features.of_face_set else "tracked faces"
    colours = f"Colours distinguish {kind}." if len(features.groups) > 1 else ""
    more = MORE.format(count=MOST_TRACKS) if len(features.tracks) > MOST_TRACKS else ""
    return {
        "path": PATH + more,
        "map": MAP.format(share=100 * share) + colours,
        "clusters": CLUSTERED.format(count=count) + (TIMELINES if select_timeline_tracks(features) else ""),
    }


def _note_missing(features: Features, places: Rows, failures: Mapping[str, str]) -> list[str]:
    """Return notes on the rows and faces that are missing in the pictures."""
    notes = []
    if features.left_out:
        notes.append(f"{features.left_out:,} rows have no feature and are left out")
    if features.uses_doubted:
        notes.append(f"{_count_doubted(features)}. They are drawn like the others, {features.uses_doubted}")
    if features.of_face_set:
        missing = int((places < 0).sum())
        if missing == len(places):
            notes.append("no faces are shown: the table was made from a face set; name it with --faces")
        elif missing:
            notes.append(f"{missing:,} rows are not in the face set: their faces are not shown")
        return notes
    gone = dict.fromkeys(features.frames["source"][places < 0].unique(), "the file no longer exists")
    reasons = {**gone, **failures}
    if reasons:
        first, reason = next(iter(reasons.items()))
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        notes.append(f"faces that cannot be cut again are not shown: {first}: {reason}{more}")
    return notes
