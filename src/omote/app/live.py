"""The tab Live: the camera of the browser, read frame by frame.

The page sends small JPEG pictures. At most two are on their way, so that only the newest are read, and one is read
while the next is made. The page draws everything itself (`live.js`).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from omote.app import camera
from omote.app.camera import Session, Sessions
from omote.app.pages import render
from omote.app.state import State
from omote.errors import OmoteError

if TYPE_CHECKING:
    from fastapi import APIRouter


def tab(state: State) -> None:
    """Build the tab; inside a `gradio.Tab`."""
    import gradio as gr

    gr.HTML(render("live.html"), elem_id="live", padding=False, apply_default_css=False)


def routes(state: State) -> "APIRouter":
    """Return the addresses that the tab speaks to."""
    from fastapi import APIRouter, Header, HTTPException, Request
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import FileResponse

    router, sessions = APIRouter(prefix="/live"), Sessions(state)

    def refuse(status: int, sentence: str) -> HTTPException:
        return HTTPException(status, sentence)

    def find(name: str) -> Session:
        if (session := sessions.find(name)) is None:
            raise refuse(410, "The session of this page has ended. Start the camera again.")
        return session

    async def ask(session: Session, method: Callable[..., Any], *args: Any) -> Any:
        try:
            return await asyncio.wrap_future(session.run(method, *args))
        except OmoteError as error:
            raise refuse(400, str(error)) from None

    async def read_body(request: Request) -> bytes:
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > camera.MAX_BYTES:
                raise refuse(413, f"More than {camera.MAX_BYTES} bytes were sent; that is too much.")
        return data

    @router.post("")
    async def open_session() -> dict[str, Any]:
        try:
            name, session = await run_in_threadpool(sessions.open)
        except OmoteError as error:
            raise refuse(503, str(error)) from None
        return {"session": name, "axes": session.axes}

    @router.post("/{name}/end")
    async def end(name: str) -> None:
        await run_in_threadpool(sessions.close, name)

    @router.post("/{name}/alive")
    async def keep(name: str) -> None:
        find(name)

    @router.post("/{name}/frame")
    async def see(name: str, request: Request, time: Annotated[float, Header()]) -> Any:
        session, data = find(name), await read_body(request)
        if session.waiting == camera.MAX_WAITING:
            raise refuse(429, "The pictures before are not answered yet.")
        session.waiting += 1
        try:
            return await ask(session, session.see, data, time)
        finally:
            session.waiting -= 1

    @router.post("/{name}/recording")
    async def start(name: str) -> Any:
        session = find(name)
        return await ask(session, session.start_recording)

    @router.post("/{name}/recording/stop")
    async def stop(name: str) -> Any:
        session = find(name)
        return await ask(session, session.stop_recording)

    @router.get("/{name}/recording-{number}.{kind}")
    async def table(name: str, number: int, kind: str) -> FileResponse:
        session = find(name)
        file = await ask(session, session.write_table, number, f".{kind}")
        return FileResponse(file, filename=file.name)

    @router.post("/{name}/usual-look")
    async def make(name: str) -> Any:
        session = find(name)
        return await ask(session, session.make_usual_look)

    @router.put("/{name}/usual-look")
    async def load(name: str, request: Request) -> Any:
        session = find(name)
        return await ask(session, session.load_usual_look, await read_body(request))

    @router.get("/{name}/usual-look.json")
    async def save(name: str) -> FileResponse:
        session = find(name)
        file = await ask(session, session.save_usual_look)
        return FileResponse(file, filename=file.name)

    @router.delete("/{name}/usual-look")
    async def forget(name: str) -> None:
        session = find(name)
        await ask(session, session.forget_usual_look)

    return router
