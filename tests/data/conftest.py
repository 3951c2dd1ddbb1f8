"""Photos with their faces."""

from pathlib import Path

import numpy as np
import pytest

from omote.data.detect import Face, find_only_face
from omote.data.images import read_photo


@pytest.fixture(scope="session")
def photos(london: Path, detector: Path) -> list[tuple[np.ndarray, Face]]:
    """Every eighth photo of the London Set with its face."""
    shown = []
    for file in sorted(london.glob("*.jpg"))[::8]:
        image = read_photo(file)
        face = find_only_face(image, detector)
        assert isinstance(face, Face)
        shown.append((image, face))
    return shown
