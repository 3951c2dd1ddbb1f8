"""Feature tables prepared for drawing: rows, tracks, groups and principal directions."""

import math
from collections.abc import Sequence
from os.path import commonpath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.face_set import BOX
from omote.data.outputs import code_names, is_code
from omote.errors import OmoteError
from omote.features.axes import axis_columns, is_axis
from omote.features.table import read_table

KEYS = ("subject", "clip", "frame")  # identify a row of a face set
PERSON = "person"  # column that says who is seen, in tables of several people's videos
READ = (
    *KEYS,
    PERSON,
    "source",
    "stream",
    "time",
    "face",
    "trusted",
    "doubt",
    "model",
    "profile",
    "turned",
    *BOX,
)
PHOTOS = "photos"
TEXTS = dict.fromkeys(("subject", "clip", PERSON, "source", "doubt", "model", "profile"), str)
DEFAULT_FPS = 25.0  # for videos without times
BLOCK = 65_536  # rows processed at a time
LEAST_APART, MOST_APART = (
    0.5,
    2.0,
)  # bounds on the seconds between two chosen moments of a track; see `select_diverse`

Rows = NDArray[np.int64]  # row indices
Table = pd.DataFrame


class Track(NamedTuple):
    """One face through one video, or one clip of a face set; at least two rows."""

    name: str
    source: str  # or the subject
    rows: Rows  # in order of time
    times: NDArray[np.float64]  # of each row: seconds, or frame numbers
    in_seconds: bool


class Features(NamedTuple):
    """The N rows of a table that have a feature, and the tracks and groups that they belong to."""

    name: str  # of the table
    codes: NDArray[np.float32]  # (N, Z)
    trusted: NDArray[np.bool_]  # (N,) rows that count; all of them if `uses_doubted`
    frames: Table  # N rows with those of the columns `READ` that the table has
    tracks: list[Track]  # with a trusted row, those with most trusted rows first
    doubted_tracks: list[Track]  # without a trusted row
    groups: list[str]  # names of tracks or subjects, and PHOTOS; with a trusted row, largest first
    group: Rows  # (N,) index in groups; -1 if in none
    track: Rows  # (N,) index in tracks; rows without a track have distinct negative numbers
    seconds: NDArray[np.float64]  # (N,) time within the track
    doubted: int  # rows that the table does not trust
    doubts: dict[str, int]  # reason for not trusting a row -> number of rows
    uses_doubted: str  # why doubted rows count like the others; "" if they do not
    left_out: int  # rows of the table without a feature

    @property
    def of_face_set(self) -> bool:
        """Whether the rows come from a face set and not from pictures."""
        return "subject" in self.frames

    @property
    def people(self) -> "pd.Series[Any] | None":
        """(N,) who is seen in each row, NaN if unknown; None if the table names nobody."""
        column = "subject" if self.of_face_set else PERSON
        return self.frames.get(column)

    @property
    def axes(self) -> list[str]:
        """The columns that hold a named dimension, in the order of the table."""
        return axis_columns([str(column) for column in self.frames.columns])


def read_features(table: Table | str | Path, use_doubted: bool = False) -> Features:
    """Return the contents of a feature table, as `omote embed` writes it and `omote.extract_features` returns it.

    Args:
        table: or its path.
        use_doubted: whether rows that the table does not trust count like the others. They do in any case if the
            trusted rows have fewer than two different features.
    Raises:
        OmoteError: If it is no feature table, lacks a column, mixes several models, or has fewer than two features that
            differ.
    """
    name = "the table" if isinstance(table, Table) else str(table)
    read = (
        table
        if isinstance(table, Table)
        else read_table(table, lambda name: name in READ or is_axis(name) or is_code(name), TEXTS)
    )
    columns = code_names([str(column) for column in read.columns])
    needed = KEYS if {"subject", "clip"} <= set(read.columns) else ("source", "frame")
    lacking = [column for column in needed if column not in read] if columns else ["z_e_00, z_e_01, ..."]
    if lacking:
        raise OmoteError(
            f"{name} lacks the columns {', '.join(lacking)}; give a feature table, as `omote embed` writes it"
        )
    if not len(read):
        raise OmoteError(f"{name} has no rows: there is no face to draw")
    if "model" in read and read["model"].nunique() > 1:
        models = ", ".join(map(str, read["model"].unique()[:3]))
        raise OmoteError(
            f"{name} has features of several models ({models}), which are not comparable; plot them one by one"
        )
    codes = np.stack([_as_numbers(read[column], name, np.float32) for column in columns], axis=1)
    whole = np.isfinite(codes).all(axis=1)
    axes = axis_columns([str(column) for column in read.columns])
    for axis in axes:
        _as_numbers(read[axis], name)
    described = [
        column for column in READ if column in read and (needed == KEYS or column not in KEYS[:2])
    ] + axes
    frames = read.loc[whole, described].reset_index(drop=True)
    if "face" in frames:  # with rows of frames without a face, pandas reads the numbers as floats
        frames["face"] = frames["face"].astype(np.int64)
    codes = codes if whole.all() else codes[whole]
    trusted = _as_flags(frames["trusted"], name) if "trusted" in frames else np.ones(len(frames), bool)
    doubts = count_doubts(frames["doubt"]) if "doubt" in frames else {}
    doubted, uses_doubted = int((~trusted).sum()), ""
    if doubted and use_doubted:
        uses_doubted = "as you asked"
    elif doubted and not _differ(codes[trusted]):
        count = int(trusted.sum())
        uses_doubted = f"because of the trusted rows, {count:,}, no picture can be made"
    if uses_doubted:
        trusted = np.ones(len(frames), bool)
    if not _differ(codes):
        raise OmoteError(
            f"{name} has {len(codes)} features in {len(whole)} rows"
            + (" and all are the same" if len(codes) > 1 else "")
            + "; pictures need at least two that differ"
        )

    numbers = _as_numbers(frames["frame"], name)
    if not np.isfinite(numbers).all():
        raise OmoteError(f"{name}: column frame has gaps; every row needs a frame number, 0 for a photo")
    times = _as_numbers(frames["time"], name) if "time" in frames else np.full(len(frames), np.nan)
    keys, owners = _assign_owners(frames)
    tracks, doubted_tracks = _find_tracks(keys, numbers, times, trusted)
    track, seconds = -1 - np.arange(len(frames)), np.zeros(len(frames))
    for index, one in enumerate(tracks):
        track[one.rows] = index
        seconds[one.rows] = one.times if one.in_seconds else one.times / DEFAULT_FPS
    counts = pd.Series(owners[trusted]).value_counts(sort=False).sort_values(ascending=False, kind="stable")
    group = np.asarray(counts.index.get_indexer(pd.Index(owners)), np.int64)
    groups = [str(owner) for owner in counts.index]
    return Features(
        name, codes, trusted, frames, tracks, doubted_tracks, groups, group, track, seconds, doubted, doubts,
        uses_doubted, int((~whole).sum()),
    )  # fmt: skip


def _differ(codes: NDArray[np.float32]) -> bool:
    """Return whether there are two codes that differ by more than rounding."""
    return len(codes) > 1 and bool(np.ptp(codes, axis=0).max() > 1e-6 * np.abs(codes).max())


def _as_numbers(column: "pd.Series[Any]", name: str, kind: type = np.float64) -> NDArray[Any]:
    if not pd.api.types.is_numeric_dtype(column):
        raise OmoteError(f"{name}: column {column.name} is not numeric")
    return column.to_numpy(kind, na_value=np.nan)


def _as_flags(column: "pd.Series[Any]", name: str) -> NDArray[np.bool_]:
    if not column.isin([True, False]).all():
        raise OmoteError(f"{name}: column trusted has values other than True and False")
    return column.to_numpy(bool)


def count_doubts(doubts: "pd.Series[Any]") -> dict[str, int]:
    """Return reason -> number of rows, the most frequent first, of a column whose rows have "", one or several."""
    reasons = doubts.dropna().astype(str).str.split(";").explode().str.strip()
    return {str(reason): int(count) for reason, count in reasons[reasons != ""].value_counts().items()}


def _assign_owners(frames: Table) -> tuple[Table, NDArray[Any]]:
    """Return per row the two columns that identify its track and the track's name; and its group's name."""
    if "subject" in frames:
        keys = frames[["subject", "clip"]].astype(str)
        return keys.assign(name=keys["subject"] + ", " + keys["clip"]), keys["subject"].to_numpy(object)
    keys = pd.DataFrame({"source": frames["source"].astype(str), "face": frames.get("face", 0)})
    of_source = keys.groupby("source")["face"]
    names = keys["source"].map(shorten_paths(keys["source"].unique().tolist()))
    several = of_source.transform("nunique") > 1
    names = names.where(~several, names + ", face " + keys["face"].astype(str))
    moves = frames["frame"].groupby(keys["source"]).transform("nunique") > 1
    owners = names.where(moves, PHOTOS)
    if PERSON in frames:
        owners = frames[PERSON].astype(object).where(frames[PERSON].notna(), owners).astype(str)
    return keys.assign(name=names), owners.to_numpy(object)


def _find_tracks(
    keys: Table,
    numbers: NDArray[np.float64],
    times: NDArray[np.float64],
    trusted: NDArray[np.bool_],
) -> tuple[list[Track], list[Track]]:
    """Return the tracks with a trusted row, those with most of them first, and the others."""
    tracks = []
    for indices in keys.groupby([keys.iloc[:, 0], keys.iloc[:, 1]], sort=False).indices.values():
        found = np.asarray(indices, np.int64)
        if len(np.unique(numbers[found])) < 2:  # photos
            continue
        rows = found[np.argsort(numbers[found], kind="stable")]
        source, _, name = keys.iloc[rows[0]]
        in_seconds = bool(np.isfinite(times[rows]).all())
        tracks.append(Track(name, source, rows, (times if in_seconds else numbers)[rows], in_seconds))
    tracks.sort(key=lambda one: (-int(trusted[one.rows].sum()), -len(one.rows), int(one.rows[0])))
    counted = sum(bool(trusted[one.rows].any()) for one in tracks)
    return tracks[:counted], tracks[counted:]


def shorten_paths(sources: Sequence[str]) -> dict[str, str]:
    """Return names for paths: the last part of each or, where these repeat, the path below the common folder."""
    names = {source: Path(source).name or source for source in sources}
    if len(set(names.values())) == len(names):
        return names
    try:
        return {source: str(Path(source).relative_to(commonpath(sources))) for source in sources}
    except ValueError:  # a mix of absolute and relative paths
        return {source: source for source in sources}


class Directions(NamedTuple):
    """N codes projected on their first D principal directions."""

    places: NDArray[np.float64]  # (N, D)
    shares: NDArray[np.float64]  # (D,) share of the variance along each


def find_directions(features: Features, count: int = 3) -> Directions:
    """Return all codes on the first `count` principal directions of the trusted ones; D is 2 .. `count`.

    Like `omote.figures.code_map.project_codes`, but untrusted rows have no influence, and it needs little memory beyond
    the result.
    """
    codes, trusted = features.codes, features.trusted
    blocks = [slice(begin, begin + BLOCK) for begin in range(0, len(codes), BLOCK)]
    mean = (
        np.sum([codes[block][trusted[block]].sum(0, np.float64) for block in blocks], axis=0) / trusted.sum()
    )
    scatter = np.zeros((codes.shape[1],) * 2)
    for block in blocks:
        centred = codes[block][trusted[block]] - mean
        scatter += centred.T @ centred
    strengths, axes = np.linalg.eigh(scatter)
    strengths, axes = np.maximum(strengths[::-1], 0), axes[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    places = np.concatenate([(codes[block] - mean) @ axes for block in blocks])
    shares = (strengths / strengths.sum())[:count]
    lacking = max(0, 2 - len(shares))
    return Directions(np.pad(places, ((0, 0), (0, lacking))), np.pad(shares, (0, lacking)))


def select_diverse(features: Features, order: Rows, count: int) -> Rows:
    """Return up to `count` of the rows, the first ones that show different moments and, as far as possible, people.

    Rows of one track are at least a twentieth of its length apart, but no less than `LEAST_APART` and no more than
    `MOST_APART` seconds. A group gets more than its even share only if the others have no more rows to offer.
    """
    group, track, seconds = features.group[order], features.track[order], features.seconds[order]
    chosen: list[int] = []
    free = np.ones(len(order), bool)
    for quota in (math.ceil(count / max(1, len(np.unique(group)))), count):
        while len(chosen) < count:
            used = np.bincount(group[chosen], minlength=len(features.groups))
            left = free & (used[group] < quota)
            if not left.any():
                break
            row = int(left.argmax())
            chosen.append(row)
            free[row] = False
            if track[row] >= 0:
                length = float(np.ptp(features.seconds[features.tracks[track[row]].rows]))
                apart = min(max(length / 20, LEAST_APART), MOST_APART)
                free &= (track != track[row]) | (np.abs(seconds - seconds[row]) >= apart)
    return order[np.sort(np.array(chosen, np.int64))]
