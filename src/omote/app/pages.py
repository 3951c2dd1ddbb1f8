"""Parts that several pages share: the progress of a long job, and HTML from templates."""

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from omote.app.jobs import Job
from omote.app.state import State
from omote.errors import OmoteError
from omote.figures.page import format_duration, load_template

EVERY = 1.0  # s between two looks at a job


def render(template: str, **values: Any) -> str:
    """Return HTML of a template of this package; all text is escaped."""
    return load_template(template, "omote.app").render(**values)


def say_error(text: str) -> Markup:
    """Return a sentence about what went wrong, as HTML that a screen reader reads out."""
    return Markup('<p class="error" role="alert">{}</p>').format(text)


class JobPanel:
    """Progress, time left and a button to cancel, for one long job of a page that goes on when the page is closed.

    The browser keeps the id of the job, so that another browser sees nothing of it.

    Args:
        state: of the server.
        key: names the panel in the browser's storage; one per tab.
        outputs: components that show the result.
        show: returns their values, for a job that has a result, or for None.
    """

    def __init__(
        self, state: State, key: str, outputs: Sequence[Any], show: Callable[[Job | None], Sequence[Any]]
    ) -> None:
        import gradio as gr
        from gradio.context import Context

        self._state, self._outputs, self._show = state, list(outputs), show
        self.id = gr.BrowserState("", storage_key=f"omote-{key}")
        self._shown = gr.State("")  # which result of which job the page shows
        self._error = gr.HTML()  # why a job was not started
        self._bar = gr.HTML()
        self._cancel = gr.Button("Cancel", visible=False, size="sm", elem_classes="cancel")
        self._timer = gr.Timer(EVERY, active=False)
        own = [self._bar, self._cancel, self._timer, self._shown]
        looks: dict[str, Any] = {
            "fn": self._look, "inputs": [self.id, self._shown], "outputs": [*own, *self._outputs],
            "show_progress": "hidden", "api_visibility": "private",
        }  # fmt: skip
        self._timer.tick(**looks)
        self.id.change(**looks)
        Context.root_block.load(**looks)  # type: ignore[union-attr]
        self._cancel.click(
            self._ask_to_cancel, self.id, None, show_progress="hidden", api_visibility="private"
        )

    def start_on(self, trigger: Any, start: Callable[..., str], inputs: Sequence[Any]) -> None:
        """Start a job at an event.

        Args:
            trigger: the event, such as `button.click`.
            start: takes the values of `inputs`, starts a job and returns its id; an OmoteError is shown.
            inputs: components.
        """
        import gradio as gr

        def begin(before: str, *values: Any) -> tuple[Any, ...]:
            job = self._state.jobs.find(before)
            going = job is not None and not job.is_over
            try:
                if job is not None and going:
                    raise OmoteError(f"{job.name} is not done yet; wait for it, or press Cancel")
                id = start(*values)
            except OmoteError as error:
                bar = gr.skip() if going else ""  # the error of the job before is not that of this one
                return say_error(str(error)), gr.skip(), bar, gr.skip(), gr.skip()
            return "", id, *self._describe(id)

        outputs = [self._error, self.id, self._bar, self._cancel, self._timer]
        trigger(begin, [self.id, *inputs], outputs, show_progress="hidden", api_visibility="private")

    def _describe(self, id: str) -> tuple[Any, Any, Any]:
        """Return the progress, the button and the timer."""
        import gradio as gr

        job = self._state.jobs.find(id)
        going = job is not None and not job.is_over
        return _draw_progress(job), gr.update(visible=going), gr.Timer(active=going)

    def _look(self, id: str, shown: str) -> tuple[Any, ...]:
        import gradio as gr

        job = self._state.jobs.find(id)
        result = "" if job is None or job.result is None else f"{job.id} {job.version} {job.finished}"
        same = result == shown or (not result and job is not None and not job.is_over)
        values = [gr.skip() for _ in self._outputs] if same else self._show(job if result else None)
        return *self._describe(id), shown if same else result, *values

    def _ask_to_cancel(self, id: str) -> None:
        if job := self._state.jobs.find(id):
            job.cancel()


def _draw_progress(job: Job | None) -> str:
    if job is None or job.status == "done":
        return ""
    if job.status == "failed":
        return say_error(f"{job.name}: {job.error}")
    if job.status == "cancelled":
        return Markup('<p role="status">{}: cancelled.</p>').format(job.name)
    if job.is_cancelled:
        said = "stopping"
    elif job.status == "waiting":
        said = "waits for other jobs"
    else:
        left = job.seconds_left
        said = job.step + (f", {100 * job.share:.0f} %" if job.share else "")
        said += f", about {format_duration(left)} left" if left is not None else ""
    return Markup(
        '<div class="job"><p>{}: {}</p><progress max="1" value="{}" aria-label="{}"></progress></div>'
    ).format(job.name, said, round(job.share, 3), f"Progress of {job.name}")
