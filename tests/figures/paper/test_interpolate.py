import numpy as np
import pytest

from omote.errors import OmoteError
from omote.figures.paper.interpolate import NO_IDENTITY, plot_interpolation
from omote.figures.paper.sheet import CELL, Sheet
from tests.figures.conftest import Painter, plain

SOURCE, TARGET = plain((10, 40, 0), (99, 80, 0))


def test_a_row_runs_from_under_the_source_to_under_the_target(painter: Painter) -> None:
    pixels = np.asarray(plot_interpolation([painter], SOURCE, TARGET, steps=5))

    def left_of(colour: tuple[int, int, int]) -> int:
        x = np.nonzero((pixels == colour).all(axis=2))[1]
        assert np.ptp(x) == CELL - 1
        return int(x.min())

    row = [left_of((10, green, 0)) for green in (50, 60, 70, 80)]
    assert left_of((10, 40, 0)) < row[0] < row[1] < row[2] < row[3]
    assert row[-1] == left_of((99, 80, 0))


def test_pairs_stand_one_below_the_other_and_methods_below_each_other() -> None:
    models = [Painter(), Painter("vae", has_identity=False)]
    one = plot_interpolation(models[:1], SOURCE, TARGET)
    two = plot_interpolation(models, SOURCE, TARGET)
    pairs = plot_interpolation(models, np.stack([SOURCE, TARGET]), np.stack([TARGET, SOURCE]))

    assert one.width == two.width == pairs.width
    assert one.height + CELL < two.height < pairs.height - 3 * CELL


def test_of_a_method_without_identity_code_the_strip_says_that_it_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes: list[tuple[str, str]] = []
    monkeypatch.setattr(Sheet, "heading", lambda self, title, note: notes.append((title, note)))

    plot_interpolation([Painter("vae", has_identity=False), Painter("proposed")], SOURCE, TARGET)

    assert notes == [("vae (8)", NO_IDENTITY), ("proposed (8)", "")]


def test_a_strip_of_its_ends_alone_can_be_drawn_and_credited(painter: Painter) -> None:
    bare, credited = (
        plot_interpolation([painter], SOURCE, TARGET, steps=2, credit=credit)
        for credit in (None, "By A. Person")
    )
    assert credited.height > bare.height


def test_what_cannot_be_drawn_is_refused(painter: Painter) -> None:
    with pytest.raises(OmoteError, match="at least 2"):
        plot_interpolation([painter], SOURCE, TARGET, steps=1)
    with pytest.raises(OmoteError, match="give pairs"):
        plot_interpolation([painter], SOURCE[None], np.stack([TARGET, TARGET]))
    with pytest.raises(OmoteError, match="no model"):
        plot_interpolation([], SOURCE, TARGET)
