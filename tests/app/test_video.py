"""The tab Video, in a browser."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from tests.features.conftest import write_film


def test_an_uploaded_video_gets_a_timeline(page: Page, scenes: Sequence[np.ndarray], tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mov", scenes)
    page.locator("input[type=file]").first.set_input_files(film)
    page.get_by_text(film.name).wait_for()
    page.get_by_role("button", name="Find the faces").click()
    page.locator(".chart").first.wait_for()
    assert page.get_by_text("2 tracked faces").is_visible()
