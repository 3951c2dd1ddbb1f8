from omote.figures.style import DPI
from omote.figures.table.face_figure import WIDTH, FaceFigure, format_time, shorten_text


def test_a_credit_is_wrapped_below_a_picture() -> None:
    heights = [
        FaceFigure(1).render(credit).height
        for credit in (None, "Photographs: nobody", "Photographs: nobody " * 20)
    ]
    assert DPI == heights[0] < heights[1] < heights[2]


def test_times_are_written_as_on_a_clock() -> None:
    assert [format_time(s) for s in (0, 7, 7.5, 59.96, 750, 3723)] == [
        "0:00",
        "0:07",
        "0:07.5",
        "1:00",
        "12:30",
        "1:02:03",
    ]


def test_a_name_that_is_too_long_loses_its_middle() -> None:
    name = "a very long name of a video, " * 5
    short = shorten_text(name, 10, 2)
    assert short.startswith("a very")
    assert "…" in short
    assert short.endswith(name[-4:])
    assert shorten_text("short.mp4", 10, 2) == "short.mp4"


def test_a_name_with_formula_signs_or_unknown_letters_is_drawn_literally() -> None:
    figure = FaceFigure(1)
    figure.text(1, 0.5, "$\\frac{a}$ 动画 \U000fffff")
    assert figure.render().size == (round(WIDTH * DPI), DPI)
