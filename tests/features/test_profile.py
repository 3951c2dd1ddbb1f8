"""A person's neutral: what counts in it, how well it is known, and what is refused."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.detect import find_faces
from omote.data.face_set import BOX
from omote.data.images import read_photo
from omote.data.outputs import Floats, code_columns, code_names
from omote.errors import OmoteError
from omote.features import profile as profiles
from omote.features import table as tables
from omote.features.embed import embed
from omote.features.person import select_person
from omote.features.profile import (
    LEAST_FRAMES,
    MOST_FRAMES,
    NO_SPREAD,
    OTHER_FACE,
    Profile,
    make_profile,
    make_profile_from_tables,
    make_profiles,
    make_profiles_from_tables,
)
from omote.features.table import read_batches
from omote.runs.trained import Trained
from tests.conftest import save_table

Z = 16
EXPRESSIONS = 3 * math.sqrt(Z) * np.eye(4, Z, dtype=np.float32)  # far from one another


def table_of(codes: Any, sources: Any = None, **columns: Any) -> pd.DataFrame:
    """Return a table as `omote embed` writes it, one frame a second; by default one source and one face."""
    codes = np.asarray(codes, np.float32)
    count = len(codes)
    described = {
        "source": "a.mp4" if sources is None else [f"{source}.mp4" for source in sources],
        "frame": np.arange(count),
        "time": np.arange(count, dtype=np.float64),
        "face": 0,
        "trusted": True,
        "doubt": "",
        "model": "omote-12345678",
        "blur": np.float32(0.1),
        **columns,
    }
    deviation = code_columns(np.zeros_like(codes), "z_e_deviation")
    return pd.concat(
        [pd.DataFrame(described, index=range(count)), code_columns(codes, "z_e"), deviation], axis=1
    )


def film(rng: np.random.Generator, person: Floats, stretches: int = 30, frames: int = 10) -> pd.DataFrame:
    """Return footage of stretches of 10 s, each of one expression with little variation."""
    shown = rng.normal(0, 0.7, (stretches, 1, Z)) + rng.normal(0, 0.1, (stretches, frames, Z))
    return table_of((person + shown).reshape(-1, Z))


def test_the_neutral_of_footage_of_one_expression_is_that_expression() -> None:
    profile = make_profile(table_of(np.tile(EXPRESSIONS[1], (20, 1)), np.repeat([0, 1], 10)), "ann")
    np.testing.assert_allclose(profile.neutral, EXPRESSIONS[1], rtol=1e-6)
    assert profile.looks == pytest.approx(1)
    assert (profile.share, profile.error, profile.num_frames, profile.num_sources) == (1.0, 0.0, 20, 2)
    assert profile.spread == pytest.approx(0, abs=1e-5)


def test_distinct_expressions_are_counted_and_each_has_one_vote_however_long_it_lasts() -> None:
    even = make_profile(table_of(5 + np.repeat(EXPRESSIONS, 10, axis=0), np.repeat(range(4), 10)), "ann")
    assert even.looks == pytest.approx(4, rel=1e-4)
    assert even.spread == pytest.approx(math.sqrt(2 * (1 - 1 / 4)) * 3 * math.sqrt(Z), rel=1e-4)
    long = [500, 10, 10, 10]
    smiling = make_profile(
        table_of(5 + np.repeat(EXPRESSIONS, long, axis=0), np.repeat(range(4), long)), "ann"
    )
    assert 1 < smiling.looks < 1.2
    for profile in (even, smiling):
        np.testing.assert_allclose(profile.neutral / profile.share, 5 + EXPRESSIONS.mean(axis=0), atol=0.01)


def test_the_neutral_is_shrunk_toward_0_by_its_uncertainty() -> None:
    # four expressions round 0: leaving one out moves their mean by as much as it is away from 0
    assert make_profile(
        table_of(np.repeat(EXPRESSIONS, 10, axis=0), np.repeat(range(4), 10)), "ann"
    ).share == pytest.approx(0, abs=1e-6)
    assert (
        make_profile(table_of(50 + np.repeat(EXPRESSIONS, 10, axis=0), np.repeat(range(4), 10)), "ann").share
        > 0.99
    )


def test_repeating_frames_does_not_change_the_neutral() -> None:
    codes = np.random.default_rng(0).normal(1, 1, (12, Z))
    once = make_profile(table_of(codes, np.repeat(range(4), 3), time=np.nan), "ann")
    often = make_profile(table_of(np.repeat(codes, 8, axis=0), np.repeat(range(4), 24), time=np.nan), "ann")
    assert often.num_frames == 8 * once.num_frames
    np.testing.assert_allclose(often.neutral, once.neutral, rtol=1e-4)
    assert often.error == pytest.approx(once.error, rel=1e-4)
    assert 0 < once.share < 1


@pytest.mark.parametrize("far", [0.0, 0.5, 2.0])
def test_the_error_is_how_much_the_mean_changes_with_other_footage(far: float) -> None:
    rng = np.random.default_rng(1)
    person = far * rng.normal(0, 1, Z).astype(np.float32)
    made = [make_profile(film(rng, person), "ann") for _ in range(30)]
    means = np.array([profile.neutral / profile.share for profile in made if profile.share])
    moved = np.sqrt(means.var(axis=0, ddof=1).sum())
    told = np.sqrt(np.mean([profile.error**2 for profile in made if profile.share]))
    assert 0.6 < told / moved < 1.5
    assert np.mean([profile.share for profile in made]) == pytest.approx(
        {0.0: 0.1, 0.5: 0.9, 2.0: 1.0}[far], abs=0.12
    )


def test_relative_features_of_two_people_are_closer() -> None:
    rng = np.random.default_rng(2)
    people = rng.normal(0, 1, (2, Z)).astype(np.float32)
    neutral = [make_profile(film(rng, person), "ann") for person in people]
    smile = np.ones((1, Z), np.float32)
    apart = [np.linalg.norm(one - other) for one, other in [
        (people[0] + smile, people[1] + smile),
        (neutral[0].relative(people[0] + smile), neutral[1].relative(people[1] + smile)),
    ]]  # fmt: skip
    assert apart[1] < 0.3 * apart[0]


def test_one_short_stretch_gives_half_of_its_mean_and_no_error() -> None:
    profile = make_profile(table_of(np.tile(EXPRESSIONS[0], (8, 1))), "ann")
    np.testing.assert_allclose(profile.neutral, EXPRESSIONS[0] / 2, rtol=1e-6)
    assert math.isnan(profile.error)
    said = " ".join(profile.describe())
    assert "8 trusted frames of one source" in said
    assert "hardly varied: about 1.0 distinct expressions. 50% of their mean is subtracted" in said
    assert "One stretch of 10 s cannot show" in said
    assert "another camera or day" in said


def test_the_description_says_how_comparable_the_features_are() -> None:
    neutral = np.zeros(Z, np.float32)
    profile = Profile("ann", "omote-12345678", 412, 3, 4.25, 0.9, 1.2, 10.0, neutral)
    assert profile.describe() == [
        "Usual look of ann from 412 trusted frames of 3 sources (omote-12345678).",
        "To this model the footage is varied: about 4.2 distinct expressions. 90% of their mean is subtracted.",
        "With other such footage that mean would change by about 12% of the typical distance between two expressions: "
        "smaller differences between ann and other people mean little. Differences among frames of ann do not depend "
        "on it.",
    ]


def test_identical_frames_have_no_error_relative_to_their_spread() -> None:
    frame = np.random.default_rng(8).normal(
        0, 1, Z
    )  # not round numbers, so that rounding keeps the spread above 0
    profile = make_profile(table_of(np.tile(frame, (30, 1)), np.repeat(range(3), 10)), "ann")
    assert 0 < profile.spread < NO_SPREAD
    said = " ".join(profile.describe())
    assert "All frames have the same code" in said
    assert "typical distance" not in said


def test_only_trusted_frames_of_the_face_count() -> None:
    codes = np.repeat(EXPRESSIONS[:3], 10, axis=0)
    table = table_of(codes, np.repeat([0, 1], 15), face=np.repeat([0, 1, 1], 10), trusted=np.arange(30) < 26)
    profile = make_profile(table, "bob", face=1)
    assert (profile.num_frames, profile.num_sources) == (16, 2)
    assert np.all(profile.neutral[[0, 3]] == 0)
    assert profile.num_doubted == 0
    with pytest.raises(
        OmoteError, match=r"of bob there are 0 frames.*at least 5.*0 \(10 of 10\), 1 \(16 of 20\)"
    ):
        make_profile(table, "bob", face=2)


def test_doubted_frames_count_if_asked_for_or_if_there_are_no_others(tmp_path: Path) -> None:
    table = table_of(np.repeat(EXPRESSIONS[:3], 10, axis=0), trusted=np.arange(30) < 26)
    profile = make_profile(table, "ann", use_doubted=True)
    assert (profile.num_frames, profile.num_doubted) == (30, 4)
    profile = make_profile(table.assign(trusted=np.arange(30) < 4), "ann")
    assert (profile.num_frames, profile.num_doubted) == (30, 26)
    said = profile.describe()
    assert said[0].startswith("Usual look of ann from 30 frames of one source")
    assert (
        "26 of these frames are not to be trusted (column doubt of the table), so the usual look may be wrong."
        in said
    )
    profile.save(tmp_path / "ann.json")
    assert Profile.load(tmp_path / "ann.json").num_doubted == 26


def test_the_largest_face_of_each_picture_can_be_the_person() -> None:
    codes = np.repeat(EXPRESSIONS[:2], 10, axis=0)  # two faces, which change places after half of the video
    heights = np.concatenate([np.repeat([200.0, 100], 5), np.repeat([100.0, 200], 5)])
    box = {"box_x": 0.0, "box_y": 0.0, "box_width": 100.0, "box_height": heights}
    table = table_of(codes, frame=np.tile(np.arange(10), 2), face=np.repeat([0, 1], 10), **box)
    profile = make_profile(table, "ann", largest=1)
    expected = make_profile(table.iloc[[*range(5), *range(15, 20)]].assign(face=0), "ann")
    np.testing.assert_array_equal(profile.neutral, expected.neutral)
    assert profile.num_frames == 10
    with pytest.raises(OmoteError, match="largest picks the person's face with 1 only"):
        make_profile(table, "ann", largest=2)
    with pytest.raises(OmoteError, match="has no column box_x"):
        make_profile(table.drop(columns="box_x"), "ann", largest=1)


def test_a_photo_tells_the_person_from_others_in_every_source(
    london: Path, detector: Path, tmp_path: Path
) -> None:
    boxes, sources = [], []
    for ann, name in ((0, "one.png"), (1, "two.png")):  # ann at the left, then at the right
        people = [read_photo(london / f"{who}_03.jpg") for who in ("001", "012")]
        Image.fromarray(np.hstack(people[:: 1 - 2 * ann])).save(tmp_path / name)
        faces = sorted(find_faces(read_photo(tmp_path / name), detector), key=lambda face: face.box[0])
        boxes += [face.box.tolist() for face in faces]
        sources += [str(tmp_path / name)] * 2
    rows = pd.DataFrame(boxes, columns=list(BOX)).assign(source=sources, frame=0, face=[0, 1] * 2)
    assert select_person(rows, photo=london / "001_08.jpg", detector=detector).tolist() == [
        True,
        False,
        False,
        True,
    ]
    assert select_person(rows, photo=london / "012_08.jpg", detector=detector).tolist() == [
        False,
        True,
        True,
        False,
    ]
    assert not select_person(rows, photo=london / "030_08.jpg", detector=detector).any()
    with pytest.raises(OmoteError, match=r"gone\.png cannot be compared with the photo of the person"):
        select_person(rows.assign(source="gone.png"), photo=london / "001_08.jpg", detector=detector)


def test_in_a_table_of_a_face_set_the_person_is_a_subject() -> None:
    codes = np.repeat(EXPRESSIONS[:2], 10, axis=0)
    table = table_of(
        codes, subject=np.repeat(["0001", "0002"], 10), clip=np.tile(np.repeat(["x", "y"], 5), 2)
    )
    table = table.drop(columns=["face", "trusted", "doubt"])
    profile = make_profile(table, "0002")
    assert (profile.num_frames, profile.num_sources) == (10, 2)
    np.testing.assert_allclose(profile.relative(codes[10:]), 0, atol=1e-5)
    with pytest.raises(OmoteError, match="Trusted frames of each subject"):
        make_profile(table, "ann")


def test_long_footage_is_thinned_evenly_but_all_frames_are_counted() -> None:
    count = 20 * MOST_FRAMES
    codes = np.random.default_rng(3).normal(0.5, 1, (count, Z)).astype(np.float32)
    table = table_of(codes)
    profile = make_profile(table, "ann")
    assert profile.num_frames == count
    some = make_profile(table.iloc[: count // 2], "ann")
    np.testing.assert_allclose(profile.neutral, some.neutral, atol=0.25)
    assert 0 < profile.error < 0.5


def test_embedding_with_a_profile_subtracts_the_neutral_and_removes_codes_of_others(
    reader: Trained, film: Path, detector: Path
) -> None:
    plain, _ = embed(reader, [film], detector=detector)
    plain["trusted"] = True  # which a hardly trained network need not
    profile = make_profile(plain, "ann", face=1)
    person = (plain["face"] == 1).to_numpy(bool)
    assert profile.num_frames == person.sum() == 20
    found, _ = embed(reader, [film], detector=detector, profile=profile, face=1)
    code = code_names(list(plain.columns))
    pd.testing.assert_frame_equal(found[code][person], plain[code][person] - profile.neutral)
    assert found[code][~person].isna().all(axis=None)
    changed = ["trusted", "doubt", *code]
    distance = found.pop("from_usual")
    np.testing.assert_allclose(distance[person], np.linalg.norm(found[code][person], axis=1), rtol=1e-5)
    assert distance[~person].isna().all()
    pd.testing.assert_frame_equal(found.drop(columns=["profile", *changed]), plain.drop(columns=changed))
    assert set(found["profile"]) == {"ann"}
    assert not found["trusted"][~person].any()
    assert found["doubt"][~person].str.endswith(OTHER_FACE).all()
    damaged = replace(profile, neutral=profile.neutral[:1])
    with pytest.raises(OmoteError, match="its neutral has 1 numbers, and codes of omote-"):
        embed(reader, [film], detector=detector, profile=damaged)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_profile_of_files_equals_that_of_their_tables(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHUNK_ROWS", 70)  # of 600 rows, 450 of the person
    monkeypatch.setattr(profiles, "MOST_FRAMES", 300)
    table = film(np.random.default_rng(4), np.ones(Z, np.float32)).assign(face=np.arange(300) % 2)
    other = film(np.random.default_rng(5), np.ones(Z, np.float32)).assign(source="b.mp4", face=1)
    save_table(table, tmp_path / f"one{suffix}")
    save_table(other, tmp_path / f"two{suffix}")
    files = [tmp_path / f"one{suffix}", tmp_path / f"two{suffix}", tmp_path / f"one{suffix}"]
    of_files = make_profile_from_tables(files, "ann", face=1)
    of_tables = make_profile(pd.concat([table, other], ignore_index=True), "ann", face=1)
    np.testing.assert_allclose(of_files.neutral, of_tables.neutral, rtol=1e-5)
    assert of_files.describe() == of_tables.describe()
    assert (of_files.num_frames, of_files.num_sources) == (450, 2)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_videos_of_the_same_name_in_two_tables_are_two_sources(suffix: str, tmp_path: Path) -> None:
    codes = np.random.default_rng(7).normal(1, 1, (20, Z))
    files = [tmp_path / f"monday{suffix}", tmp_path / f"tuesday{suffix}"]
    for file, rows in zip(files, (codes[:10], codes[10:]), strict=True):
        save_table(table_of(rows), file)
    profile = make_profile_from_tables(files, "ann")
    assert (profile.num_frames, profile.num_sources) == (20, 2)
    other_names = make_profile(table_of(codes, np.repeat([0, 1], 10)), "ann")
    assert profile.error == pytest.approx(other_names.error, rel=1e-4)


def test_rows_without_subject_or_model_are_refused(tmp_path: Path) -> None:
    video = table_of(np.tile(EXPRESSIONS[0], (8, 1)))
    face_set = video.drop(columns=["face", "trusted", "doubt"]).assign(subject="ann", clip="x")
    for suffix in (".parquet", ".csv"):
        files = [tmp_path / f"video{suffix}", tmp_path / f"faces{suffix}", tmp_path / f"no_model{suffix}"]
        no_model = video.assign(model=video["model"].where(video["frame"] > 0))
        for table, file in zip((video, face_set, no_model), files, strict=True):
            save_table(table, file)
        with pytest.raises(OmoteError, match="face sets and of videos were given together"):
            make_profile_from_tables(files[:2], "ann")
        with pytest.raises(OmoteError, match="some rows have no model"):
            make_profile_from_tables(files[2:], "ann")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("trusted", ["yes", "no"]),
        ("trusted", [True, None]),
        ("time", ["1:30", "1:40"]),
        ("face", ["0", "ann"]),
    ],
)
def test_a_column_of_a_wrong_type_is_refused_in_a_sentence(
    column: str, values: list[Any], tmp_path: Path
) -> None:
    table = table_of(np.tile(EXPRESSIONS[0], (8, 1))).assign(**{column: values * 4})
    save_table(table, tmp_path / "table.parquet")
    save_table(table, tmp_path / "table.csv")
    with pytest.raises(OmoteError, match=f"the column {column} holds .* instead of"):
        make_profile_from_tables([tmp_path / "table.parquet"], "ann")
    with pytest.raises(OmoteError, match=r"table\.csv is damaged or not a table"):
        make_profile_from_tables([tmp_path / "table.csv"], "ann")


def test_a_code_that_is_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    save_table(table_of(np.tile(EXPRESSIONS[0], (8, 1))).assign(z_e_07="much"), tmp_path / "table.csv")
    with pytest.raises(OmoteError, match=r"table\.csv is damaged or not a table"):
        make_profile_from_tables([tmp_path / "table.csv"], "ann")


@pytest.mark.parametrize("error", [0.5, math.nan])
def test_a_saved_profile_is_loaded_unchanged(error: float, tmp_path: Path) -> None:
    neutral = np.random.default_rng(5).normal(0, 1, 64).astype(np.float32)
    profile = Profile("Zoë", "omote-12345678", 412, 3, 4.2, 0.9, error, 9.5, neutral)
    profile.save(tmp_path / "new" / "zoe.json")
    again = Profile.load(tmp_path / "new" / "zoe.json")
    np.testing.assert_array_equal(again.neutral, neutral)
    assert again.describe() == profile.describe()
    assert str({**vars(again), "neutral": 0}) == str({**vars(profile), "neutral": 0})
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["zoe.json"]
    assert (tmp_path / "new" / "zoe.json").stat().st_size < 3000


def test_a_file_that_is_no_profile_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "ann.json"
    with pytest.raises(OmoteError, match="there is no profile"):
        Profile.load(file)
    profile = Profile("ann", "omote-12345678", 412, 3, 4.2, 0.9, 0.5, 9.5, np.ones(4, np.float32))
    profile.save(file)
    whole = json.loads(file.read_text())
    for change, message in (
        ({"format_version": 2}, "Update omote"),
        ({"format": "omote face set"}, "is not a profile"),
        ({"neutral": [1.0, None]}, "is damaged"),
        ({"neutral": []}, "is damaged"),
        ({"neutral": [[1.0]]}, "is damaged"),
        ({"name": 7}, "is damaged"),
        ({"looks": None}, "is damaged"),
        ({"extra": 1}, "is damaged"),
    ):
        file.write_text(json.dumps({**whole, **change}))
        with pytest.raises(OmoteError, match=message):
            Profile.load(file)
    for text in ("", "[1]", "\x00\x01", json.dumps(whole)[:-9]):
        file.write_text(text)
        with pytest.raises(OmoteError, match="not a profile"):
            Profile.load(file)
    del whole["error"]
    file.write_text(json.dumps(whole))
    with pytest.raises(OmoteError, match="is damaged"):
        Profile.load(file)


def test_codes_of_another_model_are_refused() -> None:
    profile = make_profile(table_of(np.tile(EXPRESSIONS[0], (8, 1))), "ann")
    profile.check("omote-12345678")
    with pytest.raises(OmoteError, match=f"its neutral has {Z} numbers, and codes of omote-12345678 have 8"):
        profile.relative(np.zeros((3, 8), np.float32))
    with pytest.raises(OmoteError, match="of omote-12345678, and the features are of omote-87654321"):
        profile.check("omote-87654321")


def test_tables_that_make_no_profile_are_refused(tmp_path: Path) -> None:
    table = table_of(np.tile(EXPRESSIONS[0], (8, 1)))
    for bad, message in (
        (table.drop(columns="model"), "has no column model"),
        (table[["source", "model"]], "has no codes"),
        (table.assign(profile="ann"), "relative to a profile already"),
        (table.assign(model=["a", "b"] * 4), "several models"),
        (table.iloc[: LEAST_FRAMES - 1], "of ann there are 4 frames"),
        (table.iloc[:1], "of ann there is 1 frame; "),
        (table.iloc[:0], "The table is empty"),
        (table.assign(z_e_07=np.nan), "codes of ann are no numbers"),
        (table.assign(z_e_07=pd.Series([{"a": 1}] * 8, dtype=object)), "codes of ann are no numbers"),
    ):
        with pytest.raises(OmoteError, match=message):
            make_profile(bad, "ann")
    save_table(table.iloc[:0], tmp_path / "nothing.parquet")
    save_table(table.iloc[:0], tmp_path / "nothing.csv")
    (tmp_path / "broken.parquet").write_text("no table")
    (tmp_path / "empty.csv").write_text("")
    for name, message in (
        ("none.parquet", "there is no table"),
        ("broken.parquet", "damaged or not a table"),
        ("empty.csv", "damaged or not a table"),
        ("film.mp4", "is not a table of features"),
        ("nothing.parquet", "no rows|is empty"),
        ("nothing.csv", "no rows|is empty"),
    ):
        with pytest.raises(OmoteError, match=message):
            make_profile_from_tables([tmp_path / name], "ann")
    save_table(table, tmp_path / "long.parquet")
    save_table(table.drop(columns="z_e_15"), tmp_path / "short.parquet")
    with pytest.raises(OmoteError, match="of different lengths"):
        make_profile_from_tables([tmp_path / "long.parquet", tmp_path / "short.parquet"], "ann")
    with pytest.raises(OmoteError, match=r"ends in \.json"):
        make_profile(table, "ann").save(tmp_path / "ann.mp4")


def test_without_times_each_source_is_a_block() -> None:
    codes = np.random.default_rng(6).normal(1, 1, (40, Z))
    table = table_of(codes, np.repeat(range(4), 10))
    photos = table_of(codes, range(40), time=np.nan)
    assert make_profile(photos, "ann").num_sources == 40
    without = make_profile(table.drop(columns="time"), "ann")
    assert without.error == pytest.approx(make_profile(table, "ann").error)


def many(*people: str, frames: int = 20) -> pd.DataFrame:
    """Return a table with a column person, with footage of each around a code of their own."""
    rng = np.random.default_rng(9)
    tables = [film(rng, np.full(Z, number, np.float32), 4, frames // 4) for number, _ in enumerate(people)]
    named = [
        table.assign(source=f"{name}.mp4", person=name) for table, name in zip(tables, people, strict=True)
    ]
    return pd.concat(named, ignore_index=True)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_profiles_of_many_people_are_those_of_each_alone(suffix: str, tmp_path: Path) -> None:
    table = many("ann", "bob", "cy")
    found = make_profiles(table)
    assert list(found.profiles) == ["ann", "bob", "cy"]
    for name in found.profiles:
        alone = make_profile(table[table["person"] == name].drop(columns="person"), name)
        np.testing.assert_array_equal(found.profiles[name].neutral, alone.neutral)
        np.testing.assert_array_equal(make_profile(table, name).neutral, alone.neutral)
    assert found.notes[0] == "3 people, told apart by the column person."
    assert found.notes[-1].startswith("Of ann, bob and cy it was not checked that all files show one person")
    save_table(table, tmp_path / f"table{suffix}")
    of_file = make_profiles_from_tables([tmp_path / f"table{suffix}"])
    assert [each.describe() for each in of_file.profiles.values()] == [
        each.describe() for each in found.profiles.values()
    ]


def test_a_table_of_many_people_is_read_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = many(*"abcdefgh").sample(frac=1, random_state=0)  # the rows of a person are not together
    save_table(table, tmp_path / "table.parquet")
    read = []

    def count(*arguments: Any) -> Iterator[pd.DataFrame]:
        read.append(arguments[0])
        return read_batches(*arguments)

    monkeypatch.setattr(profiles, "read_batches", count)
    once = make_profiles_from_tables([tmp_path / "table.parquet"])
    assert len(read) == 2  # all but the codes, and the codes
    monkeypatch.setattr(profiles, "ROWS_AT_ONCE", 60)  # three people with 20 frames each
    often = make_profiles_from_tables([tmp_path / "table.parquet"])
    assert len(read) == 2 + 1 + 3
    for name, made in often.profiles.items():
        alone = make_profile(table[table["person"] == name], name)
        np.testing.assert_array_equal(made.neutral, alone.neutral)
        np.testing.assert_array_equal(once.profiles[name].neutral, alone.neutral)


def test_rows_without_a_code_are_left_out_and_counted() -> None:
    table = many("ann", "bob", "cy")
    nobody = table.index.isin([3, 5, *range(40, 60)])  # two frames of ann, and all of cy
    table.loc[nobody, code_names(list(table.columns))] = np.nan
    found = make_profiles(table.assign(face=table["face"].astype("Int64").mask(nobody)))
    assert {name: made.num_frames for name, made in found.profiles.items()} == {"ann": 18, "bob": 20}
    assert found.left_out == {"cy": "only 0 frames; a profile takes at least 5"}
    assert "Left out: 22 rows without a code." in found.notes


def test_people_are_told_apart_by_their_folders_and_those_with_few_frames_are_left_out() -> None:
    table = many("ann", "bob", "cy").drop(columns="person")
    table["source"] = "people/" + table["source"].str[:-4] + "/film.mp4"
    found = make_profiles(table.iloc[:-17])
    assert list(found.profiles) == ["ann", "bob"]
    assert found.left_out == {"cy": "only 3 frames; a profile takes at least 5"}
    with pytest.raises(OmoteError, match="nobody to make a profile of: ann: only 3 frames"):
        make_profiles(many("ann").iloc[:3])


def test_ten_people_do_not_become_one() -> None:
    table = many(*"abcdefghij")
    with pytest.raises(
        OmoteError, match=r"shows a, b, c, d, e and 5 more \(column person\), and ann is not among them"
    ):
        make_profile(table, "ann")
    crowd = many("ann", "bob").assign(source="party.mp4", person="ann", face=np.repeat([0, 1], 20))
    crowd["frame"] = np.tile(np.arange(20), 2)
    for make in (make_profiles, lambda table: make_profile(table, "ann")):
        with pytest.raises(
            OmoteError, match="ann would be made of different people: two faces of one picture"
        ):
            make(crowd)
    assert make_profile(crowd, "ann", face=1).num_frames == 20


def test_photos_of_different_people_are_not_one_person(london: Path, detector: Path) -> None:
    photos = sorted(london.glob("*_03.jpg"))[:24:3]
    boxes = np.stack([find_faces(read_photo(photo), detector)[0].box for photo in photos])
    placed: dict[str, Any] = dict(zip(BOX, boxes.T, strict=True))
    table = table_of(np.random.default_rng(0).normal(0, 1, (8, Z)), frame=0, time=np.nan, **placed)
    table["source"] = [str(photo) for photo in photos]
    with pytest.raises(OmoteError, match="the files of ann look like different people"):
        make_profile(table, "ann")
    assert make_profile(table, "ann", one_person=True).num_frames == 8
    one = table.assign(source="film.mp4", person="ann", frame=np.arange(8))
    found = make_profiles(pd.concat([table.assign(person="crowd"), one], ignore_index=True))
    assert list(found.profiles) == ["ann"]
    assert "look like different people" in found.left_out["crowd"]
