"""Damaged files of every kind are read or refused in a sentence: a fixed sample of the cases of benchmarks/fuzz.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# 200 cases of a kind; fewer where a case loads a network, reads a table four times, or decodes several pictures.
CASES = {
    "config": 200, "manifest": 200, "pattern": 200, "profile": 200, "checkpoint": 200, "face_set": 200, "onnx": 100,
    "parquet": 60, "csv": 60, "photo": 60, "video": 40, "run": 40, "model": 40, "scores": 30,
}  # fmt: skip
CODE = """
import json, sys
from pathlib import Path
import fuzz
for kind, count in json.loads(sys.argv[1]).items():
    for fault in fuzz.fuzz(kind, count, 0, Path(sys.argv[2]))[1]:
        print(kind, fault)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits its processes, as Linux can")
@pytest.mark.timeout(600)
def test_damaged_files_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        CODE,
        json.dumps(CASES),
        str(tmp_path),
    ]  # one process, as it imports much
    folder = Path(__file__).parents[2] / "benchmarks"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stdout
