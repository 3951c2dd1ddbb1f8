"""The script for a GPU runs on a CPU as it will there, with tiny networks."""

import re

import pytest
import torch

import gpu
from omote.training import compiled

pytestmark = [  # of torch.compile about itself
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
]


def test_on_a_cpu_the_script_checks_all_and_times_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "BACKEND", lambda graph, inputs, **_: graph.forward)
    monkeypatch.setattr(gpu, "compare_processes", lambda *_: None)  # the next test
    monkeypatch.setattr("sys.argv", ["gpu.py", "--device", "cpu", "--tiny"])
    gpu.main()
    printed = capsys.readouterr().out
    checks = [line for line in printed.splitlines() if "median" in line]
    assert len(checks) == 4  # gradients and compiled terms of two stages
    assert all(line.endswith(": equal") for line in checks)
    timed = re.findall(r"row4  (\w+) +(yes|no) +([\d,]+) +[\d.]+% +([\d.]+) ", printed)
    assert [line[:2] for line in timed] == [
        (stage, mode) for mode in ("no", "yes") for stage in ("identity", "expression")
    ]
    assert all(float(rate.replace(",", "")) > 0 and float(work) > 0 for *_, rate, work in timed)
    assert len(re.findall(r"row4, all 5 x 2 stages of 50 epochs: [\d.]+ hours", printed)) == 2
    assert "left out" not in printed


def test_two_processes_are_compared_with_one() -> None:
    report = gpu.Report()
    gpu.compare_processes(report, torch.device("cpu"), gpu.TINY)
    assert not report.failed


def test_a_difference_beyond_rounding_fails(capsys: pytest.CaptureFixture[str]) -> None:
    report = gpu.Report()
    report.check("rounding", [0.0, 1e-6, 0.01])
    report.check("another median", [0.0, 1e-3, 0.01])
    report.check("one gradient that is another", [0.0, 1e-6, 1.0])
    report.check("not a number", [0.0, float("nan"), 0.0])
    assert report.failed == ["another median", "one gradient that is another", "not a number"]


def test_when_the_time_is_up_the_script_says_what_it_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gpu.py", "--device", "cpu", "--tiny", "--minutes", "0.001"])
    gpu.main()
    left = "gradients and compiled steps, two processes, times of rows 4 and 5"
    assert f"0.001 minutes are over; left out, or not finished: {left}" in capsys.readouterr().out
