"""The package: its long description, its version, and `python -m omote`."""

import re
import runpy
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import setuptools

import omote

ROOT = Path(__file__).parents[1]


@pytest.fixture
def long_description(monkeypatch: pytest.MonkeyPatch) -> str:
    """The text that setup.py makes of README.md."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    runpy.run_path(str(ROOT / "setup.py"))
    return str(given["long_description"])


def test_the_long_description_links_to_nothing_that_is_only_in_the_repository(long_description: str) -> None:
    targets = re.findall(r"\]\(([^)]*)\)", long_description)
    assert not [target for target in targets if not target.startswith("https://")]
    assert "readme_clusters" not in long_description
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "[docs/own_videos.md](docs/own_videos.md)" in readme
    assert "| docs/own_videos.md |" in long_description
    assert len(long_description) > 0.8 * len(readme)


def test_python_m_omote_is_the_command_omote() -> None:
    command = [sys.executable, "-m", "omote", "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == version("omote") == omote.__version__
