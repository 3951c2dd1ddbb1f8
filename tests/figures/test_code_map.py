import numpy as np
import pytest

from omote.errors import OmoteError
from omote.figures.code_map import plot_code_map, project_codes
from omote.figures.picture import render


def test_a_flat_view_keeps_the_distances_of_flat_codes_and_the_share_of_the_rest() -> None:
    rng = np.random.default_rng(0)
    flat_codes = rng.normal(size=(30, 2)) * [5, 1]
    codes = np.pad(flat_codes, ((0, 0), (0, 62)))
    flat = project_codes(codes)

    assert flat is not None
    assert flat.shares.sum() == pytest.approx(1)
    given, shown = (np.linalg.norm(x[:, None] - x[None], axis=2) for x in (flat_codes, flat.places))
    np.testing.assert_allclose(shown, given, atol=1e-9)


def test_codes_that_are_all_the_same_or_missing_have_no_map() -> None:
    assert project_codes(np.full((10, 64), 0.3, np.float32)) is None
    assert project_codes(np.zeros((10, 0))) is None
    assert project_codes(np.full((10, 3), np.nan)) is None


def test_a_code_of_one_number_has_a_map() -> None:
    flat = project_codes(np.arange(5.0)[:, None])
    assert flat is not None
    assert flat.places.shape == (5, 2)


def test_a_map_can_be_drawn_twice_alike_whatever_is_known() -> None:
    rng = np.random.default_rng(0)
    codes = [rng.normal(size=(20, 64)), np.zeros((20, 64))]
    expressions = ["neutral", "joy", None, "fear"] * 5
    subjects = [f"{k % 10}" for k in range(20)]

    first, second = (render(plot_code_map(codes, expressions, subjects, titles=["a", "b"])) for _ in range(2))
    unlabelled = render(plot_code_map(codes[:1], [None] * 20, subjects, titles=["a"]))

    assert first == second
    assert unlabelled.height < first.height


def test_codes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(OmoteError, match="same frames"):
        plot_code_map([np.zeros((3, 2)), np.zeros((4, 2))], [None] * 3, ["a"] * 3, titles=["a", "b"])
    with pytest.raises(OmoteError, match="0 methods"):
        plot_code_map([], [], [], titles=[])
