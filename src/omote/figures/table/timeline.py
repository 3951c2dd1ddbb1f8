"""Interactive timelines of a feature table, as a fragment of a page: of every person, every track and every photo.

Each person is a folding part with one chart per track and one for photos. The fragment holds numbers and small faces as
JSON; `templates/timeline.js` draws a chart when it is first seen, with plotly.js, both of which `write_page` adds once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from omote.data.build import Progress
from omote.data.face_set import open_face_set
from omote.data.sampling import evenly_spaced
from omote.features.axes import say_axis
from omote.figures.page import encode_picture, load_template
from omote.figures.style import BLUE, GREEN, ORANGE, PINK, SKY, VERMILION
from omote.figures.table.clusters import CLUSTERS, check_clusters, cluster_rows, select_typical
from omote.figures.table.crops import SMALL_SIDE, Crops, locate_faces, recut_faces
from omote.figures.table.face_figure import format_time
from omote.figures.table.path import GAP, bin_times, summarise_curve
from omote.figures.table.tracks import (
    PHOTOS,
    Features,
    Rows,
    Track,
    count_doubts,
    read_features,
    shorten_paths,
)

DISTANCE = "distance from the usual look"
ALL_POINTS, LEAST_POINTS, MOST_POINTS = 60_000, 100, 1500  # of all curves together, and of each
ALL_FACES, LEAST_FACES, MOST_FACES = (
    2400,
    8,
    240,
)  # small faces of all charts together, of each, and of each track
COLUMNS = 16  # small faces side by side in the picture of a chart
QUALITY = 72  # of that picture
MOST_SHOWN = 0.98  # share of the values that are not trusted and yet within the chart
DIGITS = 3  # decimals of all numbers
AXIS_COLOURS = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, "#882255", "#999933", "#7b5fb8", "#8c6d46")
MOST_AXES = 5  # that are shown at first: those that vary most
# Tol's schemes "muted" and "light" (2021), safe for the colour blind. Clusters beyond these share colours, not numbers.
CLUSTER_COLOURS = (
    "#cc6677", "#332288", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499",
    "#77aadd", "#ee8866", "#eedd88", "#ffaabb", "#99ddff", "#44bb99", "#bbcc33", "#aaaa00",
)  # fmt: skip
UNEXPLAINED = "no reason given"  # of a row that is not trusted

Numbers = NDArray[np.float64]


class Block(NamedTuple):
    """What one chart shows: a track, or photos side by side."""

    name: str
    rows: Rows  # in order of time
    times: Numbers  # of each row; of photos 1, 2, ...
    unit: Literal["seconds", "frames", "photos"]
    faces: Rows  # rows whose faces are shown, in order of time


class Part(NamedTuple):
    """One folding part: a person or, where the table names nobody, a video or all photos."""

    name: str
    blocks: list[Block]


class Timelines(NamedTuple):
    """A fragment for `Section.timelines`, and what it shows."""

    fragment: Markup
    failures: dict[str, str]  # source whose faces are missing -> reason
    crops: Crops  # the faces, of `SMALL_SIDE` pixels


def make_timelines(
    table: pd.DataFrame | str | Path,
    *,
    clusters: int = CLUSTERS,
    faces: str | Path | None = None,
    use_doubted: bool = False,
    progress: Progress | None = None,
    crops: Crops | None = None,
    players: Mapping[str, str] | None = None,
) -> Timelines:
    """Return the timelines of everybody in a feature table, for a page of one's own.

    Args:
        table, clusters, faces, use_doubted, progress: as for `omote.plot_features`. People are told apart by the column
            person or, in a table of a face set, subject.
        crops: of an earlier call for the same rows, which spares reading the videos again.
        players: source -> address at which a player of the page has the video; the chart of a track carries it as
            data-video. A touched chart sends the event `moment` with its time (s), and goes to that of an event `seek`.
    Raises:
        OmoteError: As `omote.plot_features`.
    """
    check_clusters(clusters)
    features = read_features(table, use_doubted)
    face_set = None if faces is None else open_face_set(faces)
    places = locate_faces(features, face_set)
    available = places >= 0
    members = cluster_rows(features, clusters)
    typical = [select_typical(features, rows, available)[:1] for rows in members]
    parts = arrange_parts(features, available)
    failures: dict[str, str] = {}
    if crops is None:
        rows = np.concatenate([*typical, *(block.faces for part in parts for block in part.blocks)])
        crops, failures = recut_faces(features.frames, rows[:0], places, face_set, progress, rows)
    return Timelines(
        render_timelines(features, parts, members, typical, crops, players or {}), failures, crops
    )


def arrange_parts(features: Features, available: NDArray[np.bool_]) -> list[Part]:
    """Return a part per person or source, in the order of the table; every row is in one block.

    Args:
        available: (N,) bool, rows with a face.
    """
    tracks = [*features.tracks, *features.doubted_tracks]
    moving = _find_moving(features, tracks)
    owners = _name_owners(features, moving)
    alone = np.ones(len(owners), bool)
    for track in tracks:
        alone[track.rows] = False
    found = [
        Block(
            track.name, track.rows, track.times, "seconds" if track.in_seconds else "frames", track.rows[:0]
        )
        for track in tracks
    ]
    for _, group in pd.Series(np.flatnonzero(alone)).groupby(owners[alone], sort=False):
        rows = group.to_numpy(np.int64)
        name = "single frames" if moving[rows].any() else PHOTOS
        found.append(Block(name, rows, np.arange(1.0, len(rows) + 1), "photos", rows[:0]))
    share = max(ALL_FACES // len(found), LEAST_FACES)
    parts: dict[str, list[Block]] = {str(owner): [] for owner in pd.unique(owners)}
    for block in sorted(found, key=lambda block: (block.unit == "photos", int(block.rows.min()))):
        shown = block.rows[available[block.rows]]
        faces = shown[evenly_spaced(len(shown), share if block.unit == "photos" else min(share, MOST_FACES))]
        parts[str(owners[block.rows[0]])].append(block._replace(faces=faces))
    return [Part(name, blocks) for name, blocks in parts.items() if blocks]


def _find_moving(features: Features, tracks: Sequence[Track]) -> NDArray[np.bool_]:
    """Return (N,) whether each row is of a video, or of a clip of a face set."""
    if features.of_face_set:
        return np.ones(len(features.frames), bool)
    return features.frames["source"].astype(str).isin({track.source for track in tracks}).to_numpy(bool)


def _name_owners(features: Features, moving: NDArray[np.bool_]) -> NDArray[Any]:
    """Return (N,) the name of each row's part."""
    people = features.people
    if features.of_face_set:
        return features.frames["subject"].astype(str).to_numpy(object)
    sources = features.frames["source"].astype(str)
    owners = sources.map(shorten_paths(sources.unique().tolist())).where(moving, PHOTOS)
    if people is not None:
        owners = people.astype(object).where(people.notna(), owners).astype(str)
    return owners.to_numpy(object)


def measure_distances(features: Features, parts: Sequence[Part]) -> Numbers:
    """Return (N,) how far each code is from the usual look of the same person; 1 is typical of two rows of the table.

    The usual look is the median of the person's trusted rows, 0 for codes relative to a profile. Where the table names
    nobody, it is the median of the same track, and for photos that of all photos.
    """
    counted = features.codes[features.trusted]
    typical = float(np.sqrt(2 * counted.var(axis=0, dtype=np.float64).sum())) or 1.0
    relative, people = _find_relative(features), features.people
    distances = np.zeros(len(features.codes))
    for part in parts:
        alike = [block.rows for block in part.blocks]
        named = people is not None and pd.notna(people.iloc[alike[0][0]])
        for rows in [np.concatenate(alike)] if named else alike:
            codes = features.codes[rows].astype(np.float64)
            sure = features.trusted[rows]
            usual = np.median(codes[sure] if sure.any() else codes, axis=0)
            codes -= np.where(relative[rows][:, None], 0.0, usual)
            distances[rows] = np.linalg.norm(codes, axis=1) / typical
    return distances


def _find_relative(features: Features) -> NDArray[np.bool_]:
    """Return (N,) whether each code is relative to a profile."""
    if "profile" not in features.frames:
        return np.zeros(len(features.codes), bool)
    profile = features.frames["profile"]
    return (profile.notna() & (profile.astype(str) != "")).to_numpy(bool)


def render_timelines(
    features: Features,
    parts: Sequence[Part],
    members: Sequence[Rows],
    typical: Sequence[Rows],
    crops: Crops,
    players: Mapping[str, str],
) -> Markup:
    """Return the fragment; its text is escaped.

    Args:
        parts: as `arrange_parts` returned them.
        members: clusters, as `cluster_rows` returned them.
        typical: for each cluster, a typical row first.
        crops: (S, S, 3) by row; rows without a crop are left out.
        players: as for `make_timelines`.
    """
    distances = measure_distances(features, parts)
    frames = features.frames
    axes = frames[features.axes].to_numpy(np.float64, na_value=np.nan)
    values = np.column_stack([distances, np.where(np.isfinite(axes), axes, np.nan)])
    cluster = np.full(len(frames), -1)
    for place, rows in enumerate(members):
        cluster[rows] = place
    reasons, doubt = _number_doubts(features)
    count = sum(len(part.blocks) for part in parts)
    points = int(np.clip(ALL_POINTS // count, LEAST_POINTS, MOST_POINTS))
    shown = [
        {
            "name": part.name,
            "about": _describe_part(features, part),
            "blocks": [
                _describe_block(features, block, values, cluster, doubt, crops, points)
                | {"video": _find_player(features, block, players)}
                for block in part.blocks
            ],
        }
        for part in parts
    ]
    colours = [CLUSTER_COLOURS[place % len(CLUSTER_COLOURS)] for place in range(len(members))]
    spread = pd.DataFrame(values[features.trusted, 1:]).std().fillna(0).to_numpy()
    rank = np.argsort(np.argsort(-spread, kind="stable")).tolist()
    columns = [
        {"name": DISTANCE, "colour": "var(--ink)", "shown": True},
        *(
            {
                "name": say_axis(axis),
                "colour": AXIS_COLOURS[place % len(AXIS_COLOURS)],
                "shown": place < MOST_AXES,
            }
            for axis, place in zip(features.axes, rank, strict=True)
        ),
    ]
    total = max(1, sum(map(len, members)))
    return Markup(
        load_template("timeline.html").render(
            parts=shown,
            columns=columns,
            clusters=[
                {
                    "colour": colour,
                    "share": f"{100 * len(rows) / total:.0f} %",
                    "face": _encode_face(row, crops),
                }
                for colour, rows, row in zip(colours, members, typical, strict=True)
            ],
            settings={
                "columns": [column["colour"] for column in columns],
                "names": [column["name"] for column in columns],
                "clusters": colours,
                "reasons": reasons,
                "top": round(_find_top(values, features.trusted), DIGITS),
            },
            most_axes=MOST_AXES,
            usual=_describe_usual(features),
            binned=any(len(block.rows) > 2 * points for part in parts for block in part.blocks),
            points=points,
        )
    )


def _find_top(values: Numbers, trusted: NDArray[np.bool_]) -> float:
    """Return where all charts end: above all trusted values, and above most of the others."""
    return 1.05 * max(1.0, float(np.nanmax(values[trusted])), float(np.nanquantile(values, MOST_SHOWN)))


def _number_doubts(features: Features) -> tuple[list[str], Rows]:
    """Return the reasons against rows as they are written, and (N,) the index of each row's; -1 for none."""
    frames = features.frames
    texts = frames["doubt"].fillna("").astype(str) if "doubt" in frames else pd.Series("", index=frames.index)
    if "trusted" in frames:
        trusted = frames["trusted"].to_numpy(bool)
        texts = texts.where(~trusted, "").where(trusted | (texts != ""), UNEXPLAINED)
    numbers, reasons = pd.factorize(texts.where(texts != ""))
    return [str(reason) for reason in reasons], np.asarray(numbers, np.int64)


def _describe_usual(features: Features) -> str:
    if _find_relative(features).all():
        return "the profile of the person"
    if features.people is not None:
        return "the median of all trusted rows of the same person"
    return "the median of the same face in the same video" if features.tracks else "the median of all photos"


def _describe_part(features: Features, part: Part) -> str:
    tracks = sum(block.unit != "photos" for block in part.blocks)
    photos = sum(len(block.rows) for block in part.blocks if block.unit == "photos")
    rows = np.concatenate([block.rows for block in part.blocks])
    kind = "clip" if features.of_face_set else "tracked face"
    counts = [
        _count(tracks, kind) if tracks else "",
        _count(photos, "single row" if tracks else "photo") if photos else "",
        _count(len(rows), "row") if tracks else "",
        _describe_doubts(features, rows, reasons=False),
    ]
    return ", ".join(count for count in counts if count)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _describe_doubts(features: Features, rows: Rows, reasons: bool = True) -> str:
    frames = features.frames
    doubted = rows[~frames["trusted"].to_numpy(bool)[rows]] if "trusted" in frames else rows[:0]
    if not len(doubted):
        return ""
    counts = count_doubts(frames["doubt"].iloc[doubted]) if reasons and "doubt" in frames else {}
    why = "; ".join(f"{reason}: {count:,}" for reason, count in counts.items())
    return f"{len(doubted):,} not trusted{f' ({why})' if why else ''}"


def _describe_block(
    features: Features,
    block: Block,
    values: Numbers,
    cluster: Rows,
    doubt: Rows,
    crops: Crops,
    points: int,
) -> dict[str, Any]:
    """Return what the template shows of a block, with the numbers of its chart."""
    span, doubts = float(np.ptp(block.times)), _describe_doubts(features, block.rows)
    if block.unit == "photos":
        about = _count(len(block.rows), "row")
        num_rows, kept = len(block.rows), np.array(evenly_spaced(len(block.rows), 2 * points))
        block = block._replace(rows=block.rows[kept], times=block.times[kept])
        about += f", of which {len(kept):,} evenly spaced ones are drawn" if len(kept) < num_rows else ""
    else:
        length = f"{format_time(span)} long" if block.unit == "seconds" else f"{span + 1:.0f} frames long"
        about = f"{length}, {len(block.rows):,} rows"
    return {
        "name": block.name,
        "about": f"{about}, {doubts}" if doubts else about,
        "face": _encode_face(
            block.faces[np.lexsort((values[block.faces, 0], ~features.trusted[block.faces]))], crops
        ),
        "data": _collect_points(features, block, values, cluster, doubt, points) | _join_faces(block, crops),
    }


def _find_player(features: Features, block: Block, players: Mapping[str, str]) -> str:
    """Return the address of a track's video, or ""."""
    return (
        players.get(str(features.frames["source"].iloc[block.rows[0]]), "") if block.unit == "seconds" else ""
    )


def _collect_points(
    features: Features, block: Block, values: Numbers, cluster: Rows, doubt: Rows, points: int
) -> dict[str, Any]:
    """Return the numbers of a chart of P points and D columns, as JSON can hold them; None at gaps.

    Returns:
        "times" (P), "values" (D, P), "low" and "high" (D, P; only where points sum up several rows), "trusted" (P; 0 or
        1), "clusters" and "doubts" (spans [begin, end, index]), "unit", and of photos "names" (P).
    """
    rows, times = block.rows, block.times
    curve = summarise_curve(times, values[rows], features.trusted[rows], points)
    bins = bin_times(times, points)
    seen = np.isfinite(curve.median[:, 0])
    spans = _measure_spans(curve.times, seen)
    found: dict[str, Any] = {
        "unit": block.unit,
        "times": _to_list(curve.times),
        "values": [_to_list(column) for column in curve.median.T],
        "trusted": curve.trusted.astype(int).tolist(),
        "clusters": _join_spans(spans, _find_commonest(bins, cluster[rows])),
        "doubts": _join_spans(spans, _find_commonest(bins, doubt[rows])),
    }
    if len(rows) > int(seen.sum()):
        found["low"] = [_to_list(column) for column in curve.low.T]
        found["high"] = [_to_list(column) for column in curve.high.T]
    if block.unit == "photos":
        found["names"] = _name_photos(features, rows)
    return found


def _name_photos(features: Features, rows: Rows) -> list[str]:
    frames = features.frames.iloc[rows]
    if features.of_face_set:
        return [f"{clip}, frame {frame}" for clip, frame in zip(frames["clip"], frames["frame"], strict=True)]
    sources = frames["source"].astype(str)
    names = sources.map(shorten_paths(sources.unique().tolist()))
    times = frames["time"] if "time" in frames else pd.Series(np.nan, frames.index)
    return [
        name if pd.isna(time) else f"{name}, {format_time(time)}"
        for name, time in zip(names, times, strict=True)
    ]


def _to_list(numbers: Numbers) -> list[float | None]:
    return [None if np.isnan(number) else number for number in np.round(numbers, DIGITS).tolist()]


def _find_commonest(bins: Rows, labels: Rows) -> Rows:
    """Return the most frequent label of each bin, in order of the bins; -1 is a label, too."""
    base = labels.max() + 2
    pairs, counts = np.unique(bins * base + labels + 1, return_counts=True)
    pairs = pairs[np.lexsort((counts, pairs // base))]
    last = np.append(np.diff(pairs // base) > 0, True)
    return np.asarray(pairs[last] % base - 1, np.int64)


def _measure_spans(times: Numbers, seen: NDArray[np.bool_]) -> Numbers:
    """Return (S, 2) begin and end of the time that each seen point stands for: halfway to its neighbours."""
    x = times[seen]
    if len(x) < 2:
        return np.stack([x - 0.5, x + 0.5], axis=1)
    steps = np.diff(x)
    reach = np.minimum(steps, GAP * np.median(steps)) / 2
    return np.stack([x - np.append(reach[:1], reach), x + np.append(reach, reach[-1:])], axis=1)


def _join_spans(spans: Numbers, labels: Rows) -> list[tuple[float, float, int]]:
    """Return [begin, end, label] of neighbouring spans with the same label; none where it is -1."""
    joined: list[tuple[float, float, int]] = []
    for (begin, end), label in zip(np.round(spans, DIGITS).tolist(), labels.tolist(), strict=True):
        if label < 0:
            continue
        if joined and joined[-1][2] == label and begin <= joined[-1][1] + 2 * 10**-DIGITS:
            joined[-1] = (joined[-1][0], end, label)
        else:
            joined.append((begin, end, label))
    return joined


def _join_faces(block: Block, crops: Crops) -> dict[str, Any]:
    """Return the small faces of a chart as one picture, with their times and their number in a line of it."""
    time = dict(zip(block.rows.tolist(), block.times.tolist(), strict=True))
    rows = [row for row in block.faces.tolist() if row in crops and row in time]
    if not rows:
        return {}
    columns = min(COLUMNS, len(rows))
    sheet = Image.new("RGB", (columns * SMALL_SIDE, -(-len(rows) // columns) * SMALL_SIDE), "white")
    for place, row in enumerate(rows):
        sheet.paste(_shrink(crops[row]), (place % columns * SMALL_SIDE, place // columns * SMALL_SIDE))
    return {
        "faces": {
            "times": [round(time[row], DIGITS) for row in rows],
            "side": SMALL_SIDE,
            "columns": columns,
            "sheet": encode_picture(sheet, QUALITY),
        }
    }


def _encode_face(rows: Rows, crops: Crops) -> str:
    """Return the first of the rows' faces as a data URI, or "" if there is none."""
    row = next((row for row in rows.tolist() if row in crops), None)
    return "" if row is None else encode_picture(_shrink(crops[row]), QUALITY)


def _shrink(crop: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(crop).resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
