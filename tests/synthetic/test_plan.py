"""What drawn and rendered faces share, and that they share nothing else."""

import ast
from pathlib import Path

import numpy as np
import pytest

from omote import synthetic
from omote.synthetic.drawn.expressions import PROTOTYPES as DRAWN_PROTOTYPES
from omote.synthetic.plan import APEX, EXPRESSIONS, intensity_curve
from omote.synthetic.rendered.expressions import PROTOTYPES as RENDERED_PROTOTYPES


def test_drawn_and_rendered_faces_import_nothing_from_each_other() -> None:
    for room, other in (("drawn", "rendered"), ("rendered", "drawn")):
        files = sorted((Path(synthetic.__path__[0]) / room).glob("*.py"))
        assert files
        for file in files:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import | ast.ImportFrom)
                    else []
                )
                assert not any(other in name.split(".") for name in names), f"{file} imports {names}"


def test_drawn_and_rendered_faces_have_the_same_expressions() -> None:
    assert tuple(DRAWN_PROTOTYPES) == tuple(RENDERED_PROTOTYPES) == EXPRESSIONS


@pytest.mark.parametrize("returns", [True, False])
@pytest.mark.parametrize("tempo", [0.4, 1.4])
def test_a_clip_starts_at_rest_and_stays_three_frames_near_its_apex(returns: bool, tempo: float) -> None:
    intensity = intensity_curve(12, returns, tempo)
    near = np.flatnonzero(intensity >= APEX)
    assert intensity[0] == 0
    assert intensity[-1] == (0 if returns else 1)
    assert set(near) >= ({5, 6} if returns else {9, 10, 11})
    assert len(near) >= 3
    assert np.abs(np.diff(intensity)).max() < 0.4
