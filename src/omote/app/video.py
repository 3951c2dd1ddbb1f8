"""The tab "Video": videos and photos in; the video beside a timeline, people named, events, and tables to download."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from omote.analysis.workbook import write_workbook
from omote.app.jobs import Job
from omote.app.pages import JobPanel, render
from omote.app.state import State
from omote.app.uploads import MAX_SECONDS, check_uploads, show_name
from omote.data.media import find_kind
from omote.data.videos import Excerpt
from omote.errors import OmoteError
from omote.features.axes import axis_columns, say_axis
from omote.features.embed import embed_to
from omote.features.event_files import write_events
from omote.features.events import find_events
from omote.features.people import name_people
from omote.features.summary import EmbedSummary
from omote.features.table import join_tables, read_table
from omote.figures.page import encode_picture
from omote.figures.table.crops import SMALL_SIDE, Crops, recut_faces
from omote.figures.table.face_figure import format_time
from omote.figures.table.plot import plot_features
from omote.figures.table.timeline import make_timelines
from omote.files import remove

MOST_NAMED = 24  # faces with a field for a name: those in most frames
MOST_EVENTS = 100  # on the page; the file has all
MOST_SHEET_ROWS = 20_000  # of a workbook, which takes long to write
MOST_LEFT_OUT = 5  # files, each with a sentence
LONGEST_NAME = 60  # characters of a person's name
INTRODUCTION = (
    "Choose a video, several, or photos. omote finds each face, follows it, and measures what it does "
    "in every frame."
)
EMBEDDED, CROPS, PAGE, MORE = "embedded.parquet", "crops.npz", "page.html", "more.html"  # files of a job
FEATURES, TEXT, WORKBOOK, EVENTS, REPORT = (
    "features.parquet", "features.csv", "results.xlsx", "events.csv", "report.html",
)  # fmt: skip
DOWNLOADS = {
    FEATURES: "all numbers, exactly, for Python and R",
    TEXT: "the same, to 6 digits, as text",
    WORKBOOK: "faces, events and axes, for Excel",
    EVENTS: "when something on a face begins, is strongest and ends",
    REPORT: "a page with timelines and pictures, to keep",
}

Track = tuple[str, int]  # source, and number of the face in it


class Followed(NamedTuple):
    """A face that was followed through a video, or found on a photo."""

    track: Track
    title: str  # such as "film.mp4, face 0"
    about: str
    picture: str  # data URI; "" if it cannot be cut out again
    axes: list[tuple[str, float]]  # name and mean, 0 to 1


@dataclass
class Result:
    """What a job gave; all that is large is in files."""

    media: dict[str, str]  # path -> name, of the uploads
    notes: list[str]  # sentences on what was found and what was left out
    folder: Path  # of everything below
    faces: list[Followed] = field(default_factory=list)  # those in most frames first
    names: dict[Track, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)  # name in the address -> file


def tab(state: State) -> None:
    """Build the tab."""
    import gradio as gr

    gr.Markdown(INTRODUCTION)
    with gr.Row(equal_height=True):
        files = gr.File(label="Videos and photos", file_count="multiple", height=150, elem_id="files")
        folder = gr.File(label="Or a folder of them", file_count="directory", height=150, elem_id="folder")
    go = gr.Button("Find the faces", variant="primary", elem_id="go")
    place = gr.Column()  # for the progress, which every button below reports to
    shown = gr.State(("", 0.0))  # the job, and when it was done
    watch = gr.HTML(apply_default_css=False, elem_id="watch")
    with gr.Column(visible=False, elem_id="people") as people:
        gr.Markdown(
            "## People\n\nName the faces. One name for several numbers makes them one person: give it where a face was "
            "lost and found again, or is in several videos."
        )

        def name_faces(shown: tuple[str, float]) -> None:
            job = state.jobs.find(shown[0])
            if job is None:
                return
            result: Result = job.result
            fields = []
            with gr.Row(elem_classes="faces"):
                for face in result.faces[:MOST_NAMED]:
                    with gr.Column(min_width=230, elem_classes="face"):
                        gr.HTML(render("face.html", face=face), apply_default_css=False)
                        fields.append(
                            gr.Textbox(
                                result.names.get(face.track, ""), label=f"Name of {face.title}",
                                max_length=LONGEST_NAME, max_lines=1,
                            )
                        )  # fmt: skip
            more = len(result.faces) - MOST_NAMED
            if more > 0:
                gr.Markdown(
                    f"{more} more faces, in fewer frames, have no field here; they are in the tables."
                )
            save = gr.Button("Save the names", elem_classes="save")
            panel.start_on(save.click, lambda *names: rename(state, shown[0], names), fields)

        gr.render(inputs=shown)(name_faces)
    rest = gr.HTML(apply_default_css=False, elem_id="rest")
    report = gr.Button("Write the report", visible=False, elem_id="report")

    def show(job: Job | None) -> list[Any]:
        if job is None:
            return [("", 0.0), "", gr.Column(visible=False), "", gr.Button(visible=False)]
        result: Result = job.result
        # The page may be large, and holds scripts of type JSON: app.js gets it, and not gradio.
        page = render("fetch.html", address=f"/results/{job.id}/{PAGE}?{result.folder.name}")
        more = (result.folder / MORE).read_text(encoding="utf-8")
        return [
            (job.id, job.finished), page, gr.Column(visible=bool(result.faces)), more,
            gr.Button(visible=REPORT not in result.files),
        ]  # fmt: skip

    with place:
        panel = JobPanel(state, "video", [shown, watch, people, rest, report], show)
    panel.start_on(
        go.click,
        lambda *chosen: start(state, [path for some in chosen for path in some or []]),
        [files, folder],
    )
    panel.start_on(report.click, lambda shown: write_report(state, shown[0]), [shown])


def start(state: State, paths: Sequence[str]) -> str:
    """Start the job for some uploads, and return its id.

    Raises:
        OmoteError: As `check_uploads`.
    """
    checked = check_uploads(paths, state.uploads)
    count = len(checked.files)
    name = show_name(checked.files[0]) if count == 1 else f"{count} files"
    return state.jobs.start(name, _embed, state, checked.files, checked.refused)


def rename(state: State, id: str, names: Sequence[str]) -> str:
    """Start to write everything again with names of people, and return the id of the job, which stays the same.

    Args:
        names: of `Result.faces`, in the same order; "" for nobody. Faces with equal names are one person.
    Raises:
        OmoteError: If two faces of one picture have the same name, or the result is no longer there.
    """
    job = state.jobs.find(id)
    if job is None or job.result is None:
        raise OmoteError("the result is no longer there; find the faces again")
    tidy = (" ".join(name.split())[:LONGEST_NAME] for name in names)
    named = {face.track: name for face, name in zip(job.result.faces, tidy, strict=False) if name}
    keys = read_table(job.folder / EMBEDDED, lambda column: column in ("source", "stream", "frame", "face"))
    if named:
        keys = _add_names(keys, named).assign(source=keys["source"].astype(str).map(job.result.media))
        name_people(keys)  # raises if two faces of one picture have one name
    state.jobs.again(id, _write_with_names, named)
    return id


def write_report(state: State, id: str) -> str:
    """Start to write the report of a job, and return its id.

    Raises:
        OmoteError: If the result is no longer there.
    """
    state.jobs.again(id, _write_report)
    return id


def _embed(job: Job, state: State, files: Sequence[Path], refused: Sequence[str]) -> Result:
    job.report(0, 1, "loading the model")
    reader = state.reader
    media = _keep(files, job.folder / "media")
    try:
        summary = embed_to(
            reader, list(media), job.folder / EMBEDDED, relative=True, excerpt=Excerpt(end=MAX_SECONDS),
            progress=lambda done, total: job.report(done, total, "finding faces"),
        )  # fmt: skip
    except OmoteError as error:  # people know the names of their files, and not where the server keeps them
        raise OmoteError(str(error).replace(f"{job.folder / 'media'}/", "")) from None
    return _write(job, Result(media, [*_describe(summary, media), *refused], job.folder / "1"))


def _write_with_names(job: Job, names: dict[Track, str]) -> Result:
    old: Result = job.result
    folder = job.folder / str(int(old.folder.name) + 1)
    result = _write(job, Result(old.media, old.notes, folder, names=names))
    remove(old.folder)
    return result


def _write_report(job: Job) -> Result:
    result: Result = job.result
    table = _add_names(read_table(job.folder / EMBEDDED), result.names)
    page, _ = plot_features(
        table,
        result.folder / "report",
        progress=lambda done, total: job.report(done, total, "writing the report"),
    )
    result.files[REPORT] = page
    _write_rest(job, result)
    return result


def _keep(files: Sequence[Path], folder: Path) -> dict[str, str]:
    """Link uploads to names that differ, and return path -> name."""
    folder.mkdir()
    kept: dict[str, str] = {}
    for file in files:
        plain, number = Path(show_name(file)), 2
        name = plain.name
        while (folder / name).exists():
            name, number = f"{plain.stem} {number}{plain.suffix}", number + 1
        try:
            os.link(file, folder / name)
        except OSError:  # the file system knows no links
            shutil.copyfile(file, folder / name)
        kept[str(folder / name)] = name
    return kept


def _describe(summary: EmbedSummary, media: Mapping[str, str]) -> list[str]:
    """Return sentences on what was found, and what was left out."""
    notes = [f"{_count(summary.num_faces, 'face')} found."]
    if summary.num_doubted:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in summary.doubts.most_common())
        notes.append(f"{summary.num_doubted} of them are not to be trusted ({reasons}).")
    notes += [
        f"{_count(count, 'frame')} left out: {reason}."
        for reason, count in summary.skipped_frames.most_common()
    ]
    left_out = [
        f"{media.get(one['source'], one['source'])}: {one['reason']}." for one in summary.skipped_files
    ]
    more = len(left_out) - MOST_LEFT_OUT
    return [*notes, *left_out[:MOST_LEFT_OUT], *([f"{more} more files were left out."] if more > 0 else [])]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _write(job: Job, result: Result) -> Result:
    """Write pages and tables, and return the result with what is in them."""
    remove(result.folder)  # of a job that was cancelled
    result.folder.mkdir()
    table = _add_names(read_table(job.folder / EMBEDDED), result.names)
    crops, fragment, players = _load_crops(job.folder / CROPS), None, _find_players(job.id, result.media)
    try:
        timelines = make_timelines(
            table, crops=crops, players=players,
            progress=lambda done, total: job.report(done, total, "cutting out faces"),
        )  # fmt: skip
        fragment, crops = timelines.fragment, timelines.crops
    except OmoteError:  # a single photo, or faces that are all the same
        if crops is None:
            firsts = np.flatnonzero(~table.duplicated(["source", "face"]).to_numpy())
            crops, _ = recut_faces(table, firsts[:0], np.zeros(len(table), np.int64), small=firsts)
    _save_crops(job.folder / CROPS, crops)
    job.report(0, 1, "writing tables")
    result.faces = _list_faces(table, result.media, crops)
    result.files = {address.rpartition("/")[2]: Path(path) for path, address in players.items()}
    result.files[PAGE] = result.folder / PAGE
    page = render(
        "video.html", notes=result.notes, timelines=fragment,
        players=[(address, result.media[path]) for path, address in players.items()],
    )  # fmt: skip
    result.files[PAGE].write_text(page, encoding="utf-8")
    _write_tables(table, result)
    _write_rest(job, result)
    return result


def _add_names(table: pd.DataFrame, names: Mapping[Track, str]) -> pd.DataFrame:
    """Return the table with a column person first, if anybody has a name."""
    if names:
        tracks = zip(table["source"].astype(str), table["face"].astype(int), strict=True)
        table = table.copy()
        table.insert(0, "person", pd.Series([names.get(track) for track in tracks], table.index, dtype="str"))
    return table


def _load_crops(file: Path) -> Crops | None:
    if not file.is_file():
        return None
    with np.load(file) as stored:
        return dict(zip(stored["rows"].tolist(), stored["faces"], strict=True))


def _save_crops(file: Path, crops: Crops) -> None:
    faces = np.stack([*crops.values()]) if crops else np.zeros((0, SMALL_SIDE, SMALL_SIDE, 3), np.uint8)
    np.savez(file, rows=np.array([*crops], np.int64), faces=faces)


def _find_players(id: str, media: Mapping[str, str]) -> dict[str, str]:
    """Return path -> address of each video."""
    return {
        path: f"/results/{id}/media-{number}"
        for number, path in enumerate(media)
        if find_kind(path) == "video"
    }


def _list_faces(table: pd.DataFrame, media: Mapping[str, str], crops: Crops) -> list[Followed]:
    """Return all followed faces, those in most frames first."""
    found = []
    axes = axis_columns([str(column) for column in table.columns])
    table = table.reset_index(drop=True)
    for (source, face), rows in table.groupby(["source", "face"], sort=False):
        sure = rows[rows["trusted"].astype(bool)]
        counted = sure if len(sure) else rows
        shown = next((row for row in [*sure.index, *rows.index] if row in crops), None)
        about = "photo"
        if rows["time"].notna().any():
            span = (format_time(rows["time"].min()), format_time(rows["time"].max()))
            about = f"{_count(len(rows), 'frame')}, {span[0]} to {span[1]}"
        doubted = f"{len(rows) - len(sure)} not to be trusted" if len(sure) < len(rows) else ""
        name = media.get(str(source), str(source))
        means = counted[axes].astype(float).mean()
        found.append(
            Followed(
                (str(source), int(rows["face"].iloc[0])),
                f"face {face} in {name}",
                ", ".join(filter(None, [about, doubted])),
                "" if shown is None else encode_picture(Image.fromarray(crops[shown])),
                [(say_axis(axis), float(means[axis])) for axis in axes if np.isfinite(means[axis])],
            )
        )
    sizes = table.groupby(["source", "face"], sort=False).size().to_numpy()
    return [found[place] for place in np.argsort(-sizes, kind="stable")]


def _write_tables(table: pd.DataFrame, result: Result) -> None:
    """Write the tables to download, with names of files instead of paths."""
    shown = table.assign(source=table["source"].astype(str).map(result.media))
    files = {name: result.folder / name for name in (FEATURES, TEXT, WORKBOOK, EVENTS)}
    shown.to_parquet(files[FEATURES], index=False)
    join_tables([files[FEATURES]], files[TEXT])
    sheets = {"faces": _tabulate_faces(result)}
    try:
        events = find_events(shown)
        write_events(events, files[EVENTS])
        sheets["events"] = events
    except OmoteError as error:  # photos, or a model without axes
        files.pop(EVENTS)
        result.notes = [*result.notes, f"No events: {error}."]
    if len(shown) <= MOST_SHEET_ROWS:
        sheets["axes"] = shown[[column for column in shown if not str(column).startswith("z_e_")]]
    write_workbook(files[WORKBOOK], sheets)
    result.files |= files


def _tabulate_faces(result: Result) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source": result.media[face.track[0]], "face": face.track[1], "person": result.names.get(face.track, ""),
            "about": face.about, **{f"mean of {axis}": mean for axis, mean in face.axes},
        }
        for face in result.faces
    )  # fmt: skip


def _write_rest(job: Job, result: Result) -> None:
    """Write the events and downloads below the timelines."""
    events, players = (
        None,
        {result.media[path]: address for path, address in _find_players(job.id, result.media).items()},
    )
    if EVENTS in result.files:
        events = read_table(result.files[EVENTS])
    rows = (
        []
        if events is None
        else events.sort_values("onset", kind="stable").head(MOST_EVENTS).to_dict("records")
    )
    page = render(
        "more.html",
        id=job.id,
        events=None if events is None else [
            {
                "who": row.get("person") if isinstance(row.get("person"), str) else f"face {row['face']}",
                "source": row["source"], "video": players.get(row["source"], ""), "what": row["measure"],
                "onset": row["onset"], "times": [format_time(row[name]) for name in ("onset", "apex", "offset")],
                "peak": f"{row['peak']:.2f}", "note": row["note"] if isinstance(row["note"], str) else "",
            }
            for row in rows
        ],
        count=0 if events is None else len(events),
        downloads=[(name, about) for name, about in DOWNLOADS.items() if name in result.files],
    )  # fmt: skip
    (result.folder / MORE).write_text(page, encoding="utf-8")
