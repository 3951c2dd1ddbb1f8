"""The tab "Video": videos and photos in; the video beside a timeline, people named, events, and tables to download."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omote.app.jobs import Job
from omote.app.pages import JobPanel, render
from omote.app.state import State
from omote.app.uploads import MAX_SECONDS, check_uploads, show_name
from omote.data.videos import Excerpt
from omote.features.embed import embed_to
from omote.figures.table.timeline import make_timelines

FEATURES = "features.parquet"


@dataclass
class Result:
    """What a job gave."""

    files: dict[str, Path] = field(default_factory=dict)  # name in the address -> file
    page: str = ""  # HTML


def tab(state: State) -> None:
    """Build the tab."""
    import gradio as gr

    chosen = gr.File(label="Videos and photos", file_count="multiple", height=160)
    go = gr.Button("Find the faces", variant="primary")
    page = gr.HTML(padding=False)
    panel = JobPanel(state, "video", [page], lambda job: [job.result.page if job else ""])
    panel.start_on(go.click, lambda paths: start(state, paths), [chosen])


def start(state: State, paths: Sequence[str] | None) -> str:
    """Start the job for some uploads, and return its id.

    Raises:
        OmoteError: As `check_uploads`.
    """
    checked = check_uploads(paths or [], state.uploads)
    count = len(checked.files)
    name = show_name(checked.files[0]) if count == 1 else f"{count} files"
    return state.jobs.start(name, _work, state, checked.files, checked.refused)


def _work(job: Job, state: State, files: Sequence[Path], refused: Sequence[str]) -> Result:
    job.report(0, 1, "loading the model")
    reader = state.reader
    media = _keep(files, job.folder / "media")
    table = job.folder / FEATURES
    embed_to(
        reader, media, table, relative=True, excerpt=Excerpt(end=MAX_SECONDS),
        progress=lambda done, total: job.report(done, total, "finding faces"),
    )  # fmt: skip
    timelines = make_timelines(
        table, progress=lambda done, total: job.report(done, total, "cutting out faces")
    )
    return Result({FEATURES: table}, render("video.html", timelines=timelines.fragment, id=job.id))


def _keep(files: Sequence[Path], folder: Path) -> list[Path]:
    """Link uploads to names that differ, and return these."""
    folder.mkdir()
    kept: list[Path] = []
    for file in files:
        to = folder / file.name
        number = 2
        while to.exists():
            to = folder / f"{file.stem} {number}{file.suffix}"
            number += 1
        try:
            os.link(file, to)
        except OSError:  # the file system knows no links
            shutil.copyfile(file, to)
        kept.append(to)
    return kept
