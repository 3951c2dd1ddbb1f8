"""Clusters of the features in a table: their most typical faces, and a timeline of when each occurs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from sklearn.cluster import KMeans

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.figures.style import BLUE, INK, MUTED, NOTE, PALE, REST
from omote.figures.table.crops import Crops
from omote.figures.table.face_figure import (
    EDGE,
    LINE,
    WIDTH,
    FaceFigure,
    group_colour,
    mark_times,
    shorten_text,
)
from omote.figures.table.tracks import PHOTOS, Features, Rows, Track, select_diverse

CLUSTERS = 9  # as in the paper
ROWS_EACH = 3  # minimum number of trusted rows per cluster, on average
MOST_FITTED = 20_000  # rows that the centres are fitted on
FACES_WITH_TIMELINE, FACES_ALONE = 6, 10  # per cluster, at most
CORE = 0.5  # typical faces come from this share of a cluster, nearest its centre
MOST_TRACKS = 12  # in a timeline
COVERED = 0.5  # share of the trusted rows that these tracks must hold, or there is no timeline
BINS = 300  # of a timeline
FACE, GAP, ROW, WORDS = (
    0.92,
    0.04,
    1.04,
    1.7,
)  # inches: a face, between faces, height of a cluster, width of its text
TOP, TIMES, LEGEND_LINE = 0.45, 0.45, 0.22  # inches


def check_clusters(k: int) -> None:
    """Raise OmoteError if k is not a number of clusters."""
    if k < 1:
        raise OmoteError(f"clusters is {k}; expected 1 or more, such as {CLUSTERS}")


def cluster_rows(features: Features, k: int = CLUSTERS) -> list[Rows]:
    """Return the trusted rows by cluster, the largest cluster first, each with the row nearest its centre first.

    k-means of scikit-learn on the unscaled codes, Euclidean, best of four starts. With few or equal codes there are
    fewer than k clusters.
    """
    rows = np.flatnonzero(features.trusted)
    codes = features.codes[rows].astype(np.float64)
    fitted = codes[evenly_spaced(len(rows), MOST_FITTED)]
    k = min(k, max(2, len(rows) // ROWS_EACH), len(np.unique(fitted, axis=0)))
    distances = KMeans(k, n_init=4, random_state=0).fit(fitted).transform(codes)
    nearest, order = distances.argmin(axis=1), distances.min(axis=1).argsort(kind="stable")
    clusters = [rows[order[nearest[order] == cluster]] for cluster in range(k)]
    return sorted(clusters, key=lambda members: (-len(members), int(members[0])))


def select_typical(features: Features, members: Rows, available: NDArray[np.bool_]) -> Rows:
    """Return diverse rows near a cluster's centre, nearest first.

    Args:
        members: as `cluster_rows` returned them.
        available: (N,) bool, rows with a face.
    """
    count = FACES_WITH_TIMELINE if select_timeline_tracks(features) else FACES_ALONE
    shown = members[available[members]]
    return select_diverse(features, shown[: max(count, round(CORE * len(shown)))], count)


def select_timeline_tracks(features: Features) -> list[Track]:
    """Return the tracks of the timeline: the first ones, or none if they hold too little of the table."""
    tracks = features.tracks[:MOST_TRACKS]
    held = sum(int(features.trusted[track.rows].sum()) for track in tracks)
    return tracks if held >= COVERED * features.trusted.sum() else []


def bin_membership(
    features: Features, track: Track, members: Rows, low: float, high: float, bins: int
) -> NDArray[np.float64]:
    """Return (bins,) the share of a track's trusted rows that belong to a cluster, in equal intervals of time.

    Args:
        low, high: begin of the first and end of the last interval, seconds.
    Returns:
        NaN where the track has no trusted row.
    """
    rows = track.rows[features.trusted[track.rows]]
    place = np.clip((features.seconds[rows] - low) / ((high - low) or 1) * bins, 0, bins - 1).astype(np.int64)
    inside = np.bincount(place, np.isin(rows, members).astype(float), bins)
    counts = np.bincount(place, minlength=bins)
    shares: NDArray[np.float64] = np.divide(inside, counts, out=np.full(bins, np.nan), where=counts > 0)
    return shares


def plot_clusters(
    features: Features,
    clusters: Sequence[Rows],
    typical: Sequence[Rows],
    crops: Crops,
    credit: str | None = None,
) -> Image.Image:
    """Return a picture with one line per cluster: its size, typical faces, and when it occurs.

    Args:
        clusters: as `cluster_rows` returned them.
        typical: as `select_typical` returned them for each.
        crops: (S, S, 3) by row.
    """
    tracks = select_timeline_tracks(features)
    several = len(features.groups) > 1
    columns = (FACES_WITH_TIMELINE if tracks else FACES_ALONE) if crops else 0
    legend = tracks if len(tracks) > 1 else []
    top = TOP if tracks else 0.25
    figure = FaceFigure(top + ROW * len(clusters) + (TIMES if tracks else 0.1) + LEGEND_LINE * len(legend))
    right = EDGE + WORDS + columns * (FACE + GAP) + 0.15
    if tracks:
        figure.text(right, TOP - LINE, "when it is seen", color=MUTED)
    total = int(features.trusted.sum())
    for place, (members, rows) in enumerate(zip(clusters, typical, strict=True)):
        y = top + place * ROW
        figure.line([EDGE, WIDTH - EDGE], [y - (ROW - FACE) / 2] * 2, color=REST)
        figure.text(EDGE, y + 0.45, str(place + 1), 17, weight="bold")
        texts = [f"{100 * len(members) / total:.0f} %", f"{len(members):,} rows"]
        if several and PHOTOS not in features.groups:
            kind = "people" if features.of_face_set else "tracks"
            texts.append(f"{len(np.unique(features.group[members]))} of {len(features.groups)} {kind}")
        for line, text in enumerate(texts):
            middle = y + 0.45 + LEGEND_LINE * (line - (len(texts) - 1) / 2)
            figure.text(EDGE + 0.42, middle, text, color=INK if not line else MUTED)
        for column, row in enumerate(row for row in rows.tolist() if row in crops):
            colour = group_colour(int(features.group[row])) if several else None
            figure.face(crops[row], EDGE + WORDS + column * (FACE + GAP), y, FACE, colour)
    if tracks:
        _plot_timelines(figure, features, tracks, clusters, right)
    for line, track in enumerate(legend):
        y = figure.height - 0.2 - LEGEND_LINE * (len(legend) - 1 - line)
        figure.swatch(right, y, group_colour(int(features.group[track.rows[0]])), 7)
        figure.text(right + 0.26, y, shorten_text(track.name, NOTE, WIDTH - EDGE - right - 0.3), NOTE)
    return figure.render(credit)


def _plot_timelines(
    figure: FaceFigure, features: Features, tracks: Sequence[Track], clusters: Sequence[Rows], x: float
) -> None:
    times = [features.seconds[track.rows] for track in tracks]
    low, high = float(min(time.min() for time in times)), float(max(time.max() for time in times))
    step = max(float(np.median(np.diff(time))) for time in times)
    bins = int(np.clip((high - low) / (1.05 * step), 1, BINS)) if step else 1
    several = len(features.groups) > 1
    pale = np.array(to_rgb(PALE))
    for place, members in enumerate(clusters):
        axes = figure.axes(x, TOP + place * ROW, WIDTH - EDGE - x, FACE)
        mark_times(axes, low, high, any(track.in_seconds for track in tracks), 4)
        axes.set_ylim(len(tracks), 0)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0, labelbottom=place == len(clusters) - 1)
        for lane, track in enumerate(tracks):
            share = bin_membership(features, track, members, low, high, bins)[None, :, None]
            full = np.array(to_rgb(group_colour(int(features.group[track.rows[0]])) if several else BLUE))
            pixels = np.where(np.isnan(share), 1.0, pale + (full - pale) * np.nan_to_num(share))
            extent = (low, high, lane + 0.92, lane + 0.08)
            axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest")
        axes.set(xlim=(low, high), ylim=(len(tracks), 0))
