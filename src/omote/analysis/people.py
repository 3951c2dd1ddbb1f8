"""One row a person: how much there is of them, how well their usual look is known, and how much they moved."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from omote.features.axes import PREFIX
from omote.features.events import LEAST_ROWS
from omote.features.profile import Profiles


class _Observed(NamedTuple):
    """The frames of a person in videos in which events were looked for."""

    seconds: float
    step: dict[str, float]  # source -> s between two of its frames


def summarise_people(
    table: pd.DataFrame,
    events: pd.DataFrame | None,
    measures: Mapping[str, str],
    searched: pd.DataFrame,
    files: Mapping[str, str],
    profiles: Profiles,
) -> pd.DataFrame:
    """Return a row for each person, also for those of whom no face was found.

    Args:
        table: features, with a column person.
        events: of `omote.find_events`; None if there are none to look for.
        measures: columns of axes and of the distance from the usual look.
        searched: as `omote embed` writes it beside a table.
        files: path of each file -> the person.
        profiles: usual looks.
    Returns:
        person; videos, minutes (of them), photos; frames (that were searched), faces (of the person), trusted (share of
        the faces), main_doubt (the most frequent reason not to trust one); usual_look_frames, usual_look_expressions
        (how many distinct ones), usual_look_error (as a share of the distance of two expressions), no_usual_look (why
        there is none). Then for each measure, of trusted faces: NAME_mean, NAME_sd, NAME_events, NAME_events_per_minute
        and NAME_time_in_events (share). Events are of videos; their minutes are those in which the face is to be
        trusted.
    """
    owners = searched["source"].astype(str).map(files)
    rows = []
    for person in sorted(set(files.values())):
        own = table[table["person"] == person]
        sources = searched[owners == person]
        is_video = sources["first_time"].notna()
        rows.append({
            "person": person,
            "videos": int(is_video.sum()),
            "minutes": _seconds(sources[is_video]) / 60,
            "photos": int((~is_video).sum()),
            "frames": int(sources["frames"].sum()),
            "faces": len(own),
            "trusted": float(own["trusted"].mean()) if len(own) else math.nan,
            "main_doubt": _main_doubt(own),
            **_describe_usual_look(profiles, person),
            **_summarise_measures(own, events, measures),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _seconds(sources: pd.DataFrame) -> float:
    """Return the length of videos, with that of their last frames."""
    lengths = sources["last_time"] - sources["first_time"]
    return float((lengths * sources["frames"] / (sources["frames"] - 1).clip(lower=1)).sum())


def _main_doubt(rows: pd.DataFrame) -> str:
    reasons = rows["doubt"][~rows["trusted"].astype(bool)].astype(str).str.split("; ").explode()
    return str(reasons.value_counts().index[0]) if len(reasons) else ""


def _describe_usual_look(profiles: Profiles, person: str) -> dict[str, Any]:
    known = profiles.profiles.get(person)
    return {
        "usual_look_frames": known.num_frames if known else 0,
        "usual_look_expressions": known.looks if known else math.nan,
        "usual_look_error": known.error / known.spread if known and known.spread else math.nan,
        "no_usual_look": "" if known else profiles.left_out.get(person, "no face of this person was found"),
    }


def _summarise_measures(
    rows: pd.DataFrame, events: pd.DataFrame | None, measures: Mapping[str, str]
) -> dict[str, float]:
    sure = rows[rows["trusted"].astype(bool)]
    observed = _observe(rows)
    found: dict[str, float] = {}
    for column, name in measures.items():
        short = column.removeprefix(PREFIX)
        found |= {f"{short}_mean": sure[column].mean(), f"{short}_sd": sure[column].std()}
        if events is None or not len(rows):
            continue
        own = events[(events["person"] == rows["person"].iloc[0]) & (events["measure"] == name)]
        steps = [observed.step[str(source)] for source in own["source"]]
        inside = float(np.dot(own["frames"], steps))
        found |= {
            f"{short}_events": len(own) if observed.seconds else math.nan,
            f"{short}_events_per_minute": 60 * len(own) / observed.seconds if observed.seconds else math.nan,
            f"{short}_time_in_events": min(1.0, inside / observed.seconds) if observed.seconds else math.nan,
        }
    return found


def _observe(rows: pd.DataFrame) -> _Observed:
    """Return how long events were looked for: in trusted frames, or in all of a face that has hardly any."""
    moving = rows[rows["time"].notna()]
    total, steps = 0.0, {}
    for source, of_source in moving.groupby("source", sort=False):
        times = np.unique(of_source["time"])
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        steps[str(source)] = step
        for _, track in of_source.groupby("face", sort=False):
            sure = int(track["trusted"].sum())
            total += step * (sure if sure >= LEAST_ROWS else len(track))
    return _Observed(total, steps)
