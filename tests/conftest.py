"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("OMOTE_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photos and models beside the project; a test that asks for it is skipped without."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the shared data in {SHARED} (or OMOTE_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def detector(shared: Path) -> Path:
    """YuNet's model file."""
    file = shared / "models" / "face_detection_yunet_2023mar.onnx"
    if not file.is_file():
        pytest.skip(f"needs the face detector {file}")
    return file


@pytest.fixture(scope="session")
def london(shared: Path) -> Path:
    """The folder of the London Set: NNN_03.jpg neutral, NNN_08.jpg smiling."""
    folder = shared / "data" / "london"
    if not folder.is_dir():
        pytest.skip(f"needs the London Set in {folder}")
    return folder
