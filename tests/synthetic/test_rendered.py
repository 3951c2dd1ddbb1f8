"""Rendered faces: both forms of the model are read, the table holds the true factors, and faces move plausibly."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import BOX, LANDMARKS
from omote.errors import OmoteError
from omote.synthetic import prepare as prepare_module
from omote.synthetic import rendered
from omote.synthetic.plan import intensity_curve
from omote.synthetic.prepare import prepare_rendered
from omote.synthetic.rendered import model as model_module
from omote.synthetic.rendered import subject as subject_module
from omote.synthetic.rendered.expressions import (
    MAX_STRENGTH,
    PAIRED_UNITS,
    PROTOTYPES,
    SHAPE_INDEX,
    SHAPES,
    SINGLE_UNITS,
    add_involuntary_movements,
    animate,
    is_possible,
    random_mixture,
    random_speech,
)
from omote.synthetic.rendered.factors import Appearance, Nuisance
from omote.synthetic.rendered.model import FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head
from omote.synthetic.rendered.subject import IDENTITY_NAMES, RenderedOptions, render_subject
from omote.synthetic.rendered.wild import MAX_WILD_ROTATION, Wild

SMALL = RenderedOptions(subjects=3, clips=8, mixtures=2, frames=6)
AU = [f"au_{shape}" for shape in SHAPES]


@pytest.fixture(scope="module")
def face_model(model_file: Path) -> FaceModel:
    return read_face_model(model_file)


# The model


@pytest.fixture
def arrays(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """The arrays of a model of 5 vertices, a quad and a triangle; the reader is set to expect that many."""
    monkeypatch.setattr(model_module, "NUM_VERTICES", 5)
    monkeypatch.setattr(model_module, "NUM_TRIANGLES", 3)
    rng = np.random.default_rng(0)
    return {
        "base": rng.normal(0, 5, (5, 3)).astype(np.float32),
        "identity": rng.normal(0, 0.3, (100, 5, 3)).astype(np.float16),
        "expression": rng.normal(0, 0.3, (57, 5, 3)).astype(np.float16),
        "expression_names": np.array(SHAPES),
        "quads": np.array([[0, 1, 2, 3]], np.int32),
        "triangles": np.array([[0, 3, 4]], np.int32),
    }


def write_file(arrays: dict[str, np.ndarray], folder: Path) -> Path:
    np.savez_compressed(folder / "model.npz", **arrays)  # type: ignore[arg-type]
    return folder / "model.npz"


def write_folder(arrays: dict[str, np.ndarray], folder: Path) -> Path:
    """Write the model as published: one OBJ file per mesh, with faces as v/vt and as v/vt/vn."""
    (folder / "FaceXModel").mkdir()
    meshes = {"generic_neutral_mesh": arrays["base"]}
    meshes |= {f"identity{k:03d}": arrays["base"] + offsets for k, offsets in enumerate(arrays["identity"])}
    meshes |= {n: arrays["base"] + offsets for n, offsets in zip(SHAPES, arrays["expression"], strict=True)}
    for name, vertices in meshes.items():
        lines = ["mtllib ICTFaceModelMaterial.mtl", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)]
        lines += ["vt 0.1 0.2", "vt 0.3 0.4", "vn 0 0 1", "usemtl skin"]
        lines += ["f 1/1/1 4/2/1 5/1/1", "f 1/1 2/2 3/1 4/2"]
        (folder / "FaceXModel" / f"{name}.obj").write_text("\n".join(lines) + "\n")
    (folder / "FaceXModel" / "vertex_indices.json").write_text("{}")
    return folder / "FaceXModel"


def test_the_published_folder_and_the_arrays_give_the_same_model(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    packed, published = (
        read_face_model(write_file(arrays, tmp_path)),
        read_face_model(write_folder(arrays, tmp_path)),
    )
    assert packed.expression_names == published.expression_names == SHAPES
    np.testing.assert_array_equal(packed.triangles, published.triangles)
    np.testing.assert_array_equal(packed.triangles, [[0, 1, 2], [0, 2, 3], [0, 3, 4]])
    for name in ("base", "identity", "expression"):
        one, other = getattr(packed, name), getattr(published, name)
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=3e-6)
    assert read_face_model(tmp_path).sha256() == published.sha256()  # the parent folder
    assert packed.sha256() != published.sha256()  # they differ by rounding


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / f"{name}.obj"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "identity042.obj").unlink(), "identity042.obj is missing"),
        (lambda folder: (folder / "jawOpen.obj").unlink(), "56 of expressions, expected 100 and 57"),
        (
            lambda folder: (folder / "jawOpen.obj").rename(folder / "jawShut.obj"),
            r"shapes differ \(jawOpen, jawShut\)",
        ),
        (
            lambda folder: (folder / "generic_neutral_mesh.obj").unlink(),
            "There is no generic_neutral_mesh.obj",
        ),
        (edit("jawOpen", "vt 0.1", "v 1 2 3\nvt 0.1"), "jawOpen.obj has 6 vertices"),
        (edit("jawOpen", "v ", "v 1.0x "), "jawOpen.obj is damaged"),
        (edit("jawOpen", "v ", "v nan "), "jawOpen.obj is damaged"),
        (edit("jawOpen", "\nv ", "\nv 1 2\nv "), "jawOpen.obj is damaged"),
        (edit("generic_neutral_mesh", "f 1/1 2/2 3/1 4/2", "f 1/1 2/2"), "neutral_mesh.obj is damaged"),
        (
            edit("generic_neutral_mesh", "f 1/1 2/2 3/1 4/2\n", ""),
            r"triangles are \(1, 3\), expected \(3, 3\)",
        ),
        (edit("generic_neutral_mesh", "f 1/1 2/2", "f 1/1 9/2"), "a missing vertex"),
    ],
)
def test_an_incomplete_folder_is_refused_with_a_message(
    arrays: dict[str, np.ndarray], tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    folder = write_folder(arrays, tmp_path)
    damage(folder)
    with pytest.raises(OmoteError, match=message):
        read_face_model(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"identity": None}, "has no array identity"),
        ({"base": np.array([None])}, "cannot be read as a face model"),  # a pickle is never opened
        ({"quads": np.arange(4)}, "cannot be read as a face model"),
        ({"expression": np.zeros((53, 5, 3))}, r"are \(53, 5, 3\), expected \(57, 5, 3\)"),
        ({"base": np.full((5, 3), np.nan)}, "is damaged"),
    ],
)
def test_an_incomplete_file_is_refused_with_a_message(
    arrays: dict[str, np.ndarray], tmp_path: Path, damage: dict[str, np.ndarray | None], message: str
) -> None:
    damaged = {name: array for name, array in {**arrays, **damage}.items() if array is not None}
    with pytest.raises(OmoteError, match=message):
        read_face_model(write_file(damaged, tmp_path))


def test_anything_else_is_refused_with_the_address_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "photo.npz").write_bytes(b"PK not really")
    for wrong in (tmp_path / "photo.npz", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(OmoteError, match=r"https://github.com/ICT-VGL/ICT-FaceKit"):
            read_face_model(wrong)


def test_left_shapes_move_the_left_of_the_person_and_right_shapes_mirror_them(face_model: FaceModel) -> None:
    for unit in PAIRED_UNITS:
        amounts = {
            side: np.linalg.norm(face_model.expression[SHAPE_INDEX[f"{unit}_{side}"]], axis=1)
            for side in "LR"
        }
        x = {side: amount @ face_model.base[:, 0] / amount.sum() for side, amount in amounts.items()}
        assert x["L"] > 0.5, unit
        assert x["R"] == pytest.approx(-x["L"], rel=0.05), unit


# Expressions


def test_a_face_can_make_every_prototype() -> None:
    assert len(SHAPES) == 57
    assert set(MAX_STRENGTH) < set(PAIRED_UNITS) | set(SINGLE_UNITS)
    for name, prototype in PROTOTYPES.items():
        assert set(prototype) <= set(MAX_STRENGTH), name
        assert all(0 < amount <= MAX_STRENGTH[unit] for unit, amount in prototype.items()), name
        assert is_possible(prototype), name


def test_mixtures_are_2_to_6_compatible_units_and_every_unit_occurs() -> None:
    mixtures = [random_mixture(np.random.default_rng(seed)) for seed in range(400)]
    assert {len(mixture.keys() - {"mouthClose"}) for mixture in mixtures} == {2, 3, 4, 5, 6}
    assert set().union(*mixtures) == set(MAX_STRENGTH) | {"mouthClose"}
    for mixture in mixtures:
        assert is_possible(mixture), mixture
        assert all(0.3 * MAX_STRENGTH[unit] <= amount <= MAX_STRENGTH[unit] for unit, amount in mixture.items()
                   if unit != "mouthClose")  # fmt: skip
        assert mixture.get("mouthClose", 0) in (0, mixture.get("jawOpen"))
    assert not is_possible(["eyeBlink", "browDown", "eyeWide"])
    assert not is_possible(["mouthSmile", "mouthPucker"])


def test_both_sides_move_nearly_alike_or_one_side_alone() -> None:
    intensity = intensity_curve(12, False, 1.0)
    both, left, right = (
        animate({"mouthSmile": 0.8, "jawOpen": 0.5}, intensity, side, np.random.default_rng(1))
        for side in (0.0, 1.0, -1.0)
    )
    smile_left, smile_right, jaw = (SHAPE_INDEX[name] for name in ("mouthSmile_L", "mouthSmile_R", "jawOpen"))
    np.testing.assert_allclose(both[:, smile_left], both[:, smile_right], atol=0.1)
    assert left[-1, smile_left] == right[-1, smile_right] == pytest.approx(0.8)
    assert left[-1, smile_right] < 0.1 > right[-1, smile_left]
    assert left[-1, jaw] == right[-1, jaw] == 0.5
    moved = np.flatnonzero(both.any(axis=0))
    assert set(moved) == {smile_left, smile_right, jaw}
    assert (np.diff(both[:, moved], axis=0) >= 0).all()


def test_lips_stay_closed_over_a_dropping_jaw() -> None:
    for seed in range(20):
        intensity, rng = intensity_curve(12, True, 1.0), np.random.default_rng(seed)
        moved = animate({"mouthClose": 0.5, "jawOpen": 0.5}, intensity, 0.0, rng)
        np.testing.assert_array_equal(moved[:, SHAPE_INDEX["mouthClose"]], moved[:, SHAPE_INDEX["jawOpen"]])


def test_involuntary_movements_are_plausible_and_blinks_avoid_the_given_frames() -> None:
    without_blink = np.arange(12) >= 9
    wide = np.zeros((12, 57))
    wide[:, [SHAPE_INDEX["eyeWide_L"], SHAPE_INDEX["eyeWide_R"]]] = 1
    shut = np.zeros(12)
    for seed in range(200):
        out = add_involuntary_movements(wide, without_blink, np.random.default_rng(seed))
        assert out.min() >= 0
        assert out.max() <= 1
        of = {name: out[:, index] for name, index in SHAPE_INDEX.items()}
        for one, other in (
            ("eyeLookIn_L", "eyeLookOut_L"),
            ("eyeLookIn_R", "eyeLookOut_R"),
            ("eyeLookUp_L", "eyeLookDown_L"),
            ("eyeLookIn_L", "eyeLookIn_R"),
        ):
            assert not (of[one] * of[other]).any()
            assert max(of[one].max(), of[other].max()) <= 0.25
        np.testing.assert_allclose(of["eyeWide_L"], 1 - of["eyeBlink_L"])  # an eye that blinks is not wide
        shut = np.maximum(shut, of["eyeBlink_L"])
    assert shut[~without_blink].min() > 0.3
    assert not shut[without_blink].any()


# All clips of a person


@pytest.mark.parametrize(("subjects", "total"), [(215, 29_085), (3, 120), (7, 1_001)])
def test_a_total_number_of_frames_is_met_exactly_and_shared_evenly(subjects: int, total: int) -> None:
    options = RenderedOptions(subjects=subjects, total=total)
    lengths = [options.clip_lengths(index) for index in range(subjects)]
    people = [sum(clips) for clips in lengths]
    assert sum(people) == total
    assert max(people) - min(people) <= 1
    for clips in lengths:
        assert len(clips) == 10
        assert max(clips) - min(clips) <= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subjects": 0}, "subjects is 0"),
        ({"size": 100}, "expected 64 or 128"),
        ({"subjects": 10, "total": 399}, "10 people with 10 clips of at least 4 frames are 400"),
    ],
)
def test_impossible_options_are_refused_with_a_message(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(OmoteError, match=f"rendered faces: .*{message}"):
        RenderedOptions(**wrong)  # type: ignore[arg-type]


@pytest.fixture
def without_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every image grey without rendering it, for tests of the table alone."""

    class Grey:
        def __init__(self, model: FaceModel, identity: np.ndarray, appearance: Appearance) -> None:
            pass

        def render(
            self, coefficients: np.ndarray, now: Nuisance, size: int, wild: Wild | None
        ) -> SimpleNamespace:
            return SimpleNamespace(
                image=np.full((size, size, 3), 128, np.uint8), landmarks=np.zeros((5, 2)), box=np.zeros(4)
            )

    monkeypatch.setattr(subject_module, "Head", Grey)


NOTHING = np.empty(0)
NO_MODEL = FaceModel(NOTHING, NOTHING, NOTHING, SHAPES, NOTHING)


def table(options: RenderedOptions, index: int) -> pd.DataFrame:
    return render_subject(NO_MODEL, options, index)[1]


@pytest.mark.usefixtures("without_rendering")
def test_the_table_has_every_true_factor_as_a_number_in_its_range() -> None:
    frames = table(SMALL, 1)
    names = [f"id_{field.name}" for field in fields(Appearance)]
    names += [f"nuisance_{field.name}" for field in fields(Nuisance)]
    assert {*IDENTITY_NAMES, *names, *AU, *BOX, *LANDMARKS} < set(frames.columns)
    for name in (*IDENTITY_NAMES, *names, *AU):
        assert frames[name].dtype == np.float64, name
        assert np.isfinite(frames[name]).all(), name
    assert len([name for name in frames.columns if name.startswith("au_")]) == 57
    assert ((frames[AU] >= 0) & (frames[AU] <= 1)).all(axis=None)
    assert (frames[[name for name in frames.columns if name.startswith("id_")]].nunique() == 1).all()
    assert (frames[["nuisance_yaw", "nuisance_pitch", "nuisance_roll"]].abs() <= 15).all(axis=None)
    assert frames["nuisance_room"].nunique() == 1  # one session per person
    assert frames["frame"].tolist() == list(range(6)) * 10
    assert frames["time"].iloc[5] == pytest.approx(0.2)


@pytest.mark.usefixtures("without_rendering")
def test_only_apex_frames_are_labelled_and_three_frames_per_clip_are_scored() -> None:
    frames = table(replace(SMALL, frames=12, mixtures=30, seed=3), 0)
    meant = [name for name in AU if not name.startswith(("au_eyeLook", "au_PupilDilate", "au_eyeBlink"))]
    for clip, rows in frames.groupby("clip"):
        labelled, scored = rows["expression"].notna().to_numpy(), (rows["use"] == "both").to_numpy()
        strength = rows[meant].sum(axis=1).to_numpy()
        if str(clip).startswith("mixture"):
            assert not labelled.any()
            assert not scored.any()
            assert 0 < (rows[meant].max() > 0.05).sum() <= 12
        else:
            assert set(rows["expression"].dropna()) == {clip}
            assert scored.sum() == 3
            assert labelled[scored].all()
        if clip == "neutral":
            assert labelled.all()
            assert rows[meant].to_numpy().max() <= 0.05
        elif labelled.any():
            assert strength[0] == 0
            assert not labelled[0]
            assert strength[labelled].min() > 0.75 * strength.max()
            assert strength[~labelled].max() < strength[labelled].max()
            assert rows["au_eyeBlink_L"][labelled].max() < 0.3  # no blink
    contempt = frames[frames["clip"] == "contempt"]
    sides = contempt[["au_mouthSmile_L", "au_mouthSmile_R"]].max().sort_values().tolist()
    assert sides[0] < 0.25 * sides[1]


@pytest.mark.usefixtures("without_rendering")
def test_a_person_depends_on_seed_and_index_and_a_clip_not_on_the_others() -> None:
    mine = table(SMALL, 1)
    table(SMALL, 2)
    pd.testing.assert_frame_equal(table(replace(SMALL, subjects=50), 1), mine)
    few = table(replace(SMALL, clips=2, mixtures=1), 1)
    pd.testing.assert_frame_equal(few.iloc[:12], mine.iloc[:12])
    pd.testing.assert_frame_equal(few.iloc[12:], mine.iloc[48:54].set_index(few.index[12:]))
    for other in (table(replace(SMALL, seed=1), 1), table(SMALL, 2)):
        names = list(IDENTITY_NAMES)
        assert (other[names].iloc[0] != mine[names].iloc[0]).mean() > 0.9


@pytest.mark.usefixtures("without_rendering")
def test_wild_people_keep_what_they_wear_and_turn_further_and_the_studio_stays_as_it_is() -> None:
    options = replace(SMALL, mixtures=30, wild=True)
    people = [table(options, index) for index in range(4)]
    for frames in people:
        for name in ("glasses", "hat", "cast_hue", "jpeg"):
            assert frames[f"nuisance_{name}"].nunique() == 1
        assert np.isfinite(frames[[f"nuisance_{field.name}" for field in fields(Wild)]]).all(axis=None)
        assert ((frames[AU] >= 0) & (frames[AU] <= 1)).all(axis=None)
    everyone = pd.concat(people)
    angles = everyone[["nuisance_yaw", "nuisance_pitch", "nuisance_roll"]].abs()
    assert 20 < angles.to_numpy().max() <= MAX_WILD_ROTATION
    assert 0 < (everyone["nuisance_cover"] > 0).mean() < 0.3
    studio = table(SMALL, 0)
    assert not any(f"nuisance_{field.name}" in studio for field in fields(Wild))
    assert people[0]["id_skin_tone"].iloc[0] == studio["id_skin_tone"].iloc[0]


def test_a_speaking_mouth_opens_and_closes_and_nothing_else_moves() -> None:
    speech = random_speech(200, np.random.default_rng(0))
    assert ((speech >= 0) & (speech <= 1)).all()
    jaw = speech[:, SHAPE_INDEX["jawOpen"]]
    assert (jaw == 0).any()
    assert jaw.max() > 0.05
    still = [index for shape, index in SHAPE_INDEX.items() if not shape.startswith(("jaw", "mouth"))]
    assert (speech[:, still] == 0).all()
    assert (speech[jaw > 0.05][:, SHAPE_INDEX["mouthPress_L"]] == 0).all()


@pytest.mark.parametrize("wild", [False, True])
def test_a_frame_can_be_rerendered_from_its_row(face_model: FaceModel, wild: bool) -> None:
    options = replace(SMALL, clips=1, mixtures=0, frames=4, wild=wild)
    faces, frames = render_subject(face_model, options, 2)
    assert faces.shape == (4, 64, 64, 3)
    assert not np.array_equal(faces[0], faces[3])
    appearance = Appearance(
        **{field.name: float(frames[f"id_{field.name}"].iloc[0]) for field in fields(Appearance)}
    )
    head = Head(face_model, frames[list(IDENTITY_NAMES)].iloc[0].to_numpy(float), appearance)
    for k in (3, 1):
        row = frames.iloc[k]
        now = {field.name: float(row[f"nuisance_{field.name}"]) for field in fields(Nuisance)}
        added = {field.name: float(row[f"nuisance_{field.name}"]) for field in fields(Wild) if wild}
        worn = Wild(**added) if wild else None
        again = head.render(row[AU].to_numpy(float), Nuisance(**now), 64, worn)
        np.testing.assert_array_equal(again.image, faces[k])
        np.testing.assert_array_equal(again.landmarks.ravel(), row[list(LANDMARKS)].to_numpy(float))
        np.testing.assert_array_equal(again.box, row[list(BOX)].to_numpy(float))


def test_a_face_set_does_not_depend_on_the_workers(
    face_model: FaceModel, model_file: Path, tmp_path: Path
) -> None:
    options = RenderedOptions(subjects=2, clips=1, mixtures=0, total=9, seed=4)
    face_set = prepare_rendered(model_file, tmp_path / "faces", workers=2, **asdict(options))
    alone = [render_subject(face_model, options, index) for index in (1, 0)]
    np.testing.assert_array_equal(face_set.faces, np.concatenate([alone[1][0], alone[0][0]]))
    names = [*IDENTITY_NAMES, *AU, *LANDMARKS]
    np.testing.assert_array_equal(face_set.frames[names], pd.concat([alone[1][1], alone[0][1]])[names])
    assert len(face_set) == 9
    assert face_set.about.importer == "rendered"
    assert face_set.about.options == {**asdict(options), "model_sha256": face_model.sha256()}
    assert "MIT" in str(face_set.about.licence)


@pytest.mark.usefixtures("without_rendering")
def test_an_interrupted_preparation_resumes_with_the_same_model_only(
    arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, to, asked = write_file(arrays, tmp_path), tmp_path / "faces", []

    def interrupt(model: FaceModel, options: RenderedOptions, index: int) -> tuple[np.ndarray, pd.DataFrame]:
        asked.append(index)
        if asked == [0, 1]:
            raise KeyboardInterrupt
        return render_subject(model, options, index)

    monkeypatch.setattr(prepare_module, "render_subject", interrupt)
    options: dict[str, Any] = {"subjects": 3, "clips": 1, "frames": 4, "workers": 1}
    with pytest.raises(KeyboardInterrupt):
        prepare_rendered(file, to, **options)
    write_file({**arrays, "base": arrays["base"] + 1}, tmp_path)
    with pytest.raises(OmoteError, match="model_sha256"):
        prepare_rendered(file, to, **options)
    write_file(arrays, tmp_path)
    assert len(prepare_rendered(file, to, **options)) == 3 * 3 * 4
    assert asked == [0, 1, 1, 2]


def test_a_missing_model_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"There is no face model at .*Get it from https://"):
        prepare_rendered(tmp_path / "nowhere", tmp_path / "faces")
    assert not list(tmp_path.iterdir())


def test_public_names_are_there() -> None:
    assert all(hasattr(rendered, name) for name in rendered.__all__)
