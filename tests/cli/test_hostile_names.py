"""Names of files and people that are code for the terminal, the browser, matplotlib or a spreadsheet."""

import html
import re
from pathlib import Path

import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.features.extract import extract_features
from omote.runs.trained import Trained
from tests.cli.test_commands import omote

HOSTILE = "=cmd <img src=x onerror=a()> $\\frac$ [red]\x1b[31m"


@pytest.fixture
def table(trained: Trained, faces: FaceSet, tmp_path: Path) -> Path:
    """A table with hostile names of people, clips, expressions and sources, under such a name."""
    features = extract_features(trained, faces)
    features[["subject", "clip"]] = HOSTILE + features[["subject", "clip"]].astype(str)
    features["expression"] = features["expression"].map(lambda name: HOSTILE + name, na_action="ignore")
    features["source"] = HOSTILE + features["subject"] + ".mp4"
    features.to_parquet(tmp_path / f"{HOSTILE}.parquet")
    return tmp_path / f"{HOSTILE}.parquet"


def check_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "<img src=x" in html.unescape(text)


@pytest.mark.filterwarnings("ignore:Glyph")  # control characters are in no font
def test_plots_show_hostile_names_as_text(table: Path, tmp_path: Path) -> None:
    printed = omote("plot", table, "--to", tmp_path / "plots", "--clusters", 3)
    check_page(tmp_path / "plots" / "index.html")
    assert "\x1b" not in printed
    assert (tmp_path / "plots" / "map.png").is_file()


@pytest.mark.filterwarnings("ignore:Glyph")
def test_an_audit_shows_hostile_names_as_text(table: Path, tmp_path: Path) -> None:
    printed = omote(
        "audit", table, "--to", tmp_path / "audit", "--kmeans-runs", 2, "--clusters", 3, "--workers", 1
    )
    check_page(tmp_path / "audit" / "report.html")
    assert "\x1b" not in printed
    assert "[red]" in printed
    cells = pd.read_csv(tmp_path / "audit" / "audit.csv")["feature"]
    assert cells.str.startswith("'=cmd").all()
    assert not re.search(r"(^|,)=cmd", (tmp_path / "audit" / "audit.csv").read_text(), re.MULTILINE)
