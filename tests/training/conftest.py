"""A small face set of drawn faces, and settings that train on it in seconds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from omote.data.face_set import FaceSet
from omote.data.prepare import prepare_drawn
from omote.training.config import TrainConfig

Configure = Callable[..., TrainConfig]


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """5 people, 40 frames."""
    return prepare_drawn(
        tmp_path_factory.mktemp("faces") / "drawn", subjects=5, clips=2, mixtures=0, frames=4, workers=1
    )


@pytest.fixture
def configure() -> Configure:
    """Return a function of changes to a small and quick configuration."""

    def read(**changes: object) -> TrainConfig:
        small = {"options.epochs": 2, "options.width": 8, "options.latent_size": 8, "batch_size": 12}
        changes = {key.replace("__", "."): value for key, value in changes.items()}
        return TrainConfig.read(None, {**small, "test_subjects": 1, "precision": "32-true", **changes})

    return read


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a folder that is not there yet."""
    return tmp_path / "run"
