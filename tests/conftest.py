"""Fixtures for all tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from omote.data.detect import find_detector
from omote.data.face_set import FaceSet
from omote.runs.config import TrainConfig
from omote.runs.device import multiplies_in_bfloat16
from omote.runs.trained import Trained
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train

Configure = Callable[..., TrainConfig]

SHARED = Path(os.environ.get("OMOTE_SHARED", Path(__file__).parents[2] / "shared"))


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet or CSV, depending on the suffix."""
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photos and models next to the project. Tests that need it are skipped if it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared data in {SHARED} (or OMOTE_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def detector() -> Path:
    """YuNet's model file."""
    return find_detector()


@pytest.fixture
def in_bfloat16() -> None:
    """Skips a test if the processor does not multiply in bfloat16."""
    if not multiplies_in_bfloat16("cpu"):
        pytest.skip("the processor does not multiply in bfloat16")


@pytest.fixture(scope="session")
def london(shared: Path) -> Path:
    """The folder of the London Set: NNN_03.jpg neutral, NNN_08.jpg smiling."""
    folder = shared / "data" / "london"
    if not folder.is_dir():
        pytest.skip(f"needs the London Set in {folder}")
    return folder


@pytest.fixture(scope="session")
def model_file(shared: Path) -> Path:
    """The ICT Face Model Light, repacked."""
    file = shared / "data" / "ict_facekit" / "ict_facekit.npz"
    if not file.is_file():
        pytest.skip(f"needs the ICT Face Model Light in {file}")
    return file


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """5 drawn people, 2 clips each, 40 frames."""
    folder = tmp_path_factory.mktemp("faces")
    return prepare_drawn(folder / "drawn", subjects=5, clips=2, mixtures=0, frames=4, workers=1)


@pytest.fixture(scope="session")
def configure() -> Configure:
    """A function that returns a small, quick configuration with changes; "options__epochs" means "options.epochs"."""

    def read(**changes: object) -> TrainConfig:
        small = {"options.epochs": 2, "options.width": 8, "options.latent_size": 8, "batch_size": 12}
        changes = {key.replace("__", "."): value for key, value in changes.items()}
        return TrainConfig.read(
            None, {**small, "test_subjects": 1, "device": "cpu", "precision": "32-true", **changes}
        )

    return read


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "run"


@pytest.fixture
def trained(faces: FaceSet, run: Path, configure: Configure) -> Trained:
    """The method `proposed`, trained for one epoch per stage."""
    return train(faces, run, configure(method="proposed", options__epochs=1))
