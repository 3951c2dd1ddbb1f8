"""Faces that move together, from tables of features."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from omote.errors import OmoteError
from omote.features.synchrony import _describe, compare_synchrony
from omote.metrics.score import Array
from tests.features.test_profile import Z, table_of

FPS, SECONDS = 25, 240


def wander(rng: np.random.Generator) -> Array:
    """Return a slow movement at 100 values a second, longer than the video."""
    return np.asarray(lfilter([1], [1, -0.99], rng.normal(0, 0.1, 100 * (SECONDS + 20))))


def face(
    rng: np.random.Generator, movement: Array, delay: float, number: int, fps: float = FPS
) -> pd.DataFrame:
    times = np.arange(int(SECONDS * fps)) / fps
    values = movement[np.round((times + 10 - delay) * 100).astype(int)]
    codes = rng.normal(0, 0.01, (len(times), Z))
    codes[:, 0] = np.abs(values)
    return table_of(codes, time=times, face=number, source="talk.mp4", axis_lip_corners_up=values)


@pytest.mark.parametrize("delay", [0.8, -0.5, 0.0])
def test_who_follows_whom_is_said_with_seconds(delay: float) -> None:
    rng = np.random.default_rng(0)
    shared = wander(rng)
    first, second = face(rng, shared, 0, 0), face(rng, shared + 0.5 * wander(rng), delay, 1)
    second.loc[100:200, "trusted"] = False
    found = compare_synchrony(
        [pd.concat([first, second], ignore_index=True)], columns=["axis_lip_corners_up"]
    )
    row = found.table.iloc[0]
    assert (row["first"], row["second"], row["measure"]) == ("face 0", "face 1", "lip corners up")
    assert row["lag"] == pytest.approx(delay, abs=0.05)
    assert row["p"] < 0.05
    said = " ".join(found.sentences)
    leader, follower = ("face 0", "face 1") if delay >= 0 else ("face 1", "face 0")
    assert (f"{follower} follows {leader} by {abs(delay):.1f} s" if delay else "at the same time") in said
    assert "That is more than chance" in said
    assert "Left out: 101 rows that are not to be trusted" in said


def test_two_tables_with_one_clock_may_have_other_frame_rates() -> None:
    rng = np.random.default_rng(1)
    shared = wander(rng)
    tables = [
        face(rng, shared, 0, 0).assign(source="left.mp4", person="ann"),
        face(rng, shared, 0.6, 0, fps=12.5),
    ]
    tables[1] = tables[1].assign(source="right.mp4", person="bob")
    found = compare_synchrony(tables)
    assert found.table["measure"].tolist() == ["lip corners up", "distance from usual look"]
    assert found.table["lag"].to_numpy() == pytest.approx([0.6, 0.6], abs=0.06)
    assert found.table["source"].iloc[0] == "left.mp4 and right.mp4"
    assert "bob follows ann by 0.6 s" in found.sentences[0]
    assert (found.table["p_adjusted"] >= found.table["p"]).all()


def test_two_faces_of_one_name_are_told_apart_by_their_videos() -> None:
    rng = np.random.default_rng(5)
    shared = wander(rng)
    tables = [face(rng, shared, 0, 0, 10), face(rng, shared, 0.6, 0, 10).assign(source="right.mp4")]
    found = compare_synchrony(tables, columns=["axis_lip_corners_up"])
    assert "face 0 of right.mp4 follows face 0 of talk.mp4 by 0.6 s" in found.sentences[0]


def test_rows_with_equal_times_are_counted() -> None:
    rng = np.random.default_rng(6)
    table = pd.concat([face(rng, wander(rng), 0, number, 10) for number in (0, 1)], ignore_index=True)
    found = compare_synchrony([pd.concat([table, table.iloc[[7, 9, 9]]], ignore_index=True)])
    pd.testing.assert_frame_equal(found.table, compare_synchrony([table]).table)
    assert found.sentences[-1] == "Left out: 3 rows with the time of another row of the same face."


def test_the_verdict_counts_how_many_tests_there_are() -> None:
    row = {
        "first": "a",
        "second": "b",
        "source": "s",
        "measure": "m",
        "value": 0.4,
        "lag": 0.0,
        "chance": 0.3,
    }
    assert "no more than chance" in _describe(row | {"p": 0.03, "p_adjusted": 0.6}, 10, 20)


def test_faces_out_of_step_are_no_more_than_chance() -> None:
    rng = np.random.default_rng(2)
    table = pd.concat([face(rng, wander(rng), 0, number, 10) for number in range(6)], ignore_index=True)
    found = compare_synchrony([table], columns=["axis_lip_corners_up"]).table
    assert len(found) == 15
    assert (found["p"] <= 0.05).sum() <= 3
    assert (found["p_adjusted"] > 0.05).all()


def test_long_gaps_are_not_bridged() -> None:
    rng = np.random.default_rng(3)
    shared = wander(rng)
    table = pd.concat([face(rng, shared, 0, number, 10) for number in (0, 1)], ignore_index=True)
    gap = (table["face"] == 0) & table["time"].between(101, 103)
    whole, cut = (
        compare_synchrony([each]).table.iloc[0] for each in (table, table[~gap].reset_index(drop=True))
    )
    assert cut["count"] == whole["count"] - 1


def test_what_cannot_be_compared_is_refused_or_has_a_reason() -> None:
    rng = np.random.default_rng(4)
    table = pd.concat([face(rng, wander(rng), 0, number, 10) for number in (0, 1)], ignore_index=True)
    with pytest.raises(OmoteError, match="no video shows two followed faces"):
        compare_synchrony([table[table["face"] == 0]])
    with pytest.raises(OmoteError, match="seen together for 54 seconds"):
        compare_synchrony([table[table["time"] < 40]])
    with pytest.raises(OmoteError, match="3 tables were given"):
        compare_synchrony([table] * 3)
    with pytest.raises(OmoteError, match="no times"):
        compare_synchrony([table.drop(columns="time")])
    short = compare_synchrony([table[table["time"] < 80]])
    assert math.isnan(short.table["p"].iloc[0])
    assert "too short" in short.sentences[0]
