"""Damaged files of every kind are read or refused in a sentence: a fixed sample of the cases of benchmarks/fuzz.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 200  # cases of a kind
FEWER = {"parts": 60, "table_parts": 60, "reproduction": 60}  # each case resumes a command
CODE = """
import json, sys
from pathlib import Path
import fuzz
for kind in fuzz.KINDS:
    count = json.loads(sys.argv[1]).get(kind, int(sys.argv[2]))
    counts, faults = fuzz.fuzz(kind, count, 0, Path(sys.argv[3]))
    assert counts["refused"] > 0 < counts["read"], f"{kind}: {counts}"
    for fault in faults:
        print(kind, fault)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits its processes, as Linux can")
@pytest.mark.timeout(600)
def test_damaged_files_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    arguments = [json.dumps(FEWER), str(COUNT), str(tmp_path)]
    command = [sys.executable, "-c", CODE, *arguments]  # one process, as it imports much
    folder = Path(__file__).parents[2] / "benchmarks"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stdout
