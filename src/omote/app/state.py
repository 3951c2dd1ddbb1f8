"""What one server of the app holds: the model, the folder of uploads and results, and the jobs."""

import threading
from functools import cached_property
from pathlib import Path

from omote.app.jobs import Jobs
from omote.features.embed import open_reader
from omote.features.reader import Reader
from omote.runs.shipped import SHIPPED


class State:
    """The model that all pages use, loaded when it is first needed, and the jobs.

    Args:
        run: a run, an ONNX file, or "shipped".
        folder: for uploads and results; it is deleted when the server ends.
    """

    def __init__(self, run: str | Path, folder: Path) -> None:
        self.run = str(run)
        self.folder = folder
        self.jobs = Jobs(folder / "jobs")
        self.lock = threading.Lock()  # held while the model reads single faces, so that users take turns
        self._loading = threading.Lock()

    @property
    def run_name(self) -> str:
        """The name of the model for people."""
        return "the model that comes with omote" if self.run == SHIPPED else Path(self.run).name

    @property
    def uploads(self) -> Path:
        """The folder that uploads get to."""
        return self.folder / "uploads"

    @property
    def reader(self) -> Reader:
        """The model; waits while it is loaded.

        Raises:
            OmoteError: As `omote.open_reader`.
        """
        with self._loading:
            return self._reader

    def load(self) -> None:
        """Load the model; raises as `reader`."""
        _ = self.reader

    def load_soon(self) -> None:
        """Begin to load the model, so that it is there when the first page asks for it, which comes first."""
        threading.Thread(target=self.load, daemon=True).start()

    @cached_property
    def _reader(self) -> Reader:
        return open_reader(self.run)
