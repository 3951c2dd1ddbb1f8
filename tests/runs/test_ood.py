"""The out-of-distribution score of faces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs import ood
from omote.runs.ood import OodModel, fit_ood_model, log_residual, normalise_light
from omote.synthetic.prepare import prepare_drawn

Faces = NDArray[np.uint8]
TRAINED = 18  # people of `people` whose faces the model was fitted to


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """30 drawn people, 2 clips each, 240 frames."""
    folder = tmp_path_factory.mktemp("people") / "drawn"
    return prepare_drawn(folder, subjects=30, clips=2, mixtures=0, frames=4, seed=3, workers=1)


@pytest.fixture(scope="module")
def known(people: FaceSet) -> NDArray[np.bool_]:
    """Which frames the model was fitted to."""
    return people.frames["subject"].isin(people.subjects[:TRAINED]).to_numpy()


@pytest.fixture(scope="module")
def model(people: FaceSet, known: NDArray[np.bool_]) -> OodModel:
    return fit_ood_model(people.faces[known], people.frames["subject"][known].tolist())


@pytest.fixture
def strangers(people: FaceSet, known: NDArray[np.bool_]) -> Faces:
    return np.array(people.faces[~known])


def test_training_people_are_within_the_limit_and_most_other_people_too(
    model: OodModel, people: FaceSet, known: NDArray[np.bool_], strangers: Faces
) -> None:
    assert (model.distance(people.faces[known]) <= 1).all()
    distance = model.distance(strangers)
    assert np.mean(distance > 1) < 0.2  # of 12 people, one or two look like none of the 18
    assert distance.max() < 1.5


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda faces: faces[:, ::-1],
        lambda faces: 255 - faces,
        lambda faces: faces // 5,
        lambda faces: np.full_like(faces, 128),
        lambda faces: np.roll(faces, faces.shape[2] * 2 // 5, axis=2),
        lambda faces: np.random.default_rng(0).integers(0, 256, faces.shape, dtype=np.uint8),
        lambda faces: faces[:, ::8, ::8].repeat(8, 1).repeat(8, 2),
    ],
    ids=["upside down", "inverted", "dark", "grey", "shifted", "noise", "coarse"],
)
def test_corrupted_faces_exceed_the_limit(
    model: OodModel, strangers: Faces, corrupt: Callable[[Faces], Faces]
) -> None:
    assert np.mean(model.distance(corrupt(strangers)) > 1) > 0.95


def test_a_score_does_not_depend_on_the_other_faces_of_the_call(model: OodModel, strangers: Faces) -> None:
    together = model.distance(strangers)
    assert together.shape == (len(strangers),)
    assert together.dtype == np.float32
    alone = np.concatenate([model.distance(face[None]) for face in strangers])
    np.testing.assert_allclose(alone, together, rtol=1e-4)
    assert model.distance(strangers[:0]).shape == (0,)


def test_faces_of_twice_the_size_have_the_same_score(model: OodModel, strangers: Faces) -> None:
    larger = strangers.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(model.distance(larger), model.distance(strangers), rtol=1e-4)


def test_traits_of_a_grey_picture_are_its_brightness_and_no_contrast_or_sharpness() -> None:
    grey = torch.full((1, 64, 64, 3), 51, dtype=torch.uint8)
    picture, traits = normalise_light(grey, ood._make_window())
    np.testing.assert_allclose(traits[0], np.log([0.2 + 0.02, 0.01, 1e-5]), rtol=1e-4)
    np.testing.assert_allclose(picture, 0, atol=1e-4)


def test_brightness_and_contrast_do_not_change_the_thumbnail() -> None:
    faces = np.random.default_rng(0).integers(0, 100, (3, 32, 32, 3)).astype(np.uint8)
    window = ood._make_window()
    plain, traits = normalise_light(torch.as_tensor(faces), window)
    other, changed = normalise_light(torch.as_tensor(2 * faces + 20), window)
    np.testing.assert_allclose(other, plain, atol=1e-3)
    assert (changed > traits).all()
    np.testing.assert_allclose(plain.square().mean(1), 1, rtol=1e-3)


def test_pixels_outside_the_ellipse_hardly_change_the_score(model: OodModel, strangers: Faces) -> None:
    other = strangers.copy()
    other[:, :3] = other[:, -3:] = other[:, :, :5] = other[:, :, -5:] = 0
    np.testing.assert_allclose(model.distance(other), model.distance(strangers), atol=0.1)


def test_the_residual_is_the_part_orthogonal_to_the_components() -> None:
    components = torch.eye(8)[:2]
    inside, across = torch.tensor([3.0, 4, 0, 0, 0, 0, 0, 0]), torch.tensor([0.0, 0, 0, 0, 2, 0, 0, 0])
    mean = torch.ones(8)
    found = log_residual(torch.stack([mean + inside, mean + inside + across]), mean, components)
    np.testing.assert_allclose(found[:, 0], np.log([1e-5, 4 / 8]), rtol=1e-5)


def test_the_components_are_orthonormal(model: OodModel) -> None:
    assert len(model.components) == TRAINED * 8 // 10
    np.testing.assert_allclose(
        model.components @ model.components.T, np.eye(len(model.components)), atol=1e-3
    )


def test_the_limit_is_the_99th_percentile_of_left_out_people(people: FaceSet) -> None:
    window, subject = ood._make_window(), people.frames["subject"]
    of_two = [np.array(people.faces[(subject == name).to_numpy()]) for name in people.subjects[:2]]
    one, other = (normalise_light(torch.as_tensor(faces), window) for faces in of_two)
    left_out = [
        ood._fit(*one, window, 1).score(*other),
        ood._fit(*other, window, 1).score(*one),
    ]
    limit = np.quantile(torch.cat(left_out), 0.99)
    both = np.concatenate(of_two)
    without_limit = ood._fit(*normalise_light(torch.as_tensor(both), window), window, 1).distance(both)
    found = fit_ood_model(both, ["a"] * len(of_two[0]) + ["b"] * len(of_two[1])).distance(both)
    np.testing.assert_allclose(found, without_limit / limit, rtol=1e-4)


def test_two_people_have_a_wide_limit_and_one_has_none(people: FaceSet, strangers: Faces) -> None:
    of_two = people.frames["subject"].isin(people.subjects[:2]).to_numpy()
    few, who = people.faces[of_two], people.frames["subject"][of_two]
    model = fit_ood_model(few, who.tolist())
    assert (model.distance(few) <= 1).all()
    assert (model.distance(np.full_like(few, 128)) > 1).all()
    alone = (who == people.subjects[0]).to_numpy()
    assert np.isnan(fit_ood_model(few[alone], who[alone].tolist()).distance(strangers)).all()


def test_equal_faces_give_a_limit_too(strangers: Faces) -> None:
    same = np.repeat(strangers[:1], 20, axis=0)
    model = fit_ood_model(same, ["a", "b"] * 10)
    assert len(model.components) == 0
    np.testing.assert_allclose(model.distance(same), 0, atol=0.01)
    assert (model.distance(np.full_like(same, 128)) > 1).all()


def test_the_number_of_faces_is_limited_evenly_over_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ood, "MAX_FACES", 60)
    subjects = np.array(["a"] * 1000 + ["b"] * 10 + ["c"] * 1000)
    rows, who = ood._choose_rows(subjects)
    assert np.bincount(who).tolist() == [20, 10, 20]
    assert (np.diff(rows) > 0).all()
    assert [rows[who == 0][0], rows[who == 0][-1]] == [0, 999]
    assert len(ood._choose_rows(np.arange(200).astype(str))[0]) == 60


def test_the_same_faces_give_the_same_model(people: FaceSet) -> None:
    who = people.frames["subject"].tolist()
    one, other = (fit_ood_model(people.faces, who).state_dict() for _ in range(2))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, other[name])


def test_a_saved_model_is_small_and_gives_the_same_scores(
    model: OodModel, strangers: Faces, tmp_path: Path
) -> None:
    path = tmp_path / "reference.safetensors"
    model.save(path)
    assert path.stat().st_size < 500_000
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(OodModel.load(path).distance(strangers), model.distance(strangers))


def test_missing_damaged_and_foreign_files_are_refused(model: OodModel, tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    with pytest.raises(OmoteError, match="is damaged or not an out-of-distribution model"):
        OodModel.load(path)
    model.save(path)
    whole, arrays = path.read_bytes(), load_file(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OmoteError, match="Train the run again"):
        OodModel.load(path)
    for wrong in (
        {name: array for name, array in arrays.items() if name != "scale"},
        arrays | {"scale": arrays["scale"].astype(np.float64)},
        arrays | {"components": arrays["components"][:, :10].copy()},
        arrays | {"components": np.array(1, np.float32)},
    ):
        save_file(wrong, path)
        with pytest.raises(OmoteError, match="holds other arrays than it should"):
            OodModel.load(path)
