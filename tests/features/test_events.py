"""Events in series whose truth is known, and the files of them for other programs."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from omote.errors import OmoteError
from omote.features.event_files import write_events
from omote.features.events import MAX_GAP, SMOOTH_SECONDS, find_events

FPS = 25
Array = NDArray[Any]


def bumps(*spans: tuple[float, float], seconds: float = 10, rise: float = 0.4, height: float = 0.8) -> Array:
    """Return a series at 25 frames a second that rises from 0.1 by `height`, stays and falls again, in each span."""
    time = np.arange(int(seconds * FPS)) / FPS
    value = np.full(len(time), 0.1)
    for begin, end in spans:
        value += height * np.interp(time, [begin, begin + rise, end - rise, end], [0, 1, 1, 0])
    return value


def table_of(values: Array, column: str = "axis_lip_corners_up", **columns: Any) -> pd.DataFrame:
    """Return a table as `omote embed` writes it, of one video and face."""
    count = len(values)
    described = {
        "source": "a.mp4", "frame": np.arange(count), "time": np.arange(count) / FPS, "face": 0, "trusted": True
    }  # fmt: skip
    return pd.DataFrame({**described, column: values, **columns}, index=range(count))


def test_an_event_is_where_the_line_through_the_frames_crosses_the_lower_level() -> None:
    (event,) = find_events(table_of(bumps((2, 5)))).to_dict("records")
    # rest 0.1, levels 0.2 and 0.3; the rise of 0.8 in 0.4 s reaches 0.2 after 0.05 s
    assert (event["source"], event["face"], event["measure"], event["event"]) == (
        "a.mp4",
        0,
        "lip corners up",
        1,
    )
    assert event["onset"] == pytest.approx(2.05, abs=0.01)
    assert event["offset"] == pytest.approx(4.95, abs=0.01)
    assert event["duration"] == event["offset"] - event["onset"]
    assert event["apex"] == pytest.approx(3.5, abs=0.05)  # the middle of the plateau
    assert (event["peak"], event["rest"], event["amplitude"]) == pytest.approx((0.9, 0.1, 0.8))
    # a trapezoid of 0.8, 2.2 s long at the top and 3.0 s at the foot, without its two tips of 0.1 by 0.05 s
    assert event["area"] == pytest.approx(0.8 * (2.2 + 3.0) / 2 - 0.1 * 0.05, rel=0.01)
    assert event["complete"]
    assert event["note"] == ""


def test_what_does_not_reach_the_upper_level_is_no_event_and_a_dip_above_the_lower_one_ends_none() -> None:
    assert find_events(table_of(bumps((2, 5), height=0.19))).empty
    value = bumps((2, 8))
    value[4 * FPS : 5 * FPS] = 0.22  # between the levels 0.2 and 0.3
    assert len(find_events(table_of(value))) == 1
    value[4 * FPS : 5 * FPS] = 0.18
    assert len(find_events(table_of(value))) == 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_neither_makes_events_nor_moves_them_far(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy = bumps((2, 4), (6, 9)) + rng.normal(0, 0.05, 10 * FPS)
    found = find_events(table_of(np.clip(noisy, 0, 1)))
    np.testing.assert_allclose(found["onset"], [2.05, 6.05], atol=0.08)
    np.testing.assert_allclose(found["offset"], [3.95, 8.95], atol=0.08)
    assert find_events(table_of(np.clip(rng.normal(0.2, 0.1, 60 * FPS), 0, 1))).empty


def test_missing_and_doubted_frames_are_bridged_and_a_single_wrong_frame_is_nothing() -> None:
    value = bumps((2, 5))
    expected = find_events(table_of(value))[["onset", "offset"]].to_numpy()
    holes = table_of(value).drop(index=[60, 61, 62, 63, 80, 100, 101])
    np.testing.assert_allclose(find_events(holes)[["onset", "offset"]].to_numpy(), expected, atol=0.01)
    wrong = value.copy()
    wrong[[30, 90, 200]] = [1.0, 0.0, 1.0]
    np.testing.assert_allclose(
        find_events(table_of(wrong))[["onset", "offset"]].to_numpy(), expected, atol=0.01
    )
    span = (np.arange(len(value)) >= 190) & (np.arange(len(value)) < 210)
    doubted = table_of(np.where(span, 1.0, value), trusted=~span)
    found = find_events(doubted)
    np.testing.assert_allclose(found[["onset", "offset"]].to_numpy(), expected, atol=0.01)
    assert found.attrs["left_out"] == {"not to be trusted": 20}
    assert len(find_events(doubted, use_doubted=True)) == 2
    empty = table_of(np.where(span, np.nan, value))
    np.testing.assert_allclose(find_events(empty)[["onset", "offset"]].to_numpy(), expected, atol=0.01)


def test_rows_with_equal_times_are_counted_and_the_first_is_used() -> None:
    table = table_of(bumps((2, 5)))
    twice = pd.concat([table, table.iloc[[30, 90, 90]].assign(axis_lip_corners_up=5.0)])
    found = find_events(twice)
    pd.testing.assert_frame_equal(found, find_events(table))
    assert found.attrs["left_out"] == {"with the time of another row of the same face": 3}


def test_a_face_of_doubted_frames_only_is_used_and_this_is_said() -> None:
    both = pd.concat([table_of(bumps((2, 5))), table_of(bumps((6, 8)), face=1, trusted=False)])
    found = find_events(both)
    assert found["note"].tolist() == ["", "hardly any frame of this face is to be trusted"]
    assert found.attrs["left_out"] == {}
    assert find_events(both, use_doubted=True)["note"].tolist() == ["", ""]


def test_a_long_gap_breaks_an_event_and_this_is_said() -> None:
    value = bumps((2, 8))
    gone = int((MAX_GAP + 0.1) * FPS)
    found = find_events(table_of(value).drop(index=range(4 * FPS, 4 * FPS + gone)))
    assert found["complete"].tolist() == [False, False]
    assert found["note"].tolist() == ["goes on after a gap of 0.64 s", "has begun before a gap of 0.64 s"]
    assert found["offset"].iloc[0] == pytest.approx(4 - 1 / FPS)
    assert found["onset"].iloc[1] == pytest.approx(4 + gone / FPS)
    short = find_events(table_of(value).drop(index=range(4 * FPS, 4 * FPS + 12)))  # 0.52 s between two frames
    assert len(short) == 2
    assert len(find_events(table_of(value).drop(index=range(4 * FPS, 4 * FPS + 11)))) == 1


def test_the_ends_of_the_footage_cut_events_off() -> None:
    found = find_events(table_of(bumps((-1, 2), (8, 12))))
    assert found["note"].tolist() == ["has begun before the footage", "goes on after the footage"]
    assert (found["onset"].iloc[0], found["offset"].iloc[1]) == (0, pytest.approx(10 - 1 / FPS))
    assert not found["complete"].any()


def test_few_frames_a_second_are_no_gaps() -> None:
    table = table_of(bumps((2, 5))).iloc[::20]  # 0.8 s apart
    assert find_events(table)["note"].tolist() == [""]


def test_each_face_has_its_own_rest_and_its_own_events() -> None:
    both = pd.concat([table_of(bumps((2, 5))), table_of(bumps((6, 8)) + 0.2, face=1)])
    shuffled = both.sample(frac=1, random_state=0)
    for table in (both, shuffled):
        found = find_events(table).sort_values("face")
        assert found["face"].tolist() == [0, 1]
        np.testing.assert_allclose(found["rest"], [0.1, 0.3])
        np.testing.assert_allclose(found["onset"], [2.05, 6.05], atol=0.01)
    no_face = table_of(np.full(10, np.nan), face=pd.array([None] * 10, "Int64"), trusted=False)
    assert find_events(pd.concat([both, no_face])).attrs["left_out"] == {"without a face": 10}


def test_the_distance_from_the_usual_look_has_levels_in_proportion_to_rest() -> None:
    value = 10 * bumps((2, 5), height=0.04)  # rest 1.0, up to 1.4
    assert find_events(table_of(value, "from_usual")).empty
    (event,) = find_events(table_of(10 * bumps((2, 5), height=0.2), "from_usual")).to_dict("records")
    assert event["measure"] == "distance from usual look"
    assert event["amplitude"] == pytest.approx(2)


def test_irregular_times_are_taken_as_they_are() -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 10, 300))
    value = np.interp(times, [2, 2.4, 4.6, 5], [0.1, 0.9, 0.9, 0.1])
    (event,) = find_events(table_of(value, time=times)).to_dict("records")
    assert event["onset"] == pytest.approx(2.05, abs=SMOOTH_SECONDS / 2)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (table_of(bumps()).drop(columns="axis_lip_corners_up"), "no column of an axis"),
        (table_of(bumps()).drop(columns="time"), "no times"),
        (table_of(bumps(), time=np.nan), "all rows are of photos"),
        (table_of(bumps(), time="1:30"), "the column time holds str instead of numbers"),
        (table_of(bumps(), trusted="yes"), "the column trusted holds str instead of true and false"),
        (table_of(np.full(9, "high")), "the column axis_lip_corners_up holds"),
    ],
)
def test_tables_without_series_are_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(OmoteError, match=message):
        find_events(table)


@pytest.fixture
def events() -> pd.DataFrame:
    """Three events: two of face 0 and one of face 1."""
    second = table_of(bumps((6, 8)), face=1)
    return find_events(pd.concat([table_of(bumps((2, 4), (6, 12))), second], ignore_index=True))


def test_a_csv_file_has_a_row_for_each_event(events: pd.DataFrame, tmp_path: Path) -> None:
    assert write_events(events, tmp_path / "new" / "e.csv") == [tmp_path / "new" / "e.csv"]
    read = pd.read_csv(tmp_path / "new" / "e.csv", keep_default_na=False)
    assert list(read.columns) == list(events.columns)
    np.testing.assert_allclose(read["onset"], events["onset"], atol=1e-6)


def test_elan_gets_a_tier_for_each_face_and_measure(events: pd.DataFrame, tmp_path: Path) -> None:
    write_events(events, tmp_path / "e.eaf")
    root = ET.parse(tmp_path / "e.eaf").getroot()
    assert [child.tag for child in root] == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    assert root.attrib["FORMAT"] == "3.0"
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.attrib["RELATIVE_MEDIA_URL"] == "./a.mp4"
    assert media.attrib["MEDIA_URL"].startswith("file:///")
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    assert list(tiers) == ["face 0: lip corners up", "face 1: lip corners up"]
    spans = [
        (slots[one.attrib["TIME_SLOT_REF1"]], slots[one.attrib["TIME_SLOT_REF2"]])
        for one in tiers["face 0: lip corners up"].iter("ALIGNABLE_ANNOTATION")
    ]
    np.testing.assert_allclose(spans, 1000 * events[["onset", "offset"]].iloc[:2], atol=0.5)
    texts = [str(text.text) for text in root.iter("ANNOTATION_VALUE")]
    assert texts[0].startswith("peak 0.90, amplitude 0.80, apex ")
    assert texts[1].endswith("; goes on after the footage")
    identifiers = [one.attrib["ANNOTATION_ID"] for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(identifiers)) == len(events)


def test_elan_gets_a_file_for_each_video_and_hostile_names_stay_xml(tmp_path: Path) -> None:
    sources = ["x/<a> & \x0b.mp4", "y/<a> & \x0b.mp4", "z.mp4"]
    tables = [table_of(bumps((2, 4)) if "z" not in source else bumps(), source=source) for source in sources]
    files = write_events(find_events(pd.concat(tables)), tmp_path / "e.eaf")
    assert len(set(files)) == 3
    assert [len(list(ET.parse(file).iter("TIER"))) for file in files] == [1, 1, 0]


def test_no_file_of_a_video_replaces_that_of_another(tmp_path: Path) -> None:
    sources = ["a/x-3.mp4", "a/x.mp4", "b/x.mp4", "c/X.mp4"]
    files = write_events(
        find_events(pd.concat([table_of(bumps((2, 4)), source=source) for source in sources])),
        tmp_path / "e.eaf",
    )
    assert len({file.name.casefold() for file in files}) == 4


def test_the_events_of_a_camera_whose_number_was_read_from_csv_are_written(tmp_path: Path) -> None:
    (file,) = write_events(find_events(table_of(bumps((2, 4)), source=0)), tmp_path / "e.eaf")
    assert len(list(ET.parse(file).iter("TIER"))) == 1


def test_boris_gets_start_and_stop_of_state_events(events: pd.DataFrame, tmp_path: Path) -> None:
    write_events(events, tmp_path / "e.boris")
    project = json.loads((tmp_path / "e.boris").read_text())
    assert project["project_format_version"] == "7.0"
    (behaviour,) = project["behaviors_conf"].values()
    assert (behaviour["code"], behaviour["type"]) == ("lip corners up", "State event")
    assert [subject["name"] for subject in project["subjects_conf"].values()] == ["face 0", "face 1"]
    (observation,) = project["observations"].values()
    assert observation["type"] == "MEDIA"
    (path,) = observation["file"]["1"]
    assert set(observation["media_info"]["length"]) == {path}
    rows = observation["events"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    times = sorted(row[0] for row in rows if row[1] == "face 0")
    np.testing.assert_allclose(times, events[["onset", "offset"]].iloc[:2].to_numpy().ravel(), atol=0.001)


def test_other_files_are_refused(events: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"ends in \.csv, in \.eaf for ELAN"):
        write_events(events, tmp_path / "e.xlsx")
    assert not list(tmp_path.iterdir())
