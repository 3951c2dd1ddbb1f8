"""Makes the scripts of benchmarks/ importable, for each other and for the tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
