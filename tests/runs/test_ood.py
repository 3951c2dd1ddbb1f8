"""How unlike the faces of a training a face is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs import ood as module
from omote.runs.ood import OodModel, fit_ood_model, log_residual, normalise_light
from omote.synthetic.prepare import prepare_drawn

Faces = NDArray[np.uint8]
TRAINED = 18  # people of `people` whose faces the reference has seen


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """30 drawn people, 2 clips each, 240 frames."""
    folder = tmp_path_factory.mktemp("people") / "drawn"
    return prepare_drawn(folder, subjects=30, clips=2, mixtures=0, frames=4, seed=3, workers=1)


@pytest.fixture(scope="module")
def known(people: FaceSet) -> NDArray[np.bool_]:
    """Which frames the reference was made of."""
    return people.frames["subject"].isin(people.subjects[:TRAINED]).to_numpy()


@pytest.fixture(scope="module")
def reference(people: FaceSet, known: NDArray[np.bool_]) -> OodModel:
    return fit_ood_model(people.faces[known], people.frames["subject"][known].tolist())


@pytest.fixture
def strangers(people: FaceSet, known: NDArray[np.bool_]) -> Faces:
    return np.array(people.faces[~known])


def test_people_of_the_training_are_not_doubted_and_strangers_alike_hardly(
    reference: OodModel, people: FaceSet, known: NDArray[np.bool_], strangers: Faces
) -> None:
    assert (reference.distance(people.faces[known]) <= 1).all()
    distance = reference.distance(strangers)
    assert np.mean(distance > 1) < 0.2  # of 12 people, one or two look like none of the 18
    assert distance.max() < 1.5


@pytest.mark.parametrize(
    "spoil",
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
def test_spoilt_faces_are_doubted(
    reference: OodModel, strangers: Faces, spoil: Callable[[Faces], Faces]
) -> None:
    assert np.mean(reference.distance(spoil(strangers)) > 1) > 0.95


def test_a_face_is_as_far_alone_as_among_others(reference: OodModel, strangers: Faces) -> None:
    together = reference.distance(strangers)
    assert together.shape == (len(strangers),)
    assert together.dtype == np.float32
    alone = np.concatenate([reference.distance(face[None]) for face in strangers])
    np.testing.assert_allclose(alone, together, rtol=1e-4)
    assert reference.distance(strangers[:0]).shape == (0,)


def test_faces_of_twice_the_side_are_as_far(reference: OodModel, strangers: Faces) -> None:
    larger = strangers.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(reference.distance(larger), reference.distance(strangers), rtol=1e-4)


def test_a_grey_picture_has_its_brightness_and_neither_contrast_nor_edges() -> None:
    grey = torch.full((1, 64, 64, 3), 51, dtype=torch.uint8)
    picture, traits = normalise_light(grey, module._make_window())
    np.testing.assert_allclose(traits[0], np.log([0.2 + 0.02, 0.01, 1e-5]), rtol=1e-4)
    np.testing.assert_allclose(picture, 0, atol=1e-4)


def test_light_and_contrast_leave_the_small_picture_as_it_is() -> None:
    faces = np.random.default_rng(0).integers(0, 100, (3, 32, 32, 3)).astype(np.uint8)
    window = module._make_window()
    plain, traits = normalise_light(torch.as_tensor(faces), window)
    other, changed = normalise_light(torch.as_tensor(2 * faces + 20), window)
    np.testing.assert_allclose(other, plain, atol=1e-3)
    assert (changed > traits).all()
    np.testing.assert_allclose(plain.square().mean(1), 1, rtol=1e-3)


def test_what_lies_outside_the_ellipse_hardly_counts(reference: OodModel, strangers: Faces) -> None:
    other = strangers.copy()
    other[:, :3] = other[:, -3:] = other[:, :, :5] = other[:, :, -5:] = 0
    np.testing.assert_allclose(reference.distance(other), reference.distance(strangers), atol=0.1)


def test_components_leave_over_what_is_across_them_and_nothing_else() -> None:
    components = torch.eye(8)[:2]
    inside, across = torch.tensor([3.0, 4, 0, 0, 0, 0, 0, 0]), torch.tensor([0.0, 0, 0, 0, 2, 0, 0, 0])
    mean = torch.ones(8)
    found = log_residual(torch.stack([mean + inside, mean + inside + across]), mean, components)
    np.testing.assert_allclose(found[:, 0], np.log([1e-5, 4 / 8]), rtol=1e-5)


def test_the_components_are_orthonormal(reference: OodModel) -> None:
    assert len(reference.components) == TRAINED * 8 // 10
    np.testing.assert_allclose(
        reference.components @ reference.components.T, np.eye(len(reference.components)), atol=1e-3
    )


def test_the_limit_is_the_99th_percentile_of_people_left_out(people: FaceSet) -> None:
    window, subject = module._make_window(), people.frames["subject"]
    of_two = [np.array(people.faces[(subject == name).to_numpy()]) for name in people.subjects[:2]]
    one, other = (normalise_light(torch.as_tensor(faces), window) for faces in of_two)
    left_out = [
        module._fit(*one, window, 1).score(*other),
        module._fit(*other, window, 1).score(*one),
    ]
    limit = np.quantile(torch.cat(left_out), 0.99)
    both = np.concatenate(of_two)
    without_limit = module._fit(*normalise_light(torch.as_tensor(both), window), window, 1).distance(both)
    found = fit_ood_model(both, ["a"] * len(of_two[0]) + ["b"] * len(of_two[1])).distance(both)
    np.testing.assert_allclose(found, without_limit / limit, rtol=1e-4)


def test_two_people_have_a_wide_limit_and_one_has_none(people: FaceSet, strangers: Faces) -> None:
    of_two = people.frames["subject"].isin(people.subjects[:2]).to_numpy()
    few, who = people.faces[of_two], people.frames["subject"][of_two]
    reference = fit_ood_model(few, who.tolist())
    assert (reference.distance(few) <= 1).all()
    assert (reference.distance(np.full_like(few, 128)) > 1).all()
    alone = (who == people.subjects[0]).to_numpy()
    assert np.isnan(fit_ood_model(few[alone], who[alone].tolist()).distance(strangers)).all()


def test_faces_that_are_all_the_same_give_a_limit_too(strangers: Faces) -> None:
    same = np.repeat(strangers[:1], 20, axis=0)
    reference = fit_ood_model(same, ["a", "b"] * 10)
    assert len(reference.components) == 0
    np.testing.assert_allclose(reference.distance(same), 0, atol=0.01)
    assert (reference.distance(np.full_like(same, 128)) > 1).all()


def test_only_so_many_faces_are_looked_at_and_nobody_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FACES", 60)
    subjects = np.array(["a"] * 1000 + ["b"] * 10 + ["c"] * 1000)
    rows, who = module._choose_rows(subjects)
    assert np.bincount(who).tolist() == [20, 10, 20]
    assert (np.diff(rows) > 0).all()
    assert [rows[who == 0][0], rows[who == 0][-1]] == [0, 999]
    assert len(module._choose_rows(np.arange(200).astype(str))[0]) == 60


def test_the_same_faces_give_the_same_reference(people: FaceSet) -> None:
    who = people.frames["subject"].tolist()
    one, other = (fit_ood_model(people.faces, who).state_dict() for _ in range(2))
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, other[name])


def test_a_saved_reference_is_small_and_says_the_same(
    reference: OodModel, strangers: Faces, tmp_path: Path
) -> None:
    path = tmp_path / "reference.safetensors"
    reference.save(path)
    assert path.stat().st_size < 500_000
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(OodModel.load(path).distance(strangers), reference.distance(strangers))


def test_what_is_no_reference_or_a_damaged_one_says_so(reference: OodModel, tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    with pytest.raises(OmoteError, match="is damaged or something else"):
        OodModel.load(path)
    reference.save(path)
    whole, arrays = path.read_bytes(), load_file(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OmoteError, match="train the run again"):
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
