"""Fixtures: a trained VAE."""

import shutil
from pathlib import Path

import pytest

from omote.data.face_set import FaceSet
from omote.runs.trained import Trained, load
from omote.training.loop import train
from tests.conftest import Configure


@pytest.fixture(scope="package")
def once(faces: FaceSet, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a VAE that no test changes."""
    run = tmp_path_factory.mktemp("once") / "run"
    return train(faces, run, configure(options__epochs=1, method="vae")).path


@pytest.fixture
def copied(once: Path, run: Path) -> Trained:
    """A copy of it, to change."""
    shutil.copytree(once, run)
    return load(run)
