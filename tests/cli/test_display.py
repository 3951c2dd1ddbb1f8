"""What reaches the terminal: names without control characters, and signs of life where output is redirected."""

import re
import sys
import time

import pytest
from rich.table import Table

from omote.cli import display, main
from omote.cli.display import (
    console,
    errors,
    progress_bar,
    reproduction_progress,
    say,
    status,
    training_progress,
)
from omote.training.loop import TrainingProgress

# clears the screen, moves the cursor, rings, changes the title and the direction of writing; a byte that is no UTF-8
HOSTILE = "a\x1b[2J\x9b1A\r\x07\x1b]0;b\x07\u202eb\x00\udcff"
ESCAPED = r"a\x1b[2J\x9b1A\r\x07\x1b]0;b\x07\u202eb\x00\udcff"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\udcff]")


def test_control_characters_are_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"left out: {HOSTILE}")
    say(f"error: {HOSTILE}", to=errors)
    printed = capsys.readouterr()
    assert printed.out == f"left out: {ESCAPED}\n"
    assert printed.err == f"error: {ESCAPED}\n"


def test_brackets_colons_and_letters_of_all_scripts_are_printed_unchanged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = "a[red]b[/] :smile: Zoë 山田\u200d é 100\u00a0%"
    say(names)
    console.print(Table(names, box=None))
    assert capsys.readouterr().out.splitlines() == [names, f" {names} "]


def test_control_characters_in_tables_and_progress_bars_are_shown_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table(HOSTILE, box=None)
    table.add_row(HOSTILE)
    console.print(table)
    with progress_bar(HOSTILE) as show:
        show(1, 2)
    with status(HOSTILE):
        pass
    printed = capsys.readouterr().out
    assert not RAW.search(printed)
    assert printed.count(ESCAPED) == 2  # the table's
    assert r"a\x1b[2J" in printed.splitlines()[-1]  # the bar's


def test_control_characters_of_arguments_are_shown_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        [HOSTILE],
        [f"--{HOSTILE}"],
        ["plot", HOSTILE, "b"],
        ["plot", HOSTILE, "--to", "page.html"],
    ):
        monkeypatch.setattr(sys, "argv", ["omote", *(word.replace("\x00", "") for word in arguments)])
        with pytest.raises(SystemExit):
            main.main()
        printed = capsys.readouterr().err
        assert r"a\x1b[2J" in printed
        assert not RAW.search(printed)


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (KeyError("counts\x1b"), r"error: a fault in omote, KeyError: 'counts\x1b'", 70),
        (RecursionError("too deep"), "error: a fault in omote, RecursionError: too deep", 70),
        (MemoryError(), "error: there is not enough memory", 1),
    ],
)
def test_a_fault_is_told_without_a_traceback(
    error: Exception,
    message: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert stopped.value.code == code
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
    assert code == 1 or re.search(r"Please report it, .* test_display.py:\d+$", printed.strip())


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redirected output gets a line every 0.05 s instead of every half minute."""
    monkeypatch.setattr(display, "REPORT_SECONDS", 0.05)


def work(seconds: float = 0.3) -> None:
    time.sleep(seconds)


@pytest.mark.usefixtures("often")
def test_redirected_output_tells_how_far_the_work_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("preparing") as show:
        work()
        show(1, 40)
        show(2, 40)
        work()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "preparing"
    assert re.fullmatch(r"preparing: 2/40(, 0:00:\d\d left)?", lines[-1])


@pytest.mark.usefixtures("often")
def test_redirected_output_tells_stage_epoch_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress("vae") as show:
        for step in (1, 2, 3):
            show(
                TrainingProgress(
                    stage="vae", stage_number=1, num_stages=2, epoch=3, num_epochs=9, step=step, num_steps=40,
                    num_images=900,
                )
            )  # fmt: skip
            work(0.6)
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"vae, stage 1 of 2 \(vae\): epoch 3 of 9, [\d,]+ images/s, 0:00:\d\d left", line)


@pytest.mark.usefixtures("often")
def test_redirected_output_tells_which_trainings_run(capsys: pytest.CaptureFixture[str]) -> None:
    with reproduction_progress(["row1", "row2"]) as show:
        show("row1", 4, 4)
        show("row2", 1, 4)
        work()
    assert "2 trainings: 62 %; row2: 25 %" in re.sub(r", [\d:]+ left", "", capsys.readouterr().err)


@pytest.mark.usefixtures("often")
def test_redirected_output_tells_what_has_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with status("scoring"):
        work()
    assert set(capsys.readouterr().err.splitlines()) == {"scoring"}


def test_a_short_command_says_nothing_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("preparing") as show, status("scoring"):
        show(1, 2)
        work()
    assert not capsys.readouterr().err


@pytest.mark.usefixtures("often")
def test_a_terminal_shows_bars_and_no_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in (console, errors):
        monkeypatch.setattr(each, "_force_terminal", True)
    with status("scoring"):
        work()
    assert not capsys.readouterr().err
