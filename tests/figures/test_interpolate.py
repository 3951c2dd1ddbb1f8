import numpy as np
import pytest

from omote.errors import OmoteError
from omote.figures.interpolate import interpolated, interpolation_strip
from omote.figures.picture import CELL, Faces, Floats
from tests.figures.conftest import Painter, plain

SOURCE, TARGET = plain((10, 40, 0), (99, 80, 0))


class Listening(Painter):
    """Keeps the codes it was asked to decode."""

    def decode(self, z_i: Floats, z_e: Floats) -> Faces:
        self.z_i, self.z_e = z_i, z_e
        return super().decode(z_i, z_e)


def test_the_ends_are_the_codes_of_source_and_target_and_the_steps_are_equal() -> None:
    model = Listening()
    made, _ = interpolated(model, SOURCE, TARGET, 5)

    assert model.z_e[:, 0].tolist() == [40, 50, 60, 70, 80]
    assert (model.z_i == 10).all()
    np.testing.assert_array_equal(made[0], model.decode(model.z_i[:1], model.represent(SOURCE[None])[0])[0])
    np.testing.assert_array_equal(made[-1], model.decode(model.z_i[:1], model.represent(TARGET[None])[0])[0])


def test_a_row_runs_from_under_the_source_to_under_the_target(painter: Painter) -> None:
    pixels = np.asarray(interpolation_strip([painter], SOURCE, TARGET, steps=5))

    def left_of(colour: tuple[int, int, int]) -> int:
        x = np.nonzero((pixels == colour).all(axis=2))[1]
        assert np.ptp(x) == CELL - 1
        return int(x.min())

    row = [left_of((10, green, 0)) for green in (50, 60, 70, 80)]
    assert left_of((10, 40, 0)) < row[0] < row[1] < row[2] < row[3]
    assert row[-1] == left_of((99, 80, 0))


def test_pairs_stand_one_below_the_other_and_methods_below_each_other() -> None:
    models = [Painter(), Painter("vae", knows_who=False)]
    one = interpolation_strip(models[:1], SOURCE, TARGET)
    two = interpolation_strip(models, SOURCE, TARGET)
    pairs = interpolation_strip(models, np.stack([SOURCE, TARGET]), np.stack([TARGET, SOURCE]))

    assert one.width == two.width == pairs.width
    assert one.height + CELL < two.height < pairs.height - 3 * CELL


def test_a_strip_of_its_ends_alone_can_be_drawn_and_credited(painter: Painter) -> None:
    bare, credited = (
        interpolation_strip([painter], SOURCE, TARGET, steps=2, credit=credit)
        for credit in (None, "By A. Person")
    )
    assert credited.height > bare.height


def test_what_cannot_be_drawn_is_refused(painter: Painter) -> None:
    with pytest.raises(OmoteError, match="at least 2"):
        interpolation_strip([painter], SOURCE, TARGET, steps=1)
    with pytest.raises(OmoteError, match="give pairs"):
        interpolation_strip([painter], SOURCE[None], np.stack([TARGET, TARGET]))
    with pytest.raises(OmoteError, match="no model"):
        interpolation_strip([], SOURCE, TARGET)
