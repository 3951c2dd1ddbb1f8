"""The server of the app, on this machine: the page with its tabs, and what is let in and out.

Nothing is loaded from elsewhere, and a policy (Content-Security-Policy) tells the browser so. Only this machine can
open the page, unless another address was asked for; then it takes a token.
"""

import hmac
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager, suppress
from importlib.resources import files
from mimetypes import guess_type
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from markupsafe import Markup

from omote.app.state import State
from omote.app.uploads import MAX_BYTES, MAX_STORED, stored_bytes
from omote.errors import OmoteError
from omote.runs.shipped import SHIPPED

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "omote_token"
MAX_REQUEST = 16 * 2**20  # bytes of a request that uploads nothing
TIDY_SECONDS = 3600.0  # between two looks for old results
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' blob: 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
SCRIPTS = {  # address -> file of this package, and its type
    "plotly.js": ("figures/plotly/plotly-basic.min.js", "text/javascript"),
    "timeline.js": ("figures/templates/timeline.js", "text/javascript"),
    "app.js": ("app/app.js", "text/javascript"),
    "live.js": ("app/live.js", "text/javascript"),
    "timeline.css": ("figures/templates/timeline.css", "text/css"),
    "style.css": ("app/style.css", "text/css"),
    "live.css": ("app/live.css", "text/css"),
    "faces.css": ("app/faces.css", "text/css"),
    "runs.css": ("app/runs.css", "text/css"),
}
LIMITS = (
    "omote describes what a face does: lip corners up, brows raised. A facial expression is not what somebody feels, "
    "means or intends, and these pages reveal none of that.",
    "A distance says how far a face is from its usual look, and not in which direction.",
    "Rows that are not to be trusted are grey, with the reason: a turned head, a blurred or a small face, something "
    "unlike the faces of the training. They count in no event.",
    "What you upload stays on this machine, in a folder that is deleted when the app ends.",
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def build(state: State) -> Any:
    """Return the page, a `gradio.Blocks` with a tab for each thing to do."""
    import gradio as gr

    from omote.app import faces, live, runs, video

    with gr.Blocks(title="omote", analytics_enabled=False, delete_cache=(3600, 24 * 3600)) as page:
        gr.HTML(draw_heading(state.run_name), padding=False)
        with gr.Tabs():
            with gr.Tab("Video", id="video"):
                video.tab(state)
            with gr.Tab("Live", id="live"):
                live.tab(state)
            with gr.Tab("Faces", id="faces"):
                faces.tab(state)
            with gr.Tab("Runs", id="runs"):
                runs.tab(state)
            with gr.Tab("About", id="about"):
                gr.Markdown("\n\n".join(LIMITS))
        page.load(state.load_soon, api_visibility="private")
    return page


def draw_heading(run_name: str) -> str:
    """Return the HTML above the tabs."""
    return Markup('<h1>omote</h1><p class="lead">Expressions of faces, with {}.</p>').format(run_name)


def serve(
    run: str | Path = SHIPPED,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    token: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Serve the app until Ctrl-C or SIGTERM, and delete what was uploaded.

    Args:
        run: a run, an ONNX file, or "shipped".
        host: address to listen at; by default only this machine can open the page.
        port: 0 takes a free one.
        token: who opens the page has to give it; by default one is drawn where others can reach the page.
        tell: called with the address of the page once it answers.
    Raises:
        OmoteError: If gradio is missing, or the address is in use or not one of this machine.
    """
    import uvicorn

    is_local = host in LOOPBACK
    token = token or (None if is_local else secrets.token_urlsafe(24))
    with until_signalled(), TemporaryDirectory(prefix="omote-app-") as name, _listen(host, port) as listener:
        state = State(run, Path(name))
        app = Gate(make_app(state), state, local_only=is_local, token=token)
        config = uvicorn.Config(
            app, log_level="error", access_log=False, timeout_graceful_shutdown=1, server_header=False,
            ws="none",  # no page uses WebSockets, which the gate would not check
        )  # fmt: skip
        if run != SHIPPED:
            state.load()  # a damaged run is refused before anything is served
        threading.Thread(target=_tidy, args=(state,), daemon=True).start()
        if tell is not None:
            tell(_address(host, listener, token))
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            state.jobs.close()


def _tidy(state: State) -> None:
    while True:
        time.sleep(TIDY_SECONDS)
        state.jobs.forget_old()


def make_app(state: State) -> Any:
    """Return the pages and files of the app as an ASGI application, without a gate before it."""
    os.environ["GRADIO_TEMP_DIR"] = str(state.uploads)  # which gradio reads when it is imported
    try:
        import gradio as gr
    except ImportError:
        raise OmoteError(
            "the app needs the package gradio; install it with: pip install 'omote[app]'"
        ) from None
    from fastapi import FastAPI, HTTPException, Response
    from fastapi.responses import FileResponse

    from omote.app import live

    app = FastAPI(openapi_url=None)

    @app.get("/omote/{name}")
    def script(name: str) -> Response:
        if name not in SCRIPTS:
            raise HTTPException(404, "there is no such file")
        file, kind = SCRIPTS[name]
        text = files("omote").joinpath(file).read_text(encoding="utf-8")
        if name == "timeline.css":  # its class names are common ones
            text = f"@scope (.results) {{\n{text}}}\n"
        return Response(text, media_type=kind)

    @app.get("/results/{id}/{name}")
    def result(id: str, name: str) -> FileResponse:
        job = state.jobs.find(id)
        file = None if job is None else getattr(job.result, "files", {}).get(name)
        if file is None:
            raise HTTPException(404, "this result is no longer there; run it again")
        if name.startswith("media"):  # of whatever kind it says it is, it is shown as a video or not at all
            kind = guess_type(file)[0] or ""
            return FileResponse(
                file, media_type=kind if kind.startswith("video/") else "application/octet-stream"
            )
        return FileResponse(file, filename=name)

    head = "".join(
        f'<script src="/omote/{name}" defer></script>'
        if name.endswith(".js")
        else f'<link rel="stylesheet" href="/omote/{name}">'
        for name in SCRIPTS
    )
    app.include_router(live.routes(state))
    return gr.mount_gradio_app(
        app, build(state), path="/", theme=_theme(), head=head, footer_links=[], run_history=False,
        max_file_size=MAX_BYTES, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
    )  # fmt: skip


def _theme() -> Any:
    """Return gradio's plainest theme with the system's fonts and the blue of all pictures."""
    import gradio as gr

    blue = gr.themes.Color(
        "#eef6fb", "#d6eaf6", "#aed6ee", "#7cbde2", "#409fd3", "#0072b2", "#0066a0", "#00568a", "#00466f", "#003655",
        "#00263d", name="omote",
    )  # fmt: skip
    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
    fixed = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
    return gr.themes.Base(primary_hue=blue, neutral_hue="gray", radius_size="md", font=fonts, font_mono=fixed)


class Gate:
    """Stands before the app: who may come in, how much may be uploaded, and what the browser may load.

    Args:
        app: an ASGI application.
        local_only: refuse requests that name another host than this machine, as a page elsewhere could make a browser
            send ("DNS rebinding").
        token: that the address or a cookie has to hold; None lets everyone in.
    """

    def __init__(self, app: Any, state: State, *, local_only: bool, token: str | None) -> None:
        self._app, self._state, self._local_only, self._token = app, state, local_only, token

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        status, refusal = self._find_refusal(scope, headers, given)
        if refusal:
            await _answer(send, status, refusal)
            return
        added = dict(HEADERS)
        if self._token and given:
            added["set-cookie"] = f"{COOKIE}={quote(given)}; Path=/; HttpOnly; SameSite=Strict"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_encode(added)]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _find_refusal(self, scope: Message, headers: dict[str, str], given: str) -> tuple[int, str]:
        host = urlsplit(f"//{headers.get('host', '')}")
        if self._local_only and host.hostname not in LOOPBACK:
            return 403, f"This app answers only as {LOOPBACK[0]} or {LOOPBACK[1]}; open that address."
        if "origin" in headers and urlsplit(headers["origin"]).netloc != host.netloc:
            return 403, "This app answers only its own pages; open its address itself."
        if self._token:
            from starlette.requests import cookie_parser  # passes over cookies of others that it cannot read

            known = given or unquote(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
            if not hmac.compare_digest(known.encode(), self._token.encode()):
                return 401, "This app needs its token: open the whole address that `omote app` has printed."
        length = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
        if scope["method"] == "POST" and scope["path"].endswith("/upload"):
            return self._check_length(length)
        if not length.isdecimal() or int(length) > MAX_REQUEST:
            return (
                413,
                f"The request is too long, or does not say how long it is; at most {MAX_REQUEST} bytes are taken.",
            )
        return 200, ""

    def _check_length(self, length: str) -> tuple[int, str]:
        if not length.isdecimal():
            return 411, "The upload does not say how long it is."
        if int(length) > MAX_BYTES:
            return (
                413,
                f"The upload has {int(length) / 1e9:.1f} GB; at most {MAX_BYTES / 1e9:.1f} GB are taken.",
            )
        if stored_bytes(self._state.folder) + int(length) > MAX_STORED:
            return 507, "The app holds too many uploads; end it and start it again, which deletes them."
        return 200, ""


def _encode(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def _answer(send: Send, status: int, text: str) -> None:
    headers = _encode({"content-type": "text/plain; charset=utf-8", "connection": "close", **HEADERS})
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise OmoteError(
                f"the app cannot listen at {host}, port {port}: {error.strerror or error}; give another --port "
                "or --host"
            ) from None
        listener.listen()  # who comes before the server is ready waits
        yield listener


def _address(host: str, listener: socket.socket, token: str | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}/{f'?token={quote(token)}' if token else ''}"


@contextmanager
def until_signalled() -> Iterator[None]:
    """Run the block until Ctrl-C, SIGTERM or SIGHUP, each of which ends it as if it were done: folders are deleted."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kinds = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {kind: signal.signal(kind, end) for kind in kinds}
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
