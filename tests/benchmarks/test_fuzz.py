"""Damaged files of every kind are read or refused in a sentence: a fixed sample of the cases of benchmarks/fuzz.py."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "benchmarks/fuzz.py"
# 200 cases of a kind; fewer where a case loads a network (run, model, scores) or decodes six pictures or three videos.
CASES = {
    "photo": 100, "video": 60, "face_set": 200, "config": 200, "run": 60, "model": 60, "scores": 40, "checkpoint": 200,
    "onnx": 200, "profile": 200, "parquet": 100, "csv": 100, "manifest": 200, "pattern": 200,
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits its processes, as Linux can")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", CASES)
def test_damaged_files_are_read_or_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, str(FUZZ), kind, str(CASES[kind]), "0", "--keep", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
