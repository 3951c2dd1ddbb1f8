"""People compared from tables of features: known truths are found, and nothing is left out without a word."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.errors import OmoteError
from omote.features.comparison import COLUMNS, compare_people
from omote.metrics.score import Array
from tests.features.test_profile import Z, table_of

SMILE, FROWN = np.eye(2, Z)


def study(rng: np.random.Generator, changes: list[Array], clips: int = 4) -> pd.DataFrame:
    """Return footage of people, each of whom has so many clips at rest and as many with their change, of 20 s each."""
    tables = []
    for number, change in enumerate(changes):
        person = rng.normal(0, 1, Z)
        for clip in range(2 * clips):
            mood = person + rng.normal(0, 0.2, Z) + (clip % 2) * 3 * change
            codes = mood + rng.normal(0, 0.2, (20, Z))
            condition = ("rest", "smile")[clip % 2]
            source = np.full(20, f"all/p{number}/{condition}_{clip}")
            reading = 0.2 + 0.5 * (clip % 2) * change[0] + rng.normal(0, 0.05, 20)
            tables.append(
                table_of(codes, source, axis_lip_corners_up=reading, axis_jaw_open=rng.normal(0, 1, 20))
            )
    return pd.concat(tables, ignore_index=True)


def test_conditions_are_found_in_the_names_of_files_and_compared_within_people(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    found = compare_people(study(rng, [SMILE] * 6 + [FROWN]), conditions=("rest", "smile"))
    assert list(found.table.columns) == list(COLUMNS)
    alike = found.table[found.table["question"] == "do people change alike"]
    assert len(alike) == 21
    of_frowner = (alike["first"] == "p6") | (alike["second"] == "p6")
    assert (alike.loc[~of_frowner, "value"] > 0.85).all()
    assert (alike.loc[of_frowner, "value"].abs() < 0.4).all()
    assert (alike["low"] <= alike["corrected"]).all()
    differ = (
        found.table[found.table["question"] == "do conditions differ"].set_index("measure").to_dict("index")
    )
    assert set(differ) == {"lip corners up", "jaw open", "distance from usual look"}
    assert differ["lip corners up"]["value"] == pytest.approx(3 / 7, abs=0.02)
    assert differ["lip corners up"]["p"] <= 4 / 2**7
    assert differ["jaw open"]["p_adjusted"] > 0.05
    said = " ".join(found.sentences)
    assert "7 people, told apart by the folders of their files; 1120 frames" in said
    assert "People's changes have a common direction" in said
    assert "lip corners up: smile minus rest +0.4" in said
    found.save(tmp_path / "comparison.csv")
    again = pd.read_csv(tmp_path / "comparison.csv")
    assert len(again) == 24
    assert again["value"].to_numpy() == pytest.approx(found.table["value"].to_numpy(), rel=1e-5)


def test_without_conditions_the_change_is_away_from_the_usual_look() -> None:
    rng = np.random.default_rng(1)
    table = study(rng, [SMILE, SMILE, FROWN, FROWN])
    rare = ~table["source"].str.contains("smile_[35]")  # the usual look is at rest
    found = compare_people(table[rare].reset_index(drop=True)).table.set_index(["first", "second"])
    cosines = found["value"].to_dict()
    assert cosines["p0", "p1"] > 0.8
    assert cosines["p2", "p3"] > 0.8
    assert abs(cosines["p0", "p2"]) < 0.4
    assert found["p"].isna().all()


def test_a_column_tells_people_and_conditions() -> None:
    rng = np.random.default_rng(2)
    table = study(rng, [SMILE] * 3)
    table["person"] = table["source"].str.extract("all/(p.)")[0]
    table["state"] = np.where(table["source"].str.contains("smile"), "after", "before")
    found = compare_people(table, conditions=("before", "after"), by="state", columns=["blur"])
    assert "told apart by the column person" in found.sentences[0]
    assert "(column state)" in found.sentences[0]
    last = found.table.iloc[-1]
    assert (last["measure"], last["note"], last["count"]) == ("blur", "a test takes 6 people", 3)
    assert any("With fewer than 6 people, chance is not known" in said for said in found.sentences)


def test_one_photo_of_each_condition_is_enough_for_a_person() -> None:
    rng = np.random.default_rng(5)
    table = study(rng, [SMILE] * 6, clips=1)
    photos = table.groupby("source").head(1).drop(columns="time").reset_index(drop=True)
    found = compare_people(photos, conditions=("rest", "smile"))
    alike = found.table[found.table["question"] == "do people change alike"]
    assert (alike["value"] > 0.7).all()
    assert set(alike["note"]) == {"too little footage for an interval"}
    assert found.table["measure"].tolist()[15:] == ["lip corners up", "jaw open"]
    assert "distance from usual look: no person has values of it in both conditions." in found.sentences
    with pytest.raises(OmoteError, match="two people with frames of both conditions; 1 of 1 have them"):
        compare_people(photos.assign(person="ann", face=np.arange(12)).iloc[:2], conditions=("rest", "smile"))


def test_rows_in_doubt_or_without_a_code_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(3)
    table = study(rng, [SMILE] * 3)
    table.loc[:9, "trusted"] = False
    table.loc[10:14, "z_e_00"] = np.nan
    table.loc[table["source"].str.contains("p2"), "trusted"] = False
    table.loc[table["source"].str.endswith("rest_0.mp4") & table["source"].str.contains("p1"), "source"] = (
        "all/p1/x.mp4"
    )
    said = " ".join(compare_people(table, conditions=("rest", "smile")).sentences)
    assert "Left out: 5 rows without a code." in said
    assert "Left out: 20 rows of neither condition." in said
    assert "Left out: 10 rows that are not to be trusted" in said
    assert "Of p2, hardly any frame is to be trusted (column doubt), so 160 others are used." in said


def test_what_cannot_be_compared_is_refused_in_a_sentence() -> None:
    table = study(np.random.default_rng(4), [SMILE] * 2)
    both = "all/" + table["source"].str[4:6] + "/rest smile " + table["source"].str[-5]
    for bad, options, message in (
        (table, {"conditions": ("rest", "frown")}, "no row is of the condition frown"),
        (table, {"conditions": ("rest", "rest")}, "both conditions are rest"),
        (table, {"conditions": ("rest", "smile"), "by": "mood"}, "no column mood"),
        (table, {"conditions": ("rest", "smile"), "columns": ["axis_x"]}, "no column axis_x"),
        (table, {"conditions": ("rest", "smile"), "columns": ["source"]}, "does not hold numbers"),
        (table.assign(source=both), {"conditions": ("rest", "smile")},
         "both rest and smile in its name"),
        (table.assign(person="ann"), {}, "takes two people with at least 5 frames; 1 of 1 have them"),
        (table[["source"]], {}, "has no codes"),
        (table.assign(model=np.arange(len(table)) % 2), {}, "several models"),
    ):  # fmt: skip
        with pytest.raises(OmoteError, match=message):
            compare_people(bad, **options)


def test_conditions_that_nothing_tells_apart_are_named() -> None:
    table = study(np.random.default_rng(6), [SMILE] * 2, clips=1)
    partly = table.assign(condition=pd.Series(["rest"] * 20 + [None] * 60, dtype="str"))
    with pytest.raises(OmoteError, match=r"no row is of the condition smile .*it holds rest"):
        compare_people(partly, conditions=("rest", "smile"))
    nameless = table.assign(person=table["source"].str.extract("all/(p.)")[0]).drop(columns="source")
    with pytest.raises(OmoteError, match="name the column that holds them with --by"):
        compare_people(nameless, conditions=("rest", "smile"))


def test_plain_codes_are_not_compared_with_relative_ones() -> None:
    table = study(np.random.default_rng(7), [SMILE] * 2, clips=1)
    mixed = table.assign(profile=pd.Series(["ann"] * 40 + [None] * 40, dtype="str"))
    with pytest.raises(OmoteError, match="relative to a profile and others are plain"):
        compare_people(mixed)
