import inspect
from pathlib import Path

import numpy as np
import pytest

import sides
import speed
from measure import Measurement, Side, Turn

LIMITS = {"convolution fp32": 200.0, "copy": 30.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.6, "12,346"),
        (123.4, "123"),
        (99.96, "100"),
        (9.876, "9.88"),
        (0.2345, "0.234"),
        (float("nan"), ""),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert speed.number(value) == text


def test_the_share_of_the_limit_is_the_work_a_second_over_it() -> None:
    side = Measurement(rate=50.0, peak=1.0, work=1e9, limit="convolution fp32")
    assert speed.share(side, LIMITS, 0) == "25 %"
    assert speed.share(side._replace(limit=""), LIMITS, 100.0) == "50 %"
    assert speed.share(side._replace(limit=""), LIMITS, 0) == ""


def test_every_reference_has_a_row_and_missing_numbers_have_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
        return [Side("omote", "", {})], [Side("slow", "", {}), Side("gone", "", {})]

    found = [
        Measurement(40.0, 100.0, 1e9, "convolution fp32"),
        Measurement(10.0, 50.0, 1e9, "convolution fp32"),
        "no pythae",
    ]
    monkeypatch.setattr("measure.take_turns", lambda *_: found)
    line = speed.Line("group", "line", 1, make)
    first, second = speed.rows_of(line, tmp_path, 1, LIMITS, lambda share: None)
    assert first == speed.Row("line", "40.0", "20 %", "100", "slow", "10.0", "5 %", "50.0", "4.00x")
    assert second == speed.Row("", reference="gone", note="gone: no pythae")
    (seconds, _) = speed.rows_of(line._replace(seconds=True), tmp_path, 1, LIMITS, lambda share: None)
    assert (seconds.ours, seconds.theirs) == ("0.0250", "0.100")


def test_the_table_is_120_columns_wide_and_keeps_its_columns_apart() -> None:
    widest = (
        "99,999",
        "100 %",
        "99,999",
        "OpenCV loop, 320 px as omote",
        "99,999",
        "100 %",
        "99,999",
        "99.99x",
    )
    for line in speed.LINES:
        text = speed.Row(line.name, *widest, note="why " * 50).text()
        assert max(len(part) for part in text.split("\n")) <= 120
        assert f"{line.name} " in text
        assert text.split("\n")[0].endswith(" 99.99x")


@pytest.mark.parametrize("line", speed.LINES, ids=lambda line: line.name)
def test_sides_accept_the_arguments_that_their_line_passes(
    line: speed.Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "faces_of", lambda size, count: np.zeros((count, size, size, 3), np.uint8))
    monkeypatch.setattr(speed, "exported", lambda folder: (folder, folder, 1.0))
    monkeypatch.setattr(
        speed, "one_film", lambda folder, side: {"video": "", "detector": "", "side": 1, "frames": 1}
    )
    monkeypatch.setattr(speed, "films", lambda folder: folder)
    ours, references = line.make(tmp_path, 1)
    assert min(len(ours), len(references)) == 1
    for side in (*ours, *references, *([line.ceiling(tmp_path)] if line.ceiling else [])):
        module, function = side.function.split(".")
        assert module == "sides"
        inspect.signature(getattr(sides, function)).bind(Turn, **side.about)
