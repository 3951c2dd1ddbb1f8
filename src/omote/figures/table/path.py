"""The path of the expression over time: principal directions as curves, with faces of telling moments above them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import isotonic_regression

from omote.figures.style import BLUE, GREEN, GREY, LABEL, MUTED, NOTE, PALE, TICK, TITLE, VERMILION
from omote.figures.table.crops import Crops
from omote.figures.table.face_figure import (
    EDGE,
    LINE,
    WIDTH,
    FaceFigure,
    format_time,
    mark_times,
    shorten_text,
)
from omote.figures.table.tracks import Directions, Features, Rows, Track, select_diverse

MOST_TRACKS = 4
MOMENTS = 10  # faces per track, at most
CANDIDATES = 400  # moments to choose from
POINTS = 800  # per curve; longer ones are binned
ENDS = 3  # faces at either end of a direction
OUTLIERS = 0.005  # share of the rows skipped at either end of a direction
GAP = 2.5  # a curve is interrupted where rows are missing for so many median steps
CURVE_COLOURS = (BLUE, VERMILION, GREEN)
FACE, SMALL_FACE = 1.02, 0.53  # inches
PITCH = (WIDTH - 2 * EDGE) / MOMENTS
LEGEND, HEADER, LEADERS, CURVES, TIMES = 1.5, 0.42, 0.3, 1.7, 0.55  # heights in inches


class Ends(NamedTuple):
    """Rows from either end of a direction."""

    low: Rows
    high: Rows


def select_ends(features: Features, directions: Directions, available: NDArray[np.bool_]) -> list[Ends]:
    """Return for each direction a few diverse rows from its low end and from its high end.

    Args:
        available: (N,) bool, rows with a face.
    """
    rows = np.flatnonzero(features.trusted & available)
    found = []
    for values in directions.places.T:
        order = rows[np.argsort(values[rows], kind="stable")]
        skipped, half = int(OUTLIERS * len(order)), (len(order) + 1) // 2
        low, high = (
            select_diverse(features, end[skipped : max(half, skipped + 1)], ENDS)
            for end in (order, order[::-1])
        )
        found.append(Ends(low, high[::-1]))
    return found


def select_moments(
    features: Features, directions: Directions, track: Track, available: NDArray[np.bool_]
) -> Rows:
    """Return telling rows of a track in order of time.

    The track is divided into `MOMENTS` equal intervals. Each contributes the row farthest from the track's median, but
    rows close to one already chosen are skipped. At most `CANDIDATES` rows are considered; in a longer track, each is
    the most typical of its moment, so that no single odd frame is chosen. A track of up to `MOMENTS` rows is returned
    whole.

    Args:
        available: (N,) bool, rows with a face.
    """
    shown = (features.trusted & available)[track.rows]
    rows, times = track.rows[shown], track.times[shown]
    if len(rows) <= MOMENTS:
        return rows
    if len(rows) > CANDIDATES:
        parts = np.array_split(np.arange(len(rows)), CANDIDATES)
        typical = [part[_distances(directions.places[rows[part]]).argmin()] for part in parts]
        rows, times = rows[typical], times[typical]
    length = float(np.ptp(track.times)) or 1.0
    interval = np.minimum((times - track.times[0]) / length * MOMENTS, MOMENTS - 1).astype(np.int64)
    distances = _distances(directions.places[rows])
    chosen: list[int] = []
    while np.isfinite(distances.max()):
        new = int(distances.argmax())
        chosen.append(new)
        close = np.abs(times - times[new]) < length / (3 * MOMENTS)
        distances[(interval == interval[new]) | close] = -np.inf
    return rows[np.sort(np.array(chosen, np.int64))]


def _distances(places: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    return distances


def plot_path(
    features: Features,
    directions: Directions,
    moments: Sequence[Rows],
    ends: Sequence[Ends],
    crops: Crops,
    credit: str | None = None,
) -> Image.Image:
    """Return a picture with a legend of the directions and, below it, one block per track.

    Args:
        moments: as `select_moments` returned them for each track to show.
        ends: as `select_ends` returned them.
        crops: (S, S, 3) by row; rows without a crop are left out.
    """
    tracks = features.tracks[: len(moments)]
    with_faces = any(int(row) in crops for rows in moments for row in rows)
    legend = LEGEND if crops else LEGEND - SMALL_FACE - LINE
    strip = FACE + LEADERS if with_faces else 0.1
    block = HEADER + strip + CURVES + TIMES
    more = len(features.tracks) - len(tracks)
    figure = FaceFigure(legend + block * len(tracks) + LINE * bool(more) + 0.15)
    _plot_legend(figure, directions, ends, crops)
    values = directions.places[features.trusted]
    low, high = values.min(), values.max()
    for place, (track, rows) in enumerate(zip(tracks, moments, strict=True)):
        y = legend + block * place
        untrusted = len(track.rows) - int(features.trusted[track.rows].sum())
        span = float(np.ptp(track.times))
        length = format_time(span) if track.in_seconds else f"{span + 1:.0f} frames"
        about = f"{length} long, {len(track.rows):,} rows"
        about += f", {untrusted:,} of them not trusted" if untrusted else ""
        figure.text(WIDTH - EDGE, y + HEADER / 2, about, color=MUTED, ha="right")
        figure.text(EDGE, y + HEADER / 2, shorten_text(track.name, TITLE, 7), TITLE, weight="bold")
        same = [one.times for one in tracks if one.source == track.source and not features.of_face_set]
        times = np.concatenate([track.times, *same])
        axes = figure.axes(EDGE, y + HEADER + strip, WIDTH - 2 * EDGE, CURVES)
        mark_times(axes, times.min(), times.max(), track.in_seconds)
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
        if not track.in_seconds:
            axes.set_xlabel("frame", fontsize=TICK, color=MUTED)
        _plot_curves(axes, features, directions, track)
        if with_faces:
            _place_strip(figure, axes, track, rows, crops, y + HEADER)
    if more:
        text = f"Not shown: {more} more, with fewer rows to trust."
        figure.text(EDGE, figure.height - LINE, text, color=MUTED)
    return figure.render(credit)


def _plot_legend(figure: FaceFigure, directions: Directions, ends: Sequence[Ends], crops: Crops) -> None:
    width = (WIDTH - 2 * EDGE) / len(CURVE_COLOURS)
    for place, (share, (low, high)) in enumerate(zip(directions.shares, ends, strict=True)):
        x = EDGE + place * width
        figure.line([x, x + 0.3], [0.35, 0.35], color=CURVE_COLOURS[place], linewidth=3)
        figure.text(x + 0.4, 0.35, f"direction {place + 1}", LABEL, weight="bold")
        figure.text(x + 1.5, 0.35, f"{100 * share:.0f} % of the variance", color=MUTED)
        end = x + width - 0.3
        for rows, begin in ((low, x), (high, end - ENDS * (SMALL_FACE + 0.03) + 0.03)):
            for column, row in enumerate(row for row in rows.tolist() if row in crops):
                figure.face(crops[row], begin + column * (SMALL_FACE + 0.03), 0.52, SMALL_FACE)
        if crops:
            y = 0.52 + SMALL_FACE + 0.13
            figure.text(x, y, "low", NOTE, color=MUTED)
            figure.text(end, y, "high", NOTE, color=MUTED, ha="right")
            arrow = {"arrowstyle": "->", "color": GREY}
            figure.background.annotate("", (end - 0.45, y), (x + 0.4, y), arrowprops=arrow)


class Curve(NamedTuple):
    """A curve of B points, NaN at gaps; each point summarises one or more rows."""

    times: NDArray[np.float64]  # (B,)
    median: NDArray[np.float64]  # (B, D)
    low: NDArray[np.float64]  # (B, D)
    high: NDArray[np.float64]  # (B, D)
    trusted: NDArray[np.bool_]  # (B,)


def bin_times(times: NDArray[np.float64], points: int = POINTS) -> Rows:
    """Return (n,) the interval of each of n increasing times: one of `points` equal ones; up to 2 `points`, its own."""
    if len(times) <= 2 * points:
        return np.arange(len(times))
    span = float(np.ptp(times)) or 1.0
    bins: Rows = np.minimum(((times - times[0]) / span * points).astype(np.int64), points - 1)
    return bins


def summarise_curve(
    times: NDArray[np.float64], values: NDArray[np.float64], trusted: NDArray[np.bool_], points: int = POINTS
) -> Curve:
    """Return a curve of at most 2 `points`; more rows are binned into `points` equal intervals of time.

    A point is trusted if at least half of its rows are, and then summarises only these. A NaN point is inserted between
    points that are more than `GAP` median steps apart.

    Args:
        times: (n,) increasing.
        values: (n, D).
        trusted: (n,).
    """
    bins = bin_times(times, points)
    sure = pd.Series(trusted.astype(float)).groupby(bins).mean() >= 0.5
    counted = trusted == sure.reindex(bins).to_numpy()
    groups = pd.DataFrame(values).assign(time=times)[counted].groupby(bins[counted])
    median, low, high = groups.median(), groups.min(), groups.max()
    steps = np.diff(median["time"])
    gaps = np.flatnonzero(steps > GAP * np.median(steps)) + 1 if len(steps) else np.zeros(0, np.int64)

    def insert_gaps(table: pd.DataFrame) -> NDArray[np.float64]:
        return np.insert(table.drop(columns="time").to_numpy(), gaps, np.nan, axis=0)

    between = median["time"].to_numpy()[gaps - 1] + steps[gaps - 1] / 2
    return Curve(
        np.insert(median["time"].to_numpy(), gaps, between), insert_gaps(median), insert_gaps(low), insert_gaps(high),
        np.insert(sure.to_numpy(), gaps, False),
    )  # fmt: skip


def _plot_curves(axes: Axes, features: Features, directions: Directions, track: Track) -> None:
    curve = summarise_curve(track.times, directions.places[track.rows], features.trusted[track.rows])
    x = curve.times
    seen = np.isfinite(curve.median[:, 0])
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    step = float(np.median(np.diff(x))) if len(x) > 1 else 0.0  # limits how far grey reaches into a gap
    begins, ends = np.maximum(edges[:-1], x - step), np.minimum(edges[1:], x + step)
    spans = np.stack([begins, ends - begins], axis=1)[seen & ~curve.trusted]
    across = axes.get_xaxis_transform()
    axes.broken_barh(spans.tolist(), (0, 1), transform=across, color=PALE, linewidth=0, zorder=0)
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=1)
    sure = np.where(curve.trusted[:, None], curve.median, np.nan)
    dots: dict[str, Any] = {"marker": ".", "markersize": 5} if len(x) <= 60 else {}
    for k in reversed(range(curve.median.shape[1])):
        colour = CURVE_COLOURS[k]
        axes.plot(x, curve.median[:, k], color=GREY, linewidth=0.8, zorder=2, **dots)
        if len(track.rows) > len(x):
            band: dict[str, Any] = {"color": colour, "alpha": 0.2, "linewidth": 0}
            axes.fill_between(x, curve.low[:, k], curve.high[:, k], where=curve.trusted, **band)
        axes.plot(x, sure[:, k], color=colour, linewidth=1.3, zorder=3, solid_capstyle="round", **dots)


def _place_strip(figure: FaceFigure, axes: Axes, track: Track, rows: Rows, crops: Crops, y: float) -> None:
    """Place the faces of some rows above the curves, each near its time, with a line from each to its moment."""
    shown = [int(row) for row in rows if int(row) in crops]
    if not shown:
        return
    begin, end = axes.get_xlim()
    width = WIDTH - 2 * EDGE
    time = dict(zip(track.rows.tolist(), track.times, strict=True))
    x = np.array([EDGE + (time[row] - begin) / ((end - begin) or 1) * width for row in shown])
    slots = np.arange(len(x)) * PITCH
    middles = np.clip(isotonic_regression(x - slots).x, EDGE + PITCH / 2, None) + slots
    last = EDGE + width - PITCH / 2 - (len(x) - 1) * PITCH
    middles = np.minimum(middles - slots, last) + slots
    for row, at, middle in zip(shown, x, middles, strict=True):
        figure.face(crops[row], middle - FACE / 2, y, FACE)
        heights = [y + FACE, y + FACE + LEADERS, y + FACE + LEADERS + CURVES]
        figure.line([middle, at, at], heights, linewidth=0.7)
