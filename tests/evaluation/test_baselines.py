"""Codes that nobody trained."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import pairwise_distances

from omote.data.face_set import About, FaceSet
from omote.errors import OmoteError
from omote.evaluation import baselines
from omote.evaluation.baselines import pixel_pca, random_network
from omote.methods.vae import Vae
from omote.runs.config import TrainConfig
from omote.runs.info import RunInfo
from omote.runs.trained import Trained, build_method

Faces = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def three_directions() -> Faces:
    """60 faces of 64 px in three brightnesses each: of the top, of the middle's green, of the bottom."""
    amounts = np.random.default_rng(0).integers(0, 80, size=(60, 3)).astype(np.uint8)
    faces = np.full((60, 64, 64, 3), 100, np.uint8)
    faces[:, :20] += amounts[:, 0, None, None, None]
    faces[:, 20:40, :, 1] += amounts[:, 1, None, None]
    faces[:, 40:] += amounts[:, 2, None, None, None]
    return faces


def test_the_random_network_is_the_encoder_that_a_training_begins_with(faces: FaceSet) -> None:
    config = TrainConfig(method="vae", seed=3)
    method = build_method(RunInfo(config, 64, ["a"], [], About())).eval()
    expected = Trained(Path("nowhere"), RunInfo(config, 64, ["a"], [], About()), method).represent(
        faces.faces
    )[0]
    assert isinstance(method, Vae)
    np.testing.assert_allclose(random_network(64, seed=3)(faces.faces), expected, atol=1e-6)


def test_the_random_network_tells_faces_apart_and_is_the_same_twice(faces: FaceSet) -> None:
    before = torch.random.get_rng_state()
    codes = random_network(64)(faces.faces)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert codes.shape == (40, 64)
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(random_network(64)(faces.faces), codes)
    assert np.abs(random_network(64, seed=1)(faces.faces) - codes).max() > 0.1

    # as they are and standardised: different pictures have different codes, and no number of the code is idle
    pictures = faces.faces.reshape(40, -1).astype(float)
    different = pairwise_distances(pictures) > 0
    for each in (codes, (codes - codes.mean(axis=0)) / codes.std(axis=0)):
        apart = pairwise_distances(each.astype(float))
        assert apart[different].min() > 1e-3 * apart.mean()
    assert codes.std(axis=0).min() > 0.01 * codes.std()


@pytest.mark.parametrize("size", [64, 128])
def test_the_signal_keeps_its_size_through_the_random_network(size: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(8, size, size, 3)).astype(np.uint8)
    grey = np.arange(0, 256, 32, dtype=np.uint8)[:, None, None, None] * np.ones_like(noise)
    codes = random_network(size)(np.concatenate([noise, grey]))
    assert 0.01 < np.abs(codes).mean() < 10


def test_faces_along_three_directions_have_three_components_that_keep_their_distances(
    three_directions: Faces,
) -> None:
    codes = pixel_pca(three_directions, np.arange(60), components=10)(three_directions)
    assert codes.shape == (60, 10)
    deviations = codes.std(axis=0)
    assert deviations[2] > 1
    assert deviations[3:].max() < 1e-3
    pixels = three_directions.reshape(60, -1) / 255
    np.testing.assert_allclose(pairwise_distances(codes), pairwise_distances(pixels), rtol=1e-4, atol=1e-2)


def test_components_are_of_the_training_faces_alone(three_directions: Faces) -> None:
    training = np.arange(0, 60, 2)
    fitted = pixel_pca(three_directions, training)
    others = three_directions.copy()
    others[1::2] = np.random.default_rng(1).integers(0, 256, size=others[1::2].shape)
    np.testing.assert_array_equal(pixel_pca(others, training)(three_directions), fitted(three_directions))
    # along what no face of the training shows, nothing is read
    top, unseen = three_directions[:1].copy(), three_directions[:1].copy()
    unseen[:, 20:40, :, 0] += 50
    np.testing.assert_allclose(fitted(unseen), fitted(top), atol=1e-3)


def test_there_are_no_more_components_than_faces_allow(three_directions: Faces) -> None:
    assert pixel_pca(three_directions, np.arange(5))(three_directions).shape == (60, 4)
    assert pixel_pca(three_directions, np.arange(60))(three_directions).shape == (60, 59)
    with pytest.raises(OmoteError, match="two training faces or more; there are 1"):
        pixel_pca(three_directions, np.array([7]))


def test_only_so_many_faces_as_fit_are_read_and_they_are_evenly_chosen(
    three_directions: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "MAX_FITTED_VALUES", 7 * 64 * 64 * 3)
    chosen = [0, 10, 20, 30, 39, 49, 59]  # 59 / 6 = 9.83 apart
    others = np.zeros_like(three_directions)
    others[chosen] = three_directions[chosen]
    codes = pixel_pca(three_directions, np.arange(60))(three_directions)
    assert codes.shape[1] == 6
    np.testing.assert_array_equal(pixel_pca(others, np.arange(60))(three_directions), codes)


@pytest.mark.parametrize("name", ["network", "components"])
def test_a_code_does_not_depend_on_the_other_faces_and_no_face_has_no_code(
    three_directions: Faces, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    represent = random_network(64) if name == "network" else pixel_pca(three_directions, np.arange(60))
    together = represent(three_directions)
    monkeypatch.setattr(baselines, "FACES_AT_ONCE", 7)
    np.testing.assert_allclose(represent(three_directions), together, atol=1e-4)
    np.testing.assert_allclose(represent(three_directions[::-1])[::-1], together, atol=1e-4)
    assert represent(three_directions[:0]).shape == (0, together.shape[1])
