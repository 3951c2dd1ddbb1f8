"""The path of the expression over time: the principal directions as curves, and above them faces of telling moments."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import isotonic_regression

from omote.figures.space import COLOURS
from omote.figures.table.board import EDGE, GREY, LINE, MUTED, WIDTH, Board, clock, fitting, mark_times
from omote.figures.table.recut import Faces
from omote.figures.table.tracks import Directions, Features, Rows, Track, varied

SHOWN = 4  # tracks, at most
MOMENTS = 10  # with a face, of a track, at most
CANDIDATES = 400  # moments to choose from
POINTS = 800  # of a curve; more rows are put together
ENDS = 3  # faces at either end of a direction
BEYOND = 0.005  # share of the rows passed over at either end of a direction
STEP = 2.5  # usual steps without a row that part a curve
LOOKS = (COLOURS[5], COLOURS[6], COLOURS[3])
UNSURE = "#eceef1"
FACE, SMALL = 1.02, 0.53  # inches
PITCH = (WIDTH - 2 * EDGE) / MOMENTS
LEGEND, TITLE, LEADERS, CURVES, TIMES = 1.5, 0.42, 0.3, 1.7, 0.55  # inches high


class Ends(NamedTuple):
    """Rows with faces from either end of a direction."""

    low: Rows
    high: Rows


def ends(features: Features, directions: Directions, can: NDArray[np.bool_]) -> list[Ends]:
    """Return for each direction some rows of different moments from where it is least, and from where it is greatest.

    Args:
        can: (N,) bool, the rows that may be shown.
    """
    rows = np.flatnonzero(features.trusted & can)
    found = []
    for values in directions.places.T:
        order = rows[np.argsort(values[rows], kind="stable")]
        beyond, half = int(BEYOND * len(order)), (len(order) + 1) // 2
        low, high = (
            varied(features, way[beyond : max(half, beyond + 1)], ENDS) for way in (order, order[::-1])
        )
        found.append(Ends(low, high[::-1]))
    return found


def moments(features: Features, directions: Directions, track: Track, can: NDArray[np.bool_]) -> Rows:
    """Return telling rows of a track in order of time: of each of `MOMENTS` equal times the one farthest from what is
    usual in the track, the median, and never two that are close to each other.

    They are chosen from `CANDIDATES` rows; where there are more, each of these is the most usual of its moment, so that
    no single odd frame is chosen. Of a track of up to `MOMENTS` rows it is all.

    Args:
        can: as of `ends`.
    """
    shown = (features.trusted & can)[track.rows]
    rows, times = track.rows[shown], track.times[shown]
    if len(rows) <= MOMENTS:
        return rows
    if len(rows) > CANDIDATES:
        parts = np.array_split(np.arange(len(rows)), CANDIDATES)
        usual = [part[_distances(directions.places[rows[part]]).argmin()] for part in parts]
        rows, times = rows[usual], times[usual]
    length = float(np.ptp(track.times)) or 1.0
    slot = np.minimum((times - track.times[0]) / length * MOMENTS, MOMENTS - 1).astype(np.int64)
    far = _distances(directions.places[rows])
    chosen: list[int] = []
    while np.isfinite(far.max()):
        new = int(far.argmax())
        chosen.append(new)
        far[(slot == slot[new]) | (np.abs(times - times[new]) < length / (3 * MOMENTS))] = -np.inf
    return rows[np.sort(np.array(chosen, np.int64))]


def _distances(places: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    return distances


def path_picture(
    features: Features,
    directions: Directions,
    telling: Sequence[Rows],
    at_ends: Sequence[Ends],
    faces: Faces,
    credit: str | None = None,
) -> Image.Image:
    """Return a picture of the first tracks, one block each, below a legend that shows what the directions are.

    Args:
        telling: what `moments` returned of each track that is shown.
        at_ends: what `ends` returned.
        faces: (S, S, 3) by row; where there is none there is a dot.
    """
    tracks = features.tracks[: len(telling)]
    pictured = any(int(row) in faces for rows in telling for row in rows)
    legend = LEGEND if faces else LEGEND - SMALL - LINE
    strip = FACE + LEADERS if pictured else 0.1
    block = TITLE + strip + CURVES + TIMES
    more = len(features.tracks) - len(tracks)
    board = Board(legend + block * len(tracks) + LINE * bool(more) + 0.15)
    _legend(board, directions, at_ends, faces)
    values = directions.places[features.trusted]
    low, high = values.min(), values.max()
    for place, (track, rows) in enumerate(zip(tracks, telling, strict=True)):
        y = legend + block * place
        doubted = len(track.rows) - int(features.trusted[track.rows].sum())
        length = (
            clock(float(np.ptp(track.times))) if track.in_seconds else f"{np.ptp(track.times) + 1:.0f} frames"
        )
        about = f"{length} long, {len(track.rows):,} rows" + (
            f", {doubted:,} of them not trusted" if doubted else ""
        )
        board.text(WIDTH - EDGE, y + TITLE / 2, about, color=MUTED, ha="right")
        board.text(EDGE, y + TITLE / 2, fitting(track.name, 13, 7), 13, weight="bold")
        same = [one.times for one in tracks if one.source == track.source and not features.of_face_set]
        span = np.concatenate([track.times, *same])
        axes = board.axes(EDGE, y + TITLE + strip, WIDTH - 2 * EDGE, CURVES)
        mark_times(axes, span.min(), span.max(), track.in_seconds)
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
        if not track.in_seconds:
            axes.set_xlabel("frame", fontsize=10, color=MUTED)
        _curves(axes, features, directions, track)
        if pictured:
            _strip(board, axes, track, rows, faces, y + TITLE)
    if more:
        board.text(
            EDGE, board.height - LINE, f"Not shown: {more} more, with fewer rows to trust.", color=MUTED
        )
    return board.drawn(credit)


def _legend(board: Board, directions: Directions, at_ends: Sequence[Ends], faces: Faces) -> None:
    width = (WIDTH - 2 * EDGE) / len(LOOKS)
    for place, (share, (low, high)) in enumerate(zip(directions.shares, at_ends, strict=True)):
        x = EDGE + place * width
        board.line([x, x + 0.3], [0.35, 0.35], color=LOOKS[place], linewidth=3)
        title = f"direction {place + 1}"
        board.text(x + 0.4, 0.35, title, 12, weight="bold")
        board.text(x + 1.5, 0.35, f"{100 * share:.0f} % of the variance", color=MUTED)
        end = x + width - 0.3
        for rows, begin in ((low, x), (high, end - ENDS * (SMALL + 0.03) + 0.03)):
            for column, row in enumerate(row for row in rows.tolist() if row in faces):
                board.face(faces[row], begin + column * (SMALL + 0.03), 0.52, SMALL)
        if faces:
            y = 0.52 + SMALL + 0.13
            board.text(x, y, "low", 9.5, color=MUTED)
            board.text(end, y, "high", 9.5, color=MUTED, ha="right")
            board.sheet.annotate(
                "", (end - 0.45, y), (x + 0.4, y), arrowprops={"arrowstyle": "->", "color": GREY}
            )


class Points(NamedTuple):
    """A curve of B points, thinned where there are more rows; NaN where it is parted."""

    times: NDArray[np.float64]  # (B,)
    middle: NDArray[np.float64]  # (B, D) medians
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    trusted: NDArray[np.bool_]  # (B,)


def thinned(
    times: NDArray[np.float64], values: NDArray[np.float64], trusted: NDArray[np.bool_], points: int = POINTS
) -> Points:
    """Return a curve of at most 2 `points`: of more rows, the medians and the ends of `points` equal times.

    A point is trusted where half of its rows are; it is then of those only. Between points that are farther apart than
    `STEP` usual steps there is one more, of NaN.

    Args:
        times: (n,) rising.
        values: (n, D).
        trusted: (n,).
    """
    part = np.arange(len(times))
    if len(times) > 2 * points:
        span = float(np.ptp(times)) or 1.0
        part = np.minimum(((times - times[0]) / span * points).astype(np.int64), points - 1)
    sure = pd.Series(trusted.astype(float)).groupby(part).mean() >= 0.5
    counted = trusted == sure.reindex(part).to_numpy()
    groups = pd.DataFrame(values).assign(time=times)[counted].groupby(part[counted])
    middle, low, high = groups.median(), groups.min(), groups.max()
    steps = np.diff(middle["time"])
    gaps = np.flatnonzero(steps > STEP * np.median(steps)) + 1 if len(steps) else np.zeros(0, np.int64)

    def parted(table: pd.DataFrame) -> NDArray[np.float64]:
        return np.insert(table.drop(columns="time").to_numpy(), gaps, np.nan, axis=0)

    between = middle["time"].to_numpy()[gaps - 1] + steps[gaps - 1] / 2
    return Points(
        np.insert(middle["time"].to_numpy(), gaps, between), parted(middle), parted(low), parted(high),
        np.insert(sure.to_numpy(), gaps, False),
    )  # fmt: skip


def _curves(axes: Axes, features: Features, directions: Directions, track: Track) -> None:
    points = thinned(track.times, directions.places[track.rows], features.trusted[track.rows])
    x = points.times
    seen = np.isfinite(points.middle[:, 0])
    ways = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    usual = float(np.median(np.diff(x))) if len(x) > 1 else 0.0  # of what is grey, no more is in a gap
    begins, finishes = np.maximum(ways[:-1], x - usual), np.minimum(ways[1:], x + usual)
    spans = np.stack([begins, finishes - begins], axis=1)[seen & ~points.trusted]
    axes.broken_barh(
        spans.tolist(), (0, 1), transform=axes.get_xaxis_transform(), color=UNSURE, linewidth=0, zorder=0
    )
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=1)
    sure = np.where(points.trusted[:, None], points.middle, np.nan)
    dots: dict[str, Any] = {"marker": ".", "markersize": 5} if len(x) <= 60 else {}
    for k in reversed(range(points.middle.shape[1])):
        axes.plot(x, points.middle[:, k], color=GREY, linewidth=0.8, zorder=2, **dots)
        if len(track.rows) > len(x):
            shown = points.trusted
            axes.fill_between(
                x, points.low[:, k], points.high[:, k], where=shown, color=LOOKS[k], alpha=0.2, linewidth=0
            )
        axes.plot(x, sure[:, k], color=LOOKS[k], linewidth=1.3, zorder=3, solid_capstyle="round", **dots)


def _strip(board: Board, axes: Axes, track: Track, rows: Rows, faces: Faces, y: float) -> None:
    """Place the faces of some rows above the curves, each near its time, and lead from each to its moment."""
    shown = [int(row) for row in rows if int(row) in faces]
    if not shown:
        return
    begin, end = axes.get_xlim()
    width = WIDTH - 2 * EDGE
    time = dict(zip(track.rows.tolist(), track.times, strict=True))
    x = np.array([EDGE + (time[row] - begin) / ((end - begin) or 1) * width for row in shown])
    slots = np.arange(len(x)) * PITCH
    middles = np.clip(isotonic_regression(x - slots).x, EDGE + PITCH / 2, None) + slots
    over = EDGE + width - PITCH / 2 - (len(x) - 1) * PITCH
    middles = np.minimum(middles - slots, over) + slots
    for row, at, middle in zip(shown, x, middles, strict=True):
        board.face(faces[row], middle - FACE / 2, y, FACE)
        board.line(
            [middle, at, at], [y + FACE, y + FACE + LEADERS, y + FACE + LEADERS + CURVES], linewidth=0.7
        )
