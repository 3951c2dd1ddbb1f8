"""Who may come in, and what is left when the app ends."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from omote.app.serve import COOKIE, MAX_REQUEST, Gate, Message, draw_heading, serve, until_signalled
from omote.app.state import State
from omote.app.uploads import MAX_BYTES
from omote.cli.main import app
from omote.errors import OmoteError
from tests.app.conftest import Served, serving


def ask(
    address: str, path: str, method: str = "GET", body: bytes | None = None, **headers: Any
) -> tuple[int, str, dict[str, str]]:
    """Return status, text and headers of an answer."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=120)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = (
        answer.status,
        answer.read().decode(),
        {name.lower(): value for name, value in answer.getheaders()},
    )
    connection.close()
    return found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app at every address of this machine, so that it takes a token."""
    with serving(tmp_path_factory.mktemp("guarded"), "--host", "0.0.0.0") as served:
        yield served._replace(address=served.address.replace("0.0.0.0", "127.0.0.1"))


def test_this_machine_needs_no_token_and_others_are_not_served(server: Served) -> None:
    assert "token" not in server.address
    status, text, headers = ask(server.address, "/")
    assert status == 200
    assert "omote" in text
    assert "default-src 'self'" in headers["content-security-policy"]
    for name in ("evil.example", "127.0.0.1.evil.example", ""):
        status, text, _ = ask(server.address, "/", Host=name)
        assert (status, "answers only as 127.0.0.1" in text) == (403, True)
    status, text, _ = ask(server.address, "/", Origin="http://evil.example")
    assert (status, "only its own pages" in text) == (403, True)


def test_another_address_takes_a_token(guarded: Served) -> None:
    given: dict[str, Any]
    for path, given in [
        ("/", {}),
        ("/?token=wrong", {}),
        ("/", {"Cookie": f"{COOKIE}=wrong"}),
        ("/config", {}),
    ]:
        status, text, _ = ask(guarded.address, path, "GET", None, **given)
        assert (status, "needs its token" in text) == (401, True)
    status, _, headers = ask(guarded.address, f"/?{urlsplit(guarded.address).query}")
    assert status == 200
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert ask(guarded.address, "/config", Cookie=cookie.split(";")[0])[0] == 200


def pass_gate(folder: Path, query: str = "", method: str = "GET", **headers: str) -> tuple[int, str]:
    """Return status and new cookie of an answer through a gate with the token "a b+ä"; 200 is one of the app."""
    sent: list[Message] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("the gate reads nothing")

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "query_string": query.encode(), "headers": pairs}
    gate = Gate(app, State("shipped", folder), local_only=False, token="a b+ä")
    with ThreadPoolExecutor(1) as thread:  # as Playwright runs an event loop in this one
        thread.submit(asyncio.run, gate(scope, receive, send)).result()
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"set-cookie", b"").decode()


def test_a_token_may_have_any_characters_and_stand_among_other_cookies(tmp_path: Path) -> None:
    status, cookie = pass_gate(tmp_path, "token=a%20b%2B%C3%A4")
    assert status == 200
    own = cookie.split(";")[0]
    assert pass_gate(tmp_path, cookie=own)[0] == 200
    assert (
        pass_gate(tmp_path, cookie=f'settings={{"a": 1}}; {own}')[0] == 200
    )  # of another app at this address
    assert pass_gate(tmp_path, cookie=own[:-1])[0] == 401


def test_a_request_that_uploads_nothing_is_short(tmp_path: Path) -> None:
    token = "token=a%20b%2B%C3%A4"
    assert pass_gate(tmp_path, token, "POST", content_length=str(MAX_REQUEST))[0] == 200
    assert pass_gate(tmp_path, token, "POST", content_length=str(MAX_REQUEST + 1))[0] == 413
    assert pass_gate(tmp_path, token, "POST", transfer_encoding="chunked")[0] == 413


def test_the_name_of_the_run_is_text() -> None:
    assert "with &lt;b&gt;." in draw_heading("<b>")


def test_uploads_are_limited_before_they_are_read(server: Served) -> None:
    def upload(**headers: Any) -> tuple[int, str, dict[str, str]]:
        return ask(server.address, "/gradio_api/upload", "POST", **headers)

    status, text, _ = upload(Content_Length=str(MAX_BYTES + 1))
    assert (status, "at most 4.3 GB" in text) == (413, True)
    assert upload(Transfer_Encoding="chunked")[0] == 411


def test_results_are_found_by_their_job_only(server: Served) -> None:
    for path in (
        "/results/x/features.parquet",
        "/results/../../etc/passwd",
        "/omote/serve.py",
        "/omote/..%2Fx",
    ):
        assert ask(server.address, path)[0] == 404
    # nor does gradio give what is not among the uploads
    assert ask(server.address, "/gradio_api/file=/etc/passwd")[0] in (403, 404)


def test_uploads_are_deleted_when_the_app_ends(guarded: Served) -> None:
    body = b"--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n\r\nabc\r\n--x--\r\n"
    token = urlsplit(guarded.address).query
    assert (
        ask(
            guarded.address,
            f"/gradio_api/upload?{token}",
            "POST",
            body,
            Content_Type="multipart/form-data; boundary=x",
        )[0]
        == 200
    )
    assert [file.name for file in guarded.folder.glob("omote-app-*/uploads/**/*.png")] == ["a.png"]
    guarded.process.send_signal(signal.SIGINT)
    assert guarded.process.wait(60) == 0
    assert not list(guarded.folder.glob("omote-app-*"))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_as_if_it_were_done(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    ended = []
    with until_signalled():
        try:
            signal.raise_signal(kind)
        finally:
            ended.append(kind)
    assert ended == [kind]
    assert signal.getsignal(kind) == before


def test_an_address_that_is_taken_is_a_sentence(server: Served) -> None:
    port = urlsplit(server.address).port
    with pytest.raises(OmoteError, match=rf"cannot listen at 127.0.0.1, port {port}: Address already in use"):
        serve(port=port or 0)
    with pytest.raises(OmoteError, match="give another --port or --host"):
        serve(host="192.0.2.1", port=0)


def test_without_gradio_a_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(OmoteError, match=r"pip install 'omote\[app\]'"):
        serve(port=0)


def test_the_command_refuses_what_is_no_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["app", str(tmp_path)])
    assert isinstance(result.exception, OmoteError)
    assert "is not a run" in str(result.exception)
