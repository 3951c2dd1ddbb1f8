"""Clusters of the expressions in a table of features: their most typical faces, and when each of them is seen."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from sklearn.cluster import KMeans

from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.figures.space import REST
from omote.figures.table.board import EDGE, INK, LINE, MUTED, WIDTH, Board, colour_of, fitting, mark_times
from omote.figures.table.recut import Faces
from omote.figures.table.tracks import PHOTOS, Features, Rows, Track, varied

CLUSTERS = 9  # the paper's
ROWS_EACH = 3  # rows to trust that a cluster takes, or there are fewer clusters
FITTED = 20_000  # rows that the centres are fitted on, at most
TYPICAL = 6  # faces of a cluster, beside its times
ALONE = 10  # faces of a cluster where no times are shown
CORE = 0.5  # share of a cluster, nearest its centre, that typical faces are from
LANES = 12  # tracks, at most, whose times are shown
COVERED = 0.5  # share of the rows to trust that must be of these tracks
BINS = 300  # of a lane
FACE, GAP, ROW, WORDS = 0.92, 0.04, 1.04, 1.7  # inches: a face, between two, height of a cluster, its words
TOP, TIMES = 0.45, 0.45
ALL, PALE = "#0072b2", "#eceef1"


def check_clusters(k: int) -> None:
    """Raise OmoteError if k is no number of clusters."""
    if k < 1:
        raise OmoteError(f"clusters is {k}; expected 1 or more, such as {CLUSTERS}")


def clustered(features: Features, k: int = CLUSTERS) -> list[Rows]:
    """Return the rows to trust in clusters, the largest first; of each the row nearest its centre first.

    k-means of scikit-learn on the unscaled codes, Euclidean, the best of four starts. Of few or equal codes there are
    fewer clusters than k.

    """
    rows = np.flatnonzero(features.trusted)
    codes = features.codes[rows].astype(np.float64)
    fitted = codes[evenly_spaced(len(rows), FITTED)]
    k = min(k, max(2, len(rows) // ROWS_EACH), len(np.unique(fitted, axis=0)))
    distances = KMeans(k, n_init=4, random_state=0).fit(fitted).transform(codes)
    nearest, order = distances.argmin(axis=1), distances.min(axis=1).argsort(kind="stable")
    found = [rows[order[nearest[order] == cluster]] for cluster in range(k)]
    return sorted(found, key=lambda members: (-len(members), int(members[0])))


def typical(features: Features, members: Rows, can: NDArray[np.bool_], count: int) -> Rows:
    """Return rows near a cluster's centre that show different moments and people, the nearest first.

    Args:
        members: the nearest first.
        can: (N,) bool, the rows that may be shown.
    """
    shown = members[can[members]]
    return varied(features, shown[: max(count, round(CORE * len(shown)))], count)


def lanes(features: Features) -> list[Track]:
    """Return the tracks whose times are shown: the first, or none where they hold too little of the table."""
    first = features.tracks[:LANES]
    held = sum(int(features.trusted[track.rows].sum()) for track in first)
    return first if held >= COVERED * features.trusted.sum() else []


def shares(
    features: Features, track: Track, members: Rows, low: float, high: float, bins: int
) -> NDArray[np.float64]:
    """Return how much of a track is of a cluster: (bins,) shares of its rows to trust, in equal times from `low` to
    `high` s; nan where it has none."""
    rows = track.rows[features.trusted[track.rows]]
    place = np.clip((features.seconds[rows] - low) / ((high - low) or 1) * bins, 0, bins - 1).astype(np.int64)
    inside = np.bincount(place, np.isin(rows, members).astype(float), bins)
    counts = np.bincount(place, minlength=bins)
    found: NDArray[np.float64] = np.divide(inside, counts, out=np.full(bins, np.nan), where=counts > 0)
    return found


def clusters_picture(
    features: Features,
    found: Sequence[Rows],
    chosen: Sequence[Rows],
    faces: Faces,
    credit: str | None = None,
) -> Image.Image:
    """Return a picture with a line a cluster: how large it is, typical faces, and when it is seen.

    Args:
        found: what `clustered` returned.
        chosen: what `typical` returned of each.
        faces: (S, S, 3) by row.
    """
    tracks = lanes(features)
    columns = (TYPICAL if tracks else ALONE) if faces else 0
    names = [*tracks] if len(tracks) > 1 else []
    top = TOP if tracks else 0.25
    board = Board(top + ROW * len(found) + (TIMES if tracks else 0.1) + 0.22 * len(names))
    right = EDGE + WORDS + columns * (FACE + GAP) + 0.15
    if tracks:
        board.text(right, TOP - LINE, "when it is seen", color=MUTED)
    total = int(features.trusted.sum())
    for place, (members, rows) in enumerate(zip(found, chosen, strict=True)):
        y = top + place * ROW
        board.line([EDGE, WIDTH - EDGE], [y - (ROW - FACE) / 2] * 2, color=REST)
        board.text(EDGE, y + 0.45, str(place + 1), 17, weight="bold")
        words = [f"{100 * len(members) / total:.0f} %", f"{len(members):,} rows"]
        if len(features.groups) > 1 and PHOTOS not in features.groups:
            of = "people" if features.of_face_set else "tracks"
            words.append(f"{len(np.unique(features.group[members]))} of {len(features.groups)} {of}")
        for line, text in enumerate(words):
            board.text(
                EDGE + 0.42,
                y + 0.45 + 0.22 * (line - (len(words) - 1) / 2),
                text,
                color=INK if not line else MUTED,
            )
        for column, row in enumerate(row for row in rows.tolist() if row in faces):
            colour = colour_of(int(features.group[row])) if len(features.groups) > 1 else None
            board.face(faces[row], EDGE + WORDS + column * (FACE + GAP), y, FACE, colour)
    if tracks:
        _lanes(board, features, tracks, found, right)
    for line, track in enumerate(names):
        y = board.height - 0.2 - 0.22 * (len(names) - 1 - line)
        colour = colour_of(int(features.group[track.rows[0]]))
        board.line([right, right + 0.16], [y, y], color=colour, linewidth=7, solid_capstyle="butt")
        board.text(right + 0.26, y, fitting(track.name, 9.5, WIDTH - EDGE - right - 0.3), 9.5)
    return board.drawn(credit)


def _lanes(
    board: Board, features: Features, tracks: Sequence[Track], found: Sequence[Rows], x: float
) -> None:
    times = [features.seconds[track.rows] for track in tracks]
    low, high = float(min(time.min() for time in times)), float(max(time.max() for time in times))
    step = max(float(np.median(np.diff(time))) for time in times)
    bins = int(np.clip((high - low) / (1.05 * step), 1, BINS)) if step else 1
    for place, members in enumerate(found):
        axes = board.axes(x, TOP + place * ROW, WIDTH - EDGE - x, FACE)
        mark_times(axes, low, high, any(track.in_seconds for track in tracks), 4)
        axes.set_ylim(len(tracks), 0)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0, labelbottom=place == len(found) - 1)
        for lane, track in enumerate(tracks):
            share = shares(features, track, members, low, high, bins)[None, :, None]
            full = np.array(
                to_rgb(colour_of(int(features.group[track.rows[0]])) if len(features.groups) > 1 else ALL)
            )
            pale = np.array(to_rgb(PALE))
            pixels = np.where(np.isnan(share), 1.0, pale + (full - pale) * np.nan_to_num(share))
            axes.imshow(
                pixels, extent=(low, high, lane + 0.92, lane + 0.08), aspect="auto", interpolation="nearest"
            )
        axes.set(xlim=(low, high), ylim=(len(tracks), 0))
