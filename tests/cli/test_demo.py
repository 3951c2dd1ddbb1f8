"""The demo at a tiny size: it writes a page, reuses finished work, and remakes what was made with other settings."""

from pathlib import Path

import pytest

from omote.cli import demo
from omote.errors import OmoteError
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info
from omote.training.loop import train

METHODS_SHOWN = tuple(demo.EPOCHS)  # before `tiny` shortens it


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "FACES", {"subjects": 6, "mixtures": 0, "frames": 4})
    monkeypatch.setattr(demo, "EPOCHS", {"conventional": 1, "proposed": 1})
    monkeypatch.setattr(demo, "SETTINGS", {"test_subjects": 2, "options.width": 8, "batch_size": 32})


def test_a_demo_writes_a_page_and_a_second_one_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = demo.run_demo(tmp_path / "demo")
    text = page.read_text(encoding="utf-8")
    assert page == tmp_path / "demo" / "index.html"
    for part in (
        "conventional",
        "proposed",
        "Swap",
        "Interpolation",
        "omote prepare drawn",
        "training proposed",
    ):
        assert part in text
    for name in ("swap.png", "swap_on_photo.png", "interpolation.png", "space.png", "proposed/scores.csv"):
        assert (tmp_path / "demo" / name).is_file()

    trained = []

    def count_trainings(*arguments: object, **keywords: object) -> object:
        trained.append(arguments[1])
        return train(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(demo, "train", count_trainings)
    demo.run_demo(tmp_path / "demo")
    assert trained == []
    monkeypatch.setattr(demo, "EPOCHS", {"conventional": 2, "proposed": 1})
    demo.run_demo(tmp_path / "demo")
    assert trained == [tmp_path / "demo" / "conventional"]
    assert read_run_info(tmp_path / "demo" / "conventional").config.options.epochs == 2


def test_the_default_method_is_shown_and_explained() -> None:
    assert TrainConfig().method in METHODS_SHOWN
    assert all(any(method in part for part in demo.INTRODUCTION) for method in METHODS_SHOWN)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OmoteError, match="has other files in it"):
        demo.run_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
