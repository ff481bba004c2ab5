"""A real browser on a served application, over a real socket.

    with stage(database_url, home) as on_stage, on_stage.person("Jo", chromium) as page: …

Playwright keeps an event loop of its own in a test's thread, so whatever awaits runs in another.
"""

import asyncio
import shutil
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from vaultcrm.entrypoints.asgi import create_app
from vaultcrm.settings import Settings
from vaultcrm.workflows.manage_people import sign_in_link

T = TypeVar("T")

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STOP_SECONDS = 3


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine: bash .ci/system-packages installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


def complaints_of(page: Page) -> list[str]:
    """What the browser's console and its errors will say from now on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


class Stage:
    """An application that can be stopped and started on one address."""

    def __init__(self, database_url: str, home: Path, **changes: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port: int = found.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.settings: Settings = settings(
            database_url, home, vaultcrm_base_url=self.base, **changes
        )
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        app = create_app(self.settings)
        listener = socket.create_server(("127.0.0.1", self.port))

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                app.state.live.stop()
                await super().shutdown(sockets)

        config = uvicorn.Config(
            app, log_level="warning", lifespan="on", timeout_graceful_shutdown=STOP_SECONDS
        )
        self._server = Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._server = self._thread = None

    def beside(self, work: Callable[[RunningApp], Awaitable[T]]) -> T:
        """Run something on the same database, with another application of its own."""

        async def in_app() -> T:
            async with running_app(self.settings) as running:
                return await work(running)

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(in_app())).result()

    def sign_in_link(self, name: str) -> str:
        """For somebody who has been added by `tests.support.world.sign_in`."""

        async def link(running: RunningApp) -> str:
            parts = running.parts
            email = f"{name.lower().replace(' ', '.')}@example.com"
            return await sign_in_link(parts.pool, parts.settings, email, parts.now())

        return self.beside(link)

    @contextmanager
    def person(self, name: str, browser: Browser, **options: Any) -> Iterator[Page]:
        """A browser of their own in which somebody has signed in."""
        link = self.sign_in_link(name)
        with browser.new_context(**{"viewport": {"width": 1440, "height": 900}} | options) as own:
            page = own.new_page()
            page.goto(link)
            yield page


@contextmanager
def stage(database_url: str, home: Path, **changes: Any) -> Iterator[Stage]:
    """A started application, which is stopped in the end."""
    on_stage = Stage(database_url, home, **changes)
    on_stage.start()
    try:
        yield on_stage
    finally:
        on_stage.stop()
