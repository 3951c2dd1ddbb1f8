"""Long jobs in background threads: they go on when a page closes, and are found again by their id.

An id cannot be guessed, and is known only to the browser that started the job: who has it may see the result.
"""

import secrets
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from omote.boundary import explain
from omote.errors import OmoteError
from omote.files import say_why

AT_ONCE = 2  # jobs that compute; others wait for their turn
MOST_UNFINISHED = 20
KEPT_SECONDS = 24 * 3600.0  # a finished job is forgotten after so long, and its folder deleted
MOST_KEPT = 200  # finished jobs; of more, the oldest are forgotten
PATIENCE = 0.2  # s between two looks at whether a waiting job was cancelled

Status = Literal["waiting", "running", "done", "failed", "cancelled"]


class Cancelled(Exception):
    """Raised by `Job.report` in a job that was cancelled."""


@contextmanager
def take_turn(turns: threading.Lock) -> Iterator[None]:
    """Hold the lock of trainings, comparisons and audits, of which one goes on at a time.

    Raises:
        OmoteError: If another one holds it.
    """
    if not turns.acquire(blocking=False):
        raise OmoteError(
            "another training, comparison or audit is going on; start this one when it has ended"
        )
    try:
        yield
    finally:
        turns.release()


class Job:
    """One long job: how far it is, and what it gave. Its function calls `report`, and may write to `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.id = folder.name
        self.name = name  # for people: what is worked on
        self.folder = folder
        self.status: Status = "waiting"
        self.step = ""  # what is done just now
        self.share = 0.0  # of the step, 0 to 1
        self.error = ""  # the sentence, if it failed
        self.result: Any = None  # of the last time it was done, or what it has so far
        self.version = 0  # of the result while the job goes on
        self.finished = 0.0  # time of the end, on the clock of `time.monotonic`
        self._since = 0.0  # start of the step
        self._cancelled = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether the job is done, has failed or was cancelled."""
        return self.status in ("done", "failed", "cancelled")

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds to the end of the step; None if it is too early to tell."""
        elapsed = time.monotonic() - self._since
        if self.is_over or self.share <= 0 or elapsed < 1:
            return None
        return elapsed * (1 - self.share) / self.share

    def report(self, done: float, total: float, step: str = "") -> None:
        """Say how far the job is.

        Args:
            done: of the step, in any unit.
            total: of the step, in the same unit.
            step: what is done now, such as "faces and features"; "" for the same step as before.
        Raises:
            Cancelled: If the job was cancelled.
        """
        if self._cancelled.is_set():
            raise Cancelled
        if step and step != self.step:
            self.step, self._since = step, time.monotonic()
        self.share = min(1.0, done / total) if total > 0 else 0.0

    def publish(self, result: Any) -> None:
        """Give what there is so far; the page shows it while the job goes on."""
        self.result, self.version = result, self.version + 1

    def cancel(self) -> None:
        """Ask the job to stop; it does at its next `report`."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the job was asked to stop."""
        return self._cancelled.is_set()


class Jobs:
    """All jobs of a server, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        self._slots = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()

    def start(self, name: str, function: Callable[..., Any], *arguments: Any) -> str:
        """Start `function(job, *arguments)` in a thread, and return the id of the job.

        What the function returns is the job's `result`; an OmoteError becomes its `error`.

        Raises:
            OmoteError: If too many jobs are unfinished.
        """
        with self._lock:
            self._forget_old()
            if sum(not job.is_over for job in self._jobs.values()) >= MOST_UNFINISHED:
                raise OmoteError(
                    f"{MOST_UNFINISHED} jobs are unfinished; wait for one of them, or cancel one"
                )
            folder = self._folder / secrets.token_urlsafe(16)
            folder.mkdir(parents=True)
            job = self._jobs[folder.name] = Job(name, folder)
        self._run(job, lambda: function(job, *arguments))
        return job.id

    def again(self, id: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Go on with a job that is over, in the same folder; its result stays until the function returns another one.

        Raises:
            OmoteError: If the job is unknown or not over.
        """
        with self._lock:
            job = self.find(id)
            if job is None or not job.is_over:
                raise OmoteError("the result is no longer there, or is just being made; wait, or start again")
            job.status, job.step, job.share, job.error = "waiting", "", 0.0, ""
            job._cancelled.clear()
        self._run(job, lambda: function(job, *arguments))

    def forget_old(self) -> None:
        """Forget the jobs that ended long ago, and delete their folders."""
        with self._lock:
            self._forget_old()

    def find(self, id: str | None) -> Job | None:
        """Return the job with this id; None if there is none, or it was forgotten."""
        return self._jobs.get(id or "")

    def close(self, seconds: float = 5.0) -> None:
        """Cancel all jobs, and wait up to so many seconds for their end."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not all(job.is_over for job in [*self._jobs.values()]):
            time.sleep(0.05)

    def _run(self, job: Job, work: Callable[[], Any]) -> None:
        threading.Thread(target=self._work, args=(job, work), name=f"job {job.name}", daemon=True).start()

    def _work(self, job: Job, work: Callable[[], Any]) -> None:
        while not self._slots.acquire(timeout=PATIENCE):
            if job.is_cancelled:
                self._end(job, "cancelled")
                return
        try:
            job.status, job._since = "running", time.monotonic()
            job.report(0, 1)
            job.result = work()
            self._end(job, "done")
        except Cancelled:
            self._end(job, "cancelled")
        except OmoteError as error:
            self._end(job, "failed", str(error))
        except OSError as error:
            about = f"{Path(error.filename).name}: " if isinstance(error.filename, str) else ""
            self._end(job, "failed", about + say_why(error))
        except MemoryError:
            self._end(job, "failed", "there is not enough memory; close other programs, or give less data")
        except Exception as error:
            traceback.print_exc()
            self._end(job, "failed", f"a fault in omote, {type(error).__name__}: {explain(error)}")
        finally:
            self._slots.release()

    def _end(self, job: Job, status: Status, error: str = "") -> None:
        if job.result is None:
            _delete(job.folder)
        job.error, job.finished = error, time.monotonic()
        job.status = status

    def _forget_old(self) -> None:
        over = sorted((job for job in self._jobs.values() if job.is_over), key=lambda job: job.finished)
        for place, job in enumerate(over):
            if place < len(over) - MOST_KEPT or time.monotonic() - job.finished > KEPT_SECONDS:
                del self._jobs[job.id]
                _delete(job.folder)


def _delete(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # an error here would leave a job that never ends
