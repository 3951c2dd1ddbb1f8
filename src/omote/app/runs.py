"""The tab "Runs": its inputs and outputs; `runs_training` and `runs_judging` do the work."""

import threading
from collections.abc import Sequence
from typing import Any

from omote.app.folders import find_folder
from omote.app.jobs import Job
from omote.app.pages import JobPanel, render, say_error
from omote.app.runs_judging import audit_runs, compare_runs, find_runs, show_audit, start_judging
from omote.app.runs_training import start_training
from omote.app.state import State
from omote.data.cut import SIZES
from omote.errors import OmoteError
from omote.methods.registry import DEFAULT_METHOD, METHODS
from omote.runs.config import TrainConfig


def tab(state: State) -> None:
    """Build the tab."""
    import gradio as gr

    turns = threading.Lock()  # trainings, comparisons and audits draw from one random state, so one at a time
    defaults = TrainConfig()

    gr.HTML(render("runs_training_introduction.html"))
    with gr.Row():
        source = gr.Textbox(
            label="Folder of photos and videos, or a face set", placeholder="photos", min_width=240
        )
        to = gr.Textbox(label="New run (folder)", placeholder="run", min_width=240)
    with gr.Row():
        method = gr.Dropdown(list(METHODS), value=DEFAULT_METHOD, label="Method", filterable=False)
        epochs = gr.Number(defaults.options.epochs, precision=0, minimum=1, label="Epochs per stage")
        held_out = gr.Number(0, precision=0, minimum=0, label="People held out for testing")
        size = gr.Radio([(f"{each} px", each) for each in SIZES], value=SIZES[0], label="Size of the faces")
    go = gr.Button("Train", variant="primary")
    bar = gr.Column()
    trained = gr.HTML()
    with bar:
        training = JobPanel(state, "training", [trained], _show)
    settings = [source, to, method, epochs, held_out, size]
    training.start_on(go.click, lambda *given: start_training(state, turns, *given), settings)

    gr.HTML(render("runs_judging_introduction.html"))
    with gr.Row():
        folder = gr.Textbox(".", label="Folder with runs", scale=4)
        look = gr.Button("List the runs", scale=1)
    problems = gr.HTML()
    runs = gr.CheckboxGroup([], label="Runs", visible=False)
    with gr.Row():
        compare = gr.Button("Compare", visible=False)
        make = gr.Button("Audit", visible=False)
        read = gr.Button("Read the audit", visible=False)
    bar = gr.Column()
    judged = gr.HTML()
    with bar:
        judging = JobPanel(state, "judging", [judged], _show)

    def list_runs(name: str) -> Sequence[Any]:
        try:
            found, damaged = find_runs(find_folder(state, name))
        except OmoteError as error:
            found, damaged = {}, [str(error)]
        update = gr.update(visible=bool(found))
        said = "".join(say_error(each) for each in damaged)
        choices = [(label, path) for path, label in found.items()]
        return said, gr.update(choices=choices, value=[], visible=bool(found)), update, update, update

    def read_audit(chosen: Sequence[str]) -> str:
        try:
            return show_audit(state, chosen)
        except OmoteError as error:
            return say_error(str(error))

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on([look.click, folder.submit], list_runs, folder, [problems, runs, compare, make, read], **quiet)
    judging.start_on(compare.click, lambda chosen: start_judging(state, turns, compare_runs, chosen), [runs])
    judging.start_on(make.click, lambda chosen: start_judging(state, turns, audit_runs, chosen), [runs])
    read.click(read_audit, runs, judged, **quiet)


def _show(job: Job | None) -> Sequence[str]:
    return [job.result if job else ""]
