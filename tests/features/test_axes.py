"""Axes: reading and keeping them, fitting them to known shapes, and pointing at frames."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import About, FaceSet
from omote.data.outputs import AXES_FILE, Outputs, code_columns
from omote.errors import OmoteError
from omote.features.axes import Axes, axes_of, gather_axes, to_axis
from omote.features.embed import embed, embed_to, open_reader
from omote.features.extract import extract_features
from omote.features.fit_axes import LEAST_PEOPLE, UNITS, fit_axes, true_shapes
from omote.features.point_axis import describe_pointed, point_axis
from omote.features.profile import Profile
from omote.features.reader import Reader
from omote.runs.trained import Trained, load
from omote.synthetic.rendered.expressions import SHAPES
from tests.conftest import save_table

MODEL = "omote-12345678"


def axes_along(*names: str, model: str = MODEL, size: int = 4) -> Axes:
    """Return axes that read one number of the code each: half of it plus a half."""
    rows = 0.5 * np.eye(len(names), size)
    return Axes(model=model, axes=[to_axis(name, row, 0.5) for name, row in zip(names, rows, strict=True)])


def test_an_axis_is_a_sum_cut_to_0_and_1() -> None:
    codes = np.array([[1, 0, 0, 0], [-3, 3, 9, 9], [0, -0.5, 9, 9], [np.nan] * 4], np.float32)
    read = axes_along("lip corners up", "jaw open").read(codes)
    assert list(read.columns) == ["axis_lip_corners_up", "axis_jaw_open"]
    np.testing.assert_array_equal(read.to_numpy(), [[1, 0.5], [0, 1], [0.5, 0.25], [np.nan, np.nan]])
    with pytest.raises(OmoteError, match="read codes of 4 numbers"):
        axes_along("smile").read(np.zeros((2, 5), np.float32))


def test_axes_are_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    axes = axes_along("lip corners up", "jaw open")
    axes.save(tmp_path / "new" / "axes.json")
    assert Axes.load(tmp_path / "new" / "axes.json") == axes
    assert axes.names == ["lip corners up", "jaw open"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "omote profile"}, "holds no axes"),
        ({"format_version": 2}, "Update omote"),
        ({"surprise": 1}, '"surprise" is not an option here'),
        ({"axes": []}, "axes: List should have at least 1 item"),
        ({"axes": [{"name": "a", "weights": [1, math.inf], "offset": 0}]}, "damaged or not a file of axes"),
        ({"axes": [{"name": "Joy!", "weights": [1], "offset": 0}]}, "String should match pattern"),
        ({"axes": [{"name": "a", "weights": [1], "offset": 0}] * 2}, "several axes make the column axis_a"),
        (
            {
                "axes": [
                    {"name": "a", "weights": [1], "offset": 0},
                    {"name": "b", "weights": [1, 2], "offset": 0},
                ]
            },
            "codes of different lengths",
        ),
    ],
)
def test_a_file_that_holds_no_axes_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "axes.json"
    axes_along("a").save(file)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(OmoteError, match=message):
        Axes.load(file)


def test_axes_of_another_model_and_names_that_clash_are_refused() -> None:
    axes = axes_along("smile")
    axes.check(MODEL)
    axes.check(f"{MODEL}-bf16")
    with pytest.raises(
        OmoteError, match="the axes smile are of omote-12345678, and the features are of vae-00000000"
    ):
        axes.check("vae-00000000")
    reader = cast(Reader, _Coded(np.zeros((0, 4), np.float32)))
    assert gather_axes(reader) is None
    assert gather_axes(reader, [axes, axes_along("jaw open")]) == Axes(
        model=MODEL, axes=[*axes.axes, *axes_along("jaw open").axes]
    )
    with pytest.raises(OmoteError, match='two axes are called "smile"'):
        gather_axes(reader, [axes, axes])


def test_a_table_is_read_if_its_codes_are_plain_ones_of_the_model() -> None:
    table = code_columns(np.eye(4, dtype=np.float32), "z_e").assign(model=MODEL).set_index(np.arange(10, 14))
    read = axes_along("smile").read_table(table)
    assert read["axis_smile"].to_dict() == {10: 1.0, 11: 0.5, 12: 0.5, 13: 0.5}
    with pytest.raises(OmoteError, match="relative to a profile"):
        axes_along("smile").read_table(table.assign(profile="ann"))
    with pytest.raises(OmoteError, match=r"are of omote-12345678, and the features are of x"):
        axes_along("smile").read_table(table.assign(model="x"))


def test_axes_beside_a_run_add_their_columns_and_travel_with_the_model(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    axes = axes_along("jaw open", model=trained.model, size=8)
    axes.save(trained.path / AXES_FILE)
    assert axes_of(trained) == axes
    table = extract_features(trained, faces)
    expected = axes.read(trained.represent(faces.faces)[0])["axis_jaw_open"]
    np.testing.assert_allclose(table["axis_jaw_open"], expected, atol=1e-6)
    embedded, _ = embed(trained, [faces.path])
    np.testing.assert_array_equal(embedded["axis_jaw_open"], table["axis_jaw_open"])
    own = axes_along("smile", model=trained.model, size=8)
    assert {"axis_jaw_open", "axis_smile"} <= set(embed(trained, [faces.path], axes=[own])[0].columns)
    published = load(trained.save_pretrained(tmp_path / "model"))
    assert axes_of(published) == axes
    axes_along("jaw open").save(trained.path / AXES_FILE)
    with pytest.raises(OmoteError, match=r"axes\.json does not belong to this run.*or remove the file"):
        embed(trained, [faces.path])


def test_axes_of_photos_do_not_depend_on_a_profile_whose_distance_is_a_column_of_its_own(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    pictures = [np.asarray(face) for face in faces.faces[:3]]
    axes = axes_along("smile", model=trained.model, size=8)
    plain, _ = embed(trained, pictures, cropped=True, axes=[axes])
    neutral = np.full(8, 0.25, np.float32)
    profile = Profile("ann", trained.model, 5, 1, 1.0, 1.0, 0.1, 1.0, neutral)
    relative, _ = embed(trained, pictures, cropped=True, axes=[axes], profile=profile)
    np.testing.assert_array_equal(relative["axis_smile"], plain["axis_smile"])
    codes = relative.filter(regex=r"^z_e_\d+$").to_numpy()
    np.testing.assert_allclose(relative["from_usual"], np.linalg.norm(codes, axis=1), rtol=1e-5)
    assert "from_usual" not in plain
    with pytest.raises(OmoteError, match="each model has its own codes"):
        embed_to(trained, pictures, tmp_path / "t.csv", cropped=True, axes=[axes_along("smile")])
    assert not (tmp_path / "t.csv").exists()


class _Coded:
    """A reader whose codes are given; it looks at no face."""

    name, size, model = "omote", 64, MODEL
    face_set = About(importer="folder", align="none")

    def __init__(self, codes: Any) -> None:
        self.codes = np.asarray(codes, np.float32)

    def read(self, faces: Any, subjects: Any = None) -> Outputs:
        return Outputs(self.codes, np.zeros_like(self.codes), np.zeros(len(self.codes), np.float32))


def rendered(rng: np.random.Generator, people: int = 20, frames: int = 15) -> FaceSet:
    """Return a face set with random true shapes and poses, whose faces are empty."""
    count = people * frames
    truth = {f"au_{shape}": rng.uniform(0, 1, count) for shape in SHAPES}
    table = pd.DataFrame(truth).assign(
        subject=np.repeat([f"{number:04d}" for number in range(people)], frames),
        nuisance_yaw=rng.normal(0, 5, count),
        nuisance_pitch=rng.normal(0, 5, count),
        nuisance_brightness=1.0,
    )
    about = About(importer="rendered", options={"seed": 3}, align="none")
    return FaceSet(Path("rendered"), np.zeros((count, 1, 1, 3), np.uint8), table, about)


def test_axes_are_fitted_to_what_the_code_holds_and_to_nothing_else() -> None:
    rng = np.random.default_rng(0)
    face_set = rendered(rng)
    truth, yaw = true_shapes(face_set.frames), face_set.frames["nuisance_yaw"].to_numpy() / 5
    # jaw open, exactly; lip corners up with noise and the yaw; nothing of the brows
    codes = np.column_stack(
        [
            3 * truth["jaw open"] - 7,
            truth["lip corners up"] + 0.1 * rng.normal(size=len(truth)) + 0.1 * yaw,
            rng.normal(size=(len(truth), 4)),
        ]
    )
    reader = cast(Reader, _Coded(codes))
    fitted = fit_axes(reader, face_set)
    assert fitted.axes.model == MODEL
    assert sorted(fitted.axes.names) == ["jaw open", "lip corners up"]
    assert list(fitted.table["axis"][:2]) == ["jaw open", "lip corners up"]
    assert len(fitted.table) == len(UNITS)
    assert fitted.table.loc[fitted.table["axis"] == "brows up", "r2"].item() < 0.05
    scores = fitted.table.set_index("axis")
    assert scores["r2"]["jaw open"] > 0.99
    assert abs(scores["yaw"]["jaw open"]) < 0.15
    # of a truth with variance 1/24 (the mean of two), read with two noises of 0.01
    assert scores.loc["lip corners up", "r2"] == pytest.approx((1 / 24) / (1 / 24 + 0.02), abs=0.06)
    assert scores.loc["lip corners up", "yaw"] == pytest.approx(0.1 / math.sqrt(1 / 24 + 0.02), abs=0.12)
    assert "brightness" not in scores  # it does not vary
    values = fitted.axes.read(reader.read(face_set.faces).mean)
    np.testing.assert_allclose(values["axis_jaw_open"], truth["jaw open"], atol=0.02)
    how = fitted.axes.axes[0].fitted
    assert how is not None
    assert (how.people, how.faces, how.known_people) == (20, 300, False)
    assert fitted.notes == []


def test_the_score_is_of_people_held_out() -> None:
    rng = np.random.default_rng(1)
    face_set = rendered(rng, people=12)
    face_set.frames["au_jawOpen"] = rng.normal(size=12).repeat(
        15
    )  # one value for each person, who is in the code
    codes = np.eye(12)[np.repeat(np.arange(12), 15)] + rng.normal(0, 0.01, (180, 12))
    fitted = fit_axes(cast(Reader, _Coded(codes)), face_set, least_r2=-9)
    assert fitted.table.set_index("axis")["r2"]["jaw open"] < 0.1


def test_what_limits_the_fit_is_said() -> None:
    face_set = rendered(np.random.default_rng(2))
    reader = _Coded(true_shapes(face_set.frames))
    reader.face_set = About(sources=[About(importer="rendered", options={"seed": 3})], align="eyes")
    notes = fit_axes(cast(Reader, reader), face_set).notes
    assert "same seed as rendered: their R2 is not that of strangers" in notes[0]
    assert 'the alignment "eyes", and rendered has "none"' in notes[1]


def test_faces_that_tell_nothing_are_refused() -> None:
    face_set = rendered(np.random.default_rng(3), people=LEAST_PEOPLE)
    reader = cast(Reader, _Coded(np.random.default_rng(4).normal(size=(len(face_set), 4))))
    with pytest.raises(OmoteError, match="no axis can be read from the codes of omote-12345678: the best, "):
        fit_axes(reader, face_set)
    still = rendered(np.random.default_rng(3), people=LEAST_PEOPLE)
    still.frames["au_jawOpen"] = 0.0  # nothing to read, so that there is no R2, not a perfect one
    with pytest.raises(OmoteError, match="no axis can be read"):
        fit_axes(reader, still)
    still.frames.loc[:9, "au_jawOpen"] = np.nan
    with pytest.raises(OmoteError, match="10 of 150 faces have no true shapes"):
        fit_axes(reader, still)
    few = rendered(np.random.default_rng(3), people=LEAST_PEOPLE - 1)
    with pytest.raises(OmoteError, match="has 9 people; axes are fitted on at least 10"):
        fit_axes(reader, few)
    without = face_set.frames.drop(columns="au_jawOpen")
    with pytest.raises(OmoteError, match="has no column au_jawOpen"):
        fit_axes(reader, replace(face_set, frames=without))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """20 frames of a video that is not there, of which 10 to 19 are high along the first number of the code."""
    rng = np.random.default_rng(0)
    codes = rng.normal(0, 0.1, (20, 4))
    codes[10:, 0] += 1
    rows = pd.DataFrame({"source": "a.mp4", "frame": np.arange(20), "face": 0, "trusted": True, "doubt": "",
                         "model": MODEL, "yaw": 0.0, "pitch": 0.0, "roll": 0.0})  # fmt: skip
    rows.loc[10:, "yaw"] = 12.0
    save_table(
        pd.concat([rows, code_columns(codes.astype(np.float32), "z_e")], axis=1), tmp_path / "t.parquet"
    )
    return tmp_path / "t.parquet"


def frames(table: Path, *numbers: int) -> list[str]:
    return [f"{table}:{number}" for number in numbers]


def test_an_axis_between_frames_is_0_at_the_low_ones_and_1_at_the_high_ones(table: Path) -> None:
    reader = cast(Reader, _Coded(np.zeros((0, 4))))
    axes = point_axis(reader, frames(table, 0, 1, 2, 3), frames(table, 10, 11, 12, 13), "jaw open")
    codes = pd.read_parquet(table).filter(regex=r"^z_e_\d+$").to_numpy(np.float32)
    weights, offset = np.array(axes.axes[0].weights), axes.axes[0].offset
    assert (codes[:4] @ weights + offset).mean() == pytest.approx(0, abs=1e-5)
    assert (codes[10:14] @ weights + offset).mean() == pytest.approx(1, abs=1e-5)
    how = axes.axes[0].pointed
    assert how is not None
    assert (how.low, how.high, how.auc) == (4, 4, 1.0)
    assert how.margin is not None
    assert how.margin > 4
    assert how.differences == {"yaw": 12.0, "pitch": 0.0, "roll": 0.0}
    said = " ".join(describe_pointed(axes))
    assert "turned to the side by 12 degrees against the low (yaw): the axis may move with the head" in said
    assert "The pictures of 8 of the frames cannot be read" in said


def test_frames_without_a_difference_are_told_from_those_with_one(table: Path) -> None:
    reader = cast(Reader, _Coded(np.zeros((0, 4))))
    same = point_axis(reader, frames(table, 0, 1, 2, 3, 4), frames(table, 5, 6, 7, 8, 9), "jaw open")
    assert any("separates its own frames badly" in said for said in describe_pointed(same))
    one = point_axis(reader, frames(table, 0), frames(table, 10), "jaw open")
    how = one.axes[0].pointed
    assert how is not None
    assert (how.auc, how.margin) == (None, None)
    assert any("it is unknown how well the axis separates" in said for said in how.warnings)


def test_photos_are_pointed_at_and_their_light_is_compared(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    names = [tmp_path / f"{number}.png" for number in range(4)]
    for number, name in enumerate(names):
        face = np.asarray(faces.faces[[0, 1, 20, 21][number]]) // (1 if number < 2 else 2)
        Image.fromarray(face).save(name)
    axes = point_axis(trained, names[:2], names[2:], "eyes closed", cropped=True)
    how = axes.axes[0].pointed
    assert how is not None
    assert how.differences["brightness"] < -0.1
    assert any("darker than the low ones" in said for said in how.warnings)
    values, _ = embed(open_reader(trained.path), names, cropped=True, axes=[axes])
    np.testing.assert_allclose(values["axis_eyes_closed"][:2].mean(), 0, atol=0.2)
    np.testing.assert_allclose(values["axis_eyes_closed"][2:].mean(), 1, atol=0.2)


def test_photos_and_frames_of_a_turned_stream_make_one_axis(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    names = [tmp_path / f"{number}.png" for number in range(2)]
    for number, name in zip((0, 20), names, strict=True):
        Image.fromarray(np.asarray(faces.faces[number])).save(name)
    rows, _ = embed(open_reader(trained.path), names[1:], cropped=True)
    save_table(rows.assign(stream=0, turned=90), tmp_path / "t.parquet")
    axes = point_axis(trained, names[:1], frames(tmp_path / "t.parquet", 0), "smile", cropped=True)
    assert axes.names == ["smile"]


def test_what_is_no_frame_is_refused(table: Path, tmp_path: Path) -> None:
    reader = cast(Reader, _Coded(np.zeros((0, 4))))
    low, high = frames(table, 0), frames(table, 10)
    for one, other, name, message in [
        ([], high, "a", "no low frame was given"),
        (low, low, "a", "was given as low and as high"),
        ([*low, f"{table.parent}/./{table.name}:0"], high, "a", "was given twice"),
        (low, [str(table)], "a", "is a table; name one of its frames"),
        (low, [f"{table}:99"], "a", "has no face 0 in frame 99"),
        (low, [f"{table}:x"], "a", "the number of a frame"),
        (low, high, "Happiness!", "small letters"),
    ]:
        with pytest.raises(OmoteError, match=message):
            point_axis(reader, one, other, name)
    rows = pd.read_parquet(table)
    save_table(rows.assign(model="vae-00000000"), tmp_path / "other.parquet")
    with pytest.raises(OmoteError, match="is of vae-00000000, and the run is omote-12345678"):
        point_axis(reader, low, frames(tmp_path / "other.parquet", 10), "a")
    save_table(pd.concat([rows, rows.assign(source="b.mp4")]), tmp_path / "two.parquet")
    with pytest.raises(OmoteError, match="has several sources"):
        point_axis(reader, low, frames(tmp_path / "two.parquet", 10), "a")
    save_table(rows.assign(z_e_00=0.0, z_e_01=0.0, z_e_02=0.0, z_e_03=0.0), tmp_path / "same.parquet")
    with pytest.raises(OmoteError, match="have the same code"):
        point_axis(reader, frames(tmp_path / "same.parquet", 0), frames(tmp_path / "same.parquet", 1), "a")
