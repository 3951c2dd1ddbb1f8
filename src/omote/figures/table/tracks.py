"""A table of features, put together face by face; nothing is drawn here."""

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
from omote.features.table import read_table

KEYS = ("subject", "clip", "frame")  # of a row of a face set
READ = (*KEYS, "source", "time", "face", "trusted", "doubt", "model", *BOX)
TEXTS = dict.fromkeys(("subject", "clip", "source", "doubt", "model"), str)
PHOTOS = "photos"
RATE = 25.0  # frames a second, where a video tells no time
BLOCK = 65_536  # rows worked on at a time
LEAST_APART, MOST_APART = (
    0.5,
    2.0,
)  # s between two moments of one track; a twentieth of its length if between them

Rows = NDArray[np.int64]  # numbers of rows
Table = pd.DataFrame


class Track(NamedTuple):
    """One face through one video, or one clip of a face set; two rows or more."""

    name: str
    source: str  # or the subject
    rows: Rows  # in order of time
    times: NDArray[np.float64]  # of each row: s, or the number of the frame
    in_seconds: bool


class Features(NamedTuple):
    """The N rows of a table that have a feature, and who is in them."""

    name: str  # of the table
    codes: NDArray[np.float32]  # (N, Z)
    trusted: NDArray[np.bool_]  # (N,)
    frames: Table  # N rows: source, frame and BOX as far as they are known, subject and clip of a face set
    tracks: list[Track]  # with a row to trust; those with the most first
    groups: list[
        str
    ]  # tracked faces, or subjects, and PHOTOS, with a row to trust; those with the most first
    group: Rows  # (N,) index in groups; -1 of none
    track: Rows  # (N,) index in tracks; else a number of its own below 0
    seconds: NDArray[np.float64]  # (N,) within the track
    doubts: dict[str, int]  # why rows are not to be trusted -> how many rows
    left_out: int  # rows of the table without a feature

    @property
    def of_face_set(self) -> bool:
        """Whether the rows are of a face set, and not of pictures."""
        return "subject" in self.frames


def read_features(table: Table | str | Path) -> Features:
    """Return what is in a table of features, as `omote embed` writes it and `omote.extract_features` returns it.

    Raises:
        OmoteError: If it is no such table, lacks a column, is of several models, or has fewer than two features to
            trust, or only equal ones.
    """
    name = "the table" if isinstance(table, Table) else str(table)
    read = (
        table
        if isinstance(table, Table)
        else read_table(table, lambda name: name in READ or is_code(name), TEXTS)
    )
    coded = code_names([str(column) for column in read.columns])
    needed = KEYS if {"subject", "clip"} <= set(read.columns) else ("source", "frame")
    lacking = [column for column in needed if column not in read] if coded else ["z_e_00, z_e_01, ..."]
    if lacking:
        raise OmoteError(
            f"{name} lacks the columns {', '.join(lacking)}; give a table of features, as `omote embed` writes it"
        )
    if not len(read):
        raise OmoteError(f"{name} has no rows: it has no face to draw")
    if "model" in read and read["model"].nunique() > 1:
        models = ", ".join(map(str, read["model"].unique()[:3]))
        raise OmoteError(
            f"{name} has features of several models ({models}), which cannot be compared; plot them one by one"
        )
    codes = np.stack([_numbers(read[column], name, np.float32) for column in coded], axis=1)
    whole = np.isfinite(codes).all(axis=1)
    described = [column for column in READ if column in read and (needed == KEYS or column not in KEYS[:2])]
    frames = read.loc[whole, described].reset_index(drop=True)
    codes = codes if whole.all() else codes[whole]
    trusted = _flags(frames["trusted"], name) if "trusted" in frames else np.ones(len(frames), bool)
    doubts = _doubts(frames) if "doubt" in frames else {}
    if trusted.sum() < 2:
        why = f" ({'; '.join(doubts)})" if doubts else ""
        raise OmoteError(
            f"{name} has {trusted.sum()} features to trust in {len(whole)} rows{why}; pictures take two or more"
        )
    if np.ptp(codes[trusted], axis=0).max() <= 1e-6 * np.abs(codes[trusted]).max():
        raise OmoteError(
            f"all {trusted.sum()} features to trust in {name} are the same: there is nothing to draw"
        )

    numbers = _numbers(frames["frame"], name)
    if not np.isfinite(numbers).all():
        raise OmoteError(
            f"{name}: column frame has gaps; every row takes the number of its frame, 0 for a photo"
        )
    times = _numbers(frames["time"], name) if "time" in frames else np.full(len(frames), np.nan)
    keys, owners = _owners(frames)
    tracks = _tracks(keys, owners, numbers, times, trusted)
    track, seconds = -1 - np.arange(len(frames)), np.zeros(len(frames))
    for index, one in enumerate(tracks):
        track[one.rows] = index
        seconds[one.rows] = one.times if one.in_seconds else one.times / RATE
    counts = pd.Series(owners[trusted]).value_counts(sort=False).sort_values(ascending=False, kind="stable")
    group = np.asarray(counts.index.get_indexer(pd.Index(owners)), np.int64)
    groups = [str(owner) for owner in counts.index]
    return Features(
        name, codes, trusted, frames, tracks, groups, group, track, seconds, doubts, int((~whole).sum())
    )  # fmt: skip


def _numbers(column: "pd.Series[Any]", name: str, kind: type = np.float64) -> NDArray[Any]:
    if not pd.api.types.is_numeric_dtype(column):
        raise OmoteError(f"{name}: column {column.name} is not of numbers")
    return column.to_numpy(kind, na_value=np.nan)


def _flags(column: "pd.Series[Any]", name: str) -> NDArray[np.bool_]:
    if not column.isin([True, False]).all():
        raise OmoteError(f"{name}: column trusted is not of True and False")
    return column.to_numpy(bool)


def _doubts(frames: Table) -> dict[str, int]:
    reasons = frames["doubt"].dropna().astype(str).str.split(";").explode().str.strip()
    return {str(reason): int(count) for reason, count in reasons[reasons != ""].value_counts().items()}


def _owners(frames: Table) -> tuple[Table, NDArray[Any]]:
    """Return what tells tracks apart, two columns and the track's name; and whose each row is (`Features.groups`)."""
    if "subject" in frames:
        keys = frames[["subject", "clip"]].astype(str)
        return keys.assign(name=keys["subject"] + ", " + keys["clip"]), keys["subject"].to_numpy(object)
    keys = pd.DataFrame({"source": frames["source"].astype(str), "face": frames.get("face", 0)})
    of_source = keys.groupby("source")["face"]
    names = keys["source"].map(_short(keys["source"].unique().tolist()))
    several = of_source.transform("nunique") > 1
    names = names.where(~several, names + ", face " + keys["face"].astype(str))
    moves = frames["frame"].groupby(keys["source"]).transform("nunique") > 1
    return keys.assign(name=names), names.where(moves, PHOTOS).to_numpy(object)


def _tracks(
    keys: Table,
    owners: NDArray[Any],
    numbers: NDArray[np.float64],
    times: NDArray[np.float64],
    trusted: NDArray[np.bool_],
) -> list[Track]:
    tracks = []
    for indices in keys.groupby([keys.iloc[:, 0], keys.iloc[:, 1]], sort=False).indices.values():
        found = np.asarray(indices, np.int64)
        if len(found) < 2 or owners[found[0]] == PHOTOS or not trusted[found].any():
            continue
        rows = found[np.argsort(numbers[found], kind="stable")]
        source, _, name = keys.iloc[rows[0]]
        in_seconds = bool(np.isfinite(times[rows]).all())
        tracks.append(Track(name, source, rows, (times if in_seconds else numbers)[rows], in_seconds))
    return sorted(tracks, key=lambda one: (-int(trusted[one.rows].sum()), -len(one.rows), int(one.rows[0])))


def _short(sources: Sequence[str]) -> dict[str, str]:
    """Return names for paths: the last part of each, or what follows the folder that all are in."""
    names = {source: Path(source).name or source for source in sources}
    if len(set(names.values())) == len(names):
        return names
    try:
        return {source: str(Path(source).relative_to(commonpath(sources))) for source in sources}
    except ValueError:  # some are absolute paths, some are not
        return {source: source for source in sources}


class Directions(NamedTuple):
    """Codes on their first principal directions: (N, D) places, and (D,) shares of the variance."""

    places: NDArray[np.float64]
    shares: NDArray[np.float64]


def principal(features: Features, count: int = 3) -> Directions:
    """Return all codes on the first `count` principal directions of those to trust; fewer of shorter codes, never
    less than two.

    Like `omote.figures.space.flattened`, but what is not trusted turns no direction, and memory does not grow with the
    rows but for what is returned.
    """
    codes, trusted = features.codes, features.trusted
    parts = [slice(begin, begin + BLOCK) for begin in range(0, len(codes), BLOCK)]
    mean = np.sum([codes[part][trusted[part]].sum(0, np.float64) for part in parts], axis=0) / trusted.sum()
    scatter = np.zeros((codes.shape[1],) * 2)
    for part in parts:
        less = codes[part][trusted[part]] - mean
        scatter += less.T @ less
    strengths, axes = np.linalg.eigh(scatter)
    strengths, axes = np.maximum(strengths[::-1], 0), axes[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    places = np.concatenate([(codes[part] - mean) @ axes for part in parts])
    shares = (strengths / strengths.sum())[:count]
    lacking = max(0, 2 - len(shares))
    return Directions(np.pad(places, ((0, 0), (0, lacking))), np.pad(shares, (0, lacking)))


def varied(features: Features, order: Rows, count: int) -> Rows:
    """Return the first `count` of some rows that show different moments, and different people as far as there are.

    Rows of one track are some time apart, and of one group there are more than its even share only where the others
    have no more to show. There may be fewer than asked for.
    """
    group, track, seconds = features.group[order], features.track[order], features.seconds[order]
    chosen: list[int] = []
    free = np.ones(len(order), bool)
    for most in (math.ceil(count / max(1, len(np.unique(group)))), count):
        while len(chosen) < count:
            used = np.bincount(group[chosen], minlength=len(features.groups))
            left = free & (used[group] < most)
            if not left.any():
                break
            row = int(left.argmax())
            chosen.append(row)
            free[row] = False
            if track[row] >= 0:
                length = float(np.ptp(features.seconds[features.tracks[track[row]].rows]))
                least = min(max(length / 20, LEAST_APART), MOST_APART)
                free &= (track != track[row]) | (np.abs(seconds - seconds[row]) >= least)
    return order[np.sort(np.array(chosen, np.int64))]
