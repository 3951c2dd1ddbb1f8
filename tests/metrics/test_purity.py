"""Metrics are pure functions of arrays: they need neither torch nor a face set or a run."""

import subprocess
import sys
from pathlib import Path

import omote.metrics

FORBIDDEN = ("torch", "omote.data.face_set", "omote.runs")
PRINT_FORBIDDEN = f"""
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print([name for name in sys.modules if name in {FORBIDDEN} or name.startswith(("torch.", "omote.runs."))])
"""


def test_no_metric_imports_torch_a_face_set_or_a_run() -> None:
    files = sorted(Path(omote.metrics.__path__[0]).glob("*.py"))
    names = [f"omote.metrics.{file.stem}" for file in files if file.stem != "__init__"]
    assert len(names) > 5
    command = [sys.executable, "-c", PRINT_FORBIDDEN, *names]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
