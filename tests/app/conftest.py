"""The app as its command serves it, in a real Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.features.conftest import cast, scenes

__all__ = ["cast", "scenes"]

PATIENCE = 120_000  # ms; a slow core computes what the page waits for


class Served(NamedTuple):
    """A server in a process of its own."""

    address: str  # of the page, with its token if there is one
    process: subprocess.Popen[str]
    folder: Path  # in which it makes its folder for uploads


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Served]:
    """Run `omote app` with these arguments, in a folder, on a free port; end it as a shell does that closes."""
    command = [sys.executable, "-m", "omote", "app", *arguments, "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://\S+", said)
            assert found, said
            yield Served(found[0], process, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert process.returncode == 0
    assert not list(folder.glob("omote-app-*"))  # uploads are deleted


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with the model that comes with omote."""
    with serving(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window, with a webcam that shows a test picture."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip(
            "the app is tested in Chromium, which is not installed (Debian: apt-get install chromium)"
        )
    with sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser, server: Served) -> Iterator[Callable[..., Page]]:
    """A function that opens the app as a new user; no page may ask for anything from elsewhere, or have a fault."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []
    inside = (server.address.split("?")[0], "data:", "blob:")

    def open_as_new_user(**options: Any) -> Page:
        context = browser.new_context(permissions=["camera"], **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda asked: problems.extend([] if asked.url.startswith(inside) else [asked.url]))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.address)
        page.get_by_role("tab", name="Video").wait_for()
        return page

    yield open_as_new_user
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The app, opened by a new user."""
    return open_page()
