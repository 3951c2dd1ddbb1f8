"""The tab "Faces": two photos exchange their expressions; the map of a face set's codes, and nearest faces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from omote.app.folders import find_folder, find_own_faces
from omote.app.jobs import Job
from omote.app.pages import JobPanel, render, say_error
from omote.app.state import State
from omote.app.uploads import check_uploads, show_name
from omote.data.cut import Cut, CutFace, cut_only_face, square_in
from omote.data.detect import find_detector
from omote.data.face_set import FaceSet, open_face_set
from omote.data.images import Unreadable, read_photo
from omote.data.outputs import Faces, Floats, code_names
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.evaluation.swaps import why_no_images
from omote.features.extract import extract_features
from omote.features.nearest import find_nearest
from omote.features.reader import Reader, cut_for
from omote.figures.code_map import Projection, project_codes
from omote.figures.page import encode_picture
from omote.figures.paper.interpolate import NO_IDENTITY
from omote.figures.paper.on_photo import (
    CHANGED,
    PHOTO_SIZE,
    apply_change,
    estimate_changes,
    interpolate_on_photo,
)
from omote.figures.paper.sheet import resize_faces
from omote.figures.picture import save_picture
from omote.figures.style import COLOURS, GREY, PEOPLE_COLOURS, sort_expressions
from omote.runs.trained import Trained

STEPS = 9  # expressions from a person's own to the other one, both included; as in the paper's Figure 5
BLOCK = 512  # faces read between two reports of progress
MOST_DOTS = 3000  # on the map
WIDTH, EDGE = 1000, 24  # of the map and of its border, in its own units
LOWEST, HIGHEST = 0.5, 1.0  # height of the map, as a share of its width
NEAREST = 6  # faces shown
COLOURINGS = ("person", "expression")
ONE_PHOTO = '<p role="status">The face is found. Give another photo for a swap.</p>'


class Photos(NamedTuple):
    """Photos of one person each, and their faces."""

    names: list[str]  # for people: "photo 1"
    paths: list[Path]
    crops: Faces  # (n, T, T, 3)
    codes: Floats  # (n, Z) expression codes


@dataclass
class OpenedFaces:
    """A face set and its expression codes: the result of a job."""

    face_set: FaceSet
    features: pd.DataFrame  # as `extract_features` returns them
    projection: Projection | None  # None if all codes are equal
    files: dict[str, Path] = field(default_factory=dict)  # none to download


def tab(state: State) -> None:
    """Build the tab."""
    import gradio as gr

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    gr.HTML(render("faces_swap_introduction.html"))
    with gr.Row():
        uploads = [_photo_input(f"Photo {number}") for number in (1, 2)]
    photos = gr.State(None)
    swaps = gr.HTML(js_on_load=_read_script("faces_steps.js"))
    save = gr.Button("Save the changed photos", visible=False)
    saved = gr.File(label="Changed photos", file_count="multiple", interactive=False, visible=False)
    changes = [upload.change for upload in uploads]
    shown = [photos, swaps, save, saved]

    def swap(*paths: str | None) -> Iterator[Sequence[Any]]:
        yield from _show_swaps(state, paths)

    gr.on(changes, swap, uploads, shown, **quiet)
    save.click(lambda given: _save(state, given), photos, [swaps, saved], **quiet)

    gr.HTML(render("faces_map_introduction.html", run_name=state.run_name))
    with gr.Row():
        folder = gr.Textbox(find_own_faces(state), label="Face set (folder)", scale=4)
        go = gr.Button("Show its map", variant="primary", scale=1)

    def show(job: Job | None) -> Sequence[Any]:
        update = gr.update(visible=job is not None)
        page = "" if job is None else draw_map(job.result, COLOURINGS[0])
        return page, gr.update(visible=job is not None, value=COLOURINGS[0]), update, "", ""

    bar = gr.Column()
    colours = [(f"by {each}", each) for each in COLOURINGS]
    colouring = gr.Radio(colours, value=COLOURINGS[0], label="Colours", visible=False)
    with gr.Row():
        with gr.Column(min_width=360):
            faces_map = gr.HTML(js_on_load=_read_script("faces_map.js"))
        with gr.Column(min_width=360):
            chosen = gr.HTML()
    near = gr.Button("Find the faces nearest to the photos", visible=False)
    nearest = gr.HTML()
    with bar:
        panel = JobPanel(state, "faces", [faces_map, colouring, near, chosen, nearest], show)
    for trigger in (go.click, folder.submit):
        panel.start_on(trigger, lambda name: start(state, name), [folder])

    def find_opened(id: str) -> OpenedFaces:
        job = state.jobs.find(id)
        if job is None or job.result is None:
            raise OmoteError("the map is no longer there; show it again")
        found: OpenedFaces = job.result
        return found

    def choose(id: str, event: gr.EventData) -> str:
        try:
            return describe_face(state, find_opened(id), getattr(event, "row", None))
        except OmoteError as error:
            return say_error(str(error))

    def compare(id: str, given: Photos | None) -> str:
        try:
            return describe_nearest(find_opened(id), given)
        except OmoteError as error:
            return say_error(str(error))

    def recolour(id: str, by: str) -> str:
        try:
            return draw_map(find_opened(id), by)
        except OmoteError as error:
            return say_error(str(error))

    faces_map.select(choose, panel.id, chosen, trigger_mode="always_last", **quiet)
    colouring.input(recolour, [panel.id, colouring], faces_map, **quiet)
    near.click(compare, [panel.id, photos], nearest, **quiet)


def _read_script(name: str) -> str:
    return files("omote.app").joinpath(name).read_text(encoding="utf-8")


def _photo_input(label: str) -> Any:
    """Return the input of a photo, which hands on the file as it is."""
    import gradio as gr

    photo: Any = gr.Image(
        label=label, type="filepath", sources=["upload", "clipboard"], height=260, buttons=[]
    )
    # gradio's own would open the file, also in formats that omote refuses
    photo.preprocess = lambda payload: None if payload is None else payload.path
    return photo


def read_photos(state: State, uploads: Sequence[str | None]) -> Photos | None:
    """Return the photos that were given, and their faces; None if there is none.

    Raises:
        OmoteError: If a photo cannot be read or shows nobody or several people, or the model has to be told who it is.
    """
    reader = state.reader
    photos = Photos([], [], np.empty(0, np.uint8), np.empty(0, np.float32))
    crops = []
    for number, path in enumerate(uploads, start=1):
        if path is not None:
            checked = check_uploads([path], state.uploads)
            photos.names.append(f"photo {number}")
            photos.paths.extend(checked.files)
            crops.append(_find_face(reader, photos.paths[-1])[1].crop)
    if not crops:
        return None
    faces = np.stack(crops)
    with state.lock:
        return photos._replace(crops=faces, codes=reader.read(resize_faces(reader, faces)).mean)


def _find_face(reader: Reader, path: Path) -> tuple[np.ndarray, CutFace, Cut]:
    """Return a photo, (H, W, 3) uint8 RGB, its only face with at least `PHOTO_SIZE` pixels, and how it was cut out."""
    cut = cut_for(reader, cropped=reader.face_set.is_cropped)
    cut = replace(cut, size=max(PHOTO_SIZE, cut.size))
    try:
        image = read_photo(path)
        found = cut_only_face(image, cut, None if cut.cropped else find_detector())
    except Unreadable as error:
        raise OmoteError(f"{show_name(path)} cannot be used: {error}") from error
    if isinstance(found, str):
        raise OmoteError(
            f"{show_name(path)} cannot be used: {found} found; give a photo that shows one person"
        )
    return image, found, cut


def _show_swaps(state: State, uploads: Sequence[str | None]) -> Iterator[Sequence[Any]]:
    """Yield the photos, their swaps as HTML, the button to save them and the saved files."""
    import gradio as gr

    hidden = gr.update(visible=False)
    try:
        photos = read_photos(state, uploads)
    except OmoteError as error:
        yield None, say_error(str(error)), hidden, hidden
        return
    if photos is None or len(photos.paths) < 2:
        yield photos, ONE_PHOTO if photos else "", hidden, hidden
        return
    try:
        can_save = gr.update(visible=check_swaps(state).has_identity)
        for page in draw_swaps(state, photos):
            yield photos, page, can_save, gr.skip()
    except OmoteError as error:
        yield photos, say_error(str(error)), hidden, hidden


def draw_swaps(state: State, photos: Photos) -> Iterator[str]:
    """Yield the HTML of two people, each with the expression of the other in `STEPS` steps; drawn on the photo last.

    Raises:
        OmoteError: If the model cannot swap.
    """
    model = check_swaps(state)
    faces = resize_faces(model, photos.crops)
    people: list[dict[str, Any]] = []
    for own, other in ((0, 1), (1, 0)):
        with state.lock:
            decoded = model.interpolate(faces[own], faces[other], STEPS)
        people.append(
            {"name": photos.names[own], "other": photos.names[other], "photo": _encode(photos.crops[own]),
             "decoded": [_encode(face) for face in decoded], "on_photo": []}
        )  # fmt: skip
    note = "" if model.has_identity else NO_IDENTITY
    yield render("faces_swap.html", people=people, size=model.size, steps=STEPS, note=note)
    if not model.has_identity:
        return
    for (own, other), person in zip(((0, 1), (1, 0)), people, strict=True):
        with state.lock:
            changed = interpolate_on_photo(model, photos.crops[own], photos.crops[other], STEPS)
        person["on_photo"] = [_encode(face, CHANGED) for face in changed]
        yield render("faces_swap.html", people=people, size=model.size, steps=STEPS, note=note)


def check_swaps(state: State) -> Trained:
    """Return the model; raise OmoteError if it cannot swap."""
    model = state.reader
    if not isinstance(model, Trained):
        raise OmoteError(
            f"{state.run_name} is an exported model, which makes no images; start the app with the run"
        )
    if reason := why_no_images(model):
        raise OmoteError(f"no swap with {state.run_name}: {reason}")
    return model


def _save(state: State, photos: Photos) -> Sequence[Any]:
    """Return the swaps, or why they cannot be saved, and the saved files."""
    import gradio as gr

    try:
        return gr.skip(), gr.update(value=[*map(str, save_swaps(state, photos))], visible=True)
    except OmoteError as error:
        return say_error(str(error)), gr.update(visible=False)


def save_swaps(state: State, photos: Photos) -> list[Path]:
    """Write both whole photos, each with the expression of the other, and return the files.

    Raises:
        OmoteError: If the model cannot swap, or the photos are no longer there.
    """
    model = check_swaps(state)
    with state.lock:
        changes = estimate_changes(model, photos.crops, photos.crops)
    folder = (
        photos.paths[0].parent / photos.paths[1].parent.name
    )  # the same each time, so that one set is kept
    saved = []
    for own, other in ((0, 1), (1, 0)):
        image, found, cut = _find_face(model, photos.paths[own])
        changed = apply_change(image, changes[other][own], square_in(image, found, cut))
        name = f"{photos.names[own]} with the expression of {photos.names[other]}.png"
        saved.append(save_picture(Image.fromarray(changed), folder / name, note=CHANGED))
    return saved


def _encode(face: Faces, note: str = "") -> str:
    return encode_picture(Image.fromarray(face), note=note)


def start(state: State, name: str) -> str:
    """Start to read a face set, and return the id of the job.

    Raises:
        OmoteError: If it is no face set, or cannot be read by the model.
    """
    path = find_folder(state, name)
    face_set = open_face_set(path)
    return state.jobs.start(path.name, _read_faces, state, face_set)


def _read_faces(job: Job, state: State, face_set: FaceSet) -> OpenedFaces:
    job.report(0, 1, "loading the model")
    reader = state.reader
    parts = []
    for begin in range(0, len(face_set), BLOCK):
        rows = slice(begin, begin + BLOCK)
        part = replace(face_set, faces=face_set.faces[rows], frames=face_set.frames.iloc[rows])
        with state.lock:
            parts.append(extract_features(reader, part))
        job.report(min(begin + BLOCK, len(face_set)), len(face_set), "reading faces")
    features = pd.concat(parts, ignore_index=True)
    return OpenedFaces(face_set, features, project_codes(codes_of(features)))


def codes_of(features: pd.DataFrame) -> Floats:
    """Return the (N, Z) expression codes of a feature table."""
    codes: Floats = features[code_names(list(features.columns))].to_numpy(np.float32, copy=True)
    return codes


def draw_map(opened: OpenedFaces, by: str) -> str:
    """Return the HTML of the map: a dot for each face at the first two principal directions of the codes.

    Args:
        by: one of `COLOURINGS`.
    """
    features, projection = opened.features, opened.projection
    if projection is None:
        return say_error("no map: all faces have the same code, so the training of this model has failed")
    rows = np.array(evenly_spaced(len(features), MOST_DOTS))
    groups, colours = _find_groups(features, by)
    places = projection.places * [1, -1]
    places -= places.min(axis=0)
    wide, high = places.max(axis=0)
    height = float(np.clip(high / (wide or 1), LOWEST, HIGHEST)) * WIDTH
    scale = min((WIDTH - 2 * EDGE) / (wide or 1), (height - 2 * EDGE) / (high or 1))
    x, y = (places * scale + (np.array([WIDTH, height]) - scale * np.array([wide, high])) / 2).T
    column = "subject" if by == "person" else "expression"
    dots = [
        (
            row,
            round(x[row], 1),
            round(y[row], 1),
            colours.get(features[column].iloc[row], GREY),
            name_frame(features.iloc[row]),
        )
        for row in rows.tolist()
    ]
    return render(
        "faces_map.html", dots=dots, width=WIDTH, height=round(height), legend=list(colours.items()),
        others=len(groups) - len(colours), rest=GREY, total=len(features), share=round(100 * projection.shares.sum()),
        by=by,
    )  # fmt: skip


def _find_groups(features: pd.DataFrame, by: str) -> tuple[list[str], dict[str, str]]:
    """Return all people or expressions, and the colours of those that have one: people are evenly spaced."""
    if by == "person":
        everyone = sorted(features["subject"].unique())
        coloured = [everyone[k] for k in evenly_spaced(len(everyone), len(PEOPLE_COLOURS))]
        return everyone, dict(zip(coloured, PEOPLE_COLOURS, strict=False))
    labels = sort_expressions(features["expression"].dropna())
    return labels, dict(zip(labels, COLOURS, strict=False))


def name_frame(row: Any) -> str:
    """Return who a frame shows, and where it is from."""
    expression = row["expression"]
    said = f", {expression}" if isinstance(expression, str) and expression not in row["clip"] else ""
    return f"{row['subject']}, {row['clip']}, frame {row['frame']}{said}"


def describe_face(state: State, opened: OpenedFaces, row: object) -> str:
    """Return the HTML of a face of the map, what the model draws from its codes, and the nearest faces of others.

    Args:
        row: of the features, as the page sent it.
    Raises:
        OmoteError: If there is no such row.
    """
    features = opened.features
    if not isinstance(row, int) or not 0 <= row < len(features):
        raise OmoteError("there is no such face on the map; click on a dot")
    face, who = np.asarray(opened.face_set.faces[row]), features.iloc[row]
    others = features[features["subject"] != who["subject"]]
    code = codes_of(features.iloc[[row]])[0]
    decoded, model = "", state.reader
    if isinstance(model, Trained) and not why_no_images(model):
        with state.lock:
            decoded = _encode(model.decode(model.identify(face[None])[0], code[None])[0])
    return render(
        "faces_chosen.html", name=name_frame(who), face=_encode(face), decoded=decoded,
        nearest=_list_nearest(opened, others, code),
    )  # fmt: skip


def describe_nearest(opened: OpenedFaces, photos: Photos | None) -> str:
    """Return the HTML of the faces that are nearest to each photo.

    Raises:
        OmoteError: If there is no photo.
    """
    if photos is None:
        raise OmoteError("no photo was given; give one or two at the top of this page")
    found = [
        {"name": name, "photo": _encode(crop), "nearest": _list_nearest(opened, opened.features, code)}
        for name, crop, code in zip(photos.names, photos.crops, photos.codes, strict=True)
    ]
    return render("faces_nearest.html", photos=found)


def _list_nearest(opened: OpenedFaces, features: pd.DataFrame, code: Floats) -> list[dict[str, Any]]:
    if features.empty:
        return []
    nearest = find_nearest(features, code, NEAREST)
    return [
        {
            "face": _encode(opened.face_set.faces[row]),
            "name": name_frame(frame),
            "distance": frame["distance"],
        }
        for row, frame in zip(nearest.index.tolist(), nearest.to_dict("records"), strict=True)
    ]
