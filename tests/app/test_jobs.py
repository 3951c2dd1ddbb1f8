"""Long jobs: progress, cancelling, results, and errors as sentences."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omote.app import jobs
from omote.app.jobs import MOST_UNFINISHED, Job, Jobs
from omote.errors import OmoteError


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finish(jobs: Jobs, function: Callable[..., Any], *arguments: Any) -> Job:
    """Return a job when it is over."""
    job = jobs.find(jobs.start("film.mp4", function, *arguments))
    assert job is not None
    wait(lambda: job.is_over)
    return job


@pytest.fixture
def all_jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


def test_a_job_gives_its_result_and_keeps_its_folder(all_jobs: Jobs) -> None:
    def work(job: Job, text: str) -> str:
        (job.folder / "file").write_text(text)
        return text * 2

    job = finish(all_jobs, work, "ab")
    assert (job.status, job.result, job.error) == ("done", "abab", "")
    assert (job.folder / "file").read_text() == "ab"
    assert all_jobs.find(job.id) is job
    assert all_jobs.find("another") is None
    assert len(job.id) >= 20  # cannot be guessed


def test_errors_become_sentences_and_the_folder_goes(
    all_jobs: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(job: Job, error: Exception) -> None:
        raise error

    for error, said in [
        (OmoteError("no face"), "no face"),
        (FileNotFoundError(2, "No such file", "/a/b.mp4"), "b.mp4: No such file."),
        (MemoryError(), "there is not enough memory; close other programs, or give less data"),
        (KeyError("x"), "a fault in omote, KeyError: x is missing"),
    ]:
        job = finish(all_jobs, fail, error)
        assert (job.status, job.error) == ("failed", said)
        assert not job.folder.exists()
    assert "KeyError" in capsys.readouterr().err  # for whoever runs the server


def test_progress_tells_the_step_its_share_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    job = Job("film.mp4", tmp_path / "id")
    job.report(0, 10, "finding faces")
    assert job.seconds_left is None
    clock[0] += 6
    job.report(4, 10)
    assert (job.step, job.share) == ("finding faces", 0.4)
    assert job.seconds_left == pytest.approx(9)
    job.report(1, 2, "writing tables")  # a new step has its own clock
    assert job.seconds_left is None
    job.report(3, 2)
    assert job.share == 1


def test_a_cancelled_job_stops_at_its_next_report(all_jobs: Jobs) -> None:
    def work(job: Job) -> None:
        for _ in range(2000):
            job.report(1, 2, "a step")
            time.sleep(0.01)

    job = all_jobs.find(all_jobs.start("film.mp4", work))
    assert job is not None
    wait(lambda: job.step == "a step")
    job.cancel()
    wait(lambda: job.is_over)
    assert (job.status, job.result) == ("cancelled", None)
    assert not job.folder.exists()


def test_two_jobs_run_at_once_others_wait_and_too_many_are_refused(all_jobs: Jobs) -> None:
    go_on = threading.Event()
    started = [
        all_jobs.find(all_jobs.start(str(k), lambda job: go_on.wait(20))) for k in range(MOST_UNFINISHED)
    ]
    found = [job for job in started if job is not None]
    wait(lambda: sum(job.status == "running" for job in found) == 2)
    with pytest.raises(OmoteError, match="20 jobs are unfinished"):
        all_jobs.start("one more", lambda job: None)
    waiting = next(job for job in found if job.status == "waiting")
    waiting.cancel()
    wait(lambda: waiting.status == "cancelled")
    go_on.set()
    wait(lambda: all(job.is_over for job in found))
    assert sum(job.status == "done" for job in found) == MOST_UNFINISHED - 1


def test_a_job_goes_on_with_its_result_which_stays_if_that_fails(all_jobs: Jobs) -> None:
    def fail(job: Job) -> None:
        raise OmoteError(f"not with {job.result}")

    job = finish(all_jobs, lambda job: 1)
    all_jobs.again(job.id, lambda job: job.result + 1)
    wait(lambda: job.is_over)
    assert (job.status, job.result) == ("done", 2)
    all_jobs.again(job.id, fail)
    wait(lambda: job.is_over)
    assert (job.status, job.error, job.result) == ("failed", "not with 2", 2)
    assert job.folder.exists()
    with pytest.raises(OmoteError, match="no longer there"):
        all_jobs.again("another", fail)


def test_old_jobs_are_forgotten_with_their_folders(all_jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    old = finish(all_jobs, lambda job: 1)
    monkeypatch.setattr(jobs, "KEPT_SECONDS", 0.0)
    time.sleep(0.01)
    all_jobs.forget_old()
    assert all_jobs.find(old.id) is None
    assert not old.folder.exists()


def test_of_many_jobs_the_oldest_are_forgotten(all_jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_KEPT", 2)
    done = [finish(all_jobs, lambda job: 1) for _ in range(3)]
    finish(all_jobs, lambda job: 1)
    assert [all_jobs.find(job.id) is job for job in done] == [False, True, True]
    assert [job.folder.exists() for job in done] == [False, True, True]


def test_closing_cancels_everything(all_jobs: Jobs) -> None:
    def work(job: Job) -> None:
        while True:
            job.report(0, 1)
            time.sleep(0.01)

    job = all_jobs.find(all_jobs.start("film.mp4", work))
    assert job is not None
    all_jobs.close()
    assert job.status == "cancelled"
