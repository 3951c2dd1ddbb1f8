"""The benchmarks are a folder of scripts; what they import from each other is found as when they run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
