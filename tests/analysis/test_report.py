"""The sentences of the report of an analysis."""

import math

import pandas as pd

from omote.analysis.report import summarise_measures


def test_most_often_compares_people_with_enough_video() -> None:
    people = pd.DataFrame({
        "person": ["ann", "bob", "cem", "dan"],
        "minutes": [2.0, 3.0, 2 / 60, 5.0],
        "trusted": [0.9, 0.9, 1.0, 0.9],
        "smile_events": [4, 9, 1, math.nan],
        "smile_events_per_minute": [2.0, 3.0, 30.0, math.nan],
    })  # fmt: skip
    measures = {"axis_smile": "smile"}
    assert summarise_measures(people, measures) == ["Smile: 14 events, most often of bob (3.0 a minute)."]
    assert summarise_measures(people[people["person"] != "bob"], measures) == ["Smile: 5 events."]
    assert summarise_measures(people[people["person"] == "cem"], measures) == ["Smile: 1 event."]
    people["trusted"] *= 0.2
    assert summarise_measures(people, measures) == ["Smile: 14 events."]
