"""Codes of the inference copy: folded BatchNorm and bfloat16."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from omote.data.face_set import About
from omote.data.outputs import Faces
from omote.methods.registry import METHODS
from omote.runs.info import RunInfo
from omote.runs.trained import Trained, build_method, to_images
from tests.conftest import Configure

SUBJECTS = ["ann", "bob"]


def with_statistics(name: str, configure: Configure, **changes: object) -> Trained:
    """Return an untrained method with random BatchNorm statistics, as after training."""
    method = build_method(RunInfo(configure(method=name, **changes), 64, SUBJECTS, [], About())).eval()
    random = torch.Generator().manual_seed(0)
    for layer in method.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                assert tensor is not None
                tensor.uniform_(0.5, 1.5, generator=random)
    return Trained(Path("untrained"), RunInfo(configure(method=name), 64, SUBJECTS, [], About()), method)


def some_faces(count: int) -> Faces:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8)


@pytest.mark.parametrize("name", METHODS)
def test_codes_equal_those_of_the_trained_network(name: str, configure: Configure) -> None:
    trained, faces = with_statistics(name, configure), some_faces(5)
    subjects = ["ann", "bob", "bob", "ann", "bob"]
    before = {key: value.clone() for key, value in trained.method.state_dict().items()}
    numbers = torch.tensor([SUBJECTS.index(subject) for subject in subjects])
    for read, encode in (
        (trained.represent, trained.method.represent),
        (trained.identify, trained.method.identify),
    ):
        with torch.no_grad():
            expected = encode(to_images(torch.as_tensor(faces)), numbers)
        for ours, theirs in zip(read(faces, subjects), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)
    after = trained.method.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_changes_codes_a_little_and_only_if_asked_for(name: str, configure: Configure) -> None:
    trained, faces = with_statistics(name, configure), some_faces(6)
    half = replace(trained, bfloat16=True)
    exact = trained.represent(faces, ["ann"] * 6)[0]
    moved = half.represent(faces, ["ann"] * 6)[0]
    share = np.abs(moved - exact).max() / np.abs(exact).max()
    assert 1e-5 < share < 0.05
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(trained.represent(faces, ["ann"] * 6)[0], exact)


def test_a_network_without_batch_norm_works_too(configure: Configure) -> None:
    trained, faces = with_statistics("vae", configure, options__normalisation="none"), some_faces(3)
    with torch.no_grad():
        expected = trained.method.represent(to_images(torch.as_tensor(faces))).mean
    np.testing.assert_allclose(trained.represent(faces)[0], expected, atol=1e-5)


def test_batches_give_the_same_codes_as_single_faces(configure: Configure) -> None:
    trained, faces = with_statistics("vae", configure), some_faces(7)
    whole = replace(trained, batch_size=3).represent(faces)[0]
    single = np.concatenate([trained.represent(faces[[number]])[0] for number in range(7)])
    np.testing.assert_allclose(whole, single, atol=1e-5)
