"""The tab "Faces": its inputs and outputs; `faces_swap` and `faces_map` do the work."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

from omote.app.faces_map import COLOURINGS, OpenedFaces, describe_face, describe_nearest, draw_map, start_map
from omote.app.faces_swap import Photos, check_swaps, draw_swaps, read_photos, save_swaps
from omote.app.folders import find_own_faces
from omote.app.jobs import Job
from omote.app.pages import JobPanel, render, say_error
from omote.app.state import State
from omote.errors import OmoteError

ONE_PHOTO = '<p role="status">The face is found. Give another photo for a swap.</p>'


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
        panel.start_on(trigger, lambda name: start_map(state, name), [folder])

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


def _save(state: State, photos: Photos) -> Sequence[Any]:
    """Return the swaps, or why they cannot be saved, and the saved files."""
    import gradio as gr

    try:
        return gr.skip(), gr.update(value=[*map(str, save_swaps(state, photos))], visible=True)
    except OmoteError as error:
        return say_error(str(error)), gr.update(visible=False)
