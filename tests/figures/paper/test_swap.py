from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omote.errors import OmoteError
from omote.figures.paper.sheet import CELL, Sheet, resize_faces
from omote.figures.paper.swap import NO_IDENTITY, plot_swap
from omote.figures.picture import save_picture, wrap_text
from omote.fonts import load_font
from tests.figures.conftest import Painter, plain

WHO = plain((10, 0, 0), (20, 0, 0), (30, 0, 0))
HOW = plain((0, 40, 0), (0, 50, 0))


def corner(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Return x and y of the upper left corner of the one square of this colour, CELL pixels wide and high."""
    y, x = np.nonzero((np.asarray(image) == colour).all(axis=2))
    assert len(x) == CELL**2
    assert int(np.ptp(x)) == int(np.ptp(y)) == CELL - 1
    return int(x.min()), int(y.min())


def test_every_block_of_the_grid_lies_under_its_identities_and_beside_its_expressions() -> None:
    image = plot_swap([Painter(blue=1), Painter(blue=2)], WHO, HOW)

    columns = [corner(image, (red, 0, 0)) for red in (10, 20, 30)]
    assert len({y for _, y in columns}) == 1
    below = 0
    for blue in (1, 2):
        for green in (40, 50):
            cells = [corner(image, (red, green, blue)) for red in (10, 20, 30)]
            assert [x for x, _ in cells] == [x for x, _ in columns]
            assert len({y for _, y in cells}) == 1
            assert cells[0][1] > below
            below = cells[0][1]
            at_left = np.asarray(image)[below : below + CELL, : columns[0][0]]
            assert (at_left == (0, green, 0)).all(axis=2).sum() == CELL**2


def test_of_a_method_without_identity_code_the_grid_says_that_it_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes: list[tuple[str, str]] = []
    monkeypatch.setattr(Sheet, "heading", lambda self, title, note: notes.append((title, note)))

    plot_swap([Painter("vae", has_identity=False), Painter("proposed")], WHO, HOW)

    assert notes == [("vae (8)", NO_IDENTITY), ("proposed (8)", "")]


def test_models_of_two_sizes_share_one_grid() -> None:
    image = plot_swap([Painter(size=4, blue=1), Painter(size=8, blue=2)], WHO, HOW)
    assert corner(image, (10, 40, 1))[0] == corner(image, (10, 40, 2))[0]


def test_faces_are_reduced_by_averaging() -> None:
    face = np.zeros((1, 8, 8, 3), np.uint8)
    face[:, ::2] = 100
    assert (resize_faces(Painter(size=4), face) == 50).all()


def test_the_credit_is_drawn_below_the_grid(painter: Painter) -> None:
    bare, credited = (
        plot_swap([painter], WHO, HOW, credit=credit) for credit in (None, "Photos: A. Person, CC BY 4.0")
    )

    assert credited.height > bare.height
    assert (np.asarray(credited)[bare.height - 10 :] < 200).any()


def test_a_long_credit_is_broken_into_lines_that_fit() -> None:
    text = "Face Research Lab London Set, DeBruine and Jones 2017, CC BY 4.0 " * 3
    lines = wrap_text(text, 300, load_font(16))
    assert len(lines) > 3
    assert all(load_font(16).getlength(line) <= 300 for line in lines)
    assert " ".join(lines) == " ".join(text.split())


def test_the_same_faces_give_the_same_picture(painter: Painter) -> None:
    assert plot_swap([painter], WHO, HOW) == plot_swap([painter], WHO, HOW)


def test_what_cannot_be_drawn_is_refused(painter: Painter) -> None:
    with pytest.raises(OmoteError, match="no model"):
        plot_swap([], WHO, HOW)
    with pytest.raises(OmoteError, match="at least one identity"):
        plot_swap([painter], WHO[:0], HOW)
    with pytest.raises(OmoteError, match="2 titles were given for 1"):
        plot_swap([painter], WHO, HOW, titles=["one", "two"])
    with pytest.raises(OmoteError, match="--size 16"):
        plot_swap([Painter(size=16)], WHO, HOW)
    with pytest.raises(OmoteError, match=r"expected \(N, S, S, 3\) uint8"):
        plot_swap([painter], WHO[..., 0], HOW)


def test_a_picture_is_saved_whole_or_not_at_all(tmp_path: Path, painter: Painter) -> None:
    image = plot_swap([painter], WHO, HOW)
    path = save_picture(image, tmp_path / "new" / "swap.png")

    np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(image))
    assert [file.name for file in path.parent.iterdir()] == ["swap.png"]
    with pytest.raises(OmoteError, match=r"\.jpg.*\.png"):
        save_picture(image, tmp_path / "swap.jpg")
